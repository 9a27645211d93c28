"""Convolutions that run as matrix products where those are faster: as one on small maps, as 49 at stride 1.

The processor's convolution kernels split their work by pixels; on a map of 4x4 pixels under 8 million weights there is
nothing to split. Gathering the patches and multiplying once by the weight as it lies in memory is several times faster.
A 4x4 kernel of stride 1 is no less work that way; there Winograd's form saves most of it (`winograd.py`).
Parameters, their names and the results (up to rounding) are those of torch's layers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganvas.models import winograd

# Below and above, the convolution was as fast or faster (benchmarks/deep_layers.py); in bfloat16 it is sooner so.
LEAST_WEIGHTS = 1_000_000
MOST_PIXELS = 1024
MOST_PIXELS_BFLOAT16 = 512


class Window(NamedTuple):
    """A square kernel's side, its stride and the padding around the larger map."""

    kernel: int
    stride: int
    padding: int


class Conv2d(nn.Conv2d):
    """torch's square convolution: (N, in, H, W) -> (N, out, h, w)."""

    def forward(self, input: Tensor) -> Tensor:
        window = Window(self.kernel_size[0], self.stride[0], int(self.padding[0]))
        unit_step = window.stride == 1 and window.kernel == winograd.KERNEL
        if unit_step and _may(input, self.weight) and winograd.pays(input, self.weight, window.padding):
            summed = winograd.convolution(input, self.weight, window.padding)
            return summed if self.bias is None else summed + self.bias[:, None, None].to(summed.dtype)
        height, width = (_fewer(side, window) for side in input.shape[2:])
        if not _pays(input, self.weight, len(input) * height * width):
            return super().forward(input)
        patches: Tensor = _Gather.apply(input, window)  # type: ignore[no-untyped-call]
        kernel = self.weight.permute(0, 2, 3, 1).reshape(self.out_channels, -1)
        output = F.linear(patches, kernel, self.bias)
        return output.view(len(input), height, width, -1).permute(0, 3, 1, 2)


class ConvTranspose2d(nn.ConvTranspose2d):
    """torch's square transposed convolution without output padding: (N, in, h, w) -> (N, out, H, W)."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        batch, channels, height, width = input.shape
        if not _pays(input, self.weight, batch * height * width):
            return super().forward(input, output_size)
        window = Window(self.kernel_size[0], self.stride[0], int(self.padding[0]))
        kernel = self.weight.permute(0, 2, 3, 1).reshape(channels, -1)
        patches = input.permute(0, 2, 3, 1).reshape(-1, channels) @ kernel
        shape = (batch, self.out_channels, height, width)
        output: Tensor = _Scatter.apply(patches, window, shape)  # type: ignore[no-untyped-call]
        return output if self.bias is None else output + self.bias[:, None, None]


class _Gather(torch.autograd.Function):
    """A map (N, C, H, W) -> every patch under the kernel, (N * h * w, kernel * kernel * C). Linear."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, window: Window) -> Tensor:
        ctx.window = window
        batch, channels, *sides = x.shape
        ctx.shape = (batch, channels, *(_fewer(side, window) for side in sides))
        ctx.sides = sides
        kernel, stride, padding = window
        padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, *[padding] * 4))
        patches = padded.unfold(1, kernel, stride).unfold(2, kernel, stride)
        return patches.permute(0, 1, 2, 4, 5, 3).reshape(-1, kernel * kernel * channels)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _Scatter.apply(gradient, ctx.window, ctx.shape, ctx.sides), None  # type: ignore[no-untyped-call]


class _Scatter(torch.autograd.Function):
    """Patches (N * h * w, kernel * kernel * C) -> the map (N, C, H, W) they add up to: :class:`_Gather`'s adjoint."""

    @staticmethod
    def forward(
        ctx: Any, patches: Tensor, window: Window, shape: tuple[int, int, int, int], sides: list[int] | None = None
    ) -> Tensor:
        ctx.window = window
        batch, channels, height, width = shape
        kernel, stride, padding = window
        rows, columns = sides or (_more(height, window), _more(width, window))
        taps = patches.view(batch, height, width, kernel, kernel, channels)
        padded = patches.new_zeros(batch, rows + 2 * padding, columns + 2 * padding, channels)
        for i in range(kernel):
            for j in range(kernel):
                padded[:, i : i + stride * height : stride, j : j + stride * width : stride] += taps[:, :, :, i, j]
        inner = padded[:, padding : padding + rows, padding : padding + columns]
        # Dense, or what follows would have to copy it.
        return inner.contiguous().permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return _Gather.apply(gradient, ctx.window), None, None, None  # type: ignore[no-untyped-call]


def _pays(x: Tensor, weight: Tensor, pixels: int) -> bool:
    """Whether the product is the faster form; ``pixels`` of the smaller map, over the whole batch."""
    rounded = x.dtype == torch.bfloat16 or torch.is_autocast_enabled("cpu")
    return (
        pixels <= (MOST_PIXELS_BFLOAT16 if rounded else MOST_PIXELS)
        and weight.numel() >= LEAST_WEIGHTS
        and _may(x, weight)
    )


def _may(x: Tensor, weight: Tensor) -> bool:
    """Whether another form than the convolution can be the faster one at all."""
    return (
        x.device.type == "cpu"
        # Only then is the kernel a matrix as it lies in memory.
        and weight.is_contiguous(memory_format=torch.channels_last)
        # Compilers and exporters do better with the convolution itself.
        and not torch.compiler.is_compiling()
    )


def _fewer(side: int, window: Window) -> int:
    return (side + 2 * window.padding - window.kernel) // window.stride + 1


def _more(side: int, window: Window) -> int:
    return (side - 1) * window.stride - 2 * window.padding + window.kernel
