"""``ganvas data pairs``: make pairs to train on from colour pictures alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from ganvas.data.preparation import Preparation
    from ganvas.data.sketches import Method
    from ganvas.pictures import Pixels

_LINE_EVERY = 100
_MOST_SKIPPED_NAMED = 20


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
    background: Annotated[
        str, typer.Option(help="Colour laid under transparent pictures: a name or #rrggbb.")
    ] = "white",
) -> None:
    """Draw a sketch of every picture and write both as a pair: sketch left, picture right.

    Sub-folders such as train and test stay, and so does a licence.txt; layout.txt says how the pairs lie. A picture
    that cannot be read is reported, the rest goes on; exit 1 then.

    Example: ganvas data pairs pictures/ --out pairs/
    """
    from ganvas.data.decoding import PAIR_SUFFIXES
    from ganvas.data.pairs.listed import path_key, pictures_in, strays_in
    from ganvas.data.preparation import Preparation
    from ganvas.data.sidecar import LAYOUT_FILE, LICENCE_FILE
    from ganvas.errors import GanvasError, UsageError
    from ganvas.files import atomic_write

    _check_apart(pictures, out)
    try:
        preparation = Preparation(resize="lanczos", background=background)
    except ValueError as error:
        raise UsageError(f"--background is '{background}', expected a colour's name or #rrggbb.") from error
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
    _check_out(
        out, {out / side / target for target in targets for side in (("A", "B") if layout == "folders" else ("",))}
    )
    skipped = list(strays_in(pictures, set(files)))
    # What has a picture's name and is no file is a link that leads nowhere.
    dangling = [path for path in skipped if path.suffix.lower() in PAIR_SUFFIXES]
    others = [path for path in skipped if path not in dangling]
    for path in dangling:
        typer.echo(f"ganvas: '{path}' is a link that leads nowhere.", err=True)
    for path in others[:_MOST_SKIPPED_NAMED]:
        typer.echo(f"ganvas: skipped '{path}': no picture that ganvas reads.", err=True)
    if len(others) > _MOST_SKIPPED_NAMED:
        typer.echo(f"ganvas: skipped {len(others) - _MOST_SKIPPED_NAMED:,} more that are no pictures.", err=True)
    # First, so that pairs are read rightly also where the rest never comes.
    atomic_write(out / LAYOUT_FILE, f"{layout}\n".encode())
    if (pictures / LICENCE_FILE).is_file():
        atomic_write(out / LICENCE_FILE, (pictures / LICENCE_FILE).read_bytes())
    failures = _show(_draw(files, targets, out, method, size, layout == "folders", preparation), len(files))
    failures += len(dangling)
    typer.echo(str(out))
    if failures:
        total = len(files) + len(dangling)
        raise GanvasError(f"{failures:,} of {total:,} pictures could not be read, they are named above.")


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


def _check_out(out: Path, written: set[Path]) -> None:
    """Refuse a folder with files that are not of these pairs: they would be read as pairs too."""
    from ganvas.data.pairs.listed import strays_in
    from ganvas.errors import UsageError

    if out.exists() and not out.is_dir():
        raise UsageError(f"--out '{out}' is a file, expected a new or empty folder; choose another.")
    foreign = list(strays_in(out, written)) if out.is_dir() else []
    if foreign:
        raise UsageError(
            f"--out '{out}' holds {len(foreign):,} files that are not of these pairs (first '{foreign[0]}'), expected "
            "a new or empty folder, or the same pairs in the same layout; choose another or empty it."
        )


def _draw(
    files: list[Path],
    targets: list[Path],
    out: Path,
    method: Method,
    size: int | None,
    folders: bool,
    preparation: Preparation,
) -> Iterator[_Done]:
    import numpy as np

    from ganvas.data.sketches import draw_sketch
    from ganvas.errors import GanvasError
    from ganvas.pictures import save_png, to_pil

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
