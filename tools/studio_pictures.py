"""Take the pictures of the studio in docs/pictures anew, in Chromium.

    python tools/studio_pictures.py RUNS

RUNS is a folder of runs: one that draws streets from label maps for the Label map view, one of sketches beside
`sketch2color` for Compare, and whichever are to be seen in Training. One picture is in Korean: without a font for it
(Debian's fonts-noto-cjk) it shows boxes.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from e2e.visiting import CHROMIUM, Visit, studio  # noqa: E402

BLUE = "#2f6fde"
STILL_MS = 1500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    options = parser.parse_args()
    with sync_playwright() as playwright, studio(options.runs) as address:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[] if os.getuid() else ["--no-sandbox"])
        for name, (view, draw, settings) in PICTURES.items():
            context = browser.new_context(**DESK | settings)
            visit = Visit(context, address)
            visit.go(view)
            draw(visit)
            visit.page.evaluate("scrollTo(0, 0)")
            visit.page.wait_for_timeout(STILL_MS)
            visit.page.screenshot(path=ROOT / f"docs/pictures/studio-{name}.png")
            context.close()
        browser.close()


def sketch(visit: Visit) -> None:
    """A drawn face with dabs of colour."""
    visit.circle(radius=0.34)
    visit.circle(0.38, 0.42, 0.05)
    visit.circle(0.62, 0.42, 0.05)
    visit.stroke((0.34, 0.62), (0.42, 0.7), (0.5, 0.72), (0.58, 0.7), (0.66, 0.62))
    visit.page.keyboard.press("h")
    visit.button(BLUE).click()
    for place in ((0.5, 0.26), (0.28, 0.5), (0.72, 0.5)):
        visit.page.mouse.click(*visit.at(*place))
    visit.settled()


def labels(visit: Visit) -> None:
    """The first example street."""
    visit.settled()


def digits(visit: Visit) -> None:
    """A year."""
    visit.choose("digits-conv")
    visit.page.get_by_label("Type here").fill("2026")


def files(visit: Visit) -> None:
    """The example drawings, translated."""
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted((ROOT / "src/ganvas/studio/examples/drawings").glob("*.png")):
            Image.open(path).save(Path(folder) / path.name.partition("-")[2])
        visit.page.locator("input[type=file]").set_input_files(sorted(Path(folder).glob("*.png")))
        visit.button("Translate").click()
        visit.button("Download ZIP").wait_for()


def training(visit: Visit) -> None:
    """The first run, its curves and samples."""
    visit.page.wait_for_timeout(STILL_MS)


def compare(visit: Visit) -> None:
    """A heart on two models."""
    visit.stroke(
        *((0.5, 0.32), (0.4, 0.2), (0.24, 0.22), (0.18, 0.38), (0.28, 0.58), (0.5, 0.8)),
        *((0.72, 0.58), (0.82, 0.38), (0.76, 0.22), (0.6, 0.2), (0.5, 0.32)),
    )
    visit.settled()


def korean(visit: Visit) -> None:
    """The same, told in Korean."""
    sketch(visit)
    visit.page.get_by_role("button", name="한국어").click()


def new_run(visit: Visit) -> None:
    """The form of a recipe."""
    visit.button("New run").click()


DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 820}, "locale": "en-GB"}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "device_scale_factor": 2}
# Name -> (view, what is done there, how the browser differs from one on a desk).
PICTURES: dict[str, tuple[str, Callable[[Visit], None], dict[str, Any]]] = {
    "sketch": ("sketch", sketch, {}),
    "labels": ("labels", labels, {}),
    "digits": ("digits", digits, {}),
    "files": ("files", files, {}),
    "training": ("training", training, {}),
    "new-run": ("training", new_run, {}),
    "compare": ("compare", compare, {}),
    "dark": ("sketch", korean, {"color_scheme": "dark"}),
    "phone": ("sketch", sketch, PHONE),
}


if __name__ == "__main__":
    main()
