"""Which method draws the sketch that an illustrator drew: the held-out emoji, against OpenMoji's own lines.

    python benchmarks/sketch_methods.py --json docs/results/sketch-methods.json --sheet docs/pictures/sketch-methods.png

Each method sees the whole colour picture (of 128 pixels; also squeezed as JPEG of quality 50) and draws. Precision is
the share of its ink within a pixel of the true ink, recall the share of the true ink within a pixel of its own, F1
their harmonic mean; of each picture, then averaged. Ink is its amount against the true one. Closed areas are the parts
of the paper that lines cut off, against the true number: too few are gaps, too many are lines drawn double. Specks are
patches of ink under 9 pixels beyond those the illustrator drew, a picture. Milliseconds are on one thread, of the
fastest picture: other programs can only slow one down.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from scipy import ndimage

from ganvas.config import PairData
from ganvas.data.emoji import open_emoji
from ganvas.data.pairs.images import PairImages
from ganvas.data.sketches import Method, draw_sketch
from ganvas.pictures import Pixels, grid, save_png

SIDE = 128
METHODS: tuple[Method, ...] = ("xdog", "gradient")
SMALL = 9
NEAR = np.ones((3, 3), dtype=bool)
Mask = npt.NDArray[np.bool_]


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the methods that draw sketches.")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    emoji = open_emoji(PairData(source_channels=1), "test", SIDE)
    pictures = list(emoji.targets.transpose(0, 2, 3, 1))
    truth = [source[0] < 128 for source in emoji.sources]
    rows = []
    for kind, seen in (("as it is", pictures), ("JPEG 50", [squeezed(picture) for picture in pictures])):
        rows += [{"pictures": kind, "method": method, **measured(seen, truth, method)} for method in METHODS]
    result = {"emoji": len(pictures), "side": SIDE, "threads": torch.get_num_threads(), "rows": rows}
    print(table(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    if arguments.sheet:
        save_sheet(emoji, arguments.sheet)


def measured(pictures: list[Pixels], truth: list[Mask], method: Method) -> dict[str, float]:
    """Averages over the pictures; of the milliseconds the fewest."""
    scores: list[tuple[float, float, float]] = []
    ink, milliseconds, specks = 0, [], 0
    areas, true_areas = 0, 0
    for picture, true in zip(pictures, truth, strict=True):
        start = time.perf_counter()
        drawn = draw_sketch(picture, method)[:, :, 0] < 128
        milliseconds.append((time.perf_counter() - start) * 1e3)
        precision = (drawn & ndimage.binary_dilation(true, NEAR)).sum() / max(1, drawn.sum())
        recall = (true & ndimage.binary_dilation(drawn, NEAR)).sum() / max(1, true.sum())
        scores.append((precision, recall, 2 * precision * recall / max(1e-9, precision + recall)))
        ink += drawn.sum() / true.sum()
        areas, true_areas = areas + closed_areas(drawn), true_areas + closed_areas(true)
        specks += sum(size < SMALL for size in sizes(drawn, NEAR)) - sum(size < SMALL for size in sizes(true, NEAR))
    precision, recall, f1 = (float(np.mean([score[at] for score in scores])) for at in range(3))
    return {
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "ink": float(ink / len(pictures)),
        "closed_areas": areas / true_areas,
        "specks": specks / len(pictures),
        "milliseconds": min(milliseconds),
    }


def closed_areas(ink: Mask) -> int:
    """Areas of paper of at least 9 pixels but for one, the outside."""
    return sum(size >= SMALL for size in sizes(~ink)) - 1


def sizes(mask: Mask, neighbours: Mask | None = None) -> list[int]:
    """Pixels of each connected patch."""
    labels, _ = ndimage.label(mask, neighbours)
    return [int(size) for size in np.bincount(labels.ravel())[1:]]


def squeezed(picture: Pixels) -> Pixels:
    """The picture after JPEG compression of quality 50."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=50)
    return np.asarray(Image.open(buffer))


def table(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    lines = [
        "| pictures | method | precision | recall | F1 | ink | closed areas | specks | ms |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        shares = " | ".join(f"{row[key]:.1%}" for key in ("precision", "recall", "f1", "ink", "closed_areas"))
        name = f"{row['pictures']} | `{row['method']}`"
        lines.append(f"| {name} | {shares} | {row['specks']:.2f} | {row['milliseconds']:.0f} |")
    return "\n".join(lines)


def save_sheet(emoji: PairImages, path: Path) -> None:
    """Ten held-out emoji: the picture, each method's sketch, OpenMoji's lines."""
    chosen = np.linspace(0, len(emoji) - 1, 10).round().astype(int)
    pictures = [emoji.targets[at].transpose(1, 2, 0) for at in chosen]
    rows = {"picture": pictures}
    rows |= {method: [draw_sketch(picture, method) for picture in pictures] for method in METHODS}
    rows["OpenMoji"] = [emoji.sources[at].transpose(1, 2, 0) for at in chosen]
    cells = [np.broadcast_to(cell, (SIDE, SIDE, 3)) for row in rows.values() for cell in row]
    save_png(grid(np.stack(cells), len(chosen), row_labels=list(rows), gap=4), path)


if __name__ == "__main__":
    main()
