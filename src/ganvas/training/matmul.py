"""Which way float32 matrix products take on this processor: measured once a machine, recorded, never less exact."""

from __future__ import annotations

import contextlib
import json
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ganvas.errors import GanvasError
from ganvas.files import atomic_write, cache_folder

MatmulRoute = Literal["default", "onednn"]
ROUTES: tuple[MatmulRoute, ...] = ("default", "onednn")
# A float32 product of this length has an error of about 1e-7; bfloat16 operands give 2e-3.
MAX_RELATIVE_ERROR = 2e-6
# The products of a dense step: a picture batch against its first layer, forward and both backward shapes.
PROBE_SHAPES = ((256, 784, 1200), (1200, 256, 784), (256, 240, 960))


@contextlib.contextmanager
def matmul_route(route: MatmulRoute) -> Iterator[None]:
    """Send float32 products on the CPU through torch's default library or through oneDNN, inside the block only."""
    before = _products().fp32_precision
    _products().fp32_precision = "bf16" if route == "onednn" else "none"
    try:
        yield
    finally:
        _products().fp32_precision = before


def is_exact(route: MatmulRoute) -> bool:
    """Whether products by ``route`` have float32's error on this processor.

    oneDNN is reached by permitting bfloat16 operands. Processors without units for them do not use the permission, and
    only gain another library; those that do use it are told by their error.
    """
    if route == "default":
        return True
    with matmul_route(route):
        return all(_error(*_operands(*shape)) <= MAX_RELATIVE_ERROR for shape in PROBE_SHAPES)


def choose_matmul_route() -> MatmulRoute:
    """The faster route of those that are exact; measured once a machine and remembered.

    Remembered because two runs that are to end with the same bits must not depend on the noise of two measurements.
    """
    key = f"{processor_name()}/torch {torch.__version__}/{torch.get_num_threads()} threads"
    remembered = _read_cache()
    for route in ROUTES:
        if remembered.get(key) == route and is_exact(route):
            return route
    route = _measure()
    # Without a place to remember it the measurement is repeated next time; training goes on.
    with contextlib.suppress(GanvasError, RuntimeError):
        atomic_write(_cache_file(), json.dumps({**remembered, key: route}, indent=2).encode())
    return route


def processor_name() -> str:
    """What the processor calls itself."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _products() -> Any:
    # torch adds the attribute at run time, unknown to its type stubs.
    return torch.backends.mkldnn.matmul  # type: ignore[attr-defined]


def _operands(rows: int, inner: int, columns: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(rows, inner, generator=generator), torch.randn(inner, columns, generator=generator)


def _error(a: Tensor, b: Tensor) -> float:
    exact = a.double() @ b.double()
    return float((a @ b - exact).norm() / exact.norm())


def _measure() -> MatmulRoute:
    if not is_exact("onednn"):
        return "default"
    seconds: dict[MatmulRoute, float] = {"default": 0.0, "onednn": 0.0}
    for shape in PROBE_SHAPES:
        a, b = _operands(*shape)
        for route in seconds:
            with matmul_route(route):
                seconds[route] += _fastest(a, b)
    return "onednn" if seconds["onednn"] < seconds["default"] else "default"


def _fastest(a: Tensor, b: Tensor, repeats: int = 20) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        a @ b
        times.append(time.perf_counter() - start)
    return min(times)


def _read_cache() -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        table = json.loads(_cache_file().read_text("utf-8"))
        if isinstance(table, dict):
            return table
    return {}


def _cache_file() -> Path:
    return cache_folder() / "matmul-route.json"
