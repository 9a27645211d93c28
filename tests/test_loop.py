"""The training loop: what it writes, that it resumes to the same bits, and how it stops."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from conftest import TINY, tiny_run
from ganvas.api import Run
from ganvas.config import LabelRecipe, load_recipe
from ganvas.errors import GanvasError, UsageError
from ganvas.inference import Model
from ganvas.tasks import LabelTask
from ganvas.tasks.label import Gradients
from ganvas.training.checkpoint import checkpoint_path, load_newest_checkpoint, save_checkpoint
from ganvas.training.run import TrainingRun
from ganvas.training.signals import Interrupted
from ganvas.training.stats import Progress
from ganvas.training.tensorboard import TensorBoard

CPU = torch.device("cpu")


def final_state(run: TrainingRun) -> dict[str, Any]:
    state = load_newest_checkpoint(run.folder / "checkpoints", CPU)
    assert state is not None
    assert state["images"] == run.recipe.train.total_images
    task: dict[str, Any] = state["task"]
    return task


def assert_same_bits(left: object, right: object, where: str = "state") -> None:
    assert type(left) is type(right), where
    if isinstance(left, torch.Tensor):
        assert isinstance(right, torch.Tensor)
        assert torch.equal(left, right), where
    elif isinstance(left, dict):
        assert isinstance(right, dict)
        assert left.keys() == right.keys(), where
        for key in left:
            assert_same_bits(left[key], right[key], f"{where}.{key}")
    else:
        assert left == right, where


def test_run_folder_holds_everything(finished_run: Run) -> None:
    folder = finished_run.folder
    assert {path.name for path in folder.iterdir()} == {
        "recipe.toml", "stats.jsonl", "checkpoints", "samples", "model.safetensors", "report.html", "environment.json"
    }  # fmt: skip
    assert load_recipe(folder / "recipe.toml") == finished_run.recipe
    assert [path.name for path in sorted((folder / "checkpoints").iterdir())] == [
        "000000000800.pt",
        "000000001200.pt",
    ]
    assert [int(path.stem) for path in sorted((folder / "samples").iterdir())] == [0, 300, 600, 900, 1200]
    environment = json.loads((folder / "environment.json").read_text("utf-8"))
    assert environment["torch"] == torch.__version__
    assert environment["data"]["images"] == 9_000
    assert environment["seed"] == 0


def test_a_tick_tells_losses_accuracies_norms_speed_and_memory(finished_run: Run) -> None:
    ticks = finished_run.stats
    assert [tick["images"] for tick in ticks] == list(range(100, 1201, 100))
    last = ticks[-1]
    assert set(last["losses"]) >= {"generator", "discriminator"}
    assert 0 <= last["accuracy_real"] <= 1
    assert set(last["gradient_norms"]) == {"generator", "discriminator"}
    assert last["gradient_norms"]["generator"] > 0
    assert last["images_per_second"] > 0
    assert last["peak_memory_mb"] > 10
    assert set(last["metrics"]) == {"asked_accuracy", "digit_frechet"}
    assert ticks[0]["metrics"] == {}
    assert [tick["seconds"] for tick in ticks] == sorted(tick["seconds"] for tick in ticks)


def test_len_is_the_number_of_records_to_come(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", "train.tick_images=70", "train.total_images=500")
    expected = len(run)
    assert sum(1 for _ in run) == expected
    assert len(run) == 0


@pytest.mark.parametrize("recipe", ["digits-cgan", "digits-cgan-paper"])
def test_stopped_run_resumes_to_the_same_bits(tmp_path: Path, recipe: str) -> None:
    whole = tiny_run(tmp_path / "whole", recipe=recipe).finish()
    for stop_after in (1, 3, 4):
        for tick, _ in enumerate(tiny_run(tmp_path / "parts", recipe=recipe), start=1):
            if tick == stop_after:
                break
    resumed = tiny_run(tmp_path / "parts", recipe=recipe).finish()
    assert_same_bits(final_state(whole), final_state(resumed))
    assert [tick["images"] for tick in resumed.stats] == [tick["images"] for tick in whole.stats]
    assert (whole.model_path).read_bytes() == (resumed.model_path).read_bytes()


def test_resuming_crosses_epochs_with_a_smaller_last_batch(tmp_path: Path) -> None:
    data = tmp_path / "pictures"
    make_pictures(data, 37)
    settings = [f"data.path={data}", "data.size=28", "train.total_images=200", "train.batch_size=10"]
    settings += ["train.tick_images=20", "train.checkpoint_images=40"]
    whole = tiny_run(tmp_path / "whole", *settings).finish()
    for tick, _ in enumerate(tiny_run(tmp_path / "parts", *settings), start=1):
        if tick == 5:
            break
    assert_same_bits(final_state(whole), final_state(tiny_run(tmp_path / "parts", *settings).finish()))


def make_pictures(folder: Path, count: int) -> None:
    from PIL import Image

    for number in range(count):
        path = folder / "train" / ("even" if number % 2 == 0 else "odd") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (28, 28), number * 6).save(path)


def test_killed_run_resumes_to_the_same_bits(tmp_path: Path) -> None:
    """Two kills here; ``python benchmarks/kill_and_resume.py --kills 20`` does it twenty times on a longer run."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
    from kill_and_resume import kill_and_resume

    result = kill_and_resume(tmp_path, kills=2, seed=1, settings=("train.total_images=6000", "train.batch_size=50"))
    assert result.kills == 2
    assert result.identical


def test_damaged_checkpoint_is_reported_and_the_one_before_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, finished_run: Run
) -> None:
    shutil.copytree(finished_run.folder, tmp_path / "run")
    newest = sorted((tmp_path / "run" / "checkpoints").glob("*.pt"))[-1]
    newest.write_bytes(newest.read_bytes()[:5000])
    with caplog.at_level(logging.WARNING):
        state = load_newest_checkpoint(tmp_path / "run" / "checkpoints", CPU)
    assert state is not None
    assert state["images"] == 800
    assert "000000001200.pt' is damaged" in caplog.text
    save_checkpoint(tmp_path / "run" / "checkpoints", 900, {"images": 900})
    save_checkpoint(tmp_path / "run" / "checkpoints", 1000, {"images": 1000})
    state = load_newest_checkpoint(tmp_path / "run" / "checkpoints", CPU)
    assert state is not None
    assert state["images"] == 1000, "a damaged one does not crowd out good ones"


def test_checkpoints_hold_no_code(finished_run: Run) -> None:
    for path in (finished_run.folder / "checkpoints").glob("*.pt"):
        torch.load(path, weights_only=True)


def test_only_the_newest_two_checkpoints_are_kept(tmp_path: Path) -> None:
    for images in (100, 200, 1000):
        save_checkpoint(tmp_path, images, {"images": images})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000000200.pt", "000000001000.pt"]
    assert checkpoint_path(tmp_path, 1000).name == "000000001000.pt"


def test_full_disk_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    import resource

    save_checkpoint(tmp_path, 100, {"images": 100})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(GanvasError, match="cannot write"):
            save_checkpoint(tmp_path, 200, {"weights": torch.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in tmp_path.iterdir()] == ["000000000100.pt"]


def test_run_of_version_0_1_0_goes_on(tmp_path: Path) -> None:
    """Its checkpoints and its stats.jsonl lack what came later."""
    settings = ("train.total_images=300", "train.checkpoint_images=100")
    whole = tiny_run(tmp_path / "whole", *settings).finish()
    for tick, _ in enumerate(tiny_run(tmp_path / "old", *settings), start=1):
        if tick == 2:
            break
    (path,) = (tmp_path / "old" / "checkpoints").glob("*200.pt")
    state = torch.load(path, weights_only=True)
    kept = {"task", "images", "seconds", "last_tick", "best"}
    save_checkpoint(path.parent, 200, {key: value for key, value in state.items() if key in kept})
    stats = tmp_path / "old" / "stats.jsonl"
    later = {"signs", "warnings", "validation_share", "finished"}
    lines = [json.loads(line) for line in stats.read_text("utf-8").splitlines()]
    assert later <= lines[0].keys()
    old = [{key: value for key, value in line.items() if key not in later} for line in lines]
    stats.write_text("".join(json.dumps(line) + "\n" for line in old), "utf-8")
    run = tiny_run(tmp_path / "old", *settings)
    assert not run.complete
    assert_same_bits(final_state(whole), final_state(run.finish()))


def test_changed_recipe_is_refused_with_the_difference(finished_run: Run) -> None:
    with pytest.raises(UsageError, match=r"train.seed: 0 -> 7.*--fresh"):
        tiny_run(finished_run.folder, "train.seed=7")


def test_other_data_are_refused(tmp_path: Path, finished_run: Run) -> None:
    make_pictures(tmp_path / "pictures", 20)
    with pytest.raises(UsageError, match="trained on other data"):
        tiny_run(finished_run.folder, f"data.path={tmp_path / 'pictures'}")


def test_fresh_starts_beside_and_deletes_nothing(tmp_path: Path) -> None:
    first = tiny_run(tmp_path / "run", "train.total_images=100").finish()
    before = {path: path.read_bytes() for path in first.folder.rglob("*") if path.is_file()}
    second = tiny_run(tmp_path / "run", "train.total_images=100", "train.seed=1", fresh=True)
    assert second.folder == tmp_path / "run-2"
    second.finish()
    assert {path: path.read_bytes() for path in first.folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("left", ["environment.json", ".environment.json.4711.partial", "nothing but the folder"])
def test_run_killed_in_its_first_moment_goes_on(tmp_path: Path, left: str, finished_run: Run) -> None:
    (tmp_path / "run").mkdir()
    if left == "environment.json":
        shutil.copy(finished_run.folder / left, tmp_path / "run")
    elif left.endswith(".partial"):
        (tmp_path / "run" / left).write_text("{")
    run = tiny_run(tmp_path / "run", "train.total_images=50").finish()
    assert run.complete
    assert not list(run.folder.rglob("*.partial"))


def test_refused_setting_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="digits-cgn"):
        tiny_run(tmp_path / "run", "init.model=digits-cgn")
    with pytest.raises(UsageError, match="does not fit"):
        tiny_run(tmp_path / "run", "init.model=digits-conv").finish()
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(os.name != "posix", reason="needs advisory locks")
def test_second_process_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    records = iter(tiny_run(tmp_path / "run"))
    next(records)
    with pytest.raises(GanvasError, match="another process is training"):
        tiny_run(tmp_path / "run").finish()


def test_one_class_cannot_learn_from_wrong_labels(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "pictures" / "train" / "only").mkdir(parents=True)
    Image.new("L", (28, 28)).save(tmp_path / "pictures" / "train" / "only" / "1.png")
    with pytest.raises(GanvasError, match=r"one class.*objective.wrong_labels=0"):
        tiny_run(tmp_path / "run", f"data.path={tmp_path / 'pictures'}")


def test_goes_on_with_a_warning_where_the_bits_will_differ(
    tmp_path: Path, finished_run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(finished_run.folder, tmp_path / "run")
    path = tmp_path / "run" / "environment.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"threads": 96}), "utf-8")
    tiny_run(tmp_path / "run")
    assert "threads 96 ->" in caplog.text


def test_inexact_products_are_never_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A processor that really computes permitted bfloat16 products, remembered as one that does not."""
    from ganvas.training import matmul

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with monkeypatch.context() as faster:
        faster.setattr(matmul, "_measure", lambda: "onednn")
        faster.setattr(matmul, "_error", lambda a, b: 0.0)
        assert matmul.choose_matmul_route() == "onednn"
    monkeypatch.setattr(matmul, "_error", lambda a, b: 2e-3)
    assert matmul.choose_matmul_route() == "default"


def test_training_leaves_the_products_of_the_process_as_they_were(tmp_path: Path) -> None:
    from ganvas.training.matmul import _products, matmul_route

    before = _products().fp32_precision
    for _ in tiny_run(tmp_path / "run", "train.total_images=200"):
        assert _products().fp32_precision == before
    with matmul_route("onednn"):
        assert _products().fp32_precision == "bf16"
    assert _products().fp32_precision == before


def test_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(UsageError, match="something else than a run"):
        tiny_run(tmp_path)


def test_nan_stops_with_a_diagnosis_and_keeps_the_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = LabelTask.step

    def breaks(task: LabelTask, pictures: torch.Tensor, labels: torch.Tensor, images_seen: int) -> dict[str, Any]:
        if images_seen == 550:
            with torch.no_grad():
                next(task.generator.parameters()).fill_(torch.nan)
        return honest(task, pictures, labels, images_seen)

    monkeypatch.setattr(LabelTask, "step", breaks)
    run = tiny_run(tmp_path / "run")
    with pytest.raises(GanvasError, match=r"training diverged: '\w+' .* about image 550; checkpoint .*000000000400.pt"):
        run.finish()
    assert run.images_seen == 400
    assert run.stats[-1]["images"] == 500


def test_gradients_that_overflow_are_found_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = LabelTask.gradients

    def overflows(task: LabelTask, *batch: torch.Tensor) -> Gradients:
        gradients = honest(task, *batch)
        if task.watched:  # the last of a tick, after which no loss shows it any more
            gradients.generator[0].fill_(torch.inf)
        return gradients

    monkeypatch.setattr(LabelTask, "gradients", overflows)
    with pytest.raises(GanvasError, match="the gradient of the generator is no longer finite"):
        tiny_run(tmp_path / "run").finish()


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_weights_that_the_last_gradient_broke_are_not_saved_by_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = LabelTask.gradients

    def breaks(task: LabelTask, *batch: torch.Tensor) -> Gradients:
        gradients = honest(task, *batch)
        if task.steps == 6:  # from image 300 to 350, where no tick ends
            gradients.generator[0].fill_(torch.nan)
            os.kill(os.getpid(), signal.SIGINT)
        return gradients

    monkeypatch.setattr(LabelTask, "gradients", breaks)
    run = tiny_run(tmp_path / "run", "train.checkpoint_images=100")
    with pytest.raises(
        GanvasError, match="the gradient of the generator is no longer finite between images 300 and 350"
    ):
        run.finish()
    monkeypatch.undo()
    assert tiny_run(tmp_path / "run", "train.checkpoint_images=100").images_seen == 300


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_finishes_the_step_saves_and_resumes_to_the_same_bits(tmp_path: Path, number: int) -> None:
    whole = tiny_run(tmp_path / "whole").finish()
    run = tiny_run(tmp_path / "run")
    records = iter(run)
    while next(records).images < 300:
        pass
    os.kill(os.getpid(), number)
    with pytest.raises(Interrupted, match="the same command continues"):
        list(records)
    assert run.images_seen == 350
    assert_same_bits(final_state(whole), final_state(tiny_run(tmp_path / "run").finish()))


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_interrupt_does_not_move_what_is_measured_and_kept(tmp_path: Path) -> None:
    # Metrics are due every 70 images and looked at each 100: a stop in between must not shift them.
    settings = ["validation.every_images=70", "train.sample_images=70", "train.total_images=600"]
    whole = tiny_run(tmp_path / "whole", *settings).finish()
    records = iter(tiny_run(tmp_path / "run", *settings))
    while next(records).images < 200:
        pass
    os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(Interrupted):
        list(records)
    resumed = tiny_run(tmp_path / "run", *settings).finish()
    measured = [{tick["images"]: tick["metrics"] for tick in run.stats if tick["metrics"]} for run in (whole, resumed)]
    assert measured[0] == measured[1]
    drawn = [sorted(path.name for path in (run.folder / "samples").iterdir()) for run in (whole, resumed)]
    assert drawn[0] == drawn[1]
    assert whole.model_path.read_bytes() == resumed.model_path.read_bytes()


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_command_line_exits_130_after_saving(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ganvas", "train", "digits-cgan", "--out", str(tmp_path / "run")]
    process = subprocess.Popen(
        [*command, "--set", "train.tick_images=500"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    stats = tmp_path / "run" / "stats.jsonl"
    deadline = time.monotonic() + 120
    while not (stats.exists() and stats.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "the same command continues" in errors
    assert list((tmp_path / "run" / "checkpoints").glob("*.pt"))


def test_bfloat16_trains_close_to_float32(tmp_path: Path) -> None:
    losses = {}
    for precision in ("fp32", "bf16"):
        for recipe in ("digits-cgan", "digits-cgan-course"):
            run = tiny_run(tmp_path / f"{precision}-{recipe}", f"train.precision={precision}", recipe=recipe).finish()
            losses[precision, recipe] = run.stats[-1]["losses"]["discriminator"]
    for recipe in ("digits-cgan", "digits-cgan-course"):
        assert losses["bf16", recipe] == pytest.approx(losses["fp32", recipe], rel=0.25)
        assert losses["bf16", recipe] != losses["fp32", recipe]


def test_average_follows_the_weights_with_the_stated_half_life() -> None:
    recipe = load_recipe("digits-cgan", ["train.ema_half_life_images=1000", "train.batch_size=500"], of=LabelRecipe)
    task = LabelTask(recipe, 10, CPU)
    assert task.average is not None
    with torch.no_grad():
        for parameter in task.generator.parameters():
            parameter.fill_(1.0)
        for parameter in task.average.parameters():
            parameter.fill_(0.0)
    # Far into training, where the half-life is not shortened: two batches of 500 are one half-life.
    for seen in (10**6, 10**6 + 500):
        task._update_average(seen, 500)
    for parameter in task.average.parameters():
        torch.testing.assert_close(parameter.detach(), torch.full_like(parameter, 0.5))


def test_course_recipes_have_no_average() -> None:
    for name in ("digits-gan", "digits-cgan-course", "digits-cgan-paper"):
        task = LabelTask(load_recipe(name, of=LabelRecipe), 10, CPU)
        assert task.average is None
        assert task.drawing_generator is task.generator


def test_init_model_starts_from_its_weights(tmp_path: Path, finished_run: Run) -> None:
    first = tiny_run(tmp_path / "run", f"init.model={finished_run.folder}", "train.total_images=50")
    changed = tiny_run(tmp_path / "cold", "train.total_images=50")
    start = finished_run.model.sheet(seed=1).tobytes()
    warm, cold = (pixels(Model(run.finish().model_path).sheet(seed=1).tobytes()) for run in (first, changed))
    assert abs(warm - pixels(start)).mean() < 0.5 * abs(cold - pixels(start)).mean()
    with pytest.raises(UsageError, match="does not fit recipe 'digits-conv'"):
        tiny_run(tmp_path / "other", f"init.model={finished_run.folder}", recipe="digits-conv").finish()


def test_init_discriminator_takes_that_of_the_run(tmp_path: Path, finished_run: Run) -> None:
    start = f"init.model={finished_run.folder}"
    still = ("train.total_images=50", "optimiser.discriminator.lr=1e-12", "init.discriminator=true")
    run = tiny_run(tmp_path / "run", start, *still).finish()
    before, after = (newest_discriminator(folder) for folder in (finished_run.folder, run.folder))
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in before)
    with pytest.raises(UsageError, match="has no checkpoint to take a discriminator from"):
        tiny_run(tmp_path / "shipped", "init.model=digits-cgan", "init.discriminator=true").finish()
    with pytest.raises(UsageError, match=r"needs init\.model"):
        tiny_run(tmp_path / "none", "init.discriminator=true")


def newest_discriminator(folder: Path) -> dict[str, torch.Tensor]:
    path = max((folder / "checkpoints").glob("*.pt"))
    state: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["task"]["discriminator"]
    return state


def pixels(data: bytes) -> Any:
    import numpy as np

    return np.frombuffer(data, dtype=np.uint8).astype(float)


def test_unknown_data_train_without_digit_metrics(tmp_path: Path) -> None:
    """The digit classifier has nothing to say about data it does not know, and no number appears."""
    make_pictures(tmp_path / "pictures", 40)
    run = tiny_run(tmp_path / "run", f"data.path={tmp_path / 'pictures'}", "train.total_images=100").finish()
    assert all(tick["metrics"] == {} for tick in run.stats)
    waits = ["validation.patience_images=100", "train.total_images=100"]
    with pytest.raises(GanvasError, match=r"validation\.patience_images waits for digit_frechet.*cannot read"):
        tiny_run(tmp_path / "waits", f"data.path={tmp_path / 'pictures'}", *waits).finish()
    assert not (tmp_path / "waits").exists()
    assert Model(run.model_path).class_names == ("even", "odd")


def test_colour_pictures_with_labels_train_at_32_pixels(tmp_path: Path) -> None:
    from PIL import Image

    for number in range(12):
        path = tmp_path / "pictures" / "train" / ("red" if number % 2 else "blue") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 50), (255 * (number % 2), 0, number)).save(path)
    settings = ["data.size=32", "data.channels=3", "generator.width=8", "discriminator.width=8"]
    settings += [f"data.path={tmp_path / 'pictures'}", "train.total_images=60", "train.batch_size=12"]
    run = tiny_run(tmp_path / "run", *settings, recipe="digits-conv").finish()
    assert Model(run.model_path).sample("red")[0].size == (32, 32)
    assert Model(run.model_path).sample("red")[0].mode == "RGB"


def test_tensorboard_gets_all_that_a_record_holds(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    record = Progress(
        images=64,
        total_images=128,
        seconds=1.0,
        images_per_second=64.0,
        losses={"generator": 0.5},
        accuracy_real=0.75,
        accuracy_fake=None,
        gradient_norms={"generator": 2.0},
        peak_memory_mb=None,
        metrics={"l1": 0.25},
        signs={"diversity": 0.125},
    )
    board = TensorBoard(tmp_path, 0)
    board.add(record)
    board.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    scalars = {name: events.Scalars(name)[0] for name in events.Tags()["scalars"]}
    assert {name: (each.step, each.value) for name, each in scalars.items()} == {
        "loss/generator": (64, 0.5),
        "gradient_norm/generator": (64, 2.0),
        "metric/l1": (64, 0.25),
        "sign/diversity": (64, 0.125),
        "discriminator_accuracy/real": (64, 0.75),
        "images_per_second": (64, 64.0),
    }


def test_tensorboard_files_are_written_on_demand(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    from ganvas.api import train

    train("digits-cgan", out=tmp_path / "run", settings=[*TINY, "train.total_images=100"], tensorboard=True).finish()
    assert list((tmp_path / "run" / "tensorboard").glob("events.*"))
