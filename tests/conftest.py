"""What all tests share: a cache of their own, and a run small enough to train in a second."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganvas.api import Run, train
from ganvas.config import load_recipe
from ganvas.training.run import TrainingRun

# 12 ticks of two steps; checkpoints, samples and metrics fall on some of them.
TINY = (
    "train.total_images=1200",
    "train.batch_size=50",
    "train.tick_images=100",
    "train.sample_images=300",
    "train.checkpoint_images=400",
    "validation.every_images=300",
    "validation.samples=100",
)


@pytest.fixture(autouse=True, scope="session")
def _cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp().parent / "cache"))


def tiny_run(out: Path, *settings: str, recipe: str = "digits-cgan", fresh: bool = False) -> TrainingRun:
    """A run of 1,200 images on the CPU, without a report at its end."""
    return TrainingRun(load_recipe(recipe, [*TINY, *settings]), out, device="cpu", fresh=fresh)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One finished tiny run with its report; tests read it and leave it as it is."""
    run = train("digits-cgan", out=tmp_path_factory.mktemp("runs") / "finished", settings=TINY, device="cpu")
    run.finish()
    return run
