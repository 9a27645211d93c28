"""Measuring a translator on pairs it has not seen: per-picture values, a few pictures in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganvas.data.pairs import PairImages
from ganvas.errors import GanvasError
from ganvas.metrics.pictures import measure_alone, measure_pictures
from ganvas.pictures import Pixels

BATCH = 4

Labels = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Translate = Callable[[Pixels, Labels], Pixels]
"""Sources uint8 (N, Cs, S, S) and labels int64 (N,) to uint8 (N, S, S, Ct); without hints."""


def measure_translation(
    translate: Translate, data: PairImages, *, batch_size: int = BATCH, watch: Callable[[int], None] | None = None
) -> dict[str, Values]:
    """Values (N,) by metric name of what ``translate`` makes of every source, beside its target.

    Args:
        translate: what draws; it gets ``batch_size`` sources at a time, the last time perhaps fewer.
        data: the pairs, which may lie in a mapped file.
        batch_size: bounds the memory and changes nothing else.
        watch: called with the number of pictures measured after each batch.

    Raises:
        GanvasError: there are no pairs, or what was drawn has another shape than the targets.
    """
    if not len(data):
        raise GanvasError(f"'{data.source}' holds no pairs to measure on.")
    values: dict[str, Values] = {}
    for part in _batches(data, batch_size):
        drawn = np.moveaxis(translate(np.ascontiguousarray(data.sources[part]), data.labels[part]), 3, 1)
        _fill(values, part, measure_pictures(_tensor(drawn), _tensor(data.targets[part])), len(data))
        if watch is not None:
            watch(min(part.stop, len(data)))
    return values


def measure_targets(data: PairImages, *, batch_size: int = BATCH) -> dict[str, Values]:
    """The metrics that the true pictures have by themselves, (N,) each: what drawn ones should come near."""
    values: dict[str, Values] = {}
    for part in _batches(data, batch_size):
        _fill(values, part, measure_alone(_tensor(data.targets[part])), len(data))
    return values


def _batches(data: PairImages, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, len(data), size))


def _tensor(pictures: npt.NDArray[Any]) -> Tensor:
    # A copy: mapped files are read-only, of which torch warns.
    return torch.from_numpy(np.array(pictures))


def _fill(values: dict[str, Values], part: slice, measured: dict[str, Tensor], total: int) -> None:
    # Into arrays made beforehand: small results kept between the large temporary ones leave holes that no later one
    # fits into, and the process grows with every batch.
    for name, found in measured.items():
        values.setdefault(name, np.empty(total))[part] = found.numpy()
