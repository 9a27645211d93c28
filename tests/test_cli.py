"""The command line as a user and a script meet it: examples, results, messages, exit codes, full and closed disks."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main
from PIL import Image
from safetensors.numpy import save_file

from conftest import TINY
from ganvas import __version__
from ganvas.api import Run
from ganvas.cli.main import _run, app
from ganvas.config import load_recipe
from ganvas.inference import shipped_models
from ganvas.model_file import LabelHeader, load_model, save_model
from idx_files import idx_bytes, write_set

SMALL = [argument for setting in (*TINY, "train.total_images=200") for argument in ("--set", setting)]
SHIPPED = ["digits-cgan", "digits-cgan-course", "digits-conv", "digits-gan", "sketch2color"]
PAIR_OPTIONS = (
    "--background",
    "--direction",
    "--fit",
    "--ignore",
    "--labels",
    "--layout",
    "--palette",
    "--resize",
    "--sketch",
    "--source",
    "--source-channels",
    "--target",
    "--target-channels",
    "--test-share",
)
OPTIONS = {
    "demo": ["--fresh", "--images", "--out"],
    "train": ["--data", "--device", "--dry-run", "--fresh", "--out", "--set", "--tensorboard", "recipe"],
    "sample": ["--count", "--device", "--label", "--out", "--seed", "--sheet", "model"],
    "translate": [
        "--device",
        "--hints",
        "--label",
        "--out",
        "--precision",
        "--recolour",
        "--scale",
        "--seed",
        "--variations",
        "model",
        "pictures",
    ],
    "studio": ["--data", "--host", "--no-browser", "--port", "--precision", "--runs", "--token"],
    "evaluate": [
        "--count",
        "--data",
        "--device",
        "--few-pictures",
        "--fid-weights",
        "--json",
        "--out",
        "--seed",
        "--segmenter",
        "--split",
        "model",
    ],
    "compare": ["--data", "--device", "--json", "--out", "--pictures", "--split", "models"],
    "study": [
        "--data",
        "--device",
        "--dry-run",
        "--only",
        "--pictures",
        "--results",
        "--runs",
        "--segmenter",
        "name",
    ],
    "export": ["--opset", "--out", "--precision", "--to", "model"],
    "data check": sorted(["--channels", "--json", "--size", "path", *PAIR_OPTIONS]),
    "data pairs": ["--background", "--layout", "--method", "--out", "--size", "pictures"],
    "data preview": sorted(["--channels", "--count", "--out", "--size", "--test", "path", *PAIR_OPTIONS]),
    "data download": ["--mirror", "--out", "name"],
    "info": ["--json", "model"],
    "recipes": ["name"],
}


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str


@pytest.fixture
def ganvas(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Runs a command in this process, in an empty folder; the exit code is that of the program."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        code = _run([str(argument) for argument in arguments])
        return Done(code, *capsys.readouterr())

    return run


def commands(group: Any = None, above: str = "") -> dict[str, Any]:
    """Every command that does something, by its full name."""
    found: dict[str, Any] = {}
    top: Any = typer.main.get_command(app)
    for name, command in (group or top).commands.items():
        path = f"{above} {name}".strip()
        found |= commands(command, path) if hasattr(command, "commands") else {path: command}
    return found


def example_of(command: Any) -> str:
    found = re.search(r"Example: (ganvas .+)", command.help)
    assert found is not None, "help without an example"
    return found.group(1).strip()


def same_command(run: Run, folder: Path) -> list[str]:
    """A copy of the finished run in ``folder / "run"``, and the command that made it."""
    shutil.copytree(run.folder, folder / "run")
    return ["train", "digits-cgan", "--out", "run", *(word for setting in TINY for word in ("--set", setting))]


def one_line(done: Done) -> str:
    """The message, after checking that it is one line on stderr and no traceback."""
    assert done.out == ""
    assert done.err.startswith("ganvas: ")
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.err
    return done.err


# Help and examples


def test_options_are_those_that_scripts_rely_on() -> None:
    """A flag is added here on purpose, and taken away or renamed never by accident."""
    found = {name: sorted(option for p in command.params for option in p.opts) for name, command in commands().items()}
    assert {name: [o for o in options if o != "-h" and o != "--help"] for name, options in found.items()} == OPTIONS


@pytest.mark.parametrize("name", OPTIONS)
def test_every_command_has_help_with_an_example(ganvas: Any, name: str) -> None:
    done = ganvas(*name.split(), "--help")
    assert done.code == 0
    example = example_of(commands()[name])
    assert example.startswith(f"ganvas {name} ")
    # The frame and the width of the terminal break long lines.
    assert example.replace(" ", "") in re.sub(r"[\s│]", "", done.out)


def test_help_of_every_command_imports_no_heavy_library() -> None:
    code = """
import sys
from ganvas.cli.main import _run
codes = [_run([*name.split(), "--help"]) for name in sys.argv[1:]]
print(codes, {"torch", "numpy", "PIL", "matplotlib", "safetensors"} & set(sys.modules))
"""
    command = [sys.executable, "-c", code, "", *OPTIONS, "data"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"{[0] * (len(OPTIONS) + 2)} set()"


@pytest.mark.parametrize("name", [name for name in OPTIONS if name not in ("data download", "studio")])
def test_the_example_of_the_help_runs(ganvas: Any, name: str, tmp_path: Path) -> None:
    example = shlex.split(example_of(commands()[name]))
    for number in range(24):
        path = tmp_path / "pictures" / ("cats", "dogs")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (70, 60), (9 * number, 0, 0)).save(path)
    Image.new("RGB", (70, 60), "white").save(tmp_path / "drawing.png")
    shorter = {"train": SMALL, "demo": ["--images", "256"]}
    done = ganvas(*example[1:], *shorter.get(name, []))
    assert done.code == 0, done.err
    assert done.out
    if "--out" in example:
        assert (tmp_path / example[example.index("--out") + 1]).exists()


def test_the_example_of_the_download_reaches_for_the_network_and_fails_in_one_line(ganvas: Any) -> None:
    example = shlex.split(example_of(commands()["data download"]))
    done = ganvas(*example[1:], "--mirror", "nowhere")
    assert done.code == 1
    assert "put them into 'data/mnist'" in one_line(done)


# Results


def test_version_is_printed(ganvas: Any) -> None:
    assert ganvas("--version") == Done(0, f"ganvas {__version__}\n", "")


def test_sample_prints_the_path_alone(ganvas: Any, finished_run: Run, tmp_path: Path) -> None:
    done = ganvas("sample", finished_run.folder, "--label", "7", "--label", "1", "--count", "5", "--out", "a/x.npz")
    assert done == Done(0, f"{Path('a/x.npz')}\n", "")
    with np.load(tmp_path / "a" / "x.npz") as file:
        assert file["images"].shape == (5, 28, 28)
        assert file["labels"].tolist() == [7, 1, 7, 1, 7]


@pytest.mark.parametrize("sheet", ["same-noise", "interpolation"])
def test_sheets_and_the_default_name(ganvas: Any, finished_run: Run, tmp_path: Path, sheet: str) -> None:
    done = ganvas("sample", finished_run.model_path, "--sheet", sheet, "--count", "3")
    assert done.code == 0
    with Image.open(tmp_path / done.out.strip()) as picture:
        assert picture.height > 280


def test_info_tells_a_machine_everything(ganvas: Any, finished_run: Run) -> None:
    header = json.loads(ganvas("info", finished_run.folder, "--json").out)
    assert header["class_names"] == list("0123456789")
    assert header["images_seen"] > 0
    text = ganvas("info", finished_run.folder).out
    for part in ("28 x 28 pixels, grey", "dense-conditional", "MNIST", "asked_accuracy"):
        assert part in text


def test_info_lists_the_shipped_models(ganvas: Any) -> None:
    assert shipped_models() == SHIPPED
    assert [line.split()[0] for line in ganvas("info").out.splitlines()] == SHIPPED


def test_a_printed_recipe_is_that_recipe(ganvas: Any, tmp_path: Path) -> None:
    for line in ganvas("recipes").out.splitlines():
        name = line.split()[0]
        (tmp_path / "own.toml").write_text(ganvas("recipes", name).out)
        assert load_recipe(tmp_path / "own.toml") == load_recipe(name)


def test_dry_run_prints_the_resolved_recipe_and_writes_nothing(ganvas: Any, tmp_path: Path) -> None:
    done = ganvas("train", "digits-gan", "--dry-run", "--set", "train.epochs=2", "--set", "data.path=", "--out", "run")
    assert done.code == 0
    assert "total_images = 18000\n" in done.out
    assert list(tmp_path.iterdir()) == []


def test_the_same_command_goes_on_with_a_run_and_then_has_nothing_to_do(
    ganvas: Any, finished_run: Run, tmp_path: Path
) -> None:
    command = same_command(finished_run, tmp_path)
    before, last = sorted((tmp_path / "run" / "checkpoints").glob("*.pt"))
    last.unlink()
    done = ganvas(*command)
    assert done.code == 0
    assert done.err.startswith(f"going on at {int(before.stem):,} of 1,200 images\n")
    assert done.out.splitlines() == ["model   run/model.safetensors", "report  run/report.html"]
    again = ganvas(*command)
    assert again == Done(0, done.out, "'run' is complete: 1,200 images. --fresh trains again.\n")


# What a user can get wrong


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("paint", "No such command 'paint'"),
        ("recipe", "Did you mean 'recipes'"),
        ("train", "recipe"),
        ("train digits-cgan --lr 3", "--lr"),
        ("train digits-cgn", "Did you mean 'digits-cgan'"),
        ("train digits-cgan --set train.batchsize=3", "Did you mean 'train.batch_size'"),
        ("train digits-cgan --set train.batch_size=many", "train.batch_size: Input should be a valid integer"),
        ("train digits-cgan --set batch", "expected KEY=VALUE"),
        ("train digits-cgan --set data.size=30 --set generator.network=conv", "conv networks draw 28, 32 or 64 pixels"),
        ("train digits-gan --set objective.wrong_labels=1", "needs networks that take a label"),
        ("train broken.toml", "is not valid TOML"),
        ("train digits-cgan --out not-a-run", "holds something else than a run"),
        ("demo --out not-a-run", "holds something else than a run"),
        ("train digits-cgan --out RUN", "train.total_images: 1200 -> "),
        ("sample digits-cgn", "Did you mean 'digits-cgan'"),
        ("sample not-a-run", "is no run"),
        ("sample RUN --label cat", "it knows 0, 1, 2"),
        ("sample RUN --label 10", "(or 0 to 9)"),
        ("sample RUN --count 0", "expected 1 to 1,000,000"),
        ("sample RUN --count 1000001", "expected 1 to 1,000,000"),
        ("sample RUN --count 100000", "write more pictures to an .npz file or a folder"),
        ("sample RUN --count ten", "--count"),
        ("sample RUN --device gpu", "no device 'gpu': expected auto, cpu, cuda, mps"),
        ("train digits-cgan --device cdua", "Did you mean 'cuda'"),
        ("sample RUN --seed -1", "--seed"),
        ("sample RUN --sheet circle", "'same-noise'"),
        ("sample RUN --out x.jpg", "expected FILE.png, FILE.npz or a folder"),
        ("info nothing", "no model 'nothing'"),
        ("recipes digits-cnv", "Did you mean 'digits-conv'"),
        ("data check --channels 2", "1 channel (grey) or 3 (colour)"),
        ("data preview", "--out"),
        ("data preview --out x.png --count 0", "--count"),
        ("data download minst --out x", "Did you mean 'mnist'"),
    ],
)
def test_wrong_usage_exits_with_two_and_one_line(
    ganvas: Any, finished_run: Run, tmp_path: Path, command: str, said: str
) -> None:
    (tmp_path / "not-a-run").mkdir()
    (tmp_path / "not-a-run" / "thesis.txt").touch()
    (tmp_path / "broken.toml").write_text("name =")
    before = sorted(tmp_path.rglob("*"))
    done = ganvas(*(str(finished_run.folder) if word == "RUN" else word for word in command.split()))
    assert done.code == 2
    assert said in one_line(done)
    assert sorted(tmp_path.rglob("*")) == before


def test_no_command_shows_the_help_and_exits_with_two(ganvas: Any) -> None:
    for arguments in ([], ["data"]):
        done = ganvas(*arguments)
        assert done.code == 2
        assert "Usage:" in done.out + done.err
        assert "Traceback" not in done.err


def make_bad_data(folder: Path) -> None:
    """One folder for each kind of damage."""
    images = np.zeros((4, 6, 6), dtype=np.uint8)
    damages = {
        "truncated": ("train-images-idx3-ubyte", idx_bytes(images)[:-1]),
        "magic": ("train-images-idx3-ubyte", b"\1" + idx_bytes(images)[1:]),
        "labels": ("train-labels-idx1-ubyte", idx_bytes(np.full(12, 77, dtype=np.uint8))),
        "counts": ("train-labels-idx1-ubyte", idx_bytes(np.zeros(5, dtype=np.uint8))),
    }
    for name, (file, contents) in damages.items():
        write_set(folder / name)
        (folder / name / file).write_bytes(contents)
    (folder / "pictures" / "train" / "cats").mkdir(parents=True)
    (folder / "pictures" / "train" / "cats" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (folder / "empty").mkdir()
    (folder / "file").touch()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("truncated", "announces 4 x 6 x 6 = 144 values, found 143"),
        ("magic", "expected 0x00000803"),
        ("labels", "label 77 at position 0"),
        ("counts", "12 images but"),
        ("pictures", "1.png"),
        ("empty", "holds neither kind"),
        ("file", "found a file"),
        ("nowhere", "nothing is there"),
    ],
)
def test_data_that_cannot_be_used_fail_in_one_line_and_start_no_run(
    ganvas: Any, tmp_path: Path, data: str, said: str
) -> None:
    make_bad_data(tmp_path)
    done = ganvas("train", "digits-cgan", "--data", data, "--out", "run")
    assert done.code == 1
    assert said in one_line(done)
    assert data in done.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("damage", ["truncated", "text", "pickle", "no header"])
def test_a_damaged_model_fails_in_one_line(ganvas: Any, finished_run: Run, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "model.safetensors"
    whole = finished_run.model_path.read_bytes()
    path.write_bytes({"truncated": whole[:-100], "text": b"weights", "pickle": b"\x80\x02}q\x00."}.get(damage, b""))
    if damage == "no header":
        save_file({"weight": np.zeros(3, dtype=np.float32)}, path)
    for command in (["sample", path, "--out", "x.png"], ["info", path]):
        done = ganvas(*command)
        assert done.code == 1
        assert str(path) in one_line(done)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("file", "contents", "code"),
    [
        ("recipe.toml", "name =", 1),
        ("recipe.toml", "\0", 1),
        ("environment.json", "{", 1),
        ("environment.json", "{}", 1),
        ("stats.jsonl", "3\n{}\n", 0),
        ("checkpoints/mine.pt", "", 0),
    ],
)
def test_a_run_folder_that_was_tampered_with_gives_no_traceback(
    ganvas: Any, finished_run: Run, tmp_path: Path, file: str, contents: str, code: int
) -> None:
    command = same_command(finished_run, tmp_path)
    (tmp_path / "run" / file).write_text(contents)
    done = ganvas(*command)
    assert done.code == code
    if code:
        assert file in one_line(done)


# Disks that are full, and places where nothing can be written


@contextlib.contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """The system refuses to let any file grow beyond ``size`` bytes, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("out", ["x.png", "x.npz", "x"])
def test_full_disk_leaves_no_half_drawing(ganvas: Any, finished_run: Run, tmp_path: Path, out: str) -> None:
    with no_file_above(100):
        done = ganvas("sample", finished_run.folder, "--out", out)
    assert done.code == 1
    assert "cannot write" in one_line(done)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_full_disk_leaves_the_earlier_file(ganvas: Any, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"earlier")
    with no_file_above(100):
        done = ganvas("data", "preview", "--out", "x.png")
    assert done.code == 1
    assert "cannot write 'x.png'" in one_line(done)
    assert (tmp_path / "x.png").read_bytes() == b"earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


# The first is too little for the samples, the second for the model, the third for a checkpoint.
@pytest.mark.parametrize("size", [20_000, 1_000_000, 10_000_000])
def test_training_stopped_by_a_full_disk_goes_on_once_there_is_room(ganvas: Any, tmp_path: Path, size: int) -> None:
    command = ["train", "digits-cgan", "--out", "run", *SMALL, "--set", "validation.metric="]
    with no_file_above(size):
        done = ganvas(*command)
    assert done.code == 1
    assert "cannot write" in done.err.splitlines()[-1]
    assert "Traceback" not in done.err
    assert not list(tmp_path.rglob("*.partial"))
    assert not list(tmp_path.rglob("*.pt"))
    assert ganvas(*command).code == 0
    assert ganvas("sample", "run", "--count", "1", "--out", "x.png").code == 0


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system that nobody may write to")
@pytest.mark.parametrize(
    "command",
    [
        "sample RUN --out /proc/x.png",
        "sample RUN --out /proc/x.npz",
        "sample RUN --out /proc/x",
        "train digits-cgan --out /proc/x",
        "demo --out /proc/x",
        "data preview --out /proc/x.png",
        "data download mnist --out /proc/x --mirror nowhere",
    ],
)
def test_a_place_that_cannot_be_written_is_named(ganvas: Any, finished_run: Run, command: str) -> None:
    # The superuser passes by permission bits; /proc refuses everybody.
    done = ganvas(*(str(finished_run.folder) if word == "RUN" else word for word in command.split()))
    assert done.code == 1
    assert "cannot write '/proc/x" in one_line(done)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you"),
        type("OutOfMemoryError", (RuntimeError,), {})("CUDA"),
    ],
)
def test_memory_that_ran_out_fails_in_one_line(ganvas: Any, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def greedy(_: object) -> None:
        raise error

    monkeypatch.setattr("ganvas.inference.model.resolve_model", greedy)
    done = ganvas("sample", "digits-cgan")
    assert done.code == 1
    assert "out of memory" in one_line(done)


def test_other_runtime_errors_are_not_hidden(ganvas: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr("ganvas.inference.model.resolve_model", broken)
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        ganvas("sample", "digits-cgan")


def test_a_device_that_is_not_here_fails_in_one_line(ganvas: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    done = ganvas("sample", "digits-cgan", "--device", "mps")
    assert done.code == 1
    assert "device 'mps' is not available here" in one_line(done)


def test_auto_does_not_choose_the_untested_mps(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from ganvas.device import torch_device

    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert torch_device("auto").type == "cpu"
    assert torch_device("mps").type == "mps"


def test_class_names_beyond_the_encoding_of_a_pipe_are_escaped(finished_run: Run, tmp_path: Path) -> None:
    generator, header = load_model(finished_run.model_path)
    assert isinstance(header, LabelHeader)
    names = ("猫", *header.class_names[1:])
    save_model(tmp_path / "x.safetensors", generator, header.model_copy(update={"class_names": names}))
    done = subprocess.run(
        [sys.executable, "-m", "ganvas", "info", tmp_path / "x.safetensors"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONIOENCODING": "cp1252"},
    )
    assert done.returncode == 0, done.stderr
    assert r"\u732b, 1, 2" in done.stdout


def test_drawing_many_pictures_shows_its_progress_on_a_terminal_only(
    ganvas: Any, finished_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["sample", finished_run.folder, "--count", "2001", "--out", "x.npz"]
    assert ganvas(*command) == Done(0, "x.npz\n", "")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    done = ganvas(*command)
    assert (done.code, done.out) == (0, "x.npz\n")
    assert "drawing" in done.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_fails_in_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ganvas", "recipes"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr.startswith("ganvas: No space left on device")
    assert done.stderr.count("\n") == 1
