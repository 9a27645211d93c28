"""Which models there are: those that come with ganvas, those of the runs, and model files in the runs folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from ganvas.errors import GanvasError, nearest
from ganvas.exporting.description import described, examples_for
from ganvas.inference import resolve_model, shipped_models
from ganvas.model_file import LabelHeader, ModelHeader, TranslateHeader, read_header
from ganvas.studio.problems import ProblemError

Origin = Literal["shipped", "run", "file"]
MODEL = "model.safetensors"


class SourceClass(BaseModel):
    """A class of a label map."""

    id: int = Field(ge=0)
    name: str
    colour: str = Field(pattern="^#[0-9a-f]{6}$")


class Source(BaseModel):
    """What a model translates."""

    kind: Literal["picture", "labels"]
    channels: int = Field(ge=1)
    classes: list[SourceClass] = Field(description="of a label map, by id; empty for pictures")


class ModelInfo(BaseModel):
    """What a page needs to know to draw with a model."""

    name: str = Field(description="what stands in addresses: NAME of a shipped model, run:NAME, file:NAME")
    title: str
    description: str
    task: Literal["translate", "label"]
    size: int = Field(description="side of the training pictures in pixels")
    channels: int = Field(description="of the result")
    hints: bool = Field(description="takes dabs of colour")
    variations: bool = Field(description="has something to vary (dropout, noise, colours)")
    class_names: list[str] = Field(description="classes to ask for; empty where the model takes none")
    source: Source | None
    origin: Origin
    licence: str = Field(description="of the training data")
    images_seen: int
    examples: int = Field(description="how many sources to try it with there are")


@dataclass(frozen=True)
class Entry:
    """A model and where it lies."""

    name: str
    origin: Origin
    path: Path


class Catalogue:
    """The models; what lies in the runs folder is looked up each time, as runs come and go."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._shipped = [Entry(name, "shipped", resolve_model(name)) for name in shipped_models()]

    def entries(self) -> list[Entry]:
        """All of them: shipped first, then runs, then files."""
        inside = list(children(self._runs))
        runs = [Entry(f"run:{path.name}", "run", path / MODEL) for path in inside if is_inside(self._runs, path, MODEL)]
        files = [Entry(f"file:{p.stem}", "file", p) for p in inside if p.suffix == ".safetensors" and p.is_file()]
        return [*self._shipped, *runs, *files]

    def models(self) -> list[ModelInfo]:
        """What is known of each; a file that is damaged is left out."""
        infos = []
        for entry in self.entries():
            try:
                infos.append(describe(entry))
            except (GanvasError, OSError):
                continue
        return infos

    def find(self, name: str) -> Entry:
        """The model of that name, which is only ever compared and never becomes part of a path.

        Raises:
            ProblemError: there is none.
        """
        # The common case, without a look into the folder for every stroke.
        for entry in self._shipped:
            if entry.name == name:
                return entry
        entries = {entry.name: entry for entry in self.entries()}
        if name not in entries:
            raise ProblemError("no-model", {"model": name, "hint": nearest(name[:80], entries)})
        return entries[name]


def children(folder: Path) -> list[Path]:
    """What lies in ``folder`` itself, sorted; hidden ones and links that lead elsewhere are left out."""
    try:
        found = sorted(folder.iterdir())
        root = folder.resolve()
    except OSError:
        return []
    return [path for path in found if not path.name.startswith(".") and path.resolve().parent == root]


def is_inside(folder: Path, *parts: str | Path) -> bool:
    """Whether a file is there and lies, links followed, in ``folder``."""
    path = folder.joinpath(*parts)
    return path.is_file() and path.resolve().is_relative_to(folder.resolve())


def describe(entry: Entry) -> ModelInfo:
    """What a page needs to know of a model.

    Raises:
        GanvasError: its file is damaged.
    """
    found = entry.path.stat()
    header = _header(entry.path, found.st_mtime_ns, found.st_size)
    assert isinstance(header, LabelHeader | TranslateHeader)
    own = {
        "name": entry.name,
        "title": entry.name.partition(":")[2] or entry.name,
        "origin": entry.origin,
        "variations": isinstance(header, LabelHeader) or header.generator.varies or header.hints,
        "examples": len(examples_for(header)),
    }
    return ModelInfo.model_validate(described(header) | own)


def header_of(entry: Entry) -> ModelHeader:
    """The header of a model's file.

    Raises:
        ProblemError: "model-unusable" where it is damaged or gone.
    """
    try:
        found = entry.path.stat()
        return _header(entry.path, found.st_mtime_ns, found.st_size)
    except (GanvasError, OSError) as error:
        raise ProblemError("model-unusable", {"reason": str(error)}) from error


@lru_cache(maxsize=256)
def _header(path: Path, modified: int, size: int) -> ModelHeader:
    return read_header(path)
