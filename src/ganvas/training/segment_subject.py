"""Photos with label maps, and the segmenter that learns to find the classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image

from ganvas import __version__
from ganvas.config import SegmentRecipe
from ganvas.data.pairs import PairImages
from ganvas.data.pairs.batches import PairBatches, load_side
from ganvas.data.pairs.class_maps import open_class_maps
from ganvas.data.pairs.reading import preparations
from ganvas.errors import GanvasError, UsageError
from ganvas.files import cache_folder
from ganvas.metrics.segmentation import Counts, confusion, segmentation_score
from ganvas.model_file import SegmentHeader
from ganvas.pictures import grid
from ganvas.tasks import SegmentTask
from ganvas.training.subject import PictureSubject, Work, resolve

SHOWN = 8
BATCH = 8


class SegmentSubject(PictureSubject[PairImages]):
    """The data of a recipe that finds the classes of a photo's pixels.

    Raises:
        UsageError: no data are given.
        GanvasError: the data cannot be used, or not with this recipe.
    """

    _held_out: PairImages

    def __init__(self, recipe: SegmentRecipe) -> None:
        if not recipe.data.path:
            raise UsageError(
                f"recipe '{recipe.name}' comes without data: give --data, a folder of photos with their label maps"
            )
        cache = cache_folder() / "pairs"
        self.data = open_class_maps(recipe.data, "train", side=load_side(recipe.data), cache=cache)
        self.recipe = resolve(recipe, len(self.data))
        held_out = open_class_maps(recipe.data, "val", cache=cache)
        self._held_out = held_out if len(held_out) else open_class_maps(recipe.data, "test", cache=cache)
        if not len(self._held_out):
            raise GanvasError(
                f"'{self.data.source}' holds out no pairs, so nobody could tell how good a segmenter is: "
                "make a folder test/ or raise data.test_share"
            )

    @property
    def class_names(self) -> tuple[str, ...]:
        """Those of the label maps."""
        return self.data.source_preparation.class_names

    def work(self, device: torch.device) -> Work:
        """The segmenter with fresh weights from torch's global generator, and all that goes with it."""
        recipe, data = self.recipe, self.data
        both = preparations(recipe.data)
        task = SegmentTask(recipe, both.source, both.target, device)
        trained_on = self.trained_on

        def header(images: int, metrics: dict[str, float]) -> SegmentHeader:
            return SegmentHeader(
                ganvas_version=__version__,
                recipe=recipe.name,
                generator=recipe.generator,
                size=recipe.data.size,
                source=both.source,
                target=both.target,
                data=trained_on,
                images_seen=images,
                metrics=metrics,
            )

        return Work(
            task=task,
            step=task.step,
            batches=PairBatches(data, recipe.data, recipe.train.batch_size, recipe.train.seed, device),
            probe=_HeldOutScore(task, self._held_out, recipe.validation.samples),
            every_images=recipe.validation.every_images,
            best_by=recipe.validation.metric,
            sheet=_Exhibit(task, self._held_out).sheet,
            header=header,
            patience_images=recipe.validation.patience_images,
        )


class _Exhibit:
    """The same held-out photos every time: the photo, what is found, the label map in a row."""

    def __init__(self, task: SegmentTask, data: PairImages) -> None:
        self._task = task
        self._data = data
        self._chosen = data.spread(SHOWN)

    def sheet(self) -> Image.Image:
        data = self._data
        maps = data.source_preparation
        found = _found(self._task, data, self._chosen)
        photos = data.target_preparation.shown(np.moveaxis(data.targets[self._chosen], 1, 3))
        painted = [maps.shown(ids.astype(np.uint8)[..., None]) for ids in (found, data.sources[self._chosen][:, 0])]
        return grid(np.stack([photos, *painted], axis=1).reshape(-1, *photos.shape[1:]), 6, gap=4)


class _HeldOutScore:
    """The scores of :mod:`ganvas.metrics.segmentation` on held-out photos, spread over the set."""

    def __init__(self, task: SegmentTask, data: PairImages, samples: int) -> None:
        self._task = task
        self._data = data
        self._chosen = data.spread(samples)

    def measure(self) -> dict[str, float]:
        return vars(segmentation_score(self._counts())).copy()

    def _counts(self) -> Counts:
        maps = self._data.source_preparation
        found = _found(self._task, self._data, self._chosen)
        return confusion(found, self._data.sources[self._chosen][:, 0], len(maps.class_names), maps.ignore)


def _found(task: SegmentTask, data: PairImages, chosen: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Classes (n, S, S) int64 of the chosen photos, a few at a time."""
    found = []
    for start in range(0, len(chosen), BATCH):
        photos = torch.from_numpy(np.ascontiguousarray(data.targets[chosen[start : start + BATCH]]))
        found.append(task.find(photos.to(task.device)).cpu().numpy())
    return np.concatenate(found)
