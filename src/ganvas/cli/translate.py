"""``ganvas translate``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ganvas.cli.progress import PLAIN_LINE_SECONDS
from ganvas.errors import UsageError

if TYPE_CHECKING:
    from ganvas.inference import Translated, Translations

NAMED = 5


def translate(
    model: Annotated[str, typer.Argument(help="A shipped model, a run folder, a .safetensors or .onnx file.")],
    pictures: Annotated[
        list[Path], typer.Argument(help="Pictures of any size and kind, and folders of them with their sub-folders.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="The folder for the results, apart from the pictures; files of the same name in it are replaced. Each "
            "has its picture's name and kind of file; what cannot be written well, as GIF, gets .png added."
        ),
    ] = Path("translated"),
    hints: Annotated[
        Path | None,
        typer.Option(help="A transparent picture of the same size with dabs of colour to keep to.", show_default=False),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="The class, by name or index, where the model takes one.", show_default=False)
    ] = None,
    variations: Annotated[
        int | None,
        typer.Option(
            help="Several different results: name-1.png, name-2.png, ... By dropout and noise, and where the model "
            "takes hints by dabs in other hues than it would choose.",
            show_default=False,
        ),
    ] = None,
    recolour: Annotated[
        bool, typer.Option("--recolour/--no-recolour", help="Of variations: with such dabs, or without.")
    ] = True,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="The same seed gives the same variations; default: 0.", show_default=False),
    ] = None,
    scale: Annotated[
        Literal["fit", "native"],
        typer.Option(
            help="fit: at the size of the training pictures, the result enlarged; best for most. native: at the "
            "picture's own size, in tiles when large; sharper, for pictures about as large as those of the training."
        ),
    ] = "fit",
    precision: Annotated[
        Literal["auto", "fp32", "bf16"],
        typer.Option(
            help="bf16: in half the bits, faster where the processor has units for it; pictures differ by a shade. "
            "auto: there."
        ),
    ] = "fp32",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Translate pictures with a trained model; a result has the size and the name of its picture.

    A picture that cannot be read is reported, and the rest goes on.

    Example: ganvas translate sketch2color drawing.png --out coloured
    """
    from ganvas.inference import Model

    if not recolour and variations is None:
        raise UsageError("--no-recolour changes nothing without --variations: add --variations N, or leave it out")
    if seed is not None and variations is None:
        raise UsageError("--seed changes nothing without --variations: add --variations N, or leave it out")
    translations = Model(model, device=device, precision=precision).translate_files(
        pictures, out, hints=hints, label=label, variations=variations, seed=seed or 0, scale=scale, recolour=recolour
    )
    if translations.left_out:
        _tell_left_out(translations.left_out)
    watched = _bar if sys.stderr.isatty() and len(translations) > 1 else _plain
    failed = 0
    for done in watched(translations):
        for path in done.written:
            typer.echo(path)
        if done.error is not None:
            failed += 1
            typer.echo(f"ganvas: {done.error}", err=True)
    if failed:
        if len(translations) > 1:
            typer.echo(f"ganvas: {failed:,} of {len(translations):,} pictures could not be translated", err=True)
        raise typer.Exit(1)


def _tell_left_out(paths: tuple[Path, ...]) -> None:
    named = ", ".join(f"'{path}'" for path in paths[:NAMED]) + (", ..." if len(paths) > NAMED else "")
    typer.echo(f"left out, as no pictures: {len(paths):,} ({named})", err=True)


def _plain(translations: Translations) -> Iterator[Translated]:
    shown = time.monotonic()
    for number, done in enumerate(translations, 1):
        yield done
        if number < len(translations) and time.monotonic() - shown > PLAIN_LINE_SECONDS:
            shown = time.monotonic()
            typer.echo(f"pictures {number:,}/{len(translations):,}", err=True)


def _bar(translations: Translations) -> Iterator[Translated]:
    """Shows how far it is; what is to be printed comes once the bar is gone, as both may be on one terminal."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    records = []
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            for done in progress.track(translations, description="translating"):
                records.append(done)
    finally:
        yield from records
