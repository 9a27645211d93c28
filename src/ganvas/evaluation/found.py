"""What an evaluation found: numbers, the protocol behind them, and what real pictures score by the same one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ganvas import __version__
from ganvas.metrics.figures import Figure
from ganvas.metrics.intervals import LEVEL
from ganvas.metrics.pictures import PictureMetric
from ganvas.pictures import Pixels


@dataclass(frozen=True)
class Protocol:
    """How the numbers were made, in a form that can be repeated.

    Attributes:
        pictures: how many were drawn and measured.
        seed: of the noise, of every choice among pictures and of the intervals.
        source: the pictures measured against, for people; ``fingerprint``, ``licence`` and ``split`` are theirs.
        reference: what stands in the place of drawn pictures for the reference values.
        settings: what else decides a number, such as the windows' sigma, by name.
    """

    pictures: int
    seed: int
    source: str
    fingerprint: str
    licence: str
    split: str
    reference: str
    settings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ByClass:
    """What was found of each class; None where a class was never asked for, or there is nothing to compare with.

    Attributes:
        names: the classes.
        accuracy: share of each class's pictures that are read as it.
        frechet: Fréchet distance of each class's pictures from the real ones of that class.
        reference_frechet: the same of real pictures.
        confusion: counts; the row is the class asked for, the column the class read.
    """

    names: tuple[str, ...]
    accuracy: tuple[Figure | None, ...]
    frechet: tuple[Figure | None, ...]
    reference_frechet: tuple[Figure | None, ...]
    confusion: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation.

    Attributes:
        model: as given.
        name: what to call it; unlike a path it tells nothing of the machine.
        task: of the model.
        images_seen: how many images the model had learned from; a run that is still training goes on meanwhile.
        protocol: how the numbers were made.
        metrics: how each number is called and read, in the order to show them in.
        figures: the numbers by name.
        reference: real pictures' numbers by the same names; some have none.
        by_class: where a classifier read what was asked for.
        notes: plain sentences on what to keep in mind.
        pairs: pictures to look at, RGB or grey (N, H, W, C), laid out ``columns`` a row.
        columns: see ``pairs``.
    """

    model: str
    name: str
    task: str
    images_seen: int
    protocol: Protocol
    metrics: Mapping[str, PictureMetric]
    figures: Mapping[str, Figure]
    reference: Mapping[str, Figure]
    by_class: ByClass | None
    notes: tuple[str, ...]
    pairs: Pixels
    columns: int

    @property
    def values(self) -> dict[str, float]:
        """The numbers alone, by name."""
        return {name: figure.value for name, figure in self.figures.items()}

    def to_table(self) -> dict[str, Any]:
        """Everything but the pictures, ready for JSON."""
        return {
            "ganvas": __version__,
            "model": self.name,
            "task": self.task,
            "images_seen": self.images_seen,
            "protocol": asdict(self.protocol) | {"settings": dict(self.protocol.settings), "interval_level": LEVEL},
            "metrics": {
                name: {
                    "title": self.metrics[name].title,
                    "better": self.metrics[name].better,
                    "decimals": self.metrics[name].decimals,
                    "reading": self.metrics[name].reading,
                    **asdict(figure),
                    "real": asdict(self.reference[name]) if name in self.reference else None,
                }
                for name, figure in self.figures.items()
            },
            "by_class": None if self.by_class is None else _class_table(self.by_class),
            "notes": list(self.notes),
        }


def _class_table(found: ByClass) -> dict[str, Any]:
    columns = {
        "asked_accuracy": found.accuracy,
        "digit_frechet": found.frechet,
        "digit_frechet_real": found.reference_frechet,
    }
    return {
        "names": list(found.names),
        **{name: [None if one is None else asdict(one) for one in figures] for name, figures in columns.items()},
        "confusion": found.confusion.tolist(),
    }
