"""Which route float32 matrix products take on this processor: measured once a machine, recorded, never less exact."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch

from ganvas.errors import GanvasError
from ganvas.files import atomic_write

MatmulRoute = Literal["default", "onednn"]
# A float32 product of this length has an error of about 1e-7; bfloat16 operands give 2e-3.
MAX_RELATIVE_ERROR = 2e-6
# The products of a dense step: a picture batch against its first layer, forward and both backward shapes.
PROBE_SHAPES = ((256, 784, 1200), (1200, 256, 784), (256, 240, 960))


def use_matmul_route(route: MatmulRoute) -> None:
    """Send float32 products on the CPU through torch's default library, or through oneDNN."""
    _products().fp32_precision = "bf16" if route == "onednn" else "none"


def _products() -> Any:
    # torch adds the attribute at run time, unknown to its type stubs.
    return torch.backends.mkldnn.matmul  # type: ignore[attr-defined]


def choose_matmul_route() -> MatmulRoute:
    """The faster route whose error stays at float32 level; measured once a machine and remembered.

    oneDNN is reached by allowing bfloat16 products. Processors without matrix units do not use that permission, and
    only gain a better library; those that do are told by their error and keep the default. The choice is
    remembered because two runs that are to end with the same bits must not depend on the noise of two measurements.
    """
    cache = _cache_file()
    key = f"{processor_name()}/torch {torch.__version__}/{torch.get_num_threads()} threads"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        remembered = json.loads(cache.read_text("utf-8"))[key]
        if remembered in ("default", "onednn"):
            return remembered  # type: ignore[no-any-return]
    route = _measure()
    # Without a place to remember it the measurement is repeated next time; training goes on.
    with contextlib.suppress(GanvasError):
        atomic_write(cache, json.dumps({**_read_cache(cache), key: route}, indent=2).encode())
    return route


def _read_cache(cache: Path) -> dict[str, str]:
    with contextlib.suppress(OSError, ValueError):
        table = json.loads(cache.read_text("utf-8"))
        if isinstance(table, dict):
            return table
    return {}


def _measure() -> MatmulRoute:
    before = _products().fp32_precision
    try:
        seconds: dict[MatmulRoute, float] = {"default": 0.0, "onednn": 0.0}
        generator = torch.Generator().manual_seed(0)
        for rows, inner, columns in PROBE_SHAPES:
            a = torch.randn(rows, inner, generator=generator)
            b = torch.randn(inner, columns, generator=generator)
            exact = a.double() @ b.double()
            use_matmul_route("onednn")
            if float((a @ b - exact).norm() / exact.norm()) > MAX_RELATIVE_ERROR:
                return "default"
            for route in seconds:
                use_matmul_route(route)
                seconds[route] += _fastest(lambda a=a, b=b: a @ b)  # type: ignore[misc]
        return "onednn" if seconds["onednn"] < seconds["default"] else "default"
    finally:
        _products().fp32_precision = before


def _fastest(function: Callable[[], object], repeats: int = 20) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def processor_name() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cache_file() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "ganvas" / "matmul-route.json"
