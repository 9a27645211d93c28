"""The lines of stats.jsonl as a page gets them, all at once and as they come."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

MOST = 2_000


def _finite(value: Any) -> Any:
    """JSON has no NaN: what is not finite is a gap in a curve."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_finite)]


class StatsRecord(BaseModel):
    """A tick of a run; means since the tick before. Later versions may write more."""

    model_config = ConfigDict(extra="allow")

    images: int
    total_images: int
    seconds: Number = None
    images_per_second: Number = None
    losses: dict[str, Number] = {}
    accuracy_real: Number = None
    accuracy_fake: Number = None
    gradient_norms: dict[str, Number] = {}
    peak_memory_mb: Number = None
    metrics: dict[str, Number] = {}


class StatsTail:
    """Reads what was added to a file since it was last asked; a file that was replaced is read anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: tuple[int, int] | None = None
        self._offset = 0

    def read(self) -> list[StatsRecord]:
        """New whole lines; those that are damaged are left out. No file is an empty one."""
        try:
            with self._path.open("rb") as file:
                found = self._path.stat()
                if (found.st_dev, found.st_ino) != self._file or found.st_size < self._offset:
                    self._file, self._offset = (found.st_dev, found.st_ino), 0
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return [record for line in whole.splitlines() if (record := _record(line)) is not None]


def all_records(path: Path) -> list[StatsRecord]:
    """Every tick, in order; of thousands those with metrics and an even choice of the others, also the last."""
    records: list[StatsRecord] = []
    for record in StatsTail(path).read():
        # A killed and resumed run writes the ticks after its checkpoint again: the later line counts.
        while records and records[-1].images >= record.images:
            records.pop()
        records.append(record)
    step = -(-len(records) // MOST)
    last = len(records) - 1
    return [record for place, record in enumerate(records) if record.metrics or (last - place) % max(1, step) == 0]


def _record(line: bytes) -> StatsRecord | None:
    try:
        # Python's own JSON writer, which stats are written with, knows NaN; pydantic's parser does too.
        return StatsRecord.model_validate_json(line)
    except ValidationError:
        return None
