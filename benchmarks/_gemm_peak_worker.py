"""What this machine's matrix products reach through PyTorch, by route; the protocol is `_contestant.py`'s.

A round is one sweep over the products below. Its answer carries, besides the milliseconds, the best GFLOP/s
of each route so far. The line that says ready carries each route's error against float64, so that a route
that silently lowers the precision of float32 products is seen (fp32 is below 1e-6, bf16 about 2e-3).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

SIZES = [(2048, 2048, 2048), (1024, 1024, 1024), (256, 784, 1200), (784, 256, 1200), (256, 1200, 784)]
ROUTES = (
    "fp32 MKL",
    "fp32 oneDNN",
    "bf16 oneDNN",
)  # bf16 without oneDNN is a plain loop, a thousand times slower


@contextmanager
def route(name: str) -> Iterator[torch.dtype]:
    """Switches to a route and yields the dtype of its operands."""
    products: Any = torch.backends.mkldnn  # `matmul` is made at run time, type checkers can't see it
    before = products.matmul.fp32_precision
    try:
        products.matmul.fp32_precision = "bf16" if name == "fp32 oneDNN" else "ieee"
        yield torch.bfloat16 if name.startswith("bf16") else torch.float32
    finally:
        products.matmul.fp32_precision = before


def error(name: str) -> float:
    """Largest error of a 256 x 784 x 1200 product relative to the largest entry, against float64."""
    a, b = torch.randn(256, 784, dtype=torch.float64), torch.randn(784, 1200, dtype=torch.float64)
    with route(name) as dtype:
        a, b = a.to(dtype), b.to(dtype)
        exact = a.double() @ b.double()
        return float(((a @ b).double() - exact).abs().max() / exact.abs().max())


def gflops(name: str, size: tuple[int, int, int], *, seconds: float = 0.03) -> float:
    """Best rate of one product on one route over a short while."""
    m, k, n = size
    with route(name) as dtype:
        a, b, out = torch.randn(m, k).to(dtype), torch.randn(k, n).to(dtype), torch.empty(m, n, dtype=dtype)
        torch.mm(a, b, out=out)
        best, end = float("inf"), time.perf_counter() + seconds
        while time.perf_counter() < end:
            begin = time.perf_counter()
            torch.mm(a, b, out=out)
            best = min(best, time.perf_counter() - begin)
    return 2e-9 * m * k * n / best


def main() -> None:
    """Answers every round with the best rates so far."""
    torch.manual_seed(0)
    best = {name: {"x".join(map(str, size)): 0.0 for size in SIZES} for name in ROUTES}

    def say(message: object) -> None:
        print(json.dumps(message), flush=True)

    say({"ready": True, "pid": os.getpid(), "errors": {name: error(name) for name in ROUTES}})
    for line in iter(sys.stdin.readline, ""):
        if line.split()[:1] != ["round"]:
            return
        begin = time.perf_counter()
        for name in ROUTES:
            for size in SIZES:
                key = "x".join(map(str, size))
                best[name][key] = max(best[name][key], gflops(name, size))
        say({"ms": [1e3 * (time.perf_counter() - begin)], "gflops": best})


if __name__ == "__main__":
    main()
