"""Folders of labelled pictures: ``root/<class name>/<picture>``, any size, grey or colour.

With ``root/train/<class name>/`` and ``root/test/<class name>/`` the split is the user's; otherwise a hash
of class and file name puts a tenth of the pictures into "test", so that adding pictures never moves one.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganvas.data.images import LabelledImages, Split
from ganvas.data.sidecar import SIDECARS, licence_of
from ganvas.errors import GanvasError
from ganvas.pictures import Pixels, fit, read_picture

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_SALT = "ganvas split 1"
_SYSTEM_FILES = ("thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Listed:
    """One picture file: its class index, its split, and its path."""

    path: Path
    label: int
    split: Split


@dataclass(frozen=True)
class Listing:
    """What a folder of class folders holds, before any picture is opened; sorted the same on every system."""

    root: Path
    class_names: tuple[str, ...]
    files: tuple[Listed, ...]
    strays: tuple[Path, ...]

    def of(self, split: Split) -> list[Listed]:
        """The files of one split."""
        return [file for file in self.files if file.split == split]


def natural_key(name: str) -> tuple[object, ...]:
    """Sort key that puts class "10" behind "9": digits compare as numbers, letters without case first."""
    parts = re.split(r"([0-9]+)", unicodedata.normalize("NFC", name))
    # The split puts numbers at the odd places, so that like is compared with like.
    return tuple(int(part) if at % 2 else part.casefold() for at, part in enumerate(parts)), name


def visible(folder: Path) -> list[Path]:
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    named = [entry for entry in entries if entry.name.lower() not in _SYSTEM_FILES]
    return sorted(named, key=lambda entry: unicodedata.normalize("NFC", entry.name))


def subfolders(folder: Path) -> list[Path]:
    return sorted((e for e in visible(folder) if e.is_dir()), key=lambda e: natural_key(e.name))


def _has_own_split(root: Path) -> bool:
    # A class that happens to be called "train" holds pictures, not folders.
    return (root / "train").is_dir() and bool(subfolders(root / "train"))


def class_folders(root: Path) -> list[Path]:
    """The folders of the training classes in the order of their labels; empty where there are none."""
    return subfolders(root / "train" if _has_own_split(root) else root)


def is_picture_name(path: Path) -> bool:
    """Whether the file's ending is one of the pictures ganvas reads."""
    return path.suffix.lower() in SUFFIXES


def hashed_split(class_name: str, file_name: str) -> Split:
    """The split of a picture, by its names alone: about one in ten is "test"."""
    # Some systems decompose accented letters in names; the split must not depend on it.
    key = unicodedata.normalize("NFC", f"{_SALT}/{class_name}/{file_name}")
    digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
    return "test" if int.from_bytes(digest[:8], "big") % 10 == 0 else "train"


def list_class_folders(root: Path) -> Listing:
    """List the pictures of every class without opening them.

    Raises:
        GanvasError: the folder cannot be read, or a class of ``test/`` is not in ``train/``.
    """
    try:
        return _list(root)
    except OSError as error:
        raise GanvasError(
            f"cannot read folder '{error.filename or root}': {error.strerror}; check its permissions."
        ) from error


def _list(root: Path) -> Listing:
    own_split = _has_own_split(root)
    classes = class_folders(root)
    names = tuple(unicodedata.normalize("NFC", folder.name) for folder in classes)
    tests = subfolders(root / "test") if own_split and (root / "test").is_dir() else []
    files: list[Listed] = []
    strays: list[Path] = []
    for label, folder in enumerate(classes):
        for path in visible(folder):
            if not (path.is_file() and is_picture_name(path)):
                strays.append(path)
                continue
            files.append(Listed(path, label, "train" if tests else hashed_split(names[label], path.name)))
    for folder in tests:
        name = unicodedata.normalize("NFC", folder.name)
        if name not in names:
            raise GanvasError(
                f"class '{name}' is in '{root / 'test'}' but not in '{root / 'train'}', expected the same "
                f"classes ({', '.join(names[:10])}); rename the folder or move it out."
            )
        for path in visible(folder):
            if path.is_file() and is_picture_name(path):
                files.append(Listed(path, names.index(name), "test"))
            else:
                strays.append(path)
    strays += [e for e in visible(root) if e.is_file() and e.name not in SIDECARS]
    if own_split:
        strays += [e for e in visible(root) if e.is_dir() and e.name not in ("train", "test")]
        parts = [root / name for name in ("train", "test") if (root / name).is_dir()]
        strays += [e for part in parts for e in visible(part) if e.is_file()]
    return Listing(root, names, tuple(files), tuple(strays))


def read_class_folders(root: Path, *, size: int, channels: int, split: Split) -> LabelledImages:
    """Read one split: images (N, size, size, channels), centre-cropped and resized.

    Raises:
        GanvasError: no class, a class or the split without a picture, or an unreadable picture.
    """
    listing = list_class_folders(root)
    files = listing.of(split)
    check_again = f"`ganvas data check {shlex.quote(str(root))}` lists everything at once"
    if split == "train":
        held = {file.label for file in files}
        for label, name in enumerate(listing.class_names):
            if label not in held:
                raise GanvasError(
                    f"class '{name}' in '{root}' has no picture to train on, expected at least one "
                    f"({', '.join(SUFFIXES)}); add pictures or remove the folder; {check_again}."
                )
    if not files:
        raise GanvasError(
            f"no {split} pictures in '{root}', expected at least one ({', '.join(SUFFIXES)}); add pictures, "
            f"or name the splits yourself with train/ and test/ folders; {check_again}."
        )

    def prepare(file: Listed) -> Pixels:
        try:
            return fit(read_picture(file.path), size, channels)
        except GanvasError as error:
            raise GanvasError(f"{error} {check_again}.") from error

    images = np.empty((len(files), size, size, channels), dtype=np.uint8)
    # Pillow decodes outside the interpreter's lock; map keeps the order and stops at the first failure.
    with ThreadPoolExecutor() as pool:
        for index, pixels in enumerate(pool.map(prepare, files)):
            images[index] = pixels
    return LabelledImages(
        images=images,
        labels=np.array([file.label for file in files], dtype=np.int64),
        class_names=listing.class_names,
        source=f"{root.resolve().name} ({split})",
        licence=licence_of(root) or "unknown",
    )
