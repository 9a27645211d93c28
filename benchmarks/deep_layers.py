"""What writing the generator's deep layers as products buys: forward and backward of the U-Net, the ways in turn.

    OMP_NUM_THREADS=2 python benchmarks/deep_layers.py [--size 256] [--batch 1] [--rounds 7]

Each way is a limit on the pixels of a layer's smaller map (times the batch) up to which it runs as a product; with 0
all layers are convolutions. Prints medians in milliseconds and the median and best-to-best ratio to the limit 0. With
one thread the clock is the processor's, which other work on the machine disturbs less.

    python benchmarks/deep_layers.py --stride-1

measures the discriminator's 4x4 convolution of stride 1 instead, forward and backward: direct in float32 and bfloat16
beside Winograd's form, at several numbers of pixels, and says which `models/winograd.py` takes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from ganvas.config import UnetGenerator
from ganvas.memory import freed_memory_kept
from ganvas.models import build_translator, products, winograd
from ganvas.training.matmul import choose_matmul_route, matmul_route

LIMITS = (0, 256, 512, 1024)
# (batch, side, channels in, channels out) of the layer in discriminators of width 64 and 32.
STRIDE_1 = [
    *((batch, 8, 256, 512) for batch in (2, 8, 32)),
    *((batch, 16, 256, 512) for batch in (1, 2, 4, 16)),
    *((batch, 32, 256, 512) for batch in (1, 4)),
    *((batch, 16, 128, 256) for batch in (2, 8)),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--stride-1", action="store_true", help="the discriminator's layer, by Winograd's form")
    arguments = parser.parse_args()
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    if arguments.stride_1:
        with matmul_route(choose_matmul_route()), freed_memory_kept():
            for shape in STRIDE_1:
                print(stride_1(shape, arguments.rounds, clock), flush=True)
        return
    network = build_translator(UnetGenerator(), in_channels=3, out_channels=3, size=arguments.size)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    pictures = torch.rand(arguments.batch, 3, arguments.size, arguments.size)
    pictures = pictures.contiguous(memory_format=torch.channels_last)
    parameters = list(network.parameters())

    def run(limit: int, bfloat16: bool) -> float:
        products.MOST_PIXELS = products.MOST_PIXELS_BFLOAT16 = limit
        start = clock()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
            drawn = network(pictures)
        torch.autograd.grad(drawn.float().abs().mean(), parameters)
        return (clock() - start) * 1e3

    for bfloat16 in (False, True):
        times: dict[int, list[float]] = {limit: [] for limit in LIMITS}
        for limit in LIMITS:
            run(limit, bfloat16)
        for _ in range(arguments.rounds):
            for limit in LIMITS:
                times[limit].append(run(limit, bfloat16))
        for limit in LIMITS:
            ratio = statistics.median(a / b for a, b in zip(times[0], times[limit], strict=True))
            best = min(times[0]) / min(times[limit])
            print(
                f"{arguments.size} x {arguments.batch} {'bf16' if bfloat16 else 'fp32'} up to {limit:4d} pixels: "
                f"{statistics.median(times[limit]):7.1f} ms, {ratio:.2f} times as fast, best {best:.2f}",
                flush=True,
            )


def stride_1(shape: tuple[int, int, int, int], rounds: int, clock: Callable[[], float]) -> str:
    """One line: the layer's forms at a shape, in turns."""
    batch, side, inputs, outputs = shape
    x = torch.randn(batch, inputs, side, side).contiguous(memory_format=torch.channels_last).requires_grad_()
    weight = (0.02 * torch.randn(outputs, inputs, 4, 4)).contiguous(memory_format=torch.channels_last).requires_grad_()
    forms: dict[str, Callable[[], Tensor]] = {
        "fp32": lambda: functional.conv2d(x, weight, padding=1),
        "bf16": lambda: functional.conv2d(x.bfloat16(), weight.bfloat16(), padding=1).float(),
        "Winograd": lambda: winograd.convolution(x, weight, 1),
    }
    times: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(rounds + 1):
        for name, form in forms.items():
            start = clock()
            y = form()
            torch.autograd.grad(y, (x, weight), torch.ones_like(y))
            times[name].append((clock() - start) * 1e3)
    fp32, bf16, transformed = (statistics.median(of_one[1:]) for of_one in times.values())
    taken = ["taken" if winograd.pays(x.to(kind), weight, 1) else "-" for kind in (torch.float32, torch.bfloat16)]
    return (
        f"{batch:2d} x {side:2d} x {side:2d} pixels, {inputs} -> {outputs}: fp32 {fp32:6.1f} ms, bf16 {bf16:6.1f} ms, "
        f"Winograd {transformed:6.1f} ms: {fp32 / transformed:.2f} times as fast as fp32 ({taken[0]}), "
        f"{bf16 / transformed:.2f} times as fast as bf16 ({taken[1]})"
    )


if __name__ == "__main__":
    main()
