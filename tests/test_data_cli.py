"""``ganvas data``: results on stdout, chatter on stderr, and exit codes a script can rely on."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from ganvas.cli.data import app
from ganvas.config import PairData
from ganvas.data.pairs import list_pairs, open_pairs
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


# ganvas data pairs


def coloured(path: Path, width: int, height: int, mode: str = "RGB") -> Path:
    """A red field with a blue frame, transparent outside of it if the mode is."""
    image = Image.new(mode, (width, height), (0, 0, 255) if mode == "RGB" else (0, 0, 0, 0))
    image.paste((255, 0, 0), (width // 4, height // 4, width - width // 4, height - height // 4))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


SHAPES = {"4:3": [(64, 48)], "3:4": [(48, 64)], "2:1": [(64, 32)], "mixed": [(40, 40), (64, 48), (30, 64), (80, 40)]}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", ["side-by-side", "folders", None])
def test_pairs_of_any_shape_are_read_back_as_pairs(tmp_path: Path, shape: str, layout: str | None) -> None:
    for at, size in enumerate(SHAPES[shape]):
        for number in range(2):
            coloured(tmp_path / "pictures" / f"{at}-{number}.png", *size)
    out = tmp_path / "pairs"
    written = run("pairs", tmp_path / "pictures", "--out", out, *(["--layout", layout] if layout else []))
    assert written.exit_code == 0, written.output
    checked = run("check", out)
    assert checked.exit_code == 0, checked.output
    assert f"pairs: {layout or 'side-by-side'}, " in checked.stdout
    (tmp_path / "above").mkdir()
    shutil.copytree(out, tmp_path / "above" / "pairs")
    for given in (out, tmp_path / "above"):
        pairs = open_pairs(PairData(path=str(given), size=32, test_share=0.0), "train")
        assert len(pairs) == 2 * len(SHAPES[shape])
        assert np.ptp(pairs.sources, axis=1).max() == 0, "sketches are grey"
        assert all(target[:, 16, 16].tolist() == [255, 0, 0] for target in pairs.targets)


def test_pairs_of_class_folders_called_a_and_b_stay_side_by_side(tmp_path: Path) -> None:
    for name in ("A/1.png", "B/1.png"):
        coloured(tmp_path / "letters" / name, 40, 30)
    assert run("pairs", tmp_path / "letters", "--out", tmp_path / "pairs").exit_code == 0
    listing = list_pairs(tmp_path / "pairs", PairData(labels="folder"))
    assert (listing.layout, listing.class_names) == ("side-by-side", ("A", "B"))


def test_pairs_are_not_mixed_with_what_lies_in_the_folder(tmp_path: Path) -> None:
    coloured(tmp_path / "pictures" / "1.png", 40, 30)
    out = tmp_path / "pairs"
    for _ in range(2):  # The same again is no mixture.
        assert run("pairs", tmp_path / "pictures", "--out", out).exit_code == 0
    other = refused("pairs", tmp_path / "pictures", "--out", out, "--layout", "folders")
    assert f"holds 1 files that are not of these pairs (first '{out / '1.png'}')" in other
    assert sorted(entry.name for entry in out.iterdir()) == ["1.png", "layout.txt"]
    coloured(out / "mine.png", 9, 9)
    assert "mine.png" in refused("pairs", tmp_path / "pictures", "--out", out)
    assert "is a file" in refused("pairs", tmp_path / "pictures", "--out", out / "mine.png")


def test_pairs_report_what_they_skip_and_carry_the_licence_on(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    coloured(pictures / "1.png", 40, 30)
    (pictures / "licence.txt").write_text("CC BY 4.0, somebody\n")
    (pictures / "raw.heic").write_bytes(b"x")
    done = run("pairs", pictures, "--out", tmp_path / "pairs")
    assert done.exit_code == 0
    assert f"skipped '{pictures / 'raw.heic'}': no picture that ganvas reads" in done.stderr
    assert "licence.txt" not in done.stderr
    for number in range(40):
        (pictures / f"{number}.txt").write_text("a caption")
    many = run("pairs", pictures, "--out", tmp_path / "pairs").stderr
    assert "skipped 21 more that are no pictures" in many
    assert len(many.splitlines()) < 30
    assert open_pairs(PairData(path=str(tmp_path / "pairs")), "train").licence == "CC BY 4.0, somebody"


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_links_that_lead_nowhere_are_pictures_that_cannot_be_read(tmp_path: Path) -> None:
    coloured(tmp_path / "pictures" / "1.png", 40, 30)
    (tmp_path / "pictures" / "2.png").symlink_to(tmp_path / "gone.png")
    done = run("pairs", tmp_path / "pictures", "--out", tmp_path / "pairs")
    assert isinstance(done.exception, GanvasError)
    assert "1 of 2 pictures could not be read" in str(done.exception)
    assert "2.png' is a link that leads nowhere" in done.stderr
    assert (tmp_path / "pairs" / "1.png").is_file()


def test_pairs_of_transparent_pictures_lie_on_the_background_asked_for(tmp_path: Path) -> None:
    coloured(tmp_path / "pictures" / "1.png", 40, 30, "RGBA")
    for background, expected in ((None, (255, 255, 255)), ("#00ff00", (0, 255, 0))):
        out = tmp_path / f"pairs {background}"
        options = ["--background", background] if background else []
        assert run("pairs", tmp_path / "pictures", "--out", out, *options).exit_code == 0
        with Image.open(out / "1.png") as sheet:
            assert sheet.convert("RGB").getpixel((41, 1)) == expected
    assert "'whitish'" in refused("pairs", tmp_path / "pictures", "--out", tmp_path / "x", "--background", "whitish")


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
