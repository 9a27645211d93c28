"""What each part of the digits-cgan recipe buys: one change at a time, several seeds, the same number of images.

    python benchmarks/ablation_digits_cgan.py --data FOLDER

Trains on MNIST's 60,000, measures as measure_digits.py does. Finished runs are kept in --runs and skipped when the
command is given again; the results are written as JSON, and the table in the documentation is made from them.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ganvas.config import load_recipe
from ganvas.inference import Model
from ganvas.training.run import TrainingRun
from measure_digits import DigitJudge

SCHEDULE = ["train.lr_decay_start_images={half}", "train.lr_decay_images={half}"]
# Name of the row: the recipe, and what is changed in it.
VARIANTS: dict[str, tuple[str, list[str]]] = {
    "digits-cgan": ("digits-cgan", []),
    "no projection": ("digits-cgan", ["discriminator.projection=false"]),
    "no wrong labels": ("digits-cgan", ["objective.wrong_labels=0"]),
    "bce instead of relativistic": ("digits-cgan", ["objective.adversarial=bce"]),
    "no R1": ("digits-cgan", ["objective.r1=0"]),
    "dropout 0.5 in D": ("digits-cgan", ["discriminator.dropout=0.5"]),
    "affine pieces": ("digits-cgan", ["discriminator.activation=none"]),
    "no average of weights": ("digits-cgan", ["train.ema_half_life_images=0"]),
    "learning rate falls to 0": ("digits-cgan", SCHEDULE),
    "digits-cgan-course": ("digits-cgan-course", []),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("docs/results/ablation-digits-cgan.json"))
    parser.add_argument("--runs", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    judge = DigitJudge(options.data)
    results: dict[str, list[dict[str, Any]]] = {}
    for seed in range(options.seeds):
        for name, (recipe, changes) in VARIANTS.items():
            common = [f"train.total_images={options.images}", f"train.seed={seed}", "validation.metric=''"]
            common += ["train.checkpoint_images=1000000", "validation.every_images=1000000"]
            filled = [change.format(half=options.images // 2) for change in changes]
            settings = load_recipe(recipe, [*common, *filled, f"data.path='{options.data.resolve()}'"])
            run = TrainingRun(settings, options.runs / f"{name.replace(' ', '-')}-{seed}", device="cpu")
            if not run.complete:
                run.finish()
            measured = asdict(judge.model(Model(run.model_path)))
            results.setdefault(name, []).append({"seed": seed, "seconds": run.stats[-1]["seconds"], **measured})
            print(f"{name}, seed {seed}: {measured['asked_accuracy']:.2%}, {measured['digit_frechet']:.2f}", flush=True)
    result = {"images": options.images, "variants": results}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(table(result))


def table(result: dict[str, Any]) -> str:
    """Means and ranges over the seeds as Markdown."""
    lines = ["| change | asked accuracy | worst class | digit_frechet |", "|---|---|---|---|"]
    for name, runs in result["variants"].items():
        cells = []
        for key, form in (("asked_accuracy", ".1%"), ("asked_accuracy_worst_class", ".1%"), ("digit_frechet", ".2f")):
            values = [run[key] for run in runs]
            cells.append(f"{statistics.mean(values):{form}} ({min(values):{form}} to {max(values):{form}})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
