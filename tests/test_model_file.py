"""The model file: everything needed to draw, nothing that executes, and clear words about what is wrong with one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ganvas.api import Run, load
from ganvas.errors import GanvasError
from ganvas.model_file import load_model, read_header, save_model


def test_header_tells_everything_needed(finished_run: Run) -> None:
    header = read_header(finished_run.model_path)
    assert header.class_names == tuple("0123456789")
    assert (header.size, header.channels, header.value_range) == (28, 1, (-1.0, 1.0))
    assert header.data.fingerprint == finished_run.data.fingerprint
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


def test_pickle_is_never_loaded(tmp_path: Path) -> None:
    torch.save({"evil": 1}, tmp_path / "model.safetensors")
    with pytest.raises(GanvasError, match="no model file or is damaged"):
        load(tmp_path / "model.safetensors")
