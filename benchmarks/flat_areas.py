"""How evenly models paint what is of one colour in the true picture, how much they leave white, what runs out, and L1.

    python benchmarks/flat_areas.py sketch2color runs/other --json docs/results/flat-areas.json

For data of flat colours, by default the emoji: held-out sketches are translated, without dabs of colour unless --dabs
says otherwise, and looked at within the areas that truth paints in one colour, less two pixels along their edges.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor

from _contestant import write_json
from ganvas.inference import model_name, resolve_model
from ganvas.metrics.intervals import mean_interval
from ganvas.metrics.pictures import l1
from ganvas.pictures import Pixels, to_uint8
from hints import held_out, load_translator, random_dabs, translated

Mask = npt.NDArray[np.bool_]
LEAST_PIXELS = 40  # of an area without its edges
LINE = 40  # of 255: darker in every channel is a line, not paint
PAPER = 24  # of 255: nearer to white in every channel is unpainted
COLOURED = 48  # of 255: a true colour further from white than this in some channel should not look unpainted
COLUMNS = {
    "l1": "L1",
    "unevenness": "unevenness, of 255",
    "unpainted": "left white",
    "run_out": "paper painted",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="names of shipped models, runs or files")
    parser.add_argument("--data", default="", help="pairs; default: the emoji")
    parser.add_argument("--dabs", type=int, default=0, help="of the true colours on each sketch, those of hints.py")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = {model_name(resolve_model(name)): measured(name, options.data, options.dabs) for name in options.models}
    print(table(result))
    write_json(options.json, result)


def measured(name: str, data: str, dabs: int) -> dict[str, Any]:
    """Means over the held-out pictures with their intervals."""
    generator, header = load_translator(name)
    pairs = held_out(header, data)
    hints = random_dabs(pairs, dabs, seed=dabs) if header.hints else None
    pictures = to_uint8(translated(generator, header, pairs, hints).numpy())
    found: dict[str, list[float]] = {key: [] for key in COLUMNS}
    for drawn, target in zip(np.moveaxis(pictures, 1, -1), np.moveaxis(pairs.targets, 1, -1), strict=True):
        found["l1"].append(float(l1(_batch(drawn), _batch(target))))
        for key, value in defects(drawn, target).items():
            found[key].append(value)
    if not all(found.values()):
        raise SystemExit(f"{pairs.source}: no areas of one colour, nothing to measure")
    intervals = {key: mean_interval(values) for key, values in found.items()}
    counts = {key: len(values) for key, values in found.items()}
    return {"images_seen": header.images_seen, "pairs": len(pairs), "pairs_with": counts} | {
        key: [each.mean, each.low, each.high] for key, each in intervals.items()
    }


def defects(drawn: Pixels, target: Pixels) -> dict[str, float]:
    """Of two pictures (H, W, 3), for whichever of these there are such areas:

    - ``unevenness``: the root of the summed variances of red, green and blue within an area, of 255, averaged over
      painted areas by their size;
    - ``unpainted``: the share of coloured areas that is drawn white;
    - ``run_out``: the share of the white around the drawing that is not.

    Dark areas are left out: in a drawing they cannot be told from lines.
    """
    colour = drawn.astype(float)
    white = (255 - colour).max(axis=2) <= PAPER
    uneven, sizes, coloured, paper = [], [], [], []
    for area, true_colour in flat_areas(target):
        if (255 - true_colour.astype(int)).max() <= PAPER and _touches_border(area):
            paper.append(area)
            continue
        uneven.append(np.sqrt(colour[area].var(axis=0).sum()))
        sizes.append(area.sum())
        if (255 - true_colour.astype(int)).max() > COLOURED:
            coloured.append(area)
    found = {}
    if sizes:
        found["unevenness"] = float(np.average(uneven, weights=sizes))
    if coloured:
        found["unpainted"] = float(white[np.any(coloured, axis=0)].mean())
    if paper:
        found["run_out"] = float((~white)[np.any(paper, axis=0)].mean())
    return found


def flat_areas(target: Pixels) -> list[tuple[Mask, Pixels]]:
    """The connected areas of exactly one colour without their outermost two pixels, and the colours; lines are none."""
    codes = target.astype(np.int64) @ (1 << np.array([16, 8, 0]))
    areas = []
    for code in np.unique(codes):
        colour = target[codes == code][0]
        if colour.max() < LINE:
            continue
        labelled, count = ndimage.label(codes == code)
        for number in range(1, count + 1):
            # The picture's border is no edge of an area.
            inner = ndimage.binary_erosion(labelled == number, iterations=2, border_value=1)
            if inner.sum() >= LEAST_PIXELS:
                areas.append((inner, colour))
    return areas


def _touches_border(area: Mask) -> bool:
    return bool(area[0].any() or area[-1].any() or area[:, 0].any() or area[:, -1].any())


def _batch(picture: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture)).movedim(-1, 0)[None]


def table(result: dict[str, Any]) -> str:
    """Means with 95% bootstrap intervals over the pictures."""
    lines = ["| | images seen | " + " | ".join(COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 2) + "|"]
    for name, values in result.items():
        cells = [f"{values['images_seen']:,}", _cell(values["l1"], ".4f"), _cell(values["unevenness"], ".1f")]
        cells += [_cell(values[key], ".2%") for key in ("unpainted", "run_out")]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(interval: list[float], form: str) -> str:
    mean, low, high = interval
    return f"{mean:{form}} ({low:{form}} to {high:{form}})"


if __name__ == "__main__":
    main()
