"""The training loop. It knows a task, batches and a folder, never which model it trains."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ganvas.config import Train
from ganvas.data.batches import stream_seed
from ganvas.errors import GanvasError
from ganvas.model_file import save_model
from ganvas.pictures import save_png
from ganvas.tasks import Task
from ganvas.training.checkpoint import load_newest_checkpoint, save_checkpoint
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
DISTANCES = ("digit_frechet", "l1")  # metrics of which less is better


def training_loop(
    work: Work,  # the task and all that goes with it; its weights are overwritten by a checkpoint's
    train: Train,  # how long, how much at a time, and how often what is written
    folder: Path,  # the run folder; the newest checkpoint in it is where training goes on
) -> Generator[Progress]:
    """Train until ``train.total_images`` are seen, yielding a record a tick.

    Raises:
        Interrupted: Ctrl-C or SIGTERM arrived; the step was finished and saved.
        GanvasError: a loss or gradient is not finite, or a file cannot be written.
    """
    task, probe, total = work.task, work.probe, train.total_images
    writer = _RunWriter(work, folder)

    # Go on from the newest checkpoint, or from the beginning.
    state = load_newest_checkpoint(folder / "checkpoints", task.device)
    images, seconds, last_tick = 0, 0.0, 0
    if state is not None:
        task.load_state_dict(state["task"])
        images, seconds, last_tick = state["images"], state["seconds"], state["last_tick"]
        writer.best = state["best"]
    drop_stats_after(folder / "stats.jsonl", images)
    if images == 0:
        writer.samples(images)
    averages = Averages()
    tick_start, tick_images = time.perf_counter(), images

    with stop_requests() as stop_requested:
        while images < total:
            # Step: everything random in it is a function of the seed and of the images seen.
            torch.manual_seed(stream_seed(train.seed, "step", images))
            batch = [part[: total - images] for part in work.batches.batch(images)]
            averages.add(work.step(*batch, images))
            before, images = images, images + len(batch[0])
            stopping = stop_requested()
            due = _passed(before, images, train.tick_images) or images == total
            if not (due or stopping):
                continue

            # Tick: the only place where the loop waits for the device.
            losses, broken = averages.read()
            norms = _gradient_norms(task)
            now = time.perf_counter()
            seconds += now - tick_start
            speed = (images - tick_images) / max(now - tick_start, 1e-9)
            if broken is not None or not is_finite(norms):
                raise GanvasError(_diagnosis(task, train, broken, norms, tick_images, images, folder))
            # What is measured, drawn and kept must not depend on where a run was stopped: only regular ticks count.
            span = (last_tick, images) if due else (images, images)
            last_tick = images if due else last_tick
            writer.metrics = {}
            if probe and (_passed(*span, work.every_images) or images == total):
                writer.keep_if_best(images, probe.measure())
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
            )
            append_stats(folder / "stats.jsonl", progress)
            if _passed(*span, train.sample_images) or images == total:
                writer.samples(images)
            if _passed(*span, train.checkpoint_images) or images == total or stopping:
                writer.checkpoint(images, seconds, last_tick)
            yield progress
            if stopping and images < total:
                raise Interrupted(
                    f"stopped at {images:,} of {total:,} images, saved in '{folder}'; the same command continues"
                    " (with --out, without --fresh)"
                )
            tick_start, tick_images = time.perf_counter(), images


@dataclass
class _RunWriter:
    """Writes samples, checkpoints and the model file of a run."""

    work: Work
    folder: Path
    best: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)  # measured at the tick at hand

    def samples(self, images: int) -> None:
        """The same noise and conditions every time."""
        save_png(self.work.sheet(), self.folder / "samples" / f"{images:010d}.png")

    def checkpoint(self, images: int, seconds: float, last_tick: int) -> None:
        """Save the whole state, and the model file unless a better one by the recipe's metric is kept."""
        state: dict[str, Any] = {
            "task": self.work.task.state_dict(),
            "images": images,
            "seconds": seconds,
            "last_tick": last_tick,
            "best": self.best,
        }
        save_checkpoint(self.folder / "checkpoints", images, state)
        if self.best is None:
            self._save_model(images)

    def keep_if_best(self, images: int, metrics: dict[str, float]) -> None:
        """Save the model file if the recipe's validation metric is the best so far."""
        self.metrics = metrics
        name = self.work.best_by
        if name not in metrics:
            return
        # Of a distance less is better, of a share more.
        value = -metrics[name] if name in DISTANCES else metrics[name]
        if self.best is None or value > self.best:
            self.best = value
            self._save_model(images)

    def _save_model(self, images: int) -> None:
        header = self.work.header(images, self.metrics)
        save_model(self.folder / "model.safetensors", self.work.task.drawing_generator, header)


def _passed(before: int, after: int, every: int) -> bool:
    """Whether a multiple of ``every`` lies in (before, after]."""
    return after // every > before // every


def _gradient_norms(task: Task) -> dict[str, float]:
    """Euclidean norm of the last step's gradient of each network."""
    norms = {}
    for name, network in task.networks.items():
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        norms[name] = float(torch.nn.utils.get_total_norm(gradients))
    return norms


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
