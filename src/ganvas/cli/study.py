"""``ganvas study``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganvas.errors import UsageError

if TYPE_CHECKING:
    from ganvas.report.study import StudyRuns


def study(
    name: Annotated[
        str | None,
        typer.Argument(metavar="STUDY", help="A shipped study or a TOML file; none lists them.", show_default=False),
    ] = None,
    runs: Annotated[
        Path | None, typer.Option(help="Folder of the runs; default runs/STUDY.", show_default=False)
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="What to train and measure on; default: the recipe's.", show_default=False)
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="ROW", help="Train this row alone, write no table; repeatable.")
    ] = None,
    segmenter: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Judge of photos drawn from label maps.", show_default=False),
    ] = None,
    results: Annotated[
        Path | None, typer.Option(help="Folder of the tables; default: tables, beside the runs.", show_default=False)
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder of the picture sheets; default: that of the tables.", show_default=False)
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the runs and how far they are, and leave.")] = False,
) -> None:
    """Train every row of a study over several seeds, and compare them in tables with intervals.

    Finished runs are skipped; the same command again continues where it stopped.

    Example: ganvas study course --dry-run
    """
    if name is None:
        _list()
        return
    if only and (results or pictures):
        raise UsageError("--results and --pictures say where tables go, of which --only writes none: leave them out")
    from ganvas.cli.progress import train_with_display
    from ganvas.report.study import StudyRuns

    found = StudyRuns(
        name,
        runs,
        data=data,
        only=only or (),
        segmenter="" if dry_run else segmenter,
        device=device,
        train=train_with_display,
    )
    if dry_run:
        _plan(found)
        return
    for number, done in enumerate(found, start=1):
        typer.echo(f"{number}/{len(found)}  {done.row}, seed {done.seed}: {done.seconds:,.0f} s", err=True)
    if only:
        return
    for path in found.write_tables(results, pictures, watch=lambda line: typer.echo(line, err=True)):
        typer.echo(f"wrote {path}", err=True)
        if path.suffix == ".md":
            typer.echo(path.read_text("utf-8"), nl=False)


def _list() -> None:
    from ganvas.config import load_study, study_names

    for known in study_names():
        typer.echo(f"{known:<24} {load_study(known).description}")


def _plan(found: StudyRuns) -> None:
    from ganvas.training.folder import STATS
    from ganvas.training.stats import read_stats

    for row, seed, folder in found.places:
        stats = read_stats(folder / STATS)
        seen = f"{stats[-1]['images']:,} images seen" if stats else "not begun"
        total = found.study.recipe_of(row, seed).train
        length = f"{total.total_images:,} images" if total.total_images else f"{total.epochs:,} epochs"
        typer.echo(f"{folder.as_posix()}  {seen} of {length}  {' '.join(found.study.rows[row])}".rstrip())
