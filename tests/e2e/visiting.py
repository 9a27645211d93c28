"""Visits to the page in a real browser, whatever serves it and whatever draws."""

from __future__ import annotations

import base64
import contextlib
import io
import math
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

# Here for every module of tests that imports this one.
pytest.importorskip("playwright", reason="needs `pip install playwright`; no browser is downloaded")
pytest.importorskip("fastapi", reason="needs the extra 'studio'")
pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
from playwright.sync_api import BrowserContext, Locator, Page, Request

on_studio = pytest.mark.parametrize("address", ["studio"], indirect=True)
exported = pytest.mark.parametrize("address", ["exported"], indirect=True)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 60.0  # seconds, for machines with other things to do
# Playwright is told nothing of pictures in forms, nor of messages to a worker: the page itself keeps what it asks for.
KEEP_ASKED = """
window.asked = [];
const kept = (picture, hints) => { const one = { picture, hints, open: true }; asked.push(one); return one; };
const fetched = window.fetch;
window.fetch = (where, how) => {
  if (!(how?.body instanceof FormData) || !String(where).endsWith("/translate")) return fetched(where, how);
  const one = kept(how.body.get("picture"), how.body.get("hints"));
  return fetched(where, how).finally(() => (one.open = false));
};
const post = Worker.prototype.postMessage;
Worker.prototype.postMessage = function (message, ...rest) {
  if (message?.kind === "translate") {
    const one = kept(message.asked.picture, message.asked.hints);
    this.addEventListener("message", ({ data }) => { if (data.id === message.id) one.open = false; });
  }
  return post.call(this, message, ...rest);
};
"""
# What is wrong with how the element that has the focus shows it: its own ring or that of what it lies in.
RING = """() => {
  const at = document.activeElement;
  if (at === document.body) return ""; // after the last stop, before the first
  const ring = [at, at.parentElement].find((one) => one && getComputedStyle(one).outlineStyle !== "none");
  if (!ring) return `no ring: ${at.outerHTML.slice(0, 200)}`;
  const { outlineOffset, outlineWidth } = getComputedStyle(ring);
  const reach = parseFloat(outlineOffset) + parseFloat(outlineWidth);
  const box = ring.getBoundingClientRect();
  for (let around = ring.parentElement; around !== document.body; around = around.parentElement) {
    if (getComputedStyle(around).overflow === "visible") continue;
    const edge = around.getBoundingClientRect();
    const over = [edge.left - box.left, edge.top - box.top, box.right - edge.right, box.bottom - edge.bottom];
    if (Math.max(...over) + reach > 0) return `its ring is cut off: ${at.outerHTML.slice(0, 200)}`;
  }
  return "";
}"""


@contextlib.contextmanager
def served(*command: str) -> Iterator[str]:
    """The address that a server in a process of its own says it is at."""
    with subprocess.Popen(
        [sys.executable, "-u", "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+?/", process.stdout.readline())
            assert found is not None
            yield found[0]
        finally:
            process.terminate()


def studio(runs: Path) -> contextlib.AbstractContextManager[str]:
    """``ganvas studio``."""
    return served("ganvas", "studio", "--runs", str(runs), "--port", "0", "--no-browser", "--precision", "fp32")


def any_host(folder: Path) -> contextlib.AbstractContextManager[str]:
    """Python's own server of files, which knows nothing of ganvas."""
    return served("http.server", "0", "--bind", "127.0.0.1", "--directory", str(folder))


class Visit:
    """An open page, and all that it asked for and complained of."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.address = address
        self.requests: list[Request] = []
        self.complaints: list[str] = []
        context.set_default_timeout(PATIENCE * 1000)
        # The network is cut but for the one address; what was asked for all the same is told in `strangers`.
        context.route(lambda url: not url.startswith(address), lambda route: route.abort())
        context.on("request", lambda request: self.requests.append(request))
        self.page: Page = context.new_page()
        self.page.add_init_script(KEEP_ASKED)
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    @property
    def strangers(self) -> list[str]:
        """Addresses elsewhere that were asked for."""
        own = (self.address, "blob:", "data:")
        return [request.url for request in self.requests if not request.url.startswith(own)]

    def go(self, view: str) -> None:
        self.page.goto(f"{self.address}#/{view}")
        self.page.get_by_role("heading", level=1).wait_for()

    @property
    def sheet(self) -> Locator:
        """What one draws on."""
        return self.page.get_by_role("application", name="Your drawing")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def choose(self, model: str) -> None:
        """A model by its title."""
        models = self.page.get_by_label("Model")
        models.select_option(models.get_by_role("option").filter(has_text=model).first.get_attribute("value"))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def tab_to(self, place: Locator) -> None:
        """Goes there as one goes without a mouse, and sees at every step where one is."""
        for _ in range(200):
            self.press("Tab")
            assert self.page.evaluate(RING) == ""
            if self.has_keyboard(place):
                return
        raise AssertionError("the keyboard does not lead there")

    def has_keyboard(self, place: Locator) -> bool:
        return bool(place.evaluate("place => place === document.activeElement"))

    @property
    def lost(self) -> bool:
        """Whether the keyboard is nowhere."""
        return bool(self.page.evaluate("document.activeElement === document.body"))

    def at(self, x: float, y: float) -> tuple[float, float]:
        """A place on the drawing, in pixels of the window."""
        box = self.sheet.bounding_box()
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

    def result(self, number: int = 0) -> npt.NDArray[np.uint8]:
        """(H, W, 3) of a result as it is shown."""
        return pixels(self.page.get_by_label("Result").nth(number))

    def drawing(self) -> npt.NDArray[np.uint8]:
        """(H, W, 3) of the drawing as it is shown."""
        return pixels(self.sheet)

    def settled(self, number: int = 0) -> npt.NDArray[np.uint8]:
        """The result once everything is answered and it no longer changes."""
        before = self.result(number)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.page.wait_for_timeout(250)
            busy = self.page.get_by_label("Result").nth(number).get_attribute("aria-busy") == "true"
            now, waiting = self.result(number), busy or self.page.evaluate("asked.some(({ open }) => open)")
            if now.size > 3 and not waiting and np.array_equal(now, before):
                return now
            before = now
        raise AssertionError("no result came to rest")

    def part(self, name: str, before: int = 0) -> Image.Image | None:
        """A picture of the last request for a translation, or of one before it; None when it had no such part."""
        values = self.page.evaluate(
            """async ([name, at]) => {
              const part = asked.at(at)[name];
              return part && [...new Uint8Array(await part.arrayBuffer())];
            }""",
            [name, -1 - before],
        )
        return None if values is None else Image.open(io.BytesIO(bytes(values)))

    def drawing_of(self, side: int) -> Image.Image:
        """The drawing as it was asked for last of a model of this size: each of several is asked in its own time."""
        for before in range(self.page.evaluate("asked.length")):
            drawing = self.part("picture", before)
            if drawing is not None and drawing.width == side:
                return drawing
        raise AssertionError(f"no drawing of {side} pixels was asked for")

    def ink(self, *part: slice) -> bool:
        """Whether there are lines in a part of the drawing as it was asked for last."""
        drawing = self.part("picture")
        assert drawing is not None
        return bool(np.asarray(drawing.convert("L"))[part].min() < 128)


def levels_apart(one: npt.NDArray[np.uint8], other: Image.Image) -> int:
    """The largest difference of any value."""
    expected = np.asarray(other.convert("RGB")).astype(int)
    assert one.shape == expected.shape
    return int(np.abs(one.astype(int) - expected).max())


def pixels(shown: Locator) -> npt.NDArray[np.uint8]:
    """(H, W, 3) of a canvas or a picture."""
    address = shown.evaluate(
        """async shown => {
          if (shown instanceof HTMLCanvasElement) return shown.toDataURL();
          // Another may take its place meanwhile.
          for (let address; address !== shown.src; ) {
            address = shown.src;
            await shown.decode().catch(() => undefined);
          }
          const canvas = document.createElement("canvas");
          [canvas.width, canvas.height] = [shown.naturalWidth, shown.naturalHeight];
          canvas.getContext("2d").drawImage(shown, 0, 0);
          return canvas.toDataURL();
        }"""
    )
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGB"))


def eventually(true: Callable[[], Any], seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.1)
