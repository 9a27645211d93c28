"""``ganvas train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe (see `ganvas recipes`) or a TOML file.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of IDX files, of class folders or of pairs, or a CSV of pairs.", show_default=False),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder; default runs/RECIPE.", show_default=False)] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the recipe; repeatable.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the resolved recipe and leave.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over in a new folder; nothing is deleted.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write TensorBoard files.")] = False,
) -> None:
    """Train a model into a run folder. The same command again continues where it stopped.

    Example: ganvas train digits-cgan --out runs/mine --set train.total_images=20000
    """
    from ganvas import api
    from ganvas.cli.progress import train_with_display
    from ganvas.config import to_toml

    run = api.train(
        recipe, data=data, out=out, settings=settings or [], device=device, fresh=fresh, tensorboard=tensorboard
    )
    if dry_run:
        typer.echo(to_toml(run.recipe), nl=False)
        return
    if run.complete:
        typer.echo(f"'{run.folder}' is complete: {run.images_seen:,} images. --fresh trains again.", err=True)
        # A run killed between its last checkpoint and its report is complete without one.
        run.report()
    else:
        train_with_display(run)
    typer.echo(f"model   {run.model_path}")
    typer.echo(f"report  {run.folder / 'report.html'}")
