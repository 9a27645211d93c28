"""The optimisers of a recipe and how their settings move while training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from ganvas import config


@dataclass(frozen=True)
class Clock:
    """Where training stands: optimiser steps taken and real images seen before the step at hand."""

    steps: int
    images: int


def build_optimiser(settings: config.AnyOptimiser, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimiser at its first step; :func:`apply_schedule` moves its settings after that."""
    match settings:
        case config.Adam():
            betas = (settings.beta1, settings.beta2)
            return torch.optim.Adam(parameters, lr=settings.lr, betas=betas, eps=settings.eps, fused=True)
        case config.Sgd():
            return torch.optim.SGD(parameters, lr=settings.lr, momentum=settings.momentum, fused=True)


def apply_schedule(
    optimiser: torch.optim.Optimizer, settings: config.AnyOptimiser, train: config.Train, clock: Clock
) -> None:
    """Set the learning rate, momentum and epsilon that the step at ``clock`` uses."""
    fall = linear_fall(train, clock.images)
    for group in optimiser.param_groups:
        match settings:
            case config.Adam():
                group["lr"] = settings.lr * fall
                if settings.eps_placement == "keras":
                    # Keras adds epsilon to sqrt(v) before the bias correction, PyTorch to the corrected one.
                    group["eps"] = settings.eps / (1 - settings.beta2 ** (clock.steps + 1)) ** 0.5
            case config.Sgd():
                lr = max(settings.lr / settings.lr_divisor**clock.steps, settings.lr_min) * fall
                ramp = settings.momentum_ramp_images
                share = min(clock.images / ramp, 1.0) if ramp else 0.0
                momentum = settings.momentum + share * (settings.momentum_final - settings.momentum)
                # torch accumulates gradients, the papers' software updates, that is learning rate times gradient.
                group["momentum"] = momentum * (group["lr"] / lr if clock.steps and lr else 1.0)
                group["lr"] = lr


def linear_fall(train: config.Train, images: int) -> float:
    """Factor on the learning rates: 1 until ``lr_decay_start_images``, then linearly towards 0."""
    if not train.lr_decay_images:
        return 1.0
    return 1.0 - min(max(images - train.lr_decay_start_images, 0) / train.lr_decay_images, 1.0)
