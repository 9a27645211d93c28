"""The task picture -> picture: one pass of G, D's answers to the real and the drawn pair, both updates."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ganvas import objectives
from ganvas.config import HINT_CHANNELS, TranslateRecipe
from ganvas.data.hints import random_hints, recoloured
from ganvas.data.line_variation import open_outlines, vary_lines
from ganvas.data.pairs.affine import turned_and_zoomed
from ganvas.data.preparation import Preparation
from ganvas.models import build_patch, build_translator
from ganvas.tasks.augment import augment
from ganvas.tasks.task import Task

Features = list[list[Tensor]]  # of each scale, each layer's; the last of a scale are its logits


@dataclass(frozen=True)
class _Judged:
    """D's answers to the real and to the drawn pairs."""

    real: Features
    fake: Features

    def logits(self) -> list[tuple[Tensor, Tensor]]:
        """(real, fake) logits of each scale, in the precision of the losses."""
        return [(_exact(real[-1]), _exact(fake[-1])) for real, fake in zip(self.real, self.fake, strict=True)]


class TranslateTask(Task):
    """Generator, discriminator, objective and optimisers of a picture -> picture recipe.

    Args:
        recipe: a resolved recipe.
        source: how the pictures that go in are prepared.
        target: how those that come out are.
        class_names: the classes of a recipe that takes a label too; empty for others.
        device: where the networks live.
    """

    def __init__(
        self,
        recipe: TranslateRecipe,
        source: Preparation,
        target: Preparation,
        class_names: tuple[str, ...],
        device: torch.device,
    ) -> None:
        channels = source.encoded_channels + HINT_CHANNELS * recipe.hints.enabled
        classes = len(class_names) if recipe.labelled else 0
        generator = build_translator(
            recipe.generator,
            in_channels=channels,
            out_channels=target.channels,
            size=recipe.data.size,
            classes=classes,
        )
        seen = target.channels + (channels + classes) * recipe.objective.conditional
        discriminator = None
        if recipe.objective.has_discriminator:
            discriminator = build_patch(recipe.discriminator, in_channels=seen, size=recipe.data.size)
        super().__init__(recipe, generator, discriminator, device)
        self.recipe = recipe
        self.source = source
        self.target = target
        self.classes = classes
        self._weights_dtype = next(self.generator.parameters()).dtype

    @torch.no_grad()
    def draw(self, sources: Tensor, labels: Tensor | None = None, hints: Tensor | None = None) -> Tensor:
        """Pictures (N, C, H, W), float32 in [-1, 1], by the :attr:`drawing_generator` in evaluation mode.

        Args:
            sources: uint8 (N, Cs, H, W) as the data give them.
            labels: int64 (N,), where the recipe takes a label.
            hints: (N, 4, H, W), where it takes hints; None: without any.
        """
        x = self._encoded(self.source, sources)
        if self.recipe.hints.enabled:
            empty = x.new_zeros(len(x), HINT_CHANNELS, *x.shape[2:])
            x = torch.cat([x, empty if hints is None else hints.to(x)], dim=1)
        generator = self.drawing_generator
        training = generator.training
        generator.eval()
        pictures: Tensor = generator(_channels_last(x), labels if self.classes else None)
        generator.train(training)
        return pictures.float()

    def step(self, sources: Tensor, targets: Tensor, labels: Tensor, images_seen: int) -> dict[str, Tensor]:
        """One update of both networks on uint8 ``sources`` (N, Cs, S, S) and ``targets`` (N, Ct, S, S).

        With ``generator_logits = "shared"`` both gradients are taken at the same weights, before either update; with
        ``"recomputed"`` D is updated first and asked again. All randomness comes from torch's global generator,
        which the caller seeds. Returns named scalars without waiting for the device.
        """
        objective = self.recipe.objective
        x, y = self._inputs(sources, targets)
        with self.autocast():
            fake = self.generator(x, labels if self.classes else None)
        # D's graph and the distance's start at a leaf, so that each backward pass through D ends there.
        leaf = fake.detach().to(y.dtype).requires_grad_()
        losses: dict[str, Tensor] = {}
        upstream: Tensor | float = 0.0
        if objective.has_discriminator:
            upstream = self._contest(self._condition(x, labels), y, leaf, images_seen, losses)
        if "l1" in objective.kind or objective.kind == "l2":
            distance = F.mse_loss(leaf, y) if objective.kind == "l2" else F.l1_loss(leaf, y)
            losses[objective.kind[:2]] = distance.detach()
            total = objective.l1_weight * distance
            if objective.gradient_matching:
                difference = objectives.gradient_matching(self._matched(x, leaf, y, images_seen), y)
                losses["gradient_matching"] = difference.detach()
                total = total + objective.gradient_matching * difference
            (gradient,) = torch.autograd.grad(total, leaf)
            upstream = upstream + gradient
        assert isinstance(upstream, Tensor)
        self.update_in_backward("generator", fake, upstream.to(fake.dtype), images_seen)
        self.end_step(images_seen, len(x))
        return losses

    def _contest(
        self, condition: Tensor | None, real: Tensor, leaf: Tensor, images_seen: int, losses: dict[str, Tensor]
    ) -> Tensor:
        """D's update, and dL/dG(x) of what D says to the drawn pairs. D's features are gone when G's pass begins."""
        judged = self._judge(condition, real, leaf)
        if self.recipe.objective.generator_logits == "shared":
            gradient = self._adversarial_gradient(judged, leaf, losses, keep_graph=True)
            self._update_discriminator(judged, condition, real, images_seen, losses)
            return gradient
        self._update_discriminator(judged, condition, real, images_seen, losses)
        judged = self._judge(condition, real, leaf)
        return self._adversarial_gradient(judged, leaf, losses, keep_graph=False)

    def _inputs(self, sources: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """What G gets and what it is to draw: encoded, turned, the lines varied, with hints, as the recipe says."""
        x = self._encoded(self.source, sources)
        y = self._encoded(self.target, targets)
        data = self.recipe.data
        if data.turn or data.zoom:
            x, y = turned_and_zoomed(x, y, data)
        if data.vary_lines:
            x, y = vary_lines(x, y)
        if data.open_outlines:
            x, y = open_outlines(x, y)
        if self.recipe.hints.enabled:
            hints = random_hints(y, self.recipe.hints)
            if self.recipe.hints.recolour_share:
                y, hints = recoloured(y, hints, self.recipe.hints.recolour_share)
            x = torch.cat([x, hints], dim=1)
        return _channels_last(x), _channels_last(y)

    def _matched(self, x: Tensor, drawn: Tensor, y: Tensor, images_seen: int) -> Tensor:
        """What gradient matching compares with the targets: the drawn pictures, those with dabs only at the run's end.

        A dab's colour first shows around the dab alone, two colours in one area: matching would unlearn it there. Until
        ``hints.matched_share`` of the run is left, the true pictures are in their place, of which it learns nothing.
        """
        hints, total = self.recipe.hints, self.recipe.train.total_images
        if not hints.enabled or images_seen >= total - round(hints.matched_share * total):
            return drawn
        dabbed = x[:, -1:].amax(dim=(1, 2, 3), keepdim=True) > 0
        return torch.where(dabbed, y, drawn)

    def _encoded(self, preparation: Preparation, pictures: Tensor) -> Tensor:
        return preparation.encode(pictures).to(self._weights_dtype)

    def _condition(self, x: Tensor, labels: Tensor) -> Tensor | None:
        """What D sees beside the target: the source, and the class as planes of zeros and one of ones."""
        if not self.recipe.objective.conditional:
            return None
        if not self.classes:
            return x
        planes = F.one_hot(labels, self.classes).to(x.dtype)[:, :, None, None]
        return torch.cat([x, planes.expand(-1, -1, *x.shape[2:])], dim=1)

    def _judge(self, condition: Tensor | None, real: Tensor, fake: Tensor) -> _Judged:
        if self.recipe.objective.augment:
            condition, real, fake = augment(condition, real, fake)
        # Two passes, not one over both: batch norm takes each batch's own statistics, as the published code does.
        return _Judged(self._ask(condition, real), self._ask(condition, fake))

    def _ask(self, condition: Tensor | None, pictures: Tensor) -> Features:
        pairs = pictures if condition is None else torch.cat([condition, pictures], dim=1)
        with self.autocast():
            features: Features = self.discriminator(_channels_last(pairs))
        return features

    def _adversarial_gradient(
        self, judged: _Judged, leaf: Tensor, losses: dict[str, Tensor], *, keep_graph: bool
    ) -> Tensor:
        """dL/dG(x) of what D's answers contribute to G's loss."""
        objective = self.recipe.objective
        terms = [
            objectives.generator_loss(objective.adversarial, real.detach(), fake).mean()
            for real, fake in judged.logits()
        ]
        loss = torch.stack(terms).mean()
        losses["generator"] = loss.detach()
        total = objective.gan_weight * loss
        if objective.feature_matching:
            matching = _feature_distance(judged)
            losses["feature_matching"] = matching.detach()
            total = total + objective.feature_matching * matching
        (gradient,) = torch.autograd.grad(total, leaf, retain_graph=keep_graph)
        return gradient

    def _update_discriminator(
        self,
        judged: _Judged,
        condition: Tensor | None,
        real: Tensor,
        images_seen: int,
        losses: dict[str, Tensor],
    ) -> None:
        objective = self.recipe.objective
        logits = judged.logits()
        terms = [objectives.discriminator_loss(objective.adversarial, a, b).mean() for a, b in logits]
        loss = torch.stack(terms).mean()
        total = 0.5 * loss if objective.halve_discriminator else loss
        losses["discriminator"] = total.detach()
        if objective.r1 and self.steps % objective.penalty_interval == 0:
            penalty = self._r1(condition, real)
            losses["r1"] = penalty.detach()
            total = total + objective.r1 * objective.penalty_interval * penalty
        gradients = torch.autograd.grad(total, list(self.discriminator.parameters()))
        self.update("discriminator", gradients, images_seen)
        losses.update(self._accuracy(logits))

    def _r1(self, condition: Tensor | None, real: Tensor) -> Tensor:
        """Mean gradient penalty with respect to the real target as it is, in float32 (its gradients are small)."""
        leaf = real.detach().requires_grad_()
        pairs = leaf if condition is None else torch.cat([condition, leaf], dim=1)
        answers = torch.stack([features[-1].mean(dim=(1, 2, 3)) for features in self.discriminator(pairs)])
        return objectives.gradient_penalty(answers.mean(dim=0), leaf).mean()

    def _accuracy(self, logits: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        kind = self.recipe.objective.adversarial
        shares = [objectives.accuracy(kind, real.detach(), fake.detach()) for real, fake in logits]
        return {
            "accuracy_real": torch.stack([real for real, _ in shares]).mean(),
            "accuracy_fake": torch.stack([fake for _, fake in shares]).mean(),
        }


def _feature_distance(judged: _Judged) -> Tensor:
    """Mean L1 between D's features of real and drawn pairs, over all but the logits (Wang et al. 2018, eq. 4)."""
    distances = [
        F.l1_loss(_exact(fake), _exact(real.detach()))
        for reals, fakes in zip(judged.real, judged.fake, strict=True)
        for real, fake in zip(reals[:-1], fakes[:-1], strict=True)
    ]
    return torch.stack(distances).mean()


def _exact(values: Tensor) -> Tensor:
    """bfloat16 answers as float32: losses and their means are not taken in 8 bits."""
    return values.float() if values.dtype == torch.bfloat16 else values


def _channels_last(pictures: Tensor) -> Tensor:
    return pictures.contiguous(memory_format=torch.channels_last)
