"""``ganvas data pairs``: make pairs to train on from colour pictures alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from ganvas.data.sketches import Method
    from ganvas.pictures import Pixels

_LINE_EVERY = 100


@dataclass(frozen=True)
class _Done:
    """One picture drawn, or the line that says why it was not."""

    number: int
    failure: str = ""


def pairs(
    pictures: Annotated[Path, typer.Argument(metavar="PICTURES", help="Folder of colour pictures.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write the pairs to.")],
    method: Annotated[
        Literal["xdog", "gradient", "luminance"], typer.Option(help="How the sketch is drawn; luminance: in grey.")
    ] = "xdog",
    size: Annotated[
        int | None, typer.Option(min=8, max=8192, help="Shorter side in pixels; without it the picture's own.")
    ] = None,
    layout: Annotated[
        Literal["side-by-side", "folders"],
        typer.Option(help="One file with both sides, or the folders A (sketches) and B (pictures)."),
    ] = "side-by-side",
) -> None:
    """Draw a sketch of every picture and write both as a pair: sketch left, picture right.

    Sub-folders such as train and test stay. A picture that cannot be read is reported, the rest goes on; exit 1 then.

    Example: ganvas data pairs pictures/ --out pairs/
    """
    from ganvas.data.pairs.listed import path_key, pictures_in
    from ganvas.errors import GanvasError, UsageError

    _check_apart(pictures, out)
    files = sorted(pictures_in(pictures), key=lambda file: path_key(file.relative_to(pictures).as_posix()))
    if not files:
        raise GanvasError(f"no pictures in '{pictures}', expected at least one (.png, .jpg, ...); add pictures.")
    targets = [file.relative_to(pictures).with_suffix(".png") for file in files]
    taken: dict[Path, Path] = {}
    for file, target in zip(files, targets, strict=True):
        # Some systems take a.png and A.png for one file.
        first = taken.setdefault(Path(target.as_posix().casefold()), file)
        if first != file:
            raise UsageError(f"'{first}' and '{file}' would both be written as '{target}'; rename one of them.")
    failures = _show(_draw(files, targets, out, method, size, layout == "folders"), len(files))
    typer.echo(str(out))
    if failures:
        raise GanvasError(f"{failures:,} of {len(files):,} pictures could not be read, they are named above.")


def _check_apart(pictures: Path, out: Path) -> None:
    from ganvas.errors import UsageError

    if not pictures.is_dir():
        raise UsageError(f"'{pictures}' is not a folder; expected a folder of colour pictures.")
    source, target = pictures.resolve(), out.resolve()
    if source.is_relative_to(target) or target.is_relative_to(source):
        raise UsageError(
            f"--out '{out}' and the pictures '{pictures}' lie within one another, which would mix pairs with "
            "pictures; choose a folder beside it."
        )


def _draw(
    files: list[Path], targets: list[Path], out: Path, method: Method, size: int | None, folders: bool
) -> Iterator[_Done]:
    import numpy as np

    from ganvas.data.preparation import Preparation
    from ganvas.data.sketches import draw_sketch
    from ganvas.errors import GanvasError
    from ganvas.pictures import save_png, to_pil

    preparation = Preparation(resize="lanczos")
    for number, (file, target) in enumerate(zip(files, targets, strict=True), 1):
        try:
            picture = preparation.read(file)
        except GanvasError as error:
            yield _Done(number, str(error))
            continue
        if size is not None:
            picture = preparation.resized(picture, *_scaled(picture, size))
        sketch: Pixels = np.repeat(draw_sketch(picture, method), 3, axis=2)
        if folders:
            save_png(to_pil(sketch), out / "A" / target)
            save_png(to_pil(picture), out / "B" / target)
        else:
            save_png(to_pil(np.concatenate((sketch, picture), axis=1)), out / target)
        yield _Done(number)


def _scaled(picture: Pixels, shorter: int) -> tuple[int, int]:
    """Height and width with a shorter side of so many pixels, in proportion."""
    factor = shorter / min(picture.shape[:2])
    return round(picture.shape[0] * factor), round(picture.shape[1] * factor)


def _show(records: Iterator[_Done], total: int) -> int:
    """Show how far it is; returns how many failed."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    failures = 0
    if not sys.stderr.isatty():
        for record in records:
            failures += _reported(record)
            if record.number % _LINE_EVERY == 0 or record.number == total:
                typer.echo(f"pictures {record.number:,}/{total:,}", err=True)
        return failures
    columns = (TextColumn("drawing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total)
        for record in records:
            failures += _reported(record)
            bar.update(task, completed=record.number)
    return failures


def _reported(record: _Done) -> bool:
    if record.failure:
        typer.echo(f"ganvas: {record.failure}", err=True)
    return bool(record.failure)
