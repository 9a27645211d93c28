"""The report of a run: complete, self-contained, readable by everyone, and unbroken by whatever a run leaves behind."""

from __future__ import annotations

import base64
import io
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ganvas.errors import GanvasError
from ganvas.report import Comparison, side_by_side, write_report
from ganvas.report.sheets import Sheet, animation, evenly, large
from ganvas.report.words import count, duration, number, percent, verdict

VOID = {"meta", "link", "img", "br", "input", "source"}
RECIPE = """name = "digits-cgan"
task = "label"
description = "Two dense networks & a label."
[generator]
kind = "dense-conditional"
latent = 100
[optimiser.generator]
learning_rate = 2e-4
[train]
total_images = 500000
seed = 12345
"""
ENVIRONMENT = {
    "ganvas": "0.1.0",
    "processor": "a processor",
    "cores": 2,
    "data": {"source": "MNIST, LeCun et al.", "licence": "CC BY-SA 3.0", "images": 9000, "classes": 10},
}


def tick(images: int, **changed: object) -> dict[str, object]:
    """A line of stats.jsonl as training writes it."""
    share = images / 500_000
    return {
        "images": images,
        "total_images": 500_000,
        "seconds": 100 * share,
        "images_per_second": 5000.0,
        "losses": {"generator": 0.7 + share, "discriminator": 1.3 - share},
        "accuracy_real": 0.9,
        "accuracy_fake": 0.8,
        "gradient_norms": {"generator": 0.1, "discriminator": 0.3},
        "peak_memory_mb": 512.0,
        "metrics": {"asked_accuracy": 0.1 + 0.876 * share, "digit_frechet": 300.0 - 290 * share},
    } | changed


def bare(images: int) -> dict[str, object]:
    """A line with one curve in it: enough where the curves are not what is tested."""
    return {"images": images, "losses": {"generator": 1.0}}


def sheet(shade: int, size: tuple[int, int] = (60, 60)) -> Image.Image:
    return Image.new("L", size, shade)


def make_run(folder: Path, ticks: list[dict[str, object]], samples: int = 0) -> Path:
    """A run folder; samples are flat sheets that brighten from black to white."""
    (folder / "samples").mkdir(parents=True)
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "environment.json").write_text(json.dumps(ENVIRONMENT))
    (folder / "stats.jsonl").write_text("".join(json.dumps(line) + "\n" for line in ticks))
    for index in range(samples):
        picture = sheet(round(255 * index / max(1, samples - 1)))
        picture.save(folder / "samples" / f"{500_000 * index // max(1, samples - 1):010d}.png")
    return folder


def report(folder: Path) -> str:
    return write_report(folder).read_text(encoding="utf-8")


class Page(HTMLParser):
    """Elements of a page with their attributes, and whether all that was opened was closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.elements if tag in tags]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def last_tick(page: Page) -> str:
    """Images seen at the last tick, as the table of statistics shows them."""
    found = re.search(r"Progress images seen ([\d,]+)", page.text)
    return found.group(1) if found else ""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of a finished run with everything in it."""
    ticks = [tick(images) for images in range(10_000, 500_001, 10_000)]
    folder = make_run(tmp_path_factory.mktemp("runs") / "whole", ticks, samples=50)
    (folder / "model.safetensors").write_bytes(b"")
    sheets = [
        Comparison("The model you just trained", sheet(200), 0.976, "in 2 min"),
        Comparison("The shipped model", sheet(250), 0.991),
    ]
    return write_report(folder, comparison=sheets).read_text(encoding="utf-8")


def test_finished_run_shows_every_part(whole: str) -> None:
    page = Page(whole)
    for expected in (
        "digits-cgan", "Two dense networks & a label.", "97.6% of digits are what was asked for.", "500,000",
        "1 min 40 s", "The model you just trained", "99.1%", "Side by side", "What it draws", "How it learned to draw",
        "Losses", "Discriminator's accuracy", "Digit Fréchet distance", "Gradient norms", "Speed", "guessing (50%)",
        "chance (10%)", "images seen", "Last statistics", "Recipe", "learning_rate", "0.0002", "12345", "a processor",
        "Training data: MNIST, LeCun et al. Licence: CC BY-SA 3.0.", "ganvas sample",
    ):  # fmt: skip
        assert expected in page.text, expected
    assert "No progress" not in page.text
    assert "200,000" in page.text


def test_page_asks_nothing_of_the_network(whole: str) -> None:
    page = Page(whole)
    for tag, attributes in page.elements:
        assert tag not in {"script", "iframe", "object", "embed"}
        for name in ("src", "srcset", "href", "xlink:href", "data", "action", "poster"):
            assert attributes.get(name, "#").startswith(("data:", "#")), (tag, name)
        assert not any(name.startswith("on") for name in attributes)
    assert re.findall(r"url\((?!#)|@import", whole) == []
    assert "default-src 'none'" in whole


def test_page_is_accessible(whole: str) -> None:
    page = Page(whole)
    assert all(image.get("alt") for image in page.all("img"))
    assert len(page.all("table")) == len(page.all("caption"))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(link["href"][1:] in ids for link in page.all("a"))
    drawn = [attributes for attributes in page.all("div") if attributes.get("role") == "img"]
    assert len(drawn) == 6
    assert all("Last values" in attributes["aria-label"] for attributes in drawn)


def test_curves_take_the_page_colours(whole: str) -> None:
    drawn = "".join(re.findall(r"<svg.*?</svg>", whole, flags=re.DOTALL))
    assert "var(--series-1)" in drawn
    assert "var(--quiet)" in drawn
    assert re.findall(r"#[0-9a-f]{6}\b", drawn) == []


def colours(scheme: str) -> dict[str, str]:
    style = (files("ganvas.report") / "report.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", style, flags=re.DOTALL)
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light if scheme == "light" else dark))


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2.2, 1 to 21."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_lines_stand_out_in_both_schemes(scheme: str) -> None:
    found = colours(scheme)
    for text in ("ink", "quiet", "accent"):
        assert contrast(found[text], found["card"]) >= 4.5, text
        assert contrast(found[text], found["page"]) >= 4.5, text
    for tone in ("good", "middling", "bad"):
        assert contrast(found[tone], found[f"{tone}-back"]) >= 4.5, tone
        assert contrast(found["ink"], found[f"{tone}-back"]) >= 4.5, tone
    for index in range(1, 7):
        assert contrast(found[f"series-{index}"], found["card"]) >= 3, index


def test_players_have_the_same_colours_in_every_plot(tmp_path: Path) -> None:
    ticks = [
        bare(10)
        | {"losses": {"discriminator": 1.0, "other": 2.0, "generator": 3.0}, "gradient_norms": {"generator": 1}}
    ]
    text = report(make_run(tmp_path / "run", ticks))
    legend = re.findall(r"--swatch:var\(--series-(\d)\)\">(\w+)", text)
    assert legend == [("1", "generator"), ("2", "discriminator"), ("3", "other"), ("1", "generator")]


def test_motion_stops_for_those_who_ask(whole: str) -> None:
    classes = [image.get("class") for image in Page(whole).all("img")]
    assert classes.count("moving") == classes.count("held") == 1
    reduced = whole[whole.index("@media (prefers-reduced-motion: reduce)") :]
    assert re.match(r"[^{]*\{\s*\.moving, \.pause \{ display: none; \}\s*\.held \{ display: block; \}", reduced)
    assert ".moving-card:has(input:checked) .moving { display: none; }" in whole


def pictures(text: str, **wanted: str) -> list[Image.Image]:
    uris = [image["src"] for image in Page(text).all("img") if wanted.items() <= image.items()]
    return [Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1]))) for uri in uris]


def test_history_runs_from_the_first_to_the_last_sample(whole: str) -> None:
    strip = [image for image in Page(whole).all("img") if image["alt"].startswith("Samples after")]
    assert len(strip) == 12
    assert strip[0]["alt"] == "Samples after 0 images seen"
    assert strip[-1]["alt"] == "Samples after 500,000 images seen"
    (moving,) = pictures(whole, **{"class": "moving"})
    (held,) = pictures(whole, **{"class": "held"})
    assert getattr(moving, "n_frames", 1) == 40
    centre = (moving.width // 2, moving.width // 2)
    first = moving.convert("RGB").getpixel(centre)
    moving.seek(39)
    assert isinstance(first, tuple)
    assert max(first) < 10
    for last in (moving, held):
        pixel = last.convert("RGB").getpixel(centre)
        assert isinstance(pixel, tuple)
        assert min(pixel) > 245


def test_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [tick(1000), tick(2000)], samples=2)
    assert report(folder) == report(folder)


def test_run_without_a_tick_says_so(tmp_path: Path) -> None:
    page = Page(report(make_run(tmp_path / "run", [])))
    assert "No progress has been recorded yet" in page.text
    assert "No samples have been drawn yet." in page.text
    assert "asked for" not in page.text
    assert page.all("svg") == []


def test_one_tick_and_one_sample_are_enough(tmp_path: Path) -> None:
    page = Page(report(make_run(tmp_path / "run", [tick(0)], samples=1)))
    assert len(page.all("svg")) == 6
    assert len(page.all("img")) == 1
    assert "How it learned to draw" not in page.text


@pytest.mark.parametrize(
    "line",
    [
        {"images": 5},
        {"images": 5, "losses": None, "metrics": None, "seconds": None, "total_images": None},
        {"images": 5, "losses": {"generator": None}, "metrics": {"asked_accuracy": None}, "gradient_norms": []},
        {"images": 5, "losses": {"generator": math.nan}, "accuracy_real": math.inf, "seconds": math.nan},
        {"images": 5, "losses": "high", "metrics": 3, "total_images": "many", "images_per_second": True},
    ],
)
def test_missing_and_broken_values_are_left_out(tmp_path: Path, line: dict[str, object]) -> None:
    page = Page(report(make_run(tmp_path / "run", [line])))
    assert last_tick(page) == "5"
    assert "nan" not in page.text.split()
    assert ("Values that are not a number in 1 of 1 ticks" in page.text) == ("accuracy_real" in line)


def test_gap_of_nan_leaves_the_rest_of_a_curve(tmp_path: Path) -> None:
    losses = [1.0, math.nan, 2.0, math.nan, math.nan, 3.0, 4.0, math.inf]
    ticks = [bare(100 * i) | {"losses": {"generator": value}} for i, value in enumerate(losses)]
    page = Page(report(make_run(tmp_path / "run", ticks)))
    assert "Values that are not a number in 4 of 8 ticks" in page.text
    assert "generator 4" in page.text
    assert "generator not a number" in page.text


@pytest.mark.parametrize("rest", ['{"images": 3000, "los', "\x00\x00", "[1, 2]", '{"images": null}'])
def test_line_cut_off_by_a_kill_is_left_out(tmp_path: Path, rest: str) -> None:
    folder = make_run(tmp_path / "run", [bare(1000), bare(2000)])
    with (folder / "stats.jsonl").open("a") as stats:
        stats.write(rest)
    page = Page(report(folder))
    assert "The last line of stats.jsonl was cut off" in page.text
    assert last_tick(page) == "2,000"


def test_damaged_lines_inside_are_counted(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [])
    (folder / "stats.jsonl").write_text(f"{{\n{{{{\n{json.dumps(bare(7000))}\n")
    page = Page(report(folder))
    assert "2 lines of stats.jsonl are damaged" in page.text
    assert last_tick(page) == "7,000"


def test_ticks_repeated_after_a_resume_count_once(tmp_path: Path) -> None:
    ticks = [bare(1000), bare(2000), bare(3000) | {"metrics": {"asked_accuracy": 0.5}}, bare(2000), bare(2500)]
    page = Page(report(make_run(tmp_path / "run", ticks)))
    assert last_tick(page) == "2,500"
    assert "asked for" not in page.text


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("recipe.toml", "recipe.toml is damaged"),
        ("environment.json", "environment.json is damaged"),
        ("samples/0000500000.png", "could not be read are left out: 0000500000.png"),
    ],
)
def test_damaged_file_becomes_a_note(tmp_path: Path, name: str, note: str) -> None:
    folder = make_run(tmp_path / "run", [bare(1000)], samples=5)
    whole_file = (folder / name).read_bytes()
    (folder / name).write_bytes(whole_file[: len(whole_file) // 2])
    assert note in Page(report(folder)).text


@pytest.mark.parametrize("name", ["recipe.toml", "environment.json", "stats.jsonl"])
def test_missing_file_leaves_the_rest(tmp_path: Path, name: str) -> None:
    folder = make_run(tmp_path / "run", [bare(1000)], samples=2)
    (folder / name).unlink()
    assert "How it learned to draw" in Page(report(folder)).text


def test_words_of_users_are_text_not_markup(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\"'&"
    ticks = [tick(1000, losses={evil: 1.0}, gradient_norms={evil: 1.0}, metrics={evil: 0.5, "asked_accuracy": 0.5})]
    folder = make_run(tmp_path / "<script>run", ticks, samples=2)
    quoted = json.dumps(evil)
    (folder / "recipe.toml").write_text(f"name = {quoted}\ndescription = {quoted}\n[{quoted}]\n{quoted} = {quoted}\n")
    (folder / "environment.json").write_text(
        json.dumps({evil: evil, "ganvas": evil, "data": {"licence": evil, "source": evil}})
    )
    (folder / "model.safetensors").write_bytes(b"")
    text = write_report(folder, comparison=[Comparison(evil, sheet(9), 0.5, evil)]).read_text(encoding="utf-8")
    assert "<script" not in text
    page = Page(text)
    assert page.text.count("<script>alert(1)</script>\"'&") >= 10


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("x")])
def test_what_is_no_run_folder_is_refused(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "thing")
    with pytest.raises(GanvasError, match=r"run folder.*thing|thing.*run folder"):
        write_report(tmp_path / "thing")


def test_report_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [])
    (folder / "report.html").mkdir()
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(GanvasError, match=r"cannot write .*report\.html"):
        write_report(folder)
    assert sorted(path.name for path in folder.iterdir()) == before


def noise(size: tuple[int, int], seed: int) -> Image.Image:
    numpy = pytest.importorskip("numpy")
    values = numpy.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=numpy.uint8)
    return Image.fromarray(values)


def test_pictures_keep_to_their_room_even_when_they_are_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.report.sheets.ANIMATION_BYTES", 100_000)
    moving, _ = animation([Sheet(1000 * i, noise((300, 200), i)) for i in range(6)])
    assert len(moving) < 100_000 * 4 / 3 + 100
    assert len(large(noise((900, 700), 0), 200_000)) < 200_000 * 4 / 3 + 100


def test_sheets_of_different_sizes_make_one_animation() -> None:
    moving, _ = animation([Sheet(0, noise((40, 40), 0)), Sheet(10, noise((64, 32), 1))])
    picture = Image.open(io.BytesIO(base64.b64decode(moving.split(",", 1)[1])))
    assert picture.width == 576
    assert picture.height > 288


@given(total=st.integers(0, 500), at_most=st.integers(1, 50))
def test_choice_of_sheets_is_even_with_both_ends(total: int, at_most: int) -> None:
    chosen = evenly(total, at_most)
    assert len(chosen) == len(set(chosen)) == min(total, at_most)
    assert chosen == sorted(chosen)
    if chosen and at_most > 1:
        assert (chosen[0], chosen[-1]) == (0, total - 1)
        steps = [after - before for before, after in pairwise(chosen)]
        assert max(steps, default=0) - min(steps, default=0) <= 1


@pytest.mark.parametrize(
    ("share", "tone", "sentence"),
    [
        (0.103, "bad", "The asked class is met at chance (10.3%): this model does not follow its label."),
        (0.02, "bad", "The asked class is met at chance (2%): this model does not follow its label."),
        (0.4, "middling", "Only 40% of digits are what was asked for: this model has begun to follow its label."),
        (0.85, "middling", "85% of digits are what was asked for: this model follows its label, but not every time."),
        (0.976, "good", "97.6% of digits are what was asked for."),
        (1.0, "good", "100% of digits are what was asked for."),
    ],
)
def test_verdict_is_in_plain_words(share: float, tone: str, sentence: str) -> None:
    found = verdict(share, classes=10, noun="digits")
    assert (found.tone, found.sentence) == (tone, sentence)


def test_chance_depends_on_the_number_of_classes() -> None:
    assert verdict(0.52, classes=2, noun="pictures").tone == "bad"
    assert verdict(0.52, classes=10, noun="pictures").tone == "middling"


def test_verdict_tells_of_a_better_past(tmp_path: Path) -> None:
    ticks = [
        {"images": 1000 * i, "metrics": found}
        for i, found in enumerate(({"asked_accuracy": 0.97}, {"asked_accuracy": 0.91}, {}), 1)
    ]
    text = Page(report(make_run(tmp_path / "run", ticks))).text
    assert "91% of digits are what was asked for." in text
    assert "It was better before: 97% after 1,000 images." in text


def test_warnings_stand_at_the_top_with_when_they_were_seen(tmp_path: Path) -> None:
    ticks = [
        tick(10_000),
        tick(20_000, warnings={"grey output": "the old <words>."}),
        tick(30_000, warnings={"grey output": "the colours are <grey>. Try this.", "G collapsed": "all alike."}),
        tick(40_000, warnings={"grey output": "the colours are <grey>. Try this."}),
    ]
    text = report(make_run(tmp_path / "run", ticks))
    page = Page(text)
    assert "grey output , since 20,000 images: the colours are <grey>. Try this." in page.text
    assert "G collapsed , after 30,000 images, no more: all alike." in page.text
    assert page.text.index("grey output") < page.text.index("G collapsed") < page.text.index("Discriminator's accuracy")
    assert "the old" not in page.text
    assert "<grey>" not in text
    assert 'aria-label="Warnings"' not in report(make_run(tmp_path / "healthy", [tick(10_000)]))


def test_cost_of_measuring_and_an_early_end_are_told(tmp_path: Path) -> None:
    last = tick(250_000, validation_share=0.034, finished=True, signs={"diversity": 0.87})
    text = report(make_run(tmp_path / "run", [tick(10_000), last]))
    page = Page(text)
    assert "3.4%" in page.text
    assert "of the time went into measuring" in page.text
    assert "Training stopped early" in page.text
    assert "What the monitors look at diversity 0.87" in page.text
    assert "<progress" not in text, "nothing is to come"
    assert "Training stopped early" not in report(make_run(tmp_path / "whole", [tick(500_000, finished=True)]))


def test_numbers_are_written_for_reading() -> None:
    assert count(1234567) == "1,234,567"
    assert [percent(share) for share in (0, 0.1, 0.97974, 0.9999, 1)] == ["0%", "10%", "98.0%", "99.9%", "100%"]
    assert [duration(s) for s in (3.14, 59.97, 125, 3599.9, 3900)] == [
        "3.1 s",
        "1 min 00 s",
        "2 min 05 s",
        "1 h 00 min",
        "1 h 05 min",
    ]
    assert [number(v) for v in (0, 1.23456, 12345.6, 0.00012, math.nan)] == [
        "0",
        "1.235",
        "12,346",
        "1.20e-04",
        "not a number",
    ]


def test_side_by_side_shows_every_sheet_at_one_height() -> None:
    picture = side_by_side(
        [Comparison("one", sheet(255, (30, 30)), 0.9), Comparison("two", noise((60, 60), 0), None, "a note")]
    )
    assert picture.mode == "RGB"
    assert picture.height > 900
    assert picture.width > 1800
    with pytest.raises(ValueError, match="at least one"):
        side_by_side([])


def test_import_of_the_report_leaves_matplotlib_alone() -> None:
    code = "import sys, ganvas.report; sys.exit('matplotlib' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
