"""Normalisation and modulation of the picture -> picture networks.

Every layer maps (N, C, H, W) -> (N, C, H, W). Gains start at N(1, 0.02) and shifts at 0, as pix2pix has them.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-5
WEIGHT_STD = 0.02
LEAST_PIXELS_ALONE = 64  # of a map; below, calling once for each picture costs more than it saves


class BatchNorm(nn.BatchNorm2d):
    """Batch norm (Ioffe & Szegedy 2015) that also knows the statistics of each picture alone.

    In training it takes the batch's statistics and averages them with momentum 0.1. In evaluation ``statistics``
    decides: "instance" normalises each picture by itself, which is what pix2pix does with its batches of one;
    "running" takes the averages. Where a channel has a single value (a 1x1 map of one picture), that value is its
    own mean and only the shift is left: the zeroed bottleneck of the paper's text, which torch's layer refuses.
    """

    def __init__(self, channels: int, statistics: Literal["instance", "running"] = "running") -> None:
        super().__init__(channels, eps=EPSILON)
        self.statistics = statistics
        _initialise_gain(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            if self.statistics == "running":
                return super().forward(input)
            return _normalise_picture(input, self.weight, self.bias)
        if input.numel() > self.num_features:
            return super().forward(input)
        self._average_single_value(input)
        return _normalise_single_value(input, self.weight, self.bias)

    @torch.no_grad()
    def _average_single_value(self, x: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.running_mean.lerp_(x.flatten().to(self.running_mean.dtype), self.momentum)
        self.running_var.mul_(1 - self.momentum)
        self.num_batches_tracked.add_(1)


class InstanceNorm(nn.Module):
    """Each channel of each picture by its own statistics, then gain and shift (Ulyanov et al. 2016).

    On a 1x1 map, where every value is its own mean, only gain and shift act: normalising would erase the picture.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        _initialise_gain(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] * x.shape[3] == 1:
            return x * self.weight[:, None, None] + self.bias[:, None, None]
        return _normalise_picture(x, self.weight, self.bias)


class Spade(nn.Module):
    """Spatially-adaptive normalisation (Park et al. 2019): what a label map says scales and shifts each pixel.

    ``x (N, C, h, w)`` is normalised within each picture and becomes ``x * (1 + gamma) + beta``; gamma and beta
    come by two 3x3 convolutions from the map (N, L, H, W), brought to h x w. One hidden layer of ``hidden`` channels,
    a quarter of the paper's 128 at the usual width: label maps are simple.
    """

    def __init__(self, channels: int, map_channels: int, hidden: int) -> None:
        super().__init__()
        self.shared = nn.Conv2d(map_channels, hidden, 3, padding=1)
        self.modulation = nn.Conv2d(hidden, 2 * channels, 3, padding=1)
        for layer in (self.shared, self.modulation):
            initialise_weight(layer)

    def forward(self, x: Tensor, label_map: Tensor) -> Tensor:
        # "nearest-exact" looks at the middle of each cell; "nearest" at its corner, half a cell away.
        resized = F.interpolate(label_map, size=x.shape[2:], mode="nearest-exact")
        gamma, beta = self.modulation(F.relu(self.shared(resized))).chunk(2, dim=1)
        return torch.addcmul(beta, _normalise_picture(x, None, None), 1 + gamma)


class Film(nn.Module):
    """Feature-wise linear modulation (Perez et al. 2018): a class scales and shifts each channel.

    ``x (N, C, H, W)`` becomes ``x * (1 + gamma) + beta`` with gamma, beta (N, C) looked up by ``labels`` (N,) int64.
    Starts as the identity.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.modulation = nn.Embedding(classes, 2 * channels)
        nn.init.zeros_(self.modulation.weight)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        gamma, beta = self.modulation(labels).to(x.dtype)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(beta, x, 1 + gamma)


def initialise_weight(layer: nn.Conv2d | nn.ConvTranspose2d) -> None:
    """Weights N(0, 0.02) and zero biases, as in Isola et al. (2017), section 6.2."""
    nn.init.normal_(layer.weight, std=WEIGHT_STD)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _initialise_gain(gain: Tensor) -> None:
    nn.init.normal_(gain, mean=1.0, std=WEIGHT_STD)


def _normalise_picture(x: Tensor, gain: Tensor | None, shift: Tensor | None) -> Tensor:
    pixels = x.shape[2] * x.shape[3]
    if pixels == 1:
        return _normalise_single_value(x, gain, shift)
    if x.device.type == "cpu" and pixels >= LEAST_PIXELS_ALONE and not torch.compiler.is_compiling():
        # One picture's statistics are its batch's, and on the processor batch norm's backward pass is the faster one.
        parts = [F.batch_norm(part, None, None, gain, shift, training=True, eps=EPSILON) for part in torch.split(x, 1)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)
    return F.group_norm(x, x.shape[1], gain, shift, eps=EPSILON)


def _normalise_single_value(x: Tensor, gain: Tensor | None, shift: Tensor | None) -> Tensor:
    # Zero, but of x, so that NaN is not lost and every parameter has a gradient.
    zero = x - x
    if gain is None or shift is None:
        return zero
    return zero * gain[:, None, None] + shift[:, None, None]
