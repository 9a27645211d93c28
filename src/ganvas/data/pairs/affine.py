"""Pairs turned and scaled, both sides alike, so that few drawings show more shapes."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ganvas.config import PairData


def turned_and_zoomed(sources: Tensor, targets: Tensor, settings: PairData) -> tuple[Tensor, Tensor]:
    """Each pair turned about its middle by up to ``turn`` degrees, and scaled by up to ``1 + zoom`` or its inverse.

    Angles are uniform, and so are logarithms of scales; what comes in from outside is what lies at the border.
    Pictures are interpolated, label maps taken by nearest. Random numbers come from torch's global generator.

    Args:
        sources: encoded squares, float (N, C, S, S).
        targets: (N, D, S, S) of the same type.
        settings: ``turn``, ``zoom``, and which sides are label maps.
    """
    number, device = len(sources), sources.device
    angle, scale = torch.rand(2, number, device=device) * 2 - 1
    angle = angle * math.radians(settings.turn)
    inverse = torch.exp(scale * math.log1p(settings.zoom))
    zero = torch.zeros_like(angle)
    cosine, sine = inverse * angle.cos(), inverse * angle.sin()
    matrices = torch.stack([cosine, -sine, zero, sine, cosine, zero], dim=1).view(number, 2, 3)
    grid = F.affine_grid(matrices, [number, 1, *sources.shape[2:]], align_corners=False).to(sources.dtype)

    def moved(pictures: Tensor, kind: str) -> Tensor:
        mode = "nearest" if kind == "labels" else "bilinear"
        return F.grid_sample(pictures, grid, mode=mode, padding_mode="border", align_corners=False)

    return moved(sources, settings.source), moved(targets, settings.target)
