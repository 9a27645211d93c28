"""The protocol between a speed benchmark and the programs it times: both ends of it, for any Python to import.

A contestant is any command. On its standard output it writes one line of JSON when it has warmed up,

    {"ready": true, "precision": "fp32", ...}     more keys describe it; "gflop" where a step needs more

then it blocks reading standard input (so that it costs nothing while others run) and answers every line

    round 20 steps   ->   {"ms": [7.91, 7.88, ...]}     twenty complete steps, each timed from start to finish
    quit, or the end of the input, ends it.

Whatever else a library prints to standard output goes to standard error, so it can't break the conversation.

`serve` is the contestant's end. At the other end every contestant is a process of its own that stays alive and
idle; rounds go through them in turn, forwards and backwards alternately, so that drift of the machine meets all
alike. Ratios are formed inside each round, by pair. A contestant that can't start is named, with the reason.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NO_TENSORFLOW = "python-with-tensorflow"
START_SECONDS, ROUND_SECONDS = 300.0, 300.0
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def serve(step: Callable[[], object], description: dict[str, Any], *, warm_up: int = 20) -> None:
    """Warms up, says ready and answers rounds until the input ends.

    `step` does one training step and returns only when its work is done.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    for _ in range(warm_up):
        step()
    answer({"ready": True, "pid": os.getpid(), **description})
    for line in iter(sys.stdin.readline, ""):
        words = line.split()
        if words == ["quit"]:
            return
        if len(words) != 3 or words[0] != "round" or not words[1].isdigit():
            answer({"error": f"not understood: {line.strip()!r}"})
            continue
        answer({"ms": [timed(step) for _ in range(int(words[1]))]})


def timed(step: Callable[[], object]) -> float:
    """Milliseconds that one call takes."""
    begin = time.perf_counter_ns()
    step()
    return (time.perf_counter_ns() - begin) / 1e6


class ContestantError(Exception):
    """A contestant that did not start or did not answer, and why."""


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
    peak_mb: float = 0.0
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
        self.peak_mb = self.most_memory()
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

    def most_memory(self) -> float:
        """Largest resident memory it ever had, in 10^6 bytes; 0 where the system does not tell (no /proc)."""
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024 / 1e6
        return 0.0

    @property
    def idle_cpu_share(self) -> float:
        """Share of a core that it burned while others were measured."""
        return self.idle_cpu / self.idle_seconds if self.idle_seconds else 0.0

    @property
    def median_ms(self) -> float:
        """Median of all its measured steps."""
        return statistics.median(ms for one in self.rounds for ms in one)

    def speed(self, baseline: Contestant) -> tuple[float, float, float]:
        """Its speed where the baseline's is 1, by pair of rounds: 10th percentile, median, 90th percentile."""
        pairs = zip(baseline.rounds, self.rounds, strict=True)
        return spread([statistics.median(b) / statistics.median(c) for b, c in pairs])

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


@contextlib.contextmanager
def started(
    commands: Mapping[str, Sequence[str]], threads: int | None
) -> Iterator[tuple[list[Contestant], dict[str, str]]]:
    """Starts everybody, and ends everybody at the end: those who are ready, and by name why the others are not."""
    environment = dict(os.environ)
    if threads:
        environment |= dict.fromkeys(THREADS, str(threads))
    contestants: list[Contestant] = []
    skipped: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        try:
            for name, command in commands.items():
                if command[0] == NO_TENSORFLOW:
                    skipped[name] = "no --tensorflow-python was given"
                    continue
                print(f"starting {name}", file=sys.stderr)
                try:
                    contestants.append(Contestant.start(name, command, Path(scratch), environment))
                except ContestantError as error:
                    skipped[name] = str(error)
            if not contestants:
                raise ContestantError("; ".join(f"{name}: {why}" for name, why in skipped.items()))
            yield contestants, skipped
        finally:
            for contestant in contestants:
                contestant.stop()


def take_turns(
    contestants: Sequence[Contestant], asked: argparse.Namespace, after_round: Callable[[int], None] = lambda _: None
) -> None:
    """All rounds, forwards and backwards alternately; `after_round` gets each one's number."""
    for number in range(asked.rounds):
        print(f"round {number + 1} of {asked.rounds}", file=sys.stderr)
        for contestant in contestants if number % 2 == 0 else reversed(contestants):
            contestant.round(asked.steps, unmeasured=asked.unmeasured)
            time.sleep(asked.pause)  # until threads that wait actively have gone to sleep
        after_round(number)


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """10th percentile, median, 90th percentile."""
    if len(values) < 2:
        return (values[0],) * 3
    tenths = statistics.quantiles(values, n=10, method="inclusive")
    return tenths[0], statistics.median(values), tenths[-1]


def shown_speed(speed: Sequence[float] | None) -> str:
    """The cell of a table: `1.44 (1.18-1.60)`, or a dash."""
    if speed is None:
        return "-"
    low, middle, high = speed
    return f"{middle:.2f} ({low:.2f}-{high:.2f})"


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {"processor": processor(), "cores": os.cpu_count(), "platform": platform.platform()}


def processor() -> str:
    """The processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def remarks(rows: Sequence[dict[str, Any]], skipped: Mapping[str, str]) -> list[str]:
    """Lines to stand below a table: who was left out, and who burned processor time out of turn."""
    lines = [f"- left out: {name}: {why}" for name, why in skipped.items()]
    for row in rows:
        if row["idle_cpu_share"] > 0.02:
            burned = f"{row['idle_cpu_share']:.0%} of a core"
            lines.append(f"- beware: {row['name']} burned {burned} while others were measured")
    return lines


def options(description: str | None, *, rounds: int, steps: int, unmeasured: int) -> argparse.ArgumentParser:
    """The part of the command line that all speed benchmarks have, with the given defaults."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, formatter_class=raw)
    parser.add_argument("--contestant", action="append", default=[], metavar="NAME=COMMAND", help="one more")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="names that contain it")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--steps", type=int, default=steps, help="measured steps of each contestant in a round")
    parser.add_argument("--unmeasured", type=int, default=unmeasured, help="steps before those that wake caches")
    parser.add_argument("--pause", type=float, default=0.05, help="seconds of rest between contestants")
    parser.add_argument("--threads", type=int, help="threads of everybody (default: each library's choice)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured")
    return parser


def chosen(
    parser: argparse.ArgumentParser, asked: argparse.Namespace, commands: dict[str, list[str]]
) -> dict[str, list[str]]:
    """`commands` with what --contestant adds, without what --only leaves out; wrong options end the program."""
    if min(asked.rounds, asked.steps) < 1:
        parser.error("--rounds and --steps must be at least 1")
    everybody = dict(commands)
    for text in asked.contestant:
        name, equals, command = text.partition("=")
        if not (name and equals and command):
            parser.error(f"--contestant {text!r}: expected NAME=COMMAND")
        everybody[name] = shlex.split(command)
    if asked.only:
        everybody = {n: c for n, c in everybody.items() if any(text in n for text in asked.only)}
    if not everybody:
        parser.error("--only leaves no contestant")
    return everybody


def write_json(file: Path | None, result: object) -> None:
    """Writes the result where --json asked for it."""
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(result, indent=1) + "\n")
