"""How long one training step of pix2pix takes, beside the TensorFlow tutorial's step and the usual PyTorch step.

    python benchmarks/pix2pix_step.py --tensorflow-python TFENV/bin/python [--side 128] [--json FILE]

U-Net and discriminator of receptive field 70 at full width, L1 + cGAN, 3 to 3 channels, at 64 pixels (batch 32), 128
(batch 16) and 256 (batch 1). Every contestant is a process of its own for each side; they are measured in turns (see
`_contestant.py`), and ratios are formed inside each round. Peak memory is the largest resident memory the whole
process ever had, library included. Any command that speaks the protocol can join: `--contestant "NAME=COMMAND"`; it
is called with `--side S --batch N` behind it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _contestant import (
    NO_TENSORFLOW,
    Contestant,
    ContestantError,
    chosen,
    machine,
    options,
    remarks,
    shown_speed,
    started,
    take_turns,
    write_json,
)

HERE = Path(__file__).parent
TENSORFLOW, USUAL = "TensorFlow tutorial, tf.function", "PyTorch, the usual step"
BASELINES = (TENSORFLOW, USUAL)
BATCHES = {64: 32, 128: 16, 256: 1}


def default_contestants(tensorflow_python: str | None) -> dict[str, list[str]]:
    """The rows of the table in the documentation; each command still needs --side and --batch."""
    ganvas = [sys.executable, str(HERE / "_ganvas_pix2pix_worker.py"), "--precision"]
    return {
        TENSORFLOW: [tensorflow_python or NO_TENSORFLOW, str(HERE / "pix2pix_tensorflow.py")],
        USUAL: [sys.executable, str(HERE / "_usual_pix2pix_worker.py")],
        "ganvas, fp32": [*ganvas, "fp32"],
        "ganvas, bf16": [*ganvas, "bf16"],
    }


def summary(contestant: Contestant, baselines: Sequence[Contestant], batch: int) -> dict[str, Any]:
    """One row: times, pictures a second, speed relative to each baseline by pair of rounds, memory."""
    median = contestant.median_ms
    return {
        "name": contestant.name, "median_ms": median, "min_ms": min(map(min, contestant.rounds)),
        "pictures_per_second": batch / median * 1e3,
        "speed": {baseline.name: contestant.speed(baseline) for baseline in baselines},
        "peak_mb": contestant.peak_mb, "idle_cpu_share": contestant.idle_cpu_share,
        "description": contestant.description, "rounds_ms": contestant.rounds,
    }  # fmt: skip


def measure(asked: argparse.Namespace, commands: dict[str, list[str]], side: int) -> dict[str, Any]:
    """All rounds of all contestants at one side."""
    batch = BATCHES[side]
    sized = {name: [*command, "--side", str(side), "--batch", str(batch)] for name, command in commands.items()}
    print(f"{side} pixels, batch {batch}", file=sys.stderr)
    with started(sized, asked.threads) as (contestants, skipped):
        take_turns(contestants, asked)
    baselines = [c for c in contestants if c.name in BASELINES]
    return {
        "side": side, "batch": batch, "rows": [summary(c, baselines, batch) for c in contestants], "skipped": skipped
    }  # fmt: skip


def printed(result: dict[str, Any]) -> str:
    """A table for each side and what has to be said below them."""
    lines: list[str] = []
    for measured in result["sides"]:
        lines += [
            f"| {measured['side']} pixels, batch {measured['batch']} | median ms | pictures/s "
            "| speed, TensorFlow = 1 (10%-90%) | speed, usual PyTorch = 1 (10%-90%) | peak MB |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        for row in measured["rows"]:
            speeds = " | ".join(shown_speed(row["speed"].get(baseline)) for baseline in BASELINES)
            times = f"{row['median_ms']:.0f} | {row['pictures_per_second']:.1f}"
            lines.append(f"| {row['name']} | {times} | {speeds} | {row['peak_mb']:.0f} |")
        lines += ["", *remarks(measured["rows"], measured["skipped"])]
        if lines[-1]:
            lines.append("")
    measured_on = result["machine"]
    lines.append(f"{measured_on['processor']}, {measured_on['cores']} cores, {result['rounds']} rounds.")
    return "\n".join(lines)


def main() -> None:
    """Reads the options, measures and prints."""
    parser = options(__doc__, rounds=11, steps=3, unmeasured=1)
    parser.add_argument("--tensorflow-python", metavar="PYTHON", help="a Python that has tensorflow")
    parser.add_argument("--side", type=int, action="append", choices=list(BATCHES), help="default: all three")
    asked = parser.parse_args()
    commands = chosen(parser, asked, default_contestants(asked.tensorflow_python))
    try:
        sides = [measure(asked, commands, side) for side in asked.side or BATCHES]
    except ContestantError as error:
        sys.exit(f"pix2pix_step: {error}")
    result = {
        "sides": sides, "machine": machine(), "rounds": asked.rounds, "steps": asked.steps, "threads": asked.threads
    }  # fmt: skip
    print(printed(result))
    write_json(asked.json, result)


if __name__ == "__main__":
    main()
