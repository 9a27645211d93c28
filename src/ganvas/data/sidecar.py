"""The small texts that may lie beside data: ``classes.txt``, ``licence.txt`` and, beside pairs, ``layout.txt``."""

from __future__ import annotations

from pathlib import Path

from ganvas.errors import GanvasError

LICENCE_FILE, LAYOUT_FILE = "licence.txt", "layout.txt"
SIDECARS = ("classes.txt", LICENCE_FILE, LAYOUT_FILE)


def class_names_of(folder: Path) -> tuple[str, ...]:
    """The names in ``classes.txt``, one a line in the order of the labels; empty without the file.

    Raises:
        GanvasError: the file is not UTF-8 text or names a class twice.
    """
    names = _lines(folder / "classes.txt")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise GanvasError(
            f"'{folder / 'classes.txt'}' names class '{twice[0]}' twice, expected each name once; rename one."
        )
    return names


def licence_of(folder: Path) -> str:
    """The first line of ``licence.txt``; empty without the file.

    Raises:
        GanvasError: the file is not UTF-8 text.
    """
    return next(iter(_lines(folder / LICENCE_FILE)), "")


def layout_of(folder: Path) -> str:
    """The first line of ``layout.txt``, which says how pairs lie; empty without the file.

    Raises:
        GanvasError: the file is not UTF-8 text.
    """
    return next(iter(_lines(folder / LAYOUT_FILE)), "")


def _lines(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        return ()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise GanvasError(f"cannot read '{path}': {error}; write it as UTF-8 text.") from error
    return tuple(line.strip() for line in lines if line.strip())
