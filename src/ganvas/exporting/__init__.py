"""Models for other programs: ONNX files that draw what the model draws."""

from __future__ import annotations

from ganvas.exporting.agreement import Difference as Difference
from ganvas.exporting.onnx_export import OPSET as OPSET
from ganvas.exporting.onnx_export import Exported as Exported
from ganvas.exporting.onnx_export import export_onnx as export_onnx
