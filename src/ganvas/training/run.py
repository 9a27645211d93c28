"""A run: a folder that a recipe fills, and the object that trains in it when iterated."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganvas import __version__, config
from ganvas.data.batches import LabelledBatches, stream_seed
from ganvas.data.labelled import LabelledImages, open_labelled
from ganvas.device import torch_device
from ganvas.errors import GanvasError, UsageError
from ganvas.files import atomic_write
from ganvas.inference import resolve_model
from ganvas.metrics.probe import DigitProbe
from ganvas.model_file import load_model
from ganvas.tasks import LabelTask
from ganvas.training.loop import training_loop
from ganvas.training.matmul import MatmulRoute, choose_matmul_route, processor_name, use_matmul_route
from ganvas.training.stats import Progress, read_stats

RECIPE, ENVIRONMENT, STATS, MODEL = "recipe.toml", "environment.json", "stats.jsonl", "model.safetensors"
CHECKPOINTS, SAMPLES = "checkpoints", "samples"
_START_OVER = "use --fresh to start over in a new folder"


class TrainingRun:
    """A training run in ``folder``. Iterating trains (or goes on training) and yields a record a tick.

    Opening one checks everything that can be wrong before a picture is drawn: the recipe, the data, the folder, and
    that the folder's earlier part was made by the same recipe on the same data. ``len(run)`` is the number of
    records that are still to come.

    Args:
        recipe: what to train; ``train.epochs`` is resolved to ``train.total_images`` here.
        out: the run folder; default ``runs/<recipe name>``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
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
        self.recipe = resolve(recipe, len(self.data))
        folder = out if out is not None else Path("runs") / recipe.name
        self.folder = _unused_beside(folder) if fresh else folder
        self._check_folder()

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
        self._prepare_folder()
        use_matmul_route(self._matmul_route())
        torch.manual_seed(stream_seed(self.recipe.train.seed, "weights", 0))
        task = LabelTask(self.recipe, len(self.data.class_names), self.device)
        if self.recipe.init.model:
            self._start_from(task, self.recipe.init.model)
        batch_size, seed = self.recipe.train.batch_size, self.recipe.train.seed
        batches = LabelledBatches(self.data, batch_size, seed, self.device)
        probe = DigitProbe.for_data(self.data, task)
        yield from training_loop(task, batches, self.folder, self.data, probe)

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

    def _check_folder(self) -> None:
        """Refuse a folder that holds something else than an earlier part of this very run."""
        recipe_file = self.folder / RECIPE
        if not recipe_file.exists():
            if self.folder.is_file() or (self.folder.is_dir() and any(self.folder.iterdir())):
                raise UsageError(f"'{self.folder}' holds something else than a run: choose another folder with --out")
            return
        try:
            earlier = config.parse_recipe(tomllib.loads(recipe_file.read_text("utf-8")), str(recipe_file))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, UsageError) as error:
            raise GanvasError(f"'{recipe_file}' is damaged ({error}): {_START_OVER}") from error
        # Where the data lie may change; that they are the same is checked below.
        moved = earlier.model_copy(update={"data": earlier.data.model_copy(update={"path": self.recipe.data.path})})
        changes = config.difference(moved, self.recipe)
        if changes:
            raise UsageError(
                f"'{self.folder}' was trained with another recipe ({'; '.join(changes)}). "
                "Use --fresh to start over in a new folder, or give the earlier settings to continue."
            )
        environment = self.folder / ENVIRONMENT
        if environment.exists():
            try:
                before = json.loads(environment.read_text("utf-8"))["data"]["fingerprint"]
            except (ValueError, KeyError, TypeError) as error:
                raise GanvasError(f"'{environment}' is damaged ({error!r}): {_START_OVER}") from error
            if before != self.data.fingerprint:
                raise UsageError(
                    f"'{self.folder}' was trained on other data (fingerprint {before}, now {self.data.fingerprint}). "
                    "Use --fresh to start over in a new folder."
                )

    def _prepare_folder(self) -> None:
        if not (self.folder / ENVIRONMENT).exists():
            environment = describe_environment(self.recipe, self.data, self.device)
            atomic_write(self.folder / ENVIRONMENT, json.dumps(environment, indent=2).encode())
        if not (self.folder / RECIPE).exists():
            atomic_write(self.folder / RECIPE, config.to_toml(self.recipe).encode())

    def _matmul_route(self) -> MatmulRoute:
        environment = json.loads((self.folder / ENVIRONMENT).read_text("utf-8"))
        route: MatmulRoute = environment["matmul_route"]
        return route


def resolve(recipe: config.Recipe, images: int) -> config.Recipe:
    """The recipe with ``train.epochs`` turned into ``train.total_images`` for a set of ``images`` pictures."""
    if not recipe.train.epochs:
        return recipe
    train = recipe.train.model_copy(update={"total_images": recipe.train.epochs * images, "epochs": 0})
    return recipe.model_copy(update={"train": train})


def describe_environment(recipe: config.Recipe, data: LabelledImages, device: torch.device) -> dict[str, Any]:
    """What a run was made with: versions, machine, source state, data."""
    return {
        "ganvas": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "platform": platform.platform(),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "precision": recipe.train.precision,
        "matmul_route": choose_matmul_route() if device.type == "cpu" else "default",
        "git": _git_state(),
        "seed": recipe.train.seed,
        "data": {
            "source": data.source,
            "fingerprint": data.fingerprint,
            "licence": data.licence,
            "images": len(data),
            "classes": list(data.class_names),
        },
    }


def _git_state() -> str | None:
    """Commit of the source tree that ganvas runs from, or None where it is an installed package."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _unused_beside(folder: Path) -> Path:
    candidate, number = folder, 1
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate
