"""``ganvas data``: check, look at and download data."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ganvas.data.check import CheckReport, Problem
    from ganvas.data.download import DownloadProgress
    from ganvas.data.images import LabelledImages, Split

app = typer.Typer(help="Check, look at and download data.", no_args_is_help=True)

_Data = Annotated[
    Path | None,
    typer.Argument(metavar="PATH", help="Folder of IDX files or of class folders; without it the digits."),
]
_Size = Annotated[int | None, typer.Option(min=1, help="Side of the pictures in pixels.")]
_Channels = Annotated[int | None, typer.Option(min=1, max=3, help="1 for grey, 3 for colour.")]
_SHOWN_A_KIND = 20


@app.command()
def check(
    path: _Data = None,
    size: _Size = None,
    channels: _Channels = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Read all data and list everything that is wrong; exit 1 when training on it would fail.

    Example: ganvas data check pictures/
    """
    from ganvas.data.check import check as look_through

    _check_channels(channels)
    report = look_through(path, size=size, channels=channels)
    shown = json.dumps(report.as_dict(), indent=2, ensure_ascii=False) if as_json else _report_text(report)
    typer.echo(shown)
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def preview(
    out: Annotated[Path, typer.Option("--out", help="The PNG to write.")],
    path: _Data = None,
    count: Annotated[int, typer.Option(min=1, max=4096, help="How many pictures.")] = 64,
    size: _Size = None,
    channels: _Channels = None,
    test: Annotated[bool, typer.Option("--test", help="Show the held-out pictures.")] = False,
) -> None:
    """Draw a sheet of pictures as training sees them, each with its label, smallest and largest value.

    Example: ganvas data preview pictures/ --out preview.png
    """
    from ganvas.pictures import grid, save_png

    _check_channels(channels)
    data = _open(path, size, channels, "test" if test else "train")
    chosen = _round_the_classes(data, count)
    images = data.images[chosen]
    captions = [
        f"{data.class_names[label]}\n{image.min()} to {image.max()}"
        for image, label in zip(images, data.labels[chosen], strict=True)
    ]
    columns = max(1, round(len(chosen) ** 0.5))
    scale = max(1, 84 // images.shape[1])
    save_png(grid(images, columns, captions=captions, scale=scale, gap=6), out)
    typer.echo(f"{len(chosen)} of {len(data):,} pictures, values in 0..255", err=True)
    typer.echo(str(out))


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="mnist or fashion-mnist.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to put the files in.")],
    mirror: Annotated[
        list[str] | None, typer.Option("--mirror", help="Address to fetch from instead; may be repeated.")
    ] = None,
) -> None:
    """Download MNIST or Fashion-MNIST, verified; a broken download resumes where it stopped.

    Example: ganvas data download mnist --out data/mnist
    """
    from ganvas.data.download import download as fetch

    _show_progress(fetch(name, out, mirrors=mirror or None))
    typer.echo(str(out))


def _check_channels(channels: int | None) -> None:
    if channels == 2:
        raise typer.BadParameter("pictures have 1 channel (grey) or 3 (colour)", param_hint="--channels")


def _open(path: Path | None, size: int | None, channels: int | None, split: Split) -> LabelledImages:
    from ganvas.data.idx import read_idx_folder
    from ganvas.data.labelled import kind_of, open_labelled

    if path is not None and kind_of(path) == "idx":
        data = read_idx_folder(path, split)
        return data.resized(size or data.images.shape[1], channels or 1)
    own_size, own_channels = (28, 1) if path is None else (64, 3)
    return open_labelled(path, size=size or own_size, channels=channels or own_channels, split=split)


def _round_the_classes(data: LabelledImages, count: int) -> list[int]:
    """Indices of ``count`` pictures: one of each class in turn, then the next of each."""
    import numpy as np

    rank = np.empty(len(data), dtype=np.int64)
    for label in range(len(data.class_names)):
        members = np.flatnonzero(data.labels == label)
        rank[members] = np.arange(len(members))
    order = np.lexsort((data.labels, rank))
    return [int(index) for index in order[:count]]


def _report_text(report: CheckReport) -> str:
    total = {split: sum(count[split] for count in report.counts.values()) for split in ("train", "test")}
    sizes = ", ".join(list(report.sizes)[:4]) + (", ..." if len(report.sizes) > 4 else "")
    pictures = f"{total['train']:,} train, {total['test']:,} test"
    lines = [f"{report.path}: {report.kind}, {len(report.counts)} classes, {pictures}"]
    lines += [f"sizes: {sizes}"] if sizes else []
    rows: list[tuple[str, ...]] = [("class", "train", "test")]
    rows += [(name, f"{count['train']:,}", f"{count['test']:,}") for name, count in report.counts.items()]
    lines += ["", *_columns(rows)] if report.counts else []
    if report.problems:
        lines += ["", *_columns([("", "where", "what", "what to do"), *_problem_rows(report.problems)])]
    lines += ["", "ready to train" if report.ok else "training would fail: mend the errors first"]
    return "\n".join(lines)


def _problem_rows(problems: list[Problem]) -> Iterator[tuple[str, str, str, str]]:
    """All errors; of warnings and notes so many that the errors stay in sight."""
    shown = {"error": 0, "warning": 0, "note": 0}
    for problem in problems:
        shown[problem.severity] += 1
        if problem.severity == "error" or shown[problem.severity] <= _SHOWN_A_KIND:
            yield problem.severity, problem.file, problem.what, problem.remedy
    for severity, number in shown.items():
        if severity != "error" and number > _SHOWN_A_KIND:
            yield severity, "", f"and {number - _SHOWN_A_KIND:,} more", "--json lists all"


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    from rich.cells import cell_len, set_cell_size  # Letters of some scripts are two columns wide.

    widths = [max(cell_len(row[at]) for row in rows) for at in range(len(rows[0]))]
    padded = [[set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    return ["  ".join(row).rstrip() for row in padded]


def _show_progress(records: Iterator[DownloadProgress]) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

    if not sys.stderr.isatty():
        for record in records:
            if record.done:
                typer.echo(f"{record.file}: {record.received_bytes:,} bytes, verified", err=True)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}
        for record in records:
            if record.file not in tasks:
                tasks[record.file] = bars.add_task(record.file, total=None)
            total = record.received_bytes if record.done else record.total_bytes
            bars.update(tasks[record.file], completed=record.received_bytes, total=total)
