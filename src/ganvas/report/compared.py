"""What a comparison of models holds: the models by rows, their values, and which are best."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ganvas.config import Recipe
from ganvas.metrics.intervals import ends, mean_interval, resampled_means
from ganvas.metrics.pictures import METRICS, PictureMetric
from ganvas.metrics.segmentation import SEGMENTATION_METRICS
from ganvas.model_file import ModelHeader
from ganvas.pictures import Pixels
from ganvas.report.record import RunRecord

Values = npt.NDArray[np.float64]
Number = TypeVar("Number", float, npt.NDArray[np.float64])

# Measured while training, on digits.
DIGIT_METRICS = {
    "asked_accuracy": PictureMetric(
        "Asked class met", "higher", 3, "share that a classifier takes for the asked class"
    ),
    "digit_frechet": PictureMetric("Digit Fréchet distance", "lower", 3, "to real digits, in a classifier's features"),
}
KNOWN_METRICS = METRICS | SEGMENTATION_METRICS | DIGIT_METRICS
# Keys that do not change what a run learns, or that tell runs of one kind apart.
NOT_COMPARED = ("name", "description", "train.seed", "data.path", "data.cache_mb")


@dataclass(frozen=True)
class Entry:
    """One model: as given on the command line, what to call it, its file, what is known of its run, its row's name."""

    given: str
    name: str
    path: Path
    header: ModelHeader
    recipe: Recipe | None = None
    record: RunRecord | None = None
    title: str | None = None


@dataclass(frozen=True)
class Row:
    """Runs that differ in nothing but their seed, and their values (runs, pictures) by metric."""

    name: str
    entries: tuple[Entry, ...]
    values: dict[str, Values] = field(default_factory=dict)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The runs' seeds, as far as their recipes are known."""
        return tuple(entry.recipe.train.seed for entry in self.entries if entry.recipe is not None)


@dataclass(frozen=True)
class Score:
    """A row's mean by one metric, its interval where there is one, and whether no other row is surely better."""

    mean: float
    low: float | None
    high: float | None
    best: bool


@dataclass(frozen=True)
class Column:
    """One column of the picture sheet: RGB pictures (N, S, S, 3) under a title and a quiet line."""

    title: str
    note: str
    pictures: Pixels


@dataclass(frozen=True)
class Held:
    """The pairs that everything was measured on."""

    source: str
    licence: str
    split: str
    fingerprint: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Compared:
    """A finished comparison; ``scores`` has one entry a row, ``reference`` the true pictures' own values."""

    task: str
    rows: tuple[Row, ...]
    scores: tuple[Mapping[str, Score], ...]
    reference: Mapping[str, Score]
    held: Held | None
    columns: tuple[Column, ...]
    notes: tuple[str, ...]
    command: str

    @property
    def metrics(self) -> dict[str, PictureMetric]:
        """The metrics that a row has, in their order."""
        return {name: metric for name, metric in KNOWN_METRICS.items() if any(name in scores for scores in self.scores)}


def grouped(entries: Sequence[Entry]) -> list[Row]:
    """Rows in the order of the entries; runs of one recipe, data and title that differ only in the seed share one."""
    groups: list[list[Entry]] = []
    for entry in entries:
        groups.append([])
        for group in groups:
            if not group or _same_but_for_the_seed(group, entry):
                group.append(entry)
                break
        groups = [group for group in groups if group]
    return [Row(name, tuple(group)) for name, group in zip(_row_names(groups), groups, strict=True)]


def scored(rows: Sequence[Row], truth: Mapping[str, Values]) -> tuple[tuple[dict[str, Score], ...], dict[str, Score]]:
    """Each row's scores by metric, and those of the true pictures.

    A row is among the best of a metric where the interval of its difference to the best mean, on the same resampled
    pictures, reaches zero. One row alone is not called the best.
    """
    scores: tuple[dict[str, Score], ...] = tuple({} for _ in rows)
    for name, metric in KNOWN_METRICS.items():
        having = [index for index, row in enumerate(rows) if name in row.values]
        true = truth.get(name)
        costs, means = {}, {}
        for index in having:
            resampled = resampled_means(rows[index].values[name], runs_seed=index)
            means[index] = float(rows[index].values[name].mean())
            aim = (0.0, resampled * 0) if true is None else (float(true.mean()), resampled_means(true))
            costs[index] = (cost(metric, means[index], aim[0]), cost(metric, resampled, aim[1]))
        lowest = min(having, key=lambda index: costs[index][0], default=None)
        for index in having:
            values = rows[index].values[name]
            worse = ends(costs[index][1] - costs[lowest][1])[0] > 0 if lowest is not None else False
            if values.size == 1 and lowest is not None:
                worse = costs[index][0] > costs[lowest][0]
            interval = mean_interval(values, runs_seed=index) if values.size > 1 else None
            low, high = (interval.low, interval.high) if interval else (None, None)
            scores[index][name] = Score(means[index], low, high, best=len(having) > 1 and not worse)
    reference = {}
    for name, values in truth.items():
        interval = mean_interval(values)
        reference[name] = Score(interval.mean, interval.low, interval.high, best=False)
    return scores, reference


def recipe_differences(rows: Sequence[Row]) -> dict[str, list[str]]:
    """What each row's recipe says for every key in which two of them differ; "unknown" without a recipe."""
    tables = [None if (recipe := row.entries[0].recipe) is None else _compared_keys(recipe) for row in rows]
    known = [table for table in tables if table is not None]
    keys = dict.fromkeys(key for table in known for key in table)
    return {
        key: ["unknown" if table is None else str(table.get(key, "–")) for table in tables]
        for key in keys
        if len({repr(table.get(key)) for table in known}) > 1
    }


def cost(metric: PictureMetric, value: Number, aim: Number) -> Number:
    """``value``, or values, turned so that smaller is better; ``aim`` is that of the true pictures."""
    if metric.better == "truth":
        return abs(value - aim)
    return -value if metric.better == "higher" else value


def _same_but_for_the_seed(group: Sequence[Entry], entry: Entry) -> bool:
    first = group[0].recipe
    if first is None or entry.recipe is None or entry.title != group[0].title:
        return False
    # The same recipe may have been given other pictures, which lie elsewhere or have changed since.
    if entry.header.data.fingerprint != group[0].header.data.fingerprint:
        return False
    # Two runs of one seed are one run done twice, which says nothing about chance.
    seeds = {other.recipe.train.seed for other in group if other.recipe is not None}
    return entry.recipe.train.seed not in seeds and _compared_keys(first) == _compared_keys(entry.recipe)


def _compared_keys(recipe: Recipe) -> dict[str, object]:
    return {key: value for key, value in _flat(recipe.model_dump()).items() if key not in NOT_COMPARED}


def _flat(table: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in table.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat


def _row_names(groups: Sequence[Sequence[Entry]]) -> list[str]:
    """A name for each row; where several would have the same, the runs as given tell them apart, or else numbers."""
    wanted = [_row_name(group) for group in groups]
    names: list[str] = []
    for group, name in zip(groups, wanted, strict=True):
        own = group[0].title is None and wanted.count(name) > 1
        tried = first = group[0].given if own else name
        number = 1
        while tried in names:
            number += 1
            tried = f"{first} ({number})"
        names.append(tried)
    return names


def _row_name(group: Sequence[Entry]) -> str:
    """The title, a run's own name, or what the names of a row's runs begin with."""
    first = group[0]
    if first.title is not None or len(group) == 1:
        return first.name if first.title is None else first.title
    begin = _common_beginning([entry.name for entry in group])
    return re.sub(r"[-_. ]*(seed|s)?[-_. ]*\d*$", "", begin) or (first.recipe.name if first.recipe else begin)


def _common_beginning(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    same = next((at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    return first[:same]
