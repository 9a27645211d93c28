"""``ganvas evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ganvas.errors import UsageError


def evaluate(
    model: Annotated[str, typer.Argument(help="A run folder, a .safetensors file or a shipped model.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Pictures to measure on; default: those that the model's recipe held out.", show_default=False
        ),
    ] = None,
    split: Annotated[Literal["test", "val", "train"], typer.Option(help="Which of the pictures.")] = "test",
    count: Annotated[
        int | None,
        typer.Option(min=1, help="Pictures to draw; default: as many as there are, of digits up to 10,000."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same digits.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON instead of the table.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="A sheet to look at: of labels the drawn pictures nearest to a training picture, each beside it; of "
            "pictures input, result and truth.",
            show_default=False,
        ),
    ] = None,
    segmenter: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Judge of photos drawn from label maps.", show_default=False),
    ] = None,
    fid_weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also tell FID and KID, by the published weights pt_inception-2015-12-05-6726825d.pth; nothing is "
            "downloaded.",
            show_default=False,
        ),
    ] = None,
    few_pictures: Annotated[
        bool, typer.Option("--few-pictures", help="FID and KID also of fewer than 2,048 pictures.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Measure a model on held-out pictures: every number with an interval, and what real pictures score.

    The numbers also go into the model's file, its card and its run's report; a shipped model is left as it is.

    Example: ganvas evaluate digits-cgan --count 200 --json
    """
    if out is not None and out.suffix.lower() != ".png":
        raise UsageError(f"--out {out}: expected FILE.png, a sheet of pictures; --json prints the numbers")
    from ganvas.evaluation import evaluate as measure
    from ganvas.evaluation.recording import record
    from ganvas.evaluation.text import to_json, to_markdown
    from ganvas.pictures import grid, save_png

    found = measure(
        model,
        data=None if data is None else str(data),
        split=split,
        count=count,
        seed=seed,
        device=device,
        segmenter=segmenter,
        fid_weights=None if fid_weights is None else str(fid_weights),
        few_pictures=few_pictures,
        watch=lambda line: typer.echo(line, err=True),
    )
    # First what took minutes to measure, then what may fail.
    typer.echo(to_json(found) if as_json else to_markdown(found), nl=False)
    if out is not None:
        save_png(grid(found.pairs, found.columns, scale=2 if found.pairs.shape[1] <= 64 else 1), out)
        typer.echo(f"wrote {out}", err=True)
    written, reason = record(found)
    for path in written:
        typer.echo(f"wrote {path}", err=True)
    if reason:
        typer.echo(reason, err=True)
