"""The step on a device that is not there: every operation must find its operands on one device.

The CPU build of torch cannot train on a fake graphics processor (its autograd asks for the real one), so the step runs
on the meta device and drawing on a fake one.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from ganvas.config import LabelRecipe, load_recipe, recipe_names
from ganvas.tasks import LabelTask

CUDA, META = torch.device("cuda:0"), torch.device("meta")


@pytest.mark.parametrize("name", recipe_names())
def test_step_stays_on_its_device(name: str) -> None:
    task = LabelTask(load_recipe(name, of=LabelRecipe), 10, META)
    pictures = torch.zeros(8, 1, 28, 28, dtype=torch.uint8, device=META)
    labels = torch.zeros(8, dtype=torch.int64, device=META)
    gradients = task.gradients(task._to_range(pictures), labels, task.draw_noise(8))
    assert {value.device for value in gradients.losses.values()} == {META}
    assert {value.device for value in (*gradients.generator, *gradients.discriminator)} == {META}


# Fake convolutions ask the processor's library which layout it likes, and there is none: dense generators only.
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", [name for name in recipe_names() if name != "digits-conv"])
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
