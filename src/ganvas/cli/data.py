"""``ganvas data``: check, look at and download data."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ganvas.cli.pairs import pairs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ganvas.config import PairData
    from ganvas.data.download import DownloadProgress
    from ganvas.data.findings import CheckReport, Problem
    from ganvas.data.images import LabelledImages, Split

app = typer.Typer(help="Check, look at, make and download data.", no_args_is_help=True)
app.command()(pairs)

_Data = Annotated[
    Path | None,
    typer.Argument(
        metavar="PATH",
        help="Folder of IDX files, of class folders or of pairs, or a CSV of pairs; without it the digits.",
    ),
]
_Size = Annotated[int | None, typer.Option(min=1, help="Side of the pictures in pixels.")]
_Channels = Annotated[int | None, typer.Option(min=1, max=3, help="1 for grey, 3 for colour.")]
_Kind = Literal["picture", "labels"]
_Layout = Annotated[
    Literal["auto", "side-by-side", "folders", "table", "pictures"] | None,
    typer.Option(help="Pairs: how they lie; pictures: colour pictures alone, whose sketches are drawn."),
]
_Direction = Annotated[
    Literal["left-to-right", "right-to-left"] | None, typer.Option(help="Pairs: from which side to which.")
]
_Source = Annotated[_Kind | None, typer.Option(help="Pairs: what the model gets.")]
_Target = Annotated[_Kind | None, typer.Option(help="Pairs: what it shall draw.")]
_Palette = Annotated[str | None, typer.Option(help="Pairs: camvid, cityscapes, or a CSV of name,red,green,blue.")]
_Ignore = Annotated[int | None, typer.Option(min=-1, max=255, help="Pairs: the class id that means unlabelled.")]
_Labels = Annotated[
    Literal["group", "folder"] | None, typer.Option(help="Pairs: take classes from a table or from sub-folders.")
]
_SourceChannels = Annotated[int | None, typer.Option(min=1, max=64, help="Pairs: channels of the source.")]
_TargetChannels = Annotated[int | None, typer.Option(min=1, max=64, help="Pairs: channels of the target.")]
_Fit = Annotated[Literal["stretch", "crop", "pad"] | None, typer.Option(help="Pairs: how a picture becomes a square.")]
_Resize = Annotated[
    Literal["bilinear", "bicubic", "lanczos", "nearest"] | None, typer.Option(help="Pairs: how pictures are resized.")
]
_Background = Annotated[str | None, typer.Option(help="Pairs: colour under transparent pictures.")]
_Sketch = Annotated[
    Literal["xdog", "gradient", "luminance"] | None,
    typer.Option(help="Pairs: how sketches are drawn of pictures alone."),
]
_TestShare = Annotated[
    float | None, typer.Option(min=0, max=0.99, help="Pairs: share held out where no folder or table says so.")
]
_SHOWN_A_KIND = 20


@app.command()
def check(
    path: _Data = None,
    size: _Size = None,
    channels: _Channels = None,
    layout: _Layout = None,
    direction: _Direction = None,
    source: _Source = None,
    target: _Target = None,
    palette: _Palette = None,
    ignore: _Ignore = None,
    labels: _Labels = None,
    source_channels: _SourceChannels = None,
    target_channels: _TargetChannels = None,
    fit: _Fit = None,
    resize: _Resize = None,
    background: _Background = None,
    sketch: _Sketch = None,
    test_share: _TestShare = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Read all data and list everything that is wrong; exit 1 when training on it would fail.

    Pairs are known by their layout, or by any of the options for pairs; give those that the recipe sets in [data].

    Example: ganvas data check pictures/
    """
    from ganvas.data.check import check as look_through
    from ganvas.data.pairs.check import check_pairs

    pairs = _pair_settings(
        path,
        channels,
        layout=layout,
        direction=direction,
        source=source,
        target=target,
        palette=palette,
        ignore=ignore,
        labels=labels,
        source_channels=source_channels,
        target_channels=target_channels,
        fit=fit,
        resize=resize,
        background=background,
        sketch=sketch,
        test_share=test_share,
    )
    if path is not None and pairs is not None:
        report = check_pairs(path, pairs, size=size)
    else:
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
    layout: _Layout = None,
    direction: _Direction = None,
    source: _Source = None,
    target: _Target = None,
    palette: _Palette = None,
    ignore: _Ignore = None,
    labels: _Labels = None,
    source_channels: _SourceChannels = None,
    target_channels: _TargetChannels = None,
    fit: _Fit = None,
    resize: _Resize = None,
    background: _Background = None,
    sketch: _Sketch = None,
    test_share: _TestShare = None,
    test: Annotated[bool, typer.Option("--test", help="Show the held-out pictures.")] = False,
) -> None:
    """Draw a sheet of pictures as training sees them, each with its label, smallest and largest value.

    Of pairs: source and target beside each other, with their name and their sizes on disk; give the options that the
    recipe sets in [data].

    Example: ganvas data preview pictures/ --out preview.png
    """
    from ganvas.pictures import grid, save_png

    pairs = _pair_settings(
        path,
        channels,
        layout=layout,
        direction=direction,
        source=source,
        target=target,
        palette=palette,
        ignore=ignore,
        labels=labels,
        source_channels=source_channels,
        target_channels=target_channels,
        fit=fit,
        resize=resize,
        background=background,
        sketch=sketch,
        test_share=test_share,
    )
    split: Split = "test" if test else "train"
    if path is not None and pairs is not None:
        from ganvas.data.pairs.preview import sheet_of_pairs

        sheet, shown, total = sheet_of_pairs(path, pairs, split, count, size or pairs.size)
        save_png(sheet, out)
        typer.echo(f"{shown} of {total:,} pairs, source and target at {size or pairs.size} pixels", err=True)
        typer.echo(str(out))
        return
    data = _open(path, size, channels, split)
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


def _pair_settings(path: Path | None, channels: int | None, **choices: Any) -> PairData | None:
    """How to read pairs, where the data or an option says that it is pairs."""
    if channels == 2:
        raise typer.BadParameter("pictures have 1 channel (grey) or 3 (colour)", param_hint="--channels")
    from ganvas.data.pairs.listing import looks_like_pairs

    chosen = {key: value for key, value in choices.items() if value is not None}
    if path is None and chosen:
        option = "--" + next(iter(chosen)).replace("_", "-")
        raise typer.BadParameter("is for pairs: give the PATH they lie at", param_hint=option)
    if path is None or not (chosen or (path.exists() and looks_like_pairs(path))):
        return None
    if channels is not None:
        raise typer.BadParameter("pairs have --source-channels and --target-channels", param_hint="--channels")
    from ganvas.config import PairData

    return PairData(path=str(path), **chosen)


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
    splits = list(next(iter(report.counts.values()), {"train": 0, "test": 0}))
    total = {split: sum(count[split] for count in report.counts.values()) for split in splits}
    sizes = ", ".join(list(report.sizes)[:4]) + (", ..." if len(report.sizes) > 4 else "")
    counts = ", ".join(f"{total[split]:,} {split}" for split in splits)
    classes = f"{len(report.counts)} classes, " if list(report.counts) != ["pairs"] else ""
    lines = [f"{report.path}: {report.kind}, {classes}{counts}"]
    lines += [f"sizes: {sizes}"] if sizes else []
    rows: list[tuple[str, ...]] = [("class", *splits)]
    rows += [(name, *(f"{count[split]:,}" for split in splits)) for name, count in report.counts.items()]
    lines += ["", *_columns(rows)] if classes and report.counts else []
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
