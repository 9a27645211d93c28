"""The discriminators of Isola et al. (2017): one logit for each overlapping patch, or one for the whole picture."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from ganvas import config
from ganvas.errors import UsageError
from ganvas.models.norms import BatchNorm, InstanceNorm, initialise_weight
from ganvas.models.products import Conv2d

SLOPE = 0.2


class _Layer(NamedTuple):
    """Output channels (None: the logits), kernel, stride and padding of a convolution."""

    channels: int
    kernel: int
    stride: int
    padding: int

    def side(self, before: int) -> int:
        """Side of the map it makes of one of side ``before``."""
        return (before + 2 * self.padding - self.kernel) // self.stride + 1


def build_patch(settings: config.PatchDiscriminator, *, in_channels: int, size: int) -> PatchDiscriminator:
    """The discriminator a picture -> picture recipe describes, freshly initialised from torch's global random numbers.

    Args:
        settings: a recipe's ``discriminator``.
        in_channels: of the picture and, for a conditional one, of the source beside it.
        size: side of the training pictures in pixels.

    Raises:
        UsageError: a picture of that size is too small for the receptive field, at full size or at the last scale.
    """
    return PatchDiscriminator(settings, in_channels, size)


class PatchDiscriminator(nn.Module):
    """Pairs (N, in, H, W) -> for each scale the feature maps of all layers, the last the logits (N, 1, h, w).

    The first scale sees the pairs as they are, each further one those of the scale before at half the side
    (Wang et al. 2018, section 3.2). Parameters of one scale at width 64, batch norm and 6 channels: 9,024 (receptive
    field 1), 139,585 (16), 666,433 (34), 2,768,705 (70), 6,964,033 (142), 11,159,361 (286); maps at 256 pixels:
    256, 126, 62, 30, 14 and 6 a side. "image" halves the picture down to 4x4 and looks at all of that at once, as
    DCGAN does (Radford et al. 2016): one logit, for pictures of the given size only.
    """

    def __init__(self, settings: config.PatchDiscriminator, in_channels: int, size: int) -> None:
        super().__init__()
        # The pooling below rounds up.
        sizes = [-(-size // 2**scale) for scale in range(settings.scales)]
        self.scales = nn.ModuleList(_SingleScale(settings, in_channels, side) for side in sizes)

    def forward(self, pairs: Tensor) -> list[list[Tensor]]:
        features = []
        for scale, network in enumerate(self.scales):
            if scale:
                pairs = F.avg_pool2d(pairs, 3, stride=2, padding=1, count_include_pad=False)
            features.append(network(pairs))
        return features


class _SingleScale(nn.Module):
    """Pairs (N, in, H, W) -> the feature maps after each layer's LeakyReLU, and the logits."""

    def __init__(self, settings: config.PatchDiscriminator, in_channels: int, size: int) -> None:
        super().__init__()
        layers = _layers(settings, size)
        self.layers = nn.ModuleList()
        for i, (before, layer) in enumerate(itertools.pairwise([_Layer(in_channels, 0, 0, 0), *layers])):
            first, last = i == 0, i == len(layers) - 1
            norm = None if first or last else _norm(settings, layer.channels)
            # The published count of the 1x1 network, 9,024, leaves no room for a bias of its logits.
            bias = norm is None and not (last and settings.receptive_field == 1)
            self.layers.append(_Block(before.channels, layer, norm, bias, activation=not last))

    def forward(self, pairs: Tensor) -> list[Tensor]:
        features = [pairs]
        for layer in self.layers:
            features.append(layer(features[-1]))
        return features[1:]


class _Block(nn.Module):
    """Convolution -> norm -> LeakyReLU."""

    def __init__(self, before: int, layer: _Layer, norm: nn.Module | None, bias: bool, activation: bool) -> None:
        super().__init__()
        self.conv = Conv2d(before, layer.channels, layer.kernel, layer.stride, layer.padding, bias=bias)
        initialise_weight(self.conv)
        self.norm = norm
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.conv(x)
        if self.norm is not None:
            h = self.norm(h)
        return F.leaky_relu_(h, SLOPE) if self.activation else h


def _layers(settings: config.PatchDiscriminator, size: int) -> list[_Layer]:
    """The convolutions, first to last, that a picture of ``size`` goes through."""
    field, width = settings.receptive_field, settings.width
    if field == 1:
        return [_Layer(width, 1, 1, 0), _Layer(2 * width, 1, 1, 0), _Layer(1, 1, 1, 0)]
    strided = max(1, size.bit_length() - 3) if field == "image" else config.STRIDED_LAYERS[field]
    layers = [_Layer(width * min(2**i, 8), 4, 2, 1) for i in range(strided)]
    if field == "image":
        # Halving rounds down, so what is left of a side that is no power of two may be more than 4.
        return [*layers, _Layer(1, size >> strided, 1, 0)]
    layers += [_Layer(width * min(2**strided, 8), 4, 1, 1), _Layer(1, 4, 1, 1)]
    side = size
    for layer in layers:
        side = layer.side(side)
    if side < 1:
        raise UsageError(
            f"discriminator.receptive_field {field} leaves nothing of a picture of {size} pixels: "
            "take a smaller one, fewer discriminator.scales or a larger data.size"
        )
    return layers


def _norm(settings: config.PatchDiscriminator, channels: int) -> nn.Module | None:
    match settings.norm:
        case "batch":
            return BatchNorm(channels)
        case "instance":
            return InstanceNorm(channels)
        case "none":
            return None
