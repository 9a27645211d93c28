"""Drawing with a generator: the one way from noise and labels to pictures, whatever the network's own range."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def value_range(generator: nn.Module) -> tuple[float, float]:
    """The least and greatest value that a generator draws: (-1, 1), or (0, 1) for the paper's."""
    low, high = generator.value_range  # type: ignore[misc]
    return float(low), float(high)


@torch.no_grad()
def draw(generator: nn.Module, z: Tensor, labels: Tensor | None) -> Tensor:
    """Pictures (N, C, S, S), float32 in [-1, 1], drawn in evaluation mode.

    Args:
        generator: any of :mod:`ganvas.models`; its training mode is as before afterwards.
        z: noise (N, noise_length).
        labels: classes (N,) int64, or None for a generator that takes none.
    """
    training = generator.training
    generator.eval()
    pictures: Tensor = generator(z, labels)
    generator.train(training)
    low, high = value_range(generator)
    return (pictures.float() - low) * (2 / (high - low)) - 1
