"""Which pairs there are, in every layout, before any picture is decoded; the same order on every system."""

from __future__ import annotations

import shlex
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from ganvas.config import PairData
from ganvas.data.decoding import Half, size_of
from ganvas.data.folders import natural_key, subfolders, visible
from ganvas.data.pairs.images import PairSplit
from ganvas.data.pairs.listed import (
    SPLITS,
    Findings,
    Layout,
    Pair,
    PairListing,
    held_out,
    holds_pictures,
    is_picture,
    path_key,
    pictures_in,
    strays_in,
)
from ganvas.data.pairs.matching import Named, match_marks, match_sides
from ganvas.data.pairs.table import list_table
from ganvas.data.sidecar import LAYOUT_FILE, SIDECARS, layout_of
from ganvas.errors import GanvasError, UsageError

TABLE_NAME = "pairs.csv"
_SIDES = (("a", "b"), ("source", "target"))
_MOST_LEVELS = 3
_LOOKED_AT = 32


@dataclass(frozen=True)
class _Sides:
    """A way to read a folder as two sides: left and right folder of each split (None: by a hash of the name)."""

    title: str
    folders: tuple[tuple[PairSplit | None, Path, Path], ...]


def list_pairs(path: Path, settings: PairData) -> PairListing:
    """List all pairs of a folder or a CSV file without decoding them.

    Args:
        path: a folder, or a CSV file with the columns source and target (also split and label).
        settings: layout, direction, labels and test_share are used; of layout "auto" a ``layout.txt`` in the folder
            decides, or else what lies there.

    Raises:
        GanvasError: nothing there, no pairs, or none of the layouts; the message says what was found.
        UsageError: data.labels asks for what the layout has not.
    """
    try:
        return _list(path, settings)
    except OSError as error:
        raise GanvasError(
            f"cannot read folder '{error.filename or path}': {error.strerror or error}; check its permissions."
        ) from error


def _list(path: Path, settings: PairData) -> PairListing:
    if not path.exists():
        raise GanvasError(f"no pairs at '{path}': nothing is there, expected a folder or a CSV file; check the path.")
    root = path if path.is_file() else _descended(path)
    settings = _with_layout_told(root, settings)
    table = root if root.is_file() else root / TABLE_NAME
    is_table = table.is_file() and table.suffix.lower() == ".csv"
    layout: Layout
    if settings.layout == "table" or (settings.layout == "auto" and is_table):
        layout, found = "table", Findings(table.parent)
        list_table(table, settings, found)
    elif path.is_file():
        raise GanvasError(f"no pairs at '{path}': found a file, expected a folder or a CSV file of pairs.")
    else:
        found = Findings(root)
        sides = _chosen_sides(root) if settings.layout in ("auto", "folders") else None
        if sides is not None:
            layout = "folders"
            _list_sides(root, sides, settings, found)
        else:
            layout = _list_alone(root, settings, found)
    if not found.pairs and not any(problem.severity == "error" for problem in found.problems):
        raise _nothing(found.root, "pairs of pictures")
    _check_labels(layout, settings, found)
    pairs = sorted(found.pairs, key=lambda pair: (SPLITS.index(pair.split), path_key(pair.name)))
    names = sorted({pair.group for pair in pairs if pair.group}, key=natural_key)
    return PairListing(found.root, layout, tuple(pairs), tuple(names), tuple(found.problems), settings.layout == "auto")


def looks_like_pairs(path: Path) -> bool:
    """Whether a folder can only be meant as pairs, not as one folder of pictures a class."""
    if path.is_file():
        return path.suffix.lower() == ".csv"
    if holds_pictures(path, deep=False) and not subfolders(path):
        return True
    root = _descended(path)
    if (root / TABLE_NAME).is_file() or (root / LAYOUT_FILE).is_file():
        return True
    folders = subfolders(root)
    candidates = _candidates(root)
    if candidates:
        used = {folder for sides in candidates for _, *both in sides.folders for folder in both}
        tops = {root / folder.relative_to(root).parts[0] for folder in used}
        # A and B among C, D, E are letters to learn.
        return tops >= {folder for folder in folders if folder.name.casefold() not in SPLITS}
    named = [folder for folder in folders if folder.name.casefold() in SPLITS]
    # Folders within them are classes.
    return any(holds_pictures(folder, deep=False) for folder in named) and not any(map(subfolders, named))


def check_command(path: Path, settings: PairData) -> str:
    """The command that lists everything wrong with these pairs, read as ``settings`` say."""
    words = ["ganvas", "data", "check", str(path)]
    for key in (
        "layout",
        "direction",
        "fit",
        "resize",
        "background",
        "source",
        "target",
        "palette",
        "ignore",
        "labels",
        "source_channels",
        "target_channels",
        "sketch",
        "test_share",
    ):
        value = getattr(settings, key)
        if value != PairData.model_fields[key].default:
            words += [f"--{key.replace('_', '-')}", str(value)]
    return f"`{shlex.join(words)}` lists everything at once"


def unpacked(path: Path) -> list[Path]:
    """The folder, and within it the single folder of an unpacked archive, and so on."""
    chain = [path]
    while len(chain) <= _MOST_LEVELS and not holds_pictures(chain[-1], deep=False):
        folders = subfolders(chain[-1])
        if len(folders) != 1:
            break
        chain += folders
    return chain


def _descended(path: Path) -> Path:
    """Where splits, two sides, a table or a ``layout.txt`` lie.

    Without any of them the folder itself: pairs that follow from their names alone must keep them when a second
    folder comes.
    """
    return next((root for root in unpacked(path) if _tells_layout(root)), path)


def _tells_layout(root: Path) -> bool:
    if (root / TABLE_NAME).is_file() or (root / LAYOUT_FILE).is_file() or _candidates(root):
        return True
    return any(folder.name.casefold() in SPLITS and holds_pictures(folder) for folder in subfolders(root))


def _with_layout_told(root: Path, settings: PairData) -> PairData:
    told = layout_of(root)
    if settings.layout != "auto" or not told:
        return settings
    if told not in get_args(Layout):
        raise GanvasError(
            f"'{root / LAYOUT_FILE}' says '{told}', expected {', '.join(get_args(Layout))}; correct or delete it."
        )
    return settings.model_copy(update={"layout": told})


def _by_name(folders: list[Path]) -> dict[str, Path]:
    return {folder.name.casefold(): folder for folder in folders}


def _candidates(root: Path) -> list[_Sides]:
    named = _by_name(subfolders(root))
    found: list[_Sides] = []
    for left, right in _SIDES:
        if left in named and right in named:
            inner = [_by_name(subfolders(named[side])) for side in (left, right)]
            both = [split for split in SPLITS if split in inner[0] and split in inner[1]]
            split_folders = tuple((split, inner[0][split], inner[1][split]) for split in both)
            found.append(_Sides(f"{left}/ {right}/", split_folders or ((None, named[left], named[right]),)))
    for left, right in (("{}a", "{}b"), ("{}", "{}annot")):
        pairs = [(split, left.format(split), right.format(split)) for split in SPLITS]
        there = tuple((split, named[a], named[b]) for split, a, b in pairs if a in named and b in named)
        if there:
            found.append(_Sides(f"{pairs[0][1]}/ {pairs[0][2]}/", there))
    for left, right in _SIDES:
        inside = {split: _by_name(subfolders(named[split])) for split in SPLITS if split in named}
        within = tuple((split, n[left], n[right]) for split, n in inside.items() if left in n and right in n)
        if within:
            found.append(_Sides(f"train/{left}/ train/{right}/", within))
    return found


def _chosen_sides(root: Path) -> _Sides | None:
    found = _candidates(root)
    if len(found) > 1:
        titles = " and ".join(sides.title for sides in found)
        raise GanvasError(
            f"'{root}' holds pairs of folders in several ways ({titles}), expected one; move the others out."
        )
    return found[0] if found else None


def _list_sides(root: Path, sides: _Sides, settings: PairData, found: Findings) -> None:
    used = [folder for _, *both in sides.folders for folder in both]
    # A training split alone is no decision about what is held out.
    decided = {split for split, _, _ in sides.folders} - {"train", None}
    for split, left, right in sides.folders:
        for name, a, b in match_sides(left, right, found):
            own = split if split and decided else held_out(name, settings.test_share)
            source, target = (a, b) if settings.direction == "left-to-right" else (b, a)
            found.pairs.append(Pair(name, own, _group(name, settings), source, target))
    for entry in visible(root):
        inside = any(folder == entry or folder.is_relative_to(entry) for folder in used)
        if entry.name.lower() not in SIDECARS and not inside:
            half_there = entry.is_dir() and holds_pictures(entry)
            what = "a folder of pictures without its other side" if half_there else "belongs to no pair, not read"
            found.add("error" if half_there else "warning", entry, what, "add what is missing, or move it out")
        elif inside and entry not in used:
            for stray in (each for each in visible(entry) if each not in used):
                found.add("warning", stray, "belongs to no pair, not read", "move it out")


def _list_alone(root: Path, settings: PairData, found: Findings) -> Layout:
    """Pictures that are a pair each: two sides in one file, or a picture whose sketch is drawn."""
    named = _by_name(subfolders(root))
    own = {split: named[split] for split in SPLITS if split in named and holds_pictures(named[split])}
    decided = bool(own.keys() - {"train"})
    files: list[Named] = []
    for split, folder in own.items() if own else [(None, root)]:
        listed = sorted(pictures_in(folder), key=lambda path: path_key(path.relative_to(folder).as_posix()))
        names = [path.relative_to(folder).with_suffix("").as_posix() for path in listed]
        files += [(split if decided else None, name, path) for name, path in zip(names, listed, strict=True)]
    if not files:
        raise _nothing(root, "pictures side by side, two folders, or a table pairs.csv")
    chosen: Layout
    couples = match_marks(files, found) if settings.layout in ("auto", "folders") else []
    if couples:
        chosen = "folders"
    elif settings.layout == "folders":
        raise _nothing(root, "two folders of pictures")
    elif settings.layout in ("side-by-side", "pictures"):
        chosen = settings.layout
    else:
        chosen = _side_by_side_or_alone(root, [path for _, _, path in files], settings)
    left_right: tuple[Half, Half] = ("left", "right") if chosen == "side-by-side" else ("whole", "whole")
    halves = left_right if settings.direction == "left-to-right" else left_right[::-1]
    for split, name, left, right in couples or [(split, name, path, path) for split, name, path in files]:
        where = split or held_out(name, settings.test_share)
        source, target = (left, right) if settings.direction == "left-to-right" else (right, left)
        found.pairs.append(Pair(name, where, _group(name, settings), source, target, *halves))
    read = {path for _, _, path in files}
    for stray in strays_in(root, read):
        what = "a picture outside train/, val/ and test/, not read" if is_picture(stray) else "no picture, not read"
        found.add("warning", stray, what, "move it out, or convert it to PNG or JPEG")
    return chosen


def _side_by_side_or_alone(root: Path, files: list[Path], settings: PairData) -> Layout:
    step = -(-len(files) // _LOOKED_AT)
    wide, others = 0, []
    for path in files[::step]:
        try:
            width, height = size_of(path)
        except GanvasError:
            continue  # It is reported where the pictures are read.
        if abs(width - 2 * height) <= 0.02 * width:
            wide += 1
        else:
            others.append(f"'{path.relative_to(root).as_posix()}' {width} x {height}")
    if wide and not others:
        return "side-by-side"
    if wide:
        raise GanvasError(
            f"'{root}' holds pictures twice as wide as high and others ({len(others)} of {wide + len(others)} looked "
            f"at, first {others[0]}), expected one kind; say side-by-side or pictures in data.layout (--layout)."
        )
    if others and "labels" in (settings.source, settings.target):
        raise GanvasError(
            f"'{root}' holds single pictures (first {others[0]}), expected pairs with label maps: side by side and "
            "twice as wide as high, or in two folders; say side-by-side in data.layout (--layout) if they are."
        )
    return "pictures" if others else "side-by-side"


def _group(name: str, settings: PairData) -> str:
    return unicodedata.normalize("NFC", name.split("/")[0]) if settings.labels == "folder" and "/" in name else ""


def _check_labels(layout: Layout, settings: PairData, found: Findings) -> None:
    if settings.labels == "group" and layout != "table":
        raise UsageError(
            f"data.labels (--labels) is group, which a table of pairs has, but '{found.root}' holds the layout "
            f"{layout}; say folder, or write a pairs.csv with a column label."
        )
    if settings.labels == "folder" and layout == "table":
        raise UsageError(f"data.labels (--labels) is folder, but '{found.root}' holds a table; say group.")
    if settings.labels == "folder":
        for pair in found.pairs:
            if not pair.group:
                what = "has no class: it lies in no sub-folder"
                found.add("error", pair.source, what, "put it into the folder of its class")


def _nothing(root: Path, wanted: str) -> GanvasError:
    names = [entry.name + "/" * entry.is_dir() for entry in visible(root)]
    there = f"found {', '.join(names[:6])}{', ...' if len(names) > 6 else ''}" if names else "the folder is empty"
    return GanvasError(
        f"no {wanted} in '{root}': {there}; expected train/ val/ test/ or one folder of side-by-side pictures, "
        "A/ B/ or trainA/ trainB/, train/ trainannot/, a table pairs.csv (source,target), or colour pictures alone."
    )
