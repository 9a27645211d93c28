"""The task label -> image (or noise -> image): one shared forward pass, both losses, both updates."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganvas import objectives
from ganvas.config import Recipe
from ganvas.models import build_discriminator, build_generator, draw, value_range
from ganvas.tasks.course_step import CourseStep
from ganvas.tasks.optimisers import Clock, apply_schedule, build_optimiser, linear_fall


@dataclass(frozen=True)
class Gradients:
    """What one forward pass gives: named losses (scalars) and a gradient for each parameter of both networks."""

    losses: dict[str, Tensor]
    generator: Sequence[Tensor]
    discriminator: Sequence[Tensor]


class LabelTask:
    """Generator, discriminator, objective and optimisers of a label -> image recipe.

    Args:
        recipe: a resolved recipe.
        classes: number of classes of the data.
        device: where the networks live.
    """

    def __init__(self, recipe: Recipe, classes: int, device: torch.device) -> None:
        self.recipe = recipe
        self.classes = classes
        self.device = device
        shape = {"classes": classes, "size": recipe.data.size, "channels": recipe.data.channels}
        # channels_last is what the processor's convolutions are fastest with; dense layers are not touched by it.
        self.generator = _on(device, build_generator(recipe.generator, **shape))
        self.discriminator = _on(device, build_discriminator(recipe.discriminator, **shape))
        self.average = copy.deepcopy(self.generator).eval() if recipe.train.ema_half_life_images else None
        self.optimisers = {
            "generator": build_optimiser(recipe.optimiser.generator, self.generator.parameters()),
            "discriminator": build_optimiser(recipe.optimiser.discriminator, self.discriminator.parameters()),
        }
        self.steps = 0
        self._penalty_factor = 1.0
        self._weights_dtype = next(self.generator.parameters()).dtype
        self._course = CourseStep(self) if CourseStep.serves(recipe) else None

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The networks that train, by the name under which their gradient norm is reported."""
        return {"generator": self.generator, "discriminator": self.discriminator}

    @property
    def drawing_generator(self) -> nn.Module:
        """The generator that samples are drawn with: the averaged one where the recipe averages."""
        return self.average if self.average is not None else self.generator

    def draw(self, noise: Tensor, labels: Tensor) -> Tensor:
        """Pictures (N, C, S, S) in [-1, 1] by the :attr:`drawing_generator`; labels are ignored where it takes none."""
        return draw(self.drawing_generator, noise, labels if self.recipe.conditional else None)

    def draw_noise(self, count: int) -> Tensor:
        """Noise (count, latent) from torch's global random numbers: N(0, 1), or U[0, 1) for the paper's pair."""
        shape = (count, self.recipe.generator.latent)
        if self.recipe.generator.network == "paper":
            return torch.rand(shape, device=self.device)
        return torch.randn(shape, device=self.device)

    def step(self, pictures: Tensor, labels: Tensor, images_seen: int) -> dict[str, Tensor]:
        """One update of both networks on real ``pictures`` (N, C, S, S) uint8 with ``labels`` (N,).

        Both gradients are taken at the same weights, before either update. All randomness comes from torch's global
        generator, which the caller seeds. Returns named scalars without waiting for the device.
        """
        clock = Clock(self.steps, images_seen)
        real = self._to_range(pictures)
        z = self.draw_noise(len(real))
        # Strong penalties carry the start, weak ones let D see finer differences later (as R3GAN's schedule has it).
        final = self.recipe.objective.penalty_final
        self._penalty_factor = final + (1 - final) * linear_fall(self.recipe.train, images_seen)
        gradients = self.gradients(real, labels, z)
        for name, network in self.networks.items():
            updates = gradients.generator if name == "generator" else gradients.discriminator
            for parameter, gradient in zip(network.parameters(), updates, strict=True):
                parameter.grad = _laid_out_like(parameter, gradient)
            apply_schedule(self.optimisers[name], getattr(self.recipe.optimiser, name), self.recipe.train, clock)
            self.optimisers[name].step()
        self.steps += 1
        self._update_average(images_seen + len(real), len(real))
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
        with self._autocast():
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
        """D's accuracy on real and on drawn pictures.

        Relativistic logits have no zero of their own: each side is compared with the other's mean, as the relativistic
        average discriminator does (Jolicoeur-Martineau 2018, section 4.2).
        """
        kind, dtype = self.recipe.objective.adversarial, real_logits.dtype
        zero = torch.full_like(real_logits[0], 0.5 if kind == "lsgan" else 0.0)
        below, above = (fake_logits.mean(), real_logits.mean()) if kind == "relativistic" else (zero, zero)
        return {
            "accuracy_real": (real_logits > below).to(dtype).mean().detach(),
            "accuracy_fake": (fake_logits <= above).to(dtype).mean().detach(),
        }

    def _to_range(self, pictures: Tensor) -> Tensor:
        """uint8 pictures as floats in the generator's value range."""
        low, high = value_range(self.generator)
        return pictures.to(self._weights_dtype).mul_((high - low) / 255).add_(low)

    def _autocast(self) -> contextlib.AbstractContextManager[object]:
        if self.recipe.train.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    @torch.no_grad()
    def _update_average(self, images_seen: int, batch: int) -> None:
        if self.average is None:
            return
        # A tenth of what was seen at most, so that the first, poor weights are soon forgotten
        # (Karras et al. 2020, "EMA ramp-up").
        half_life = min(self.recipe.train.ema_half_life_images, 0.1 * images_seen)
        weight = 1 - 0.5 ** (batch / half_life)
        averages: list[Tensor] = list(self.average.parameters())
        weights: list[Tensor] = list(self.generator.parameters())
        torch._foreach_lerp_(averages, weights, weight)
        for kept, buffer in zip(self.average.buffers(), self.generator.buffers(), strict=True):
            kept.copy_(buffer)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed task needs: tensors and plain numbers only."""
        state: dict[str, Any] = {name: network.state_dict() for name, network in self.networks.items()}
        state |= {f"{name}_optimiser": optimiser.state_dict() for name, optimiser in self.optimisers.items()}
        state["steps"] = self.steps
        if self.average is not None:
            state["average"] = self.average.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The reverse of :meth:`state_dict`."""
        for name, network in self.networks.items():
            network.load_state_dict(state[name])
            self.optimisers[name].load_state_dict(state[f"{name}_optimiser"])
        self.steps = state["steps"]
        if self.average is not None:
            self.average.load_state_dict(state["average"])


def _on(device: torch.device, network: nn.Module) -> nn.Module:
    # channels_last is the layout in which the processor's convolutions are fastest; dense layers are untouched by it.
    moved: nn.Module = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def _laid_out_like(parameter: Tensor, gradient: Tensor) -> Tensor:
    """The gradient in its parameter's memory layout: the fused optimisers pair the two as they lie in memory."""
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)
