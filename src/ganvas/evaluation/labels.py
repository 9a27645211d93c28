"""The protocol for models that draw from labels or from noise alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ganvas.config import LabelRecipe
from ganvas.data.labelled import LabelledImages, Split, open_labelled
from ganvas.errors import GanvasError, UsageError
from ganvas.evaluation.digits import KEPT, DigitJudge, class_figures, digit_figures
from ganvas.evaluation.found import ByClass, Evaluation, Protocol
from ganvas.evaluation.label_metrics import LABEL_METRICS
from ganvas.inference import Model
from ganvas.metrics.figures import Figure
from ganvas.metrics.inception_distances import (
    INCEPTION_METRICS,
    InceptionJudge,
    InceptionSide,
    inception_figures,
)
from ganvas.metrics.memorisation import Nearest, memorisation_figures, nearest_training
from ganvas.metrics.parzen import SAMPLES_A_CLASS, parzen_figure
from ganvas.model_file import LabelHeader
from ganvas.pictures import Pixels
from ganvas.report.compared import Entry
from ganvas.sample_files import Drawing

MOST = 10_000  # pictures drawn without --count
HELD_OUT = 1_000  # training pictures that choose the windows' sigma
WATCHED = 1_000  # pictures whose nearest training picture is looked for
BATCH = 500
INCEPTION_BATCH = 8  # pictures of 299 pixels in the network at a time
SHOWN = 16
Indices = npt.NDArray[np.int64]
Watch = Callable[[str], None]


@dataclass(frozen=True)
class _Parts:
    """Which pictures serve for what: sets and indices into them.

    Attributes:
        real: the pictures of the split asked for, to compare with.
        other: real pictures of the other split, for the reference values.
        held_out: training pictures that serve for nothing else.
        unseen: test pictures, whose distance from the training pictures is that of pictures never trained on.
        parzen: real pictures in the place of the drawn ones of each class.
    """

    real: tuple[LabelledImages, Indices]
    other: tuple[LabelledImages, Indices]
    held_out: tuple[LabelledImages, Indices]
    unseen: tuple[LabelledImages, Indices]
    parzen: tuple[LabelledImages, Indices]


def evaluate_labels(
    entry: Entry,
    model: Model,
    data: str | None,
    split: str,
    count: int | None,
    seed: int,
    watch: Watch,
    inception: InceptionJudge | None = None,
) -> Evaluation:
    """Draw, read and compare; see docs/metrics.md for every number.

    Raises:
        UsageError: a split that labelled data do not have, data of other classes, or too few for an FID.
        GanvasError: the data cannot be read.
    """
    header = model.header
    assert isinstance(header, LabelHeader)
    train, test = _open(entry, header, data, split)
    there = len(test) if split == "test" else len(train) - _held_out(train)
    wanted = min(there, MOST) if count is None else count
    parts = _parts(train, test, split, wanted, _samples_a_class(train), seed)
    if inception is not None:
        inception.check(min(wanted, len(parts.real[1])), header.channels)
    drawings = _Drawn(model, parts.real, wanted, seed)
    judge = DigitJudge.for_data(*parts.real)
    figures: dict[str, Figure] = {}
    reference: dict[str, Figure] = {}
    by_class: ByClass | None = None
    if judge is not None:
        watch(f"drawing {wanted:,} digits and reading them, beside real ones")
        read = judge.read(drawings.stream())
        held, other = judge.read(_batches(*parts.real)), judge.read(_batches(*parts.other))
        figures |= digit_figures(read, held, seed)
        reference |= digit_figures(other, held, seed)
        by_class = class_figures(read, held, other, train.class_names)
    if inception is not None:
        watch(f"reading {wanted:,} pictures by Inception, beside real ones")
        by_inception, of_real = _by_inception(inception, drawings, parts, seed)
        figures, reference = figures | by_inception, reference | of_real
    watch("comparing pixels: Parzen windows and nearest training pictures")
    parzen, reference_parzen, settings = _parzen(model, parts, seed)
    figures["parzen_log_likelihood"], reference["parzen_log_likelihood"] = parzen, reference_parzen
    drawn = drawings.first(WATCHED)
    nearest, unseen = _nearest(drawn, train), _nearest(_pictures(parts.unseen[0], parts.unseen[1][:WATCHED]), train)
    found, beside = memorisation_figures(nearest, unseen, seed)
    return Evaluation(
        model=entry.given,
        name=entry.name,
        task="label",
        images_seen=header.images_seen,
        protocol=_protocol(parts, split, wanted, seed, settings),
        metrics=LABEL_METRICS if inception is None else LABEL_METRICS | INCEPTION_METRICS,
        figures=figures | found,
        reference={name: figure for name, figure in (reference | beside).items() if name in figures | found},
        by_class=by_class,
        notes=(
            *_notes(header, train, judge, wanted, len(parts.real[1])),
            *(() if inception is None else (inception.note(min(wanted, len(parts.real[1]))),)),
        ),
        pairs=_beside(drawn, nearest, train),
        columns=SHOWN // 2,
    )


def _by_inception(
    judge: InceptionJudge, drawings: _Drawn, parts: _Parts, seed: int
) -> tuple[dict[str, Figure], dict[str, Figure]]:
    """FID and KID of the drawn pictures, and of real ones in their place, where these are enough."""

    def side(stream: Iterable[Drawing]) -> InceptionSide:
        found = InceptionSide(judge.network)
        for drawing in stream:
            for start in range(0, len(drawing.images), INCEPTION_BATCH):
                found.add(np.moveaxis(drawing.images[start : start + INCEPTION_BATCH], 3, 1))
        return found

    real = side(_batches(*parts.real))
    figures = inception_figures(side(drawings.stream()), real, seed)
    if not judge.says_enough(len(parts.other[1])):
        return figures, {}
    return figures, inception_figures(side(_batches(*parts.other)), real, seed)


def _protocol(parts: _Parts, split: str, count: int, seed: int, settings: dict[str, float]) -> Protocol:
    real = parts.real[0]
    return Protocol(
        pictures=count,
        seed=seed,
        source=f"{len(parts.real[1]):,} pictures of {real.source}",
        fingerprint=real.fingerprint,
        licence=real.licence,
        split=split,
        reference=f"{len(parts.other[1]):,} pictures of {parts.other[0].source} in the place of drawn ones",
        settings=settings,
    )


class _Drawn:
    """The pictures to measure: drawn for the labels of the real ones, so that both hold as many of each class."""

    def __init__(self, model: Model, real: tuple[LabelledImages, Indices], count: int, seed: int) -> None:
        self._model = model
        self._labels = [int(label) for label in real[0].labels[real[1]]] if model.class_names else None
        self._count = count
        self._seed = seed

    def stream(self) -> Iterator[Drawing]:
        return self._model.draw(self._labels, count=self._count, seed=self._seed)

    def first(self, count: int) -> Pixels:
        found = self._model.draw(self._labels, count=min(count, self._count), seed=self._seed)
        return np.concatenate([drawing.images for drawing in found])


def _open(entry: Entry, header: LabelHeader, data: str | None, split: str) -> tuple[LabelledImages, LabelledImages]:
    """The training and the test pictures, at the model's size."""
    if split not in ("train", "test"):
        raise UsageError(f"--split {split}: labelled pictures have train and test; choose one of them")
    path = data
    if path is None and isinstance(entry.recipe, LabelRecipe):
        path = entry.recipe.data.path or None
    elif path is None and (header.size, header.channels, len(header.class_names)) != (28, 1, 10):
        raise UsageError(
            f"'{entry.given}' has no recipe.toml beside it, which says where its pictures are: "
            "give --data with labelled pictures"
        )
    where = Path(path) if path else None
    splits: tuple[Split, Split] = ("train", "test")
    train, test = (open_labelled(where, size=header.size, channels=header.channels, split=part) for part in splits)
    if header.conditional and train.class_names != header.class_names:
        raise UsageError(
            f"'{entry.given}' draws {len(header.class_names)} classes ({', '.join(header.class_names[:5])}, ...), "
            f"'{train.source}' has {len(train.class_names)} ({', '.join(train.class_names[:5])}, ...): "
            "give --data with pictures of the model's classes"
        )
    return train, test


def _samples_a_class(train: LabelledImages) -> int:
    # As published for ten classes; of many classes fewer, so that the windows stay as many.
    return max(1, min(SAMPLES_A_CLASS, MOST // len(train.class_names)))


def _held_out(train: LabelledImages) -> int:
    return max(1, min(HELD_OUT, len(train) // 10))


def _parts(
    train: LabelledImages, test: LabelledImages, split: str, count: int, samples_a_class: int, seed: int
) -> _Parts:
    random = np.random.default_rng((seed, 4))
    of_train, of_test = random.permutation(len(train)), random.permutation(len(test))
    few = _held_out(train)
    held_out, rest = of_train[:few], of_train[few:]
    training, testing = (train, rest[:count]), (test, of_test[:count])
    real, other = (testing, training) if split == "test" else (training, testing)
    everything = rest if other[0] is train else of_test
    if not min(len(real[1]), len(other[1])):
        raise GanvasError(f"'{train.source}' holds {len(train)} pictures: expected at least 2 to evaluate on.")
    return _Parts(
        real=real,
        other=other,
        held_out=(train, held_out),
        unseen=testing,
        parzen=(other[0], _first_of_each_class(other[0].labels, everything, samples_a_class)),
    )


def _first_of_each_class(labels: Indices, order: Indices, count: int) -> Indices:
    """The first ``count`` of each class in that order, or as many as there are."""
    found = [order[labels[order] == label][:count] for label in np.unique(labels)]
    return np.concatenate(found)


def _parzen(model: Model, parts: _Parts, seed: int) -> tuple[Figure, Figure, dict[str, float]]:
    each = _samples_a_class(parts.real[0])
    total = each * len(parts.real[0].class_names)
    # Other noise than that of the pictures measured above, as the classes take turns here.
    drawn = np.concatenate([drawing.images for drawing in model.draw(count=total, seed=seed + 1)])
    held_out, test = (torch.from_numpy(_pictures(*part)) for part in (parts.held_out, _most(parts.real)))
    figure, sigma = parzen_figure(torch.from_numpy(drawn), held_out, test, seed)
    real, sigma_real = parzen_figure(torch.from_numpy(_pictures(*parts.parzen)), held_out, test, seed)
    settings = {
        "parzen_samples": len(drawn),
        "parzen_sigma": sigma,
        "parzen_samples_real": len(parts.parzen[1]),
        "parzen_sigma_real": sigma_real,
        "parzen_held_out": len(held_out),
        "parzen_test": len(test),
    }
    return figure, real, {name: float(value) for name, value in settings.items()}


def _most(part: tuple[LabelledImages, Indices]) -> tuple[LabelledImages, Indices]:
    return part[0], part[1][:MOST]


def _nearest(pictures: Pixels, train: LabelledImages) -> Nearest:
    return nearest_training(torch.from_numpy(pictures), torch.from_numpy(train.images))


def _beside(drawn: Pixels, nearest: Nearest, train: LabelledImages) -> Pixels:
    """The drawn pictures that are nearest to a training picture, each followed by it: (2 n, H, W, C)."""
    order = np.argsort(nearest.distances, kind="stable")[:SHOWN]
    together = np.stack([drawn[order], train.images[nearest.indices[order]]], axis=1)
    return together.reshape(-1, *drawn.shape[1:])


def _pictures(data: LabelledImages, chosen: Indices) -> Pixels:
    return data.images[chosen]


def _batches(data: LabelledImages, chosen: Indices) -> Iterable[Drawing]:
    for start in range(0, len(chosen), BATCH):
        part = chosen[start : start + BATCH]
        yield Drawing(data.images[part], data.labels[part])


def _notes(
    header: LabelHeader, train: LabelledImages, judge: DigitJudge | None, drawn: int, real: int
) -> Iterator[str]:
    if judge is None:
        yield (
            "No digit metrics: the shipped classifier reads grey digits of 28 pixels in ten classes, and these "
            "pictures are others."
        )
    if header.data.fingerprint != train.fingerprint:
        yield (
            f"The model was trained on {header.data.source}, not on {train.source}: pictures measured against may be "
            "among those it has seen, and nearest training pictures are looked for among others than its own."
        )
    if not header.conditional:
        yield "The model takes no label, so no class is asked for."
    if drawn > KEPT and judge is not None:
        yield (
            f"Of {drawn:,} pictures the first {KEPT:,} are compared each with each (kernel distance, precision, "
            "recall, density, coverage)."
        )
    if drawn > real:
        yield f"{drawn:,} drawn pictures are compared with the {real:,} real ones that there are."
    yield (
        "The Parzen log-likelihood is told because early papers did; it is a poor guide, as blurred or memorised "
        "pictures score high and sharp new ones low."
    )
