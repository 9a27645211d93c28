"""How much of a training step goes into its batch: shuffling, gathering, scaling to [-1, 1].

    python benchmarks/batch_cost.py

One-hot labels cost nothing of their own: labels stay indices, and a Dense layer on them is a look-up inside the step.
"""

from __future__ import annotations

import statistics
import time

import torch

from ganvas.config import LabelRecipe, load_recipe
from ganvas.data.batches import LabelledBatches
from ganvas.data.labelled import open_labelled
from ganvas.tasks import LabelTask

STEPS = 200


def main() -> None:
    device = torch.device("cpu")
    data = open_labelled(None, size=28, channels=1, split="train")
    for name in ("digits-cgan-course", "digits-cgan"):
        recipe = load_recipe(name, of=LabelRecipe)
        task = LabelTask(recipe, 10, device)
        batches = LabelledBatches(data, recipe.train.batch_size, recipe.train.seed, device)
        batch_ms, step_ms = [], []
        for step in range(STEPS):
            seen = step * recipe.train.batch_size % (len(data) - recipe.train.batch_size)
            start = time.perf_counter()
            pictures, labels = batches.batch(seen)
            pictures.float().mul_(2 / 255).sub_(1)
            middle = time.perf_counter()
            task.step(pictures, labels, seen)
            batch_ms.append((middle - start) * 1e3)
            step_ms.append((time.perf_counter() - middle) * 1e3)
        batch, whole = statistics.median(batch_ms), statistics.median(step_ms)
        # An epoch's permutation comes once in many batches, where the median does not see it: the mean does.
        mean = statistics.mean(batch_ms)
        print(f"{name}: batch {batch:.3f} ms (mean {mean:.3f}), step {whole:.2f} ms: {mean / whole:.1%} of a step")


if __name__ == "__main__":
    main()
