"""Turn a finished run into a shipped model: small weights, measured figures in the header, and the model card.

    python tools/ship_model.py RUN NAME --data FOLDER              write src/ganvas/weights/NAME.safetensors and NAME.md
    python tools/ship_model.py RUN NAME --data FOLDER --card-only  leave the model as it is, write NAME.md anew

FOLDER holds MNIST's four IDX files. RUN is the run that the model came from.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from ganvas.config import LabelRecipe, Recipe, difference, load_recipe  # noqa: E402
from ganvas.inference import Model  # noqa: E402
from ganvas.model_file import LabelHeader, load_model, save_model  # noqa: E402
from ganvas.training.stats import read_stats  # noqa: E402
from ganvas.training.subject import resolve  # noqa: E402
from measure_digits import COUNT, DigitJudge, Measured  # noqa: E402

MOST_LEVELS = 1  # of 255
HEAD = """# {name}

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
"""
CARD = """{head}
Measured by `python benchmarks/measure_digits.py --data MNIST {name}`: 10,000 drawn pictures, read by the shipped digit
classifier, against MNIST's 10,000 test digits.{chosen}

| metric | value |
|---|---|
{metrics}
{per_class}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--card-only", action="store_true")
    options = parser.parse_args()
    target = ROOT / "src/ganvas/weights" / f"{options.name}.safetensors"
    generator, header = load_model(options.run / "model.safetensors")
    half = True
    if not options.card_only:
        save_model(target, generator, header, half=True)
        # Long runs end with large weights, whose rounding shows: those stay float32.
        half = largest_difference(Model(options.run), Model(target)) <= MOST_LEVELS
        save_model(target, generator, header, half=half)
    judge = DigitJudge(options.data)
    measured = judge.model(Model(target))
    figures = {"digit_frechet": measured.digit_frechet, "digit_frechet_real": judge.reference().digit_frechet}
    if measured.asked_accuracy is not None and measured.asked_accuracy_worst_class is not None:
        figures["asked_accuracy"] = measured.asked_accuracy
        figures["asked_accuracy_worst_class"] = measured.asked_accuracy_worst_class
    if not options.card_only:
        save_model(target, generator, header.model_copy(update={"metrics": figures}), half=half)
    level = largest_difference(Model(options.run), Model(target))
    target.with_suffix(".md").write_text(card(options.name, options.run, target, figures, measured, level), "utf-8")
    print(target.with_suffix(".md").read_text("utf-8"))


def largest_difference(whole: Model, half: Model) -> int:
    """Largest difference of a pixel between float32 and float16 weights over 10,000 pictures, of 255."""
    pairs = zip(whole.draw(count=COUNT), half.draw(count=COUNT), strict=True)
    return max(int(np.abs(a.images.astype(int) - b.images.astype(int)).max()) for a, b in pairs)


def card(name: str, run: Path, target: Path, figures: dict[str, float], measured: Measured, level: int) -> str:
    """The model card's text."""
    recipe = load_recipe(run / "recipe.toml", of=LabelRecipe)
    header = Model(target).header
    assert isinstance(header, LabelHeader)
    chosen, validation = "", recipe.validation
    if validation.metric:
        pictures = f"{validation.samples:,} pictures, seen by the same classifier"
        chosen = f"\nThe checkpoint was chosen by {validation.metric} on {pictures}."
    per_class = ""
    if measured.per_class:
        shares = " | ".join(f"{share:.1%}" for share in measured.per_class if share is not None)
        per_class = f"\nAsked accuracy by class:\n\n| {' | '.join(header.class_names)} |\n|{'---|' * 10}\n| {shares} |"
    return CARD.format(
        head=head(name, run, recipe, target, level),
        name=name,
        metrics="\n".join(f"| {key} | {value:.4g} |" for key, value in figures.items()),
        per_class=per_class,
        chosen=chosen,
    )


def head(name: str, run: Path, recipe: Recipe, target: Path, level: int) -> str:
    """What the card of a model of any task begins with: where the model at ``target`` comes from."""
    environment: dict[str, Any] = json.loads((run / "environment.json").read_text("utf-8"))
    header = Model(target).header
    stats = read_stats(run / "stats.jsonl")
    total, end = recipe.train.total_images, stats[-1]["images"]
    changes = changes_to_named(recipe, environment["data"]["images"])
    return HEAD.format(
        name=name,
        description=recipe.description,
        recipe=recipe.name,
        changes=f", changed: {'; '.join(f'`{change}`' for change in changes)}" if changes else "",
        source=header.data.source,
        fingerprint=header.data.fingerprint,
        images=header.images_seen,
        total=total,
        stopped=(f"; the run was stopped early, at {end:,}" if end < total else "")
        + (f"; it went on from `{recipe.init.model}`, whose images are not counted" if recipe.init.model else ""),
        seconds=max(tick["seconds"] for tick in stats if tick["images"] <= header.images_seen),
        processor=environment["processor"],
        threads=environment["threads"],
        precision=environment["precision"],
        ganvas=environment["ganvas"],
        torch=environment["torch"],
        size=target.stat().st_size / 1e6,
        stored=stored_as(target, level),
        licence=header.data.licence,
    )


def stored_as(model: Path, level: int) -> str:
    """How the weights are stored, and by how many of 255 levels their pictures differ from float32's."""
    with safe_open(model, framework="numpy") as file:
        kinds = {str(file.get_slice(name).get_dtype()) for name in file.keys()}  # noqa: SIM118
    return "float32" if kinds == {"F32"} else f"float16; pictures differ from float32 by at most {level} of 255"


def changes_to_named(recipe: Recipe, images: int) -> list[str]:
    """What a run on ``images`` pictures changed in the recipe it names; where its data lay does not count."""
    named = resolve(load_recipe(recipe.name), images)
    return [change for change in difference(named, recipe) if not change.startswith("data.path:")]


if __name__ == "__main__":
    main()
