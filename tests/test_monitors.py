"""The monitors: each failure is brought about by a training that really fails, and a healthy one leaves them silent."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from ganvas.cli.progress import train_with_display
from ganvas.config import load_recipe
from ganvas.model_file import read_header
from ganvas.tasks import LabelTask
from ganvas.training import translate_subject
from ganvas.training.monitors import Monitors
from ganvas.training.run import TrainingRun
from ganvas.training.signs import diversity
from ganvas.training.stats import Progress

Picture = npt.NDArray[np.uint8]
Pair = Callable[[np.random.Generator], tuple[Picture, Picture]]
SIDE = 32
PRIMARY = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
SMALL = (
    f"data.size={SIDE}",
    "data.source_channels=3",
    "data.jitter=false",
    "data.flip=false",
    "data.vary_lines=false",
    "data.open_outlines=false",
    "generator.spread=0",
    "data.turn=0.0",
    "data.zoom=0.0",
    "hints.enabled=false",
    "generator.width=4",
    "generator.dropout=0.0",
    "generator.upsampling=transposed",
    "generator.source_skip=false",
    "generator.residual_blocks=[]",
    "discriminator.width=4",
    "discriminator.receptive_field=16",
    "objective.adversarial=hinge",
    "objective.r1=0.0",
    "objective.l1_weight=50.0",
    "objective.feature_matching=0.0",
    "objective.gradient_matching=0.0",
    "optimiser.generator.lr=3e-4",
    "train.batch_size=4",
    "train.ema_half_life_images=0",
    "train.lr_decay_share=0.0",
    "train.tick_images=12",
    "train.sample_images=24",
    "train.checkpoint_images=24",
    "validation.every_images=12",
    "validation.samples=8",
)


def flat(colour: tuple[int, ...]) -> Picture:
    return np.broadcast_to(np.array(colour, dtype=np.uint8), (SIDE, SIDE, 3)).copy()


def blocks(random: np.random.Generator, channels: int = 3) -> Picture:
    small = random.integers(0, 256, (4, 4, channels), dtype=np.uint8)
    return np.broadcast_to(small.repeat(SIDE // 4, 0).repeat(SIDE // 4, 1), (SIDE, SIDE, 3)).copy()


def learnable(random: np.random.Generator) -> tuple[Picture, Picture]:
    """A black rectangle, which is to become red."""
    source, target = flat((255, 255, 255)), flat((255, 255, 255))
    (top, left), (height, width) = random.integers(2, 14, 2), random.integers(8, 16, 2)
    source[top : top + height, left : left + width] = 0
    target[top : top + height, left : left + width] = (220, 30, 30)
    return source, target


def unrelated(random: np.random.Generator) -> tuple[Picture, Picture]:
    """Nothing about the one tells anything about the other: all there is to do is to learn by heart."""
    return blocks(random), blocks(random)


def blank(random: np.random.Generator) -> tuple[Picture, Picture]:
    """Sources that are all alike, of which G can make but one picture."""
    return flat((255, 255, 255)), flat(tuple(random.integers(0, 256, 3)))


def ambiguous(random: np.random.Generator) -> tuple[Picture, Picture]:
    """The left half stays as it is, the right half takes any of three colours, the median of which is black."""
    source = blocks(random, channels=1)
    target = source.copy()
    target[:, SIDE // 2 :] = PRIMARY[random.integers(3)]
    return source, target


def open_run(folder: Path, pair: Pair, *settings: str, pairs: int = 12, out: str = "run") -> TrainingRun:
    """A run on ``pairs`` pairs, and as many held out."""
    data = folder / "pairs"
    for split in ("train", "test") if not data.exists() else ():
        for number in range(pairs):
            path = data / split / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            source, target = pair(np.random.default_rng([number, split == "test"]))
            Image.fromarray(np.concatenate([source, target], axis=1)).save(path)
    recipe = load_recipe("sketch2color", [*SMALL, f"data.path='{data}'", *settings])
    return TrainingRun(recipe, folder / out, device="cpu")


def warned_of(run: TrainingRun) -> set[str]:
    """What the monitors said at some tick."""
    return {name for line in run.stats for name in line["warnings"]}


def last_warning(run: TrainingRun, name: str) -> str:
    sentence: str = run.stats[-1]["warnings"][name]
    assert "\n" not in sentence
    return sentence


def test_healthy_training_is_not_warned_of(tmp_path: Path) -> None:
    settings = ("train.total_images=180", "optimiser.generator.lr=2e-3", "optimiser.discriminator.lr=2e-4")
    run = open_run(tmp_path, learnable, *settings).finish()
    assert warned_of(run) == set()
    signs = [line["signs"] for line in run.stats]
    assert all(set(each) >= {"train_l1", "diversity", "chroma"} for each in signs), "the monitors did look"
    assert 0.3 < signs[-1]["diversity"] < 1.5


def test_discriminator_that_always_wins_is_told(tmp_path: Path) -> None:
    settings = ("objective.kind=cgan", "objective.adversarial=bce", "discriminator.width=8", "train.total_images=240")
    rates = ("optimiser.discriminator.lr=2e-2", "optimiser.generator.lr=1e-5")
    run = open_run(tmp_path, unrelated, *settings, *rates).finish()
    last = run.stats[-1]
    assert min(last["accuracy_real"], last["accuracy_fake"]) >= 0.995
    sentence = last_warning(run, "D too strong")
    assert "of drawn pictures" in sentence
    assert "optimiser.discriminator.lr (now 0.02)" in sentence


def test_sources_all_alike_make_one_picture_which_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = open_run(tmp_path, blank, "train.total_images=72")
    train_with_display(run)
    assert "by 0.0% of what the data do" in last_warning(run, "G collapsed")
    assert capsys.readouterr().err.count("warning: G collapsed: ") == 1


def test_generator_without_noise_collapses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def constant(task: LabelTask, count: int) -> torch.Tensor:
        return torch.zeros(count, task.recipe.generator.noise_length)

    monkeypatch.setattr(LabelTask, "draw_noise", constant)
    settings = ["train.total_images=160", "train.batch_size=20", "train.tick_images=20", "validation.every_images=40"]
    recipe = load_recipe("digits-cgan", [*settings, "validation.samples=100", "validation.metric="])
    run = TrainingRun(recipe, tmp_path / "run", device="cpu").finish()
    assert "optimiser.discriminator.lr" in last_warning(run, "G collapsed")


def test_pairs_learned_by_heart_are_told(tmp_path: Path) -> None:
    settings = ("objective.kind=l1", "optimiser.generator.lr=1e-2", "generator.width=8", "train.batch_size=3")
    run = open_run(tmp_path, unrelated, *settings, "train.total_images=108", pairs=3).finish()
    first, last = run.stats[0], run.stats[-1]
    assert last["signs"]["train_l1"] < first["signs"]["train_l1"]
    assert last["metrics"]["l1"] > first["metrics"]["l1"]
    sentence = last_warning(run, "overfitting")
    assert "by l1, held-out pictures are" in sentence
    assert "validation.patience_images" in sentence


def test_training_pictures_known_to_the_bit_are_no_overfitting_that_can_be_counted() -> None:
    # What is drawn is rounded, so the error on training pictures may be nothing at all.
    plain = Progress(0, 100, 1.0, 1.0, {}, None, None, {}, None)
    records = [replace(plain, images=20 * at, metrics={"l1": 0.1 * at}, signs={"train_l1": 0.0}) for at in range(1, 6)]
    monitors = Monitors(100, {})
    assert [set(monitors.look(record)) for record in records] == [set()] * 5


def test_learning_rate_of_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ("optimiser.generator.lr=1e-12", "train.total_images=48")
    run = open_run(tmp_path, learnable, *settings).finish()
    assert "look as they did before training" in last_warning(run, "no learning")
    assert warned_of(run) <= {"no learning", "G collapsed"}
    assert set(run.stats[-1]["warnings"]) == {"no learning"}, "what else it looks like is not said"
    unseen = open_run(tmp_path, learnable, *settings, "train.sample_images=1000", out="unseen")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    train_with_display(unseen)
    assert "no learning: l1 stayed the same" in capsys.readouterr().err
    assert "l1 stayed the same in all 4 measurements" in last_warning(unseen, "no learning")


def test_distance_alone_draws_ambiguous_colours_grey(tmp_path: Path) -> None:
    settings = ("objective.kind=l1", "optimiser.generator.lr=1e-2", "train.total_images=120")
    run = open_run(tmp_path, ambiguous, *settings, pairs=24).finish()
    assert run.stats[-1]["signs"]["chroma"] < 0.5
    assert "objective.kind=l1+cgan" in last_warning(run, "grey output")
    assert "G collapsed" not in run.stats[-1]["warnings"], "the left half is as it should be"


def test_looking_changes_nothing_of_what_is_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = open_run(tmp_path, learnable, "train.total_images=24", "generator.dropout=0.5").finish()
    monkeypatch.setattr(translate_subject._Measured, "signs", lambda _: {})
    unwatched = open_run(tmp_path, learnable, "train.total_images=24", "generator.dropout=0.5", out="other").finish()
    assert watched.stats[0]["signs"]
    assert not unwatched.stats[0]["signs"]
    assert watched.model_path.read_bytes() == unwatched.model_path.read_bytes()


PATIENT = (
    "objective.kind=l1",
    "optimiser.generator.lr=1e-2",
    "generator.width=8",
    "train.batch_size=3",
    "train.total_images=600",
    "validation.metric=ms_ssim",
    "validation.patience_images=48",
)


def test_patience_ends_a_run_at_the_same_image_however_often_it_was_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = open_run(tmp_path, unrelated, *PATIENT, pairs=3)
    train_with_display(whole)
    assert f"stopped early at {whole.images_seen} of 600 images" in capsys.readouterr().err
    # Of 32 pixels there are two scales, and that is what the number is called.
    measured = {line["images"]: line["metrics"] for line in whole.stats if line["metrics"]}
    best = max(measured, key=lambda images: measured[images]["ms_ssim_2"])
    for progress in open_run(tmp_path, unrelated, *PATIENT, out="parts"):
        if progress.images >= best + 36:
            break
    parts = open_run(tmp_path, unrelated, *PATIENT, out="parts")
    assert best < parts.images_seen < whole.images_seen, "stopped while it waits"
    parts.finish()
    assert whole.images_seen == parts.images_seen < 600
    assert [line["warnings"] for line in whole.stats] == [line["warnings"] for line in parts.stats]
    assert whole.model_path.read_bytes() == parts.model_path.read_bytes()
    assert [line["finished"] for line in whole.stats] == [False] * (len(whole.stats) - 1) + [True]

    assert whole.images_seen - best >= 48
    assert read_header(whole.model_path).images_seen == best
    assert read_header(whole.model_path).metrics == measured[best]

    assert whole.complete
    assert len(whole) == 0
    assert list(open_run(tmp_path, unrelated, *PATIENT)) == [], "nothing more is trained"
    assert 0 < whole.stats[-1]["validation_share"] < 1


def test_diversity_is_the_pooled_deviation_within_classes() -> None:
    pictures = torch.tensor([0.0, 2.0, 7.0, 7.0, 9.0]).reshape(5, 1, 1, 1).expand(5, 3, 4, 4)
    # Squares 1 + 1 in the first class, 0 + 0 in the second, 0 in the third, over 5 - 3 pictures.
    assert diversity(pictures, torch.tensor([0, 0, 4, 4, 8])) == 1.0
    # All in one: mean 5, squares 25 + 9 + 4 + 4 + 16 over 5 - 1.
    assert math.isclose(diversity(pictures), math.sqrt(58 / 4))
    assert diversity(pictures[:1]) == 0.0
