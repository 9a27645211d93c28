"""Progress records: one object a tick, the same in memory and as a line of stats.jsonl."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from ganvas.errors import GanvasError
from ganvas.files import atomic_write, cannot_write


@dataclass(frozen=True)
class Progress:
    """The state of a training run at one tick; losses and accuracies are means since the last tick.

    Attributes:
        seconds: of training so far, without what was measured, drawn and written.
        gradient_norms: of the step that ends the tick, by network; empty where a run was stopped within one.
        metrics: measured at this tick on data held out, or empty.
        signs: what the monitors look at beside losses, accuracies and metrics, where it was taken at this tick.
        warnings: by monitor, what it sees and what to try, in one line each.
        validation_share: share of the time so far, in [0, 1], that went into ``metrics`` and ``signs``.
        finished: whether training ends here, be it that all images were seen or that patience ran out.
    """

    images: int
    total_images: int
    seconds: float
    images_per_second: float
    losses: dict[str, float]
    accuracy_real: float | None
    accuracy_fake: float | None
    gradient_norms: dict[str, float]
    peak_memory_mb: float | None
    metrics: dict[str, float] = field(default_factory=dict)
    signs: dict[str, float] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)
    validation_share: float = 0.0
    finished: bool = False

    @classmethod
    def from_line(cls, line: Mapping[str, Any]) -> Self:
        """The record of a line of ``stats.jsonl``, of an earlier version too."""
        return cls(**{each.name: line[each.name] for each in fields(cls) if each.name in line})

    @property
    def seconds_left(self) -> float:
        """Estimate from the pace of the last tick."""
        return (self.total_images - self.images) / max(self.images_per_second, 1e-9)


class Averages:
    """Means of a step's named scalars over a tick, kept on the device until they are asked for."""

    def __init__(self) -> None:
        self._scalars: dict[str, list[tuple[int, Tensor]]] = {}
        self._steps = 0

    def add(self, scalars: dict[str, Tensor]) -> None:
        """Remember one step's scalars; penalties may be absent from some steps."""
        for name, value in scalars.items():
            self._scalars.setdefault(name, []).append((self._steps, value))
        self._steps += 1

    def read(self) -> tuple[dict[str, float], tuple[str, int] | None]:
        """Means by name, and the first scalar that is not finite as (name, its step within the tick), or None."""
        means: dict[str, float] = {}
        first: tuple[str, int] | None = None
        for name, values in self._scalars.items():
            # To the processor first: not every device has float64.
            column = torch.stack([value for _, value in values]).cpu().double()
            means[name] = float(column.mean())
            bad = (~column.isfinite()).nonzero()
            if len(bad) and (first is None or values[int(bad[0])][0] < first[1]):
                first = (name, values[int(bad[0])][0])
        self._scalars.clear()
        self._steps = 0
        return means, first


def append_stats(path: Path, progress: Progress) -> None:
    """Add one line to ``stats.jsonl``.

    Raises:
        GanvasError: the file cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(progress)) + "\n")
    except OSError as error:
        raise GanvasError(cannot_write(path, error)) from error


def read_stats(path: Path) -> list[dict[str, Any]]:
    """The lines of ``stats.jsonl``; a last line cut off by a kill is left out."""
    lines = []
    for text in path.read_text("utf-8").splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return lines


def drop_stats_after(path: Path, images: int) -> list[Progress]:
    """Remove what a killed run wrote after the checkpoint at ``images``, so that each tick stands there once.

    Returns the records that stay.
    """
    kept = [line for line in read_stats(path) if line["images"] <= images]
    atomic_write(path, "".join(json.dumps(line) + "\n" for line in kept).encode())
    return [Progress.from_line(line) for line in kept]


def peak_memory_mb(device: torch.device) -> float | None:
    """Most memory held so far: of the device, or of this process on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if sys.platform == "win32":
        return None  # the standard library cannot tell there
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def is_finite(values: dict[str, float]) -> bool:
    """Whether no value is NaN or infinite."""
    return all(math.isfinite(value) for value in values.values())
