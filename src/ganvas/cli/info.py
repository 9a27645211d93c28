"""``ganvas info``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ganvas.data.preparation import Preparation
    from ganvas.model_file import LabelHeader, ModelHeader, TranslateHeader

_FITS = {"stretch": "stretched to a square", "crop": "the middle square", "pad": "with a border to a square"}
_STATISTICS = {"instance": "of each picture alone", "running": "the training's averages"}


def info(
    model: Annotated[
        str | None, typer.Argument(help="A shipped model, run folder, .safetensors or .onnx file.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole header, for machines.")] = False,
) -> None:
    """Tell what a model is: networks, classes, training data, metrics. Without MODEL: the shipped models.

    Example: ganvas info digits-cgan
    """
    from ganvas.inference import read_header, resolve_model, shipped_models

    if model is None:
        for name in shipped_models():
            header = read_header(resolve_model(name))
            typer.echo(f"{name:<20} {header.size}x{header.size}, {_summary(header)}, {header.network} generator")
        return
    path = resolve_model(model)
    header = read_header(path)
    if as_json:
        typer.echo(header.model_dump_json(indent=2))
        return
    lines = {
        "file": f"{path} ({path.stat().st_size / 1e6:.2f} MB)",
        "recipe": header.recipe,
        **_about(header),
        "trained on": f"{header.data.source}, {header.images_seen:,} images seen",
        "data licence": header.data.licence,
        "metrics": ", ".join(f"{name} {value:.4g}" for name, value in header.metrics.items()) or "none",
        "written by": f"ganvas {header.ganvas_version}, format {header.format_version}",
    }
    for name, text in lines.items():
        typer.echo(f"{name:<13} {text}")


def _summary(header: ModelHeader) -> str:
    from ganvas.model_file import LabelHeader, TranslateHeader

    if isinstance(header, LabelHeader):
        return f"{len(header.class_names)} classes" if header.conditional else "no label"
    assert isinstance(header, TranslateHeader)
    parts = [f"{_side(header.source)} to {_side(header.target)}"]
    if header.hints:
        parts.append("hints")
    if header.class_names:
        parts.append(f"{len(header.class_names)} classes")
    return ", ".join(parts)


def _about(header: ModelHeader) -> dict[str, str]:
    """What goes in, what comes out and by what network."""
    from ganvas.model_file import LabelHeader, TranslateHeader

    if isinstance(header, LabelHeader):
        return _about_label(header)
    assert isinstance(header, TranslateHeader)
    return _about_translate(header)


def _about_label(header: LabelHeader) -> dict[str, str]:
    return {
        "draws": f"{header.size} x {header.size} pixels, {'grey' if header.channels == 1 else 'colour'}",
        "classes": ", ".join(header.class_names) if header.conditional else "takes no label",
        "generator": ", ".join(f"{key} {value}" for key, value in header.generator.model_dump().items()),
    }


def _about_translate(header: TranslateHeader) -> dict[str, str]:
    settings = header.generator.model_dump()
    statistics = settings.pop("norm_statistics")
    about = {
        "takes": f"{_side(header.source)}{_map_classes(header.source)}",
        "draws": f"{_side(header.target)}{_map_classes(header.target)}, in the size of what it takes",
        "trained at": f"{header.size} x {header.size} pixels, {_FITS[header.source.fit]}",
        "hints": "dabs of colour (ganvas translate --hints)" if header.hints else "takes none",
        "classes": ", ".join(header.class_names) or "takes no label",
        "generator": ", ".join(f"{key} {value}" for key, value in settings.items()),
    }
    if settings["norm"] == "batch":
        about["statistics"] = f"batch norm's: {_STATISTICS[statistics]}"
    return about


def _side(preparation: Preparation) -> str:
    if preparation.kind == "labels":
        return "label map"
    if preparation.colours:
        return "picture of a label map's colours"
    kinds = {1: "grey picture", 3: "colour picture"}
    return kinds.get(preparation.channels, f"picture of {preparation.channels} channels")


def _map_classes(preparation: Preparation) -> str:
    return f" of {', '.join(preparation.class_names)}" if preparation.class_names else ""
