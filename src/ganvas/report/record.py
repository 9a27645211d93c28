"""Reading a run folder for its report: whatever is there, however the run ended."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ganvas.errors import GanvasError

PARTS = ("recipe.toml", "stats.jsonl", "samples", "environment.json")


@dataclass(frozen=True)
class Tick:
    """One line of ``stats.jsonl``: a missing or null value is ``None`` or absent, NaN and Inf are NaN."""

    images: int
    total_images: int | None
    seconds: float | None
    images_per_second: float | None
    accuracy_real: float | None
    accuracy_fake: float | None
    peak_memory_mb: float | None
    losses: Mapping[str, float]
    gradient_norms: Mapping[str, float]
    metrics: Mapping[str, float]
    signs: Mapping[str, float] = field(default_factory=dict)
    warnings: Mapping[str, str] = field(default_factory=dict)
    validation_share: float | None = None
    finished: bool = False


@dataclass(frozen=True)
class Alarm:
    """A monitor's warning: what it said last, from when to when, and whether it still stood at the last tick."""

    monitor: str
    sentence: str
    since: int
    until: int
    standing: bool


@dataclass(frozen=True)
class SampleFile:
    """A sheet of samples: the file, and how many images had been seen when it was drawn."""

    images: int
    path: Path


@dataclass(frozen=True)
class RunRecord:
    """What a run folder says about its run. ``notes`` are plain sentences on what could not be read."""

    folder: Path
    recipe: Mapping[str, object]
    recipe_text: str
    environment: Mapping[str, object]
    ticks: tuple[Tick, ...]
    samples: tuple[SampleFile, ...]
    evaluation: Mapping[str, object] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The recipe's name, or the folder's where the recipe has none."""
        return str(self.recipe.get("name") or self.folder.resolve().name)

    @property
    def description(self) -> str:
        """The recipe's description, or an empty string."""
        return str(self.recipe.get("description") or "")

    @property
    def data(self) -> Mapping[str, object]:
        """What is known of the training data: source, licence, fingerprint, images, classes."""
        return _table(self.environment.get("data"))

    @property
    def classes(self) -> int | None:
        """How many classes the training data has, where known (``classes`` may be a count or the names)."""
        found = self.data.get("classes")
        if isinstance(found, list | dict):
            return len(found) or None
        return found if isinstance(found, int) and found > 0 else None

    @property
    def alarms(self) -> list[Alarm]:
        """What the monitors warned of, a stretch of ticks each; those that still stand come first."""
        found: list[Alarm] = []
        standing: dict[str, Alarm] = {}
        for tick in self.ticks:
            found += [replace(alarm, standing=False) for name, alarm in standing.items() if name not in tick.warnings]
            standing = {
                name: Alarm(
                    name, sentence, standing[name].since if name in standing else tick.images, tick.images, True
                )
                for name, sentence in tick.warnings.items()
            }
        return [*standing.values(), *found]

    @property
    def latest_signs(self) -> Mapping[str, float]:
        """The last finite value of everything that the monitors look at."""
        return _latest(tick.signs for tick in self.ticks)

    @property
    def latest_metrics(self) -> Mapping[str, float]:
        """The last finite value of every metric; metrics need not be measured at every tick."""
        return _latest(tick.metrics for tick in self.ticks)


def read_run(folder: Path) -> RunRecord:
    """Read everything a report shows; parts that are missing or damaged become notes.

    Raises:
        GanvasError: ``folder`` does not exist, or holds nothing that a run writes.
    """
    if not folder.is_dir():
        raise GanvasError(f"no run folder at '{folder}': expected the folder that 'ganvas train' wrote with --out.")
    if not any((folder / part).exists() for part in PARTS):
        raise GanvasError(
            f"'{folder}' is not a run folder: found none of {', '.join(PARTS)}. "
            "Expected the folder that 'ganvas train' wrote with --out."
        )
    notes: list[str] = []
    recipe, recipe_text = _read_recipe(folder / "recipe.toml", notes)
    return RunRecord(
        folder=folder,
        recipe=recipe,
        recipe_text=recipe_text,
        environment=_read_environment(folder / "environment.json", notes),
        ticks=_read_ticks(folder / "stats.jsonl", notes),
        samples=_find_samples(folder / "samples"),
        evaluation=_read_evaluation(folder / "model.safetensors"),
        notes=notes,
    )


def _read_text(path: Path, notes: list[str]) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        notes.append(f"{path.name} could not be read ({error.strerror or error}).")
        return None


def _read_recipe(path: Path, notes: list[str]) -> tuple[Mapping[str, object], str]:
    text = _read_text(path, notes)
    if text is None:
        return {}, ""
    try:
        return tomllib.loads(text), text
    except tomllib.TOMLDecodeError as error:
        notes.append(f"recipe.toml is damaged ({error}); it is shown as found.")
        return {}, text


def _read_environment(path: Path, notes: list[str]) -> Mapping[str, object]:
    text = _read_text(path, notes)
    if text is None:
        return {}
    try:
        return _table(json.loads(text))
    except ValueError:
        notes.append("environment.json is damaged; the machine and the data are not shown.")
        return {}


def _read_evaluation(path: Path) -> Mapping[str, object]:
    """What `ganvas evaluate` wrote into the run's model file; empty where it did not, or there is no such file."""
    if not path.is_file():
        return {}
    from ganvas.model_file import read_header  # Here, since it needs torch, which a report does not.

    try:
        return read_header(path).evaluation
    except GanvasError:
        return {}


def _read_ticks(path: Path, notes: list[str]) -> tuple[Tick, ...]:
    text = _read_text(path, notes)
    lines = [line for line in (text or "").splitlines() if line.strip()]
    ticks: list[Tick] = []
    damaged: list[int] = []
    for index, line in enumerate(lines):
        tick = _parse_tick(line)
        if tick is None:
            damaged.append(index)
            continue
        # A killed and resumed run writes the ticks after its checkpoint again: the later line counts.
        while ticks and ticks[-1].images >= tick.images:
            ticks.pop()
        ticks.append(tick)
    if damaged == [len(lines) - 1]:
        notes.append("The last line of stats.jsonl was cut off, as by a kill while writing; it is left out.")
    elif damaged:
        lines_are = "line of stats.jsonl is" if len(damaged) == 1 else "lines of stats.jsonl are"
        notes.append(f"{len(damaged)} {lines_are} damaged and left out.")
    broken = sum(1 for tick in ticks if _has_nan(tick))
    if broken:
        notes.append(f"Values that are not a number in {broken:,} of {len(ticks):,} ticks: the curves have gaps there.")
    return tuple(ticks)


def _parse_tick(line: str) -> Tick | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    images = _number(found.get("images")) if isinstance(found, dict) else None
    if images is None or not math.isfinite(images) or images < 0:
        return None
    total = _number(found.get("total_images"))
    return Tick(
        images=int(images),
        total_images=int(total) if total is not None and math.isfinite(total) and total > 0 else None,
        seconds=_number(found.get("seconds")),
        images_per_second=_number(found.get("images_per_second")),
        accuracy_real=_number(found.get("accuracy_real")),
        accuracy_fake=_number(found.get("accuracy_fake")),
        peak_memory_mb=_number(found.get("peak_memory_mb")),
        losses=_numbers(found.get("losses")),
        gradient_norms=_numbers(found.get("gradient_norms")),
        metrics=_numbers(found.get("metrics")),
        signs=_numbers(found.get("signs")),
        warnings={name: item for name, item in _table(found.get("warnings")).items() if isinstance(item, str)},
        validation_share=_number(found.get("validation_share")),
        finished=found.get("finished") is True,
    )


def _latest(tables: Iterable[Mapping[str, float]]) -> dict[str, float]:
    latest: dict[str, float] = {}
    for table in tables:
        latest.update({name: value for name, value in table.items() if math.isfinite(value)})
    return latest


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else math.nan


def _numbers(value: object) -> Mapping[str, float]:
    found = {name: _number(item) for name, item in _table(value).items()}
    return {name: item for name, item in found.items() if item is not None}


def _table(value: object) -> Mapping[str, object]:
    return {str(key): item for key, item in value.items()} if isinstance(value, dict) else {}


def _has_nan(tick: Tick) -> bool:
    accuracies = (tick.accuracy_real, tick.accuracy_fake)
    single = (*accuracies, tick.seconds, tick.images_per_second, tick.peak_memory_mb)
    several = (*tick.losses.values(), *tick.gradient_norms.values(), *tick.metrics.values(), *tick.signs.values())
    return any(value is not None and math.isnan(value) for value in (*single, *several))


def _find_samples(folder: Path) -> tuple[SampleFile, ...]:
    if not folder.is_dir():
        return ()
    found = [SampleFile(int(path.stem), path) for path in folder.glob("*.png") if path.stem.isdecimal()]
    return tuple(sorted(found, key=lambda sample: sample.images))
