"""What writing the generator's deep layers as products buys: forward and backward of the U-Net, the ways in turn.

    OMP_NUM_THREADS=2 python benchmarks/deep_layers.py [--size 256] [--batch 1] [--rounds 7]

Each way is a limit on the pixels of a layer's smaller map (times the batch) up to which it runs as a product; with 0
all layers are convolutions. Prints medians in milliseconds and the median and best-to-best ratio to the limit 0. With
one thread the clock is the processor's, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from ganvas.config import UnetGenerator
from ganvas.models import build_translator, products

LIMITS = (0, 256, 512, 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
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


if __name__ == "__main__":
    main()
