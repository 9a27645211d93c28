"""A run: a folder that a recipe fills, and the object that trains in it when iterated."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from ganvas import config
from ganvas.data.batches import LabelledBatches, stream_seed
from ganvas.data.labelled import open_labelled
from ganvas.device import torch_device
from ganvas.errors import GanvasError, UsageError
from ganvas.files import atomic_write
from ganvas.inference import resolve_model
from ganvas.metrics.probe import DigitProbe
from ganvas.model_file import load_model, read_header
from ganvas.tasks import LabelTask
from ganvas.training.environment import describe_environment
from ganvas.training.folder import (
    CHECKPOINTS,
    ENVIRONMENT,
    MODEL,
    RECIPE,
    STATS,
    check_folder,
    only_process,
    read_environment,
    unused_beside,
)
from ganvas.training.loop import training_loop
from ganvas.training.matmul import MatmulRoute, is_exact, matmul_route
from ganvas.training.stats import Progress, read_stats


class TrainingRun:
    """A training run in ``folder``. Iterating trains (or goes on training) and yields a record a tick.

    Opening one checks everything that can be wrong before a picture is drawn: the recipe, the data, the folder, and
    that the folder's earlier part was made by the same recipe on the same data. ``len(run)`` is the number of
    records that are still to come.

    Args:
        recipe: what to train; ``train.epochs`` is resolved to ``train.total_images`` here.
        out: the run folder; default ``runs/<recipe name>``.
        device: ``auto`` (cuda where there is one, else cpu), ``cpu``, ``cuda`` or ``mps``.
        fresh: start over in a new folder beside ``out`` (``-2``, ``-3`` ...) and delete nothing.

    Raises:
        UsageError: the folder belongs to another recipe or other data (the difference is given).
        GanvasError: the data or the device cannot be used.
    """

    def __init__(
        self, recipe: config.Recipe, out: Path | None = None, *, device: str = "auto", fresh: bool = False
    ) -> None:
        self.device = torch_device(device)
        path = Path(recipe.data.path) if recipe.data.path else None
        self.data = open_labelled(path, size=recipe.data.size, channels=recipe.data.channels, split="train")
        if recipe.objective.wrong_labels and len(self.data.class_names) < 2:
            raise GanvasError(
                f"'{self.data.source}' has one class, recipe '{recipe.name}' learns from wrong labels and needs two: "
                "add a class, or use --set objective.wrong_labels=0"
            )
        if len(self.data.class_names) > 10_000 or any(len(name) > 255 for name in self.data.class_names):
            raise GanvasError(
                f"'{self.data.source}' has {len(self.data.class_names):,} classes: expected at most 10,000, "
                "and no name of more than 255 characters"
            )
        self.recipe = resolve(recipe, len(self.data))
        folder = out if out is not None else Path("runs") / recipe.name
        self.folder = unused_beside(folder) if fresh else folder
        check_folder(self.folder, self.recipe, self.data.fingerprint)
        if recipe.init.model and not self.images_seen:
            read_header(resolve_model(recipe.init.model))

    def __len__(self) -> int:
        train = self.recipe.train
        images, ticks = self.images_seen, 0
        while images < train.total_images:
            left_of_epoch = len(self.data) - images % len(self.data)
            after = min(images + train.batch_size, images + left_of_epoch, train.total_images)
            ticks += after // train.tick_images > images // train.tick_images or after == train.total_images
            images = after
        return ticks

    @property
    def images_seen(self) -> int:
        """Real images seen up to the newest checkpoint."""
        names = [path.stem for path in (self.folder / CHECKPOINTS).glob("*.pt")]
        return max((int(name) for name in names if name.isdecimal()), default=0)

    @property
    def complete(self) -> bool:
        """Whether the run has seen all the images that its recipe names."""
        return self.images_seen >= self.recipe.train.total_images

    @property
    def model_path(self) -> Path:
        """The model file: the averaged weights where the recipe averages, the best ones where it validates."""
        return self.folder / MODEL

    @property
    def stats(self) -> list[dict[str, Any]]:
        """The lines of ``stats.jsonl`` so far."""
        return read_stats(self.folder / STATS)

    def finish(self) -> TrainingRun:
        """Train to the end without looking at the records, and return this run."""
        for _ in self:
            pass
        return self

    def __iter__(self) -> Iterator[Progress]:
        # Everything that can fail does so before the folder is written: a refused setting leaves no trace.
        torch.manual_seed(stream_seed(self.recipe.train.seed, "weights", 0))
        task = LabelTask(self.recipe, len(self.data.class_names), self.device)
        if self.recipe.init.model and not self.images_seen:
            self._start_from(task, self.recipe.init.model)
        batches = LabelledBatches(self.data, self.recipe.train.batch_size, self.recipe.train.seed, self.device)
        self._describe()
        route = self._matmul_route()
        with only_process(self.folder):
            probe = DigitProbe.for_data(self.data, task)
            with contextlib.closing(training_loop(task, batches, self.folder, self.data, probe)) as records:
                # The route is set for the whole process, so only while the loop has the word.
                while True:
                    with matmul_route(route):
                        progress = next(records, None)
                    if progress is None:
                        return
                    yield progress

    def _start_from(self, task: LabelTask, name: str) -> None:
        generator, header = load_model(resolve_model(name))
        try:
            task.generator.load_state_dict(generator.state_dict())
        except RuntimeError:
            raise UsageError(
                f"init.model '{name}' ({header.generator.network}, {header.size} pixels, "
                f"{len(header.class_names)} classes) does not fit recipe '{self.recipe.name}'"
            ) from None
        if task.average is not None:
            task.average.load_state_dict(generator.state_dict())

    def _describe(self) -> None:
        """Write what the run is made of, where an earlier part has not."""
        if not (self.folder / ENVIRONMENT).exists():
            environment = describe_environment(self.recipe, self.data, self.device)
            atomic_write(self.folder / ENVIRONMENT, json.dumps(environment, indent=2).encode())
        if not (self.folder / RECIPE).exists():
            atomic_write(self.folder / RECIPE, config.to_toml(self.recipe).encode())

    def _matmul_route(self) -> MatmulRoute:
        """The route that the run began with, which decides its last bits."""
        route: MatmulRoute = read_environment(self.folder)["matmul_route"]
        if self.device.type == "cpu" and not is_exact(route):
            raise GanvasError(
                f"'{self.folder}' was begun with float32 products by {route}, which are not exact on this processor: "
                "continue it where it was begun, or use --fresh"
            )
        return route


def resolve(recipe: config.Recipe, images: int) -> config.Recipe:
    """The recipe with ``train.epochs`` turned into ``train.total_images`` for a set of ``images`` pictures."""
    if not recipe.train.epochs:
        return recipe
    train = recipe.train.model_copy(update={"total_images": recipe.train.epochs * images, "epochs": 0})
    return recipe.model_copy(update={"train": train})
