"""Pairs of pictures and the task that translates one side into the other."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch
from PIL import Image

from ganvas import __version__
from ganvas.config import TranslateRecipe
from ganvas.data.pairs import PairImages, open_pairs
from ganvas.data.pairs.batches import PairBatches, load_side
from ganvas.errors import GanvasError
from ganvas.files import cache_folder
from ganvas.model_file import TrainingData, TranslateHeader
from ganvas.pictures import Pixels, grid, to_uint8
from ganvas.tasks import TranslateTask
from ganvas.training.subject import Work, resolve

SHOWN = 8
log = logging.getLogger(__name__)


class TranslateSubject:
    """The data of a picture -> picture recipe.

    Raises:
        GanvasError: the data cannot be used, or not with this recipe.
    """

    def __init__(self, recipe: TranslateRecipe) -> None:
        cache = cache_folder() / "pairs"
        self.data = open_pairs(recipe.data, "train", side=load_side(recipe.data), cache=cache)
        self.recipe = resolve(recipe, len(self.data))
        if recipe.labelled and len(self.data.class_names) < 2:
            raise GanvasError(
                f"'{self.data.source}' has fewer than two classes, recipe '{recipe.name}' takes a label "
                "and needs two: add classes, or use --set 'condition=[\"picture\"]'"
            )
        held_out = open_pairs(recipe.data, "val", cache=cache)
        self._held_out = held_out if len(held_out) else open_pairs(recipe.data, "test", cache=cache)
        if not len(self._held_out):
            nothing = f"'{self.data.source}' holds out no pairs, so nothing is measured while training"
            remedy = "make a folder test/ or raise data.test_share"
            if recipe.validation.metric:
                raise GanvasError(f"{nothing}, but validation.metric is '{recipe.validation.metric}': {remedy}")
            log.warning("%s: %s", nothing, remedy)

    def __len__(self) -> int:
        return len(self.data)

    @property
    def fingerprint(self) -> str:
        """Tells whether data are the same."""
        return self.data.fingerprint

    def describe(self) -> dict[str, Any]:
        """What ``environment.json`` says of the data."""
        return {
            "source": self.data.source,
            "fingerprint": self.data.fingerprint,
            "licence": self.data.licence,
            "images": len(self.data),
            "held_out": len(self._held_out),
            "classes": list(self.data.class_names),
        }

    def work(self, device: torch.device) -> Work:
        """Networks with fresh weights from torch's global generator, and all that goes with them."""
        recipe, data = self.recipe, self.data
        class_names = data.class_names if recipe.labelled else ()
        task = TranslateTask(recipe, data.source_preparation, data.target_preparation, class_names, device)
        trained_on = TrainingData(source=data.source, fingerprint=data.fingerprint, licence=data.licence)

        def header(images: int, metrics: dict[str, float]) -> TranslateHeader:
            return TranslateHeader(
                ganvas_version=__version__,
                recipe=recipe.name,
                generator=recipe.generator,
                size=recipe.data.size,
                source=data.source_preparation,
                target=data.target_preparation,
                hints=recipe.hints.enabled,
                class_names=class_names,
                data=trained_on,
                images_seen=images,
                metrics=metrics,
            )

        samples = recipe.validation.samples
        return Work(
            task=task,
            step=task.step,
            batches=PairBatches(data, recipe.data, recipe.train.batch_size, recipe.train.seed, device),
            probe=_HeldOutProbe(task, self._held_out, samples) if len(self._held_out) else None,
            every_images=recipe.validation.every_images,
            best_by=recipe.validation.metric,
            sheet=_Exhibit(task, self._held_out if len(self._held_out) else data).sheet,
            header=header,
        )


class _Exhibit:
    """The same pairs every time, held-out ones where there are any: source, drawn, target in a row."""

    def __init__(self, task: TranslateTask, data: PairImages) -> None:
        self._task = task
        self._data = data
        # Spread over the set: neighbours in the order of names are often neighbours in looks.
        self._chosen = np.unique(np.linspace(0, len(data) - 1, SHOWN).round().astype(int))

    def sheet(self) -> Image.Image:
        data = self._data
        drawn = _drawn(self._task, data, self._chosen)
        rows = []
        for index, picture in zip(self._chosen, drawn, strict=True):
            source = data.source_preparation.shown(np.moveaxis(data.sources[index], 0, -1)[None])
            target = data.target_preparation.shown(np.moveaxis(data.targets[index], 0, -1)[None])
            rows += [*source, *data.target_preparation.shown(picture[None]), *target]
        return grid(np.stack(rows), 6, gap=4)


class _HeldOutProbe:
    """``l1``: mean absolute distance of drawn and true held-out targets, both in [-1, 1], without hints."""

    def __init__(self, task: TranslateTask, data: PairImages, samples: int) -> None:
        self._task = task
        self._data = data
        self._chosen = np.unique(np.linspace(0, len(data) - 1, min(samples, len(data))).round().astype(int))

    def measure(self) -> dict[str, float]:
        drawn = _drawn(self._task, self._data, self._chosen).astype(np.float64)
        true = np.moveaxis(self._data.targets[self._chosen], 1, 3).astype(np.float64)
        return {"l1": float(np.abs(drawn - true).mean() / 127.5)}


def _drawn(task: TranslateTask, data: PairImages, chosen: np.ndarray[Any, Any]) -> Pixels:
    """Translations (n, S, S, C) uint8 of the chosen pairs' sources, a few at a time."""
    pictures = []
    for start in range(0, len(chosen), SHOWN):
        part = chosen[start : start + SHOWN]
        sources = torch.from_numpy(np.ascontiguousarray(data.sources[part])).to(task.device)
        labels = torch.from_numpy(data.labels[part]).to(task.device)
        pictures.append(to_uint8(np.moveaxis(task.draw(sources, labels).cpu().numpy(), 1, 3)))
    return np.concatenate(pictures)
