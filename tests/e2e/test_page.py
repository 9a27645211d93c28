"""The page in a real browser (Debian's Chromium, headless, driven by Playwright), with a server behind it and without.

What draws is either `ganvas studio`, or the browser itself in a folder that `ganvas export --to web` wrote and Python's
own server of files serves; the same tests hold for both.
"""

from __future__ import annotations

import io
import os
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image, ImageDraw

import ganvas
from ganvas.config import load_recipe
from ganvas.data.label_maps import CAMVID
from ganvas.data.preparation import Preparation
from ganvas.training.run import TrainingRun
from streets import make_streets
from test_translate import make_model

pytest.importorskip("playwright", reason="needs `pip install playwright`; no browser is downloaded")
pytest.importorskip("fastapi", reason="needs the extra 'studio'")
pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
from playwright.sync_api import Browser, Route, sync_playwright
from visiting import CHROMIUM, PATIENCE, Visit, any_host, eventually, studio

ROOT = Path(__file__).parents[2]
STATIC = Path(ganvas.__file__).parent / "studio" / "static"
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
VIEWS = ("sketch", "labels", "digits", "files", "training", "compare")

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH"),
    pytest.mark.skipif(not (STATIC / "index.html").is_file(), reason="the page is not built: run `make web`"),
]
on_studio = pytest.mark.parametrize("address", ["studio"], indirect=True)
exported = pytest.mark.parametrize("address", ["exported"], indirect=True)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs with a finished one that draws from label maps, and a model of colour pictures."""
    folder = tmp_path_factory.mktemp("runs")
    streets = make_streets(tmp_path_factory.mktemp("streets"))
    settings = (
        "data.size=32",
        f"data.path='{streets}'",
        "generator.width=4",
        "discriminator.receptive_field=16",
        "discriminator.width=4",
        "discriminator.scales=1",
        "train.total_images=32",
        "train.batch_size=8",
        "train.tick_images=8",
        "train.sample_images=16",
        "train.checkpoint_images=16",
        "validation.every_images=16",
        "validation.samples=4",
    )
    TrainingRun(load_recipe("labels2street", settings), folder / "street", device="cpu").finish()
    # Prepared otherwise than the shipped one, in all that the browser has to do as Python does.
    source = Preparation(fit="pad", resize="lanczos", background="#204060")
    make_model(folder / "tiny.safetensors", source=source, hints=True)
    return folder


@pytest.fixture(scope="module", params=["studio", "exported"])
def address(request: pytest.FixtureRequest, runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of the page: with a studio behind it, or in a folder that knows no server."""
    if request.param == "studio":
        with studio(runs) as place:
            yield place
        return
    folder = tmp_path_factory.mktemp("web") / "page"
    ganvas.export(["sketch2color", "digits-conv", runs / "street", runs / "tiny.safetensors"], folder, to="web")
    # Below the root, as on many hosts.
    with any_host(folder.parent) as place:
        yield f"{place}page/"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        sandbox = [] if os.getuid() else ["--no-sandbox"]
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=sandbox)
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """A page of its own, which must not complain; a violation of the content security policy is a complaint."""
    context = browser.new_context(viewport={"width": 1280, "height": 860}, locale="en-GB", accept_downloads=True)
    visit = Visit(context, address)
    yield visit
    context.close()
    assert visit.complaints == []
    assert visit.strangers == []


def levels_apart(one: npt.NDArray[np.uint8], other: Image.Image) -> int:
    """The largest difference of any value."""
    expected = np.asarray(other.convert("RGB")).astype(int)
    assert one.shape == expected.shape
    return int(np.abs(one.astype(int) - expected).max())


# With and without a server


def test_the_result_is_what_ganvas_translate_makes_of_the_same_drawing(visit: Visit) -> None:
    visit.go("sketch")
    visit.circle()
    first = visit.settled()
    drawing = visit.part("picture")
    assert drawing is not None
    assert drawing.size == (128, 128)
    # Two runtimes may round in another order.
    assert levels_apart(first, ganvas.load("sketch2color").translate(drawing)) <= 2
    visit.circle(0.5, 0.5, 0.1)
    assert not np.array_equal(visit.settled(), first)
    visit.button("Undo").click()
    assert np.array_equal(visit.settled(), first)


def test_the_end_of_a_stroke_asks_for_nothing_and_undoing_and_redoing_it_leads_back_to_its_pixels(visit: Visit) -> None:
    visit.go("sketch")
    visit.page.get_by_role("button", name="Mirror").click()
    visit.stroke((0.1, 0.9), (0.3, 0.8))
    visit.page.mouse.move(*visit.at(0.2, 0.2))
    visit.page.mouse.down()
    for place in ((0.6, 0.25), (0.3, 0.6), (0.35, 0.3), (0.8, 0.9)):
        visit.page.mouse.move(*visit.at(*place))
    visit.settled()
    asked, drawn = visit.page.evaluate("asked.length"), visit.part("picture")
    visit.page.mouse.up()
    visit.page.wait_for_timeout(700)
    assert visit.page.evaluate("asked.length") == asked
    visit.button("Undo").click()
    visit.settled()
    visit.button("Redo").click()
    visit.settled()
    assert visit.page.evaluate("asked.length") == asked + 2
    again = visit.part("picture")
    assert drawn is not None
    assert again is not None
    assert np.array_equal(np.asarray(again), np.asarray(drawn))


def test_a_blue_dab_goes_along_and_makes_its_region_blue_until_it_is_removed(visit: Visit) -> None:
    visit.go("sketch")
    visit.circle()
    before = visit.settled()
    assert visit.part("hints") is None
    visit.page.keyboard.press("h")
    visit.button("#2f6fde").click()
    visit.page.mouse.click(*visit.at(0.5, 0.5))
    after = visit.settled()
    drawing, hints = visit.part("picture"), visit.part("hints")
    assert drawing is not None
    assert hints is not None
    assert (hints.mode, hints.size) == ("RGBA", (128, 128))
    pixels = np.asarray(hints)
    assert tuple(pixels[64, 64]) == (0x2F, 0x6F, 0xDE, 255)
    assert set(np.unique(pixels[:, :, 3])) == {0, 255}
    assert levels_apart(after, ganvas.load("sketch2color").translate(drawing, hints=hints)) <= 2
    around = np.s_[56:72, 56:72]
    blueness = [float((shown[around][..., 2].astype(int) - shown[around][..., 0]).mean()) for shown in (before, after)]
    assert blueness[1] > blueness[0] + 40
    visit.page.get_by_role("button", name="Hint #2f6fde").press("Delete")
    assert np.array_equal(visit.settled(), before)


def test_a_painted_map_is_asked_for_in_the_colours_of_its_classes_and_drawn_by_them(visit: Visit, runs: Path) -> None:
    visit.go("labels")
    before = visit.settled()
    visit.button("Road").click()
    visit.button("Fill a region").click()
    visit.page.mouse.click(*visit.at(0.75, 0.03))
    visit.button("Car").click()
    visit.button("Pen").click()
    visit.stroke((0.1, 0.1), (0.9, 0.2))
    after = visit.settled()
    picture = visit.part("picture")
    assert picture is not None
    assert picture.size == (32, 32)
    colours = {tuple(colour) for colour in np.asarray(picture).reshape(-1, 3)}
    assert (64, 0, 128) in colours
    assert colours <= {colour for _, colour in CAMVID}
    assert not np.array_equal(before, after)
    assert levels_apart(after, ganvas.load(runs / "street").translate(picture)) <= 2
    # What is seen is what is asked for, which takes every 16th pixel of it.
    assert np.array_equal(visit.drawing()[8::16, 8::16], np.asarray(picture))


def test_digits_that_are_typed_appear_and_can_be_read(visit: Visit) -> None:
    from ganvas.metrics.digit_classifier import load_digit_classifier

    visit.go("digits")
    visit.choose("digits-conv")
    visit.page.get_by_label("Type here").fill("")
    for key in "2026":
        visit.button(key).click()
    row = visit.page.get_by_role("list", name=re.compile("Drawn")).get_by_role("img")
    eventually(lambda: [one.get_attribute("alt") for one in row.all()] == list("2026"))
    shown = [
        one.evaluate(
            """async i => { await i.decode(); const c = document.createElement('canvas'); c.width = c.height = 28;
            const t = c.getContext('2d'); t.drawImage(i, 0, 0); return [...t.getImageData(0, 0, 28, 28).data] }"""
        )
        for one in row.all()
    ]
    digits = torch.tensor(shown, dtype=torch.float32).reshape(4, 28, 28, 4)[..., 0]
    logits, _ = load_digit_classifier().logits_and_features(digits[:, None] / 127.5 - 1)
    assert logits.argmax(1).tolist() == [2, 0, 2, 6]
    assert not torch.equal(digits[0], digits[2]), "each is drawn from noise of its own"
    visit.button("Another").click()
    eventually(lambda: "Seed 2" in (visit.page.text_content("main") or ""))


def test_many_files_come_back_as_one_archive_and_a_broken_one_is_named(
    visit: Visit, tmp_path: Path, runs: Path
) -> None:
    for number in range(20):
        drawing = Image.new("RGBA", (40, 30 + number), (250, 240, 30, 0))
        ImageDraw.Draw(drawing).ellipse((5, 5, 30, 25), (200, 10 * number, 40, 255), (0, 0, 0, 255), 2)
        drawing.save(tmp_path / f"drawing-{number}.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    visit.go("files")
    visit.choose("tiny")
    visit.page.locator("input[type=file]").set_input_files(sorted(tmp_path.glob("*.png")))
    visit.button("Translate").click()
    with visit.page.expect_download() as download:
        visit.button("Download ZIP").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        results = {name: Image.open(io.BytesIO(archive.read(name))) for name in archive.namelist()}
        assert archive.testzip() is None
    assert sorted(results) == sorted(f"drawing-{number}.png" for number in range(20))
    model = ganvas.load(runs / "tiny.safetensors")
    for number in (0, 7, 19):
        name = f"drawing-{number}.png"
        assert levels_apart(np.asarray(results[name]), model.translate(tmp_path / name)) <= 2
    assert "broken.png" in (visit.page.text_content("main") or "")


def test_two_models_draw_side_by_side_from_one_drawing(visit: Visit, runs: Path) -> None:
    visit.go("compare")
    visit.circle()
    shown = [visit.settled(number) for number in (0, 1)]
    assert [one.shape for one in shown] == [(128, 128, 3), (32, 32, 3)]
    drawing = visit.drawing_of(32)
    assert levels_apart(shown[1], ganvas.load(runs / "tiny.safetensors").translate(drawing)) <= 2
    visit.button("tiny").click()
    eventually(lambda: visit.page.get_by_role("img", name="Result").count() == 1)


def test_one_can_draw_with_the_keyboard_alone(visit: Visit) -> None:
    visit.go("sketch")
    sheet = visit.page.get_by_role("application")
    sheet.focus()
    for key in (" ", *["Shift+ArrowRight"] * 4, *["Shift+ArrowDown"] * 3, " "):
        visit.page.keyboard.press(key)
    visit.settled()
    assert visit.ink(np.s_[66:90], np.s_[64:100])
    visit.page.keyboard.press("Control+z")
    eventually(lambda: visit.button("Clear").is_disabled())


# Without a server


@exported
def test_an_exported_page_shows_what_it_can_do_and_asks_for_nothing_but_its_files(visit: Visit) -> None:
    visit.go("training")
    views = visit.page.get_by_role("navigation").get_by_role("link")
    eventually(lambda: views.all_inner_texts() == ["Sketch", "Label map", "Digits", "Files", "Compare"])
    assert views.first.get_attribute("aria-current") == "page"
    visit.button("Example 1").click()
    visit.settled()
    assert {request.method for request in visit.requests} == {"GET"}
    assert not [request.url for request in visit.requests if "/api/" in request.url]
    # With no threads and no GPU: one script, one loader, one packed WebAssembly.
    runtime = [request.url.rpartition("/")[2] for request in visit.requests if "/runtime/" in request.url]
    plain = "ort-wasm-simd-threaded"
    assert sorted(runtime) == [f"{plain}.mjs", f"{plain}.wasm.gz", "ort.wasm.min.mjs"]


@exported
def test_a_model_that_does_not_come_is_told_of_and_asked_for_again(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 860}, locale="en-GB")
    visit = Visit(context, address)
    context.route("**/*.onnx", lambda route: route.abort())
    visit.go("sketch")
    visit.button("Example 1").click()
    visit.page.get_by_text("A part of this page did not come").wait_for()
    context.unroute("**/*.onnx")
    visit.button("Example 2").click()
    visit.settled()
    context.close()


# With the studio behind it


@on_studio
def test_a_mouse_that_hovers_draws_nothing_into_a_stroke_of_the_keyboard(visit: Visit) -> None:
    visit.go("sketch")
    visit.page.get_by_role("application").focus()
    for key in (" ", *["Shift+ArrowRight"] * 4):
        visit.page.keyboard.press(key)
    visit.page.mouse.move(*visit.at(0.1, 0.1))
    visit.page.mouse.move(*visit.at(0.1, 0.9))
    visit.page.keyboard.press(" ")
    visit.settled()
    assert visit.ink(np.s_[:], np.s_[64:])
    assert not visit.ink(np.s_[:], np.s_[:48])


@on_studio
def test_a_second_finger_draws_nothing_into_the_stroke_of_the_first(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 800, "height": 1000}, locale="en-GB", has_touch=True)
    visit = Visit(context, address)
    visit.go("sketch")
    touch = context.new_cdp_session(visit.page)

    def fingers(kind: str, *places: tuple[float, float]) -> None:
        spots = [visit.at(*place) for place in places]
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(spots)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", (0.7, 0.2))
    fingers("touchStart", (0.7, 0.2), (0.2, 0.2))
    fingers("touchMove", (0.7, 0.4), (0.2, 0.6))
    fingers("touchMove", (0.7, 0.8), (0.2, 0.8))
    fingers("touchEnd")
    visit.settled()
    assert visit.ink(np.s_[:], np.s_[64:])
    assert not visit.ink(np.s_[:], np.s_[:64])
    assert visit.complaints == []
    context.close()


@on_studio
def test_a_browser_that_tells_of_moves_with_its_frames_alone_draws_the_same_strokes(visit: Visit) -> None:
    visit.page.add_init_script("if (!delete window.onpointerrawupdate) throw new Error('it stays');")
    visit.go("sketch")
    assert not visit.page.evaluate("'onpointerrawupdate' in window")
    visit.circle()
    visit.settled()
    assert visit.ink(np.s_[:], np.s_[:64])
    assert visit.ink(np.s_[:], np.s_[64:])


@on_studio
def test_leaving_while_a_result_is_on_its_way_is_no_error_and_ends_the_stroke(visit: Visit) -> None:
    visit.go("sketch")
    visit.stroke((0.2, 0.2), (0.8, 0.2))
    visit.settled()

    def slowly(route: Route) -> None:
        time.sleep(0.7)
        route.continue_()

    visit.page.route("**/translate", slowly)
    visit.page.mouse.down()
    visit.page.mouse.move(*visit.at(0.8, 0.5))
    visit.page.evaluate("location.hash = '#/files'")
    visit.page.get_by_role("heading", name="Translate many pictures").wait_for()
    visit.page.mouse.up()
    visit.page.wait_for_timeout(2500)
    assert visit.page.locator(".message").count() == 0
    visit.page.unroute_all(behavior="wait")
    visit.page.evaluate("location.hash = '#/sketch'")
    visit.page.get_by_role("application").wait_for()
    visit.page.mouse.move(*visit.at(0.2, 0.8))
    visit.page.mouse.move(*visit.at(0.8, 0.9))
    visit.settled()
    assert not visit.ink(np.s_[80:], np.s_[:])


@on_studio
def test_a_run_is_started_from_the_form_watched_stopped_and_resumed_to_its_end(visit: Visit) -> None:
    visit.go("training")
    visit.button("New run").click()
    visit.page.get_by_role("radio", name="digits-gan", exact=True).check(force=True)
    visit.page.get_by_label("Name of the run").fill("watched")
    epochs = visit.page.get_by_label("Epochs")
    epochs.fill("many")
    epochs.blur()
    eventually(lambda: visit.button("Start training").is_disabled())
    epochs.fill("1")
    epochs.blur()
    visit.page.get_by_text("All settings").click()
    ticks = visit.page.get_by_label("tick images")
    ticks.fill("500")
    ticks.blur()
    visit.button("Start training").click()
    visit.page.get_by_role("img", name="Losses").wait_for()
    started = next(one for one in visit.requests if one.method == "POST" and one.url.endswith("/runs"))
    posted: Any = started.post_data_json
    assert posted["settings"] == {"train.epochs": 1, "train.tick_images": 500}
    visit.button("Stop").click()
    visit.button("Resume").wait_for()
    run = visit.page.get_by_role("article")
    assert "digits-gan · stopped" in run.inner_text()
    stopped = int(run.get_by_role("progressbar").get_attribute("value") or 0)
    visit.button("Resume").click()
    # Two starts of Python, most of an epoch of 9,000 digits, and a report.
    run.get_by_text("digits-gan · complete").wait_for(timeout=3000 * PATIENCE)
    far = run.get_by_role("progressbar")
    assert 0 < stopped < int(far.get_attribute("value") or 0) == int(far.get_attribute("max") or 0)
    assert visit.button("Resume").count() == 0
    # One stream from the start to the stop, one from there to the end, and few more where the list was older.
    assert len([one for one in visit.requests if "/events?" in one.url]) <= 4


@on_studio
@pytest.mark.skipif(not AXE.is_file(), reason="axe is not there: run `npm ci` in web/")
@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_and_nothing_sticks_out_on_a_phone(visit: Visit, view: str, colours: Any) -> None:
    visit.page.emulate_media(color_scheme=colours, reduced_motion="reduce")
    visit.go(view)
    if colours == "dark":
        visit.button("KO: 한국어로 보기").click()
    visit.page.wait_for_timeout(800)
    visit.page.evaluate(AXE.read_text("utf-8"))
    for width in (1280, 360):
        visit.page.set_viewport_size({"width": width, "height": 760})
        found = visit.page.evaluate("axe.run()")
        assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found["violations"]] == []
        assert visit.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
