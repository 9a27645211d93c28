"""Whether an export draws what its model draws: on random input, and on drawings made for it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from ganvas.model_file import LabelHeader, TranslateHeader

Inputs = tuple[Tensor, Tensor | None]
Kind = Literal["random", "real"]
BATCH = 2


@dataclass(frozen=True)
class Difference:
    """By how much values of two generators differ, over all pictures; both draw in [-1, 1] (the paper's in [0, 1]).

    Attributes:
        largest: of all values.
        mean: of the absolute differences: the L1.
        psnr: in dB, of the range of values; infinite where nothing differs.
    """

    largest: float
    mean: float
    psnr: float


@torch.inference_mode()
def difference(model: nn.Module, export: nn.Module, header: LabelHeader | TranslateHeader, kind: Kind) -> Difference:
    """How far ``export`` is from ``model`` on :func:`random_inputs` or :func:`real_inputs`."""
    differences = []
    for x, labels in random_inputs(header) if kind == "random" else real_inputs(header):
        differences.append((model(x.clone(), labels) - export(x, labels)).double().flatten())
    found = torch.cat(differences).abs()
    low, high = header.value_range if isinstance(header, LabelHeader) else (-1.0, 1.0)
    squares = float(found.square().mean())
    psnr = 10 * math.log10((high - low) ** 2 / squares) if squares else math.inf
    # NaN is never below a limit, but the maximum of a tensor with one is.
    largest = math.inf if torch.isnan(found).any() else float(found.max())
    return Difference(largest, float(found.mean()), psnr if math.isfinite(squares) else -math.inf)


def random_inputs(header: LabelHeader | TranslateHeader) -> Iterator[Inputs]:
    """Inputs without any sense, the same with every call: batches, and pictures of all manner of sizes."""
    random = torch.Generator().manual_seed(0)
    if isinstance(header, LabelHeader):
        for count in (1, 64):
            yield _noise(header, count, random), _labels(header, count)
        return
    side = header.size
    for count, height, width in ((BATCH, side, side), (1, 1, 1), (1, side // 2 + 3, side + 5), (BATCH, 7, 2 * side)):
        if header.source.kind == "labels":
            ids = torch.randint(len(header.source.class_names), (count, 1, height, width), generator=random)
            x = header.source.encode(ids.to(torch.uint8))
        else:
            x = torch.rand(count, header.source.channels, height, width, generator=random) * 2 - 1
        dabs = torch.rand(count, 4, height, width, generator=random) * 2 - 1 if header.hints else None
        yield _with_hints(x, dabs), _labels(header, count)


def real_inputs(header: LabelHeader | TranslateHeader) -> Iterator[Inputs]:
    """What the model is for: noise under every label, or drawings of a house, with and without dabs of colour."""
    if isinstance(header, LabelHeader):
        random = torch.Generator().manual_seed(1)
        count = max(32, min(200, len(header.class_names)))
        yield _noise(header, count, random), _labels(header, count)
        return
    side = header.size
    for number, (height, width) in enumerate(((side, side), (side, side + side // 3), (2 * side, 2 * side))):
        x = header.source.encode(_house(header, height, width))
        yield _with_hints(x, _dabs(height, width, number) if header.hints else None), _labels(header, 1)


def _noise(header: LabelHeader, count: int, random: torch.Generator) -> Tensor:
    shape = (count, header.generator.latent)
    if header.generator.network == "paper":
        return torch.rand(shape, generator=random)
    return torch.randn(shape, generator=random)


def _labels(header: LabelHeader | TranslateHeader, count: int) -> Tensor | None:
    takes = header.conditional if isinstance(header, LabelHeader) else bool(header.class_names)
    return torch.arange(count) % len(header.class_names) if takes else None


def _with_hints(x: Tensor, dabs: Tensor | None) -> Tensor:
    return x if dabs is None else torch.cat([x, dabs], dim=1)


def _house(header: TranslateHeader, height: int, width: int) -> Tensor:
    """A drawing (1, C, height, width) as uint8: lines on paper, or areas of class ids."""
    source = header.source
    if source.kind == "labels":
        classes = len(source.class_names)
        shades = [number * 7 % classes for number in range(4)]
        image = Image.new("L", (width, height), shades[0])
        _draw(image, *shades[1:], line=None)
    else:
        image = Image.new("L", (width, height), 255)
        _draw(image, 255, 255, 255, line=0)
    pixels: npt.NDArray[np.uint8] = np.asarray(image)
    return torch.tensor(np.repeat(pixels[None, None], source.channels, axis=1))


def _draw(image: Image.Image, ground: int, wall: int, roof: int, *, line: int | None) -> None:
    pen = ImageDraw.Draw(image)
    width, height = image.size
    weight = max(1, min(image.size) // 50)

    def at(*places: tuple[float, float]) -> list[tuple[float, float]]:
        return [(x * width, y * height) for x, y in places]

    pen.rectangle(at((0, 0.8), (1, 1)), ground, line, weight)
    pen.rectangle(at((0.25, 0.45), (0.75, 0.85)), wall, line, weight)
    pen.polygon(at((0.2, 0.45), (0.5, 0.15), (0.8, 0.45)), roof, line, weight)
    pen.rectangle(at((0.45, 0.6), (0.58, 0.85)), roof, line, weight)
    pen.ellipse(at((0.05, 0.05), (0.2, 0.2)), roof, line, weight)


def _dabs(height: int, width: int, count: int) -> Tensor:
    """(1, 4, height, width) with ``count`` dabs of different colours in a row."""
    dabs = torch.zeros(1, 4, height, width)
    for number in range(count):
        left = width * (number + 1) // (count + 2)
        colour = torch.tensor([1.0, -1.0 + number, -1.0])
        dabs[0, :3, height // 3 : height // 3 + 4, left : left + 4] = colour[:, None, None]
        dabs[0, 3, height // 3 : height // 3 + 4, left : left + 4] = 1
    return dabs
