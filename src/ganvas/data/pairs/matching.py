"""Matching two folders of pictures: by name, by stem, or as ``<n>_A`` and ``<n>_B``."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from ganvas.data.pairs.images import PairSplit
from ganvas.data.pairs.listed import Findings, path_key, pictures_in, strays_in

Named = tuple[PairSplit | None, str, Path]


def match_sides(left: Path, right: Path, found: Findings) -> Iterator[tuple[str, Path, Path]]:
    """(name, left picture, right picture) in natural order; what has no partner goes to ``found`` as an error."""
    names = [_names(folder, found) for folder in (left, right)]
    common = {name for name, _ in names[0]} & {name for name, _ in names[1]}
    sides = [_by_stem(listed, mark, common) for listed, mark in zip(names, ("_a", "_b"), strict=True)]
    for name in sorted(sides[0].keys() | sides[1].keys(), key=path_key):
        a, b = (side.get(name, []) for side in sides)
        if len(a) == len(b) == 1:
            yield name, a[0], b[0]
            continue
        # Several of one stem: 1.png and 1.jpg. Whole names decide then.
        whole = {path.name: path for path in b}
        alone = [path for path in a if path.name not in whole]
        for path in a:
            if path.name in whole:
                yield name, path, whole.pop(path.name)
        for path, other in [*((path, right) for path in alone), *((path, left) for path in whole.values())]:
            partners = b if other == right else a
            where = f"in '{found.shown(other)}'"
            what = f"has several partners {where}" if len(partners) > 1 else f"has no partner {where}"
            found.add("error", path, what, "add the missing picture under the same name, or delete this one")


def match_marks(files: list[Named], found: Findings) -> list[tuple[PairSplit | None, str, Path, Path]]:
    """(split, name, left picture, right picture) of pictures ``<n>_A`` and ``<n>_B`` that lie in one folder.

    Empty unless most pictures are of such a pair; then what has no partner goes to ``found`` as an error.
    """
    sides: dict[tuple[PairSplit | None, str], dict[str, Path]] = defaultdict(dict)
    alone: list[Path] = []
    for split, name, path in files:
        mark = name[-2:].lower()
        if mark not in ("_a", "_b") or sides[split, name[:-2]].setdefault(mark, path) != path:
            alone.append(path)
    pairs = [(split, name, marks["_a"], marks["_b"]) for (split, name), marks in sides.items() if len(marks) == 2]
    if 4 * len(pairs) <= len(files):
        return []
    alone += [path for marks in sides.values() if len(marks) == 1 for path in marks.values()]
    for path in alone:
        what = "has no partner (of 1_A and 1_B) of its own"
        found.add("error", path, what, "add the missing picture, or move this one out")
    return pairs


def _names(folder: Path, found: Findings) -> list[tuple[str, Path]]:
    """Pictures by their path in the folder without ending."""
    files = list(pictures_in(folder))
    for stray in strays_in(folder, set(files)):
        found.add("warning", stray, "no picture, not read", "move it out, or convert it to PNG or JPEG")
    bare = [path.relative_to(folder).with_suffix("").as_posix() for path in files]
    return [(unicodedata.normalize("NFC", name), path) for name, path in zip(bare, files, strict=True)]


def _by_stem(listed: list[tuple[str, Path]], mark: str, common: set[str]) -> dict[str, list[Path]]:
    """The same without ``_A`` or ``_B`` at the end of names that the other folder has not as they are."""
    stems: dict[str, list[Path]] = defaultdict(list)
    for name, path in listed:
        marked = name.lower().endswith(mark) and name not in common
        stems[name[: -len(mark)] if marked else name].append(path)
    return stems
