"""How well a segmenter finds the classes again: the scores of Long et al. 2015, section 5, of real or drawn photos.

In the manner of the FCN-score of Isola et al. 2017: photos are drawn from label maps, a segmenter that has learned
from real photos reads them, and what it finds is held against the maps that the photos were drawn from. The segmenter
is ganvas's own, so its scores are comparable with one another alone; what real photos score is the bound to read
them by. Pixels of the ignored id count nowhere, whatever is found there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ganvas.data.label_maps import snapped
from ganvas.data.pairs import PairImages
from ganvas.errors import GanvasError
from ganvas.metrics.figures import Figure
from ganvas.metrics.intervals import RESAMPLES, Interval, ends, resampled_choices
from ganvas.metrics.pictures import PictureMetric
from ganvas.metrics.sets import Factory, SetMetric, Setting
from ganvas.metrics.translation import BATCH, Labels, Translate
from ganvas.pictures import Pixels

GROUPS = 500  # of pictures that are told apart for the intervals; of more, several are counted together
Ids = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int64]
Segment = Callable[[Pixels, tuple[int, int]], Ids]
"""Photos uint8 (N, H, W, C), and the (height, width) of the map wanted, to class ids (N, height, width)."""

SEGMENTATION_METRICS = {
    "pixel_accuracy": PictureMetric(
        "Per-pixel accuracy", "higher", 3, "share of labelled pixels in which a segmenter finds the map's class again"
    ),
    "class_accuracy": PictureMetric(
        "Per-class accuracy", "higher", 3, "the same of each class's pixels, averaged over classes"
    ),
    "mean_iou": PictureMetric(
        "Mean IoU", "higher", 3, "pixels found of a class over those found or labelled as it, averaged over classes"
    ),
}

MAP_METRICS = {
    "pixel_accuracy": PictureMetric(
        "Per-pixel accuracy",
        "higher",
        3,
        "share of labelled pixels whose nearest colour is that of their class",
    ),
    "class_accuracy": SEGMENTATION_METRICS["class_accuracy"],
    "mean_iou": PictureMetric(
        "Mean IoU", "higher", 3, "pixels drawn as a class over those drawn or labelled as it, averaged over classes"
    ),
}


@dataclass(frozen=True)
class SegmentationScore:
    """Per-pixel accuracy, per-class accuracy and mean IoU, each in [0, 1]."""

    pixel_accuracy: float
    class_accuracy: float
    mean_iou: float


def confusion(found: npt.NDArray[np.integer], true: npt.NDArray[np.integer], classes: int, ignore: int = -1) -> Counts:
    """Counts (N, classes, classes) of pixels by true class (row) and found class (column), a matrix a picture.

    Args:
        found: class ids (N, H, W).
        true: class ids (N, H, W), or ``ignore``.
        classes: how many there are.
        ignore: the id of pixels that count nowhere.

    Raises:
        GanvasError: the maps differ in shape, or hold an id without a class.
    """
    if found.shape != true.shape or found.ndim != 3:
        raise GanvasError(
            f"expected two batches of label maps of one shape NxHxW, found {found.shape} and {true.shape}."
        )
    counts = np.empty((len(true), classes, classes), dtype=np.int64)
    for at, (one, other) in enumerate(zip(found, true, strict=True)):
        counted = other != ignore
        rows, columns = other[counted].astype(np.int64), one[counted].astype(np.int64)
        for ids in (rows, columns):
            if ids.size and (ids.min() < 0 or ids.max() >= classes):
                strange = ids[(ids < 0) | (ids >= classes)][0]
                raise GanvasError(f"a label map holds id {strange}, expected 0..{classes - 1} or {ignore} (ignored).")
        counts[at] = np.bincount(rows * classes + columns, minlength=classes**2).reshape(classes, classes)
    return counts


def segmentation_score(counts: npt.ArrayLike) -> SegmentationScore:
    """The scores of a confusion matrix (classes, classes), or of several pictures' matrices added up.

    Classes are averaged over where they occur in the truth. What is found of a class that occurs nowhere lowers the
    scores of the classes that it was found instead of.

    Raises:
        GanvasError: no pixel is labelled.
    """
    matrix = np.asarray(counts, dtype=np.float64)
    matrix = matrix.reshape(-1, *matrix.shape[-2:]).sum(axis=0)
    if not matrix.sum():
        raise GanvasError("no pixel of the label maps has a class: expected labelled pixels to score.")
    pixel, class_, iou = _scores(matrix[None])[0]
    return SegmentationScore(float(pixel), float(class_), float(iou))


def class_ious(counts: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Intersection over union of each class (classes,); NaN of one that occurs nowhere in the truth."""
    matrix = np.asarray(counts, dtype=np.float64)
    matrix = matrix.reshape(-1, *matrix.shape[-2:]).sum(axis=0)
    right, true, found = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    return np.where(true > 0, right / np.maximum(true + found - right, 1), np.nan)


def segmentation_intervals(counts: npt.ArrayLike, *, seed: int = 0, runs_seed: int = 0) -> dict[str, Interval]:
    """Each score by name with its bootstrap interval over pictures, or over runs and pictures.

    A score is that of all pictures' counts together, as published, and of several runs the mean. Pictures and runs
    are drawn as of :func:`ganvas.metrics.intervals.resampled_means`.

    Args:
        counts: (pictures, classes, classes), or (runs, pictures, classes, classes).
        seed: of the pictures drawn.
        runs_seed: of the runs drawn.

    Raises:
        GanvasError: no pixel is labelled.
    """
    resampled = resampled_scores(counts, seed=seed, runs_seed=runs_seed)
    table = _of_runs(counts)
    means = np.mean([list(vars(segmentation_score(run)).values()) for run in table], axis=0)
    return {name: Interval(float(means[at]), *ends(resampled[:, at])) for at, name in enumerate(SEGMENTATION_METRICS)}


def resampled_scores(counts: npt.ArrayLike, *, seed: int = 0, runs_seed: int = 0) -> npt.NDArray[np.float64]:
    """The three scores over resampled runs and pictures, (resamples, 3), for intervals of differences too."""
    table = _of_runs(counts)
    runs, pictures, classes, _ = table.shape
    flat = table.reshape(runs, pictures, classes**2).astype(np.float64)
    scores = []
    for chosen, rows in resampled_choices(runs, pictures, resamples=RESAMPLES, seed=seed, runs_seed=runs_seed):
        times = np.stack([np.bincount(one, minlength=pictures) for one in chosen]).astype(np.float64)
        of_runs = np.stack([_scores((times @ run).reshape(-1, classes, classes)) for run in flat], axis=1)
        scores.append(of_runs[np.arange(len(chosen))[:, None], rows].mean(axis=1))
    return np.concatenate(scores)


def measure_segmentation(
    segment: Segment, translate: Translate, data: PairImages, *, batch_size: int = BATCH
) -> Counts:
    """Counts of what ``segment`` finds in the photos that ``translate`` draws from label maps.

    They are (N, classes, classes), a matrix a picture; of N above ``GROUPS`` pictures ``GROUPS`` matrices, to which the
    pictures are added in turns.

    Args:
        segment: the segmenter.
        translate: what draws; it gets ``batch_size`` maps at a time, the last time perhaps fewer.
        data: pairs whose sources are label maps.
        batch_size: bounds the memory and changes nothing else.

    Raises:
        GanvasError: the sources are no label maps, or there are none.
    """
    return _measured(
        data, batch_size, lambda part: segment(translate(np.array(data.sources[part]), data.labels[part]), _size(data))
    )


def measure_real(segment: Segment, data: PairImages, *, batch_size: int = BATCH) -> Counts:
    """The same of the true photos, the targets of ``data``: the bound by which drawn ones are read."""
    return _measured(
        data, batch_size, lambda part: segment(np.moveaxis(np.array(data.targets[part]), 1, 3), _size(data))
    )


def segmentation_metric(segment: Segment) -> Factory:
    """The scores as evaluation feeds them, for translators of label maps; None of others.

    Args:
        segment: a segmenter that knows the pairs' classes (:class:`ganvas.inference.segmentation.PhotoReader`).
    """

    def factory(setting: Setting) -> SetMetric | None:
        return _Agreement(segment, setting) if setting.pairs.source_preparation.kind == "labels" else None

    return factory


def drawn_map_metric(setting: Setting) -> SetMetric | None:
    """The same scores of label maps that are drawn, by the nearest colours of their palette; None of other targets."""
    return _DrawnMaps(setting) if setting.pairs.target_preparation.colours else None


class _DrawnMaps:
    """See :class:`ganvas.metrics.sets.SetMetric`. No segmenter judges here: a drawn map is read by its colours."""

    def __init__(self, setting: Setting) -> None:
        self._maps = setting.pairs.target_preparation
        self._seed = setting.seed
        self._counts = _Groups()

    @property
    def metrics(self) -> Mapping[str, PictureMetric]:
        """How each figure is called and read."""
        return MAP_METRICS

    def update(self, sources: Pixels, drawn: Pixels, true: Pixels, labels: Labels) -> None:
        """Add a batch of maps in their palette's colours, uint8 (n, 3, S, S)."""
        found, wanted = (self._ids(maps) for maps in (drawn, true))
        if self._maps.ignore >= len(self._maps.colours):
            # An ignored id without a class is painted black, which a class may be, too: neither can then be scored.
            wanted[~true.any(axis=1)] = self._maps.ignore
        self._counts.add(confusion(found, wanted, len(self._maps.colours), self._maps.ignore))

    def figures(self) -> dict[str, Figure]:
        """What is drawn in the right colour."""
        return _scored(self._counts, self._seed)

    def reference(self) -> dict[str, Figure]:
        """Empty: a true map is all right."""
        return {}

    def _ids(self, maps: Pixels) -> Ids:
        pixels = np.moveaxis(maps, 1, 3)
        return snapped(pixels.reshape(-1, 3), self._maps.colours)[0].reshape(pixels.shape[:3]).astype(np.int64)


class _Agreement:
    """See :class:`ganvas.metrics.sets.SetMetric`."""

    def __init__(self, segment: Segment, setting: Setting) -> None:
        self._segment = segment
        self._maps = setting.pairs.source_preparation
        self._size = _size(setting.pairs)
        self._seed = setting.seed
        self._drawn = _Groups()
        self._true = _Groups()

    @property
    def metrics(self) -> Mapping[str, PictureMetric]:
        """How each figure is called and read."""
        return SEGMENTATION_METRICS

    def update(self, sources: Pixels, drawn: Pixels, true: Pixels, labels: Labels) -> None:
        """Add a batch: label maps uint8 (n, 1, S, S), and photos uint8 (n, C, S, S)."""
        for counts, photos in ((self._drawn, drawn), (self._true, true)):
            found = self._segment(np.moveaxis(photos, 1, 3), self._size)
            counts.add(confusion(found, sources[:, 0], len(self._maps.class_names), self._maps.ignore))

    def figures(self) -> dict[str, Figure]:
        """What is found in the drawn photos."""
        return _scored(self._drawn, self._seed)

    def reference(self) -> dict[str, Figure]:
        """What is found in the true photos."""
        return _scored(self._true, self._seed)


class _Groups:
    """Counts of pictures in at most ``GROUPS`` groups that take turns: the memory does not grow with the pictures."""

    def __init__(self) -> None:
        self._sums: list[Counts] = []
        self._seen = 0

    def add(self, counts: Counts) -> None:
        """Add a batch (n, classes, classes)."""
        for one in counts:
            if self._seen < GROUPS:
                self._sums.append(one.copy())
            else:
                self._sums[self._seen % GROUPS] += one
            self._seen += 1

    @property
    def table(self) -> Counts:
        """(groups, classes, classes)."""
        return np.stack(self._sums)


def _scored(counts: _Groups, seed: int) -> dict[str, Figure]:
    intervals = segmentation_intervals(counts.table, seed=seed)
    return {name: Figure(found.mean, found.low, found.high) for name, found in intervals.items()}


def _measured(data: PairImages, batch_size: int, find: Callable[[slice], Ids]) -> Counts:
    maps = data.source_preparation
    if maps.kind != "labels" or not len(data):
        raise GanvasError(f"'{data.source}' holds no label maps to score drawn photos by: expected data.source labels.")
    classes = len(maps.class_names)
    counts = _Groups()
    for start in range(0, len(data), batch_size):
        part = slice(start, start + batch_size)
        counts.add(confusion(find(part), data.sources[part][:, 0], classes, maps.ignore))
    return counts.table


def _size(data: PairImages) -> tuple[int, int]:
    height, width = data.sources.shape[2:]
    return height, width


def _of_runs(counts: npt.ArrayLike) -> Counts:
    table = np.asarray(counts, dtype=np.int64)
    return table[None] if table.ndim == 3 else table


def _scores(matrices: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(M, classes, classes) to the three scores (M, 3); 0 of a matrix without a pixel, which only resampling makes."""
    right = np.diagonal(matrices, axis1=1, axis2=2)
    true, found = matrices.sum(axis=2), matrices.sum(axis=1)
    there = true > 0
    classes = np.maximum(there.sum(axis=1), 1)
    pixel = right.sum(axis=1) / np.maximum(true.sum(axis=1), 1)
    accuracy = (right / np.maximum(true, 1)).sum(axis=1) / classes
    iou = (right * there / np.maximum(true + found - right, 1)).sum(axis=1) / classes
    return np.stack([pixel, accuracy, iou], axis=1)
