"""Colours spread within the outlines that a network sees: the last layer of a picture -> picture generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.models.products import Conv2d

# Logits are ten times what the convolution gives, so that gates open and shut within a few thousand steps of Adam.
GAIN = 10.0
FIRST_GATE = -0.2  # 0.12, of which 1.4% pass between two
LEAST_CONFIDENCE = 1e-4


class Spread(nn.Module):
    """Each pixel of a picture as a weighted mean of those that it can be reached from without crossing an outline.

    A 3x3 convolution over features (N, C, H, W) gives each pixel a confidence and a gate in (0, 1), and between two
    neighbours passes the product of their gates. Rows and then columns are swept both ways, ``rounds`` times: what
    arrives at a pixel from one end is ``sum(p) = own(p) + gate(p) * gate(p - 1) * sum(p - 1)``, and the two ways
    together are divided by what ones would have come to. So are colours times confidence and confidences, and at the
    end the one is divided by the other: sure pixels, as those under a dab of colour, colour doubtful ones.

    Such sweeps are those of Gastal & Oliveira 2011 (Domain transform for edge-aware image and video processing, section
    5.2); that a network sets the gates is Chen et al. 2016 (Semantic image segmentation with task-specific edge
    detection), and confidences are Barron & Poole 2016 (The fast bilateral solver).

    Convolutions see a fixed window, and an area larger than that gets its colour in patches. Before training 1.4%
    passes between neighbours, so that pictures stay much as they are.
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
    both = torch.cat([own, torch.ones_like(gates)], dim=2)
    swept: Tensor = _Sweep.apply(both, gates[1:] * gates[:-1])  # type: ignore[no-untyped-call]
    return swept[:, :, :-1] / swept[:, :, -1:]


class _Sweep(torch.autograd.Function):
    """``own`` (L, N, C, M) and, added to it, what comes from both sides along L.

    Forth, sum[i] = own[i] + passing[i - 1] * sum[i - 1] with ``passing`` (L - 1, N, 1, M) between neighbours, and back
    the same from the other end; the backward pass of the one is the other.
    """

    @staticmethod
    def forward(ctx: Any, own: Tensor, passing: Tensor) -> Tensor:
        own = own.contiguous()
        forth, back = own.clone(), own.clone()
        _sweep(forth.unbind(), passing.unbind())
        _sweep(back.unbind()[::-1], passing.unbind()[::-1])
        ctx.save_for_backward(forth, back, passing)
        return (forth + back).sub_(own)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        forth, back, passing = ctx.saved_tensors
        gradient = gradient.contiguous()
        of_forth, of_back = gradient.clone(), gradient.clone()
        _sweep(of_forth.unbind()[::-1], passing.unbind()[::-1])
        _sweep(of_back.unbind(), passing.unbind())
        of_passing = (of_forth[1:] * forth[:-1]).add_(of_back[:-1] * back[1:]).sum(dim=2, keepdim=True)
        return of_forth.add_(of_back).sub_(gradient), of_passing


def _sweep(sums: Sequence[Tensor], passing: Sequence[Tensor]) -> None:
    """Add to each of ``sums``, in place, what passes of the one before."""
    for before, after, share in zip(sums, sums[1:], passing, strict=False):
        after.addcmul_(before, share)
