"""Colours spread within the outlines that a network sees: the last layer of a picture -> picture generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.models.products import Conv2d

LEAST_CONFIDENCE = 1e-3
# Logits are ten times what the convolution gives, so that gates open and shut within a few thousand steps of Adam.
GAIN = 10.0
FIRST_GATE = -0.4


class Spread(nn.Module):
    """Each pixel of a picture as a weighted mean of those that it can be reached from without crossing an outline.

    A 3x3 convolution over features (N, C, H, W) gives each pixel a confidence and a gate in (0, 1): how much of what
    comes from its neighbours it lets in. Rows and then columns are swept both ways, ``rounds`` times: what arrives at a
    pixel from one end is ``sum(p) = own(p) + gate(p) * sum(p - 1)``, and the two ways together are divided by what ones
    would have come to. So are colours times confidence and confidences, and the one is divided by the other at the
    end: sure pixels colour doubtful ones.

    Sweeps through gates are those of Gastal & Oliveira 2011 (Domain transform for edge-aware image and video
    processing, section 5.2), that a network sets the gates is Chen et al. 2016 (Semantic image segmentation with
    task-specific edge detection), and confidences are those of Barron & Poole 2016 (The fast bilateral solver).

    Convolutions see a fixed window, and an area larger than that gets its colour in patches. Before training a gate is
    at 0.018, so that pictures stay much as they are.
    """

    def __init__(self, channels: int, rounds: int) -> None:
        super().__init__()
        self.rounds = rounds
        self.conv = Conv2d(channels, 2, 3, padding=1)
        assert self.conv.bias is not None
        nn.init.zeros_(self.conv.weight)
        with torch.no_grad():
            self.conv.bias.copy_(torch.tensor([0.0, FIRST_GATE]))

    def forward(self, pictures: Tensor, features: Tensor) -> Tensor:
        """Pictures (N, K, H, W) in float32, spread as ``features`` (N, C, H, W) say: none of them leaves its range."""
        confidence, gates = torch.sigmoid(GAIN * self.conv(features).float()).chunk(2, dim=1)
        confidence = confidence + LEAST_CONFIDENCE
        sums = torch.cat([pictures * confidence, confidence], dim=1)
        # What is swept along comes first, and is whole in memory.
        across, down = (gates.permute(order).contiguous() for order in ((3, 0, 1, 2), (2, 0, 1, 3)))
        for _ in range(self.rounds):
            sums = _swept(sums.permute(3, 0, 1, 2), across).permute(1, 2, 3, 0)
            sums = _swept(sums.permute(2, 0, 1, 3), down).permute(1, 2, 0, 3)
        return sums[:, :-1] / sums[:, -1:]


def _swept(own: Tensor, gates: Tensor) -> Tensor:
    """``own`` (L, N, C, M) as means of what comes from both sides along L, through ``gates`` (L, N, 1, M)."""
    # Sums alone would let a large area's colour through an all but shut gate into a small one.
    swept: Tensor = _Sweep.apply(torch.cat([own, torch.ones_like(gates)], dim=2), gates)  # type: ignore[no-untyped-call]
    return swept[:, :, :-1] / swept[:, :, -1:]


class _Sweep(torch.autograd.Function):
    """``own`` (L, N, C, M) and, added to it, what comes from both sides along L through ``gates`` (L, N, 1, M).

    Forth, sum[i] = own[i] + gates[i] * sum[i - 1], and back the same from the other end; the backward pass of the one
    is the other, with the gates of the next.
    """

    @staticmethod
    def forward(ctx: Any, own: Tensor, gates: Tensor) -> Tensor:
        own = own.contiguous()
        forth, back = own.clone(), own.clone()
        _sweep(forth.unbind(), gates[1:].unbind())
        _sweep(back.unbind()[::-1], gates[:-1].unbind()[::-1])
        ctx.save_for_backward(forth, back, gates)
        return (forth + back).sub_(own)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        forth, back, gates = ctx.saved_tensors
        gradient = gradient.contiguous()
        of_forth, of_back = gradient.clone(), gradient.clone()
        _sweep(of_forth.unbind()[::-1], gates[1:].unbind()[::-1])
        _sweep(of_back.unbind(), gates[:-1].unbind())
        of_gates = torch.zeros_like(gates)
        of_gates[1:] += (of_forth[1:] * forth[:-1]).sum(dim=2, keepdim=True)
        of_gates[:-1] += (of_back[:-1] * back[1:]).sum(dim=2, keepdim=True)
        return of_forth.add_(of_back).sub_(gradient), of_gates


def _sweep(sums: Sequence[Tensor], gates: Sequence[Tensor]) -> None:
    """Add to each of ``sums``, in place, what the gate on the way lets through of the one before."""
    for before, after, gate in zip(sums, sums[1:], gates, strict=False):
        after.addcmul_(before, gate)
