"""The model file: everything needed to draw, nothing that executes, and clear words about what is wrong with one."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save, save_file

from ganvas import config
from ganvas.api import Run, load
from ganvas.errors import GanvasError
from ganvas.model_file import LabelHeader, load_model, read_header, save_model
from ganvas.models import build_generator


def test_header_tells_everything_needed(finished_run: Run) -> None:
    header = read_header(finished_run.model_path)
    assert isinstance(header, LabelHeader)
    assert header.class_names == tuple("0123456789")
    assert (header.size, header.channels, header.value_range) == (28, 1, (-1.0, 1.0))
    assert header.data.fingerprint == finished_run.subject.fingerprint
    assert header.data.licence
    assert 0 < header.images_seen <= 1200
    assert set(header.metrics) == {"asked_accuracy", "digit_frechet"}


def test_file_is_plain_safetensors(finished_run: Run) -> None:
    with safe_open(finished_run.model_path, framework="pt") as file:
        assert json.loads(file.metadata()["ganvas"])["format_version"] == 1
        assert "joint.weight" in file.keys()  # noqa: SIM118


def test_half_storage_keeps_pictures_within_one_level(finished_run: Run, tmp_path: Path) -> None:
    generator, header = load_model(finished_run.model_path)
    save_model(tmp_path / "half.safetensors", generator, header, half=True)
    whole = np.concatenate([d.images for d in load(finished_run.model_path).draw(count=200)]).astype(int)
    half = np.concatenate([d.images for d in load(tmp_path / "half.safetensors").draw(count=200)]).astype(int)
    assert np.abs(whole - half).max() <= 1
    assert (tmp_path / "half.safetensors").stat().st_size < 0.55 * finished_run.model_path.stat().st_size


def with_header(source: Path, target: Path, header: str | None) -> Path:
    save_file(load_file(source), target, metadata=None if header is None else {"ganvas": header})
    return target


def test_what_is_wrong_with_a_file_is_said_in_one_line(finished_run: Run, tmp_path: Path) -> None:
    good = finished_run.model_path
    table = json.loads(read_header(good).model_dump_json())
    (tmp_path / "text.safetensors").write_text("hello")
    (tmp_path / "cut.safetensors").write_bytes(good.read_bytes()[:100_000])
    cases = {
        tmp_path / "text.safetensors": "no model file or is damaged",
        tmp_path / "cut.safetensors": "no model file or is damaged",
        with_header(good, tmp_path / "foreign.safetensors", None): "written by another program",
        with_header(good, tmp_path / "broken.safetensors", "{"): "damaged ganvas header",
        with_header(
            good, tmp_path / "new.safetensors", json.dumps(table | {"format_version": 9, "ganvas_version": "3.1"})
        ): r"model format 9.*pip install 'ganvas>=3.1'",
        with_header(good, tmp_path / "less.safetensors", json.dumps(table | {"size": "big"})): "header: size",
        with_header(good, tmp_path / "other.safetensors", json.dumps(table | {"size": 32})): "do not fit its header",
    }
    for path, words in cases.items():
        with pytest.raises(GanvasError, match=words) as caught:
            load(path)
        assert "\n" not in str(caught.value)


DENSE = {"network": "dense"}
CONV = {"network": "conv"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format_version": "2"}, "format_version is '2', no whole number"),
        ({"format_version": None}, "format_version is None"),
        ({"size": -28}, "size: Input should be greater than or equal to 8"),
        ({"size": 10_000_000}, "size: Input should be less than or equal to 1024"),
        ({"generator": CONV, "size": 29}, "size is 29: the conv networks draw 28, 32 or 64 pixels"),
        ({"generator": CONV | {"width": 5}}, "width"),
        ({"generator": DENSE, "conditional": False, "size": 1024}, "do not fit its header"),
        ({"conditional": False}, "conditional is False, which generator 'dense-conditional' is not"),
        ({"generator": DENSE}, "conditional is True, which generator 'dense' is not"),
        ({"generator": {"network": "dense-conditional", "latent": 10**9}}, "do not fit its header"),
        ({"generator": {"network": "dense-conditional", "latent": 10**18}}, "do not fit its header"),
        ({"generator": {"network": "dense-conditional", "latent": 10**30}}, "do not fit its header"),
        ({"class_names": []}, "class_names: "),
        ({"class_names": ["a"] * 10_001}, "class_names: "),
        ({"class_names": ["a" * 256]}, "class_names: 0: "),
    ],
)
def test_a_hostile_header_is_refused_before_memory_is_taken(
    finished_run: Run, tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    table = json.loads(read_header(finished_run.model_path).model_dump_json())
    path = with_header(finished_run.model_path, tmp_path / "x.safetensors", json.dumps(table | changes))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(GanvasError, match=words) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


def test_a_deeply_nested_header_is_refused(finished_run: Run, tmp_path: Path) -> None:
    with pytest.raises(GanvasError, match="damaged ganvas header"):
        load(with_header(finished_run.model_path, tmp_path / "x.safetensors", "[" * 100_000))


@pytest.mark.parametrize("kind", [torch.int64, torch.complex64])
def test_weights_that_are_no_floats_are_refused(finished_run: Run, tmp_path: Path, kind: torch.dtype) -> None:
    weights = {name: value.to(kind) for name, value in load_file(finished_run.model_path).items()}
    header = read_header(finished_run.model_path).model_dump_json()
    (tmp_path / "x.safetensors").write_bytes(save(weights, metadata={"ganvas": header}))
    with pytest.raises(GanvasError, match="no floating-point numbers"):
        load(tmp_path / "x.safetensors")


def test_a_folder_or_an_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GanvasError, match="it is a folder"):
        load_model(tmp_path)

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    # The superuser, as whom tests may run, reads everything.
    monkeypatch.setattr("safetensors.safe_open", refused)
    with pytest.raises(GanvasError, match=r"cannot be read .*Permission denied"):
        load_model(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    "settings",
    [config.DenseGenerator(), config.DenseConditionalGenerator(), config.PaperGenerator(), config.ConvGenerator()],
)
def test_every_generator_comes_back_whole_and_ready_to_draw(
    finished_run: Run, tmp_path: Path, settings: config.Generator
) -> None:
    whole = build_generator(settings, classes=10, size=28, channels=1)
    header = read_header(finished_run.model_path).model_copy(
        update={"generator": settings, "conditional": settings.network not in config.UNCONDITIONAL}
    )
    save_model(tmp_path / "x.safetensors", whole, header)
    loaded, _ = load_model(tmp_path / "x.safetensors")
    assert not loaded.training
    assert not list(loaded.buffers())
    for (name, value), (same, original) in zip(loaded.named_parameters(), whole.named_parameters(), strict=True):
        assert name == same
        assert value.device.type == "cpu"
        assert not value.requires_grad
        assert value.stride() == original.stride()
        assert torch.equal(value, original)


def test_pickle_is_never_loaded(tmp_path: Path) -> None:
    torch.save({"evil": 1}, tmp_path / "model.safetensors")
    with pytest.raises(GanvasError, match="no model file or is damaged"):
        load(tmp_path / "model.safetensors")
