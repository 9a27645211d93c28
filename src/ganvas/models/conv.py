"""Small convolutional networks for class-conditional pictures of 28, 32 or 64 pixels, grey or colour.

Every convolution works at half the picture's side or below: the generator's last one writes 2x2 blocks of
pixels (Shi et al. 2016, sub-pixel convolution) and the discriminator's first one reads overlapping blocks.

Nothing here looks across a batch: no picture or logit depends on its neighbours, in training or after.
"""

from __future__ import annotations

import itertools
import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIZES = (28, 32, 64)
HIDDEN = 256
SLOPE = 0.2


class ConvGenerator(nn.Module):
    """z (N, latent) and labels (N,) -> pictures (N, C, S, S) in [-1, 1].

    Noise and label enter one hidden vector (N, 256), which is spread onto the coarsest map (7x7 or 8x8) and
    modulates every map after that: features are normalised in groups within a picture (Wu & He 2018), then
    scaled and shifted by the vector (Huang & Belongie 2017). At S = 28 and width 32: 1,036,868 parameters.
    """

    value_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def __init__(self, latent: int, classes: int, channels: int, size: int, width: int) -> None:
        """Make the network; ``width`` is the channels at half the side; a halving below has twice as many.

        Raises:
            ValueError: ``size`` is not 28, 32 or 64, or ``width`` is not a multiple of 4.
        """
        super().__init__()
        self.latent = latent
        sides, widths = _stages(size, width)
        self.coarse_shape = (widths[0], sides[0], sides[0])
        self.noise = _linear(latent, HIDDEN)
        self.label = nn.Embedding(classes, HIDDEN)
        self.mix = _linear(HIDDEN, HIDDEN)
        self.spread = _linear(HIDDEN, math.prod(self.coarse_shape))
        self.blocks = nn.ModuleList(_ModulatedBlock(w) for w in widths)
        self.ups = nn.ModuleList(_up(a, b) for a, b in itertools.pairwise(widths))
        self.last = _Modulated(width)
        self.paint = _conv(width, 4 * channels, gain=0.5)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        hidden = self.noise(z)
        if labels is not None:
            hidden = hidden + self.label(labels)
        hidden = _leaky(self.mix(_leaky(hidden)))
        h = self.spread(hidden).unflatten(1, self.coarse_shape).contiguous(memory_format=torch.channels_last)
        h = self.blocks[0](h, hidden)
        for up, block in zip(self.ups, self.blocks[1:], strict=True):
            h = block(up(h), hidden)
        return torch.tanh(F.pixel_shuffle(self.paint(self.last(h, hidden)), 2))


class ConvDiscriminator(nn.Module):
    """Pictures (N, C, S, S) in [-1, 1] and labels (N,) -> logits (N,).

    The logit is ``o(h) + <e(y), h>`` with h the 256 last features: the projection discriminator of Miyato &
    Koyama (2018). There is no normalisation, so that gradient penalties act on each picture alone.
    """

    def __init__(self, classes: int, channels: int, size: int, width: int) -> None:
        """Make the network; ``width`` is the channels at half the side; a halving below has twice as many.

        Raises:
            ValueError: ``size`` is not 28, 32 or 64, or ``width`` is not a multiple of 4.
        """
        super().__init__()
        sides, widths = _stages(size, width)
        fine_to_coarse = widths[::-1]
        self.read = nn.Conv2d(channels, width, 4, stride=2, padding=1)
        _initialise(self.read)
        self.blocks = nn.ModuleList(_PlainBlock(w) for w in fine_to_coarse)
        self.downs = nn.ModuleList(_down(a, b) for a, b in itertools.pairwise(fine_to_coarse))
        self.gather = _linear(widths[0] * sides[0] ** 2, HIDDEN)
        self.output = _linear(HIDDEN, 1)
        self.label = nn.Embedding(classes, HIDDEN)
        nn.init.normal_(self.label.weight, std=HIDDEN**-0.5)

    def features(self, pictures: Tensor) -> Tensor:
        """What D knows of a picture before any label: (N, C, S, S) -> (N, 256)."""
        h = self.blocks[0](self.read(pictures.contiguous(memory_format=torch.channels_last)))
        for down, block in zip(self.downs, self.blocks[1:], strict=True):
            h = block(down(_leaky(h)))
        return _leaky(self.gather(_leaky(h).flatten(1)))

    def score(self, features: Tensor, labels: Tensor | None) -> Tensor:
        """Logits (N,) from :meth:`features` (N, 256) and labels (N,), or without the label's term."""
        logits: Tensor = self.output(features).squeeze(1)
        if labels is None:
            return logits
        projection: Tensor = (self.label(labels) * features).sum(1)
        return logits + projection

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.score(self.features(pictures), labels)


class _Modulated(nn.Module):
    """Group norm within each picture, scaled and shifted by the hidden vector, then LeakyReLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(4, width, affine=False)
        self.style = nn.Linear(HIDDEN, 2 * width)
        nn.init.normal_(self.style.weight, std=0.5 * HIDDEN**-0.5)
        nn.init.zeros_(self.style.bias)

    def forward(self, h: Tensor, hidden: Tensor) -> Tensor:
        scale, shift = self.style(hidden)[:, :, None, None].chunk(2, dim=1)
        return _leaky(torch.addcmul(shift, self.norm(h), 1 + scale))


class _ModulatedBlock(nn.Module):
    """h + conv(modulated(h)); the side stays."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.modulated = _Modulated(width)
        self.conv = _conv(width, width, gain=0.5)

    def forward(self, h: Tensor, hidden: Tensor) -> Tensor:
        update: Tensor = self.conv(self.modulated(h, hidden))
        return h + update


class _PlainBlock(nn.Module):
    """h + conv(leaky(h)); the side stays."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = _conv(width, width, gain=0.5)

    def forward(self, h: Tensor) -> Tensor:
        update: Tensor = self.conv(_leaky(h))
        return h + update


def _stages(size: int, width: int) -> tuple[list[int], list[int]]:
    """Sides and channels of the maps, coarse to fine: 28 -> 7, 14; 32 -> 8, 16; 64 -> 8, 16, 32."""
    if size not in SIZES:
        raise ValueError(f"the conv networks make pictures of 28, 32 or 64 pixels, found {size}")
    if width % 4:
        raise ValueError(f"the conv networks' width must be a multiple of 4, found {width}")
    sides = [size // 2]
    while sides[0] > 8:
        sides.insert(0, sides[0] // 2)
    return sides, [width * (size // 2) // side for side in sides]


def _leaky(h: Tensor) -> Tensor:
    return F.leaky_relu(h, SLOPE)


def _up(before: int, after: int) -> nn.Module:
    up = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)
    # Each pixel of the result meets 2x2 of the kernel's 4x4 places.
    nn.init.normal_(up.weight, std=(before * 4) ** -0.5)
    nn.init.zeros_(up.bias)  # type: ignore[arg-type]
    return up


def _down(before: int, after: int) -> nn.Module:
    down = nn.Conv2d(before, after, 4, stride=2, padding=1)
    _initialise(down)
    return down


def _conv(before: int, after: int, gain: float = 1.0) -> nn.Module:
    conv = nn.Conv2d(before, after, 3, padding=1)
    _initialise(conv, gain)
    return conv


def _linear(before: int, after: int) -> nn.Module:
    linear = nn.Linear(before, after)
    _initialise(linear)
    return linear


def _initialise(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> None:
    """He et al. (2015) for LeakyReLU(0.2), and zero biases."""
    nn.init.kaiming_normal_(layer.weight, a=SLOPE)
    with torch.no_grad():
        layer.weight.mul_(gain)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
