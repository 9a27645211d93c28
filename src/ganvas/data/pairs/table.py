"""A CSV of pairs: source,target[,split][,label], with paths relative to the file."""

from __future__ import annotations

import csv
from pathlib import Path, PurePosixPath

from ganvas.config import PairData
from ganvas.data.pairs.listed import SPLITS, Findings, Pair, held_out
from ganvas.errors import GanvasError


def list_table(table: Path, settings: PairData, found: Findings) -> None:
    """Add the table's pairs to ``found``; without a split a row's place is decided by a hash of its source's name.

    Raises:
        GanvasError: the file cannot be read, or lacks the columns.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True)
            columns = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            wanted = ["source", "target", *(["label"] if settings.labels == "group" else [])]
            missing = [name for name in wanted if name not in columns]
            if missing:
                raise GanvasError(
                    f"table '{table}' has no column {missing[0]} (found {','.join(columns) or 'nothing'}), expected "
                    "source,target and perhaps split,label, separated by commas; mend its first line."
                )
            for row in reader:
                _add_row(table, reader.line_num, {k: (v or "").strip() for k, v in row.items() if k}, settings, found)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise GanvasError(f"cannot read table '{table}': {reason}; write it as CSV in UTF-8.") from error


def _add_row(table: Path, line: int, row: dict[str, str], settings: PairData, found: Findings) -> None:
    where = f"{table.name}, line {line}"
    left, right = (row.get(side, "").replace("\\", "/") for side in ("source", "target"))
    if not left and not right:
        return
    if not left or not right:
        found.add("error", where, f"has no {'target' if left else 'source'}", "fill it in or delete the line")
        return
    absent = next((name for name in (left, right) if not (table.parent / name).is_file()), None)
    if absent is not None:
        found.add("error", where, f"names '{absent}', which is not there", "correct it, or add the file")
        return
    split = row.get("split", "")
    name = PurePosixPath(left).with_suffix("").as_posix()
    if split and split not in SPLITS:
        found.add("error", where, f"has split '{split}', expected {', '.join(SPLITS)} or nothing", "correct the line")
        return
    group = row.get("label", "") if settings.labels == "group" else ""
    if settings.labels == "group" and not group:
        found.add("error", where, "has no label", "fill it in or delete the line")
        return
    chosen = split if split else held_out(name, settings.test_share)
    source, target = (table.parent / side for side in (left, right))
    if settings.direction == "right-to-left":
        source, target = target, source
    found.pairs.append(Pair(name, chosen, group, source, target))
