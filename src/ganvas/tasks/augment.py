"""Differentiable augmentation of what D sees, so that few pictures last longer (Zhao et al. 2020, DiffAugment)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

SHIFT = 1 / 8  # of the side, as in the paper
CUT = 1 / 4  # of the side: the paper cuts a half, which leaves little of a drawing on white


def augment(condition: Tensor | None, real: Tensor, drawn: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
    """Both pictures of a pair and their condition shifted and cut at one place, the pictures' colours changed as much.

    Alike, as feature matching compares D's features of the two place by place; the paper, which has none, changes each
    by itself. Brightness, saturation and contrast change by the same amounts; what is shifted in or cut is zero.

    Args:
        condition: (N, C, H, W) or None; its colours stay.
        real: (N, C, H, W) in [-1, 1].
        drawn: (N, C, H, W) in [-1, 1]; gradients pass through.

    Randomness comes from torch's global generator.
    """
    amounts = [torch.rand(len(real), 1, 1, 1, dtype=real.dtype, device=real.device) for _ in range(3)]
    move = _Move.drawn_for(real)
    moved = None if condition is None else move(condition)
    return moved, move(_colour(real, *amounts)), move(_colour(drawn, *amounts))


def _colour(pictures: Tensor, brightness: Tensor, saturation: Tensor, contrast: Tensor) -> Tensor:
    """Each picture changed by its amounts in [0, 1), of which 0.5 changes nothing."""
    brighter = pictures + (brightness - 0.5)
    grey = brighter.mean(dim=1, keepdim=True)
    saturated = grey + (brighter - grey) * (2 * saturation)
    mean = saturated.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (saturated - mean) * (0.5 + contrast)


@dataclass(frozen=True)
class _Move:
    """Where each of a batch's pictures goes, by up to an eighth of its side, and which square of it is cut."""

    rows: Tensor  # (N, H) and columns (N, W): of the padded picture
    columns: Tensor
    kept: Tensor  # (N, 1, H, W)

    @classmethod
    def drawn_for(cls, pictures: Tensor) -> _Move:
        count, _, height, width = pictures.shape
        device = pictures.device
        rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
        down = torch.randint(0, 2 * int(height * SHIFT) + 1, (count, 1), device=device)
        right = torch.randint(0, 2 * int(width * SHIFT) + 1, (count, 1), device=device)
        top = torch.randint(1 - int(height * CUT), height, (count, 1), device=device)
        left = torch.randint(1 - int(width * CUT), width, (count, 1), device=device)
        in_rows = (rows >= top) & (rows < top + int(height * CUT))
        in_columns = (columns >= left) & (columns < left + int(width * CUT))
        return cls(down + rows, right + columns, ~(in_rows[:, None, :, None] & in_columns[:, None, None, :]))

    def __call__(self, pictures: Tensor) -> Tensor:
        height, width = pictures.shape[2:]
        most_y, most_x = int(height * SHIFT), int(width * SHIFT)
        padded = torch.nn.functional.pad(pictures, (most_x, most_x, most_y, most_y))
        chosen = torch.arange(len(pictures), device=pictures.device)[:, None, None]
        # Advanced indices around a slice put the channels last, which is where the networks want them in memory.
        shifted = padded[chosen, :, self.rows[:, :, None], self.columns[:, None, :]].permute(0, 3, 1, 2)
        return shifted * self.kept.to(shifted.dtype)
