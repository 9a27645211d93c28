"""Models for other programs: ONNX files that draw what the model draws, and a page that runs them in the browser."""

from __future__ import annotations

from ganvas.exporting.agreement import Difference as Difference
from ganvas.exporting.onnx_export import OPSET as OPSET
from ganvas.exporting.onnx_export import Exported as Exported
from ganvas.exporting.onnx_export import export_onnx as export_onnx
from ganvas.exporting.web_export import ExportedPage as ExportedPage
from ganvas.exporting.web_export import export_web as export_web
