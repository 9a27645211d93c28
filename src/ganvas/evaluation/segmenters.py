"""The protocol for segmenters: what they find in real photos that were held out."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np

from ganvas.config import SegmentRecipe, load_recipe, recipe_names
from ganvas.data.pairs import PairImages, PairSplit
from ganvas.data.pairs.class_maps import open_class_maps
from ganvas.errors import UsageError
from ganvas.evaluation.found import Evaluation, Protocol
from ganvas.inference.segmentation import PhotoReader
from ganvas.metrics.figures import Figure
from ganvas.metrics.segmentation import SEGMENTATION_METRICS, measure_real, segmentation_intervals
from ganvas.pictures import Pixels
from ganvas.report.compared import Entry

SHOWN = 8
Watch = Callable[[str], None]


def evaluate_segmenter(
    entry: Entry, data: str | None, split: str, count: int | None, seed: int, device: str, watch: Watch
) -> Evaluation:
    """Find the classes in held-out photos and hold them against their label maps.

    Raises:
        UsageError: nothing tells how the pairs are read, the split holds none, or a count is asked for.
        GanvasError: the data cannot be read, or have other classes than the segmenter.
    """
    if count is not None:
        raise UsageError("--count: a segmenter reads every photo of the split; leave it out")
    reader = PhotoReader(entry.path, device=device)
    pairs = _opened(entry, data, split, reader.header.size)
    reader.check_reads(pairs.source_preparation, pairs.target_preparation, f"'{pairs.source}'")
    watch(f"reading {len(pairs):,} photos of {reader.header.size} pixels")
    intervals = segmentation_intervals(measure_real(reader.find, pairs), seed=seed)
    return Evaluation(
        model=entry.given,
        name=entry.name,
        task=entry.header.task,
        images_seen=entry.header.images_seen,
        protocol=Protocol(
            pictures=len(pairs),
            seed=seed,
            source=f"{len(pairs):,} photos of {pairs.source}, at {reader.header.size} pixels",
            fingerprint=pairs.fingerprint,
            licence=pairs.licence,
            split=split,
            reference="what a segmenter reads are real pictures, so there are no others",
        ),
        metrics=SEGMENTATION_METRICS,
        figures={name: Figure(found.mean, found.low, found.high) for name, found in intervals.items()},
        reference={},
        by_class=None,
        notes=(),
        pairs=_shown(reader, pairs),
        columns=3,
    )


def _opened(entry: Entry, data: str | None, split: str, side: int) -> PairImages:
    recipe = entry.recipe
    if recipe is None and entry.header.recipe in recipe_names():
        recipe = load_recipe(entry.header.recipe)
    if not isinstance(recipe, SegmentRecipe):
        raise UsageError(
            f"'{entry.given}' has no recipe.toml beside it, which says how its pairs are read: give its run folder"
        )
    settings = recipe.data if data is None else recipe.data.model_copy(update={"path": data})
    if not settings.path:
        raise UsageError(f"nothing tells where the photos of '{entry.given}' are: give --data")
    pairs = open_class_maps(settings, cast(PairSplit, split), side=side)
    if not len(pairs):
        raise UsageError(f"--split {split}: '{settings.path}' has no such pairs; choose another split, or --data")
    return pairs


def _shown(reader: PhotoReader, pairs: PairImages) -> Pixels:
    """Photo, classes found and label map of a few pairs, RGB (3 n, S, S, 3)."""
    chosen = pairs.spread(SHOWN)
    photos = np.moveaxis(pairs.targets[chosen], 1, 3)
    maps, (height, width) = pairs.source_preparation, pairs.sources.shape[2:]
    found = reader.find(photos, (height, width)).astype(np.uint8)
    columns = [
        pairs.target_preparation.shown(photos),
        maps.shown(found[..., None]),
        maps.shown(np.moveaxis(pairs.sources[chosen], 1, 3)),
    ]
    return np.stack(columns, axis=1).reshape(-1, *columns[0].shape[1:])
