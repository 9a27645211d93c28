"""The studio's page in a real browser, against the real server: Debian's Chromium, headless, driven by Playwright."""

from __future__ import annotations

import io
import math
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

import ganvas
from ganvas.config import load_recipe
from ganvas.training.run import TrainingRun
from streets import make_streets

pytest.importorskip("playwright", reason="needs `pip install playwright`; no browser is downloaded")
pytest.importorskip("fastapi", reason="needs the extra 'studio'")
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, Route, sync_playwright

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
STATIC = Path(ganvas.__file__).parent / "studio" / "static"
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
VIEWS = ("sketch", "labels", "digits", "files", "training", "compare")
# Chromium tells Playwright nothing of forms that hold pictures, so the page itself keeps those that it sends.
KEEP_FORMS = """
window.sent = []; const real = window.fetch;
window.fetch = (where, how) => { if (how?.body instanceof FormData) sent.push(how.body); return real(where, how); };
"""
PATIENCE = 60.0  # seconds, for machines with other things to do

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH"),
    pytest.mark.skipif(not (STATIC / "index.html").is_file(), reason="the page is not built: run `make web`"),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs with a finished one that draws from label maps."""
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
    return folder


@pytest.fixture(scope="module")
def address(runs: Path) -> Iterator[str]:
    """Of a studio in a process of its own."""
    command = [sys.executable, "-m", "ganvas", "studio", "--runs", str(runs), "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+?/", process.stdout.readline())
        assert found is not None
        yield found[0]
        process.terminate()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        sandbox = [] if os.getuid() else ["--no-sandbox"]
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=sandbox)
        yield started
        started.close()


class Visit:
    """An open page, and all that it asked for and complained of."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.address = address
        self.requests: list[Request] = []
        self.complaints: list[str] = []
        context.set_default_timeout(PATIENCE * 1000)
        self.page: Page = context.new_page()
        self.page.add_init_script(KEEP_FORMS)
        self.page.on("request", lambda request: self.requests.append(request))
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def go(self, view: str) -> None:
        self.page.goto(f"{self.address}#/{view}")
        self.page.get_by_role("heading", level=1).wait_for()

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """A place on the drawing, in pixels of the window."""
        box = self.page.get_by_role("application").bounding_box()
        assert box is not None
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def stroke(self, *places: tuple[float, float]) -> None:
        self.page.mouse.move(*self.at(*places[0]))
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*self.at(*place))
        self.page.mouse.up()

    def circle(self, x: float = 0.5, y: float = 0.5, radius: float = 0.3) -> None:
        angles = [math.tau * step / 24 for step in range(25)]
        self.stroke(*((x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles))

    def result(self) -> npt.NDArray[np.uint8]:
        """(H, W, 3) of the result as it is shown."""
        size, values = self.page.get_by_role("img", name="Result").first.evaluate(
            "c => [[c.height, c.width], [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]]"
        )
        return np.array(values, dtype=np.uint8).reshape(*size, 4)[:, :, :3]

    def settled(self) -> npt.NDArray[np.uint8]:
        """The result once the server has answered everything and it no longer changes."""
        before = self.result()
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.page.wait_for_timeout(400)
            now, waiting = self.result(), [request for request in self.sent() if request.response() is None]
            if now.size > 3 and not waiting and np.array_equal(now, before):
                return now
            before = now
        raise AssertionError("no result came to rest")

    def sent(self) -> list[Request]:
        return [request for request in self.requests if request.url.endswith("/translate")]

    def part(self, name: str) -> Image.Image | None:
        """A picture of the last request for a translation; None when it had no such part."""
        values = self.page.evaluate(
            "async name => { const f = sent.at(-1).get(name); return f && [...new Uint8Array(await f.arrayBuffer())] }",
            name,
        )
        return None if values is None else Image.open(io.BytesIO(bytes(values)))


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """A page of its own, which must not complain; a violation of the content security policy is a complaint."""
    context = browser.new_context(viewport={"width": 1280, "height": 860}, locale="en-GB", accept_downloads=True)
    visit = Visit(context, address)
    yield visit
    context.close()
    assert visit.complaints == []
    strangers = [request.url for request in visit.requests if not request.url.startswith((address, "blob:", "data:"))]
    assert strangers == []


def eventually(true: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.1)


def test_the_result_is_what_ganvas_translate_makes_of_the_same_drawing(visit: Visit) -> None:
    visit.go("sketch")
    visit.circle()
    first = visit.settled()
    drawing = visit.part("picture")
    assert drawing is not None
    assert drawing.size == (128, 128)
    expected = np.asarray(ganvas.load("sketch2color").translate(drawing)).astype(int)
    assert np.abs(first.astype(int) - expected).max() <= 2  # two processes may round in another order
    visit.circle(0.5, 0.5, 0.1)
    assert not np.array_equal(visit.settled(), first)
    visit.button("Undo").click()
    assert np.array_equal(visit.settled(), first)


def test_a_blue_dab_goes_along_and_makes_its_region_blue_until_it_is_removed(visit: Visit) -> None:
    visit.go("sketch")
    visit.circle()
    before = visit.settled()
    assert visit.part("hints") is None
    visit.page.keyboard.press("h")
    visit.button("#2f6fde").click()
    visit.page.mouse.click(*visit.at(0.5, 0.5))
    after = visit.settled()
    hints = visit.part("hints")
    assert hints is not None
    assert (hints.mode, hints.size) == ("RGBA", (128, 128))
    pixels = np.asarray(hints)
    assert tuple(pixels[64, 64]) == (0x2F, 0x6F, 0xDE, 255)
    assert set(np.unique(pixels[:, :, 3])) == {0, 255}
    around = np.s_[56:72, 56:72]
    blueness = [float((shown[around][..., 2].astype(int) - shown[around][..., 0]).mean()) for shown in (before, after)]
    assert blueness[1] > blueness[0] + 40
    visit.page.get_by_role("button", name="Hint #2f6fde").press("Delete")
    assert np.array_equal(visit.settled(), before)


def test_one_can_draw_with_the_keyboard_alone(visit: Visit) -> None:
    visit.go("sketch")
    sheet = visit.page.get_by_role("application")
    sheet.focus()
    for key in (" ", *["Shift+ArrowRight"] * 4, *["Shift+ArrowDown"] * 3, " "):
        visit.page.keyboard.press(key)
    visit.settled()
    drawing = visit.part("picture")
    assert drawing is not None
    assert np.asarray(drawing.convert("L"))[66:90, 64:100].min() < 80
    visit.page.keyboard.press("Control+z")
    eventually(lambda: visit.button("Clear").is_disabled())


def ink(visit: Visit, *part: slice) -> bool:
    """Whether there are lines in a part of the drawing as it was sent last."""
    drawing = visit.part("picture")
    assert drawing is not None
    return bool(np.asarray(drawing.convert("L"))[part].min() < 128)


def test_a_mouse_that_hovers_draws_nothing_into_a_stroke_of_the_keyboard(visit: Visit) -> None:
    visit.go("sketch")
    visit.page.get_by_role("application").focus()
    for key in (" ", *["Shift+ArrowRight"] * 4):
        visit.page.keyboard.press(key)
    visit.page.mouse.move(*visit.at(0.1, 0.1))
    visit.page.mouse.move(*visit.at(0.1, 0.9))
    visit.page.keyboard.press(" ")
    visit.settled()
    assert ink(visit, np.s_[:], np.s_[64:])
    assert not ink(visit, np.s_[:], np.s_[:48])


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
    assert ink(visit, np.s_[:], np.s_[64:])
    assert not ink(visit, np.s_[:], np.s_[:64])
    assert visit.complaints == []
    context.close()


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
    assert not ink(visit, np.s_[80:], np.s_[:])


def test_a_painted_map_is_sent_in_the_colours_of_its_classes(visit: Visit) -> None:
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
    from ganvas.data.label_maps import CAMVID

    assert colours <= {colour for _, colour in CAMVID}
    assert not np.array_equal(before, after)


def test_digits_that_are_typed_appear_and_can_be_read(visit: Visit) -> None:
    from ganvas.metrics.digit_classifier import load_digit_classifier

    visit.go("digits")
    visit.page.get_by_label("Model").select_option("digits-conv")
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
    visit.button("Another").click()
    eventually(lambda: "Seed 2" in (visit.page.text_content("main") or ""))


def test_many_files_come_back_as_one_archive_and_a_broken_one_is_named(visit: Visit, tmp_path: Path) -> None:
    for number in range(20):
        Image.new("L", (40, 30 + number), 255).save(tmp_path / f"drawing-{number}.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    visit.go("files")
    visit.page.locator("input[type=file]").set_input_files(sorted(tmp_path.glob("*.png")))
    visit.button("Translate").click()
    with visit.page.expect_download() as download:
        visit.button("Download ZIP").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        names = sorted(archive.namelist())
        sizes = {Image.open(io.BytesIO(archive.read(name))).size for name in names}
    assert names == sorted(f"drawing-{number}.png" for number in range(20))
    assert sizes == {(40, 30 + number) for number in range(20)}
    assert "broken.png" in (visit.page.text_content("main") or "")


def test_a_run_is_started_from_the_form_watched_and_stopped(visit: Visit) -> None:
    visit.go("training")
    visit.button("New run").click()
    visit.page.get_by_role("radio", name="digits-gan", exact=True).check(force=True)
    visit.page.get_by_label("Name of the run").fill("watched")
    epochs = visit.page.get_by_label("Epochs")
    epochs.fill("many")
    epochs.blur()
    eventually(lambda: visit.button("Start training").is_disabled())
    epochs.fill("200")
    epochs.blur()
    visit.page.get_by_text("All settings").click()
    ticks = visit.page.get_by_label("tick images")
    ticks.fill("500")
    ticks.blur()
    visit.button("Start training").click()
    visit.page.get_by_role("img", name="Losses").wait_for()
    started = next(one for one in visit.requests if one.method == "POST" and one.url.endswith("/runs"))
    posted: Any = started.post_data_json
    assert posted["settings"] == {"train.epochs": 200, "train.tick_images": 500}
    visit.button("Stop").click()
    visit.button("Resume").wait_for()


@pytest.mark.skipif(not AXE.is_file(), reason="axe is not there: run `npm ci` in web/")
@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_and_nothing_sticks_out_on_a_phone(visit: Visit, view: str, colours: Any) -> None:
    visit.page.emulate_media(color_scheme=colours, reduced_motion="reduce")
    visit.go(view)
    if colours == "dark":
        visit.button("한국어로 보기").click()
    visit.page.wait_for_timeout(800)
    visit.page.evaluate(AXE.read_text("utf-8"))
    for width in (1280, 360):
        visit.page.set_viewport_size({"width": width, "height": 760})
        found = visit.page.evaluate("axe.run()")
        assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found["violations"]] == []
        assert visit.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
