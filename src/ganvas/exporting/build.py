"""From a generator and its header to the bytes of an .onnx file."""

from __future__ import annotations

import onnx
from torch import nn

from ganvas import __version__
from ganvas.errors import UsageError
from ganvas.exporting.graph import Graph, Precision
from ganvas.exporting.networks import written
from ganvas.model_file import HEADER_KEY, LabelHeader, TranslateHeader

# The operators are the same from here on.
OLDEST_OPSET = 18


def check_opset(opset: int) -> None:
    """Raise the UsageError for an opset that the installed onnx cannot write."""
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise UsageError(f"opset is {opset}: expected {OLDEST_OPSET} to {newest}")


def build(generator: nn.Module, header: LabelHeader | TranslateHeader, precision: Precision, opset: int) -> bytes:
    """The file of ``generator``, checked against the standard; its header lies in the metadata.

    Raises:
        GanvasError: a network that cannot be exported yet.
    """
    graph = Graph(precision)
    model = graph.model(written(generator, graph), "pictures", ["batch", *_shape(header)], opset)
    model.producer_name, model.producer_version = "ganvas", __version__
    # What other programs show of a file.
    model.doc_string = f"{header.recipe}, weights in {precision}. Data: {header.data.source}; {header.data.licence}"
    onnx.helper.set_model_props(model, {HEADER_KEY: header.model_dump_json()})
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString()
    return data


def _shape(header: LabelHeader | TranslateHeader) -> list[int | str]:
    """Channels, height and width of what the model draws; a dimension with a name may be of any length."""
    if isinstance(header, LabelHeader):
        return [header.channels, header.size, header.size]
    return [header.target.channels, "height", "width"]
