"""How long the studio's answers take while 1, 10 and 50 pages draw at once, and whether its memory grows.

    python benchmarks/studio_load.py --seconds 120 --out docs/results/studio-load.json

The studio is a process of its own, as a user starts it. Each page is a pen that moves 60 times a second through
strokes of 0.6 seconds with 0.4 between them, and asks as the page in the browser does: one request at a time, with the
drawing as it is then, and the next as soon as the answer is there and the drawing has changed. After twenty strokes it
takes a new sheet. Measured, after some time of the same drawing that is not:

- answer: from the sending of a request to the last byte of its PNG. Of one that a newer request of the same page
  replaced (409) there is no answer, and it is no error.
- stroke: from the end of a stroke to the answer that holds all of it, so that the waiting for an earlier answer counts.
- errors: any other status, a broken connection, an answer that is no whole PNG of the drawing's size, and a last
  answer that is not what the same drawing gets when nobody else draws.
- memory: of the studio's process (resident set), once a second: its medians over the thirds of the time, and the
  median of the slopes between any two of its values (Theil-Sen), which a single jump does not move.

With --training a run trains beside it, at the priority that the studio gives its own runs.

The pages share the machine with the studio; which part of a core they took is told.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import io
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw

from _contestant import machine, write_json
from _studio import Served, form, served, threads, translated

MOVE_SECONDS, STROKE_SECONDS, PAUSE_SECONDS = 1 / 60, 0.6, 0.4
STROKES_A_SHEET = 20
PNG_END = b"IEND\xaeB`\x82"
TRAINING_STARTS_SECONDS = 20  # generously: it reads its data first
ROUNDING = 2  # of 255; other work at the same time may change the order of sums


@dataclass
class Page:
    """An open page: its drawing, and what became of its requests."""

    number: int
    side: int
    model: str
    port: int
    begins: float  # what was sent before is not measured
    ends: float
    answers: list[float] = field(default_factory=list)  # seconds
    strokes: list[float] = field(default_factory=list)  # seconds
    in_time: int = 0  # answers that came within the measured time
    statuses: Counter[int] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    last: tuple[bytes, bytes] | None = None  # request and answer

    def run(self) -> None:
        """Draw and ask until the time is up and everything drawn is answered."""
        try:
            self._draw()
        except Exception as error:  # a page that ends in silence would look like one without errors
            self.errors.append(repr(error))

    def _draw(self) -> None:
        pen = Pen(np.random.default_rng(self.number), self.side, time.perf_counter())
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        waiting: list[float] = []  # ends of strokes that no answer holds yet
        changed = True
        while True:
            now = time.perf_counter()
            moved, ended = pen.move(min(now, self.ends))
            waiting += ended
            changed = changed or moved
            if not changed:
                if now >= self.ends:
                    break
                time.sleep(MOVE_SECONDS / 2)
                continue
            body = form(pen.paper, f"page-{self.number}")
            begun = time.perf_counter()
            measured = begun >= self.begins
            try:
                status, answer = translated(connection, self.model, body)
            except (OSError, http.client.HTTPException) as error:
                self.errors.append(repr(error))
                connection.close()
                if now >= self.ends:
                    break
                time.sleep(0.1)
                continue
            done = time.perf_counter()
            self.statuses[status] += measured
            changed = status != 200  # then the page asks again
            if status == 200:
                self._check(answer)
                self.last = (body, answer)
                self.in_time += self.begins <= done <= self.ends
                if measured:
                    self.answers.append(done - begun)
                    self.strokes += [done - end for end in waiting if end >= self.begins]
                waiting = []
            elif now >= self.ends:
                break
            elif status != 409:
                time.sleep(1)
        connection.close()

    def _check(self, answer: bytes) -> None:
        if not answer.endswith(PNG_END) or Image.open(io.BytesIO(answer)).size != (self.side, self.side):
            self.errors.append("an answer that is no whole PNG of the drawing's size")


class Pen:
    """A pen that somebody moves over a sheet by a timetable of their own."""

    def __init__(self, random: np.random.Generator, side: int, begins: float) -> None:
        self._random = random
        self._side = side
        self._due = begins + random.uniform(0, STROKE_SECONDS + PAUSE_SECONDS)
        self._moves_left = 0
        self._strokes = 0
        self._at = self._direction = np.zeros(2)
        self.paper = Image.new("L", (side, side), 255)

    def move(self, now: float) -> tuple[bool, list[float]]:
        """Draw what is due by ``now``: whether there was anything, and when strokes ended."""
        moved, ended = False, []
        while self._due <= now:
            if self._moves_left == 0:
                self._begin()
            to = self._at + self._direction
            self._direction += self._random.normal(0, self._side / 200, 2)
            ImageDraw.Draw(self.paper).line([*self._at, *to], fill=0, width=max(1, self._side // 50))
            self._at = np.clip(to, 0, self._side)
            self._moves_left -= 1
            moved = True
            if self._moves_left == 0:
                ended.append(self._due)
            self._due += MOVE_SECONDS if self._moves_left else PAUSE_SECONDS
        return moved, ended

    def _begin(self) -> None:
        if self._strokes % STROKES_A_SHEET == 0:
            self.paper = Image.new("L", (self._side, self._side), 255)
        self._strokes += 1
        self._moves_left = round(STROKE_SECONDS / MOVE_SECONDS)
        self._at = self._random.uniform(0.1 * self._side, 0.9 * self._side, 2)
        self._direction = self._random.normal(0, self._side / 60, 2)


def memory_mb(pid: int) -> float:
    """What a process holds in memory; NaN where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return float("nan")
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def slope(minutes: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> float:
    """The median of the slopes between any two points (Theil 1950, Sen 1968)."""
    first, second = np.triu_indices(len(values), 1)
    return float(np.median((values[second] - values[first]) / (minutes[second] - minutes[first])))


def measure(studio: Served, pages: int, asked: argparse.Namespace) -> dict[str, Any]:
    """Let ``pages`` pages draw, and return what they met."""
    begins = time.perf_counter() + asked.warm_up
    ends = begins + asked.seconds
    drawn = [Page(number, asked.side, asked.model, studio.port, begins, ends) for number in range(pages)]
    running = [threading.Thread(target=page.run) for page in drawn]
    for thread in running:
        thread.start()
    time.sleep(max(0.0, begins - time.perf_counter()))
    cpu = time.process_time()
    memory: list[tuple[float, float]] = []
    while (now := time.perf_counter()) < ends:
        memory.append((now - begins, memory_mb(studio.pid)))
        time.sleep(min(1.0, asked.seconds / 30))
    cpu = time.process_time() - cpu
    for thread in running:
        thread.join()
    errors = [error for page in drawn for error in page.errors] + mixed_up(drawn, studio)
    statuses = sum((page.statuses for page in drawn), Counter[int]())
    answers = [value for page in drawn for value in page.answers]
    when, values = np.array(memory).T
    return {
        "pages": pages,
        "statuses": {str(status): count for status, count in sorted(statuses.items()) if count},
        "superseded": statuses[409],
        "errors": sum(count for status, count in statuses.items() if status not in (200, 409)) + len(errors),
        "first_errors": errors[:3],
        "answer_ms": milliseconds(answers),
        "stroke_ms": milliseconds([value for page in drawn for value in page.strokes]),
        "answers_per_second": round(sum(page.in_time for page in drawn) / asked.seconds, 1),
        "fewest_answers_of_a_page": min(len(page.answers) for page in drawn),
        "memory_mb_thirds": [round(float(np.median(third)), 1) for third in np.array_split(values, 3)],
        "memory_mb_per_minute": round(slope(when / 60, values), 2),
        "memory_mb": values.round(1).tolist(),
        "cores_taken_by_the_pages": round(cpu / asked.seconds, 2),
    }


@contextlib.contextmanager
def training() -> Iterator[None]:
    """A run that trains until the end of the block, as one that the studio has started (`ganvas.studio.runs`)."""
    with tempfile.TemporaryDirectory() as folder:
        run = ["train", "digits-gan", "--set", "train.epochs=1_000_000", "--out", str(Path(folder) / "run")]
        command = ["nice", "-n", "10", sys.executable, "-m", "ganvas", *run]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                time.sleep(TRAINING_STARTS_SECONDS)
                if process.poll() is not None:
                    sys.exit(f"the training ended with {process.returncode}")
                yield
            finally:
                process.kill()


def mixed_up(pages: Sequence[Page], studio: Served) -> list[str]:
    """Pages whose last answer is another one than their drawing gets when nobody else draws."""
    connection = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=60)
    found = []
    for page in pages:
        if page.last is None:
            found.append(f"page {page.number} never got an answer")
            continue
        body, answer = page.last
        try:
            status, alone = translated(connection, page.model, body)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            found.append(f"page {page.number} alone: {error!r}")
            continue
        pictures = [np.asarray(Image.open(io.BytesIO(data)), dtype=int) for data in (answer, alone) if status == 200]
        if len(pictures) < 2 or np.abs(pictures[0] - pictures[1]).max() > ROUNDING:
            found.append(f"page {page.number} got another answer than its drawing gets alone")
    connection.close()
    return found


def milliseconds(seconds: Sequence[float]) -> dict[str, float | int | None]:
    """How many, their median, 99th percentile and largest."""
    if not seconds:
        return {"count": 0, "median": None, "p99": None, "largest": None}
    median, p99, largest = np.quantile(np.array(seconds) * 1000, [0.5, 0.99, 1.0]).round(1).tolist()
    return {"count": len(seconds), "median": median, "p99": p99, "largest": largest}


def printed(result: dict[str, Any]) -> str:
    """The table, and what it was measured on."""
    lines = [
        "| pages | answers a second | answer ms, median | 99% | stroke ms, median | 99% | errors | superseded "
        "| memory MB, thirds of the time | MB a minute | cores taken by the pages |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in result["rows"]:
        times = " | ".join(f"{row[what][which]}" for what in ("answer_ms", "stroke_ms") for which in ("median", "p99"))
        thirds = ", ".join(f"{value:.0f}" for value in row["memory_mb_thirds"])
        lines.append(
            f"| {row['pages']} | {row['answers_per_second']} | {times} | {row['errors']} | {row['superseded']} "
            f"| {thirds} | {row['memory_mb_per_minute']:+.2f} | {row['cores_taken_by_the_pages']} |"
        )
    on = result["machine"]
    told = f"{result['model']}, {result['side']} pixels, {result['seconds']:g} seconds each"
    told += ", while a run trained." if result.get("training") else "."
    return "\n".join([*lines, "", f"{on['processor']}, {on['cores']} cores. {told}"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the options, measures and prints; exits with 1 where there were errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, nargs="+", default=[1, 10, 50])
    parser.add_argument("--seconds", type=float, default=120.0, help="of measured drawing for each number of pages")
    parser.add_argument("--warm-up", type=float, default=15.0, help="seconds of drawing before that, each time")
    parser.add_argument("--side", type=int, default=128, help="of the drawings in pixels")
    parser.add_argument("--model", default="sketch2color")
    parser.add_argument("--training", action="store_true", help="while a run trains")
    parser.add_argument("--out", type=Path, help="also write the figures as JSON")
    asked = parser.parse_args(arguments)

    rows = []
    beside = training() if asked.training else contextlib.nullcontext()
    with served(asked.model, asked.side, page=False) as studio, beside:
        for pages in asked.pages:
            rows.append(measure(studio, pages, asked))
            brief = {key: value for key, value in rows[-1].items() if key != "memory_mb"}
            print(json.dumps(brief), file=sys.stderr, flush=True)
    result = {
        "command": shlex.join(["python", *sys.argv]),
        "machine": machine(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "environment": threads(),
        "model": asked.model,
        "side": asked.side,
        "training": asked.training,
        "seconds": asked.seconds,
        "warm_up_seconds": asked.warm_up,
        "rows": rows,
    }
    print(printed(result))
    write_json(asked.out, result)
    if any(row["errors"] for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
