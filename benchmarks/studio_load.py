"""How long the studio's answers take while 1, 10 and 50 pages draw at once, and whether its memory grows.

Each page draws strokes as a person does, one more line every so many milliseconds, and asks for the newest state of
its drawing as soon as the answer before is there. The studio is a process of its own, as a user starts it.

    python benchmarks/studio_load.py --seconds 120 --out docs/results/studio-load.json
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

SERVE = """
import sys
from pathlib import Path
from ganvas.studio.server import serve
from ganvas.studio.settings import Settings
# Programs need no page: any folder with an index.html will do.
settings = Settings(runs=Path(sys.argv[1]), static=Path(sys.argv[1]), port=0, warm=sys.argv[2])
serve(settings, browser=False, tell=lambda address: print(address, flush=True))
"""


@dataclass
class Page:
    """An open page: its strokes so far and what became of its requests."""

    number: int
    side: int
    stroke_seconds: float
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)

    def draw(self, port: int, model: str, until: float) -> None:
        """Draw and ask until the time is up; whatever goes wrong is an error of the studio."""
        random = np.random.default_rng(self.number)
        paper = Image.new("L", (self.side, self.side), 255)
        pen = ImageDraw.Draw(paper)
        at = random.uniform(0, self.side, 2)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        due = time.perf_counter() + random.uniform(0, self.stroke_seconds)
        while (now := time.perf_counter()) < until:
            time.sleep(max(0.0, due - now))
            # Lines drawn while the last answer was awaited are in the drawing, not in a queue.
            due = max(due + self.stroke_seconds, time.perf_counter())
            to = np.clip(at + random.normal(0, self.side / 10, 2), 0, self.side)
            pen.line([*at, *to], fill=0, width=max(1, self.side // 64))
            at = to
            begun = time.perf_counter()
            try:
                connection.request("POST", f"/api/models/{model}/translate", *form(paper, f"page-{self.number}"))
                answer = connection.getresponse()
                body = answer.read()
            except OSError as error:
                self.errors.append(repr(error))
                connection.close()
                continue
            self.seconds.append(time.perf_counter() - begun)
            self.statuses[answer.status] += 1
            if answer.status == 200 and Image.open(io.BytesIO(body)).size != paper.size:
                self.errors.append("a result of another size")
        connection.close()


def form(paper: Image.Image, page: str) -> tuple[bytes, dict[str, str]]:
    """A request as the page sends it: body and headers."""
    buffer = io.BytesIO()
    paper.save(buffer, "PNG", compress_level=1)
    parts = b'--line\r\nContent-Disposition: form-data; name="page"\r\n\r\n' + page.encode() + b"\r\n"
    parts += b'--line\r\nContent-Disposition: form-data; name="picture"; filename="drawing.png"\r\n'
    parts += b"Content-Type: image/png\r\n\r\n" + buffer.getvalue() + b"\r\n--line--\r\n"
    return parts, {"Content-Type": "multipart/form-data; boundary=line"}


def memory_mb(pid: int) -> float | None:
    """What a process holds in memory, on Linux."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(port: int, pid: int, model: str, pages: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Let ``pages`` pages draw, and return what they met."""
    drawn = [Page(number, arguments.side, arguments.stroke_ms / 1000) for number in range(pages)]
    before = memory_mb(pid)
    until = time.perf_counter() + arguments.seconds
    threads = [threading.Thread(target=page.draw, args=(port, model, until)) for page in drawn]
    for thread in threads:
        thread.start()
    time.sleep(arguments.seconds / 2)
    halfway = memory_mb(pid)
    for thread in threads:
        thread.join()
    seconds = np.array([value for page in drawn for value in page.seconds])
    statuses = sum((page.statuses for page in drawn), Counter())
    failed = sum(count for status, count in statuses.items() if status not in (200, 409))
    return {
        "pages": pages,
        "answers": len(seconds),
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "errors": failed + sum(len(page.errors) for page in drawn),
        "first_errors": [error for page in drawn for error in page.errors][:3],
        "median_ms": round(float(np.median(seconds)) * 1000, 1) if len(seconds) else None,
        "p99_ms": round(float(np.quantile(seconds, 0.99)) * 1000, 1) if len(seconds) else None,
        "answers_per_second": round(len(seconds) / arguments.seconds, 1),
        "memory_mb_before": before,
        "memory_mb_halfway": halfway,
        "memory_mb_after": memory_mb(pid),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, nargs="+", default=[1, 10, 50])
    parser.add_argument("--seconds", type=float, default=120.0, help="of drawing for each number of pages")
    parser.add_argument("--stroke-ms", type=float, default=100.0, help="between two strokes of a page")
    parser.add_argument("--side", type=int, default=128, help="of the drawings in pixels")
    parser.add_argument("--model", default="sketch2color")
    parser.add_argument("--out", type=Path, help="also write the figures as JSON")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "index.html").write_text("")
        command = [sys.executable, "-c", SERVE, folder, arguments.model]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            port = int(server.stdout.readline().strip().rstrip("/").rpartition(":")[2])
            warm = Page(0, arguments.side, 0.0)
            warm.draw(port, arguments.model, time.perf_counter() + 3)
            rows = []
            for pages in arguments.pages:
                rows.append(measure(port, server.pid, arguments.model, pages, arguments))
                print(json.dumps(rows[-1]), flush=True)
            server.terminate()
    if arguments.out is not None:
        told = {
            "command": " ".join(["python", *sys.argv]),
            "model": arguments.model,
            "side": arguments.side,
            "stroke_ms": arguments.stroke_ms,
            "seconds": arguments.seconds,
            "cores": os.cpu_count(),
            "rows": rows,
        }
        arguments.out.write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
