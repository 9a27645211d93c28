"""What a metric of a whole set of translations has to offer, so that evaluation can feed it picture by picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from ganvas.data.pairs import PairImages
from ganvas.metrics.figures import Figure
from ganvas.metrics.pictures import PictureMetric
from ganvas.metrics.translation import Labels
from ganvas.pictures import Pixels

Vary = Callable[[Pixels, int, int], Pixels]
"""Source uint8 (Cs, S, S), its label and a count N to that many translations uint8 (N, Ct, S, S) that vary."""


@dataclass(frozen=True)
class Setting:
    """What a set metric may know before the first picture.

    Attributes:
        pairs: the held-out pairs that are translated, S pixels a side; for preparations, class names and the count,
            not for the pictures, which come through ``update`` one batch after the other.
        seed: of everything random; the same seed gives the same digits.
        vary: draws variations by dropout and noise alone; None where the model has neither.
        vary_hues: draws them as `ganvas translate --variations` does, with dabs of other hues; None where the model
            takes no dabs.
    """

    pairs: PairImages
    seed: int
    vary: Vary | None
    vary_hues: Vary | None = None


class SetMetric(Protocol):
    """Measures a set of translations in memory that does not grow with it.

    A factory of :data:`ganvas.metrics.registry.SET_METRICS` makes one for a setting, or None where the metric has
    nothing to say about it.
    """

    @property
    def metrics(self) -> Mapping[str, PictureMetric]:
        """How each of its figures is called and read."""
        ...

    def update(self, sources: Pixels, drawn: Pixels, true: Pixels, labels: Labels) -> None:
        """Add a batch: uint8 (n, C, S, S) each, as in the pairs; ``labels`` are the pairs' classes, int64 (n,)."""
        ...

    def figures(self) -> dict[str, Figure]:
        """What the translations score."""
        ...

    def reference(self) -> dict[str, Figure]:
        """What true pictures score by the same measure; empty where that would say nothing."""
        ...


Factory = Callable[[Setting], SetMetric | None]
