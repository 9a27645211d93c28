"""Turn a finished picture -> picture run into a shipped model: float16 weights, figures in the header, the model card.

    python tools/ship_translator.py RUN NAME     write src/ganvas/weights/NAME.safetensors and NAME.md

The figures are measured on the pairs that the run's recipe holds out, at the run's size, without hints.
"""

from __future__ import annotations

import argparse
import json
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
from ganvas.training.stats import read_stats
from ship_model import changes_to_named, stored_as

ROOT = Path(__file__).parents[1]
COMPARED = 20  # pictures whose float16 and float32 translations are compared
CARD = """# {name}

{description}

| | |
|---|---|
| recipe | `{recipe}` (`ganvas recipes {recipe}`){changes} |
| trained on | {source}; fingerprint {fingerprint} |
| images seen | {images:,} of {total:,}{stopped} |
| training time | {seconds:,.0f} seconds on {processor}, {threads} threads, {precision} |
| made with | ganvas {ganvas}, torch {torch} |
| size | {size:.2f} MB, {stored} |
| data licence | {licence} |

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
    text = card(options.name, options.run, recipe, target, values, level)
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


def card(
    name: str, run: Path, recipe: TranslateRecipe, target: Path, values: dict[str, npt.NDArray[np.float64]], level: int
) -> str:
    """The model card's text."""
    environment: dict[str, Any] = json.loads((run / "environment.json").read_text("utf-8"))
    header = Model(target).header
    stats = read_stats(run / "stats.jsonl")
    total, end = recipe.train.total_images, stats[-1]["images"]
    changes = changes_to_named(recipe, environment["data"]["images"])
    rows = []
    for metric, found in values.items():
        interval = mean_interval(found)
        rows.append(f"| {metric} | {interval.mean:.4g} ({interval.low:.4g} to {interval.high:.4g}) |")
    return CARD.format(
        name=name,
        description=recipe.description,
        recipe=recipe.name,
        changes=f", changed: {'; '.join(f'`{change}`' for change in changes)}" if changes else "",
        source=header.data.source,
        fingerprint=header.data.fingerprint,
        images=header.images_seen,
        total=total,
        stopped=f"; the run was stopped early, at {end:,}" if end < total else "",
        seconds=max(tick["seconds"] for tick in stats if tick["images"] <= header.images_seen),
        processor=environment["processor"],
        threads=environment["threads"],
        precision=environment["precision"],
        ganvas=environment["ganvas"],
        torch=environment["torch"],
        size=target.stat().st_size / 1e6,
        stored=stored_as(target, level),
        licence=header.data.licence,
        count=len(next(iter(values.values()))),
        side=recipe.data.size,
        metrics="\n".join(rows),
    )


if __name__ == "__main__":
    main()
