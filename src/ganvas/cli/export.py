"""``ganvas export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from ganvas.exporting import Difference, Exported, ExportedPage

# What common free hosts and patient visitors take.
LARGE = 25_000_000


def export(
    model: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="A shipped model, a run folder or a .safetensors file; web: several."),
    ],
    to: Annotated[
        Literal["onnx", "web"], typer.Option(help="onnx: a file for programs. web: a page for any static host.")
    ] = "onnx",
    out: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="FILE.onnx, or a folder. Default: named as the model.", show_default=False),
    ] = None,
    precision: Annotated[
        Literal["fp32", "fp16", "int8"] | None,
        typer.Option(
            help="Of the stored weights: a half and a quarter of the size. The arithmetic stays float32. "
            "Default: fp32, of web fp16.",
            show_default=False,
        ),
    ] = None,
    opset: Annotated[
        int | None, typer.Option(help="Of the ONNX operators, from 18; of web to 26. Default: 21.", show_default=False)
    ] = None,
) -> None:
    """Write a model as an ONNX file, or as a page that runs it in the browser; and check that it draws the same.

    The file is used as the model is, by `ganvas translate FILE.onnx` and `ganvas sample FILE.onnx`, and by anything
    that runs ONNX. The page is that of `ganvas studio` without training, in a folder for any static host.

    Example: ganvas export digits-cgan --to onnx --out digits.onnx
    """
    from ganvas.api import export as export_model
    from ganvas.errors import UsageError
    from ganvas.inference import model_name, resolve_model

    name = model_name(resolve_model(model[0]))
    if to == "web":
        folder = out if out is not None else Path(f"{name}-web")
        _tell_page(export_model(model, folder, to=to, precision=precision, opset=opset))
        return
    if len(model) > 1:
        raise UsageError(f"{len(model)} models: an .onnx file holds one; export them one by one, or --to web")
    path = out if out is not None else Path(f"{name}.onnx")
    _tell_file(export_model(model[0], path, to=to, precision=precision, opset=opset))


def _tell_file(done: Exported) -> None:
    _tell({"file": f"{done.path} ({done.bytes / 1e6:.2f} MB)", "weights": done.precision, "opset": str(done.opset)})
    _tell(_measured(done))


def _tell_page(done: ExportedPage) -> None:
    for one in done.models:
        _tell({"model": f"{one.path} ({one.bytes / 1e6:.2f} MB, {one.precision})"} | _measured(one))
    _tell({"folder": f"{done.path} ({done.bytes / 1e6:.2f} MB in all)"})
    if done.bytes > LARGE:
        _tell({"note": f"more than {LARGE / 1e6:.0f} MB: --precision int8 makes the models smaller, and less exact"})
    _tell({"try it": f"python -m http.server --directory {done.path}"})


def _measured(done: Exported) -> dict[str, str]:
    lines = {
        "random input": f"differs from PyTorch by at most {done.random.largest:.2g}",
        "real input": f"differs from PyTorch by at most {done.real.largest:.2g} ({done.real_input})",
    }
    return lines if done.loss is None else lines | {"loss": _loss(done.loss)}


def _loss(loss: Difference) -> str:
    return f"against float32 on the real input: L1 {loss.mean:.2g}, at most {loss.largest:.2g}, PSNR {loss.psnr:.1f} dB"


def _tell(lines: dict[str, str]) -> None:
    for name, text in lines.items():
        typer.echo(f"{name:<13} {text}")
