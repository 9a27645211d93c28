"""A studio to measure: a process of its own, its model loaded, and a translation as the page asks for one."""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

SERVE = """
import sys
from dataclasses import replace
from pathlib import Path
from ganvas.studio.server import serve
from ganvas.studio.settings import Settings
settings = Settings(runs=Path(sys.argv[1]), port=0, warm=sys.argv[2])
if sys.argv[3] == "no page":
    # Programs need none: any folder with an index.html will do.
    settings = replace(settings, static=settings.runs)
serve(settings, browser=False, tell=lambda address: print(address, flush=True))
"""
START_SECONDS = 120
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Served:
    """Where the studio listens, and its process."""

    address: str
    port: int
    pid: int


@contextlib.contextmanager
def served(model: str, side: int, *, page: bool) -> Iterator[Served]:
    """A studio on an empty runs folder that has drawn once with ``model``; ended afterwards, whatever happened.

    Args:
        model: the one that is loaded.
        side: of the first drawing in pixels.
        page: serve the built page, and fail where there is none.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "index.html").write_text("")
        command = [sys.executable, "-c", SERVE, folder, model, "page" if page else "no page"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                address = process.stdout.readline().strip()
                if not address:
                    sys.exit("the studio did not start; what it said stands above")
                port = int(address.rstrip("/").rpartition(":")[2])
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
                status, _ = translated(connection, model, form(Image.new("L", (side, side), 255), "warm"))
                connection.close()
                if status != 200:
                    sys.exit(f"the studio answered the first drawing with {status}")
                yield Served(address, port, process.pid)
            finally:
                process.terminate()


def form(paper: Image.Image, page: str) -> bytes:
    """The body of a request as the page sends it."""
    buffer = io.BytesIO()
    paper.save(buffer, "PNG", compress_level=1)
    parts = b'--line\r\nContent-Disposition: form-data; name="page"\r\n\r\n' + page.encode() + b"\r\n"
    parts += b'--line\r\nContent-Disposition: form-data; name="picture"; filename="drawing.png"\r\n'
    parts += b"Content-Type: image/png\r\n\r\n" + buffer.getvalue() + b"\r\n--line--\r\n"
    return parts


def translated(connection: http.client.HTTPConnection, model: str, body: bytes) -> tuple[int, bytes]:
    """Status and whole body of the answer.

    Raises:
        OSError, http.client.HTTPException: the connection broke, or the answer was not HTTP or not whole.
    """
    headers = {"Content-Type": "multipart/form-data; boundary=line"}
    connection.request("POST", f"/api/models/{model}/translate", body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def threads() -> dict[str, str]:
    """What the environment says of threads, which the studio inherits; it takes as many as there are cores."""
    return {name: os.environ[name] for name in THREADS if name in os.environ}
