"""Exported models: an .onnx file read, checked and run by onnxruntime on the processor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganvas.errors import GanvasError, UsageError
from ganvas.model_file import HEADER_KEY, LabelHeader, ModelHeader, TranslateHeader, parse_header

ENDING = ".onnx"


class OnnxGenerator(nn.Module):
    """Stands in for the generator whose export it runs: the same inputs, the same pictures, no variations.

    Args:
        model: the bytes of an .onnx file that was checked.
        header: what the file says of itself.
        name: what to call it in messages.

    Raises:
        GanvasError: onnxruntime cannot load it, or it takes other than the header says.
    """

    def __init__(self, model: bytes, header: LabelHeader | TranslateHeader, name: str) -> None:
        super().__init__()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what goes wrong is raised, too
        self._name = name
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            # Its errors share no type below this one.
            raise GanvasError(f"{name} cannot be loaded by onnxruntime: {_first_line(error)}") from error
        expected = expected_inputs(header)
        found = {put.name: (put.type, tuple(put.shape)) for put in self._session.get_inputs()}
        if found.keys() != expected.keys() or any(not _fits(found[key], expected[key]) for key in expected):
            raise GanvasError(f"{name} takes {_told(found)}, its header says {_told(expected)}: export the model again")
        self._header = header
        if isinstance(header, LabelHeader):
            self.value_range = header.value_range
        else:
            self.multiple = 1 << (header.size.bit_length() - 1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Noise (N, noise_length) or sources (N, in, H, W), and any labels (N,) -> pictures (N, C, H, W)."""
        first = self._session.get_inputs()[0].name
        feed = {first: np.ascontiguousarray(x.numpy())}
        if labels is not None:
            feed["labels"] = labels.numpy()
        try:
            pictures = self._session.run(None, feed)[0]
        except Exception as error:
            raise GanvasError(f"{self._name} cannot be run by onnxruntime: {_first_line(error)}") from error
        shape = (len(x), *_drawn(self._header, *x.shape[2:]))
        if pictures.shape != shape or pictures.dtype != np.float32:
            raise GanvasError(
                f"{self._name} draws {pictures.dtype} {pictures.shape}, its header says float32 {shape}: "
                "export the model again"
            )
        return torch.from_numpy(pictures)


def require_onnx() -> None:
    """Raise the UsageError that names the extra, if it is not installed."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError:
        raise UsageError("ONNX files need packages that are not installed: pip install 'ganvas[onnx]'") from None


def expected_inputs(header: LabelHeader | TranslateHeader) -> dict[str, tuple[str, tuple[int | str, ...]]]:
    """Kind and shape of what a model's export takes, by name; a dimension with a name may be of any length."""
    labels: dict[str, tuple[str, tuple[int | str, ...]]] = {"labels": ("tensor(int64)", ("batch",))}
    if isinstance(header, LabelHeader):
        noise = ("tensor(float)", ("batch", header.generator.noise_length))
        return {"noise": noise, **(labels if header.conditional else {})}
    source = ("tensor(float)", ("batch", header.in_channels, "height", "width"))
    return {"source": source, **(labels if header.class_names else {})}


def _drawn(header: LabelHeader | TranslateHeader, *size: int) -> tuple[int, ...]:
    """Channels, height and width of what a model draws, of a picture of ``size`` where it takes one."""
    if isinstance(header, LabelHeader):
        return header.channels, header.size, header.size
    return header.target.channels, *size


def read_onnx_header(path: Path) -> ModelHeader:
    """The header of an .onnx file, which ``ganvas export`` wrote into its metadata.

    Raises:
        UsageError: the extra ``onnx`` is not installed.
        GanvasError: no such file, a damaged one, one of another program, or one with parts in other files.
    """
    return _read(path)[1]


def load_onnx(path: Path) -> tuple[OnnxGenerator, ModelHeader]:
    """A stand-in for the generator, ready to draw, and its header.

    Raises:
        UsageError: the extra ``onnx`` is not installed.
        GanvasError: as :func:`read_onnx_header`, or onnxruntime cannot load the file.
    """
    data, header = _read(path)
    assert isinstance(header, LabelHeader | TranslateHeader)
    # From the bytes that were checked, not from the file, which may have changed.
    return OnnxGenerator(data, header, f"'{path}'"), header


def _read(path: Path) -> tuple[bytes, ModelHeader]:
    require_onnx()
    import onnx

    try:
        data = path.read_bytes()
    except OSError as error:
        raise GanvasError(f"'{path}' cannot be read ({error.strerror or error}): expected {ENDING}") from error
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:
        # Of protocol buffers, whose types of errors are those of whichever package reads them.
        raise GanvasError(f"'{path}' is no ONNX file or is damaged ({_first_line(error)})") from error
    texts = {entry.key: entry.value for entry in model.metadata_props}
    if HEADER_KEY not in texts:
        raise GanvasError(
            f"'{path}' has no ganvas header: it was written by another program. Expected what `ganvas export` writes."
        )
    foreign = {opset.domain for opset in model.opset_import} - {"", "ai.onnx"}
    if foreign or _has_parts_elsewhere(model):
        found = f"operators of {', '.join(sorted(foreign))}" if foreign else "weights in another file"
        raise GanvasError(f"'{path}' has {found}, which ganvas never writes: export the model again")
    return data, parse_header(path, texts[HEADER_KEY])


def _has_parts_elsewhere(message: Any) -> bool:
    """Whether a tensor anywhere in a protocol buffer lies in another file, which could be any file."""
    import onnx

    if isinstance(message, onnx.TensorProto):
        return message.data_location == onnx.TensorProto.EXTERNAL or bool(message.external_data)
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        parts = [value] if hasattr(value, "ListFields") else value
        if any(_has_parts_elsewhere(part) for part in parts):
            return True
    return False


def _fits(found: tuple[str, tuple[int | str, ...]], expected: tuple[str, tuple[int | str, ...]]) -> bool:
    (kind, shape), (wanted_kind, wanted) = found, expected
    if kind != wanted_kind or len(shape) != len(wanted):
        return False
    return all(
        isinstance(side, str) if isinstance(need, str) else side == need
        for side, need in zip(shape, wanted, strict=True)
    )


def _told(inputs: Mapping[str, tuple[str, tuple[int | str, ...]]]) -> str:
    return " and ".join(f"{name} {kind} ({', '.join(map(str, shape))})" for name, (kind, shape) in inputs.items())


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
