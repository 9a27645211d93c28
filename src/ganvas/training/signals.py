"""Ctrl-C and SIGTERM: the step at hand is finished and saved before the program ends."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


class Interrupted(Exception):
    """Training was asked to stop; everything is saved and the same command continues it (exit code 130)."""


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether Ctrl-C or SIGTERM arrived; a second Ctrl-C ends at once.

    Outside the main thread, where Python allows no handlers, nothing is changed and the answer is always no.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    arrived = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if arrived.is_set():
            raise KeyboardInterrupt
        arrived.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield arrived.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
