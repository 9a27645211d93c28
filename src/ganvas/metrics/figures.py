"""A measured number with what is known of its uncertainty, as every protocol reports it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ganvas.metrics.intervals import mean_interval, share_interval


@dataclass(frozen=True)
class Figure:
    """A number, the ends of its interval at ``intervals.LEVEL``, and its standard error; None where there is none."""

    value: float
    low: float | None = None
    high: float | None = None
    standard_error: float | None = None


def figure_of_mean(values: npt.ArrayLike, seed: int) -> Figure:
    """The mean over pictures (N,) with its bootstrap interval; of one picture there is no interval.

    Raises:
        ValueError: no values, or values that are not finite.
    """
    interval = mean_interval(values, seed=seed)
    if np.size(values) == 1:
        return Figure(interval.mean)
    return Figure(interval.mean, interval.low, interval.high)


def figure_of_share(hits: int, count: int) -> Figure:
    """The share ``hits / count`` with its Wilson interval.

    Raises:
        ValueError: there is nothing to take a share of.
    """
    interval = share_interval(hits, count)
    return Figure(interval.mean, interval.low, interval.high)
