"""Exported files in use: what the model itself would draw, and nothing but what ganvas wrote is run."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import ganvas
from export_help import colour_model, label_header, most_levels, picture, save, translate_header
from ganvas import config
from ganvas.cli.main import _run
from ganvas.errors import GanvasError, UsageError
from ganvas.exporting import export_onnx
from ganvas.inference import Model, read_header, translation
from ganvas.metrics.digit_classifier import load_digit_classifier
from ganvas.model_file import LabelHeader

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="module")
def colour(folder: Path) -> Path:
    """A model of the task translate with hints, and its export beside it."""
    path = colour_model(folder)
    export_onnx(path, path.with_suffix(".onnx"))
    return path


@pytest.fixture(scope="module")
def digits(folder: Path) -> Path:
    """An export of a shipped model."""
    export_onnx("digits-cgan", folder / "digits.onnx")
    return folder / "digits.onnx"


# Using it


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


@pytest.mark.parametrize("kind", ["fp16", "int8"])
def test_rounded_models_take_hints_on_the_command_line(colour: Path, tmp_path: Path, kind: str) -> None:
    picture(40, 30).save(tmp_path / "cat.png")
    dabs = Image.new("RGBA", (40, 30))
    dabs.paste((255, 0, 0, 255), (10, 8, 24, 20))
    dabs.save(tmp_path / "dabs.png")
    export = tmp_path / f"{kind}.onnx"
    assert _run(["export", str(colour), "--out", str(export), "--precision", kind]) == 0
    drawn = []
    for hints in ([], ["--hints", str(tmp_path / "dabs.png")]):
        assert _run(["translate", str(export), str(tmp_path / "cat.png"), "--out", str(tmp_path / "out"), *hints]) == 0
        drawn.append(Image.open(tmp_path / "out" / "cat.png").copy())
    assert most_levels(*drawn) > 10
    exact = Model(colour).translate(tmp_path / "cat.png", hints=tmp_path / "dabs.png")
    # Of random weights, which forgive no rounding.
    assert most_levels(drawn[1], exact) <= {"fp16": 8, "int8": 60}[kind]


def test_what_an_export_cannot_be_asked_is_refused_in_one_line(
    colour: Path, digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = save(tmp_path / "plain.safetensors", translate_header(class_names=("day", "night")))
    export_onnx(plain, tmp_path / "plain.onnx")
    picture(40, 30).save(tmp_path / "cat.png")
    for name, size in (("dabs", (40, 30)), ("small", (20, 15))):
        Image.new("RGBA", size, "red").save(tmp_path / f"{name}.png")
    dabs, small = (["--hints", str(tmp_path / f"{name}.png")] for name in ("dabs", "small"))
    hinted = colour.with_suffix(".onnx")
    cases: list[tuple[Path, list[str], str]] = [
        (tmp_path / "plain.onnx", ["--label", "day", *dabs], "'plain' takes no hints"),
        (tmp_path / "plain.onnx", [], "draws for a class: give one with --label: day, night"),
        (tmp_path / "plain.onnx", ["--label", "noon"], "no class 'noon': it knows day, night"),
        (hinted, ["--label", "day"], "'colour' takes no label"),
        (hinted, small, "has 20 x 15 pixels"),
        (hinted, ["--variations", "3"], "an export always draws the same. Use its model file."),
        (hinted, ["--precision", "bf16"], "leave the precision out"),
        (hinted, ["--device", "cuda"], "leave the device 'cuda' out"),
        (digits, [], "draws without a picture to start from"),
        (tmp_path / "nowhere.onnx", [], "no model"),
    ]
    for model, options, words in cases:
        given = ["translate", str(model), str(tmp_path / "cat.png"), "--out", str(tmp_path / "out"), *options]
        assert _run(given) in (1, 2)
        said = capsys.readouterr()
        assert words in said.err
        assert re.fullmatch(r"ganvas: .*\n", said.err)
        assert not said.out
    assert not list(tmp_path.glob("out/*"))


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
        (lambda: Model(onnx_file).variations(picture(32, 32), 2), "'colour' has nothing to vary: an export always"),
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


@pytest.mark.parametrize("shape", [(1, 5, 32, 32), ("batch", 5, 64, 48), ("batch", "channels", "height", "width")])
def test_an_export_that_someone_gave_another_shape_is_refused(
    colour: Path, tmp_path: Path, shape: tuple[int | str, ...]
) -> None:
    model = changed(colour.with_suffix(".onnx"), tmp_path / "fixed.onnx")
    model.graph.input[0].CopyFrom(onnx.helper.make_tensor_value_info("source", onnx.TensorProto.FLOAT, shape))
    (tmp_path / "fixed.onnx").write_bytes(model.SerializeToString())
    told = ", ".join(map(str, shape))
    with pytest.raises(GanvasError) as caught:
        Model(tmp_path / "fixed.onnx")
    assert str(caught.value) == (
        f"'{tmp_path / 'fixed.onnx'}' takes source tensor(float) ({told}), its header says source tensor(float) "
        "(batch, 5, height, width): export the model again"
    )


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
