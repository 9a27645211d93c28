"""A 4x4 convolution of stride 1 with a fifth of the products, as matrix products (Winograd 1980; Lavin & Gray 2016).

``F(4x4, 4x4)``: each 4x4 pixels of the output take 49 products a pair of channels instead of 256. In their letters
``Y = A' [(G g G') * (B' d B)] A`` for a kernel ``g`` and a tile ``d`` of 7x7 pixels, the middle ``*`` being, over all
tiles and channels at once, 49 matrix products. Results differ by rounding only, in float32 by less than 1e-5 of their
size.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

KERNEL, STEP = 4, 4  # of the filter, and of the output that a tile gives
TILE = KERNEL + STEP - 1
# Where the polynomials are taken, beside infinity: near 1, or powers of them would magnify rounding.
POINTS = (0.4, -0.4, 0.8, -0.8, 1.75, -1.75)
# A transformed product costs so many of a direct one; transforming the kernel as many as this for each of its pairs of
# channels; a bfloat16 product half a float32 one where there are units for it (benchmarks/deep_layers.py --stride-1).
TRANSFORMED_COST, KERNEL_COST, BFLOAT16_COST = 1.5, 5000, 0.5
LEAST_WEIGHTS = 500_000  # the fewest measured


def pays(x: Tensor, weight: Tensor, padding: int) -> bool:
    """Whether this form is the faster one for a map (N, in, H, W) on the processor."""
    sides = [side + 2 * padding - KERNEL + 1 for side in x.shape[2:]]
    if weight.numel() < LEAST_WEIGHTS or min(sides) < 1:
        return False
    direct = KERNEL**2 * len(x) * math.prod(sides)
    transformed = TILE**2 * len(x) * math.prod(map(tiles, sides))
    rounded = x.dtype == torch.bfloat16 or torch.is_autocast_enabled("cpu")
    return (BFLOAT16_COST if rounded else 1.0) * direct > TRANSFORMED_COST * transformed + KERNEL_COST


def convolution(x: Tensor, weight: Tensor, padding: int) -> Tensor:
    """What ``F.conv2d(x, weight, padding=padding)`` gives: (N, in, H, W), (out, in, 4, 4) -> (N, out, h, w).

    Computes in float32 where the convolution would in bfloat16, whose rounding the transforms would magnify.
    """
    if x.dtype == torch.bfloat16 or torch.is_autocast_enabled("cpu"):
        with torch.autocast("cpu", enabled=False):
            return _convolution(x.float(), weight.float(), padding).to(torch.bfloat16)
    return _convolution(x, weight, padding)


def _convolution(x: Tensor, weight: Tensor, padding: int) -> Tensor:
    batch, inputs, *sides = x.shape
    outputs = len(weight)
    height, width = (side + 2 * padding - KERNEL + 1 for side in sides)
    rows, columns = tiles(height), tiles(width)
    of_input, of_kernel, of_output = (torch.from_numpy(matrix).to(x.dtype) for matrix in _transforms())
    cut: Tensor = _Cut.apply(x, padding, rows, columns)  # type: ignore[no-untyped-call]
    transformed = (of_input @ cut.reshape(TILE**2, -1)).view(TILE**2, -1, inputs)
    kernels = (of_kernel @ weight.permute(2, 3, 0, 1).reshape(KERNEL**2, -1)).view(TILE**2, outputs, inputs)
    products = torch.bmm(transformed, kernels.transpose(1, 2))
    y = (of_output @ products.view(TILE**2, -1)).view(STEP, STEP, batch, rows, columns, outputs)
    y = y.permute(2, 3, 0, 4, 1, 5).reshape(batch, STEP * rows, STEP * columns, outputs)
    # Dense, or batch norm's backward pass takes longer.
    return y[:, :height, :width].contiguous().permute(0, 3, 1, 2)


def tiles(side: int) -> int:
    """How many tiles cover ``side`` pixels of the output."""
    return -(-side // STEP)


class _Cut(torch.autograd.Function):
    """A map (N, C, H, W) -> its overlapping tiles, (49, N * rows * columns, C). Linear."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, padding: int, rows: int, columns: int) -> Tensor:
        ctx.shape, ctx.layout = x.shape, (padding, rows, columns)
        _, channels, height, width = x.shape
        below, right = STEP * rows + KERNEL - 1 - height - padding, STEP * columns + KERNEL - 1 - width - padding
        padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, padding, right, padding, below))
        cut = padded.unfold(1, TILE, STEP).unfold(2, TILE, STEP)
        return cut.permute(4, 5, 0, 1, 2, 3).reshape(TILE**2, -1, channels)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return _Paste.apply(gradient, ctx.shape, *ctx.layout), None, None, None  # type: ignore[no-untyped-call]


class _Paste(torch.autograd.Function):
    """Tiles (49, N * rows * columns, C) -> the map (N, C, H, W) that they add up to: :class:`_Cut`'s adjoint."""

    @staticmethod
    def forward(ctx: Any, cut: Tensor, shape: torch.Size, padding: int, rows: int, columns: int) -> Tensor:
        ctx.layout = (padding, rows, columns)
        batch, channels, height, width = shape
        taps = cut.reshape(TILE, TILE, batch, rows, columns, channels)
        padded = cut.new_zeros(batch, STEP * rows + KERNEL - 1, STEP * columns + KERNEL - 1, channels)
        for i in range(TILE):
            for j in range(TILE):
                padded[:, i : i + STEP * rows : STEP, j : j + STEP * columns : STEP] += taps[i, j]
        # Dense, or what follows would have to copy it.
        inner = padded[:, padding : padding + height, padding : padding + width].contiguous()
        return inner.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        return _Cut.apply(gradient, *ctx.layout), None, None, None, None  # type: ignore[no-untyped-call]


@cache
def _transforms() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """B', G and A' of two dimensions: (49, 49) for a tile, (49, 16) for a kernel, (16, 49) for an output.

    Toom-Cook, transposed: a polynomial of degree 6 is known by its values at 6 points and its leading coefficient.
    """
    of_tile = np.linalg.inv(_values(TILE)).T
    of_kernel, of_output = _values(KERNEL), _values(STEP).T
    return np.kron(of_tile, of_tile), np.kron(of_kernel, of_kernel), np.kron(of_output, of_output)


def _values(coefficients: int) -> np.ndarray:
    """What takes the coefficients of a polynomial to its values at the points and its leading coefficient."""
    finite = np.vander(np.array(POINTS), coefficients, increasing=True)
    return np.vstack([finite, np.eye(coefficients)[-1]])
