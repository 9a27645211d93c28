"""Exported pages: whole or not at all, small, and told all that the browser has to know."""

from __future__ import annotations

import gzip
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ganvas
from export_help import STREET, label_header, save, translate_header
from ganvas import config
from ganvas.cli.main import _run
from ganvas.data.preparation import Preparation
from ganvas.errors import GanvasError, UsageError
from ganvas.exporting import export_web, networks, web_export
from ganvas.exporting.description import translating
from ganvas.inference import Model
from ganvas.model_file import save_model

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

STATIC = Path(ganvas.__file__).parent / "studio" / "static"
WEB = Path(__file__).parents[1] / "web" / "src" / "lib"
built = pytest.mark.skipif(not (STATIC / "runtime").is_dir(), reason="the page is not built: run `make web`")


@pytest.fixture(autouse=True)
def page(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page in the place of the one that Node builds."""
    folder = tmp_path_factory.mktemp("static")
    (folder / "index.html").write_text(
        '<html><head>\n    <meta charset="utf-8" />\n    <title>page</title></head></html>'
    )
    for name in ("assets/index-1a.js", "runtime/1.2.3/ort.mjs"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("draw()")
    monkeypatch.setattr(web_export, "PAGE", folder)
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    save(folder / "colour.safetensors", translate_header(hints=True, source=Preparation(channels=1, background="navy")))
    save(folder / "a street #1.safetensors", translate_header(source=STREET, generator={"norm": "spade"}))
    save(folder / "letters.safetensors", label_header(config.PaperGenerator()))
    return folder


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def manifest(folder: Path) -> dict[str, Any]:
    """Of each model by name."""
    found = json.loads((folder / "models.json").read_text("utf-8"))
    assert found["format"] == 1
    return {model["name"]: model for model in found["models"]}


# What is in it


def test_the_folder_holds_the_page_its_models_and_examples_and_nothing_else(models: Path, tmp_path: Path) -> None:
    given = [models / "colour.safetensors", models / "a street #1.safetensors"]
    done = export_web(given, tmp_path / "page")
    found = files_in(done.path)
    drawings = {f"examples/drawings/{name}.png" for name in ("0-house", "1-cat", "2-flower", "3-car")}
    exports = {path for path in found if path.startswith("models/")}
    assert found - exports == {"index.html", "models.json", "assets/index-1a.js", "runtime/1.2.3/ort.mjs"} | drawings
    # Names that need no quoting in any address.
    assert sorted(re.sub(r"-[0-9a-f]{8}\.onnx\.gz$", "", path) for path in exports) == [
        "models/a_street__1",
        "models/colour",
    ]
    assert done.bytes == sum((done.path / path).stat().st_size for path in found)
    assert [one.path.stat().st_size for one in done.models] == [one.bytes for one in done.models]
    assert {path.name for path in tmp_path.iterdir()} == {"page"}


def test_the_page_names_its_manifest_and_may_ask_for_its_own_files_alone(models: Path, tmp_path: Path) -> None:
    export_web([models / "letters.safetensors"], tmp_path / "page")
    text = (tmp_path / "page" / "index.html").read_text("utf-8")
    assert text.count('<meta name="ganvas-models" content="./models.json" />') == 1
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)" />', text)
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert rules["connect-src"] == rules["worker-src"] == "'self'"
    assert "unsafe-inline" not in policy
    assert "'unsafe-eval'" not in policy
    assert text.index("Content-Security-Policy") < text.index("<title>")


def test_a_model_s_manifest_says_how_a_picture_is_prepared(models: Path, tmp_path: Path) -> None:
    export_web([models / "colour.safetensors", models / "a street #1.safetensors"], tmp_path / "page")
    colour, street = manifest(tmp_path / "page").values()
    assert (colour["task"], colour["size"], colour["hints"], colour["variations"]) == ("translate", 32, True, False)
    assert colour["source"] == {"kind": "picture", "channels": 1, "classes": []}
    how = colour["translating"]
    assert how["background"] == [0, 0, 128]
    assert (how["fit"], how["resize"], how["enlarge"], how["colours"]) == ("stretch", "bilinear", "lanczos", [])
    assert how["multiple"] == Model(models / "colour.safetensors")._generator.multiple
    assert street["source"]["classes"][1] == {"id": 1, "name": "road", "colour": "#5a5a5a"}
    assert street["translating"]["colours"] == [[0, 0, 255], [90, 90, 90], [255, 0, 0]]
    assert colour["sampling"] is None
    for model in (colour, street):
        assert (tmp_path / "page" / model["file"]).is_file()
        assert all((tmp_path / "page" / example).is_file() for example in model["example_files"])


@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_what_ends_in_sweeps_is_told_to_the_page(rounds: int) -> None:
    found = translating(translate_header(generator={"spread": rounds}))
    assert found is not None
    assert found["sweeps"] is (rounds > 0)


def test_a_model_s_manifest_says_how_noise_is_drawn(models: Path, tmp_path: Path) -> None:
    export_web([models / "letters.safetensors"], tmp_path / "page")
    letters = manifest(tmp_path / "page")["letters"]
    assert letters["sampling"] == {"latent": 2_500, "uniform": True, "value_range": [0.0, 1.0]}
    assert letters["class_names"] == list("abcdefg")
    assert letters["translating"] is letters["source"] is None
    assert letters["examples"] == 0


def test_the_manifest_has_the_keys_that_the_page_reads(models: Path, tmp_path: Path) -> None:
    export_web([models / "colour.safetensors", models / "letters.safetensors"], tmp_path / "page")
    colour, letters = manifest(tmp_path / "page").values()

    def keys(file: str, name: str) -> set[str]:
        (body,) = re.findall(
            rf"export interface {name}\b.*?\{{\n(.*?)^\}}", (WEB / file).read_text("utf-8"), re.S | re.M
        )
        return set(re.findall(r"^  (\w+)\??:", body, re.M))

    assert set(colour["translating"]) == keys("browser/manifest.ts", "Translating")
    assert set(colour["translating"]["probe"]) == keys("browser/manifest.ts", "Probe")
    assert set(letters["sampling"]) == keys("browser/manifest.ts", "Sampling")
    own = keys("browser/manifest.ts", "WebModel") | keys("backend.ts", "ModelInfo")
    assert own <= set(colour) == set(letters) == own | {"images_seen"}


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_the_probe_is_what_the_kept_weights_draw(models: Path, tmp_path: Path, precision: str) -> None:
    export_web([models / "colour.safetensors"], tmp_path / "page", precision=precision)
    info = manifest(tmp_path / "page")["colour"]
    probe = info["translating"]["probe"]
    assert probe["shape"] == [1, 5, 32, 32]
    x = np.array([(7919 * index % 255) / 127.5 - 1 for index in range(5 * 32 * 32)], dtype=np.float32)
    (tmp_path / "m.onnx").write_bytes(gzip.decompress((tmp_path / "page" / info["file"]).read_bytes()))
    generator = Model(tmp_path / "m.onnx")._generator
    drawn = generator(torch.from_numpy(x.reshape(probe["shape"]))).flatten()
    assert probe["values"] == pytest.approx(drawn[probe["indices"]].tolist(), abs=1e-6)
    assert np.std(probe["values"]) > 0.05


def test_the_weights_are_those_of_an_onnx_export(models: Path, tmp_path: Path) -> None:
    source = models / "colour.safetensors"
    (done,) = export_web([source], tmp_path / "page").models
    assert done.precision == "fp16"
    ganvas.export(source, tmp_path / "m.onnx", precision="fp16")
    assert gzip.decompress(done.path.read_bytes()) == (tmp_path / "m.onnx").read_bytes()


# Whole or not at all


def test_an_earlier_page_is_replaced_and_leaves_nothing_of_itself(models: Path, tmp_path: Path) -> None:
    export_web([models / "colour.safetensors"], tmp_path / "page")
    before = files_in(tmp_path / "page")
    export_web([models / "letters.safetensors"], tmp_path / "page")
    after = files_in(tmp_path / "page")
    assert [path for path in after if path.startswith(("models/", "examples/"))] == sorted(after - before)
    assert list(manifest(tmp_path / "page")) == ["letters"]


def test_a_link_stays_and_the_folder_at_hand_may_be_given(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("real", "here"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path / "here")
    for out in (tmp_path / "link", "."):
        export_web([models / "letters.safetensors"], out)
    assert (tmp_path / "link").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "link", "real"]
    assert files_in(tmp_path / "real") == files_in(tmp_path / "here") > {"index.html", "models.json"}


def test_a_folder_of_other_things_is_left_alone(models: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("kept")
    (tmp_path / "file").write_text("kept")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("kept")
    (tmp_path / "empty").mkdir()
    for name, words in (
        ("mine", r"holds other things \(thesis\.txt\)"),
        ("site", "other things"),
        ("file", "is a file"),
    ):
        with pytest.raises(UsageError, match=words) as caught:
            export_web([models / "letters.safetensors"], tmp_path / name)
        assert "\n" not in str(caught.value)
    export_web([models / "letters.safetensors"], tmp_path / "empty")
    (tmp_path / "empty" / "notes.txt").write_text("kept")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        export_web([models / "letters.safetensors"], tmp_path / "empty")
    for path in ("mine/thesis.txt", "file", "site/index.html", "empty/notes.txt"):
        assert (tmp_path / path).read_text() == "kept"


@pytest.mark.parametrize("earlier", [False, True])
def test_what_fails_half_way_leaves_nothing(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: bool
) -> None:
    if earlier:
        export_web([models / "letters.safetensors"], tmp_path / "page")
    before = {path: (tmp_path / path).read_bytes() for path in files_in(tmp_path)}

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(web_export, "_write", full)
    with pytest.raises(GanvasError, match=r"cannot write '.*page': No space left on device"):
        export_web([models / "colour.safetensors"], tmp_path / "page")
    assert {path: (tmp_path / path).read_bytes() for path in files_in(tmp_path)} == before
    assert [path.name for path in tmp_path.iterdir()] == (["page"] if earlier else [])


def test_a_model_that_draws_otherwise_is_in_no_page(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "SLOPE", 0.1)
    with pytest.raises(GanvasError, match="draws otherwise than the model"):
        export_web([models / "letters.safetensors", models / "colour.safetensors"], tmp_path / "page")
    assert not list(tmp_path.iterdir())


# What a user can get wrong


def test_what_cannot_be_is_refused_in_one_line(models: Path, tmp_path: Path, page: Path) -> None:
    letters = models / "letters.safetensors"
    four = save(tmp_path / "four.safetensors", translate_header(source=Preparation(channels=4)))
    (tmp_path / "run").mkdir()
    twin = save(tmp_path / "run" / "letters.safetensors", label_header(config.DenseGenerator()))
    (tmp_path / "x.onnx").write_bytes(b"")
    out = tmp_path / "page"
    cases: list[tuple[Any, str]] = [
        (lambda: export_web([], out), "no models given"),
        (lambda: export_web([letters, twin], out), "two models are called 'letters'"),
        (lambda: export_web([four], out), "model 'four' takes 4 channels"),
        (lambda: export_web([tmp_path / "x.onnx"], out), "is an export: give the .safetensors"),
        (lambda: export_web([letters], out, precision="int4"), "'int4': expected fp32, fp16, int8"),
        (lambda: export_web([letters], out, opset=17), "opset is 17"),
        (lambda: export_web([letters], out, opset=27), "opset is 27: the page runs models of 26 and older"),
        (lambda: ganvas.export([letters, twin], tmp_path / "y.onnx"), "an .onnx file holds one model, found 2"),  # type: ignore[call-overload]
        (lambda: ganvas.export(letters, out, to="ios"), "cannot export to 'ios': expected onnx or web"),  # type: ignore[call-overload]
    ]
    for call, words in cases:
        with pytest.raises(UsageError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert not out.exists()


def test_a_segmenter_is_refused(tmp_path: Path) -> None:
    from ganvas.model_file import SegmentHeader

    header = SegmentHeader.model_validate(
        {
            **translate_header().model_dump(),
            "task": "segment",
            "target": STREET.model_copy(update={"kind": "picture", "channels": 3}),
        }
    )
    save_model(tmp_path / "seg.safetensors", header.build(), header)
    with pytest.raises(UsageError, match=r"is for measuring \(task segment\): only generators are exported"):
        export_web([tmp_path / "seg.safetensors"], tmp_path / "page")


@pytest.mark.parametrize("missing", ["index.html", "runtime/1.2.3/ort.mjs"])
def test_a_page_that_is_not_built_is_told_of_before_anything_is_reckoned(
    models: Path, tmp_path: Path, page: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    (page / missing).unlink()
    if missing.startswith("runtime"):
        (page / "runtime" / "1.2.3").rmdir()
        (page / "runtime").rmdir()
    monkeypatch.setattr(web_export, "checked", lambda *_, **__: pytest.fail("was exported"))
    with pytest.raises(GanvasError, match="the studio's page has not been built: run `make web`"):
        export_web([models / "letters.safetensors"], tmp_path / "page")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_extra_is_named(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=r"pip install 'ganvas\[onnx\]'"):
        export_web([models / "letters.safetensors"], tmp_path / "page")
    assert not list(tmp_path.iterdir())


# On the command line


def test_on_the_command_line(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "page"
    given = [str(models / "colour.safetensors"), str(models / "letters.safetensors")]
    assert _run(["export", *given, "--to", "web", "--out", str(out), "--precision", "int8"]) == 0
    said = capsys.readouterr().out
    total = sum((out / path).stat().st_size for path in files_in(out))
    assert f"folder        {out} ({total / 1e6:.2f} MB in all)" in said
    assert said.count("loss          against float32 on the real input: L1 ") == 2
    assert f"python -m http.server --directory {out}" in said
    assert "more than 25 MB" not in said
    assert _run(["export", *given, "--to", "onnx", "--out", str(tmp_path / "x.onnx")]) == 2
    assert "an .onnx file holds one" in capsys.readouterr().err


def test_a_large_page_is_told_of(models: Path, tmp_path: Path, page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (page / "assets" / "large.bin").open("wb") as file:
        file.truncate(25_000_001)
    assert _run(["export", str(models / "letters.safetensors"), "--to", "web", "--out", str(tmp_path / "page")]) == 0
    assert "more than 25 MB: --precision int8 makes the models smaller" in capsys.readouterr().out


# The page that Node built


@built
def test_sketch2color_in_a_page_is_below_25_megabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_export, "PAGE", STATIC)
    done = export_web(["sketch2color"], tmp_path / "page")
    assert done.bytes < 25_000_000
    text = "".join(
        (done.path / path).read_text("utf-8")
        for path in files_in(done.path)
        if path.startswith("assets/") or path == "index.html"
    )
    # No address of another place is ever loaded; w3.org's are names of formats, the others stand in messages.
    loaded = re.findall(
        r"""(?:src|href)=["'](?!\./|#)[^"'{$]+|(?:fetch|import|Worker|URL)\(["'`](?:https?:)?//[^"'`]+""", text
    )
    assert loaded == []
    for address in re.findall(r"""(?:src|href)="(\./[^"]+)""", (done.path / "index.html").read_text("utf-8")):
        assert (done.path / address).is_file(), address


@built
def test_what_the_studio_s_page_loads_is_below_200_kilobytes_and_holds_no_runtime() -> None:
    page = (STATIC / "index.html").read_text("utf-8")
    files = [STATIC / address for address in re.findall(r"""(?:src|href)="\./(assets/[^"]+)""", page)]
    assert {file.suffix for file in files} == {".js", ".css"}
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) < 200_000
    assert not [file for file in files if b"InferenceSession" in file.read_bytes()]
