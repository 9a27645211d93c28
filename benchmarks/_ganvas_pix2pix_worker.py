"""A contestant of pix2pix_step.py: the classic pix2pix step of ganvas, as `ganvas train` takes it, from uint8 on.

The networks are those of the other contestants at full width, 3 to 3 channels. Jitter and flip, which the others do
not pay for, are off.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch

from _contestant import serve
from ganvas.config import TranslateRecipe, parse_recipe
from ganvas.data.preparation import Preparation
from ganvas.memory import freed_memory_kept
from ganvas.tasks.translate import TranslateTask
from ganvas.training.matmul import choose_matmul_route, matmul_route

POOL = 8  # prepared batches


def classic_task(side: int, batch: int, precision: str, preset: str = "torch") -> TranslateTask:
    """A freshly initialised task; torch's global generator decides the weights."""
    table = {
        "name": "pix2pix-step",
        "task": "translate",
        "preset": preset,
        "data": {"size": side, "jitter": False, "flip": False},
        "train": {"total_images": 10_000_000, "batch_size": batch, "precision": precision},
    }
    recipe = parse_recipe(table, "pix2pix-step")
    if not isinstance(recipe, TranslateRecipe):
        raise TypeError(f"the recipe of a translation was read as a {type(recipe).__name__}")
    picture = Preparation(kind="picture", channels=3)
    return TranslateTask(recipe, picture, picture, (), torch.device("cpu"))


def contestant_step(side: int, batch: int, precision: str) -> Callable[[], object]:
    """One step on the next of the prepared batches; waits for the losses."""
    torch.manual_seed(0)
    task = classic_task(side, batch, precision)
    batches = [torch.randint(0, 256, (2, batch, 3, side, side), dtype=torch.uint8) for _ in range(POOL)]
    labels = torch.zeros(batch, dtype=torch.int64)
    count = 0

    def step() -> object:
        nonlocal count
        source, target = batches[count % POOL]
        losses = task.step(source, target, labels, count * batch)
        count += 1
        return [loss.item() for loss in losses.values()]

    return step


def main() -> None:
    """Serves rounds at the asked side, batch and precision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    asked = parser.parse_args()
    route = choose_matmul_route()
    described = {
        "precision": asked.precision, "torch": torch.__version__, "threads": torch.get_num_threads(), "route": route
    }  # fmt: skip
    with matmul_route(route), freed_memory_kept():
        serve(contestant_step(asked.side, asked.batch, asked.precision), described, warm_up=3)


if __name__ == "__main__":
    main()
