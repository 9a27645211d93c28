"""Turn a finished picture -> picture run into a shipped model: float16 weights, figures in the header, the model card.

    python tools/ship_translator.py RUN NAME     write src/ganvas/weights/NAME.safetensors and NAME.md

The figures are measured on the pairs that the run's recipe holds out, at the run's size, without hints.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ganvas.config import TranslateRecipe, load_recipe
from ganvas.data.pairs import PairImages, open_pairs
from ganvas.inference import Model
from ganvas.metrics.intervals import mean_interval
from ganvas.metrics.translation import measure_translation
from ganvas.model_file import TranslateHeader, load_model, save_model
from ganvas.pictures import Pixels
from ship_model import head

ROOT = Path(__file__).parents[1]
COMPARED = 20  # pictures whose float16 and float32 translations are compared
CARD = """{head}
Measured on {count} held-out pairs at {side} pixels, without hints; mean and 95% interval over the pictures:

| metric | value |
|---|---|
{metrics}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    options = parser.parse_args()
    recipe = load_recipe(options.run / "recipe.toml", of=TranslateRecipe)
    target = ROOT / "src/ganvas/weights" / f"{options.name}.safetensors"
    generator, header = load_model(options.run / "model.safetensors")
    assert isinstance(header, TranslateHeader)
    save_model(target, generator, header, half=True)
    pairs = open_pairs(recipe.data, "test", side=recipe.data.size)
    values = measure_translation(translator(Model(target)), pairs)
    means = {name: float(np.mean(value)) for name, value in values.items()}
    save_model(target, generator, header.model_copy(update={"metrics": means}), half=True)
    level = largest_difference(Model(options.run), Model(target), pairs)
    rows = []
    for name, found in values.items():
        interval = mean_interval(found)
        rows.append(f"| {name} | {interval.mean:.4g} ({interval.low:.4g} to {interval.high:.4g}) |")
    start = head(options.name, options.run, recipe, target, level)
    text = CARD.format(head=start, count=len(pairs), side=recipe.data.size, metrics="\n".join(rows))
    target.with_suffix(".md").write_text(text, "utf-8")
    print(text)


def translator(model: Model) -> Any:
    """The model on arrays, as the metrics want it."""

    def translate(sources: Pixels, labels: npt.NDArray[np.int64]) -> Pixels:
        return np.stack([model.translate_array(np.moveaxis(source, 0, -1)) for source in sources])

    return translate


def largest_difference(whole: Model, half: Model, pairs: PairImages) -> int:
    """Largest difference of a value between float32 and float16 weights over some held-out pictures, of 255."""
    sources, labels = pairs.sources[:COMPARED], pairs.labels[:COMPARED]
    one, other = (translator(model)(sources, labels).astype(int) for model in (whole, half))
    return int(np.abs(one - other).max())


if __name__ == "__main__":
    main()
