"""How soon one can draw in the studio after starting a browser on it, and how soon a stroke is answered on the page.

    python benchmarks/studio_page.py --out docs/results/studio-page.json
    python benchmarks/studio_page.py --address http://127.0.0.1:8000/     a page that is served already: an export

Chromium is Debian's, headless, driven by Playwright, with an empty profile each time; the page is the built one, served
by `ganvas studio` with its model loaded, on the same machine. All times end in a frame of the page: a callback before
each of them looks at the pixels of the two canvases, and takes the time after the frame that shows a change.

- first stroke: from the start of Chromium's process to the frame in which a stroke of the mouse has left ink on the
  drawing; strokes are tried from the moment on that there is something to draw on. "opened" is when Chromium could be
  asked to open the page, "result" when the first coloured result stood beside it. The first of all starts, which reads
  files from the disk, is not counted.
- stroke: from the last movement of the pointer in a stroke (when the browser noted it) to the frame in which the result
  of the whole stroke is seen, which is known by what it is when nothing changes any more. Strokes differ, and each is
  begun when the one before has been answered.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import platform
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, Playwright, TimeoutError, sync_playwright

from _contestant import machine, write_json
from _studio import served, threads

# Notes in `noted`: when ink was there first, when the result was seen to change and to what, and the pen's last move.
# performance.timeOrigin + performance.now() is the time of day in milliseconds, which other processes have too.
WATCH = """
window.noted = { ink: null, changes: [], moved: null, value: '', at: 0 };
const look = () => {
  const sheet = document.querySelector('[role=application]'), result = document.querySelector(RESULT);
  if (noted.ink === null && sheet?.width > 1) {
    const { width, height } = sheet;
    const pixels = sheet.getContext('2d').getImageData(width / 2 - 8, height / 2 - 8, 16, 16).data;
    if (pixels.some((value, place) => place % 4 < 3 && value < 128)) seen((time) => (noted.ink = time));
  }
  if (result?.width > 1) {
    const { data } = result.getContext('2d').getImageData(0, 0, result.width, result.height);
    let sum = 0;
    for (const value of new Uint32Array(data.buffer)) sum = (Math.imul(sum, 31) + value) | 0;
    const value = `${result.width} ${sum}`;
    if (value !== noted.value) {
      noted.value = value;
      seen((time) => noted.changes.push([time, value]));
    }
  }
  requestAnimationFrame(look);
};
// A message comes after the frame at hand.
const seen = (note) => {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => note(performance.timeOrigin + performance.now());
  channel.port2.postMessage(null);
};
requestAnimationFrame(look);
const moved = (event) => { if (event.buttons) noted.moved = performance.timeOrigin + event.timeStamp; };
addEventListener('pointermove', moved, { capture: true });
"""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MOVES = 12  # of a stroke
QUIET_MS = 700
PATIENCE_MS = 60_000


def watch(model: str) -> str:
    """The script above, for the result of one model."""
    return WATCH.replace("RESULT", f"""'canvas[role=img][aria-label$=": {model}"]'""")


@contextlib.contextmanager
def opened(playwright: Playwright, asked: argparse.Namespace, address: str) -> Iterator[tuple[Page, float, float]]:
    """A browser on the page: when its process was started and when it could be asked, in ms of the time of day."""
    began = time.time() * 1000
    # Chromium does not sandbox for root.
    browser: Browser = playwright.chromium.launch(
        executable_path=CHROMIUM, args=[] if os.getuid() else ["--no-sandbox"]
    )
    try:
        context = browser.new_context(viewport={"width": 1280, "height": 860}, locale="en-GB")
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.add_init_script(watch(asked.model))
        ready = time.time() * 1000
        page.goto(f"{address}#/sketch", wait_until="commit")
        yield page, began, ready
    finally:
        browser.close()


def box(page: Page) -> tuple[float, float, float]:
    """Left, top and side of the drawing in pixels of the window."""
    found = page.get_by_role("application").bounding_box()
    assert found is not None
    return found["x"], found["y"], found["width"]


def stroke(page: Page, *places: tuple[float, float]) -> None:
    """Draw through ``places``, given as shares of the drawing's side."""
    x, y, side = box(page)
    points = [(x + across * side, y + down * side) for across, down in places]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point)
    page.mouse.up()


def start(playwright: Playwright, asked: argparse.Namespace, address: str) -> dict[str, float]:
    """One start: seconds until Chromium could be asked, until there was ink, and until there was a result."""
    with opened(playwright, asked, address) as (page, began, ready):
        page.get_by_role("application").wait_for()
        while page.evaluate("noted.ink") is None:
            stroke(page, (0.4, 0.5), (0.5, 0.5), (0.6, 0.5))
            if time.time() * 1000 - began > PATIENCE_MS:
                sys.exit("studio_page: strokes left no ink on the drawing")
        noted = settled(page)
        times = {"opened": ready, "ink": noted["ink"], "result": noted["changes"][0][0]}
        return {name: round((value - began) / 1000, 3) for name, value in times.items()}


def strokes(playwright: Playwright, asked: argparse.Namespace, address: str) -> dict[str, Any]:
    """Draw strokes on one page, and return how long each was without its result."""
    random = np.random.default_rng(0)
    found, unchanged = [], 0
    with opened(playwright, asked, address) as (page, _, _):
        page.get_by_role("application").wait_for()
        warm_up = 3
        for number in range(asked.strokes + warm_up):
            if number % 20 == 0 and number:
                page.get_by_role("button", name="Clear", exact=True).click()
                page.wait_for_timeout(QUIET_MS)
            before = page.evaluate("noted.changes = [], noted.value")
            middle, angle = random.uniform(0.3, 0.7, 2), random.uniform(0, math.tau)
            turns = [angle + 2 * step / MOVES for step in range(MOVES + 1)]
            stroke(page, *((middle[0] + 0.2 * math.cos(turn), middle[1] + 0.2 * math.sin(turn)) for turn in turns))
            noted = settled(page)
            if number < warm_up:
                continue
            if noted["value"] == before:
                unchanged += 1
                continue
            answered = next(time for time, value in noted["changes"] if value == noted["value"])
            found.append(answered - noted["moved"])
    median, p99, largest = np.quantile(np.array(found), [0.5, 0.99, 1.0]).round(1).tolist()
    return {
        "strokes": len(found),
        "without_a_change": unchanged,
        "median_ms": median,
        "p99_ms": p99,
        "largest_ms": largest,
        "ms": [round(value, 1) for value in found],
    }


def settled(page: Page) -> dict[str, Any]:
    """What was noted once the result was seen to change, and then did not for a while."""
    end = time.monotonic() + PATIENCE_MS / 1000
    known, since = -1, time.monotonic()
    while time.monotonic() < end:
        page.wait_for_timeout(50)
        noted: dict[str, Any] = page.evaluate("noted")
        if len(noted["changes"]) != known:
            known, since = len(noted["changes"]), time.monotonic()
        elif known > 0 and (time.monotonic() - since) * 1000 > QUIET_MS:
            return noted
    sys.exit("studio_page: a stroke was not answered; does the page draw with another model?")


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and range."""
    return {"median": round(float(np.median(values)), 3), "least": min(values), "most": max(values)}


def printed(result: dict[str, Any]) -> str:
    """The table, and what it was measured on."""
    lines = ["| | median | range |", "|---|---:|---:|"]
    meanings = {"opened": "Chromium can be asked", "ink": "first stroke leaves ink", "result": "its result is seen"}
    for name, meaning in meanings.items():
        row = result["starts"][name]
        lines.append(
            f"| {meaning}, s after the start | {row['median']:.2f} | {row['least']:.2f} to {row['most']:.2f} |"
        )
    row = result["stroke"]
    times = f"{row['median_ms']:.0f} | 99%: {row['p99_ms']:.0f}, largest {row['largest_ms']:.0f}"
    lines.append(f"| a stroke is answered, ms | {times} |")
    on = result["machine"]
    count = f"{len(result['starts_seconds'])} starts, {row['strokes']} strokes"
    if row["without_a_change"]:
        count += f", {row['without_a_change']} more changed nothing"
    return "\n".join([*lines, "", f"{on['processor']}, {on['cores']} cores; {result['chromium']}; {count}."])


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the options, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=7, help="of Chromium that are measured")
    parser.add_argument("--strokes", type=int, default=60, help="that are measured")
    parser.add_argument("--model", default="sketch2color", help="the one that the page draws with")
    parser.add_argument("--address", help="of a page that is served already; default: a studio is started")
    parser.add_argument("--out", type=Path, help="also write the figures as JSON")
    asked = parser.parse_args(arguments)
    if CHROMIUM is None:
        sys.exit("studio_page: Chromium was not found on the PATH")

    with contextlib.ExitStack() as stack:
        address = asked.address or stack.enter_context(served(asked.model, 128, page=True)).address
        playwright = stack.enter_context(sync_playwright())
        try:
            starts = [start(playwright, asked, address) for _ in range(asked.starts + 1)][1:]
            answered = strokes(playwright, asked, address)
        except TimeoutError as error:
            sys.exit(f"studio_page: {str(error).splitlines()[0]}")
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=[] if os.getuid() else ["--no-sandbox"])
        version = f"Chromium {chromium.version}"
        chromium.close()
    result = {
        "command": shlex.join(["python", *sys.argv]),
        "machine": machine(),
        "chromium": version,
        "versions": {"python": platform.python_version()},
        "environment": threads(),
        "model": asked.model,
        "served_by": asked.address or "ganvas studio",
        "starts": {name: spread([one[name] for one in starts]) for name in starts[0]},
        "starts_seconds": starts,
        "stroke": answered,
    }
    print(printed(result))
    write_json(asked.out, result)


if __name__ == "__main__":
    main()
