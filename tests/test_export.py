"""Exports: the same pictures from another runtime, or no file; and nothing but what ganvas wrote is run."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import ganvas
from ganvas import __version__, config
from ganvas.cli.main import _run
from ganvas.data.preparation import Preparation
from ganvas.errors import GanvasError, UsageError
from ganvas.exporting import export_onnx
from ganvas.exporting.agreement import real_inputs
from ganvas.exporting.description import EXAMPLES
from ganvas.inference import Model, read_header, translation
from ganvas.metrics.digit_classifier import load_digit_classifier
from ganvas.model_file import LabelHeader, TrainingData, TranslateHeader, load_model, save_model

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

from ganvas.exporting import build as building  # noqa: E402
from ganvas.exporting import networks  # noqa: E402
from ganvas.inference.onnx_file import OnnxGenerator  # noqa: E402

STREET = Preparation(
    kind="labels", channels=1, class_names=("sky", "road", "car"), colours=((0, 0, 255), (90, 90, 90), (255, 0, 0))
)
COMMON = {
    "ganvas_version": __version__,
    "data": TrainingData(source="squares", fingerprint="0" * 16, licence="CC BY-SA 4.0: drawn by Ann"),
    "images_seen": 1000,
}


def translate_header(**changes: Any) -> TranslateHeader:
    generator = config.UnetGenerator(width=4, **changes.pop("generator", {}))
    fields = {"recipe": "own", "size": 32, "source": Preparation(), "target": Preparation(), "hints": False}
    return TranslateHeader.model_validate({**COMMON, **fields, "generator": generator, **changes})


def label_header(generator: config.Generator, size: int = 28, channels: int = 1) -> LabelHeader:
    return LabelHeader(
        **COMMON,
        recipe="own",
        size=size,
        generator=generator,
        class_names=tuple("abcdefg"),
        conditional=generator.network not in config.UNCONDITIONAL,
        channels=channels,
        value_range=(0.0, 1.0) if generator.network == "paper" else (-1.0, 1.0),
    )


def network(header: LabelHeader | TranslateHeader) -> nn.Module:
    """With every weight and statistic away from where it starts, many of which are zero or one."""
    torch.manual_seed(0)
    made = header.build().eval().requires_grad_(False)
    for name, weight in made.named_parameters():
        alone = weight.ndim == 1 or "film" in name
        weight.add_(torch.randn_like(weight) * (0.5 if alone else 2 * float(weight.std()) + 0.02))
    for name, value in made.named_buffers():
        if name.endswith("running_mean"):
            value.normal_()
        elif name.endswith("running_var"):
            value.uniform_(0.5, 2)
    return made


def exported(header: LabelHeader | TranslateHeader, made: nn.Module, opset: int = 21) -> OnnxGenerator:
    return OnnxGenerator(building.build(made, header, "fp32", opset), header, "the export")


def save(path: Path, header: LabelHeader | TranslateHeader) -> Path:
    save_model(path, network(header), header)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="module")
def colour(folder: Path) -> Path:
    """A model of the task translate with hints, and its export beside it."""
    path = save(folder / "colour.safetensors", translate_header(hints=True, source=Preparation(channels=1)))
    export_onnx(path, path.with_suffix(".onnx"))
    return path


@pytest.fixture(scope="module")
def digits(folder: Path) -> Path:
    """An export of a shipped model."""
    export_onnx("digits-cgan", folder / "digits.onnx")
    return folder / "digits.onnx"


# The same pictures


@pytest.mark.parametrize(
    "header",
    [
        label_header(config.DenseGenerator()),
        label_header(config.DenseConditionalGenerator(), channels=3),
        label_header(config.PaperGenerator()),
        label_header(config.ConvGenerator(width=8)),
        label_header(config.ConvGenerator(width=4), 64, 3),
    ],
    ids=["dense", "dense-conditional", "paper", "conv", "conv-64"],
)
def test_from_noise_it_draws_what_pytorch_draws(header: LabelHeader) -> None:
    made = network(header)
    other = exported(header, made)
    for count in (1, 5):
        z = torch.randn(count, header.generator.latent)
        labels = torch.arange(count) + 2 if header.conditional else None
        found = made(z, labels)
        assert float(found.std()) > 0.05
        torch.testing.assert_close(other(z, labels), found, rtol=0, atol=1e-4)


VARIANTS: list[dict[str, Any]] = [
    {},
    {"generator": {"upsampling": "resize"}},
    {"generator": {"source_skip": True}},
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
    colour: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setattr(networks, wrong, 0.1)
    with pytest.raises(GanvasError, match=r"'colour' draws otherwise than the model: .* expected at most 0\.001"):
        export_onnx(colour, tmp_path / "x.onnx")
    (tmp_path / "x.onnx").write_text("kept")
    with pytest.raises(GanvasError):
        export_onnx(colour, tmp_path / "x.onnx", precision="int8")
    assert [path.name for path in tmp_path.iterdir()] == ["x.onnx"]
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


def test_real_input_is_what_translating_the_drawings_gives_the_network(colour: Path) -> None:
    model = Model(colour)
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


# Using it


def picture(width: int, height: int, mode: str = "RGB") -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((width, height), Image.Resampling.NEAREST).convert(mode)


def most_levels(one: Image.Image, other: Image.Image) -> int:
    assert one.size == other.size
    return int(np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int)).max())


def test_the_header_is_that_of_the_model(colour: Path) -> None:
    assert read_header(colour.with_suffix(".onnx")) == read_header(colour)


def test_translating_gives_the_models_pictures(colour: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, export = Model(colour), Model(colour.with_suffix(".onnx"))
    image = picture(150, 100, "L")
    hints = Image.new("RGBA", image.size)
    hints.paste((255, 0, 0, 255), (40, 30, 70, 60))
    for name, value in {"WHOLE": 64 * 64, "TILE": 64, "OVERLAP": 32}.items():
        monkeypatch.setattr(translation, name, value)
    plain = export.translate(image)
    for scale in ("fit", "native"):
        assert most_levels(export.translate(image, scale=scale), model.translate(image, scale=scale)) <= 1
    dabbed = export.translate(image, hints=hints)
    assert most_levels(dabbed, model.translate(image, hints=hints)) <= 1
    assert most_levels(dabbed, plain) > 10


def test_a_class_is_kept_to(tmp_path: Path) -> None:
    path = save(tmp_path / "m.safetensors", translate_header(class_names=("day", "night")))
    export_onnx(path, tmp_path / "m.onnx")
    model, export = Model(path), Model(tmp_path / "m.onnx")
    drawn = [export.translate(picture(32, 32), label=label) for label in ("day", "night")]
    assert most_levels(drawn[1], model.translate(picture(32, 32), label="night")) <= 1
    assert most_levels(*drawn) > 10
    with pytest.raises(UsageError, match="give one with --label: day, night"):
        export.translate(picture(32, 32))


def test_sampling_gives_the_models_pictures(digits: Path) -> None:
    drawn = [Model(model).sample([3, 7], count=120, seed=5) for model in (digits, "digits-cgan")]
    assert max(most_levels(one, other) for one, other in zip(*drawn, strict=True)) <= 1
    sheets = [Model(model).sheet("interpolation", [4], seed=1) for model in (digits, "digits-cgan")]
    assert most_levels(*sheets) <= 1


def test_the_paper_s_range_is_known(tmp_path: Path) -> None:
    path = save(tmp_path / "m.safetensors", label_header(config.PaperGenerator()))
    export_onnx(path, tmp_path / "m.onnx")
    for one, other in zip(Model(tmp_path / "m.onnx").sample(), Model(path).sample(), strict=True):
        assert most_levels(one, other) <= 1


def test_on_the_command_line(colour: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture(40, 30).save(tmp_path / "cat.png")
    out = tmp_path / "x.onnx"
    assert _run(["export", str(colour), "--to", "onnx", "--out", str(out), "--precision", "int8", "--opset", "18"]) == 0
    said = capsys.readouterr().out
    assert f"{out} ({out.stat().st_size / 1e6:.2f} MB)" in said
    assert re.search(r"real input    differs from PyTorch by at most \S+ \(drawings 0-house, 1-cat, ", said)
    assert "loss          against float32 on the real input: L1 " in said
    assert _run(["info", str(out)]) == 0
    assert "grey picture" in capsys.readouterr().out
    assert _run(["translate", str(out), str(tmp_path / "cat.png"), "--out", str(tmp_path / "done")]) == 0
    with Image.open(tmp_path / "done" / "cat.png") as done:
        assert done.size == (40, 30)


def test_the_page_draws_sevens_without_ganvas(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[1] / "docs" / "export.md").read_text("utf-8")
    monkeypatch.chdir(digits.parent)
    found: dict[str, Any] = {}
    exec(re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[0], found)
    drawn = load_digit_classifier()(torch.from_numpy(found["pictures"])).argmax(1)
    assert int((drawn == 7).sum()) >= 9
    assert found["levels"].dtype == np.uint8


# What a user can get wrong


def test_what_cannot_be_is_refused_in_one_line(colour: Path, digits: Path, tmp_path: Path) -> None:
    onnx_file = colour.with_suffix(".onnx")
    cases: list[tuple[Any, str]] = [
        (lambda: ganvas.export(colour, tmp_path / "x.pt"), r"cannot export to '.*x\.pt': expected FILE\.onnx"),
        (lambda: ganvas.export(colour, tmp_path / "x.onnx", to="coreml"), "to 'coreml': expected onnx or web"),  # type: ignore[call-overload]
        (lambda: ganvas.export(colour, tmp_path / "x.onnx", precision="int4"), "'int4': expected fp32, fp16, int8"),
        (lambda: ganvas.export(colour, tmp_path / "x.onnx", opset=17), "opset is 17: expected 18 to "),
        (lambda: ganvas.export(colour, tmp_path / "x.onnx", opset=999), "opset is 999: expected 18 to "),
        (lambda: ganvas.export(onnx_file, tmp_path / "x.onnx"), "is an export: give the .safetensors"),
        (lambda: Model(onnx_file).variations(picture(32, 32), 2), "'colour' has nothing to vary: an export has no"),
        (lambda: Model(onnx_file).sample(), "'colour' translates pictures"),
        (lambda: Model(digits).translate(picture(28, 28)), "'digits' draws without a picture"),
        (lambda: Model(digits, device="cuda"), "run by onnxruntime on the CPU: leave the device 'cuda' out"),
        (lambda: Model(digits, precision="bf16"), "in the precision it was exported with: leave the precision out"),
    ]
    for call, words in cases:
        with pytest.raises(UsageError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_extra_is_named(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    for call in (
        lambda: Model(digits),
        lambda: read_header(digits),
        lambda: export_onnx("digits-cgan", tmp_path / "x.onnx"),
    ):
        with pytest.raises(UsageError, match=r"pip install 'ganvas\[onnx\]'"):
            call()


# Files of others


def changed(source: Path, target: Path, **metadata: str) -> Any:
    """The protocol buffer of an export with other metadata, to be changed further and saved at ``target``."""
    model = onnx.load(source)
    texts = {entry.key: entry.value for entry in model.metadata_props} | metadata
    onnx.helper.set_model_props(model, {key: text for key, text in texts.items() if text})
    target.write_bytes(model.SerializeToString())
    return model


def test_what_is_wrong_with_a_file_is_said_in_one_line(digits: Path, colour: Path, tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("hello")
    (tmp_path / "cut.onnx").write_bytes(digits.read_bytes()[:100_000])
    changed(digits, tmp_path / "foreign.onnx", ganvas="")
    changed(digits, tmp_path / "broken.onnx", ganvas="{")
    changed(digits, tmp_path / "other.onnx", ganvas=read_header(colour).model_dump_json())
    header = read_header(digits)
    assert isinstance(header, LabelHeader)
    narrow = header.model_copy(update={"generator": config.DenseConditionalGenerator(latent=7)})
    changed(digits, tmp_path / "narrow.onnx", ganvas=narrow.model_dump_json())
    cyclic = changed(digits, tmp_path / "cyclic.onnx")
    cyclic.graph.node[0].input[0] = "pictures"
    (tmp_path / "cyclic.onnx").write_bytes(cyclic.SerializeToString())
    cases = {
        "nowhere": "no model",
        "text": "is no ONNX file or is damaged|has no ganvas header",
        "cut": "is no ONNX file or is damaged",
        "foreign": "written by another program",
        "broken": "damaged ganvas header",
        "other": "its header says",
        "narrow": "its header says",
        "cyclic": "cannot be loaded by onnxruntime",
    }
    for name, words in cases.items():
        with pytest.raises(GanvasError, match=words) as caught:
            Model(tmp_path / f"{name}.onnx")
        assert "\n" not in str(caught.value)


def test_a_file_that_draws_other_than_its_header_says_is_refused(digits: Path, tmp_path: Path) -> None:
    header = read_header(digits).model_copy(update={"channels": 3})
    changed(digits, tmp_path / "grey.onnx", ganvas=header.model_dump_json())
    with pytest.raises(GanvasError, match=r"draws float32 \(100, 1, 28, 28\), its header says float32 \(100, 3, 28"):
        Model(tmp_path / "grey.onnx").sample()


@pytest.mark.parametrize("where", ["initializer", "attribute", "domain"])
def test_other_files_and_operators_never_reach_the_runtime(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    model = changed(digits, tmp_path / "evil.onnx")
    if where == "domain":
        model.opset_import.append(onnx.helper.make_opsetid("com.evil", 1))
    else:
        outside = onnx.TensorProto(name="outside", data_type=onnx.TensorProto.FLOAT, dims=[3], data_location=1)
        outside.external_data.add(key="location", value="../../etc/passwd")
        if where == "initializer":
            model.graph.initializer.append(outside)
        else:
            model.graph.node.append(onnx.helper.make_node("Constant", [], ["hidden"], value=outside))
    (tmp_path / "evil.onnx").write_bytes(model.SerializeToString())
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: pytest.fail("was given to the runtime"))
    with pytest.raises(GanvasError, match="which ganvas never writes"):
        Model(tmp_path / "evil.onnx")
