"""The model file: one .safetensors with a generator's weights and everything needed to use them in its header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import safetensors
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ganvas import config
from ganvas.errors import GanvasError
from ganvas.files import atomic_write
from ganvas.models import build_generator

FORMAT_VERSION = 1
HEADER_KEY = "ganvas"


class TrainingData(BaseModel):
    """What a model was trained on."""

    model_config = ConfigDict(frozen=True)
    source: str
    fingerprint: str
    licence: str


class ModelHeader(BaseModel):
    """Everything beside the weights that using a model needs, as JSON in the file's metadata."""

    # Not forbid: a later 0.x may add keys without raising the format version.
    model_config = ConfigDict(frozen=True)
    format_version: int = FORMAT_VERSION
    ganvas_version: str
    task: Literal["label"] = "label"
    recipe: str
    generator: Annotated[config.Generator, Field()]
    class_names: tuple[str, ...]
    conditional: bool
    size: int
    channels: Literal[1, 3]
    value_range: tuple[float, float]
    norm_statistics: Literal["none", "running"] = "none"
    data: TrainingData
    images_seen: int
    metrics: dict[str, float] = {}


def save_model(path: Path, generator: nn.Module, header: ModelHeader, *, half: bool = False) -> None:
    """Write ``generator`` and ``header`` atomically; ``half`` stores floats as float16.

    Raises:
        GanvasError: the file cannot be written.
    """
    weights = {
        name: (value.half() if half and value.is_floating_point() else value).detach().cpu().contiguous()
        for name, value in generator.state_dict().items()
    }
    # As bytes first: the library's own writer reports a full disk by an error of its own, not by an OSError.
    atomic_write(path, save(weights, metadata={HEADER_KEY: header.model_dump_json()}))


def read_header(path: Path) -> ModelHeader:
    """The header of a model file, without reading its weights.

    Raises:
        GanvasError: no model file, a damaged one, or one of a newer format.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata: Mapping[str, str] = file.metadata() or {}
    except FileNotFoundError:
        raise GanvasError(f"no model file '{path}'. `ganvas info` lists the shipped models.") from None
    except (OSError, safetensors.SafetensorError) as error:
        raise GanvasError(f"'{path}' is no model file or is damaged ({error}): expected .safetensors") from error
    if HEADER_KEY not in metadata:
        raise GanvasError(
            f"'{path}' has no ganvas header: it was written by another program. "
            "Expected a model.safetensors of a ganvas run."
        )
    return _parse_header(path, metadata[HEADER_KEY])


def _parse_header(path: Path, text: str) -> ModelHeader:
    try:
        table = json.loads(text)
        version = table["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise GanvasError(f"'{path}' has a damaged ganvas header ({error})") from error
    if version > FORMAT_VERSION:
        raise GanvasError(
            f"'{path}' has model format {version}, this ganvas reads up to {FORMAT_VERSION}: "
            f"pip install 'ganvas>={table.get('ganvas_version', 'the newest')}'"
        )
    try:
        return ModelHeader.model_validate(table)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise GanvasError(f"'{path}' has a damaged ganvas header: {where}: {problem['msg']}") from error


def load_model(path: Path) -> tuple[nn.Module, ModelHeader]:
    """The generator in float32, ready to draw, and its header.

    Raises:
        GanvasError: no model file, a damaged one, or weights that do not fit the header.
    """
    header = read_header(path)
    generator = build_generator(
        header.generator, classes=len(header.class_names), size=header.size, channels=header.channels
    )
    weights: dict[str, Tensor] = load_file(path)
    floats = {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}
    try:
        generator.load_state_dict(floats)
    except RuntimeError as error:
        raise GanvasError(f"the weights in '{path}' do not fit its header: {error}".replace("\n", " ")) from error
    return generator.eval().requires_grad_(False), header
