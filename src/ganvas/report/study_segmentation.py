"""The segmentation score as columns of a study's tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ganvas.config import PairData, Study, TranslateRecipe
from ganvas.data.pairs import PairImages, open_pairs
from ganvas.data.pairs.reading import preparations
from ganvas.errors import UsageError
from ganvas.inference import Model
from ganvas.inference.segmentation import PhotoReader
from ganvas.metrics.intervals import ends
from ganvas.metrics.segmentation import (
    SEGMENTATION_METRICS,
    Counts,
    class_ious,
    measure_real,
    measure_segmentation,
    resampled_scores,
    segmentation_intervals,
    segmentation_score,
)
from ganvas.report.compared import Compared, Entry, Score
from ganvas.report.entries import pair_settings, translator_of


class SegmentationColumn:
    """Scores the runs of a study by a segmenter; what was measured for one table is not measured again.

    Raises:
        UsageError: no such segmenter, or rows that do not draw from label maps.
        GanvasError: it does not know the classes of a row's label maps.
    """

    def __init__(self, study: Study, segmenter: str | Path, data: str | None, device: str) -> None:
        settings = {row: _map_settings(study, row, data) for row in study.rows}
        try:
            self._reader = PhotoReader(segmenter, device=device)
        except UsageError as error:
            size = next(iter(settings.values())).size
            raise UsageError(
                f"study '{study.name}' is judged by a segmenter: {error} Train one with `ganvas train "
                f"street-segmenter --data PATH --set data.size={size} --out {segmenter}`, or name one by --segmenter"
            ) from error
        for row, found in settings.items():
            both = preparations(found)
            self._reader.check_reads(both.source, both.target, f"row '{row}'")
        self._data = data
        self._device = device
        self._pairs: dict[tuple[PairData, int], PairImages] = {}
        self._of_runs: dict[Path, Counts] = {}
        self._real: dict[tuple[PairData, int], Counts] = {}

    def added_to(self, compared: Compared, watch: Callable[[str], None]) -> Compared:
        """The comparison with three more columns, and what real photos score in the row of the true pictures.

        A row is among the best where the interval of its difference to the best, on the same resampled pictures,
        reaches zero, as in the other columns.
        """
        counts = [np.stack([self._counts(entry, watch) for entry in row.entries]) for row in compared.rows]
        resampled = [resampled_scores(table, runs_seed=index) for index, table in enumerate(counts)]
        intervals = [segmentation_intervals(table, runs_seed=index) for index, table in enumerate(counts)]
        scores = [dict(found) for found in compared.scores]
        for at, name in enumerate(SEGMENTATION_METRICS):
            leader = max(range(len(counts)), key=lambda index: intervals[index][name].mean)
            for index, found in enumerate(intervals):
                interval = found[name]
                behind = ends(resampled[leader][:, at] - resampled[index][:, at])[0] > 0
                best = len(counts) > 1 and not behind
                scores[index][name] = Score(interval.mean, interval.low, interval.high, best=best)
        real = segmentation_intervals(self._real_counts(compared.rows[0].entries[0]))
        reference = dict(compared.reference) | {
            name: Score(interval.mean, interval.low, interval.high, best=False) for name, interval in real.items()
        }
        return replace(
            compared, scores=tuple(scores), reference=reference, notes=(*compared.notes, self._note(compared))
        )

    def to_table(self, compared: Compared) -> dict[str, Any]:
        """Of JSON: the segmenter, and each run's scores with all pictures' counts of true (row) and found class."""
        header = self._reader.header
        runs = {
            entry.given: self._run_table(self._of_runs[entry.path]) for row in compared.rows for entry in row.entries
        }
        return {
            "segmenter": {
                "name": self._reader.name,
                "recipe": header.recipe,
                "size": header.size,
                "images_seen": header.images_seen,
                "training_data": header.data.model_dump(),
                "metrics": header.metrics,
            },
            "classes": list(header.target.class_names),
            "ignore": header.target.ignore,
            "runs": runs,
            "true_pictures": self._run_table(self._real_counts(compared.rows[0].entries[0])),
        }

    def _run_table(self, counts: Counts) -> dict[str, Any]:
        ious = [None if np.isnan(value) else float(value) for value in class_ious(counts)]
        return asdict(segmentation_score(counts)) | {"iou": ious, "confusion": counts.sum(axis=0).tolist()}

    def _counts(self, entry: Entry, watch: Callable[[str], None]) -> Counts:
        """(pictures, classes, classes) of one run, at the size that its model draws."""
        if entry.path not in self._of_runs:
            watch(f"{entry.name}: segmentation score")
            pairs = self._opened(entry)
            translate = translator_of(Model(entry.path, device=self._device), entry.given, entry.header.size)
            self._of_runs[entry.path] = measure_segmentation(self._reader.find, translate, pairs)
        return self._of_runs[entry.path]

    def _real_counts(self, entry: Entry) -> Counts:
        key = self._key(entry)
        if key not in self._real:
            self._real[key] = measure_real(self._reader.find, self._opened(entry))
        return self._real[key]

    def _opened(self, entry: Entry) -> PairImages:
        settings, side = key = self._key(entry)
        if key not in self._pairs:
            self._pairs[key] = open_pairs(settings, "test", side=side)
        return self._pairs[key]

    def _key(self, entry: Entry) -> tuple[PairData, int]:
        settings = pair_settings(entry, self._data)
        assert settings is not None  # A study's runs have their recipes beside them.
        return settings, entry.header.size

    def _note(self, compared: Compared) -> str:
        header = self._reader.header
        sizes = sorted({entry.header.size for row in compared.rows for entry in row.entries})
        enlarged = "" if sizes == [header.size] else f"; photos of {' and '.join(map(str, sizes))} are resized to it"
        names = " and ".join(metric.title for metric in SEGMENTATION_METRICS.values())
        return (
            f"{names}: of what the segmenter {self._reader.name}, trained on real photos at {header.size} pixels"
            f"{enlarged}, finds in the drawn photos, against the label maps that they were drawn from; the true "
            "pictures' row is what it finds in the real ones."
        )


def _map_settings(study: Study, row: str, data: str | None) -> PairData:
    """How a row reads its pairs, whose sources have to be label maps."""
    recipe = study.recipe_of(row, 0, data)
    if not isinstance(recipe, TranslateRecipe) or recipe.data.source != "labels":
        raise UsageError(
            f"study '{study.name}', row '{row}' does not draw from label maps, by which a segmenter judges: "
            "leave the segmenter out"
        )
    return recipe.data
