"""``ganvas info``."""

from __future__ import annotations

from typing import Annotated

import typer


def info(
    model: Annotated[
        str | None, typer.Argument(help="A shipped model, run folder or .safetensors file.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole header, for machines.")] = False,
) -> None:
    """Tell what a model is: networks, classes, training data, metrics. Without MODEL: the shipped models.

    Example: ganvas info digits-cgan
    """
    from ganvas.inference import resolve_model, shipped_models
    from ganvas.model_file import read_header

    if model is None:
        for name in shipped_models():
            header = read_header(resolve_model(name))
            what = f"{len(header.class_names)} classes" if header.conditional else "no label"
            typer.echo(f"{name:<20} {header.size}x{header.size}, {what}, {header.generator.network} generator")
        return
    path = resolve_model(model)
    header = read_header(path)
    if as_json:
        typer.echo(header.model_dump_json(indent=2))
        return
    colour = "grey" if header.channels == 1 else "colour"
    lines = {
        "file": f"{path} ({path.stat().st_size / 1e6:.2f} MB)",
        "recipe": header.recipe,
        "draws": f"{header.size} x {header.size} pixels, {colour}",
        "classes": ", ".join(header.class_names) if header.conditional else "takes no label",
        "generator": ", ".join(f"{key} {value}" for key, value in header.generator.model_dump().items()),
        "trained on": f"{header.data.source}, {header.images_seen:,} images seen",
        "data licence": header.data.licence,
        "metrics": ", ".join(f"{name} {value:.4g}" for name, value in header.metrics.items()) or "none",
        "written by": f"ganvas {header.ganvas_version}, format {header.format_version}",
    }
    for name, text in lines.items():
        typer.echo(f"{name:<13} {text}")
