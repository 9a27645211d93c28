"""``ganvas data``: results on stdout, chatter on stderr, and exit codes a script can rely on."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from ganvas.cli.data import app
from ganvas.errors import GanvasError, UsageError
from idx_files import write_set


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(*arguments: str | Path) -> str:
    error = run(*arguments).exception
    assert isinstance(error, GanvasError)
    return str(error)


def test_check_of_the_embedded_digits_passes() -> None:
    result = run("check")
    assert result.exit_code == 0
    assert "9,000 train, 1,000 test" in result.stdout
    assert "ready to train" in result.stdout


def test_check_as_json_can_be_read_by_a_machine(tmp_path: Path) -> None:
    report = json.loads(run("check", write_set(tmp_path), "--json").stdout)
    assert report["ok"]
    assert report["kind"] == "idx"
    assert report["counts"]["1"] == {"train": 3, "test": 1}
    assert report["sizes"] == {"6 x 6": 16}


def test_check_fails_when_training_would(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0")
    result = run("check", tmp_path)
    assert result.exit_code == 1
    assert "ends within its header" in result.stdout
    assert "training would fail" in result.stdout


def test_check_without_test_files_warns_and_passes(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte").unlink()
    result = run("check", tmp_path)
    assert result.exit_code == 0
    assert "nothing can be evaluated" in result.stdout


def test_check_keeps_errors_in_sight_among_many_notes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for index in range(60):
        Image.new("L", (4, 4)).save(tmp_path / "a" / f"{index:02}.png")
    (tmp_path / "a" / "zz.png").write_bytes(b"broken")
    result = run("check", tmp_path)
    assert result.exit_code == 1
    assert "a/zz.png" in result.stdout
    assert "more" in result.stdout
    assert len(result.stdout.splitlines()) < 60


def test_check_of_nothing_is_one_line() -> None:
    assert "nothing is there" in refused("check", "no/such/folder")


def test_preview_draws_every_class_with_its_extremes(tmp_path: Path) -> None:
    result = run("preview", "--out", tmp_path / "sheet.png", "--count", "20")
    assert result.exit_code == 0
    assert result.stdout.strip() == str(tmp_path / "sheet.png")
    assert "20 of 9,000" in result.stderr
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 300


def test_preview_of_idx_files_keeps_their_size_and_of_folders_their_colour(tmp_path: Path) -> None:
    write_set(tmp_path / "idx")
    assert run("preview", tmp_path / "idx", "--out", tmp_path / "a.png", "--test").exit_code == 0
    for index in range(30):
        folder = tmp_path / "pets" / "cats"
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (80, 90), (250, 0, 0)).save(folder / f"{index}.png")
    assert run("preview", tmp_path / "pets", "--out", tmp_path / "b.png", "--count", "1").exit_code == 0
    with Image.open(tmp_path / "b.png") as sheet:
        assert sheet.convert("RGB").getpixel((40, 40)) == (250, 0, 0)


def test_preview_that_cannot_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot write" in refused("preview", "--out", tmp_path / "file" / "sheet.png")


@pytest.mark.parametrize(
    "arguments", [("check", "--channels", "2"), ("preview", "--out", "x.png", "--count", "0"), ("preview",)]
)
def test_wrong_usage_exits_with_two(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_an_unknown_set_is_wrong_usage(tmp_path: Path) -> None:
    result = run("download", "minst", "--out", tmp_path / "new")
    assert isinstance(result.exception, UsageError)
    assert "Did you mean 'mnist'" in str(result.exception)
    assert not (tmp_path / "new").exists()


def test_download_from_nowhere_says_what_to_do(tmp_path: Path) -> None:
    assert "put them into" in refused("download", "mnist", "--out", tmp_path, "--mirror", "not an address")


@pytest.mark.parametrize("command", ["check", "preview", "download"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"Example: ganvas data {command}" in result.stdout


def test_help_needs_neither_torch_nor_numpy_nor_pillow() -> None:
    code = "import sys, ganvas.cli.data; print({'torch', 'numpy', 'PIL'} & set(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("command", ["check", "preview"])
def test_the_examples_of_the_help_run(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for index in range(20):
        folder = tmp_path / "pictures" / ("cats", "dogs")[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (70, 70), (index, 0, 0)).save(folder / f"{index}.png")
    example = re.search(r"Example: ganvas data (.*?)\s*$", run(command, "--help").stdout, re.MULTILINE)
    assert example is not None
    assert run(*shlex.split(example.group(1))).exit_code == 0
