"""A run: a folder that a recipe fills, and the object that trains in it when iterated."""

from __future__ import annotations

import contextlib
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from ganvas import config
from ganvas.data.batches import stream_seed
from ganvas.device import torch_device
from ganvas.errors import GanvasError, UsageError
from ganvas.files import atomic_write
from ganvas.inference import resolve_model
from ganvas.memory import freed_memory_kept
from ganvas.model_file import ModelHeader, load_model, read_header
from ganvas.tasks import Task
from ganvas.training.checkpoint import load_newest_checkpoint
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
from ganvas.training.label_subject import LabelSubject
from ganvas.training.loop import training_loop
from ganvas.training.matmul import MatmulRoute, is_exact, matmul_route
from ganvas.training.segment_subject import SegmentSubject
from ganvas.training.stats import Progress, read_stats
from ganvas.training.subject import Subject
from ganvas.training.translate_subject import TranslateSubject


class TrainingRun:
    """A training run in ``folder``. Iterating trains (or goes on training) and yields a record a tick.

    Opening one checks everything that can be wrong before a picture is drawn: the recipe, the data, the folder, and
    that the folder's earlier part was made by the same recipe on the same data. ``len(run)`` is the number of
    records that are still to come; fewer do where patience runs out.

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
        self.subject = open_subject(recipe)
        self.recipe = self.subject.recipe
        folder = out if out is not None else Path("runs") / recipe.name
        self.folder = unused_beside(folder) if fresh else folder
        check_folder(self.folder, self.recipe, self.subject.fingerprint)
        if recipe.init.model and not self.images_seen:
            read_header(resolve_model(recipe.init.model))
        elif recipe.init.discriminator and not recipe.init.model:
            raise UsageError("init.discriminator=true needs init.model, the run to take the discriminator from")

    def __len__(self) -> int:
        if self.complete:
            return 0
        train = self.recipe.train
        images, ticks = self.images_seen, 0
        while images < train.total_images:
            left_of_epoch = len(self.subject) - images % len(self.subject)
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
        """Whether the run has seen all the images that its recipe names, or stopped early for want of progress."""
        images = self.images_seen
        if images >= self.recipe.train.total_images:
            return True
        return any(line["images"] == images and line.get("finished", False) for line in self.stats)

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
        work = self.subject.work(self.device)
        if self.recipe.init.model and not self.images_seen:
            self._start_from(work.task, self.recipe.init.model)
        self._describe()
        route = self._matmul_route()
        records = training_loop(work, self.recipe.train, self.folder)
        with only_process(self.folder), contextlib.closing(records):
            # The route is set for the whole process, so only while the loop has the word.
            while True:
                with matmul_route(route), freed_memory_kept():
                    progress = next(records, None)
                if progress is None:
                    return
                yield progress

    def _start_from(self, task: Task, name: str) -> None:
        generator, header = load_model(resolve_model(name))
        # A new spread changes little, so that an older model can be given one.
        fresh = {key: value for key, value in task.generator.state_dict().items() if key.startswith("spread.conv.")}
        try:
            task.generator.load_state_dict(fresh | generator.state_dict())
        except RuntimeError:
            raise UsageError(
                f"init.model '{name}' ({header.network}, {header.size} pixels) does not fit recipe '{self.recipe.name}'"
                f"{self._unlike(header)}"
            ) from None
        if task.average is not None:
            task.average.load_state_dict(task.generator.state_dict())
        if self.recipe.init.discriminator:
            self._start_discriminator(task, Path(name))

    def _unlike(self, header: ModelHeader) -> str:
        """What the recipe says of its generator otherwise than the model's file, as a hint in a message."""
        theirs, ours = (told.model_dump()["generator"] for told in (header, self.recipe))
        if theirs["network"] != ours["network"]:
            return ""
        unlike = [
            f"--set {shlex.quote(f'generator.{key}={json.dumps(value)}')}"
            for key, value in theirs.items()
            if ours[key] != value and (key, value) != ("spread", 0)
        ]
        return f": it would with {' '.join(unlike)}" if unlike else ""

    def _start_discriminator(self, task: Task, run: Path) -> None:
        checkpoint = load_newest_checkpoint(run / CHECKPOINTS, task.device)
        if checkpoint is None:
            raise UsageError(
                f"init.discriminator: '{run}' has no checkpoint to take a discriminator from, expected a run folder as "
                "init.model; or set init.discriminator=false"
            )
        found = checkpoint["task"].get("discriminator")
        if found is None or "discriminator" not in task.networks:
            which = "recipe" if found is not None else "run"
            raise UsageError(f"init.discriminator: the {which} has no discriminator; set init.discriminator=false")
        try:
            task.discriminator.load_state_dict(found)
        except RuntimeError:
            raise UsageError(
                f"init.discriminator: that of '{run}' does not fit recipe '{self.recipe.name}'; give the settings of "
                "its recipe, or set init.discriminator=false"
            ) from None

    def _describe(self) -> None:
        """Write what the run is made of, where an earlier part has not."""
        if not (self.folder / ENVIRONMENT).exists():
            environment = describe_environment(self.recipe, self.subject.describe(), self.device)
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


def open_subject(recipe: config.Recipe) -> Subject:
    """Read and check the data of a recipe of any task.

    Raises:
        GanvasError: the data cannot be used.
    """
    match recipe:
        case config.LabelRecipe():
            return LabelSubject(recipe)
        case config.TranslateRecipe():
            return TranslateSubject(recipe)
        case config.SegmentRecipe():
            return SegmentSubject(recipe)
    raise AssertionError(f"a recipe of task '{recipe.task}' without a subject")
