"""The task label -> image (or noise -> image): one shared forward pass, both losses, both updates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ganvas import objectives
from ganvas.config import LabelRecipe
from ganvas.models import build_discriminator, build_generator, draw, value_range
from ganvas.tasks.course_step import CourseStep
from ganvas.tasks.optimisers import linear_fall
from ganvas.tasks.task import Task


@dataclass(frozen=True)
class Gradients:
    """What one forward pass gives: named losses (scalars) and a gradient for each parameter of both networks."""

    losses: dict[str, Tensor]
    generator: Sequence[Tensor]
    discriminator: Sequence[Tensor]


class LabelTask(Task):
    """Generator, discriminator, objective and optimisers of a label -> image recipe.

    Args:
        recipe: a resolved recipe.
        classes: number of classes of the data.
        device: where the networks live.
    """

    def __init__(self, recipe: LabelRecipe, classes: int, device: torch.device) -> None:
        shape = {"classes": classes, "size": recipe.data.size, "channels": recipe.data.channels}
        generator = build_generator(recipe.generator, **shape)
        super().__init__(recipe, generator, build_discriminator(recipe.discriminator, **shape), device)
        self.recipe = recipe
        self.classes = classes
        self._penalty_factor = 1.0
        self._weights_dtype = next(self.generator.parameters()).dtype
        self._course = CourseStep(self) if CourseStep.serves(recipe) else None

    def draw(self, noise: Tensor, labels: Tensor) -> Tensor:
        """Pictures (N, C, S, S) in [-1, 1] by the :attr:`drawing_generator`; labels are ignored where it takes none."""
        return draw(self.drawing_generator, noise, labels if self.recipe.conditional else None)

    def draw_noise(self, count: int) -> Tensor:
        """Noise (count, noise_length) from torch's global random numbers: N(0, 1), or U[0, 1) for the paper's pair."""
        shape = (count, self.recipe.generator.noise_length)
        if self.recipe.generator.network == "paper":
            return torch.rand(shape, device=self.device)
        return torch.randn(shape, device=self.device)

    def step(self, pictures: Tensor, labels: Tensor, images_seen: int) -> dict[str, Tensor]:
        """One update of both networks on real ``pictures`` (N, C, S, S) uint8 with ``labels`` (N,).

        Both gradients are taken at the same weights, before either update. All randomness comes from torch's global
        generator, which the caller seeds. Returns named scalars without waiting for the device.
        """
        real = self._to_range(pictures)
        z = self.draw_noise(len(real))
        # Strong penalties carry the start, weak ones let D see finer differences later (as R3GAN's schedule has it).
        final = self.recipe.objective.penalty_final
        self._penalty_factor = final + (1 - final) * linear_fall(self.recipe.train, images_seen)
        gradients = self.gradients(real, labels, z)
        self.update("generator", gradients.generator, images_seen)
        self.update("discriminator", gradients.discriminator, images_seen)
        self.end_step(images_seen, len(real))
        return gradients.losses

    def gradients(self, real: Tensor, labels: Tensor, z: Tensor) -> Gradients:
        """Losses and gradients at the present weights, for ``real`` pictures in the generator's value range."""
        if self._course is not None:
            return Gradients(*self._course(real, labels, z))
        return self._autograd_gradients(real, labels, z)

    def _autograd_gradients(self, real: Tensor, labels: Tensor, z: Tensor) -> Gradients:
        objective = self.recipe.objective
        kind = objective.adversarial
        condition = labels if self.recipe.conditional else None
        with self.autocast():
            fake = self.generator(z, condition)
            # D's graph starts at a leaf, so that one backward pass gives D's gradients and dL/dG(z).
            fake_leaf = fake.detach().requires_grad_()
            features = self.discriminator.features(torch.cat([real, fake_leaf]))  # type: ignore[operator]
            twice = None if condition is None else torch.cat([condition, condition])
            logits = self.discriminator.score(features, twice).to(real.dtype)  # type: ignore[operator]
            real_logits, fake_logits = logits.chunk(2)
            d_loss = objectives.discriminator_loss(kind, real_logits, fake_logits).mean()
            g_loss = objectives.generator_loss(kind, real_logits, fake_logits).mean()
            losses = {"discriminator": d_loss.detach(), "generator": g_loss.detach()}
            total = d_loss
            if objective.wrong_labels:
                wrong = (labels + torch.randint_like(labels, 1, self.classes)) % self.classes
                wrong_logits = self.discriminator.score(features[: len(real)], wrong).to(real.dtype)  # type: ignore[operator]
                wrong_loss = objectives.wrong_label_loss(kind, real_logits, wrong_logits).mean()
                losses["wrong_labels"] = wrong_loss.detach()
                total = total + objective.wrong_labels * wrong_loss
        total = total + self._penalties(real, fake.detach(), condition, losses)

        d_parameters = list(self.discriminator.parameters())
        scale = objectives.generator_row_scale(kind, real_logits.detach(), fake_logits.detach())
        if scale is None:
            (upstream,) = torch.autograd.grad(g_loss, fake_leaf, retain_graph=True)
            d_gradients = list(torch.autograd.grad(total, d_parameters))
        else:
            *d_gradients, upstream = torch.autograd.grad(total, [*d_parameters, fake_leaf])
            upstream = upstream * scale.view(-1, *[1] * (upstream.dim() - 1))
        g_gradients = torch.autograd.grad(fake, list(self.generator.parameters()), upstream.to(fake.dtype))
        return Gradients(losses | self._accuracy(real_logits, fake_logits), g_gradients, d_gradients)

    def _penalties(
        self, real: Tensor, fake: Tensor, condition: Tensor | None, losses: dict[str, Tensor]
    ) -> Tensor | float:
        """The weighted gradient penalties that are due at this step, in float32 (their gradients are small)."""
        objective = self.recipe.objective
        due = [
            (name, weight, pictures)
            for name, weight, pictures in (("r1", objective.r1, real), ("r2", objective.r2, fake))
            if weight and self.steps % objective.penalty_interval == 0
        ]
        total: Tensor | float = 0.0
        if not due:
            return total
        leaf = torch.cat([pictures for _, _, pictures in due]).detach().to(real.dtype).requires_grad_()
        labels = None if condition is None else torch.cat([condition] * len(due))
        penalties = objectives.gradient_penalty(self.discriminator(leaf, labels), leaf).chunk(len(due))
        for (name, weight, _), penalty in zip(due, penalties, strict=True):
            losses[name] = penalty.detach().mean()
            total = total + weight * self._penalty_factor * objective.penalty_interval * penalty.mean()
        return total

    def _accuracy(self, real_logits: Tensor, fake_logits: Tensor) -> dict[str, Tensor]:
        real, fake = objectives.accuracy(self.recipe.objective.adversarial, real_logits.detach(), fake_logits.detach())
        return {"accuracy_real": real, "accuracy_fake": fake}

    def _to_range(self, pictures: Tensor) -> Tensor:
        """uint8 pictures as floats in the generator's value range."""
        low, high = value_range(self.generator)
        return pictures.to(self._weights_dtype).mul_((high - low) / 255).add_(low)
