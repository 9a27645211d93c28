"""Whether an export draws what its model draws: on random input, and on the examples that the studio has."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from ganvas.data.label_maps import CAMVID
from ganvas.data.preparation import Preparation
from ganvas.exporting.description import EXAMPLES
from ganvas.model_file import LabelHeader, TranslateHeader
from ganvas.pictures import Pixels

Inputs = tuple[Tensor, Tensor | None]
Kind = Literal["random", "real"]
BATCH = 2
DRAWING = Preparation(channels=1)
STREET = Preparation(
    kind="labels",
    channels=1,
    class_names=tuple(name for name, _ in CAMVID),
    colours=tuple(colour for _, colour in CAMVID),
)


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
    """What the model is for: noise under every label, or the examples of :func:`real_name`, also with dabs."""
    if isinstance(header, LabelHeader):
        random = torch.Generator().manual_seed(1)
        count = max(32, min(200, len(header.class_names)))
        yield _noise(header, count, random), _labels(header, count)
        return
    side = header.size
    sizes = ((side, side), (side, side), (side, side + side // 3), (2 * side, 2 * side))
    for number, path in enumerate(_examples(header)):
        height, width = sizes[number % len(sizes)]
        pixels = header.source.resized(_read(header, path), height, width)
        x = header.source.encode(torch.tensor(np.moveaxis(pixels, 2, 0)[None]))
        yield _with_hints(x, _dabs(height, width, number) if header.hints else None), _labels(header, 1)


def real_name(header: LabelHeader | TranslateHeader) -> str:
    """What :func:`real_inputs` are, for people."""
    if isinstance(header, LabelHeader):
        return f"noise under {len(header.class_names)} labels" if header.conditional else "noise"
    examples = _examples(header)
    return f"{examples[0].parent.name} {', '.join(path.stem for path in examples)}"


def _examples(header: TranslateHeader) -> list[Path]:
    """Street scenes for a model that takes label maps, whatever its classes; drawings for any other."""
    folder = "camvid" if header.source.kind == "labels" else "drawings"
    return sorted((EXAMPLES / folder).glob("*.png"))


def _read(header: TranslateHeader, path: Path) -> Pixels:
    """An example (H, W, C) with the channels that the model takes, or with ids of its classes."""
    source = header.source
    if source.kind == "labels":
        return STREET.read(path) % len(source.class_names)
    return DRAWING.read(path).repeat(source.channels, axis=2)


def _noise(header: LabelHeader, count: int, random: torch.Generator) -> Tensor:
    shape = (count, header.generator.noise_length)
    if header.generator.network == "paper":
        return torch.rand(shape, generator=random)
    return torch.randn(shape, generator=random)


def _labels(header: LabelHeader | TranslateHeader, count: int) -> Tensor | None:
    takes = header.conditional if isinstance(header, LabelHeader) else bool(header.class_names)
    return torch.arange(count) % len(header.class_names) if takes else None


def _with_hints(x: Tensor, dabs: Tensor | None) -> Tensor:
    return x if dabs is None else torch.cat([x, dabs], dim=1)


def _dabs(height: int, width: int, count: int) -> Tensor:
    """(1, 4, height, width) with ``count`` dabs of different colours in a row."""
    dabs = torch.zeros(1, 4, height, width)
    for number in range(count):
        left = width * (number + 1) // (count + 2)
        colour = torch.tensor([1.0, 2 * number / count - 1, -1.0])
        dabs[0, :3, height // 3 : height // 3 + 4, left : left + 4] = colour[:, None, None]
        dabs[0, 3, height // 3 : height // 3 + 4, left : left + 4] = 1
    return dabs
