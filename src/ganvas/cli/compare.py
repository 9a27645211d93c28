"""``ganvas compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def compare(
    models: Annotated[
        list[str], typer.Argument(metavar="RUN", help="Run folders, model files or shipped models, of one task.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="FILE.html", help="The page; .md, .json and .png are written next to it.")
    ] = Path("compare.html"),
    data: Annotated[
        Path | None, typer.Option(help="Pairs to measure on; default: the ones the runs held out.", show_default=False)
    ] = None,
    split: Annotated[Literal["test", "val", "train"], typer.Option(help="Which of the pairs.")] = "test",
    pictures: Annotated[int, typer.Option(min=1, max=200, help="Pictures to show.")] = 8,
    as_json: Annotated[bool, typer.Option("--json", help="Print all numbers as JSON instead of the table.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Measure models on the same held-out pictures: a table with intervals, pictures side by side, curves.

    Runs that differ only in train.seed share a row.

    Example: ganvas compare digits-cgan digits-conv --out compare.html
    """
    from ganvas.report.compare import check_out, write_comparison
    from ganvas.report.compare import compare as compare_models
    from ganvas.report.compare_text import to_json, to_markdown

    check_out(out)
    compared = compare_models(
        models,
        data=None if data is None else str(data),
        split=split,
        pictures=pictures,
        device=device,
        watch=lambda line: typer.echo(line, err=True),
    )
    for path in write_comparison(compared, out):
        typer.echo(f"wrote {path}", err=True)
    typer.echo(to_json(compared) if as_json else to_markdown(compared), nl=False)
