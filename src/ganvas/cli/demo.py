"""``ganvas demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RECIPE = "digits-cgan"


def demo(
    out: Annotated[Path, typer.Option(help="Where the run, the report and the picture go.")] = Path("ganvas-demo"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over in a new folder; nothing is deleted.")] = False,
    images: Annotated[int, typer.Option(min=128, help="Real images to train on, with repetition.")] = 500_000,
) -> None:
    """The two-minute tour on embedded data: train, draw ten of each digit, compare with the shipped model, report.

    Example: ganvas demo --images 5000 --out tour
    """
    from ganvas import api
    from ganvas.cli.progress import train_with_display
    from ganvas.pictures import save_png
    from ganvas.report import Comparison, side_by_side, write_report

    # Looked at often: the reader is there, and the report shows how the digits form.
    settings = [f"train.total_images={images}", "train.sample_images=25000"]
    settings += ["validation.every_images=25000", "validation.samples=1000"]
    run = api.train(RECIPE, out=out, settings=settings, fresh=fresh)
    if not run.complete:
        train_with_display(run)
    shown = [
        ("the model you just trained", run.model, "the best of its training by distance; 1,000 drawn digits read"),
        ("the shipped model", api.load(RECIPE), "10,000 drawn digits read"),
    ]
    sheets = []
    for title, model, measured in shown:
        note = f"{model.header.images_seen:,} images seen, {model.header.data.source}; {measured}"
        sheets.append(Comparison(title, model.sheet(), model.header.metrics.get("asked_accuracy"), note))
    picture = run.folder / "digits.png"
    save_png(side_by_side(sheets), picture)
    report = write_report(run.folder, comparison=sheets)
    typer.echo(f"picture  {picture.resolve()}")
    typer.echo(f"report   {report.resolve()}")
