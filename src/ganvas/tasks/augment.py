"""Differentiable augmentation of what D sees, so that few pictures last longer (Zhao et al. 2020, DiffAugment)."""

from __future__ import annotations

import torch
from torch import Tensor

SHIFT = 1 / 8  # of the side, as in the paper
CUT = 1 / 4  # of the side: the paper cuts a half, which leaves little of a drawing on white


def augment(condition: Tensor | None, real: Tensor, drawn: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
    """Each pair shifted and cut at the same place, and its picture's brightness, saturation and contrast changed.

    A drawn picture is changed as the real one of its pair is: feature matching compares the two place by place.

    Args:
        condition: (N, C, H, W) or None; moved with the pictures, its values stay.
        real: (N, C, H, W) in [-1, 1].
        drawn: (N, C, H, W) in [-1, 1]; gradients pass through.

    Randomness comes from torch's global generator.
    """
    amounts = [torch.rand(len(real), 1, 1, 1, dtype=real.dtype, device=real.device) for _ in range(3)]
    pictures = [_colour(real, *amounts), _colour(drawn, *amounts)]
    together = pictures if condition is None else [condition, *pictures]
    moved = torch.split(_cut(_shift(torch.cat(together, dim=1))), [each.shape[1] for each in together], dim=1)
    return None if condition is None else moved[0], moved[-2], moved[-1]


def _colour(pictures: Tensor, brightness: Tensor, saturation: Tensor, contrast: Tensor) -> Tensor:
    """Each picture changed by its amounts in [0, 1), of which 0.5 changes nothing."""
    brighter = pictures + (brightness - 0.5)
    grey = brighter.mean(dim=1, keepdim=True)
    saturated = grey + (brighter - grey) * (2 * saturation)
    mean = saturated.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (saturated - mean) * (0.5 + contrast)


def _shift(pictures: Tensor) -> Tensor:
    """Each picture moved by up to an eighth of its side; what comes in from outside is zero."""
    count, _, height, width = pictures.shape
    most_y, most_x = int(height * SHIFT), int(width * SHIFT)
    padded = torch.nn.functional.pad(pictures, (most_x, most_x, most_y, most_y))
    rows = torch.randint(0, 2 * most_y + 1, (count, 1), device=pictures.device) + torch.arange(
        height, device=pictures.device
    )
    columns = torch.randint(0, 2 * most_x + 1, (count, 1), device=pictures.device) + torch.arange(
        width, device=pictures.device
    )
    chosen = torch.arange(count, device=pictures.device)[:, None, None]
    # Advanced indices around a slice put the channels last, which is where the networks want them in memory.
    return padded[chosen, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _cut(pictures: Tensor) -> Tensor:
    """A square of each picture set to zero."""
    count, _, height, width = pictures.shape
    side_y, side_x = int(height * CUT), int(width * CUT)
    y = torch.arange(height, device=pictures.device)[None, :, None]
    x = torch.arange(width, device=pictures.device)[None, None, :]
    top = torch.randint(1 - side_y, height, (count, 1, 1), device=pictures.device)
    left = torch.randint(1 - side_x, width, (count, 1, 1), device=pictures.device)
    inside = (y >= top) & (y < top + side_y) & (x >= left) & (x < left + side_x)
    return pictures * (~inside).to(pictures.dtype)[:, None]
