"""How training shows itself: a live display on a terminal, a plain line a tick elsewhere. All on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ganvas.training.run import TrainingRun
    from ganvas.training.stats import Progress

PLAIN_LINE_SECONDS = 5.0


def train_with_display(run: TrainingRun) -> None:
    """Train to the end; raise Interrupted's exit code through typer when stopped.

    Raises:
        typer.Exit: with code 130 after Ctrl-C or SIGTERM, everything saved.
    """
    from ganvas.training.signals import Interrupted

    if run.images_seen:
        typer.echo(f"going on at {run.images_seen:,} of {run.recipe.train.total_images:,} images", err=True)
    try:
        if sys.stderr.isatty():
            _live(run)
        else:
            _plain(run)
    except Interrupted as stopped:
        typer.echo(f"ganvas: {stopped}", err=True)
        raise typer.Exit(130) from None
    total = run.recipe.train.total_images
    if run.images_seen < total:
        typer.echo(
            f"stopped early at {run.images_seen:,} of {total:,} images: validation.metric had not become better for as "
            "long as validation.patience_images says; the model is the best one",
            err=True,
        )


def _plain(run: TrainingRun) -> None:
    shown = float("-inf")
    warned: set[str] = set()
    for progress in _with_latest_metrics(run):
        if time.monotonic() - shown > PLAIN_LINE_SECONDS or progress.finished:
            shown = time.monotonic()
            typer.echo("  ".join(f"{name} {value}" for name, value in _fields(progress)), err=True)
        for name, sentence in progress.warnings.items():
            if name not in warned:
                typer.echo(f"warning: {name}: {sentence}", err=True)
        warned = set(progress.warnings)


def _live(run: TrainingRun) -> None:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bar
    from rich.table import Table
    from rich.text import Text

    bar = Bar(TextColumn("[bold]{task.description}"), BarColumn(None), TaskProgressColumn(), MofNCompleteColumn())
    task = bar.add_task(run.recipe.name, total=run.recipe.train.total_images, completed=run.images_seen)
    with Live(bar, console=Console(stderr=True), refresh_per_second=4) as live:
        for progress in _with_latest_metrics(run):
            bar.update(task, completed=progress.images)
            table = Table.grid(padding=(0, 2))
            for name, value in _fields(progress)[1:]:
                table.add_row(f"[dim]{name}", value)
            warnings = [Text(f"{name}: {sentence}", style="yellow") for name, sentence in progress.warnings.items()]
            live.update(Group(bar, table, *warnings))


def _with_latest_metrics(run: TrainingRun) -> Iterator[Progress]:
    """The records, each with the metrics that were measured last."""
    from dataclasses import replace

    latest: dict[str, float] = {}
    for progress in run:
        latest = progress.metrics or latest
        yield replace(progress, metrics=latest)


def _fields(progress: Progress) -> list[tuple[str, str]]:
    """What a person watches, as (name, value)."""
    fields = [
        ("images", f"{progress.images:,}/{progress.total_images:,}"),
        ("images/s", f"{progress.images_per_second:,.0f}"),
        ("left", _duration(progress.seconds_left)),
    ]
    fields += [(f"loss {name}", f"{value:.3f}") for name, value in progress.losses.items()]
    for side, accuracy in (("real", progress.accuracy_real), ("fake", progress.accuracy_fake)):
        if accuracy is not None:
            fields.append((f"D right on {side}", f"{accuracy:.0%}"))
    fields += [_metric(name, value) for name, value in progress.metrics.items()]
    if progress.metrics:
        fields.append(("measuring", f"{progress.validation_share:.1%} of the time"))
    return fields


def _metric(name: str, value: float) -> tuple[str, str]:
    if name == "asked_accuracy":
        return "asked digit drawn", f"{value:.1%}"
    if name == "digit_frechet":
        return "digit Fréchet distance", f"{value:.2f}"
    return f"held-out {name}", f"{value:.4f}"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{int(seconds):02d}" if hours else f"{minutes}:{int(seconds):02d}"
