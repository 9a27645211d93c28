"""Comparing models: fair or refused, the same numbers in every file, pages that need nothing but themselves."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas import __version__
from ganvas.api import Run
from ganvas.cli.main import _run
from ganvas.config import TranslateRecipe, parse_recipe, to_toml
from ganvas.data.pairs import open_pairs
from ganvas.errors import GanvasError, UsageError
from ganvas.inference import Model
from ganvas.model_file import TrainingData, TranslateHeader, load_model, save_model
from ganvas.report.compare import compare, write_comparison
from ganvas.report.compare_text import to_json, to_markdown
from ganvas.report.compared import Compared, Entry, Row, grouped, scored

HELD_OUT = 6
Maker = Callable[..., Path]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of side-by-side pairs, 4 to train on and 6 held out, and another of as many others."""
    root = tmp_path_factory.mktemp("compare")
    for name, seed in (("pairs", 0), ("others", 1)):
        random = np.random.default_rng(seed)
        for split, count in (("train", 4), ("test", HELD_OUT)):
            (root / name / split).mkdir(parents=True)
            for i in range(count):
                small = random.integers(0, 256, (4, 8, 3), dtype=np.uint8)
                Image.fromarray(small).resize((64, 32)).save(root / name / split / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def make(places: Path) -> Maker:
    """Makes a run folder as training leaves it, with untrained weights."""

    def make_run(name: str, *, seed: int = 0, weights: int | None = None, finished: bool = True, **tables: Any) -> Path:
        table: dict[str, Any] = {
            "name": "tiny",
            "task": "translate",
            "data": {"path": str(places / "pairs"), "size": 32},
            "generator": {"network": "unet", "width": 4, "norm": "instance"},
            "train": {"total_images": 100, "batch_size": 1, "seed": seed},
        }
        for key, changes in tables.items():
            table[key] = {**table.get(key, {}), **changes} if isinstance(changes, dict) else changes
        recipe = parse_recipe(table, name)
        assert isinstance(recipe, TranslateRecipe)
        data = open_pairs(recipe.data, "train")
        torch.manual_seed(seed if weights is None else weights)
        header = TranslateHeader(
            ganvas_version=__version__,
            recipe=recipe.name,
            generator=recipe.generator,
            size=recipe.data.size,
            source=data.source_preparation,
            target=data.target_preparation,
            hints=recipe.hints.enabled,
            class_names=data.class_names,
            data=TrainingData(source=data.source, fingerprint=data.fingerprint, licence="none"),
            images_seen=100,
        )
        folder = places / "runs" / name
        save_model(folder / "model.safetensors", header.build(), header)
        (folder / "recipe.toml").write_text(to_toml(recipe))
        images = (50, 100) if finished else (50,)
        ticks = [
            {"images": i, "seconds": i / 10, "losses": {"l1": 0.5 + seed}, "metrics": {"l1": 0.25 * (seed + 1)}}
            for i in images
        ]
        (folder / "stats.jsonl").write_text("".join(json.dumps(tick) + "\n" for tick in ticks))
        return folder

    return make_run


@pytest.fixture(scope="module")
def three(make: Maker) -> tuple[str, str, str]:
    """Two seeds of one recipe and one of another."""
    return (
        str(make("plain-seed0")),
        str(make("plain-seed1", seed=1)),
        str(make("resized", generator={"upsampling": "resize"}, objective={"kind": "l1"})),
    )


@pytest.fixture(scope="module")
def compared(three: tuple[str, str, str]) -> Compared:
    return compare(three, pictures=4)


def make_entry(name: str, seed: int, **changes: Any) -> Entry:
    table: dict[str, Any] = {"name": name, "task": "translate", "train": {"total_images": 9, "seed": seed}}
    title, data = changes.pop("title", None), changes.pop("fingerprint", "0" * 16)
    header: Any = SimpleNamespace(data=TrainingData(source="x", fingerprint=data, licence="none"))
    return Entry(name, name, Path(name), header, parse_recipe(table | changes, name), title=title)


def test_values_are_those_of_pictures_drawn_by_the_facade(compared: Compared, three: tuple[str, str, str]) -> None:
    row = compared.rows[1]
    model = Model(three[2])
    held_out = sorted((Path(str(row.entries[0].recipe.data.path)) / "test").glob("*.png"))  # type: ignore[union-attr]
    distances = []
    for path in held_out:
        whole = Image.open(path)
        drawn = np.asarray(model.translate(whole.crop((0, 0, 32, 32)))).astype(float)
        distances.append(np.abs(drawn - np.asarray(whole.crop((32, 0, 64, 32)))).mean() / 127.5)
    assert row.values["l1"] == pytest.approx(np.array([distances]), abs=1e-12)
    assert compared.scores[1]["l1"].mean == pytest.approx(np.mean(distances))


def test_runs_that_differ_only_in_the_seed_share_a_row(compared: Compared) -> None:
    assert [(row.name, len(row.entries), row.seeds) for row in compared.rows] == [
        ("plain", 2, (0, 1)),
        ("resized", 1, (0,)),
    ]
    assert compared.rows[0].values["l1"].shape == (2, HELD_OUT)


@pytest.mark.parametrize(
    ("second", "together"),
    [
        ({"seed": 1}, True),
        ({"seed": 1, "name": "elsewhere"}, True),
        ({"seed": 0}, False),
        ({"seed": 1, "objective": {"l1_weight": 10.0}}, False),
        ({"seed": 1, "fingerprint": "1" * 16}, False),
        ({"seed": 1, "title": "another"}, False),
    ],
)
def test_only_other_seeds_of_the_same_recipe_are_one_row(second: dict[str, Any], together: bool) -> None:
    rows = grouped([make_entry("a", 0), make_entry(**({"name": "b"} | second))])
    assert len(rows) == (1 if together else 2)
    assert len({row.name for row in rows}) == len(rows)


def entry_of(given: str, name: str, number: int, title: str | None = None) -> Entry:
    """An entry of a recipe of its own."""
    entry = make_entry(name, 0, objective={"l1_weight": 10.0 + number}, title=title)
    return replace(entry, given=given)


@pytest.mark.parametrize(
    ("entries", "names"),
    [
        # A folder "run" beside "sub/run": the second's own path is the first's name.
        ([("sub/run", "run", None), ("run", "run", None)], ["sub/run", "run"]),
        ([("run", "run", None), ("sub/run", "run", None)], ["run", "sub/run"]),
        ([("a", "b", None), ("b", "x", None), ("c", "b", None)], ["a", "x", "c"]),
        ([("a", "x", "U-Net"), ("b", "y", "U-Net"), ("c", "U-Net", None)], ["U-Net", "U-Net (2)", "c"]),
        ([("a", "x", "b"), ("b", "y", None), ("c", "y", None)], ["b", "b (2)", "c"]),
    ],
)
def test_no_two_rows_have_one_name(entries: list[tuple[str, str, str | None]], names: list[str]) -> None:
    rows = grouped([entry_of(given, name, i, title) for i, (given, name, title) in enumerate(entries)])
    assert [row.name for row in rows] == names


def test_models_of_one_name_keep_their_own_numbers_and_pictures(
    make: Maker, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("sub/run", weights=5)
    make("run", weights=6, objective={"kind": "l1"})
    monkeypatch.chdir(places / "runs")
    both = compare(["sub/run", "run"], pictures=1)
    assert [row.name for row in both.rows] == ["sub/run", "run"]
    for row, column in zip(both.rows, both.columns[1:], strict=False):
        alone = compare([row.entries[0].given], pictures=1)
        assert np.array_equal(row.values["l1"], alone.rows[0].values["l1"])
        assert np.array_equal(column.pictures, alone.columns[1].pictures)
    assert not np.array_equal(both.columns[1].pictures, both.columns[2].pictures)


def test_titles_name_the_rows_and_keep_runs_apart(three: tuple[str, str, str], make: Maker) -> None:
    third = str(make("plain-seed2", seed=2))
    titles = {three[0]: "U-Net, 100 × L1", three[1]: "U-Net, 100 × L1", third: "again"}
    found = compare([*three, third], pictures=1, titles=titles)
    assert [(row.name, row.seeds) for row in found.rows] == [
        ("U-Net, 100 × L1", (0, 1)),
        ("resized", (0,)),
        ("again", (2,)),
    ]
    assert [column.title for column in found.columns[1:-1]] == [row.name for row in found.rows]


def test_a_linked_run_is_called_as_its_link(three: tuple[str, str, str], tmp_path: Path) -> None:
    (tmp_path / "ours").symlink_to(three[0], target_is_directory=True)
    assert [row.name for row in compare([str(tmp_path / "ours")], pictures=1).rows] == ["ours"]
    assert Model(tmp_path / "ours").name == "ours"


def test_seeds_of_other_training_data_are_another_row(make: Maker, three: tuple[str, str, str], places: Path) -> None:
    other = str(make("plain-others", seed=1, data={"path": str(places / "others")}))
    found = compare([three[0], other], data=str(places / "pairs"), pictures=1)
    assert [row.name for row in found.rows] == ["plain-seed0", "plain-others"]


def test_a_shipped_model_is_told_by_its_place_in_the_package(places: Path) -> None:
    found = compare(["sketch2color"], data=str(places / "pairs"), pictures=1)
    (run,) = json.loads(to_json(found))["rows"][0]["runs"]
    assert run["file"] == "ganvas/weights/sketch2color.safetensors"


def test_names_that_are_no_text_are_written_as_escapes(
    three: tuple[str, str, str], places: Path, tmp_path: Path
) -> None:
    name = os.fsdecode(b"caf\xe9")
    odd = places / f"{name}-pairs" / "test"
    odd.mkdir(parents=True)
    for number in range(2):
        picture = places / "pairs" / "test" / f"{number}.png"
        (odd / f"{name}{number}.png").write_bytes(picture.read_bytes())
    paths = write_comparison(compare(three[2:], data=str(odd.parent), pictures=1), tmp_path / "odd.html")
    assert all(r"caf\udce9" in path.read_text("utf-8") for path in paths[:3])
    table = json.loads(paths[2].read_text("utf-8"))
    assert len(table["measured_on"]["pictures"]) == 2
    assert all(name in picture for picture in table["measured_on"]["pictures"])


def row_of(name: str, values: list[float], metric: str = "l1") -> Row:
    return Row(name, (), {metric: np.array([values])})


def test_best_is_the_lowest_or_highest_or_nearest_to_the_truth() -> None:
    apart = [0.1, 0.11, 0.09, 0.1], [0.5, 0.51, 0.49, 0.5]
    for metric, best in (("l1", 0), ("ssim", 1)):
        scores, _ = scored([row_of("a", apart[0], metric), row_of("b", apart[1], metric)], {})
        assert [score[metric].best for score in scores] == [best == 0, best == 1]
    truth = {"chroma": np.array([0.3, 0.31, 0.29, 0.3])}
    chroma = [row_of(name, [value] * 4, "chroma") for name, value in (("grey", 0.1), ("near", 0.28), ("garish", 0.6))]
    scores, reference = scored(chroma, truth)
    assert [score["chroma"].best for score in scores] == [False, True, False]
    assert reference["chroma"].mean == pytest.approx(0.3)


def test_rows_whose_difference_may_be_chance_are_both_best() -> None:
    random = np.random.default_rng(0)
    pictures = random.normal(0.5, 0.2, 50)
    noise = random.normal(0, 0.1, 50)
    scores, _ = scored([row_of("a", list(pictures)), row_of("b", list(pictures + noise - noise.mean() + 0.001))], {})
    assert [score["l1"].best for score in scores] == [True, True]
    # The same distance in the mean, but on every single picture: not chance.
    scores, _ = scored([row_of("a", list(pictures)), row_of("b", list(pictures + 0.001))], {})
    assert [score["l1"].best for score in scores] == [True, False]


def test_one_model_alone_is_not_called_the_best(three: tuple[str, str, str]) -> None:
    alone = compare(three[2:], pictures=1)
    assert not any(score.best for score in alone.scores[0].values())
    assert "**" not in to_markdown(alone)


def test_every_file_holds_the_same_numbers(compared: Compared, tmp_path: Path) -> None:
    paths = write_comparison(compared, tmp_path / "deep" / "both.html")
    assert [path.name for path in paths] == ["both.html", "both.md", "both.json", "both.png"]
    page, markdown = paths[0].read_text(), paths[1].read_text()
    table = json.loads(paths[2].read_text())
    for row in table["rows"]:
        values = np.array([run["values"]["l1"] for run in row["runs"]])
        assert values.shape == (len(row["seeds"]), HELD_OUT)
        score = row["scores"]["l1"]
        assert score["mean"] == pytest.approx(values.mean())
        assert score["low"] < score["mean"] < score["high"]
        shown = f"({score['low']:.4f} to {score['high']:.4f})"
        assert f"{score['mean']:.4f}" in page
        assert shown in markdown
        assert shown[1:-1] in page
    assert table["recipe_differences"] == {
        "generator.upsampling": {"plain": "transposed", "resized": "resize"},
        "objective.kind": {"plain": "l1+cgan", "resized": "l1"},
    }
    assert len(table["measured_on"]["pictures"]) == HELD_OUT
    best = [line for line in markdown.splitlines() if re.search(r"\*\*\d", line)]
    assert 1 <= len(best) <= 2


def test_same_comparison_gives_the_same_bytes(compared: Compared, three: tuple[str, str, str], tmp_path: Path) -> None:
    again = compare(three, pictures=4)
    for first, second in zip(
        write_comparison(compared, tmp_path / "a.html"), write_comparison(again, tmp_path / "b.html"), strict=True
    ):
        assert first.read_bytes() == second.read_bytes()


def test_page_asks_for_nothing_and_runs_no_script(compared: Compared, tmp_path: Path) -> None:
    page = write_comparison(compared, tmp_path / "page.html")[0].read_text()
    assert "<script" not in page
    assert all(uri.startswith("data:") for uri in re.findall(r'(?:src|href)="([^"#][^"]*)"', page))
    assert "Content-Security-Policy" in page
    assert page.count("<img") == 4 * 4  # pictures times input, two rows, truth
    assert page.count("</svg>") == 2  # l1 as measured and as a loss


def test_curve_of_several_seeds_is_their_mean(compared: Compared, tmp_path: Path) -> None:
    page = write_comparison(compared, tmp_path / "page.html")[0].read_text()
    # Metrics of 0.25 and 0.5, losses of 0.5 and 1.5.
    assert "plain <b>0.375</b>" in page
    assert "plain <b>1</b>" in page


def test_names_from_outside_are_shown_as_text(compared: Compared, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>|"
    rows = (replace(compared.rows[0], name=evil), compared.rows[1])
    changed = replace(compared, rows=rows, notes=(evil,))
    paths = write_comparison(changed, tmp_path / "page.html")
    assert "<img src=x" not in paths[0].read_text()
    assert json.loads(paths[2].read_text())["rows"][0]["name"] == evil
    lines = [line for line in paths[1].read_text().splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1


def test_sheet_shows_input_models_and_truth_pixel_by_pixel(compared: Compared, tmp_path: Path) -> None:
    titles = [column.title for column in compared.columns]
    assert titles == ["input", "plain", "resized", "truth"]
    sheet = np.asarray(Image.open(write_comparison(compared, tmp_path / "page.html")[3]))
    cell, gap = 160, 10
    for number, column in enumerate(compared.columns):
        left = gap + number * (cell + gap)
        enlarged = column.pictures[-1].repeat(5, axis=0).repeat(5, axis=1)
        assert np.array_equal(sheet[-gap - cell : -gap, left : left + cell], enlarged)


def test_models_of_different_sizes_are_measured_at_the_largest(
    make: Maker, three: tuple[str, str, str], places: Path
) -> None:
    large = make("large", data={"size": 64})
    both = compare([three[0], str(large)], pictures=2)
    assert [column.pictures.shape for column in both.columns] == [(2, 64, 64, 3)] * 4
    assert any("32 and 64 pixels. All are measured and shown at 64" in note for note in both.notes)
    # The small one by Pillow: what it makes of the small picture, enlarged, beside the truth at 64.
    model = Model(three[0])
    distances = []
    for path in sorted((places / "pairs" / "test").glob("*.png")):
        whole = Image.open(path)
        drawn = model.translate(whole.crop((0, 0, 32, 32))).resize((64, 64), Image.Resampling.LANCZOS)
        truth = whole.crop((32, 0, 64, 32)).resize((64, 64), Image.Resampling.BILINEAR)
        distances.append(np.abs(np.asarray(drawn).astype(float) - np.asarray(truth)).mean() / 127.5)
    assert both.rows[0].values["l1"] == pytest.approx(np.array([distances]), abs=1e-12)
    # Which the largest does not change.
    alone = compare([str(large)], pictures=2)
    assert np.array_equal(both.rows[1].values["ssim"], alone.rows[0].values["ssim"])
    assert "| large |" in to_markdown(both)


def test_jitter_is_no_difference_of_the_data(make: Maker, three: tuple[str, str, str]) -> None:
    # It changes the size that training pictures are read at, and so their fingerprint.
    steady = make("steady", data={"jitter": False})
    path = steady / "model.safetensors"
    model, header = load_model(path)
    save_model(
        path, model, header.model_copy(update={"data": header.data.model_copy(update={"fingerprint": "0" * 16})})
    )
    assert "l1" in compare([three[0], str(steady)], pictures=1).metrics


def test_label_maps_with_ignored_pixels_and_classes_are_drawn_and_shown_in_their_colours(
    make: Maker, places: Path
) -> None:
    folder = places / "maps"
    folder.mkdir()
    (folder / "palette.csv").write_text("name,red,green,blue\nsky,0,0,255\nroad,90,90,90\n")
    rows = ["source,target,split,label"]
    for number in range(6):
        ids = np.zeros((32, 32), dtype=np.uint8)
        ids[16:], ids[:4] = 1, 255
        Image.fromarray(ids).save(folder / f"map{number}.png")
        Image.fromarray(np.full((32, 32, 3), 40 * number, dtype=np.uint8)).save(folder / f"photo{number}.png")
        rows.append(f"map{number}.png,photo{number}.png,{'test' if number < 3 else 'train'},{'ab'[number % 2]}")
    (folder / "pairs.csv").write_text("\n".join(rows) + "\n")
    settings = {"source": "labels", "palette": str(folder / "palette.csv"), "ignore": 255, "labels": "group"}
    run = make("maps-run", data={"path": str(folder), **settings}, condition=["picture", "label"])
    found = compare([str(run)], pictures=3)
    assert found.rows[0].values["l1"].shape == (1, 3)
    shown = found.columns[0].pictures[0]
    assert [shown[y, 0].tolist() for y in (0, 8, 31)] == [[0, 0, 0], [0, 0, 255], [90, 90, 90]]


def test_unfinished_run_is_told(make: Maker) -> None:
    alone = compare([str(make("begun", finished=False))], pictures=1)
    assert alone.notes == ("begun is not finished: 50 of 100 images seen.",)


def test_label_runs_are_compared_by_what_training_measured(finished_run: Run) -> None:
    found = compare([str(finished_run.folder)], pictures=1)
    latest = [line["metrics"] for line in finished_run.stats if line["metrics"]][-1]
    assert found.scores[0]["asked_accuracy"].mean == pytest.approx(latest["asked_accuracy"])
    assert found.scores[0]["asked_accuracy"].low is None
    with pytest.raises(GanvasError, match=r"was trained on other data .* compare runs of the same data$"):
        compare([str(finished_run.folder), "digits-cgan"])


def test_label_models_are_shown_with_and_without_labels(tmp_path: Path) -> None:
    found = compare(["digits-cgan", "digits-gan"], pictures=2)
    frechet = [Model(name).header.metrics["digit_frechet"] for name in ("digits-cgan", "digits-gan")]
    assert [scores["digit_frechet"].mean for scores in found.scores] == frechet
    assert [scores["digit_frechet"].best for scores in found.scores] == [True, False]
    assert "asked_accuracy" not in found.scores[1]
    page = write_comparison(found, tmp_path / "digits.html")[0].read_text()
    assert page.count("<img") == 2
    # Both beside each other, each enlarged by whole pixels.
    with Image.open(tmp_path / "digits.png") as sheet:
        assert sheet.width > sum(one.pictures.shape[2] for one in found.columns)


def test_other_data_are_refused_unless_all_are_measured_on_one_set(
    make: Maker, three: tuple[str, str, str], places: Path
) -> None:
    other = make("other", data={"path": str(places / "others")})
    with pytest.raises(GanvasError, match=r"other' was trained on other data .* or give --data") as refused:
        compare([three[0], str(other)])
    assert "\n" not in str(refused.value)
    allowed = compare([three[0], str(other)], data=str(places / "others"), pictures=1)
    assert allowed.held is not None
    assert allowed.held.source.startswith("others")


def test_model_of_other_channels_is_refused(make: Maker, three: tuple[str, str, str], places: Path) -> None:
    grey = make("grey", data={"source_channels": 1})
    with pytest.raises(GanvasError, match=r"reads the pairs of .* otherwise"):
        compare([three[0], str(grey)], data=str(places / "pairs"))
    # A file without a recipe beside it, which claims the same data.
    model, header = load_model(grey / "model.safetensors")
    data = load_model(Path(three[0]) / "model.safetensors")[1].data
    alone = places / "alone.safetensors"
    save_model(alone, model, header.model_copy(update={"data": data}))
    with pytest.raises(GanvasError, match=r"from pictures of 1 channels, the pairs of .* have 3 and pictures of 3"):
        compare([three[0], str(alone)])


def test_diverged_model_is_named(make: Maker) -> None:
    broken = make("broken")
    model, header = load_model(broken / "model.safetensors")
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(float("nan"))
    save_model(broken / "model.safetensors", model, header)
    with pytest.raises(GanvasError, match=r"broken': the pictures hold values that are not numbers"):
        compare([str(broken)])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["digits-cgan", "{0}"], 2, "is a model of task 'translate', 'digits-cgan' of task 'label'"),
        (["{0}", "{0}/model.safetensors"], 2, "is given twice"),
        (["{0}", "--split", "val"], 2, "--split val: '{pairs}' has no such pairs; choose another split"),
        (["{0}", "--data", "nowhere"], 1, "no pairs at 'nowhere'"),
        (["{0}", "--out", "table.md"], 2, "--out table.md: expected FILE.html"),
        (["digits-cgan", "--data", "x"], 2, "leave it out"),
        (["nothing-here"], 2, "no model 'nothing-here'"),
        (["{bare}"], 2, "has no recipe.toml beside it"),
    ],
)
def test_wrong_use_is_one_line(
    arguments: list[str],
    code: int,
    message: str,
    three: tuple[str, str, str],
    places: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    bare = tmp_path / "bare.safetensors"
    bare.write_bytes((Path(three[0]) / "model.safetensors").read_bytes())
    texts = {"bare": str(bare), "pairs": str(places / "pairs")}
    assert _run(["compare", *(argument.format(*three, **texts) for argument in arguments)]) == code
    told = capsys.readouterr()
    assert message.format(*three, **texts) in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""
    assert not list(tmp_path.glob("compare.*"))


def test_stdout_is_the_table_or_json_and_nothing_else(
    three: tuple[str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _run(["compare", *three, "--pictures", "1"]) == 0
    told = capsys.readouterr()
    assert told.out == (tmp_path / "compare.md").read_text()
    assert "wrote compare.html" in told.err
    assert _run(["compare", *three, "--pictures", "1", "--json"]) == 0
    assert capsys.readouterr().out == (tmp_path / "compare.json").read_text()


def test_command_of_the_page_is_the_one_that_makes_it(compared: Compared, three: tuple[str, str, str]) -> None:
    assert compared.command == f"ganvas compare {' '.join(three)} --split test"
    command = json.loads(to_json(compared))["rows"][1]["runs"][0]["command"].split()
    assert command[:2] == ["ganvas", "train"]
    assert tomllib.loads(Path(command[2]).read_text())["generator"]["upsampling"] == "resize"


def test_a_page_of_another_ending_is_refused(compared: Compared, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected FILE\.html"):
        write_comparison(compared, tmp_path / "page.htm")
