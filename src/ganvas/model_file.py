"""The model file: one .safetensors with a generator's weights and everything needed to use them in its header."""

from __future__ import annotations

import json
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import safetensors
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors.torch import load_file, save
from torch import nn
from torch.overrides import TorchFunctionMode

from ganvas import config
from ganvas.data.preparation import Preparation
from ganvas.errors import GanvasError
from ganvas.files import atomic_write
from ganvas.models import Segmenter, build_generator, build_translator
from ganvas.models.conv import SIZES

FORMAT_VERSION = 1
HEADER_KEY = "ganvas"
ClassName = Annotated[str, Field(max_length=255)]


class TrainingData(BaseModel):
    """What a model was trained on."""

    model_config = ConfigDict(frozen=True)
    source: str
    fingerprint: str
    licence: str


class ModelHeader(BaseModel, ABC):
    """Everything beside the weights that using a model of any task needs, as JSON in the file's metadata."""

    # Not forbid: a later 0.x may add keys without raising the format version.
    model_config = ConfigDict(frozen=True)
    format_version: int = FORMAT_VERSION
    ganvas_version: str
    task: str
    recipe: str
    size: int = Field(ge=8, le=1024)
    data: TrainingData
    images_seen: int
    metrics: dict[str, float] = {}
    evaluation: dict[str, Any] = {}  # the protocol, intervals and real pictures' values behind metrics

    @property
    @abstractmethod
    def network(self) -> str:
        """What the generator is called in a recipe."""

    @abstractmethod
    def build(self) -> nn.Module:
        """The generator that the weights belong to."""


class LabelHeader(ModelHeader):
    """The header of a label -> image or noise -> image model."""

    task: Literal["label"] = "label"
    generator: Annotated[config.Generator, Field()]
    class_names: tuple[ClassName, ...] = Field(min_length=1, max_length=10_000)
    conditional: bool
    channels: Literal[1, 3]
    value_range: tuple[float, float]
    norm_statistics: Literal["none", "running"] = "none"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        network = self.generator.network
        if self.conditional != (network not in config.UNCONDITIONAL):
            raise ValueError(f"conditional is {self.conditional}, which generator '{network}' is not")
        if network == "conv" and self.size not in SIZES:
            raise ValueError(f"size is {self.size}: the conv networks draw 28, 32 or 64 pixels")
        return self

    @property
    def network(self) -> str:
        return self.generator.network

    def build(self) -> nn.Module:
        return build_generator(self.generator, classes=len(self.class_names), size=self.size, channels=self.channels)


class TranslateHeader(ModelHeader):
    """The header of a picture -> picture model: how pictures are prepared for it, on both sides."""

    task: Literal["translate"] = "translate"
    generator: config.Translator
    source: Preparation
    target: Preparation
    hints: bool
    class_names: tuple[ClassName, ...] = Field((), max_length=10_000)

    @property
    def network(self) -> str:
        return self.generator.network

    @property
    def in_channels(self) -> int:
        """What goes into the generator: the encoded source and the hints."""
        return self.source.encoded_channels + config.HINT_CHANNELS * self.hints

    def build(self) -> nn.Module:
        return build_translator(
            self.generator,
            in_channels=self.in_channels,
            out_channels=self.target.channels,
            size=self.size,
            classes=len(self.class_names),
        )


class SegmentHeader(TranslateHeader):
    """The header of a segmenter: a picture -> picture model that paints label maps, and gives a logit a class."""

    task: Literal["segment"] = "segment"  # type: ignore[assignment]
    hints: Literal[False] = False

    @model_validator(mode="after")
    def _paints(self) -> Self:
        if not self.target.colours:
            raise ValueError("a segmenter's target names no classes")
        return self

    def build(self) -> nn.Module:
        target = self.target
        return Segmenter(self.generator, self.source.channels, target.colours, target.ignore, self.size)


HEADERS: dict[str, type[LabelHeader] | type[TranslateHeader]] = {
    "label": LabelHeader,
    "translate": TranslateHeader,
    "segment": SegmentHeader,
}


def save_model(path: Path, generator: nn.Module, header: ModelHeader, *, half: bool = False) -> None:
    """Write ``generator`` and ``header`` atomically; ``half`` stores floats as float16.

    Raises:
        GanvasError: the file cannot be written.
    """
    # Batch norm's count of batches, the one integer there is, means nothing to drawing.
    weights = {
        name: (value.half() if half else value).detach().cpu().contiguous()
        for name, value in generator.state_dict().items()
        if value.is_floating_point()
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
    except OSError as error:
        reason = "it is a folder" if path.is_dir() else error
        raise GanvasError(f"'{path}' cannot be read ({reason}): expected .safetensors") from error
    except safetensors.SafetensorError as error:
        raise GanvasError(f"'{path}' is no model file or is damaged ({error}): expected .safetensors") from error
    if HEADER_KEY not in metadata:
        raise GanvasError(
            f"'{path}' has no ganvas header: it was written by another program. "
            "Expected a model.safetensors of a ganvas run."
        )
    return parse_header(path, metadata[HEADER_KEY])


def parse_header(path: Path, text: str) -> ModelHeader:
    """The header that ``text`` holds as JSON; ``path`` stands in messages.

    Raises:
        GanvasError: it is damaged, of a newer format or of an unknown task.
    """
    try:
        table = json.loads(text)
        version = table["format_version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise GanvasError(f"'{path}' has a damaged ganvas header ({error})") from error
    if not isinstance(version, int):
        raise GanvasError(f"'{path}' has a damaged ganvas header: format_version is {version!r:.40}, no whole number")
    if version > FORMAT_VERSION:
        raise GanvasError(
            f"'{path}' has model format {version}, this ganvas reads up to {FORMAT_VERSION}: "
            f"pip install 'ganvas>={table.get('ganvas_version', 'the newest')}'"
        )
    task = table.get("task", "label")
    if task not in HEADERS:
        raise GanvasError(f"'{path}' is a model of task {task!r:.40}, this ganvas knows {', '.join(HEADERS)}")
    try:
        return HEADERS[task].model_validate(table)
    except ValidationError as error:
        problem = error.errors()[0]
        where = "".join(f"{part}: " for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        raise GanvasError(f"'{path}' has a damaged ganvas header: {where}{message}") from error


class _Unfilled(TorchFunctionMode):
    """No normal numbers are drawn: the file's weights come, and without storage drawing imports a second of torch."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in (nn.init.normal_, torch.Tensor.normal_):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def load_model(path: Path) -> tuple[nn.Module, ModelHeader]:
    """The generator in float32, ready to draw, and its header.

    Raises:
        GanvasError: no model file, a damaged one, or weights that do not fit the header.
    """
    header = read_header(path)
    try:
        # Without memory of its own until the weights are known to fit: a header may ask for any size.
        with torch.device("meta"), _Unfilled():
            generator = header.build()
        weights = load_file(path)
        if not all(value.is_floating_point() for value in weights.values()):
            raise ValueError("some are no floating-point numbers")
        # Copies, as the file stays mapped and its values lie at any address.
        floats = {name: value.to(torch.float32, copy=True) for name, value in weights.items()}
        generator.load_state_dict(floats, assign=True)
    except (RuntimeError, ValueError, TypeError, OSError, safetensors.SafetensorError) as error:
        reason = textwrap.shorten(str(error), 300)
        raise GanvasError(f"the weights in '{path}' do not fit its header: {reason}") from error
    return generator.eval().requires_grad_(False), header
