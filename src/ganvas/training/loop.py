"""The training loop. It knows a task, batches and a folder, never which model it trains."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ganvas.config import Train
from ganvas.data.batches import stream_seed
from ganvas.errors import GanvasError
from ganvas.model_file import save_model
from ganvas.pictures import read_picture, save_png
from ganvas.tasks import Task
from ganvas.training.checkpoint import load_newest_checkpoint, save_checkpoint
from ganvas.training.monitors import Monitors, goodness
from ganvas.training.signals import Interrupted, stop_requests
from ganvas.training.stats import (
    Averages,
    Progress,
    append_stats,
    drop_stats_after,
    is_finite,
    peak_memory_mb,
)
from ganvas.training.subject import Work

ACCURACIES = ("accuracy_real", "accuracy_fake")


def training_loop(
    work: Work,  # the task and all that goes with it; its weights are overwritten by a checkpoint's
    train: Train,  # how long, how much at a time, and how often what is written
    folder: Path,  # the run folder; the newest checkpoint in it is where training goes on
) -> Generator[Progress]:
    """Train until ``train.total_images`` are seen or patience runs out, yielding a record a tick.

    Raises:
        Interrupted: Ctrl-C or SIGTERM arrived; the step was finished and saved.
        GanvasError: a loss or gradient is not finite, or a file cannot be written.
    """
    task, total = work.task, train.total_images
    writer = _RunWriter(work, folder)

    # Go on from the newest checkpoint, or from the beginning.
    state = load_newest_checkpoint(folder / "checkpoints", task.device)
    images, seconds, last_tick, finished = 0, 0.0, 0, False
    if state is not None:
        task.load_state_dict(state["task"])
        images, seconds, last_tick = state["images"], state["seconds"], state["last_tick"]
        finished = writer.go_on_from(state)
    monitors = Monitors(total, work.advice, drop_stats_after(folder / "stats.jsonl", images))
    if images == 0:
        writer.samples(images)
    averages = Averages()
    tick_start, tick_images = time.perf_counter(), images

    with stop_requests() as stop_requested:
        while images < total and not finished:
            # Step: everything random in it is a function of the seed and of the images seen.
            torch.manual_seed(stream_seed(train.seed, "step", images))
            batch = [part[: total - images] for part in work.batches.batch(images)]
            after = images + len(batch[0])
            due = _passed(images, after, train.tick_images) or after == total
            task.watched = due
            averages.add(work.step(*batch, images))
            images = after
            stopping = stop_requested()
            if not (due or stopping):
                continue

            # Tick: the only place where the loop waits for the device.
            losses, broken = averages.read()
            norms = {name: float(task.gradient_norms[name]) for name in task.networks} if due else {}
            now = time.perf_counter()
            seconds += now - tick_start
            speed = (images - tick_images) / max(now - tick_start, 1e-9)
            # Where a run is stopped within a tick, what the last gradient did to the weights is looked at instead.
            looked_at = norms or _weight_norms(task)
            if broken is not None or not is_finite(looked_at):
                raise GanvasError(_diagnosis(task, train, broken, looked_at, tick_images, images, folder))
            # What is measured, drawn and kept must not depend on where a run was stopped: only regular ticks count.
            span = (last_tick, images) if due else (images, images)
            last_tick = images if due else last_tick
            writer.metrics, writer.signs = {}, {}
            if _passed(*span, work.every_images) or images == total:
                writer.measure(images)
            finished = images == total or writer.out_of_patience(images)
            if _passed(*span, train.sample_images) or finished:
                writer.samples(images)
            progress = Progress(
                images=images,
                total_images=total,
                seconds=seconds,
                images_per_second=speed,
                losses={name: value for name, value in losses.items() if name not in ACCURACIES},
                accuracy_real=losses.get("accuracy_real"),
                accuracy_fake=losses.get("accuracy_fake"),
                gradient_norms=norms,
                peak_memory_mb=peak_memory_mb(task.device),
                metrics=writer.metrics,
                signs=writer.signs,
                validation_share=writer.validation_seconds / max(seconds + writer.validation_seconds, 1e-9),
                finished=finished,
            )
            progress = replace(progress, warnings=monitors.look(progress))
            append_stats(folder / "stats.jsonl", progress)
            if _passed(*span, train.checkpoint_images) or finished or stopping:
                writer.checkpoint(images, seconds, last_tick, finished)
            yield progress
            if stopping and not finished:
                raise Interrupted(
                    f"stopped at {images:,} of {total:,} images, saved in '{folder}'; the same command continues"
                    " (with --out, without --fresh)"
                )
            tick_start, tick_images = time.perf_counter(), images


@dataclass
class _RunWriter:
    """Measures, and writes samples, checkpoints and the model file of a run."""

    work: Work
    folder: Path
    best: float | None = None
    best_images: int = 0
    validation_seconds: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)  # measured at the tick at hand
    signs: dict[str, float] = field(default_factory=dict)  # taken at the tick at hand

    def samples(self, images: int) -> None:
        """The same noise and conditions every time; how far they are from the first ones is a sign."""
        sheet = self.work.sheet()
        save_png(sheet, self._sheet_path(images))
        moved = _difference(sheet, self._sheet_path(0)) if images else None
        if moved is not None:
            self.signs["moved"] = moved

    def measure(self, images: int) -> None:
        """Take metrics and signs, and save the model file if the recipe's validation metric is the best so far."""
        start = time.perf_counter()
        self.metrics = self.work.probe.measure() if self.work.probe else {}
        self.signs |= self.work.signs()
        self.validation_seconds += time.perf_counter() - start
        value = goodness(self.work.best_by, self.metrics.get(self.work.best_by, math.nan))
        if math.isfinite(value) and (self.best is None or value > self.best):
            self.best, self.best_images = value, images
            self._save_model(images)

    def out_of_patience(self, images: int) -> bool:
        """Whether the recipe's metric, just measured, has not been better for as long as the recipe waits."""
        patience = self.work.patience_images
        return bool(patience and self.metrics and self.best is not None and images - self.best_images >= patience)

    def checkpoint(self, images: int, seconds: float, last_tick: int, finished: bool) -> None:
        """Save the whole state, and the model file unless a better one by the recipe's metric is kept."""
        state: dict[str, Any] = {
            "task": self.work.task.state_dict(),
            "images": images,
            "seconds": seconds,
            "last_tick": last_tick,
            "best": self.best,
            "best_images": self.best_images,
            "validation_seconds": self.validation_seconds,
            "finished": finished,
        }
        save_checkpoint(self.folder / "checkpoints", images, state)
        if self.best is None:
            self._save_model(images)

    def go_on_from(self, state: dict[str, Any]) -> bool:
        """Take over what a checkpoint says of the best model; returns whether training was finished there."""
        self.best = state["best"]
        # Version 0.1.0 wrote none of these.
        self.best_images = state.get("best_images", state["images"])
        self.validation_seconds = state.get("validation_seconds", 0.0)
        return bool(state.get("finished", False))

    def _save_model(self, images: int) -> None:
        header = self.work.header(images, self.metrics)
        save_model(self.folder / "model.safetensors", self.work.task.drawing_generator, header)

    def _sheet_path(self, images: int) -> Path:
        return self.folder / "samples" / f"{images:010d}.png"


def _difference(sheet: Image.Image, first: Path) -> float | None:
    """Mean absolute difference of two sheets in levels of 255; None where the first cannot be read."""
    try:
        before = np.asarray(read_picture(first).convert("RGB"), dtype=np.float64)
    except GanvasError:
        return None
    now = np.asarray(sheet.convert("RGB"), dtype=np.float64)
    return float(np.abs(now - before).mean()) if now.shape == before.shape else None


def _passed(before: int, after: int, every: int) -> bool:
    """Whether a multiple of ``every`` lies in (before, after]."""
    return after // every > before // every


def _weight_norms(task: Task) -> dict[str, float]:
    """Euclidean norm of the weights of each network."""
    return {
        name: float(torch.nn.utils.get_total_norm([parameter.detach() for parameter in network.parameters()]))
        for name, network in task.networks.items()
    }


def _diagnosis(
    task: Task,
    train: Train,
    broken: tuple[str, int] | None,
    norms: dict[str, float],
    since: int,
    images: int,
    folder: Path,
) -> str:
    """What a user is told when training has diverged: what, when, what is kept, what to try."""
    if broken is not None:
        name, step = broken
        what = f"'{name}' is no longer a finite number at about image {since + step * train.batch_size:,}"
    else:
        names = " and ".join(name for name, norm in norms.items() if not math.isfinite(norm))
        what = f"the gradient of the {names} is no longer finite between images {since:,} and {images:,}"
    kept = sorted((folder / "checkpoints").glob("*.pt"))
    last = f"checkpoint '{kept[-1]}' from before it is kept" if kept else "no checkpoint was due before it"
    rates = ", ".join(
        f"optimiser.{name}.lr={optimiser.param_groups[0]['lr']:g}" for name, optimiser in task.optimisers.items()
    )
    bf16 = " or train.precision=fp32" if train.precision == "bf16" else ""
    return f"training diverged: {what}; {last}. Try a lower learning rate (now {rates}){bf16}, with --fresh."
