"""The step on a device that is not there: every operation must find its operands on one device.

The CPU build of torch cannot train on a fake graphics processor (its autograd asks for the real one), so the step runs
on the meta device and drawing on a fake one.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from ganvas.config import LabelRecipe, SegmentRecipe, TranslateRecipe, load_recipe, recipe_names
from ganvas.data.preparation import Preparation
from ganvas.tasks import LabelTask, SegmentTask, Task, TranslateTask

CUDA, META = torch.device("cuda:0"), torch.device("meta")
LABEL = [name for name in recipe_names() if load_recipe(name).task == "label"]
TRANSLATE = [name for name in recipe_names() if load_recipe(name).task == "translate"]


@pytest.mark.parametrize("name", LABEL)
def test_step_stays_on_its_device(name: str) -> None:
    task = LabelTask(load_recipe(name, of=LabelRecipe), 10, META)
    pictures = torch.zeros(8, 1, 28, 28, dtype=torch.uint8, device=META)
    labels = torch.zeros(8, dtype=torch.int64, device=META)
    gradients = task.gradients(task._to_range(pictures), labels, task.draw_noise(8))
    assert {value.device for value in gradients.losses.values()} == {META}
    assert {value.device for value in (*gradients.generator, *gradients.discriminator)} == {META}


def gradients_seen(task: Task, monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """What the optimisers, which have no kernel here, would get."""
    seen: list[torch.Tensor] = []
    for optimiser in task.optimisers.values():
        weights = optimiser.param_groups[0]["params"]
        monkeypatch.setattr(
            optimiser, "step", lambda own=weights: seen.extend(each.grad for each in own if each.grad is not None)
        )
    return seen


@pytest.mark.parametrize("name", TRANSLATE)
def test_step_of_pictures_stays_on_its_device(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    small = ["data.size=32", "generator.width=4", "discriminator.width=4", "discriminator.receptive_field=16"]
    # Dabs and lines are placed by looking at values, which this device has none of.
    recipe = load_recipe(name, [*small, "hints.enabled=false", "data.vary_lines=false"], of=TranslateRecipe)
    maps = recipe.data.source == "labels"
    names, colours = (("sky", "road"), ((0, 0, 255), (9, 9, 9))) if maps else ((), ())
    source = Preparation(
        kind=recipe.data.source, channels=1 if maps else recipe.data.source_channels, class_names=names, colours=colours
    )
    task = TranslateTask(recipe, source, Preparation(channels=3), (), META)
    seen = gradients_seen(task, monkeypatch)
    sources = torch.zeros(2, source.channels, 32, 32, dtype=torch.uint8, device=META)
    targets = torch.zeros(2, 3, 32, 32, dtype=torch.uint8, device=META)
    losses = task.step(sources, targets, torch.zeros(2, dtype=torch.int64, device=META), 0)
    assert {value.device for value in (*losses.values(), *seen)} == {META}
    assert len(seen) == sum(len(list(network.parameters())) for network in task.networks.values())


def test_step_of_a_segmenter_stays_on_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load_recipe("street-segmenter", ["data.size=32", "generator.width=4"], of=SegmentRecipe)
    painted = Preparation(class_names=("sky", "road"), colours=((0, 0, 255), (9, 9, 9)), ignore=11)
    task = SegmentTask(recipe, Preparation(channels=3), painted, META)
    seen = gradients_seen(task, monkeypatch)
    maps, photos = (torch.zeros(2, channels, 32, 32, dtype=torch.uint8, device=META) for channels in (1, 3))
    losses = task.step(maps, photos, torch.zeros(2, dtype=torch.int64, device=META), 0)
    assert {value.device for value in (*losses.values(), *seen, task.find(photos))} == {META}
    assert len(seen) == len(list(task.generator.parameters()))


# Fake convolutions ask the processor's library which layout it likes, and there is none: dense generators only.
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", [name for name in LABEL if name != "digits-conv"])
def test_drawing_stays_on_a_fake_cuda_device(name: str, precision: str) -> None:
    recipe = load_recipe(name, [f"train.precision={precision}"], of=LabelRecipe)
    task = LabelTask(recipe, 10, torch.device("cpu"))
    task.device = CUDA
    with FakeTensorMode(), torch.no_grad():
        for network in (*task.networks.values(), task.drawing_generator):
            move(network, CUDA)
        labels = torch.zeros(8, dtype=torch.int64, device=CUDA)
        drawn = task.draw(task.draw_noise(8), labels)
        assert drawn.device == CUDA
        assert drawn.shape == (8, 1, 28, 28)


def move(network: nn.Module, device: torch.device) -> None:
    """Replace the parameters by fake ones on ``device``; Module.to cannot do that to fake tensors."""
    for module in network.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            module.register_parameter(name, nn.Parameter(torch.empty(parameter.shape, device=device)))
