"""Kill a training run with SIGKILL at random moments, resume it each time, and compare the final weights bit by bit.

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
    """Train once without and once with ``kills`` kills in ``folder``, and compare weights and optimiser state."""
    start = time.monotonic()
    subprocess.run(command(folder / "whole", recipe, settings), check=True, capture_output=True)
    whole_seconds = time.monotonic() - start
    draw = random.Random(seed)
    done = starts = 0
    while True:
        starts += 1
        process = subprocess.Popen(
            command(folder / "killed", recipe, settings), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            # A kill on average every (life of the run / kills); start-up is repeated each time and added.
            process.wait(timeout=None if done == kills else 3 + draw.random() * 2 * whole_seconds / kills)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            done += 1
            continue
        errors = process.communicate()[1].decode()
        if process.returncode:
            raise SystemExit(f"a resumed run failed: {errors}")
        break
    return Outcome(done, starts, same_bits(newest(folder / "whole"), newest(folder / "killed")))


def command(out: Path, recipe: str, settings: Sequence[str]) -> list[str]:
    changes = [part for setting in (*COMMON, *settings) for part in ("--set", setting)]
    return [sys.executable, "-m", "ganvas", "train", recipe, "--out", str(out), *changes]


def newest(run: Path) -> object:
    return torch.load(sorted((run / "checkpoints").glob("*.pt"))[-1], weights_only=True)["task"]


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
    print(f"{outcome.kills} kills, {outcome.starts} starts; final weights and optimiser state identical to the")
    print(f"uninterrupted run: {outcome.identical}")
    sys.exit(not outcome.identical)


if __name__ == "__main__":
    main()
