"""A contestant of cgan_step.py: a step of a ganvas recipe as `ganvas train` takes it, from uint8 pictures to updates.

--variant is RECIPE-PRECISION, with "course" for digits-cgan-course, and "-compiled" behind it for train.compile.
"""

from __future__ import annotations

import argparse

import torch
from torch.profiler import ProfilerActivity, profile

from _contestant import serve
from ganvas.config import LabelRecipe, load_recipe
from ganvas.data.batches import LabelledBatches, stream_seed
from ganvas.data.labelled import open_labelled
from ganvas.tasks import LabelTask
from ganvas.training.matmul import choose_matmul_route, matmul_route


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", required=True)
    variant = parser.parse_args().variant
    compiled = variant.endswith("-compiled")
    name, _, precision = variant.removesuffix("-compiled").rpartition("-")
    name = "digits-cgan-course" if name == "course" else name
    settings = [f"train.precision={precision}", f"train.compile={str(compiled).lower()}"]
    recipe = load_recipe(name, settings, of=LabelRecipe)
    route = choose_matmul_route()
    device = torch.device("cpu")
    data = open_labelled(None, size=28, channels=1, split="train")
    task = LabelTask(recipe, 10, device)
    batches = LabelledBatches(data, recipe.train.batch_size, recipe.train.seed, device)
    # Whole batches only, as the other contestants have: an epoch's last one is left out.
    usable = len(data) - len(data) % recipe.train.batch_size
    seen = 0

    def step() -> object:
        nonlocal seen
        epoch, start = divmod(seen, usable)
        images = epoch * len(data) + start
        torch.manual_seed(stream_seed(recipe.train.seed, "step", images))
        losses = task.step(*batches.batch(images), images)
        seen += recipe.train.batch_size
        return losses

    description: dict[str, object] = {
        "precision": precision, "torch": torch.__version__, "threads": torch.get_num_threads(), "route": route
    }  # fmt: skip
    if name != "digits-cgan-course":
        # Matrix products alone, as the other rows count; a whole cycle of steps with and without penalties.
        steps = recipe.objective.penalty_interval
        with profile(activities=[ProfilerActivity.CPU], with_flops=True) as counted:
            for _ in range(steps):
                step()
        products = [event.flops for event in counted.key_averages() if event.key in ("aten::mm", "aten::addmm")]
        description["gflop"] = sum(products) / steps / 1e9
    with matmul_route(route):
        serve(step, description)


if __name__ == "__main__":
    main()
