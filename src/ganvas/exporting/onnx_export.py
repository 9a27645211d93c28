"""A model as an .onnx file that draws the same, which is measured before the file is kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ganvas.errors import GanvasError, UsageError
from ganvas.exporting.agreement import Difference, difference, real_name
from ganvas.files import atomic_write
from ganvas.inference import is_export, model_name, resolve_model
from ganvas.inference.onnx_file import ENDING, OnnxGenerator, require_onnx
from ganvas.model_file import LabelHeader, TranslateHeader, load_model

if TYPE_CHECKING:
    from ganvas.exporting.graph import Precision

PRECISIONS = ("fp32", "fp16", "int8")
# onnxruntime reads it since 1.18; beyond it onnxruntime-web 1.30 has no transposed convolutions for WebGPU.
OPSET = 21
MOST_DIFFERENCE = 1e-3


@dataclass(frozen=True)
class Exported:
    """An export that was written.

    Attributes:
        path: the file.
        bytes: its size.
        precision: of its weights.
        opset: of its operators.
        random: how far onnxruntime is from PyTorch on random input, the weights being in float32.
        real: the same on what the model is for.
        real_input: what that is, for people.
        loss: how far the rounded weights are from float32 on the latter; None where they are not rounded.
    """

    path: Path
    bytes: int
    precision: str
    opset: int
    random: Difference
    real: Difference
    real_input: str
    loss: Difference | None


@dataclass(frozen=True)
class Checked:
    """An export that draws what its model draws, in memory; the differences are those of :class:`Exported`."""

    data: bytes
    header: LabelHeader | TranslateHeader
    precision: str
    opset: int
    random: Difference
    real: Difference
    real_input: str
    loss: Difference | None

    def written(self, path: Path) -> Exported:
        """What became of it at ``path``."""
        return Exported(
            path, len(self.data), self.precision, self.opset, self.random, self.real, self.real_input, self.loss
        )


def export_onnx(model: str | Path, out: str | Path, *, precision: str = "fp32", opset: int = OPSET) -> Exported:
    """Write ``model`` as the file ``out``; see :func:`ganvas.export`."""
    path = Path(out)
    if path.suffix.lower() != ENDING:
        raise UsageError(f"cannot export to '{path}': expected FILE{ENDING}")
    done = checked(model, precision=precision, opset=opset)
    atomic_write(path, done.data)
    return done.written(path)


def checked(model: str | Path, *, precision: str, opset: int) -> Checked:
    """The export of ``model``, measured against it.

    Raises:
        UsageError: no such model, one that is no generator, an unknown precision or opset, or the extra is missing.
        GanvasError: it draws otherwise than the model.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"precision is {precision!r}: expected {', '.join(PRECISIONS)}")
    source = resolve_model(model)
    if is_export(source):
        raise UsageError(f"'{source}' is an export: give the .safetensors or the run that it was made of")
    require_onnx()
    from ganvas.exporting.build import build, check_opset  # Here, as it needs the extra.

    check_opset(opset)
    generator, header = load_model(source)
    if type(header) not in (LabelHeader, TranslateHeader):
        raise UsageError(f"model '{source}' is for measuring (task {header.task}): only generators are exported")
    assert isinstance(header, LabelHeader | TranslateHeader)
    whole = build(generator, header, "fp32", opset)
    exact = OnnxGenerator(whole, header, f"the export of '{source}'")
    random = difference(generator, exact, header, "random")
    real = difference(generator, exact, header, "real")
    worst = max(random.largest, real.largest)
    if not worst <= MOST_DIFFERENCE:
        raise GanvasError(
            f"the export of '{model_name(source)}' draws otherwise than the model: they differ by up to {worst:.2g}, "
            f"expected at most {MOST_DIFFERENCE:g}. Nothing was written; please report it."
        )
    loss = None
    if precision != "fp32":
        whole = build(generator, header, cast("Precision", precision), opset)
        rounded = OnnxGenerator(whole, header, f"the export of '{source}'")
        loss = difference(generator, rounded, header, "real")
    return Checked(whole, header, precision, opset, random, real, real_name(header), loss)
