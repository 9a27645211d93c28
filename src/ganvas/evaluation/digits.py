"""Digits as the shipped classifier reads them: streamed statistics of any number of pictures, and what they give."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganvas.data.labelled import LabelledImages
from ganvas.evaluation.found import ByClass
from ganvas.metrics.asked import accuracy_from_logits, confusion_from_logits
from ganvas.metrics.digit_classifier import FEATURES, DigitClassifier, load_digit_classifier
from ganvas.metrics.distances import GroupedStatistics, frechet_figure, frechet_jackknife
from ganvas.metrics.figures import JACKKNIFE_GROUPS, Figure, figure_of_share
from ganvas.metrics.kernel_distance import SUBSETS, kernel_distance
from ganvas.metrics.manifolds import DENSITY_NEIGHBOURS, neighbourhoods
from ganvas.metrics.probe import KNOWS_DATA
from ganvas.sample_files import Drawing

# Of these many pictures the features are kept, for what compares each with each; the rest is streamed.
KEPT = 10_000
CLASSES = 10


@dataclass
class Read:
    """What the classifier read in a stream of digits.

    Attributes:
        statistics: of all features.
        by_class: of each class's features.
        confusion: counts of (class asked for, class read).
        features: those of the first ``KEPT`` pictures, float32 (n, 128).
    """

    statistics: GroupedStatistics = field(default_factory=lambda: GroupedStatistics(FEATURES))
    by_class: list[GroupedStatistics] = field(
        default_factory=lambda: [GroupedStatistics(FEATURES, JACKKNIFE_GROUPS) for _ in range(CLASSES)]
    )
    confusion: Tensor = field(default_factory=lambda: torch.zeros(CLASSES, CLASSES, dtype=torch.int64))
    features: Tensor = field(default_factory=lambda: torch.zeros(0, FEATURES))

    def add(self, logits: Tensor, features: Tensor, labels: Tensor | None) -> None:
        """A batch's answers and features; ``labels`` (n,) int64 are None where no class was asked for."""
        self.statistics.update(features)
        if len(self.features) < KEPT:
            self.features = torch.cat([self.features, features[: KEPT - len(self.features)].cpu()])
        if labels is None:
            return
        self.confusion += confusion_from_logits(logits, labels)
        for label, statistics in enumerate(self.by_class):
            statistics.update(features[labels == label])


class DigitJudge:
    """Reads pictures by the shipped classifier.

    Build it with :meth:`for_data`, which tells when the classifier has nothing to say about the data.
    """

    def __init__(self, classifier: DigitClassifier) -> None:
        self._classifier = classifier

    @classmethod
    def for_data(cls, data: LabelledImages, chosen: npt.NDArray[np.int64]) -> DigitJudge | None:
        """The judge, or None where the chosen pictures are not digits as the classifier knows them."""
        if data.images.shape[1:] != (28, 28, 1) or len(data.class_names) != CLASSES:
            return None
        judge = cls(load_digit_classifier())
        some = chosen[:1_000]
        logits, _ = judge._answers(data.images[some])
        right = accuracy_from_logits(logits, torch.from_numpy(data.labels[some])).overall
        return judge if right >= KNOWS_DATA else None

    def read(self, drawings: Iterable[Drawing]) -> Read:
        """Read a stream of pictures uint8 (n, 28, 28, 1); labels below 0 stand for none asked for."""
        found = Read()
        for drawing in drawings:
            labels = torch.from_numpy(drawing.labels)
            found.add(*self._answers(drawing.images), labels if int(labels.min()) >= 0 else None)
        return found

    def _answers(self, images: npt.NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
        pictures = torch.from_numpy(np.ascontiguousarray(images[..., 0]))[:, None].float() / 127.5 - 1
        return self._classifier.logits_and_features(pictures)


def digit_figures(drawn: Read, real: Read, seed: int) -> dict[str, Figure]:
    """Every figure that the classifier gives of drawn pictures, beside real ones; those that few pictures allow."""
    found: dict[str, Figure] = {}
    if int(drawn.confusion.sum()):
        found["asked_accuracy"] = figure_of_share(int(drawn.confusion.trace()), int(drawn.confusion.sum()))
        of_classes = [figure for figure in _asked_by_class(drawn.confusion) if figure is not None]
        found["asked_accuracy_worst_class"] = min(of_classes, key=lambda figure: figure.value)
    sides = min(drawn.statistics.whole.count, real.statistics.whole.count)
    if sides >= 2:
        found["digit_frechet"] = frechet_figure(drawn.statistics, real.statistics, seed)
    if sides >= 2 * SUBSETS:
        found["digit_kernel_distance"] = kernel_distance(drawn.features, real.features, seed)
    if sides > DENSITY_NEIGHBOURS:
        shares = neighbourhoods(drawn.features, real.features).figures(seed)
        found |= {f"digit_{name}": figure for name, figure in shares.items()}
    return found


def class_figures(drawn: Read, real: Read, other: Read, names: tuple[str, ...]) -> ByClass | None:
    """What was found of each class; None where no class was asked for."""
    if not int(drawn.confusion.sum()):
        return None
    return ByClass(
        names=names,
        accuracy=_asked_by_class(drawn.confusion),
        frechet=_frechet_by_class(drawn, real),
        reference_frechet=_frechet_by_class(other, real),
        confusion=drawn.confusion.numpy(),
    )


def _asked_by_class(confusion: Tensor) -> tuple[Figure | None, ...]:
    asked, met = confusion.sum(dim=1).tolist(), confusion.diagonal().tolist()
    return tuple(figure_of_share(m, n) if n else None for m, n in zip(met, asked, strict=True))


def _frechet_by_class(a: Read, b: Read) -> tuple[Figure | None, ...]:
    pairs = zip(a.by_class, b.by_class, strict=True)
    return tuple(
        frechet_jackknife(one, two) if min(one.whole.count, two.whole.count) >= 2 else None for one, two in pairs
    )
