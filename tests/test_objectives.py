"""The objectives against their formulas, and the shortcuts of the step against plain autograd."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ganvas import objectives
from ganvas.config import LabelRecipe, load_recipe
from ganvas.objectives import Adversarial
from ganvas.tasks import LabelTask

KINDS: tuple[Adversarial, ...] = ("bce", "lsgan", "hinge", "relativistic")


def logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))


@pytest.mark.parametrize("kind", KINDS)
def test_losses_are_the_papers_formulas(kind: Adversarial) -> None:
    real, fake = 0.7, -1.3
    expected = {
        "bce": (-math.log(logistic(real)) - math.log(1 - logistic(fake)), -math.log(logistic(fake))),
        "lsgan": (0.5 * (real - 1) ** 2 + 0.5 * fake**2, 0.5 * (fake - 1) ** 2),
        "hinge": (max(0, 1 - real) + max(0, 1 + fake), -fake),
        "relativistic": (-math.log(logistic(real - fake)), -math.log(logistic(fake - real))),
    }[kind]
    r, f = torch.tensor([real]), torch.tensor([fake])
    assert float(objectives.discriminator_loss(kind, r, f)) == pytest.approx(expected[0], rel=1e-5)
    assert float(objectives.generator_loss(kind, r, f)) == pytest.approx(expected[1], rel=1e-5)


@pytest.mark.parametrize("kind", ["bce", "relativistic"])
def test_row_scale_turns_the_gradient_of_d_into_that_of_g(kind: Adversarial) -> None:
    real = torch.linspace(-5, 5, 11, dtype=torch.float64)
    fake = torch.linspace(7, -7, 11, dtype=torch.float64).requires_grad_()
    (of_d,) = torch.autograd.grad(objectives.discriminator_loss(kind, real, fake).sum(), fake)
    (of_g,) = torch.autograd.grad(objectives.generator_loss(kind, real, fake).sum(), fake)
    scale = objectives.generator_row_scale(kind, real, fake.detach())
    assert scale is not None
    torch.testing.assert_close(of_d * scale, of_g, rtol=1e-12, atol=0)


def test_row_scale_holds_in_float32_for_logits_far_below_zero() -> None:
    """Where D has run away, G must still get the gradient of -log s(D) in full: 1 a sample."""
    fake = torch.tensor([-20.0, -65.0, -75.0], requires_grad=True)
    (of_d,) = torch.autograd.grad(objectives.discriminator_loss("bce", torch.zeros(3), fake).sum(), fake)
    scale = objectives.generator_row_scale("bce", torch.zeros(3), fake.detach())
    assert scale is not None
    torch.testing.assert_close(of_d * scale, -torch.ones(3))


def test_gradient_matching_sums_the_differences_of_four_scales() -> None:
    """Pixel by pixel after eq. 4 of Li & Snavely 2018, each scale divided by its own number of differences."""
    drawn, target = torch.rand(2, 3, 16, 24, dtype=torch.float64), torch.rand(2, 3, 16, 24, dtype=torch.float64)
    residual = (drawn - target).numpy()
    expected = 0.0
    for scale in (1, 2, 4, 8):
        rows, columns = range(0, 16, scale), range(0, 24, scale)
        down = [abs(residual[:, :, y + scale, x] - residual[:, :, y, x]) for y in rows[:-1] for x in columns]
        across = [abs(residual[:, :, y, x + scale] - residual[:, :, y, x]) for y in rows for x in columns[:-1]]
        expected += float(np.mean(down)) + float(np.mean(across))
    assert float(objectives.gradient_matching(drawn, target)) == pytest.approx(expected, rel=1e-12)


def test_gradient_matching_minds_two_colours_in_an_area_where_l1_does_not() -> None:
    target = torch.zeros(1, 3, 32, 32)
    one_colour, two_colours = target.clone(), target.clone()
    one_colour[..., 8:24, 8:24] = 0.5
    two_colours[..., 8:24, 8:16], two_colours[..., 8:24, 16:24] = 0.5, -0.5
    assert (one_colour - target).abs().mean() == (two_colours - target).abs().mean()
    costs = [float(objectives.gradient_matching(drawn, target)) for drawn in (one_colour, two_colours)]
    assert costs[1] > 1.2 * costs[0] > 0


def test_gradient_penalty_is_half_the_squared_slope() -> None:
    slope = torch.randn(1, 2, 4, 4)
    pictures = torch.randn(3, 2, 4, 4, requires_grad=True)
    penalty = objectives.gradient_penalty((pictures * slope).sum((1, 2, 3)), pictures)
    torch.testing.assert_close(penalty, 0.5 * slope.square().sum().expand(3))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("recipe", ["digits-cgan", "digits-conv", "digits-gan"])
def test_one_shared_pass_gives_the_gradients_of_two_separate_ones(recipe: str, kind: Adversarial) -> None:
    """The usual loop (D on detached pictures, then D again for G) is the reference."""
    settings = [f"objective.adversarial={kind}", "objective.r1=0.3", "objective.r2=0.1", "objective.penalty_interval=1"]
    if recipe == "digits-conv":
        settings += ["generator.width=8", "discriminator.width=8"]
    if recipe != "digits-gan":
        settings += ["objective.wrong_labels=0.5"]
    torch.set_default_dtype(torch.float64)
    try:
        task = LabelTask(load_recipe(recipe, settings, of=LabelRecipe), 10, torch.device("cpu"))
        real, labels, z = torch.rand(6, 1, 28, 28) * 2 - 1, torch.randint(0, 10, (6,)), task.draw_noise(6)
        torch.manual_seed(5)
        ours = task.gradients(real, labels, z)
        torch.manual_seed(5)
        g_loss, d_loss = two_separate_passes(task, kind, real, labels, z)
        g_expected = torch.autograd.grad(g_loss, list(task.generator.parameters()))
        d_expected = torch.autograd.grad(d_loss, list(task.discriminator.parameters()))
    finally:
        torch.set_default_dtype(torch.float32)
    for found, expected in zip([*ours.generator, *ours.discriminator], [*g_expected, *d_expected], strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-12)


def two_separate_passes(
    task: LabelTask, kind: Adversarial, real: Tensor, labels: Tensor, z: Tensor
) -> tuple[Tensor, Tensor]:
    objective = task.recipe.objective
    y = labels if task.recipe.conditional else None
    fake = task.generator(z, y)
    on_real = task.discriminator(real, y)
    d_loss = objectives.discriminator_loss(kind, on_real, task.discriminator(fake.detach(), y)).mean()
    if objective.wrong_labels:
        wrong = (labels + torch.randint_like(labels, 1, 10)) % 10
        on_wrong = task.discriminator(real, wrong)
        d_loss = d_loss + objective.wrong_labels * objectives.wrong_label_loss(kind, on_real, on_wrong).mean()
    for weight, pictures in ((objective.r1, real), (objective.r2, fake)):
        leaf = pictures.detach().requires_grad_()
        d_loss = d_loss + weight * objectives.gradient_penalty(task.discriminator(leaf, y), leaf).mean()
    g_loss = objectives.generator_loss(kind, on_real.detach(), task.discriminator(fake, y)).mean()
    return g_loss, d_loss


@pytest.mark.parametrize("activation", ["relu", "none"])
def test_hand_written_step_equals_autograd(activation: str) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        recipe = load_recipe("digits-cgan-course", [f"discriminator.activation={activation}"], of=LabelRecipe)
        task = LabelTask(recipe, 10, torch.device("cpu"))
        real, labels, z = torch.rand(9, 1, 28, 28) * 2 - 1, torch.randint(0, 10, (9,)), task.draw_noise(9)
        ours = task.gradients(real, labels, z)
        expected = task._autograd_gradients(real, labels, z)
    finally:
        torch.set_default_dtype(torch.float32)
    assert task._course is not None
    for name, value in expected.losses.items():
        torch.testing.assert_close(ours.losses[name], value)
    for found, wanted in zip(
        [*ours.generator, *ours.discriminator], [*expected.generator, *expected.discriminator], strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-14)


def test_step_runs_uncompiled_where_compiling_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_compiler(*_: object, **__: object) -> object:
        def fails(*_: object) -> None:
            raise RuntimeError("g++: command not found\nand a long story")

        return fails

    monkeypatch.setattr(torch, "compile", no_compiler)
    tasks = []
    for compiled in ("true", "false"):
        torch.manual_seed(0)
        recipe = load_recipe("digits-cgan-course", [f"train.compile={compiled}", "train.batch_size=4"], of=LabelRecipe)
        tasks.append(LabelTask(recipe, 10, torch.device("cpu")))
    pictures, labels = torch.zeros(4, 1, 28, 28, dtype=torch.uint8), torch.arange(4)
    losses = []
    for task in tasks:
        for step in range(2):
            torch.manual_seed(step)
            last = task.step(pictures, labels, step * 4)
        losses.append(last)
    assert losses[0] == losses[1]
    assert caplog.text.count("g++: command not found") == 1
