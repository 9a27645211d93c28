"""The picture -> picture generators of Isola et al. (2017): U-Net and encoder-decoder, with their named variants."""

from __future__ import annotations

import itertools
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganvas import config
from ganvas.errors import UsageError
from ganvas.models.norms import BatchNorm, Film, InstanceNorm, Spade, initialise_weight
from ganvas.models.products import MOST_PIXELS, Conv2d, ConvTranspose2d
from ganvas.models.spread import Spread

SLOPE = 0.2
DROPOUT_LAYERS = {"1-3": (0, 1, 2), "2-4": (1, 2, 3)}
TranslatorSettings = config.UnetGenerator | config.EncoderDecoderGenerator


def build_translator(
    settings: TranslatorSettings, *, in_channels: int, out_channels: int, size: int, classes: int = 0
) -> Translator:
    """The generator a picture -> picture recipe describes, freshly initialised from torch's global random numbers.

    Args:
        settings: a recipe's ``generator``.
        in_channels: of the source, hints included; a label map has one a class.
        out_channels: of the drawn picture.
        size: side of the training pictures in pixels; it sets the number of levels, n = floor(log2(size)).
        classes: number of classes that the generator takes beside the picture; 0 for none.
    """
    return Translator(settings, in_channels, out_channels, size, classes)


class Translator(nn.Module):
    """A source (N, in, H, W) -> a picture (N, out, H, W) in [-1, 1], for any height and width.

    n strided 4x4 convolutions down to one pixel, n up-convolutions back; with the network ``unet`` each of these also
    reads the encoder's map of its side. Widths at 256 pixels: 64-128-256-512-512-512-512-512; a smaller size drops
    512s, a larger one adds some, and ``settings.width`` scales them all. The second to the last but one convolution
    and all up-convolutions but the last are normalised; the last one alone has a bias, as the published parameter
    counts demand: at 256 pixels, 3 -> 3 channels and width 64, 54,413,955 (``unet``) and 39,075,459
    (``encoder-decoder``).

    With ``settings.source_skip`` the last up-convolution gives half of the first width instead, and a 3x3 convolution
    over that and the source makes the picture: what a source shows to the pixel, lines above all, need not be learnt.
    ``settings.noise`` planes of N(0, 1) are seen beside the source by all that sees it: a map of flat areas alone gives
    no texture to start from. ``settings.residual_blocks`` counts blocks behind the up-convolutions, from that to half
    the picture's side inwards. With ``settings.spread`` colours are spread within outlines: :class:`Spread`.

    Training mode: dropout, fresh noise, batch statistics. Evaluation: no dropout, and always the same noise, unless
    ``varying`` is set, and batch norm as ``settings.norm_statistics`` says, so that no picture depends
    on the others in its batch.
    """

    def __init__(
        self, settings: TranslatorSettings, in_channels: int, out_channels: int, size: int, classes: int
    ) -> None:
        super().__init__()
        self.varying = False
        self.classes = classes
        self.skips = settings.network == "unet"
        self.skip_first = isinstance(settings, config.UnetGenerator) and settings.skip_order == "skip-first"
        levels = size.bit_length() - 1
        self.multiple = 2**levels
        # What evaluation gives every picture; in the model file, as torch's random numbers differ between its versions.
        planes = torch.empty(settings.noise, self.multiple, self.multiple).normal_() if settings.noise else None
        self.noise: Tensor | None
        self.register_buffer("noise", planes)
        in_channels += settings.noise
        widths = [settings.width * min(2**level, 8) for level in range(levels)]
        self.encoder = nn.ModuleList(
            _Down(
                settings,
                before,
                after,
                activation=level > 0,
                norm=0 < level < levels - 1 or (settings.bottleneck_norm and level == levels - 1),
            )
            for level, (before, after) in enumerate(itertools.pairwise([in_channels, *widths]))
        )
        source_skip = isinstance(settings, config.UnetGenerator) and settings.source_skip
        outputs = [*widths[-2::-1], settings.width // 2 if source_skip else out_channels]
        inputs = [widths[-1], *(width * (1 + self.skips) for width in outputs[:-1])]
        dropout = DROPOUT_LAYERS[settings.dropout_layers]
        self.decoder = nn.ModuleList(
            _Up(
                settings,
                before,
                after,
                map_channels=in_channels,
                classes=classes,
                dropout=settings.dropout if layer in dropout else 0.0,
                last=layer == levels - 1,
            )
            for layer, (before, after) in enumerate(zip(inputs, outputs, strict=True))
        )

        numbers = settings.residual_blocks if isinstance(settings, config.UnetGenerator) else ()
        blocks = [0] * (levels - 1 - len(numbers)) + list(reversed(numbers))
        self.blocks = nn.ModuleList(
            nn.ModuleList(_ResidualBlock(settings, channels, map_channels=in_channels) for _ in range(count))
            for channels, count in zip(outputs[:-1], blocks, strict=True)
        )

        self.finish: nn.Conv2d | None = None
        if source_skip:
            self.finish = Conv2d(outputs[-1] + in_channels, out_channels, 3, padding=1)
            initialise_weight(self.finish)
        self.spread: Spread | None = None
        if isinstance(settings, config.UnetGenerator) and settings.spread:
            self.spread = Spread(outputs[-1] + in_channels * source_skip, settings.spread)

    def forward(self, source: Tensor, labels: Tensor | None = None) -> Tensor:
        """Draw pictures (N, out, H, W) from ``source`` (N, in, H, W) and, where there are classes, ``labels`` (N,).

        Raises:
            UsageError: the network takes a class and got none.
        """
        logits, features = self._finished(source, labels)
        # bfloat16 has too few values near 1, where paper is.
        pictures = torch.tanh(logits.float() if logits.dtype == torch.bfloat16 else logits)
        return pictures if self.spread is None else self.spread(pictures, features)

    def logits(self, source: Tensor, labels: Tensor | None = None) -> Tensor:
        """The last layer's output as it is, which :meth:`forward` brings to [-1, 1]."""
        return self._finished(source, labels)[0]

    def _finished(self, source: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """The last layer's output, and what :class:`Spread` reads: what ``finish`` read, or that output."""
        if self.classes and labels is None:
            raise UsageError(
                f"this model draws for one of {self.classes} classes, found no label: give one with --label"
            )
        height, width = source.shape[2:]
        varying = self.training or self.varying
        padded, top, left = _pad_to_multiple(source, self.multiple)
        if self.noise is not None:
            padded = torch.cat([padded, self._noise_beside(padded, self.noise, fresh=varying)], dim=1)
        maps = [padded]
        for down in self.encoder:
            maps.append(down(maps[-1]))
        h = maps.pop()
        for layer, up in enumerate(self.decoder):
            if self.skips and layer:
                skip = maps.pop()
                h = _joined(*((skip, h) if self.skip_first else (h, skip)))
            h = up(h, padded, labels, varying)
            blocks: Any = self.blocks[layer] if layer < len(self.blocks) else ()
            for block in blocks:
                h = block(h, maps[-1], padded)
        features = h
        if self.finish is not None:
            features = torch.cat([F.relu_(h), padded], dim=1)
            h = self.finish(features)
        shown = (..., slice(top, top + height), slice(left, left + width))
        return h[shown], features[shown]

    def _noise_beside(self, padded: Tensor, stored: Tensor, *, fresh: bool) -> Tensor:
        count, _, height, width = padded.shape
        if fresh:
            return torch.randn(count, len(stored), height, width, dtype=padded.dtype, device=padded.device)
        tiles = stored.repeat(1, height // self.multiple, width // self.multiple)
        return tiles.expand(count, -1, -1, -1)


def _joined(one: Tensor, other: Tensor) -> Tensor:
    """Two maps side by side in their channels, (N, C, H, W) and (N, C', H, W) -> (N, C + C', H, W)."""
    joined: Tensor = _Joined.apply(one, other)  # type: ignore[no-untyped-call]
    return joined


class _Joined(torch.autograd.Function):
    """:func:`_joined`.

    What comes back to each is dense, unlike the slices of ``torch.cat``, on which the backward pass of batch norm takes
    several times as long.
    """

    @staticmethod
    def forward(ctx: Any, one: Tensor, other: Tensor) -> Tensor:
        ctx.channels = (one.shape[1], other.shape[1])
        return torch.cat([one, other], dim=1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        last = gradient.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if last else torch.contiguous_format
        return tuple(part.contiguous(memory_format=layout) for part in torch.split(gradient, ctx.channels, dim=1))


class _Down(nn.Module):
    """LeakyReLU -> strided 4x4 convolution -> norm: (N, C, H, W) -> (N, C', H / 2, W / 2)."""

    def __init__(self, settings: TranslatorSettings, before: int, after: int, *, activation: bool, norm: bool) -> None:
        super().__init__()
        self.activation = activation
        self.conv = Conv2d(before, after, 4, stride=2, padding=1, bias=False)
        initialise_weight(self.conv)
        self.norm: nn.Module | None = None
        if norm:
            batch = settings.norm == "batch"
            self.norm = BatchNorm(after, settings.norm_statistics) if batch else InstanceNorm(after)

    def forward(self, x: Tensor) -> Tensor:
        # In place, although x is also a skip: the decoder's ReLU makes the same of x and of LeakyReLU(x).
        h: Tensor = self.conv(F.leaky_relu_(x, SLOPE) if self.activation else x)
        if self.norm is not None:
            h = self.norm(h)
        return h


class _Up(nn.Module):
    """ReLU -> up-convolution -> norm -> class modulation -> dropout: (N, C, H, W) -> (N, C', 2H, 2W)."""

    def __init__(
        self,
        settings: TranslatorSettings,
        before: int,
        after: int,
        *,
        map_channels: int,
        classes: int,
        dropout: float,
        last: bool,
    ) -> None:
        super().__init__()
        self.dropout = 0.0 if last else dropout
        self.conv = _up_convolution(settings.upsampling, before, after, bias=last)
        self.norm = None if last else _decoder_norm(settings, after, map_channels)
        self.film = Film(after, classes) if classes and not last else None

    def forward(self, x: Tensor, label_map: Tensor, labels: Tensor | None, varying: bool) -> Tensor:
        # In place: what is given is used nowhere else.
        h: Tensor = self.conv(F.relu_(x))
        if self.norm is not None:
            h = _normalised(self.norm, h, label_map)
        if self.film is not None:
            h = self.film(h, labels)
        return F.dropout(h, self.dropout) if varying and self.dropout else h


class _ResidualBlock(nn.Module):
    """h + what two 3x3 convolutions make of it and of its skip (after He et al. 2016): (N, C, H, W) each.

    An up-convolution looks at each place of a side once; what colour has reached a place from within the same outline
    takes several looks.
    """

    def __init__(self, settings: TranslatorSettings, channels: int, *, map_channels: int) -> None:
        super().__init__()
        self.first = Conv2d(2 * channels, channels, 3, padding=1, bias=False)
        self.norm = _decoder_norm(settings, channels, map_channels)
        self.second = Conv2d(channels, channels, 3, padding=1)
        initialise_weight(self.first)
        initialise_weight(self.second)

    def forward(self, h: Tensor, skip: Tensor, label_map: Tensor) -> Tensor:
        change = self.first(F.relu_(_joined(h, skip)))
        change = self.second(F.relu_(_normalised(self.norm, change, label_map)))
        output: Tensor = h + change
        return output


def _decoder_norm(settings: TranslatorSettings, channels: int, map_channels: int) -> nn.Module:
    match settings.norm:
        case "batch":
            return BatchNorm(channels, settings.norm_statistics)
        case "instance":
            return InstanceNorm(channels)
        case "spade":
            return Spade(channels, map_channels, hidden=max(8, settings.width // 2))


def _normalised(norm: nn.Module, h: Tensor, label_map: Tensor) -> Tensor:
    normalised: Tensor = norm(h, label_map) if isinstance(norm, Spade) else norm(h)
    return normalised


class ResizeConvolution(Conv2d):
    """Nearest neighbours, then a 3x3 convolution: no checkerboards (Odena et al. 2016).

    A nearest neighbour repeats its pixels, so the nine products of an output pixel are four with weights added up: a
    transposed 4x4 convolution with tied weights, equal but for rounding and less than half the work.
    On few pixels adding up the weights costs more than it saves.
    """

    def __init__(self, before: int, after: int, bias: bool) -> None:
        super().__init__(before, after, 3, padding=1, bias=bias)
        initialise_weight(self)

    def forward(self, input: Tensor) -> Tensor:
        batch, _, height, width = input.shape
        if 4 * batch * height * width <= MOST_PIXELS:
            return super().forward(F.interpolate(input, scale_factor=2.0, mode="nearest"))
        tied = _tied(_tied(self.weight, 2), 3).transpose(0, 1)
        return F.conv_transpose2d(
            input, tied.contiguous(memory_format=torch.channels_last), self.bias, stride=2, padding=1
        )


def _tied(weight: Tensor, axis: int) -> Tensor:
    """Along one axis, the three weights that meet doubled pixels as the four that meet single ones."""
    first, middle, last = weight.unbind(axis)
    return torch.stack((last, middle + last, first + middle, first), axis)


class SubPixelConvolution(Conv2d):
    """A 3x3 convolution that writes 2x2 pixels at each place (Shi et al. 2016).

    The four kernels of a place start equal, so that it begins as nearest neighbours (Aitken et al. 2017).
    """

    def __init__(self, before: int, after: int, bias: bool) -> None:
        super().__init__(before, 4 * after, 3, padding=1, bias=bias)
        initialise_weight(self)
        with torch.no_grad():
            self.weight.copy_(self.weight[::4].repeat_interleave(4, dim=0))

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(super().forward(input), 2)


def _up_convolution(
    upsampling: Literal["transposed", "resize", "pixel-shuffle"], before: int, after: int, *, bias: bool
) -> nn.Module:
    match upsampling:
        case "transposed":
            transposed = ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=bias)
            initialise_weight(transposed)
            return transposed
        case "resize":
            return ResizeConvolution(before, after, bias)
        case "pixel-shuffle":
            return SubPixelConvolution(before, after, bias)


def _pad_to_multiple(source: Tensor, multiple: int) -> tuple[Tensor, int, int]:
    """The picture in the middle of the next larger multiple, and the rows above and columns left of it.

    The border's pixels are repeated: white paper stays white and a label map one-hot, which zeros would break, and
    unlike mirroring it works for a border wider than the picture.
    """
    height, width = source.shape[2:]
    rows, columns = -height % multiple, -width % multiple
    if not rows and not columns:
        return source, 0, 0
    top, left = rows // 2, columns // 2
    padding = (left, columns - left, top, rows - top)
    return F.pad(source, padding, mode="replicate"), top, left
