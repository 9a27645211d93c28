"""Kill a training run with SIGKILL at random moments, resume it each time, and compare what it ends with bit by bit.

    python benchmarks/kill_and_resume.py --kills 20

The moments are drawn from the whole life of the process: while it starts, trains, and writes files.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ganvas.training.folder import CHECKPOINTS, MODEL
from ganvas.training.stats import read_stats

SETTINGS = ("train.total_images=120000", "train.batch_size=100")
COMMON = (
    "train.tick_images=1000",
    "train.sample_images=3000",
    "train.checkpoint_images=1000",
    "validation.every_images=3000",
    "validation.samples=100",
)


@dataclass(frozen=True)
class Outcome:
    """How often the run was killed, and whether it ended with the bits of the run that was not."""

    kills: int
    starts: int
    identical: bool


def kill_and_resume(
    folder: Path, kills: int, seed: int, settings: Sequence[str] = SETTINGS, recipe: str = "digits-cgan"
) -> Outcome:
    """Train once without and once with ``kills`` kills in ``folder``, and compare what they end with."""
    subprocess.run(command(folder / "whole", recipe, settings), check=True, capture_output=True)
    draw = random.Random(seed)
    total = progress(folder / "whole")
    # A kill comes a moment after training has passed a random place; a quarter of them while the program starts.
    places = sorted(draw.uniform(0, 0.9 * total) if draw.random() < 0.75 else 0.0 for _ in range(kills))
    for place in places:
        process = start(folder / "killed", recipe, settings)
        while place and progress(folder / "killed") < place and process.poll() is None:
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.5 if place else 8.0))
        if process.poll() is not None:
            raise SystemExit(f"the run ended before it was killed: {process.communicate()[1].decode()}")
        process.kill()
        process.communicate()
    last = start(folder / "killed", recipe, settings)
    errors = last.communicate()[1].decode()
    if last.returncode:
        raise SystemExit(f"the resumed run failed: {errors}")
    whole, killed = (ending(folder / name) for name in ("whole", "killed"))
    return Outcome(kills, kills + 1, same_bits(whole, killed))


def start(out: Path, recipe: str, settings: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command(out, recipe, settings), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def progress(run: Path) -> int:
    """Images seen by the last line of stats.jsonl."""
    lines = read_stats(run / "stats.jsonl")
    return int(lines[-1]["images"]) if lines else 0


def command(out: Path, recipe: str, settings: Sequence[str]) -> list[str]:
    changes = [part for setting in (*COMMON, *settings) for part in ("--set", setting)]
    return [sys.executable, "-m", "ganvas", "train", recipe, "--out", str(out), *changes]


def ending(run: Path) -> dict[str, object]:
    """Weights and optimiser state of the newest checkpoint, and the model file's bytes."""
    newest = sorted((run / CHECKPOINTS).glob("*.pt"))[-1]
    return {"task": torch.load(newest, weights_only=True)["task"], "model": (run / MODEL).read_bytes()}


def same_bits(left: object, right: object) -> bool:
    if isinstance(left, torch.Tensor) and isinstance(right, torch.Tensor):
        return torch.equal(left, right)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same_bits(left[key], right[key]) for key in left)
    return left == right


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", default="digits-cgan")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = kill_and_resume(Path(folder), options.kills, options.seed, recipe=options.recipe)
    print(f"{outcome.kills} kills, {outcome.starts} starts; final weights, optimiser state and model file identical")
    print(f"to the uninterrupted run's: {outcome.identical}")
    sys.exit(not outcome.identical)


if __name__ == "__main__":
    main()
