"""The protocol between `cgan_step.py` and the programs it times, in a form that any Python can import.

A contestant is any command. On its standard output it writes one line of JSON when it has warmed up,

    {"ready": true, "precision": "fp32", ...}     more keys describe it; "gflop" where a step needs more

then it blocks reading standard input (so that it costs nothing while others run) and answers every line

    round 20 steps   ->   {"ms": [7.91, 7.88, ...]}     twenty complete steps, each timed from start to finish
    quit, or the end of the input, ends it.

Whatever else a library prints to standard output goes to standard error, so it can't break the conversation.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any


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
