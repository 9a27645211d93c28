"""Writing an ONNX graph node by node: what comes out is what was asked for, and nothing in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

Precision = Literal["fp32", "fp16", "int8"]
Array = npt.NDArray[Any]
# Weights of fewer numbers than this stay in float32: rounding them saves nothing.
LEAST_ROUNDED = 1024


class Graph:
    """A graph in the making; a value is known by its name.

    Weights are stored in ``precision`` and made float32 again by nodes of constants alone, which every runtime folds
    when it loads the file: the arithmetic is always float32.
    """

    def __init__(self, precision: Precision) -> None:
        self.precision = precision
        self._nodes: list[onnx.NodeProto] = []
        self._stored: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, shape: Sequence[int | str], kind: int = TensorProto.FLOAT) -> str:
        """An input of the whole graph; a dimension with a name may be of any length."""
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output, whose name is given back."""
        return self.add_many(operator, 1, *inputs, **attributes)[0]

    def add_many(self, operator: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """A node with ``count`` outputs."""
        name = f"{operator}_{len(self._nodes)}"
        outputs = [name] if count == 1 else [f"{name}.{number}" for number in range(count)]
        self._nodes.append(helper.make_node(operator, inputs, outputs, name=name, **attributes))
        return outputs

    def integers(self, *values: int) -> str:
        """A constant vector (n,) of int64."""
        return self._store("_".join(("integers", *map(str, values))), np.array(values, dtype=np.int64))

    def floats(self, name: str, values: Array) -> str:
        """A constant in float32, whatever the precision."""
        return self._store(name, np.asarray(values, dtype=np.float32))

    def weight(self, name: str, weight: Tensor, *, axis: int = 0) -> str:
        """A weight in the graph's precision; ``axis`` has its output channels, each of which int8 scales by itself."""
        values = weight.detach().cpu().contiguous().numpy()
        if self.precision == "fp32" or values.ndim < 2 or values.size < LEAST_ROUNDED:
            return self.floats(name, values)
        if self.precision == "fp16":
            return self._as_float(self._store(name, values.astype(np.float16)))
        others = tuple(place for place in range(values.ndim) if place != axis)
        scales = np.maximum(np.abs(values).max(axis=others, keepdims=True) / 127, np.finfo(np.float32).tiny)
        rounded = np.clip(np.rint(values / scales), -127, 127).astype(np.int8)
        whole = self._as_float(self._store(name, rounded))
        return self.add("Mul", whole, self.floats(f"{name}.scales", scales))

    def model(self, output: str, name: str, shape: Sequence[int | str], opset: int) -> onnx.ModelProto:
        """The finished model, whose one output ``output`` is called ``name``."""
        self._nodes.append(helper.make_node("Identity", [output], [name], name=name))
        graph = helper.make_graph(
            self._nodes,
            "ganvas",
            self._inputs,
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
            list(self._stored.values()),
        )
        opsets = [helper.make_opsetid("", opset)]
        # The oldest format that knows the opset: older runtimes read it too.
        return helper.make_model(graph, opset_imports=opsets, ir_version=helper.find_min_ir_version_for(opsets))

    def _as_float(self, stored: str) -> str:
        return self.add("Cast", stored, to=TensorProto.FLOAT)

    def _store(self, name: str, values: Array) -> str:
        self._stored.setdefault(name, numpy_helper.from_array(values, name))
        return name
