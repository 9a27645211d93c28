"""How long one training step of the conditional course pair takes, beside the course's own TensorFlow code.

    python benchmarks/cgan_step.py --tensorflow-python TFENV/bin/python [--rounds 15] [--json FILE]

Every contestant is a process of its own; they are measured in turns (see `_contestant.py`). The table gives the
median of the ratios and their 10th and 90th percentile. Any command that speaks the protocol of
`_contestant.py` can join: `--contestant "NAME=COMMAND"`. GFLOP/s count each needed operation once, the same for
everybody (`step_gflop`), unless a contestant states that its step is another one.
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
BASELINE = "TensorFlow tf.function"
PEAK = "GEMM peak"


def step_gflop(batch: int = 128) -> float:
    """Floating-point operations one step needs, in 10^9, for the dense-conditional G and the maxout D.

    Once each: G forward, D forward on real and fake, the gradients of all their weights, and of inputs down
    to what is needed (the real images, the labels and the noise need none).
    """
    g_first, g_joint, g_output = (100 + 10) * 256, 512 * 512, 512 * 784
    d_image, d_label, d_joint, d_output = 784 * 1200, 10 * 250, 290 * 960, 240
    generator = g_first + g_joint + g_output
    discriminator = d_image + d_label + d_joint + d_output
    forward = generator + 2 * discriminator
    inputs = 2 * (d_joint + d_output) + d_image + g_output + g_joint
    return 2e-9 * batch * (2 * forward + inputs)


def default_contestants(tensorflow_python: str | None) -> dict[str, list[str]]:
    """The rows of the table in the documentation."""
    tensorflow = [tensorflow_python or NO_TENSORFLOW, str(HERE / "course_tensorflow.py")]
    ganvas = [sys.executable, str(HERE / "_ganvas_step_worker.py"), "--variant"]
    return {
        BASELINE: tensorflow,
        "TensorFlow tf.function, XLA": [*tensorflow, "--xla"],
        "PyTorch, the usual loop": [sys.executable, str(HERE / "_usual_pytorch_worker.py")],
        "ganvas digits-cgan-course, fp32": [*ganvas, "course-fp32"],
        "ganvas digits-cgan-course, bf16": [*ganvas, "course-bf16"],
        "ganvas digits-cgan-course, fp32, compiled": [*ganvas, "course-fp32-compiled"],
        "ganvas digits-cgan-course, bf16, compiled": [*ganvas, "course-bf16-compiled"],
        "ganvas digits-cgan, fp32": [*ganvas, "digits-cgan-fp32"],
        "ganvas digits-cgan, bf16": [*ganvas, "digits-cgan-bf16"],
    }


def peaks(worker: Contestant | None) -> dict[str, float]:
    """Best GFLOP/s of matrix products by precision, over routes and sizes: {"fp32": ..., "bf16": ...}."""
    found: dict[str, float] = {}
    for route, sizes in (worker.last.get("gflops", {}) if worker else {}).items():
        precision = str(route).split()[0]
        found[precision] = max(found.get(precision, 0.0), *map(float, sizes.values()))
    return found


def summary(contestant: Contestant, baseline: Contestant | None, peak: dict[str, float]) -> dict[str, Any]:
    """One row: times, speed relative to the baseline by pair of rounds, operations, share of the peak."""
    median = contestant.median_ms
    gflops = float(contestant.description.get("gflop", step_gflop())) / median * 1e3
    row: dict[str, Any] = {
        "name": contestant.name, "median_ms": median, "min_ms": min(map(min, contestant.rounds)), "gflops": gflops,
        "description": contestant.description, "rounds_ms": contestant.rounds,
        "idle_cpu_share": contestant.idle_cpu_share,
    }  # fmt: skip
    precision = str(contestant.description.get("precision", "fp32"))
    if precision in peak:
        row["share_of_peak"] = gflops / peak[precision]
    if baseline is not None:
        row["speed"] = contestant.speed(baseline)
    return row


def table(rows: Sequence[dict[str, Any]], baseline: str) -> str:
    """The rows as Markdown."""
    lines = [
        f"| step of 128 | median ms | min ms | speed, {baseline} = 1 (10%-90%) | GFLOP/s | of GEMM peak |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        share = f"{row['share_of_peak']:.0%}" if "share_of_peak" in row else "-"
        times = f"{row['median_ms']:.2f} | {row['min_ms']:.2f}"
        lines.append(f"| {row['name']} | {times} | {shown_speed(row.get('speed'))} | {row['gflops']:.0f} | {share} |")
    return "\n".join(lines)


def run(asked: argparse.Namespace, commands: dict[str, list[str]]) -> dict[str, Any]:
    """Starts everybody, goes through the rounds, and returns all that was measured."""
    everybody = {**commands, PEAK: [sys.executable, str(HERE / "_gemm_peak_worker.py")]}
    with started(everybody, asked.threads) as (ready, skipped):
        contestants = [c for c in ready if c.name != PEAK]
        peak_worker = next((c for c in ready if c.name == PEAK), None)
        if not contestants:
            raise ContestantError("; ".join(f"{name}: {why}" for name, why in skipped.items()))

        def measure_peak(number: int) -> None:
            if peak_worker is not None and number in {0, asked.rounds // 2, asked.rounds - 1}:
                peak_worker.round(1, unmeasured=0)

        take_turns(contestants, asked, measure_peak)
    baseline = next((c for c in contestants if c.name == asked.baseline), None)
    peak = peaks(peak_worker)
    return {
        "rows": [summary(c, baseline, peak) for c in contestants],
        "skipped": skipped,
        "peak_gflops": peak,
        "peak_by_route": peak_worker.last.get("gflops", {}) if peak_worker else {},
        "route_errors": peak_worker.description.get("errors", {}) if peak_worker else {},
        "gflop_a_step": step_gflop(),
        "machine": machine(),
        "rounds": asked.rounds,
        "steps": asked.steps,
        "threads": asked.threads,
    }


def printed(result: dict[str, Any], baseline: str = BASELINE) -> str:
    """The table and what has to be said below it."""
    measured_on, peak = result["machine"], result["peak_gflops"]
    lines = [table(result["rows"], baseline), ""]
    reached = ", ".join(f"{precision} {rate:.0f} GFLOP/s" for precision, rate in peak.items()) or "not measured"
    lines.append(f"{measured_on['processor']}, {measured_on['cores']} cores. GEMM peak: {reached}.")
    for route, sizes in result["peak_by_route"].items():
        wrong = result["route_errors"].get(route, float("nan"))
        rates = ", ".join(f"{size}: {rate:.0f}" for size, rate in sizes.items())
        lines.append(f"- {route}: {rates} GFLOP/s; error {wrong:.0e}")
    return "\n".join([*lines, *remarks(result["rows"], result["skipped"])])


def main() -> None:
    """Reads the options, measures and prints."""
    parser = options(__doc__, rounds=15, steps=30, unmeasured=5)
    parser.add_argument("--tensorflow-python", metavar="PYTHON", help="a Python that has tensorflow")
    parser.add_argument("--baseline", default=BASELINE, metavar="NAME", help="what ratios refer to")
    asked = parser.parse_args()
    commands = chosen(parser, asked, default_contestants(asked.tensorflow_python))
    try:
        result = run(asked, commands)
    except ContestantError as error:
        sys.exit(f"cgan_step: {error}")
    print(printed(result, asked.baseline))
    write_json(asked.json, result)


if __name__ == "__main__":
    main()
