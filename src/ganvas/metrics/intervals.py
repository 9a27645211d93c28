"""Intervals of means over pictures, and over seeds and pictures, and of shares; the same seed gives the same digits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

RESAMPLES = 1_000
LEVEL = 0.95
NORMAL_QUANTILE = 1.959963984540054  # of the standard normal distribution at (1 + LEVEL) / 2
_CHUNK = 50  # resamples at a time: memory stays that of 50 times the pictures

Values = npt.NDArray[np.float64]
Chosen = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """A mean, and the ends of its interval at ``LEVEL``."""

    mean: float
    low: float
    high: float


def resampled_means(values: npt.ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0, runs_seed: int = 0) -> Values:
    """Means of ``values`` over resampled pictures and, where there are several, resampled runs: (resamples,).

    Rows and columns are drawn independently with replacement (the pigeonhole bootstrap of Owen 2007, which errs on
    the wide side). The pictures drawn depend on ``seed`` and their number alone, so that the difference of two
    results with one seed is that on the same pictures; ``runs_seed`` should differ between sets of runs.

    Args:
        values: (pictures,), or (runs, pictures) with the same pictures in every row; finite.

    Raises:
        ValueError: no values, another number of dimensions, or values that are not finite.
    """
    table = np.asarray(values, dtype=np.float64)
    table = table[None] if table.ndim == 1 else table
    if table.ndim != 2 or table.size == 0 or not np.isfinite(table).all():
        raise ValueError(f"expected finite values of shape (pictures,) or (runs, pictures), found {table.shape}")
    means = []
    for chosen, rows in resampled_choices(*table.shape, resamples=resamples, seed=seed, runs_seed=runs_seed):
        of_runs = table[:, chosen].mean(axis=2)  # (runs, count)
        means.append(of_runs.T[np.arange(len(chosen))[:, None], rows].mean(axis=1))
    return np.concatenate(means)


def resampled_choices(
    runs: int, pictures: int, *, resamples: int = RESAMPLES, seed: int = 0, runs_seed: int = 0
) -> Iterator[tuple[Chosen, Chosen]]:
    """Which pictures (n, pictures) and runs (n, runs) each of n resamples holds, ``resamples`` of them in pieces."""
    for_pictures, for_runs = np.random.default_rng((seed, 0)), np.random.default_rng((seed, 1, runs_seed))
    for start in range(0, resamples, _CHUNK):
        count = min(_CHUNK, resamples - start)
        chosen = for_pictures.integers(pictures, size=(count, pictures))
        yield chosen, for_runs.integers(runs, size=(count, runs))


def mean_interval(values: npt.ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0, runs_seed: int = 0) -> Interval:
    """The mean of ``values`` and its interval over pictures, or over runs and pictures: see :func:`resampled_means`."""
    low, high = ends(resampled_means(values, resamples=resamples, seed=seed, runs_seed=runs_seed))
    return Interval(mean=float(np.mean(np.asarray(values, dtype=np.float64))), low=low, high=high)


def share_interval(hits: int, count: int) -> Interval:
    """The share ``hits / count`` and its score interval: Wilson (1927), "Probable inference".

    Resampling pictures that were all hit gives an interval without width, however few they are; this one keeps its
    width there.

    Raises:
        ValueError: ``count`` is no whole number from 1, or ``hits`` does not lie in 0 to ``count``.
    """
    if count < 1 or not 0 <= hits <= count:
        raise ValueError(f"expected 0 <= hits <= count and 1 <= count, found {hits} of {count}")
    share, z2 = hits / count, NORMAL_QUANTILE**2
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = NORMAL_QUANTILE * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return Interval(mean=share, low=max(0.0, centre - half), high=min(1.0, centre + half))


def ends(means: npt.NDArray[Any]) -> tuple[float, float]:
    """The percentiles between which ``LEVEL`` of the resampled means lie."""
    outside = 50 * (1 - LEVEL)
    low, high = np.percentile(means, [outside, 100 - outside])
    return float(low), float(high)
