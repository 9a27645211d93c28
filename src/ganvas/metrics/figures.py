"""A measured number with what is known of its uncertainty, as every protocol reports it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ganvas.metrics.intervals import mean_interval, share_interval

JACKKNIFE_GROUPS = 8
STUDENT_QUANTILE = 2.3646242515927844  # of Student's t with JACKKNIFE_GROUPS - 1 degrees of freedom, at 0.975


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


def figure_of_jackknife(distance: float, without: Sequence[float]) -> Figure:
    """A distance of two sets with the standard error of the delete-a-group jackknife (Kott 2001), and its interval.

    ``sqrt((G - 1) / G sum_g (d_g - mean)^2)`` of the distances ``without`` each of G groups of pictures, and Student's
    interval around the distance with G - 1 degrees of freedom, cut at 0. A bootstrap of pictures would count some of
    them twice, which alone moves two sets apart.

    Args:
        distance: of all pictures, not negative.
        without: ``JACKKNIFE_GROUPS`` of them, or none: then there is no interval.
    """
    if not len(without):
        return Figure(distance)
    assert len(without) == JACKKNIFE_GROUPS
    error = float(np.sqrt((JACKKNIFE_GROUPS - 1) * np.var(without)))
    half = STUDENT_QUANTILE * error
    return Figure(distance, max(0.0, distance - half), distance + half, error)
