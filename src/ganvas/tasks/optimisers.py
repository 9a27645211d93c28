"""The optimisers of a recipe and how their settings move while training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganvas import config


@dataclass(frozen=True)
class Clock:
    """Where training stands: optimiser steps taken and real images seen before the step at hand."""

    steps: int
    images: int


def as_stored(tensor: Tensor, like: Tensor) -> Tensor:
    """A view of ``tensor`` with its dimensions in the order in which ``like``'s lie in memory.

    The fused optimisers copy every tensor that is not contiguous, which for convolutions that are stored channels last
    takes longer than the update itself; seen so, these are contiguous too.
    """
    return tensor.permute(_stored_order(like))


def stored_state(state: dict[str, Any], parameters: Sequence[Tensor]) -> dict[str, Any]:
    """An optimiser's state of tensors shaped like the parameters, as one of :func:`as_stored` views loads it."""
    return _reshaped(state, parameters, lambda value, like: as_stored(value, like).contiguous())


def shaped_state(state: dict[str, Any], parameters: Sequence[Tensor]) -> dict[str, Any]:
    """The reverse of :func:`stored_state`: what a checkpoint holds does not depend on how tensors lie in memory."""
    return _reshaped(state, parameters, lambda value, like: value.permute(_inverse(_stored_order(like))))


def _reshaped(
    state: dict[str, Any], parameters: Sequence[Tensor], reshape: Callable[[Tensor, Tensor], Tensor]
) -> dict[str, Any]:
    of_each = {
        index: {name: reshape(value, parameters[index]) if value.dim() else value for name, value in values.items()}
        for index, values in state["state"].items()
    }
    return state | {"state": of_each}


def _stored_order(tensor: Tensor) -> list[int]:
    return sorted(range(tensor.dim()), key=tensor.stride, reverse=True)


def _inverse(order: list[int]) -> list[int]:
    return sorted(range(len(order)), key=order.__getitem__)


def build_optimiser(settings: config.AnyOptimiser, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
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
