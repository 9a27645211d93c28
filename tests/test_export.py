"""Exports: the same pictures from another runtime, or no file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from export_help import STREET, colour_model, label_header, network, picture, save, translate_header
from ganvas import config
from ganvas.data.preparation import Preparation
from ganvas.errors import GanvasError
from ganvas.exporting import export_onnx
from ganvas.exporting.agreement import real_inputs
from ganvas.exporting.description import EXAMPLES
from ganvas.inference import Model
from ganvas.model_file import LabelHeader, TranslateHeader, load_model, save_model
from ganvas.models.spread import GAIN

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

from ganvas.exporting import build as building  # noqa: E402
from ganvas.exporting import networks  # noqa: E402
from ganvas.inference.onnx_file import OnnxGenerator  # noqa: E402


def exported(header: LabelHeader | TranslateHeader, made: nn.Module, opset: int = 21) -> OnnxGenerator:
    return OnnxGenerator(building.build(made, header, "fp32", opset), header, "the export")


# The same pictures


@pytest.mark.parametrize(
    "header",
    [
        label_header(config.DenseGenerator()),
        label_header(config.DenseConditionalGenerator(), channels=3),
        label_header(config.PaperGenerator(dropout=0.2)),
        label_header(config.PaperGenerator(dropout=0)),
        label_header(config.ConvGenerator(width=8)),
        label_header(config.ConvGenerator(width=4), 64, 3),
    ],
    ids=["dense", "dense-conditional", "paper", "paper-without-dropout", "conv", "conv-64"],
)
def test_from_noise_it_draws_what_pytorch_draws(header: LabelHeader) -> None:
    made = network(header)
    other = exported(header, made)
    for count in (1, 5):
        # Around where the paper's generator, alone in having any, draws the line of dropout.
        z = torch.randn(count, header.generator.noise_length) + 0.5
        labels = torch.arange(count) + 2 if header.conditional else None
        found = made(z, labels)
        assert float(found.std()) > 0.05
        torch.testing.assert_close(other(z, labels), found, rtol=0, atol=1e-4)


VARIANTS: list[dict[str, Any]] = [
    {},
    {"generator": {"upsampling": "resize"}},
    {"generator": {"source_skip": True}},
    {"generator": {"source_skip": True, "spread": 2}},
    {"generator": {"spread": 1}, "hints": True},
    {"generator": {"residual_blocks": (1, 0, 2)}},
    {"generator": {"residual_blocks": (1, 2), "norm": "spade"}, "source": STREET},
    {"generator": {"noise": 2}},
    {"generator": {"noise": 1, "norm": "spade", "source_skip": True}, "source": STREET},
    {"generator": {"upsampling": "pixel-shuffle"}},
    {"generator": {"skip_order": "skip-first", "dropout_layers": "2-4"}},
    {"generator": {"norm_statistics": "running"}},
    {"generator": {"bottleneck_norm": True}},
    {"generator": {"norm": "instance", "upsampling": "resize"}},
    {"generator": {"norm": "instance", "bottleneck_norm": True}},
    {"generator": {"norm": "spade"}, "source": STREET},
    {"generator": {"norm": "spade", "bottleneck_norm": True}, "source": STREET, "hints": True},
    {"class_names": ("day", "night", "dusk")},
    {"class_names": ("day", "night", "dusk"), "generator": {"norm": "spade"}, "source": STREET},
    {"hints": True, "source": Preparation(channels=1), "target": Preparation(channels=4)},
    {"generator": {"norm": "instance"}, "size": 100},
]


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_of_pictures_of_any_size_it_draws_what_pytorch_draws(changes: dict[str, Any]) -> None:
    header = translate_header(**changes)
    made = network(header)
    other = exported(header, made)
    for count, height, width in ((1, 32, 32), (3, 64, 96), (2, 1, 1), (1, 33, 70), (1, 5, 128)):
        x = torch.randn(count, header.in_channels, height, width)
        labels = (torch.arange(count) + 1) % 3 if header.class_names else None
        found = made(x.clone(), labels)
        if height > 1:
            assert float(found.std()) > 0.05
        torch.testing.assert_close(other(x, labels), found, rtol=0, atol=3e-4)


def test_gates_that_are_all_but_shut_spread_as_in_pytorch() -> None:
    header = translate_header(generator={"source_skip": True, "spread": 2})
    made: Any = network(header)
    conv = made.spread.conv
    conv.weight.zero_()
    # Doubtful where the gates are shut, so that what little passes has a say.
    conv.weight[:, -1, 1, 1] = 1.5
    x = torch.randn(1, header.in_channels, 64, 96)
    gates = torch.sigmoid(GAIN * (1.5 * x[:, -1] + conv.bias[1]))
    assert float((gates < 1e-8).float().mean()) > 0.1
    assert float((gates > 0.9).float().mean()) > 0.1
    torch.testing.assert_close(exported(header, made)(x), made(x.clone()), rtol=0, atol=3e-4)


def test_without_skips_it_draws_what_pytorch_draws() -> None:
    header = translate_header().model_copy(update={"generator": config.EncoderDecoderGenerator(width=4)})
    made = network(header)
    x = torch.randn(1, 3, 40, 64)
    torch.testing.assert_close(exported(header, made)(x), made(x.clone()), rtol=0, atol=3e-4)


@pytest.mark.parametrize("opset", [18, 21, 26])
def test_the_opset_is_the_one_asked_for(opset: int) -> None:
    header = translate_header(generator={"norm": "spade"}, source=STREET)
    made = network(header)
    written = onnx.load_model_from_string(building.build(made, header, "fp32", opset))
    assert [(entry.domain, entry.version) for entry in written.opset_import] == [("", opset)]
    x = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(exported(header, made, opset)(x), made(x.clone()), rtol=0, atol=3e-4)


# The check


@pytest.mark.parametrize("wrong", ["SLOPE", "EPSILON"])
def test_an_export_that_draws_otherwise_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    (tmp_path / "models").mkdir()
    colour = colour_model(tmp_path / "models")
    monkeypatch.setattr(networks, wrong, 0.1)
    with pytest.raises(GanvasError, match=r"'colour' draws otherwise than the model: .* expected at most 0\.001"):
        export_onnx(colour, tmp_path / "x.onnx")
    (tmp_path / "x.onnx").write_text("kept")
    with pytest.raises(GanvasError):
        export_onnx(colour, tmp_path / "x.onnx", precision="int8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["models", "x.onnx"]
    assert (tmp_path / "x.onnx").read_text() == "kept"


def test_a_model_of_numbers_that_are_none_is_not_exported(tmp_path: Path) -> None:
    header = translate_header()
    broken = network(header)
    next(broken.parameters()).fill_(torch.nan)
    save_model(tmp_path / "broken.safetensors", broken, header)
    with pytest.raises(GanvasError, match="they differ by up to inf"):
        export_onnx(tmp_path / "broken.safetensors", tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()


def test_every_shipped_model_is_exported_and_checked(tmp_path: Path) -> None:
    for name in ("digits-cgan-course", "digits-conv", "digits-gan"):
        done = export_onnx(name, tmp_path / f"{name}.onnx")
        assert 0 < done.random.largest < 1e-4
        assert 0 < done.real.largest < 1e-4
        assert done.loss is None


def test_real_input_is_what_translating_the_drawings_gives_the_network(tmp_path: Path) -> None:
    model = Model(colour_model(tmp_path))
    given = [x for x, _ in real_inputs(model.header)]
    drawings = sorted((EXAMPLES / "drawings").glob("*.png"))
    assert len(given) == len(drawings) >= 4
    seen: list[torch.Tensor] = []
    model._generator.register_forward_pre_hook(lambda _, args: seen.append(args[0].clone()))
    for drawing in drawings[:2]:
        model.translate(drawing)
    for x, translated in zip(given, seen, strict=False):
        assert torch.equal(x[:, :1], translated[:, :1])
        assert float(x[:, :1].std()) > 0.1
    # None on the first, then one more on each.
    assert [len(torch.unique(x[0, 1:4, x[0, 4] > 0], dim=1).T) for x in given] == [0, 1, 2, 3]
    assert all(float(x.abs().max()) == 1 for x in given)


@pytest.mark.parametrize("classes", [2, 40])
def test_real_input_of_label_maps_are_streets_of_classes_that_the_model_has(classes: int) -> None:
    names = tuple(f"class {number}" for number in range(classes))
    source = Preparation(kind="labels", channels=1, class_names=names, colours=tuple((n, 0, 0) for n in range(classes)))
    given = [x for x, _ in real_inputs(translate_header(source=source))]
    assert [x.shape[1] for x in given] == [classes] * 4
    for x in given:
        assert torch.equal(x.sum(1), torch.ones_like(x[:, 0]))
        assert int((x.amax((0, 2, 3)) > 0).sum()) >= min(classes, 5)


# Weights of fewer bits


def test_rounded_weights_are_as_near_as_their_bits_allow(tmp_path: Path) -> None:
    header = translate_header(generator={"upsampling": "resize"})
    path = save(tmp_path / "m.safetensors", header)
    whole, half, quarter = (export_onnx(path, tmp_path / f"{kind}.onnx", precision=kind) for kind in KINDS)
    assert half.bytes < 0.6 * whole.bytes
    assert quarter.bytes < 0.4 * whole.bytes
    weights = {name: value.numpy() for name, value in load_model(path)[0].state_dict().items()}
    stored = {entry.name: onnx.numpy_helper.to_array(entry) for entry in onnx.load(quarter.path).graph.initializer}
    rounded = [name for name, value in stored.items() if value.dtype == np.int8]
    assert len(rounded) == 6, "all weights but the first and last layers', which are too small to matter"
    for name in rounded:
        scales = stored[f"{name}.scales"]
        # Half a step of a scale that is the channel's largest weight over 127.
        largest = np.abs(weights[name]).max(axis=tuple(np.flatnonzero(np.array(scales.shape) == 1)), keepdims=True)
        assert np.all(np.abs(stored[name] * scales - weights[name]) <= largest / 254 * 1.001)


KINDS = ("fp32", "fp16", "int8")


def test_the_loss_is_that_of_the_file(tmp_path: Path) -> None:
    path = save(tmp_path / "m.safetensors", label_header(config.DenseConditionalGenerator()))
    done = export_onnx(path, tmp_path / "m.onnx", precision="int8")
    assert done.loss is not None
    # Of the bytes: quantised to levels of 255 the same, but for rounding.
    whole, rounded = (
        np.concatenate([drawing.images for drawing in Model(file).draw(count=2000)]).astype(float) / 127.5
        for file in (path, done.path)
    )
    assert done.loss.mean == pytest.approx(np.abs(whole - rounded).mean(), rel=0.1)
    assert done.loss.psnr == pytest.approx(10 * math.log10(4 / np.square(whole - rounded).mean()), abs=0.5)
    assert done.loss.largest >= done.loss.mean


def test_weights_that_were_stored_in_half_lose_nothing(tmp_path: Path) -> None:
    header = translate_header()
    save_model(tmp_path / "m.safetensors", network(header), header, half=True)
    for kind in ("fp32", "fp16"):
        export_onnx(tmp_path / "m.safetensors", tmp_path / f"{kind}.onnx", precision=kind)
    image = picture(40, 30)
    results = [Model(tmp_path / f"{kind}.onnx").translate(image) for kind in ("fp32", "fp16")]
    assert results[0].tobytes() == results[1].tobytes()
