"""What the class beside a sketch does: held-out pairs translated as their own class, as every other, and compared.

    ganvas train sketch2color --set 'condition=["picture", "label"]' --set data.labels=group --out runs/by-class
    python benchmarks/classes.py runs/by-class --json docs/results/classes.json --sheet docs/pictures/classes.png

RUN is a model of a picture with a class, of the emoji.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ganvas
from _contestant import write_json
from ganvas.config import TranslateRecipe, load_recipe
from ganvas.data.pairs import open_pairs
from ganvas.metrics.intervals import mean_interval
from ganvas.metrics.pictures import measure_pictures
from ganvas.model_file import TranslateHeader
from ganvas.pictures import Pixels, grid, save_png

SHOWN = 10
OWN, OTHER = "its own class", "another class"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a model of a picture with a class")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    model = ganvas.load(options.run)
    header = model.header
    assert isinstance(header, TranslateHeader), f"'{options.run}' translates no pictures"
    settings = [f"data.size={header.size}", 'data.labels="group"']
    recipe = load_recipe(header.recipe, settings, of=TranslateRecipe)
    pairs = open_pairs(recipe.data, "test", side=header.size)
    sources = np.moveaxis(pairs.sources, 1, -1)
    # Every pair as every class, (classes, pairs, H, W, 3).
    drawn = np.stack([[model.translate_array(one, label=name) for one in sources] for name in pairs.class_names])
    targets = _planes(np.moveaxis(pairs.targets, 1, -1))
    distances = [measure_pictures(_planes(as_class), targets) for as_class in drawn]
    own = np.arange(len(pairs)), pairs.labels
    rows: dict[str, Any] = {OWN: {}, OTHER: {}}
    for name in ("l1", *(name for name in distances[0] if name.startswith("ms_"))):
        values = np.stack([np.asarray(one[name]) for one in distances], axis=1)  # (pairs, classes)
        others = (values.sum(axis=1) - values[own]) / (values.shape[1] - 1)
        for row, found in ((OWN, values[own]), (OTHER, others), ("nearer", others - values[own])):
            mean = mean_interval(found)
            rows.setdefault(row, {})[name] = [mean.mean, mean.low, mean.high]
    result = {"model": header.recipe, "size": header.size, "images_seen": header.images_seen, "pairs": len(pairs)}
    result |= {"classes": list(pairs.class_names), "rows": rows}
    print(table(result))
    write_json(options.json, result)
    if options.sheet:
        chosen = np.linspace(0, len(pairs) - 1, SHOWN).round().astype(int)
        cells = [
            picture
            for index in chosen
            for picture in (
                pairs.source_preparation.shown(sources[index][None])[0],
                *drawn[:, index],
                np.moveaxis(pairs.targets[index], 0, -1),
            )
        ]
        captions = [""] * (len(cells) - len(pairs.class_names) - 2) + [
            "sketch",
            *(name.partition("-")[0] for name in pairs.class_names),
            "truth",
        ]
        save_png(grid(np.stack(cells), len(cells) // SHOWN, captions=captions, gap=4), options.sheet)


def table(result: dict[str, Any]) -> str:
    """The result as Markdown; intervals are of the mean over the pictures, the difference's over the same ones."""
    names = list(result["rows"][OWN])
    lines = ["| asked for | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for row, values in result["rows"].items():
        title = "difference" if row == "nearer" else row
        cells = ["{:.4f} ({:.4f} to {:.4f})".format(*values[name]) for name in names]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _planes(pictures: Pixels) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(pictures, -1, 1)))


if __name__ == "__main__":
    main()
