"""A studio to ask in tests, with a model small enough to draw in no time."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from PIL import Image

from ganvas.studio.app import create_app
from ganvas.studio.settings import Settings
from ganvas.studio.state import State

NO_REASON = {"code": "", "parameters": {}}
HERE = "http://localhost:8765"


class Studio(TestClient):
    """A client of a studio that runs in this process."""

    @property
    def state(self) -> State:
        app: Any = self.app
        state: State = app.state.studio
        return state


@contextlib.contextmanager
def studio(runs: Path, **settings: Any) -> Iterator[Studio]:
    """A studio on the models of ``runs``; nothing is loaded before it is asked for."""
    app = create_app(Settings(runs=runs, **{"warm": None, "precision": "fp32", **settings}))
    with Studio(app, base_url=HERE) as client:
        yield client


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def problem(response: Any, status: int, kind: str, code: str | None = None) -> str:
    """The line of a problem, after checking that it is one of that kind, and of that code where one is given."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert set(body) == {"type", "title", "status", "detail", "code", "parameters"}
    assert (body["type"], body["status"]) == (kind, status)
    assert code in (None, body["code"])
    detail: str = body["detail"]
    assert detail
    assert "\n" not in detail
    return detail


def until(true: Callable[[], Any], seconds: float = 20) -> Any:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)
    return found


def events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    """(event, data) of a stream of server-sent events."""
    name = ""
    for line in lines:
        key, _, value = line.partition(": ")
        if key == "event":
            name = value
        elif key == "data":
            yield name, json.loads(value)
