"""Colours spread within the outlines that a network sees: the last layer of a picture -> picture generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.models.norms import initialise_weight
from ganvas.models.products import Conv2d

LEAST_CONFIDENCE = 1e-3
# Logits are ten times what the convolution gives, so that gates open and shut within a few thousand steps of Adam.
GAIN = 10.0
FIRST_GATE = -0.4  # before training a gate is at 0.018, so that next to nothing passes


class Spread(nn.Module):
    """Each pixel of a picture as the weighted mean of those that it can be reached from without crossing an outline.

    A 3x3 convolution over features (N, C, H, W) gives each pixel a confidence and a gate in (0, 1): how much of what
    comes from its neighbours it lets in. Rows and then columns are swept both ways, ``rounds`` times, with
    ``sum(p) = own(p) + gate(p) * sum(p - 1)`` for colours times confidence and for confidences, and the one is divided
    by the other at the end. It is the recursive edge-aware filter of Gastal & Oliveira 2011 (Domain transform for
    edge-aware image and video processing, section 5.2), with gates that a network gives as in Chen et al. 2016
    (Semantic image segmentation with task-specific edge detection) and confidences as in Barron & Poole 2016 (The fast
    bilateral solver).

    Convolutions see a fixed window, and an area larger than that gets its colour in patches. Before training next to
    nothing passes the gates, and pictures stay as they are.
    """

    def __init__(self, channels: int, rounds: int) -> None:
        super().__init__()
        self.rounds = rounds
        self.conv = Conv2d(channels, 2, 3, padding=1)
        initialise_weight(self.conv)
        assert self.conv.bias is not None
        with torch.no_grad():
            self.conv.bias[1] = FIRST_GATE

    def forward(self, pictures: Tensor, features: Tensor) -> Tensor:
        """Pictures (N, K, H, W), float32 in any range, spread as ``features`` (N, C, H, W) say; within that range."""
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
    swept: Tensor = _Sweep.apply(own, gates)  # type: ignore[no-untyped-call]
    return swept


class _Sweep(torch.autograd.Function):
    """``own`` (L, N, C, M) with what comes from both sides along L, through ``gates`` (L, N, 1, M).

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
