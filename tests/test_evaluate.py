"""Evaluation: numbers by their protocol and put down where the model is, which stays what it was to the bit."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor

import ganvas
from ganvas import __version__
from ganvas.api import Run
from ganvas.cli.main import _run
from ganvas.config import TranslateRecipe, parse_recipe, to_toml
from ganvas.data.digits import embedded_digits
from ganvas.data.pairs import open_pairs
from ganvas.errors import GanvasError, UsageError
from ganvas.evaluation import Evaluation, digits, evaluate, labels, recording, translations
from ganvas.evaluation.label_metrics import LABEL_METRICS
from ganvas.evaluation.text import interval, to_json, to_markdown
from ganvas.inference import Model, resolve_model
from ganvas.metrics.digit_classifier import FEATURES, load_digit_classifier
from ganvas.metrics.distances import FeatureStatistics, frechet_distance
from ganvas.metrics.figures import Figure
from ganvas.metrics.kernel_distance import kernel_distance
from ganvas.metrics.pictures import PictureMetric
from ganvas.metrics.sets import Setting
from ganvas.metrics.translation import measure_targets, measure_translation
from ganvas.model_file import TrainingData, TranslateHeader, read_header, save_model
from ganvas.report.compare import compare
from ganvas.report.entries import translator_of
from ganvas.report.evaluation_section import evaluation_section
from ganvas.training.folder import only_process
from idx_files import write_set

COUNT = 60
HELD_OUT = 6


@pytest.fixture(scope="module", autouse=True)
def _fewer_pixels() -> Iterator[None]:
    """Comparing pixels is what takes longest, and no more telling with more of them."""
    patch = pytest.MonkeyPatch()
    patch.setattr(labels, "SAMPLES_A_CLASS", 3)
    patch.setattr(labels, "HELD_OUT", 20)
    patch.setattr(labels, "WATCHED", 40)
    yield
    patch.undo()


@pytest.fixture
def run(finished_run: Run, tmp_path: Path) -> Path:
    """A run folder of one's own."""
    return Path(shutil.copytree(finished_run.folder, tmp_path / "run"))


@pytest.fixture(scope="module")
def evaluated(finished_run: Run) -> Evaluation:
    return evaluate(str(finished_run.folder), count=COUNT)


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_translator(tmp_path_factory.mktemp("evaluate"))


def write_translator(root: Path, channels: int = 3, *, hints: bool = False) -> Path:
    """The run folder of a translator with untrained weights, with dropout, and its pairs beside it."""
    random = np.random.default_rng(0)
    for split, count in (("train", 2), ("test", HELD_OUT)):
        (root / "pairs" / split).mkdir(parents=True)
        for i in range(count):
            small = random.integers(0, 256, (4, 8, channels), dtype=np.uint8)
            Image.fromarray(small).resize((64, 32)).save(root / "pairs" / split / f"{i}.png")
    table: dict[str, Any] = {
        "name": "tiny",
        "task": "translate",
        "data": {"path": str(root / "pairs"), "size": 32, "source_channels": channels, "target_channels": channels},
        "generator": {"network": "unet", "width": 4, "norm": "instance", "dropout": 0.5},
        "hints": {"enabled": hints},
        "train": {"total_images": 100, "batch_size": 1},
    }
    recipe = parse_recipe(table, "tiny")
    assert isinstance(recipe, TranslateRecipe)
    data = open_pairs(recipe.data, "train")
    torch.manual_seed(0)
    header = TranslateHeader(
        ganvas_version=__version__,
        recipe=recipe.name,
        generator=recipe.generator,
        size=32,
        source=data.source_preparation,
        target=data.target_preparation,
        hints=hints,
        data=TrainingData(source=data.source, fingerprint=data.fingerprint, licence="none"),
        images_seen=100,
    )
    save_model(root / "run" / "model.safetensors", header.build(), header)
    (root / "run" / "recipe.toml").write_text(to_toml(recipe))
    return root / "run"


# Digits


def test_digits_are_drawn_for_the_held_out_labels_and_read_by_the_classifier(
    evaluated: Evaluation, finished_run: Run
) -> None:
    held = embedded_digits("test")
    order = np.random.default_rng((0, 4))
    order.permutation(9_000)
    chosen = order.permutation(len(held))[:COUNT]
    wanted = [int(label) for label in held.labels[chosen]]
    drawn = np.concatenate([part.images for part in Model(finished_run.folder).draw(wanted, count=COUNT, seed=0)])
    classifier = load_digit_classifier()
    sides = []
    for images in (drawn, held.images[chosen]):
        answers, features = classifier.logits_and_features(torch.from_numpy(images[..., 0])[:, None] / 127.5 - 1)
        statistics = FeatureStatistics(FEATURES)
        statistics.update(features)
        sides.append((answers.argmax(dim=1).numpy(), statistics))
    right = sides[0][0] == np.array(wanted)
    assert evaluated.values["asked_accuracy"] == pytest.approx(right.mean())
    assert evaluated.values["digit_frechet"] == pytest.approx(frechet_distance(sides[0][1], sides[1][1]), rel=1e-6)
    assert evaluated.by_class is not None
    assert evaluated.by_class.confusion.sum() == COUNT
    assert evaluated.by_class.confusion.sum(axis=1).tolist() == np.bincount(wanted, minlength=10).tolist()
    assert np.trace(evaluated.by_class.confusion) == right.sum()
    met = [figure for figure in evaluated.by_class.accuracy if figure is not None]
    assert evaluated.figures["asked_accuracy_worst_class"] == min(met, key=lambda figure: figure.value)


def test_table_by_class_tells_intervals_where_there_are_any(evaluated: Evaluation) -> None:
    by_class = evaluated.by_class
    assert by_class is not None
    # Of six pictures a class there is none.
    assert by_class.frechet[0] is not None
    assert by_class.frechet[0].low is None
    known = replace(evaluated, by_class=replace(by_class, frechet=(Figure(1.0, 0.5, 1.5, 0.25), *by_class.frechet[1:])))
    row = next(line for line in to_markdown(known).splitlines() if re.match(r"\| +0 \|", line))
    assert "| 0.50 to 1.50 |" in row
    table = known.to_table()["by_class"]
    assert table["digit_frechet"][0] == {"value": 1.0, "low": 0.5, "high": 1.5, "standard_error": 0.25}


def test_real_pictures_stand_beside_every_digit_metric(evaluated: Evaluation) -> None:
    assert list(evaluated.figures) == [name for name in LABEL_METRICS if name in evaluated.figures]
    assert set(evaluated.reference) == set(evaluated.figures) == set(LABEL_METRICS)
    assert evaluated.reference["asked_accuracy"].value > 0.95
    assert evaluated.reference["digit_frechet"].value < evaluated.values["digit_frechet"]
    assert evaluated.reference["parzen_log_likelihood"].value > evaluated.values["parzen_log_likelihood"]


def test_same_seed_gives_the_same_digits(evaluated: Evaluation, finished_run: Run) -> None:
    assert to_json(evaluate(str(finished_run.folder), count=COUNT)) == to_json(evaluated)
    other = evaluate(str(finished_run.folder), count=COUNT, seed=1)
    assert other.values["digit_frechet"] != evaluated.values["digit_frechet"]


def test_features_of_many_pictures_are_not_all_kept(monkeypatch: pytest.MonkeyPatch, finished_run: Run) -> None:
    monkeypatch.setattr(digits, "KEPT", 50)
    monkeypatch.setattr(labels, "KEPT", 50)
    seen: list[int] = []

    def spy(a: torch.Tensor, b: torch.Tensor, seed: int) -> Figure:
        seen.append(len(a))
        return kernel_distance(a, b, seed)

    monkeypatch.setattr(digits, "kernel_distance", spy)
    found = evaluate(str(finished_run.folder), count=130)
    assert seen == [50, 50]
    assert found.by_class is not None
    assert found.by_class.confusion.sum() == 130
    assert any("first 50 are compared each with each" in note for note in found.notes)


def test_more_pictures_than_there_are_real_ones_go_round_their_labels(finished_run: Run, tmp_path: Path) -> None:
    data = write_set(tmp_path / "set", train=40, test=7, classes=10)
    found = evaluate(str(finished_run.folder), data=str(data), count=20)
    assert found.protocol.pictures == 20
    assert any("20 drawn pictures are compared with the 7 real ones" in note for note in found.notes)


def test_pictures_that_the_classifier_cannot_read_get_no_digit_metrics(finished_run: Run, tmp_path: Path) -> None:
    found = evaluate(str(finished_run.folder), data=str(write_set(tmp_path / "set", train=40, test=10, classes=10)))
    assert set(found.figures) == {"parzen_log_likelihood", "nearest_training", "memorised"}
    assert found.by_class is None
    assert found.notes[0].startswith("No digit metrics")
    assert any("trained on embedded digits (train), not on" in note for note in found.notes)


def test_a_model_without_labels_is_asked_for_none() -> None:
    found = evaluate("digits-gan", count=COUNT)
    assert found.by_class is None
    assert "asked_accuracy" not in found.figures
    assert "asked_accuracy" not in found.reference
    assert "digit_recall" in found.figures
    assert any("takes no label" in note for note in found.notes)


def test_training_pictures_are_measured_on_as_many_as_there_are_but_for_the_held_out(
    finished_run: Run, tmp_path: Path
) -> None:
    data = str(write_set(tmp_path / "set", train=40, test=10, classes=10))
    found = evaluate(str(finished_run.folder), data=data, split="train")
    assert found.protocol.pictures == 36
    assert not any("drawn pictures are compared with" in note for note in found.notes)
    more = evaluate(str(finished_run.folder), data=data, split="train", count=38)
    assert any("38 drawn pictures are compared with the 36 real ones" in note for note in more.notes)


def test_sheet_shows_what_is_nearest_to_a_training_picture(evaluated: Evaluation) -> None:
    training = embedded_digits("train").images
    drawn, beside = evaluated.pairs[0:6:2], evaluated.pairs[1:6:2]
    apart = [np.square(training.astype(float) - one.astype(float)).mean(axis=(1, 2, 3)) for one in drawn]
    for picture, distances in zip(beside, apart, strict=True):
        np.testing.assert_array_equal(picture, training[int(np.argmin(distances))])
    nearest = [float(distances.min()) for distances in apart]
    assert nearest == sorted(nearest)


# Translators


def test_translator_is_measured_as_people_use_it(translator: Path) -> None:
    found = evaluate(str(translator))
    recipe = parse_recipe_of(translator)
    pairs = open_pairs(recipe.data, "test")
    model = Model(translator)
    expected = measure_translation(translator_of(model, "run", 32), pairs)
    for name, values in expected.items():
        assert found.values[name] == pytest.approx(values.mean())
    for name, values in measure_targets(pairs).items():
        assert found.reference[name].value == pytest.approx(values.mean())
    assert found.protocol.pictures == HELD_OUT
    assert found.pairs.shape == (3 * HELD_OUT, 32, 32, 3)
    assert {"sliced_wasserstein", "diversity_l1", "variations_l1"} <= set(found.figures)


def parse_recipe_of(folder: Path) -> TranslateRecipe:
    import tomllib

    recipe = parse_recipe(tomllib.loads((folder / "recipe.toml").read_text()), "run")
    assert isinstance(recipe, TranslateRecipe)
    return recipe


@pytest.mark.parametrize(("count", "chosen"), [(1, [0]), (2, [0, 5]), (4, [0, 2, 3, 5]), (5, [0, 1, 2, 4, 5])])
def test_count_takes_pairs_spread_over_the_whole_set(translator: Path, count: int, chosen: list[int]) -> None:
    # Most of the set is where equal whole steps would take its beginning alone.
    found = evaluate(str(translator), count=count)
    pairs = open_pairs(parse_recipe_of(translator).data, "test")
    model = Model(translator)
    part = replace(pairs, sources=pairs.sources[chosen], targets=pairs.targets[chosen], labels=pairs.labels[chosen])
    expected = measure_translation(translator_of(model, "run", 32), part)
    assert found.values["l1"] == pytest.approx(expected["l1"].mean())
    assert found.protocol.source.startswith(f"{count} of 6 pairs")
    np.testing.assert_array_equal(found.pairs[2::3], np.moveaxis(part.targets, 1, 3))


def test_chosen_pairs_of_a_mapped_file_are_read_when_they_are_asked_for(translator: Path) -> None:
    pairs = open_pairs(parse_recipe_of(translator).data, "test")
    reads: list[int] = []

    class Mapped:
        shape = pairs.sources.shape

        def __getitem__(self, at: Any) -> Any:
            reads.append(np.size(at))
            return pairs.sources[at]

        def __len__(self) -> int:
            return len(pairs)

    part = translations._spread(replace(pairs, sources=cast(Any, Mapped())), 5)
    assert part.sources.shape == (5, 3, 32, 32)
    assert reads == []
    np.testing.assert_array_equal(part.sources[2:4], pairs.sources[[2, 4]])
    assert reads == [2]


def test_variations_come_from_the_seed_which_may_be_of_any_size(translator: Path) -> None:
    values = [evaluate(str(translator), count=2, seed=seed).values["diversity_l1"] for seed in (0, 0, 1, 2**64)]
    assert values[0] == values[1]
    assert len(set(values)) == 3


@pytest.mark.parametrize("hints", [False, True])
def test_variations_of_a_model_that_takes_dabs_are_with_dabs(tmp_path: Path, hints: bool) -> None:
    found = evaluate(str(write_translator(tmp_path, hints=hints)), count=2).values
    assert (found["variations_l1"] == found["diversity_l1"]) is not hints


def test_a_number_without_an_interval_is_told_with_its_standard_error(translator: Path) -> None:
    found = evaluate(str(translator), count=2)
    name, metric = "sliced_wasserstein", found.metrics["sliced_wasserstein"]
    assert interval(Figure(1.0), metric) == ""
    assert interval(Figure(1.0, None, None, 0.25), metric) == "(SE 0.25)"
    assert interval(Figure(1.0, 0.5, 1.5, 0.25), metric) == "0.5 to 1.5 (SE 0.25)"
    table = replace(found, figures={name: Figure(1.0, None, None, 0.25)}).to_table()
    assert "<td>(SE 0.25)</td>" in evaluation_section(table)


class FewFeatures(torch.nn.Module):
    """In the place of Inception: six numbers of a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(1, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        assert pictures.dtype == torch.uint8
        deviation, mean = torch.std_mean(pictures.expand(-1, 3, -1, -1).float(), dim=(2, 3))
        return torch.cat([deviation, mean], dim=1)


@pytest.fixture
def inception(monkeypatch: pytest.MonkeyPatch) -> FewFeatures:
    """Whatever file of weights is given, it is these; and nobody asks the network for any."""

    def refuse(*_: object) -> None:
        raise AssertionError("asked for a connection")

    network = FewFeatures()
    monkeypatch.setattr("ganvas.evaluation.protocol.load_inception", lambda path, device: network)
    monkeypatch.setattr("ganvas.metrics.inception_distances.FEATURES", 6)
    monkeypatch.setattr("socket.socket.connect", refuse)
    return network


def test_digits_get_an_fid_where_inceptions_weights_are_given(inception: FewFeatures, finished_run: Run) -> None:
    model = str(finished_run.folder)
    with pytest.raises(UsageError, match=r"an FID of 100 pictures .* --few-pictures"):
        evaluate(model, count=100, fid_weights="w.pth")
    found = evaluate(model, count=100, fid_weights="w.pth", few_pictures=True)
    held = embedded_digits("test")
    order = np.random.default_rng((0, 4))
    order.permutation(9_000)
    real = order.permutation(len(held))[:100]
    wanted = [int(label) for label in held.labels[real]]
    drawn = np.concatenate([part.images for part in Model(finished_run.folder).draw(wanted, count=100, seed=0)])
    one, other = (inception(torch.from_numpy(np.moveaxis(images, 3, 1))) for images in (drawn, held.images[real]))
    expected = [FeatureStatistics(6), FeatureStatistics(6)]
    for statistics, features in zip(expected, (one, other), strict=True):
        statistics.update(features)
    assert found.values["fid"] == pytest.approx(frechet_distance(*expected), rel=1e-6)
    assert found.values["kid"] == pytest.approx(kernel_distance(one, other, 0).value, rel=1e-5)
    assert found.reference["fid"].value < found.values["fid"]
    assert "mostly bias" in found.notes[-1]
    assert "FID" in to_markdown(found)
    assert not {"fid", "kid"} & set(evaluate(model, count=30).values)


def test_translations_get_an_fid_where_inceptions_weights_are_given(inception: FewFeatures, translator: Path) -> None:
    with pytest.raises(UsageError, match=r"an FID of 6 pictures"):
        evaluate(str(translator), fid_weights="w.pth")
    found = evaluate(str(translator), fid_weights="w.pth", few_pictures=True)
    pairs = open_pairs(parse_recipe_of(translator).data, "test")
    model = Model(translator)
    drawn = np.stack([model.translate_array(np.moveaxis(source, 0, -1)) for source in pairs.sources])
    sides = [FeatureStatistics(6), FeatureStatistics(6)]
    for statistics, pictures in zip(sides, (np.moveaxis(drawn, 3, 1), np.array(pairs.targets)), strict=True):
        statistics.update(inception(torch.from_numpy(pictures)))
    assert found.values["fid"] == pytest.approx(frechet_distance(*sides), rel=1e-6)
    assert "kid" not in found.values


@pytest.mark.usefixtures("inception")
def test_what_neither_pictures_nor_inception_can_hold_is_measured_by_the_rest(tmp_path: Path) -> None:
    model = str(write_translator(tmp_path, channels=4))
    found = evaluate(model)
    assert {"l1", "sliced_wasserstein"} <= set(found.figures)
    assert "diversity_l1" not in found.figures
    with pytest.raises(UsageError, match=r"these have 4: leave it out"):
        evaluate(model, fid_weights="w.pth", few_pictures=True)


class Fake:
    """A set metric that remembers what it is fed."""

    def __init__(self, setting: Setting) -> None:
        self.metrics = {"fake": PictureMetric("Fake", "lower", 2, "pictures seen")}
        self.setting = setting
        self.fed: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []

    def update(self, sources: np.ndarray, drawn: np.ndarray, true: np.ndarray, labels: np.ndarray) -> None:
        self.fed.append((sources, drawn, true, labels))

    def figures(self) -> dict[str, Figure]:
        return {"fake": Figure(float(sum(len(part[0]) for part in self.fed)))}

    def reference(self) -> dict[str, Figure]:
        return {"fake": Figure(0.5)}


def test_metrics_of_sets_get_every_picture_once_beside_its_truth(
    monkeypatch: pytest.MonkeyPatch, translator: Path
) -> None:
    made: list[Fake] = []

    def factory(setting: Setting) -> Fake:
        made.append(Fake(setting))
        return made[-1]

    monkeypatch.setattr(translations, "SET_METRICS", (factory, lambda setting: None))
    found = evaluate(str(translator), seed=5)
    (fake,) = made
    pairs = open_pairs(parse_recipe_of(translator).data, "test")
    sources, drawn, true, _ = (np.concatenate(part) for part in zip(*fake.fed, strict=True))
    np.testing.assert_array_equal(sources, pairs.sources)
    np.testing.assert_array_equal(true, pairs.targets)
    model = Model(translator)
    assert drawn.shape == true.shape
    np.testing.assert_array_equal(
        drawn[4], np.moveaxis(model.translate_array(np.moveaxis(pairs.sources[4], 0, -1)), 2, 0)
    )
    assert found.values["fake"] == HELD_OUT
    assert found.reference["fake"].value == 0.5
    assert fake.setting.seed == 5
    assert fake.setting.vary is not None
    varied = fake.setting.vary(pairs.sources[4], 0, 2)
    assert varied.shape == (2, 3, 32, 32)
    assert (varied[0] != varied[1]).any()


# Where the numbers go


def weights_of(path: Path) -> bytes:
    contents = path.read_bytes()
    return contents[8 + int.from_bytes(contents[:8], "little") :]


def test_recording_changes_the_metrics_and_no_other_bit(evaluated: Evaluation, run: Path) -> None:
    path = run / "model.safetensors"
    before, header = weights_of(path), read_header(path)
    with safe_open(path, framework="pt") as file:
        names = list(file.keys())
    assert recording.record(replace(evaluated, model=str(run)))[0] == [path.resolve(), run.resolve() / "report.html"]
    assert weights_of(path) == before
    after = read_header(path)
    assert after.metrics == evaluated.values
    assert after.evaluation["protocol"]["seed"] == 0
    name = "digit_kernel_distance"
    assert after.evaluation["metrics"][name]["standard_error"] == evaluated.figures[name].standard_error
    untouched = {"metrics", "evaluation"}
    assert after.model_dump(exclude=untouched) == header.model_dump(exclude=untouched)
    with safe_open(path, framework="pt") as file:
        assert list(file.keys()) == names
    assert str(run.parent) not in json.dumps(after.evaluation)


def test_keys_that_a_later_version_may_write_are_kept(evaluated: Evaluation, run: Path) -> None:
    path = run / "model.safetensors"
    recording.rewrite_header(path, {"from_the_future": [1, 2]})
    recording.record(replace(evaluated, model=str(run)))
    with safe_open(path, framework="pt") as file:
        table = json.loads(file.metadata()["ganvas"])
    assert table["from_the_future"] == [1, 2]
    assert table["metrics"] == evaluated.values


def test_a_failed_write_leaves_the_model_as_it_was(
    monkeypatch: pytest.MonkeyPatch, evaluated: Evaluation, run: Path
) -> None:
    before = (run / "model.safetensors").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(GanvasError, match="No space left"):
        recording.record(replace(evaluated, model=str(run)))
    assert (run / "model.safetensors").read_bytes() == before
    assert not list(run.glob(".*"))


def test_report_shows_what_the_model_file_holds(evaluated: Evaluation, run: Path) -> None:
    recording.record(replace(evaluated, model=str(run)))
    page = (run / "report.html").read_text("utf-8")
    section = page[page.index('<h2 id="evaluation">') :]
    text = re.sub(r"<[^>]+>", " ", section[: section.index("</section>")])
    assert f"{evaluated.values['digit_frechet']:.3f}" in text
    assert f"{evaluated.reference['digit_frechet'].value:.3f}" in text
    assert "60 pictures of seed 0" in text
    assert "embedded digits (test)" in text


def test_report_of_a_run_that_was_not_evaluated_says_nothing_of_it(finished_run: Run) -> None:
    assert 'id="evaluation"' not in (finished_run.folder / "report.html").read_text("utf-8")


def test_card_holds_the_newest_evaluation_once(evaluated: Evaluation, run: Path) -> None:
    card = run / "model.md"
    card.write_text("# mine\n\nMade with care.\n")
    assert card.resolve() in recording.record(replace(evaluated, model=str(run)))[0]
    figure = Figure(0.123)
    recording.record(replace(evaluated, model=str(run), figures={**evaluated.figures, "asked_accuracy": figure}))
    text = card.read_text()
    assert text.startswith("# mine\n\nMade with care.\n\n<!-- evaluation -->\n")
    assert text.count("<!-- evaluation -->") == text.count("| Digit recall") == 1
    assert "0.123" in text


def test_shipped_models_and_numbers_on_training_pictures_are_not_recorded(evaluated: Evaluation, run: Path) -> None:
    shipped = resolve_model("digits-cgan")
    before = shipped.read_bytes(), (run / "model.safetensors").read_bytes()
    written, reason = recording.record(replace(evaluated, model="digits-cgan"))
    assert (written, reason) == ([], "'digits-cgan' is a shipped model: its file is left as it is.")
    training = replace(evaluated.protocol, split="train")
    written, reason = recording.record(replace(evaluated, model=str(run), protocol=training))
    assert not written
    assert "not recorded" in reason
    assert (shipped.read_bytes(), (run / "model.safetensors").read_bytes()) == before


def test_numbers_of_earlier_weights_are_not_recorded_in_a_model_that_trained_on(
    evaluated: Evaluation, run: Path
) -> None:
    recording.rewrite_header(run / "model.safetensors", {"images_seen": 99_999})
    before = (run / "model.safetensors").read_bytes()
    written, reason = recording.record(replace(evaluated, model=str(run)))
    assert not written
    assert "has been trained on since it was measured" in reason
    assert "now 99,999" in reason
    assert (run / "model.safetensors").read_bytes() == before


def test_a_run_that_is_being_trained_is_left_to_its_training(evaluated: Evaluation, run: Path) -> None:
    before = (run / "model.safetensors").read_bytes()
    with only_process(run):
        written, reason = recording.record(replace(evaluated, model=str(run)))
    assert not written
    assert "is being trained" in reason
    assert (run / "model.safetensors").read_bytes() == before
    assert recording.record(replace(evaluated, model=str(run)))[0]


# The command and the function


def test_command_prints_a_table_with_its_protocol_and_writes_a_sheet(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(["evaluate", str(run), "--count", "30", "--seed", "2", "--out", str(tmp_path / "near.png")]) == 0
    printed = capsys.readouterr()
    values = read_header(run / "model.safetensors").metrics
    table = [line for line in printed.out.splitlines() if line.startswith("|")]
    assert len({len(line) for line in table[: 2 + len(values)]}) == 1
    assert f"{values['digit_frechet']:.3f}" in printed.out
    for word in ("30 pictures of seed 2", "embedded digits (test)", "split test", "95% interval", "real pictures"):
        assert word in printed.out
    assert f"wrote {run.resolve() / 'report.html'}" in printed.err
    with Image.open(tmp_path / "near.png") as sheet:
        assert sheet.width > 8 * 2 * 28


def test_command_prints_json_and_nothing_else(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["evaluate", str(run), "--count", "30", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table == read_header(run / "model.safetensors").evaluation
    assert table["protocol"]["pictures"] == 30
    assert len(table["by_class"]["confusion"]) == 10


def test_function_measures_and_records(translator: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(translator, tmp_path / "own"))
    found = ganvas.evaluate(own, count=3)
    assert read_header(own / "model.safetensors").metrics == found.values
    assert (own / "report.html").is_file()
    assert "Sliced Wasserstein" in to_markdown(found)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["digits-cgan", "--split", "val"], "labelled pictures have train and test"),
        (["digits-cgan", "--out", "numbers.txt"], "expected FILE.png"),
        (["digits-cgam"], "Did you mean 'digits-cgan'"),
        (["digits-cgan", "--count", "0"], "count"),
        (["digits-cgan", "--data", "nowhere"], "no data at 'nowhere'"),
        (["digits-cgan", "--data", "nowhere", "--json"], "no data at 'nowhere'"),
        (["digits-cgan", "--fid-weights", "nowhere.pth"], "--fid-weights nowhere.pth: no such file"),
        (["digits-cgan", "--few-pictures"], "need --fid-weights"),
    ],
)
def test_wrong_usage_is_said_in_one_line(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _run(["evaluate", *arguments]) in (1, 2)
    printed = capsys.readouterr()
    assert words in printed.err
    assert printed.err.count("\n") == 1
    assert not printed.out


def test_data_of_other_classes_and_models_without_data_are_refused(
    finished_run: Run, tmp_path: Path, translator: Path
) -> None:
    write_set(tmp_path / "set", train=20, test=4)
    (tmp_path / "set" / "classes.txt").write_text("a\nb\nc\nd\n")
    with pytest.raises(UsageError, match=r"draws 10 classes \(0, 1, 2, 3, 4, ...\), 'set \(train\)' has 4"):
        evaluate(str(finished_run.folder), data=str(tmp_path / "set"))
    alone = tmp_path / "alone.safetensors"
    shutil.copy(translator / "model.safetensors", alone)
    with pytest.raises(UsageError, match=r"no recipe\.toml beside it, which says how its pairs are read"):
        evaluate(str(alone))
    with pytest.raises(UsageError, match=r"--split val: .* has no such pairs"):
        evaluate(str(translator), split="val")


def test_comparison_tells_that_models_were_measured_differently(
    evaluated: Evaluation, run: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(run, tmp_path / "other")
    words = "measured by different protocols"
    assert not any(words in note for note in compare([str(run), str(other)], pictures=1).notes)
    recording.record(replace(evaluated, model=str(run)))
    assert any(words in note for note in compare([str(run), str(other)], pictures=1).notes)
