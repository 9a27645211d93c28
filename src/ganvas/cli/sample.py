"""``ganvas sample``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ganvas.errors import UsageError

if TYPE_CHECKING:
    from ganvas.sample_files import Drawing

MOST = 1_000_000
WATCHED = 2_000


def sample(
    model: Annotated[str, typer.Argument(help="A shipped model, a run folder, a .safetensors or .onnx file.")],
    label: Annotated[
        list[str] | None, typer.Option(help="A class by name or index; repeatable. Default: all, in turn.")
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(help="Pictures in all, 1 to 1,000,000; columns of the other sheets.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same pictures.")] = 0,
    sheet: Annotated[
        Literal["grid", "same-noise", "interpolation"],
        typer.Option(help="Of a PNG: the pictures, one noise under all labels, or from one noise to another."),
    ] = "grid",
    out: Annotated[
        Path | None,
        typer.Option(help="FILE.png: a labelled sheet; FILE.npz: arrays; a folder: a PNG each.", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Draw pictures with a trained model.

    Example: ganvas sample digits-cgan --label 7 --count 20 --out sevens.png
    """
    if count is not None and not 1 <= count <= MOST:
        raise UsageError(f"--count {count}: expected 1 to {MOST:,}")
    from ganvas.inference import Model

    loaded = Model(model, device=device)
    path = out if out is not None else Path(f"{loaded.name}-samples.png")
    watch = _bar(count) if count is not None and count > WATCHED and sys.stderr.isatty() else None
    loaded.save(path, label or None, count=count, seed=seed, sheet=sheet, watch=watch)
    typer.echo(path)


def _bar(count: int) -> Callable[[Iterator[Drawing]], Iterator[Drawing]]:
    """Shows on stderr how many of ``count`` pictures are drawn."""

    def watched(drawings: Iterator[Drawing]) -> Iterator[Drawing]:
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("drawing", total=count)
            for drawing in drawings:
                yield drawing
                progress.advance(task, len(drawing.labels))

    return watched
