"""How long one training step of the conditional course pair takes, beside the course's own TensorFlow code.

    python benchmarks/cgan_step.py --tensorflow-python TFENV/bin/python [--rounds 15] [--json FILE]

Every contestant is a process of its own that stays alive and idle; rounds go through them in turn, forwards
and backwards alternately, so that drift of the machine meets all alike. Ratios are formed inside each round,
by pair; the table gives their median and the 10th and 90th percentile. Any command that speaks the protocol
of `_contestant.py` can join: `--contestant "NAME=COMMAND"`. A contestant that can't start is named, with the
reason, below the table. GFLOP/s count each needed operation once, the same for everybody (`step_gflop`),
unless a contestant states that its step is another one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BASELINE = "TensorFlow tf.function"
NO_TENSORFLOW = "python-with-tensorflow"
START_SECONDS, ROUND_SECONDS = 300.0, 300.0


class ContestantError(Exception):
    """A contestant that did not start or did not answer, and why."""


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


@dataclass
class Contestant:
    """One process, its ready line and all it answered."""

    name: str
    command: list[str]
    process: subprocess.Popen[str]
    errors: Path
    description: dict[str, Any] = field(default_factory=dict)
    rounds: list[list[float]] = field(default_factory=list)
    last: dict[str, Any] = field(default_factory=dict)
    idle_seconds: float = 0.0
    idle_cpu: float = 0.0
    _left_off: tuple[float, float] | None = None

    @classmethod
    def start(cls, name: str, command: Sequence[str], scratch: Path, environment: dict[str, str]) -> Contestant:
        """Starts the process and waits until it is ready; raises ContestantError with its last words."""
        errors = scratch / f"{len(list(scratch.iterdir()))}.stderr"
        try:
            with errors.open("w") as stream:
                pipe = subprocess.PIPE
                process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=stream, text=True, env=environment)
        except OSError as error:
            raise ContestantError(f"can't run {command[0]}: {error.strerror}") from error
        contestant = cls(name, list(command), process, errors)
        try:
            contestant.description = contestant.read(START_SECONDS)
            if contestant.description.get("ready") is not True:
                raise ContestantError(f"did not say ready but {contestant.description}")
        except ContestantError:
            contestant.stop()
            raise
        return contestant

    def read(self, seconds: float) -> dict[str, Any]:
        """The next line of its answers; a process that takes longer than `seconds` is ended."""
        assert self.process.stdout is not None
        watchdog = threading.Timer(seconds, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline()
        watchdog.cancel()
        if not line:
            said = [words for words in self.errors.read_text(errors="replace").splitlines() if words.strip()]
            raise ContestantError(said[-1].strip() if said else f"ended without an answer in {seconds:.0f} s")
        try:
            answer = json.loads(line)
        except ValueError as error:
            raise ContestantError(f"answered no JSON: {line.strip()!r}") from error
        if not isinstance(answer, dict):
            raise ContestantError(f"answered no object: {line.strip()!r}")
        return answer

    def round(self, steps: int, *, unmeasured: int) -> None:
        """Some steps to wake caches and threads, then `steps` that count."""
        self.note_idling()
        if unmeasured:
            self.ask(unmeasured)
        self.last = self.ask(steps)
        self.rounds.append([float(ms) for ms in self.last["ms"]])
        self._left_off = (time.monotonic(), self.cpu_seconds())

    def ask(self, steps: int) -> dict[str, Any]:
        """Sends one line and returns the answer."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # if the process is gone, reading tells why
            self.process.stdin.write(f"round {steps} steps\n")
            self.process.stdin.flush()
        try:
            answer = self.read(ROUND_SECONDS)
        except ContestantError as error:
            raise ContestantError(f"{self.name}: {error}") from error
        if not isinstance(answer.get("ms"), list) or not answer["ms"]:
            raise ContestantError(f"{self.name}: answered no times but {answer}")
        return answer

    def note_idling(self) -> None:
        """Adds what it burned since its last answer, when others were being measured."""
        if self._left_off is not None:
            since, cpu = self._left_off
            self.idle_seconds += time.monotonic() - since
            self.idle_cpu += self.cpu_seconds() - cpu

    def cpu_seconds(self) -> float:
        """Processor time of all its threads so far; 0 where the system does not tell (no /proc)."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """Ends its input, which ends it; a moment later by force."""
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


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


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """10th percentile, median, 90th percentile."""
    if len(values) < 2:
        return (values[0],) * 3
    tenths = statistics.quantiles(values, n=10, method="inclusive")
    return tenths[0], statistics.median(values), tenths[-1]


def summary(contestant: Contestant, baseline: Contestant | None, peak: dict[str, float]) -> dict[str, Any]:
    """One row: times, speed relative to the baseline by pair of rounds, operations, share of the peak."""
    every = [ms for one in contestant.rounds for ms in one]
    median = statistics.median(every)
    gflops = float(contestant.description.get("gflop", step_gflop())) / median * 1e3
    row: dict[str, Any] = {
        "name": contestant.name, "median_ms": median, "min_ms": min(every), "gflops": gflops,
        "description": contestant.description, "rounds_ms": contestant.rounds,
        "idle_cpu_share": contestant.idle_cpu / contestant.idle_seconds if contestant.idle_seconds else 0.0,
    }  # fmt: skip
    precision = str(contestant.description.get("precision", "fp32"))
    if precision in peak:
        row["share_of_peak"] = gflops / peak[precision]
    if baseline is not None:
        pairs = zip(baseline.rounds, contestant.rounds, strict=True)
        row["speed"] = spread([statistics.median(b) / statistics.median(c) for b, c in pairs])
    return row


def table(rows: Sequence[dict[str, Any]], baseline: str) -> str:
    """The rows as Markdown."""
    lines = [
        f"| step of 128 | median ms | min ms | speed, {baseline} = 1 (10%-90%) | GFLOP/s | of GEMM peak |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        low, middle, high = row.get("speed", (None, None, None))
        speed = "-" if middle is None else f"{middle:.2f} ({low:.2f}-{high:.2f})"
        share = f"{row['share_of_peak']:.0%}" if "share_of_peak" in row else "-"
        times = f"{row['median_ms']:.2f} | {row['min_ms']:.2f}"
        lines.append(f"| {row['name']} | {times} | {speed} | {row['gflops']:.0f} | {share} |")
    return "\n".join(lines)


def run(asked: argparse.Namespace, commands: dict[str, list[str]], scratch: Path) -> dict[str, Any]:
    """Starts everybody, goes through the rounds, and returns all that was measured."""
    environment = dict(os.environ)
    if asked.threads:
        for variable in (
            "OMP_NUM_THREADS",
            "MKL_NUM_THREADS",
            "TF_NUM_INTRAOP_THREADS",
            "TF_NUM_INTEROP_THREADS",
        ):
            environment[variable] = str(asked.threads)
    contestants: list[Contestant] = []
    skipped: dict[str, str] = {}
    peak_worker: Contestant | None = None
    try:
        for name, command in commands.items():
            if command[0] == NO_TENSORFLOW:
                skipped[name] = "no --tensorflow-python was given"
                continue
            print(f"starting {name}", file=sys.stderr)
            try:
                contestants.append(Contestant.start(name, command, scratch, environment))
            except ContestantError as error:
                skipped[name] = str(error)
        if not contestants:
            raise ContestantError("; ".join(f"{name}: {why}" for name, why in skipped.items()))
        command = [sys.executable, str(HERE / "_gemm_peak_worker.py")]
        try:
            peak_worker = Contestant.start("GEMM peak", command, scratch, environment)
        except ContestantError as error:
            skipped["GEMM peak"] = str(error)
        for number in range(asked.rounds):
            print(f"round {number + 1} of {asked.rounds}", file=sys.stderr)
            for contestant in contestants if number % 2 == 0 else reversed(contestants):
                contestant.round(asked.steps, unmeasured=asked.unmeasured)
                time.sleep(asked.pause)  # until threads that wait actively have gone to sleep
            if peak_worker is not None and number in {0, asked.rounds // 2, asked.rounds - 1}:
                peak_worker.round(1, unmeasured=0)
    finally:
        for contestant in [*contestants, *([peak_worker] if peak_worker else [])]:
            contestant.stop()
    baseline = next((c for c in contestants if c.name == asked.baseline), None)
    peak = peaks(peak_worker)
    return {
        "rows": [summary(c, baseline, peak) for c in contestants],
        "skipped": skipped,
        "peak_gflops": peak,
        "peak_by_route": peak_worker.last.get("gflops", {}) if peak_worker else {},
        "route_errors": peak_worker.description.get("errors", {}) if peak_worker else {},
        "gflop_a_step": step_gflop(),
        "machine": {"processor": processor(), "cores": os.cpu_count(), "platform": platform.platform()},
        "rounds": asked.rounds,
        "steps": asked.steps,
        "threads": asked.threads,
    }


def processor() -> str:
    """The processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def printed(result: dict[str, Any], baseline: str = BASELINE) -> str:
    """The table and what has to be said below it."""
    machine, peak = result["machine"], result["peak_gflops"]
    lines = [table(result["rows"], baseline), ""]
    reached = ", ".join(f"{precision} {rate:.0f} GFLOP/s" for precision, rate in peak.items()) or "not measured"
    lines.append(f"{machine['processor']}, {machine['cores']} cores. GEMM peak: {reached}.")
    for route, sizes in result["peak_by_route"].items():
        wrong = result["route_errors"].get(route, float("nan"))
        rates = ", ".join(f"{size}: {rate:.0f}" for size, rate in sizes.items())
        lines.append(f"- {route}: {rates} GFLOP/s; error {wrong:.0e}")
    lines += [f"- left out: {name}: {why}" for name, why in result["skipped"].items()]
    for row in result["rows"]:
        if row["idle_cpu_share"] > 0.02:
            burned = f"{row['idle_cpu_share']:.0%} of a core"
            lines.append(f"- beware: {row['name']} burned {burned} while others were measured")
    return "\n".join(lines)


def options() -> argparse.ArgumentParser:
    """The command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--tensorflow-python", metavar="PYTHON", help="a Python that has tensorflow")
    parser.add_argument("--contestant", action="append", default=[], metavar="NAME=COMMAND", help="one more")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="names that contain it")
    parser.add_argument("--baseline", default=BASELINE, metavar="NAME", help="what ratios refer to")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=30, help="measured steps of each contestant in a round")
    parser.add_argument("--unmeasured", type=int, default=5, help="steps before those that wake caches")
    parser.add_argument("--pause", type=float, default=0.05, help="seconds of rest between contestants")
    parser.add_argument("--threads", type=int, help="threads of everybody (default: each library's choice)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured")
    return parser


def main() -> None:
    """Reads the options, measures and prints."""
    parser = options()
    asked = parser.parse_args()
    if min(asked.rounds, asked.steps) < 1:
        parser.error("--rounds and --steps must be at least 1")
    commands = default_contestants(asked.tensorflow_python)
    for text in asked.contestant:
        name, equals, command = text.partition("=")
        if not (name and equals and command):
            parser.error(f"--contestant {text!r}: expected NAME=COMMAND")
        commands[name] = shlex.split(command)
    if asked.only:
        commands = {n: c for n, c in commands.items() if any(text in n for text in asked.only)}
    if not commands:
        parser.error("--only leaves no contestant")
    with tempfile.TemporaryDirectory() as scratch:
        try:
            result = run(asked, commands, Path(scratch))
        except ContestantError as error:
            sys.exit(f"cgan_step: {error}")
    print(printed(result, asked.baseline))
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
