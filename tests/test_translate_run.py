"""A whole run from pairs to a model file: resumed to the same bits, with everything random switched on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.config import load_recipe
from ganvas.errors import GanvasError, UsageError
from ganvas.model_file import TranslateHeader, load_model, read_header
from ganvas.models import winograd
from ganvas.training.run import TrainingRun

SETTINGS = (
    "data.size=32",
    "generator.width=4",
    "discriminator.width=4",
    "discriminator.receptive_field=16",
    "train.total_images=60",
    "train.batch_size=4",
    "train.tick_images=8",
    "train.checkpoint_images=8",
    "train.sample_images=20",
    "train.ema_half_life_images=20",
    "validation.every_images=20",
    "validation.samples=2",
)
EVERYTHING = (
    'condition=["picture", "label"]',
    "data.labels=folder",
    "objective.augment=true",
    "objective.r1=1.0",
    "objective.penalty_interval=3",
    "discriminator.scales=2",
)
BATCH_NORM = ("generator.norm=batch", "discriminator.norm=batch", "objective.generator_logits=recomputed")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pairs to train on and two held out, side by side, of two classes."""
    root = tmp_path_factory.mktemp("pairs")
    random = np.random.default_rng(0)
    for split, count in (("train", 10), ("test", 2)):
        for number in range(count):
            path = root / split / ("day", "night")[number % 2] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 256, (40, 80, 3), dtype=np.uint8)).save(path)
    return root


def open_run(pairs: Path, out: Path, *settings: str) -> TrainingRun:
    recipe = load_recipe("sketch2color", [*SETTINGS, f"data.path='{pairs}'", *settings])
    return TrainingRun(recipe, out, device="cpu")


def final_state(run: TrainingRun) -> dict[str, Any]:
    newest = sorted((run.folder / "checkpoints").glob("*.pt"))[-1]
    return dict(_flat(torch.load(newest, weights_only=True)))


def _flat(value: Any, path: str = "") -> Any:
    if isinstance(value, dict | list | tuple):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _flat(inner, f"{path}/{key}")
    elif path not in ("/seconds", "/validation_seconds"):  # wall time
        yield path, value


@pytest.mark.parametrize(
    "settings",
    [EVERYTHING, (*EVERYTHING, "train.precision=bf16"), (*BATCH_NORM, "data.cache_mb=0")],
    ids=["everything", "bf16", "batch norm from a mapped file"],
)
def test_stopped_run_resumes_to_the_same_bits(
    pairs: Path, tmp_path: Path, settings: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Networks of this size would never take it.
    monkeypatch.setattr(winograd, "LEAST_WEIGHTS", 0)
    monkeypatch.setattr(winograd, "KERNEL_COST", 0)
    taken: list[int] = []
    real = winograd.convolution

    def counted(x: torch.Tensor, weight: torch.Tensor, padding: int) -> torch.Tensor:
        taken.append(len(x))
        return real(x, weight, padding)

    monkeypatch.setattr(winograd, "convolution", counted)
    whole = open_run(pairs, tmp_path / "whole", *settings).finish()
    assert taken
    for tick, _ in enumerate(open_run(pairs, tmp_path / "parts", *settings), start=1):
        if tick == 4:
            break
    resumed = open_run(pairs, tmp_path / "parts", *settings)
    assert 0 < resumed.images_seen < 60
    resumed.finish()
    one, other = final_state(whole), final_state(resumed)
    assert one.keys() == other.keys()
    for path, value in one.items():
        assert torch.equal(value, other[path]) if isinstance(value, torch.Tensor) else value == other[path], path
    assert whole.model_path.read_bytes() == resumed.model_path.read_bytes()


def test_init_model_of_another_network_tells_what_differs(pairs: Path, tmp_path: Path) -> None:
    first = open_run(pairs, tmp_path / "first", "generator.source_skip=false", "train.total_images=8")
    first.finish()
    start = f"init.model='{first.folder}'"
    with pytest.raises(UsageError, match=r"it would with --set generator\.source_skip=false$"):
        open_run(pairs, tmp_path / "second", start).finish()
    open_run(pairs, tmp_path / "third", start, "generator.source_skip=false", "train.total_images=8").finish()


def test_init_model_may_lack_a_spread_and_draws_nearly_the_same_with_it(pairs: Path, tmp_path: Path) -> None:
    once = ("train.total_images=2", "train.batch_size=2", "optimiser.generator.lr=1e-9")
    first = open_run(pairs, tmp_path / "first", "generator.spread=0", *once).finish()
    second = open_run(pairs, tmp_path / "second", f"init.model='{first.folder}'", *once).finish()
    (without, _), (with_it, _) = load_model(first.model_path), load_model(second.model_path)
    x = torch.rand(2, 5, 32, 32)
    with torch.no_grad():
        before, after = without.eval()(x), with_it.eval()(x)
    assert 0 < float((before - after).abs().mean()) < 0.05
    with pytest.raises(UsageError, match=r"it would with --set generator\.spread=2$"):
        open_run(pairs, tmp_path / "third", f"init.model='{second.folder}'", "generator.spread=0").finish()


def test_header_tells_how_pictures_are_prepared(pairs: Path, tmp_path: Path) -> None:
    run = open_run(pairs, tmp_path / "run", *EVERYTHING).finish()
    header = read_header(run.model_path)
    assert isinstance(header, TranslateHeader)
    assert (header.source.channels, header.target.channels, header.size) == (1, 3, 32)
    assert header.hints
    assert header.class_names == ("day", "night")
    assert header.data.fingerprint == run.subject.fingerprint
    assert set(header.metrics) == {"l1"}
    assert len(list((run.folder / "samples").glob("*.png"))) == 4


@pytest.mark.parametrize(("metric", "best"), [("colour_distance", min), ("edge_agreement", max)])
def test_model_kept_is_the_best_by_the_named_metric(pairs: Path, tmp_path: Path, metric: str, best: Any) -> None:
    settings = (f"validation.metric={metric}", "validation.every_images=8", "optimiser.generator.lr=1e-2")
    run = open_run(pairs, tmp_path / "run", *settings, "train.ema_half_life_images=0", "hints.enabled=false").finish()
    measured = {tick["images"]: tick["metrics"] for tick in run.stats if tick["metrics"]}
    assert len(measured) > 4
    chosen = best(measured, key=lambda images: measured[images][metric])
    assert chosen != max(measured), "the last one would be kept without a metric"
    header = read_header(run.model_path)
    assert (header.images_seen, header.metrics) == (chosen, measured[chosen])
    assert set(header.metrics) == {"l1", metric}


def test_metric_without_held_out_pairs_is_refused(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(GanvasError, match=r"holds out no pairs.*validation\.metric"):
        open_run(pairs / "train", tmp_path / "run", "data.test_share=0.0", "validation.metric=l1")


def test_label_of_one_class_is_refused(pairs: Path, tmp_path: Path) -> None:
    for split in ("train", "test"):
        shutil.copytree(pairs / split / "day", tmp_path / "one" / split / "day")
    with pytest.raises(GanvasError, match="has fewer than two classes"):
        open_run(tmp_path / "one", tmp_path / "run", *EVERYTHING[:1], "data.labels=folder")
