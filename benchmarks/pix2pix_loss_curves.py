"""Whether ganvas' step in fp32 and in bf16 learns as the usual PyTorch step does: loss curves of several seeds.

    python benchmarks/pix2pix_loss_curves.py [--seeds 3] [--steps 500] [--data shapes|emoji] [--json FILE]

All start from networks of the same kind with weights of their own (by seed) and see the same batches in the same order
(by seed). Every loss is taken before the update that it causes, D's as the sum of its two halves, G's under the D that
judged the fake first; so the curves of code that asks D again after its update can be laid over those of code that
does not. For windows of steps the table gives the mean loss of the usual step, the relative difference of the mean
losses over all seeds, the spread between seeds (standard deviation of one seed's mean, relative), and the difference
in standard errors of the difference of two such means. Within noise: at most 2 to 3 of them, of either sign.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from _contestant import machine, write_json
from _ganvas_pix2pix_worker import classic_task
from _usual_pix2pix_worker import UsualStep

USUAL, FP32, BF16 = "PyTorch, the usual step", "ganvas, fp32", "ganvas, bf16"
LOSSES = ("l1", "generator", "discriminator")
Step = Callable[[Tensor, Tensor, int], dict[str, float]]
COLOURS = {"ellipse": (214, 64, 48), "rectangle": (44, 110, 203), "triangle": (240, 187, 46)}


def shape_pairs(count: int, side: int) -> tuple[Tensor, Tensor]:
    """Outlines of a few shapes on white, and the same filled, each kind in a colour of its own that varies a little."""
    random = np.random.default_rng(0)
    pairs = []
    for _ in range(count):
        sketch, painted = (Image.new("RGB", (side, side), "white") for _ in range(2))
        for kind in random.choice(list(COLOURS), random.integers(1, 4)):
            size = random.integers(side // 4, side // 2)
            left, top = random.integers(0, side - size, 2)
            colour = tuple(np.clip(np.array(COLOURS[str(kind)]) + random.integers(-25, 26, 3), 0, 255).tolist())
            for picture, fill in ((sketch, "white"), (painted, colour)):
                draw_shape(ImageDraw.Draw(picture), str(kind), (int(left), int(top), int(size)), fill)
        pairs.append([np.asarray(sketch), np.asarray(painted)])
    both = torch.from_numpy(np.array(pairs)).permute(1, 0, 4, 2, 3).contiguous()
    return both[0], both[1]


def draw_shape(draw: ImageDraw.ImageDraw, kind: str, place: tuple[int, int, int], fill: Any) -> None:
    """One shape in the square at (left, top) of the given side, with a black outline."""
    left, top, size = place
    box = (left, top, left + size, top + size)
    if kind == "ellipse":
        draw.ellipse(box, fill, "black")
    elif kind == "rectangle":
        draw.rectangle(box, fill, "black")
    else:
        draw.polygon([(left, top + size), (left + size, top + size), (left + size // 2, top)], fill, "black")


def emoji_pairs(side: int) -> tuple[Tensor, Tensor]:
    """The training pairs of the default data set, uint8 (N, 3, S, S)."""
    from ganvas.config import PairData
    from ganvas.data.pairs import open_pairs

    pairs = open_pairs(PairData(size=side), "train", side=side)
    return torch.from_numpy(np.array(pairs.sources)), torch.from_numpy(np.array(pairs.targets))


def usual_step(side: int, batch: int) -> Step:
    """The usual step on uint8 pictures, with dropout where ganvas' preset has it."""
    del batch
    usual = UsualStep(side, first_dropout=1)

    def step(source: Tensor, target: Tensor, seen: int) -> dict[str, float]:
        del seen
        losses = usual.losses(source / 127.5 - 1, target / 127.5 - 1)
        return {"l1": losses.l1, "generator": losses.generator_before, "discriminator": losses.discriminator}

    return step


def ganvas_step(precision: str) -> Callable[[int, int], Step]:
    """The maker of ganvas' classic step in a precision."""

    def make(side: int, batch: int) -> Step:
        task = classic_task(side, batch, precision)
        labels = torch.zeros(batch, dtype=torch.int64)

        def step(source: Tensor, target: Tensor, seen: int) -> dict[str, float]:
            losses = task.step(source, target, labels, seen)
            return {name: losses[name].item() for name in LOSSES}

        return step

    return make


VARIANTS: dict[str, Callable[[int, int], Step]] = {
    USUAL: usual_step, FP32: ganvas_step("fp32"), BF16: ganvas_step("bf16")
}  # fmt: skip


def batches(pairs: tuple[Tensor, Tensor], batch: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless whole batches, shuffled anew every epoch; the same for every variant."""
    order = np.random.default_rng(seed)
    while True:
        for chosen in np.array_split(order.permutation(len(pairs[0])), len(pairs[0]) // batch):
            indices = torch.from_numpy(chosen[:batch])
            yield pairs[0][indices], pairs[1][indices]


def curve(make: Callable[[int, int], Step], pairs: tuple[Tensor, Tensor], seed: int, asked: argparse.Namespace) -> Any:
    """The losses of one run: {loss: one number a step}."""
    torch.manual_seed(seed)
    step = make(asked.side, asked.batch)
    found: dict[str, list[float]] = {name: [] for name in LOSSES}
    for number, (source, target) in zip(range(asked.steps), batches(pairs, asked.batch, seed), strict=False):
        for name, loss in step(source, target, number * asked.batch).items():
            found[name].append(loss)
    return found


def comparisons(curves: dict[str, list[Any]], window: int) -> list[dict[str, Any]]:
    """For each variant, loss and window: how far its mean is from the usual step's, and how far seeds are apart."""
    rows = []
    steps = len(curves[USUAL][0][LOSSES[0]])
    for variant in (name for name in curves if name != USUAL):
        for loss in LOSSES:
            for start in range(0, steps, window):
                theirs, ours = (
                    [statistics.fmean(one[loss][start : start + window]) for one in curves[name]]
                    for name in (USUAL, variant)
                )
                mean, difference = statistics.fmean(theirs), statistics.fmean(ours) - statistics.fmean(theirs)
                deviation = ((statistics.variance(theirs) + statistics.variance(ours)) / 2) ** 0.5
                rows.append({
                    "variant": variant, "loss": loss, "steps": [start, min(start + window, steps)], "usual": mean,
                    "difference": difference / mean, "spread": deviation / mean,
                    "standard_errors": difference / (deviation * (2 / len(ours)) ** 0.5),
                })  # fmt: skip
    return rows


def printed(result: dict[str, Any]) -> str:
    """The comparisons as Markdown."""
    lines = [
        f"| {result['steps']} steps, {result['seeds']} seeds | loss | steps | usual | difference | spread of seeds "
        "| in standard errors |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    for row in result["rows"]:
        first, last = row["steps"]
        figures = f"{row['usual']:.4f} | {row['difference']:+.1%} | {row['spread']:.1%} | {row['standard_errors']:+.1f}"
        lines.append(f"| {row['variant']} | {row['loss']} | {first}-{last} | {figures} |")
    for variant in dict.fromkeys(row["variant"] for row in result["rows"]):
        sizes = [abs(row["standard_errors"]) for row in result["rows"] if row["variant"] == variant]
        near = f"{sum(size <= 2 for size in sizes)} of {len(sizes)} windows"
        lines += ["", f"{variant}: {near} within 2 standard errors, the largest {max(sizes):.1f}."]
    return "\n".join(lines)


def main() -> None:
    """Reads the options, trains every variant with every seed, and prints."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--window", type=int, default=100, help="steps of which the mean loss is compared")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--data", choices=("shapes", "emoji"), help="default: emoji where that extra is installed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all curves and comparisons")
    asked = parser.parse_args()
    if min(asked.seeds, asked.steps, asked.window) < 2:
        parser.error("--seeds, --steps and --window must be at least 2")
    data = asked.data or ("emoji" if importlib.util.find_spec("resvg_py") else "shapes")
    pairs = emoji_pairs(asked.side) if data == "emoji" else shape_pairs(1_000, asked.side)
    curves: dict[str, list[Any]] = {name: [] for name in VARIANTS}
    for seed in range(asked.seeds):
        for name, make in VARIANTS.items():
            print(f"seed {seed}: {name}", file=sys.stderr)
            curves[name].append(curve(make, pairs, seed, asked))
    result = {
        "data": data, "side": asked.side, "batch": asked.batch, "steps": asked.steps, "seeds": asked.seeds,
        "rows": comparisons(curves, asked.window), "machine": machine(), "curves": curves,
    }  # fmt: skip
    print(printed(result))
    write_json(asked.json, result)


if __name__ == "__main__":
    main()
