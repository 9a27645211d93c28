"""Figures of the running studio in the text format of Prometheus."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS = ("GET", "HEAD", "POST", "DELETE")
Labels = tuple[tuple[str, str], ...]


class Telemetry:
    """Counts what happens. Labels have few values: routes as they are declared, never addresses as they were sent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[Labels, int] = defaultdict(int)
        self._seconds: dict[str, list[float]] = {}
        self._drawings: dict[str, int] = defaultdict(int)
        self._dropped: dict[str, int] = defaultdict(int)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered after ``seconds``."""
        with self._lock:
            self._requests[("method", method), ("route", route), ("status", str(status))] += 1
            # Buckets, then their sum and their number.
            row = self._seconds.setdefault(route, [0.0] * (len(BUCKETS) + 2))
            for place, limit in enumerate(BUCKETS):
                row[place] += seconds <= limit
            row[-2] += seconds
            row[-1] += 1

    def drawn(self, model: str) -> None:
        """A model drew once."""
        with self._lock:
            self._drawings[model] += 1

    def dropped(self, reason: str) -> None:
        """A drawing was asked for and not made: superseded, busy or gone."""
        with self._lock:
            self._dropped[reason] += 1

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """Everything counted, and ``gauges`` (name -> help and value)."""
        with self._lock:
            lines = _head("ganvas_requests_total", "Requests answered.", "counter")
            lines += [f"ganvas_requests_total{_text(labels)} {count}" for labels, count in self._requests.items()]
            lines += _head("ganvas_request_seconds", "Seconds until an answer began.", "histogram")
            for route, row in self._seconds.items():
                lines += _histogram(route, row)
            lines += _head("ganvas_drawings_total", "Pictures drawn or translated.", "counter")
            lines += [f"ganvas_drawings_total{_text((('model', n),))} {c}" for n, c in self._drawings.items()]
            lines += _head("ganvas_drawings_dropped_total", "Drawings asked for and not made.", "counter")
            lines += [f"ganvas_drawings_dropped_total{_text((('reason', n),))} {c}" for n, c in self._dropped.items()]
        for name, (meaning, value) in gauges.items():
            lines += [*_head(name, meaning, "gauge"), f"{name} {value:g}"]
        return "\n".join(lines) + "\n"


class Timed:
    """ASGI middleware that counts requests and measures how long they wait for their answer to begin."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")
                method = scope["method"] if scope["method"] in METHODS else "other"
                self._telemetry.request(method, route, message["status"], time.perf_counter() - begun)
            await send(message)

        await self._app(scope, receive, watched)


def _histogram(route: str, row: list[float]) -> list[str]:
    name, label = "ganvas_request_seconds", ("route", route)
    limits = [*(f"{limit:g}" for limit in BUCKETS), "+Inf"]
    counts = [*row[:-2], row[-1]]
    lines = [f"{name}_bucket{_text((label, ('le', le)))} {n:g}" for le, n in zip(limits, counts, strict=True)]
    return [*lines, f"{name}_sum{_text((label,))} {row[-2]:.6f}", f"{name}_count{_text((label,))} {row[-1]:g}"]


def _head(name: str, meaning: str, kind: str) -> list[str]:
    return [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]


def _text(labels: Labels) -> str:
    escaped = (f'{name}="{_escaped(value)}"' for name, value in labels)
    return "{" + ",".join(escaped) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
