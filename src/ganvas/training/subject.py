"""What a run is about: its data, and the task that learns from them. The loop and the run know no more of either."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import torch
from PIL import Image
from torch import Tensor

from ganvas.config import Recipe
from ganvas.model_file import ModelHeader, TrainingData
from ganvas.tasks import Task

AnyRecipe = TypeVar("AnyRecipe", bound=Recipe)


class Batches(Protocol):
    """Training data as a function of images seen."""

    def batch(self, images_seen: int) -> tuple[Tensor, ...]:
        """What a step takes; each tensor's first dimension counts the pictures, of which the loop may use fewer."""
        ...


class Probe(Protocol):
    """Measures the task's generator while it trains."""

    def measure(self) -> dict[str, float]: ...


@dataclass(frozen=True)
class Work:
    """All that the loop needs of a task.

    Attributes:
        task: networks, objective and optimisers; their weights are overwritten by a checkpoint's.
        step: (*batch, images_seen) -> named scalars, one update of the networks.
        batches: the data.
        probe: None where nothing can judge the drawings.
        every_images: images between two measurements of the probe and of the signs.
        best_by: the probe's metric that decides which model is kept; empty: the last is.
        sheet: the fixed samples as the task draws them now.
        header: the model file's header for (images seen, metrics).
        patience_images: images without a better ``best_by`` after which training stops; 0: it does not.
        signs: cheap numbers for :mod:`ganvas.training.monitors`, as the task draws now.
        advice: what to try, by monitor.
    """

    task: Task
    step: Callable[..., dict[str, Tensor]]
    batches: Batches
    probe: Probe | None
    every_images: int
    best_by: str
    sheet: Callable[[], Image.Image]
    header: Callable[[int, dict[str, float]], ModelHeader]
    patience_images: int = 0
    signs: Callable[[], dict[str, float]] = dict
    advice: Mapping[str, str] = field(default_factory=dict)


class Subject(Protocol):
    """The data of a recipe, read and checked, before a network is made."""

    @property
    def recipe(self) -> Recipe:
        """Resolved: how long is in images."""
        ...

    def __len__(self) -> int:
        """Pictures of an epoch."""
        ...

    @property
    def fingerprint(self) -> str:
        """Tells whether data are the same."""
        ...

    def describe(self) -> dict[str, Any]:
        """What ``environment.json`` says of the data."""
        ...

    def work(self, device: torch.device) -> Work:
        """Networks with fresh weights from torch's global generator, and all that goes with them."""
        ...


class Pictures(Protocol):
    """What a set of training pictures tells of itself."""

    @property
    def source(self) -> str: ...

    @property
    def licence(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def class_names(self) -> tuple[str, ...]: ...

    def __len__(self) -> int: ...


AnyPictures = TypeVar("AnyPictures", bound=Pictures)


class PictureSubject(Generic[AnyPictures]):
    """The part of a subject that is the same of all kinds of pictures: what is told of its data."""

    data: AnyPictures
    _held_out: Sized | None = None

    def __len__(self) -> int:
        return len(self.data)

    @property
    def fingerprint(self) -> str:
        """Tells whether data are the same."""
        return self.data.fingerprint

    @property
    def class_names(self) -> tuple[str, ...]:
        """A name for every class of the data; () without classes."""
        return self.data.class_names

    @property
    def trained_on(self) -> TrainingData:
        """What a model file's header says of the data."""
        return TrainingData(source=self.data.source, fingerprint=self.data.fingerprint, licence=self.data.licence)

    def describe(self) -> dict[str, Any]:
        """What ``environment.json`` says of the data."""
        held_out = {} if self._held_out is None else {"held_out": len(self._held_out)}
        told = self.trained_on.model_dump() | {"images": len(self.data)} | held_out
        return told | {"classes": list(self.class_names)}


def resolve(recipe: AnyRecipe, images: int) -> AnyRecipe:
    """The recipe with epochs and shares of the run turned into images, for a set of ``images`` pictures."""
    train = recipe.train
    total = train.total_images or train.epochs * images
    changes: dict[str, Any] = {"total_images": total, "epochs": 0}
    if train.lr_decay_share:
        falling = round(train.lr_decay_share * total)
        changes |= {"lr_decay_start_images": total - falling, "lr_decay_images": falling, "lr_decay_share": 0.0}
    return recipe.model_copy(update={"train": train.model_copy(update=changes)})
