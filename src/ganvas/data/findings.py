"""What a check of data finds: problems, and the report that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Problem:
    """One finding: "error" stops training, "warning" spoils it, "note" is good to know."""

    severity: Severity
    file: str
    what: str
    remedy: str


@dataclass
class CheckReport:
    """What a check found.

    Attributes:
        path: the folder or table, or "embedded digits".
        kind: "embedded digits", "idx", "class folders", or "pairs: " and their layout.
        counts: pictures or pairs by class name (pairs without classes: under "pairs"), then by split.
        sizes: pictures by "width x height" as they are on disk.
        problems: all findings, errors first.
    """

    path: str
    kind: str
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether training on this data can start."""
        return not any(problem.severity == "error" for problem in self.problems)

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {"ok": self.ok, **asdict(self)}

    def add(self, severity: Severity, file: Path | str, what: str, remedy: str) -> None:
        """Note a finding."""
        self.problems.append(Problem(severity, str(file), what, remedy))

    def sort(self) -> None:
        """Errors first, then warnings, then notes; each kind in the order they were found."""
        self.problems.sort(key=lambda problem: SEVERITIES.index(problem.severity))


@dataclass(frozen=True)
class Seen:
    """One readable picture or pair: where it lies and a digest of its pixels."""

    file: str
    label: int
    split: str
    digest: bytes


def add_duplicates(seen: Sequence[Seen], names: Sequence[str], report: CheckReport, *, of: str = "picture") -> None:
    """Report what was seen before: worst in another class, bad in another split, else good to know."""
    first: dict[bytes, Seen] = {}
    for one in seen:
        other = first.setdefault(one.digest, one)
        if other is one:
            continue
        same = f"the same {of} as {other.file}"
        if other.label != one.label:
            classes = f"class '{names[other.label]}' there, '{names[one.label]}' here"
            report.add("warning", one.file, f"{same}, {classes}", "delete the wrong one")
        elif other.split != one.split:
            report.add("warning", one.file, f"{same}, in the other split", "delete one: tests on it prove nothing")
        else:
            report.add("note", one.file, same, "delete one, or keep it to count twice")
