"""What a listing of pairs is made of, and walking through folders in the same order on every system."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from ganvas.data.decoding import PAIR_SUFFIXES, Half
from ganvas.data.findings import Problem, Severity
from ganvas.data.folders import natural_key, visible
from ganvas.data.pairs.images import PairSplit
from ganvas.data.sidecar import SIDECARS

Layout = Literal["side-by-side", "folders", "table", "pictures"]
SPLITS: tuple[PairSplit, ...] = get_args(PairSplit)
_SALT = "ganvas pairs 1"


@dataclass(frozen=True)
class Pair:
    """One pair: where its two sides lie, of which file perhaps a half; ``group`` names its class, or is empty."""

    name: str
    split: PairSplit
    group: str
    source: Path
    target: Path
    source_half: Half = "whole"
    target_half: Half = "whole"


@dataclass(frozen=True)
class PairListing:
    """What a folder or table of pairs holds.

    Attributes:
        root: the folder that names in messages are relative to.
        layout: how the pairs lie there; of "pictures" both sides of a pair are the same file, and one is drawn.
        pairs: in natural order, the splits one after the other.
        class_names: of all groups, in natural order; () without classes.
        problems: everything that is no pair and why.
        guessed: whether nothing but the shapes of the pictures told the layout.
    """

    root: Path
    layout: Layout
    pairs: tuple[Pair, ...]
    class_names: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    guessed: bool = False

    def of(self, split: PairSplit) -> list[Pair]:
        """The pairs of one split."""
        return [pair for pair in self.pairs if pair.split == split]


@dataclass
class Findings:
    """The pairs and problems gathered so far."""

    root: Path
    pairs: list[Pair] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add(self, severity: Severity, path: Path | str, what: str, remedy: str) -> None:
        """Note a problem of a file."""
        self.problems.append(Problem(severity, self.shown(path), what, remedy))

    def shown(self, path: Path | str) -> str:
        """The path as people see it: relative to the root where it lies there."""
        if isinstance(path, Path) and path.is_relative_to(self.root) and path != self.root:
            return path.relative_to(self.root).as_posix()
        return str(path)


def path_key(name: str) -> tuple[object, ...]:
    """Natural order of relative paths, folder by folder."""
    return tuple(natural_key(part) for part in name.split("/"))


def held_out(name: str, share: float) -> PairSplit:
    """The split of a pair by its name alone: about ``share`` of all names are "test"; a larger share only adds."""
    # Some systems decompose accented letters in names; the split must not depend on it.
    key = unicodedata.normalize("NFC", f"{_SALT}/{name}")
    digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
    return "test" if int.from_bytes(digest[:8], "big") < share * 2**64 else "train"


def is_picture(path: Path) -> bool:
    """Whether it is a file with the ending of a picture or an array that ganvas reads."""
    return path.suffix.lower() in PAIR_SUFFIXES and path.is_file()


def holds_pictures(folder: Path, *, deep: bool = True) -> bool:
    """Whether pictures lie in the folder, or (deep) in its sub-folders."""
    return any(True for _ in (pictures_in(folder) if deep else filter(is_picture, visible(folder))))


def pictures_in(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """All pictures in a folder and its sub-folders; a link back to a folder above is not followed."""
    here = folder.resolve()
    if here in above:
        return
    for entry in visible(folder):
        if entry.is_dir():
            yield from pictures_in(entry, (*above, here))
        elif is_picture(entry):
            yield entry


def strays_in(folder: Path, read: set[Path], above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """All files in a folder and its sub-folders that are not among ``read`` nor the texts beside data."""
    here = folder.resolve()
    for entry in visible(folder) if here not in above else ():
        if entry.is_dir():
            yield from strays_in(entry, read, (*above, here))
        elif entry not in read and entry.name.lower() not in SIDECARS:
            yield entry
