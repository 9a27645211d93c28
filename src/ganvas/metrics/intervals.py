"""Bootstrap intervals of means over pictures, and over seeds and pictures; the same seed gives the same digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

RESAMPLES = 1_000
LEVEL = 0.95
_CHUNK = 50  # resamples at a time: memory stays that of 50 times the pictures

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean, and the ends of its percentile bootstrap interval at ``LEVEL``."""

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
    runs, pictures = table.shape
    for_pictures, for_runs = np.random.default_rng((seed, 0)), np.random.default_rng((seed, 1, runs_seed))
    means = []
    for start in range(0, resamples, _CHUNK):
        count = min(_CHUNK, resamples - start)
        chosen = for_pictures.integers(pictures, size=(count, pictures))
        of_runs = table[:, chosen].mean(axis=2)  # (runs, count)
        rows = for_runs.integers(runs, size=(count, runs))
        means.append(of_runs.T[np.arange(count)[:, None], rows].mean(axis=1))
    return np.concatenate(means)


def mean_interval(values: npt.ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0, runs_seed: int = 0) -> Interval:
    """The mean of ``values`` and its interval over pictures, or over runs and pictures: see :func:`resampled_means`."""
    low, high = ends(resampled_means(values, resamples=resamples, seed=seed, runs_seed=runs_seed))
    return Interval(mean=float(np.mean(np.asarray(values, dtype=np.float64))), low=low, high=high)


def ends(means: npt.NDArray[Any]) -> tuple[float, float]:
    """The percentiles between which ``LEVEL`` of the resampled means lie."""
    outside = 50 * (1 - LEVEL)
    low, high = np.percentile(means, [outside, 100 - outside])
    return float(low), float(high)
