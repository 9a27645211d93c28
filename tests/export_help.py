"""What the tests of exports share: headers, networks whose every weight counts, pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from ganvas import __version__, config
from ganvas.data.preparation import Preparation
from ganvas.model_file import LabelHeader, TrainingData, TranslateHeader, save_model

STREET = Preparation(
    kind="labels", channels=1, class_names=("sky", "road", "car"), colours=((0, 0, 255), (90, 90, 90), (255, 0, 0))
)
COMMON = {
    "ganvas_version": __version__,
    "data": TrainingData(source="squares", fingerprint="0" * 16, licence="CC BY-SA 4.0: drawn by Ann"),
    "images_seen": 1000,
}


def translate_header(**changes: Any) -> TranslateHeader:
    generator = config.UnetGenerator(width=4, **changes.pop("generator", {}))
    fields = {"recipe": "own", "size": 32, "source": Preparation(), "target": Preparation(), "hints": False}
    return TranslateHeader.model_validate({**COMMON, **fields, "generator": generator, **changes})


def label_header(generator: config.Generator, size: int = 28, channels: int = 1) -> LabelHeader:
    return LabelHeader(
        **COMMON,
        recipe="own",
        size=size,
        generator=generator,
        class_names=tuple("abcdefg"),
        conditional=generator.network not in config.UNCONDITIONAL,
        channels=channels,
        value_range=(0.0, 1.0) if generator.network == "paper" else (-1.0, 1.0),
    )


def network(header: LabelHeader | TranslateHeader) -> nn.Module:
    """With every weight and statistic away from where it starts, many of which are zero or one."""
    torch.manual_seed(0)
    made = header.build().eval().requires_grad_(False)
    for name, weight in made.named_parameters():
        alone = weight.ndim == 1 or "film" in name
        weight.add_(torch.randn_like(weight) * (0.5 if alone else 2 * float(weight.std()) + 0.02))
    for name, value in made.named_buffers():
        if name.endswith("running_mean"):
            value.normal_()
        elif name.endswith("running_var"):
            value.uniform_(0.5, 2)
    return made


def save(path: Path, header: LabelHeader | TranslateHeader) -> Path:
    save_model(path, network(header), header)
    return path


def colour_model(folder: Path) -> Path:
    """A model of the task translate with hints."""
    return save(folder / "colour.safetensors", translate_header(hints=True, source=Preparation(channels=1)))


def picture(width: int, height: int, mode: str = "RGB") -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((width, height), Image.Resampling.NEAREST).convert(mode)


def most_levels(one: Image.Image, other: Image.Image) -> int:
    assert one.size == other.size
    return int(np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int)).max())
