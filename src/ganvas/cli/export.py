"""``ganvas export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from ganvas.exporting import Difference


def export(
    model: Annotated[str, typer.Argument(help="A shipped model, a run folder or a .safetensors file.")],
    to: Annotated[Literal["onnx"], typer.Option(help="For which programs.")] = "onnx",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.onnx", help="Default: the model's name.", show_default=False)
    ] = None,
    precision: Annotated[
        Literal["fp32", "fp16", "int8"],
        typer.Option(help="Of the stored weights: a half and a quarter of the size. The arithmetic stays float32."),
    ] = "fp32",
    opset: Annotated[
        int | None, typer.Option(help="Of the ONNX operators, from 18. Default: 21.", show_default=False)
    ] = None,
) -> None:
    """Write a model as an ONNX file, and check with onnxruntime that it draws the same.

    The file is used as the model is, by `ganvas translate FILE.onnx` and `ganvas sample FILE.onnx`, and by anything
    that runs ONNX.

    Example: ganvas export digits-cgan --to onnx --out digits.onnx
    """
    from ganvas.api import export as export_model
    from ganvas.inference import model_name, resolve_model

    path = out if out is not None else Path(f"{model_name(resolve_model(model))}.onnx")
    done = export_model(model, path, to=to, precision=precision, opset=opset)
    lines = {
        "file": f"{done.path} ({done.bytes / 1e6:.2f} MB)",
        "weights": done.precision,
        "opset": str(done.opset),
        "random input": f"differs from PyTorch by at most {done.random.largest:.2g}",
        "real input": f"differs from PyTorch by at most {done.real.largest:.2g}",
    }
    if done.loss is not None:
        lines["loss"] = _loss(done.loss)
    for name, text in lines.items():
        typer.echo(f"{name:<13} {text}")


def _loss(loss: Difference) -> str:
    return f"against float32 on the real input: L1 {loss.mean:.2g}, at most {loss.largest:.2g}, PSNR {loss.psnr:.1f} dB"
