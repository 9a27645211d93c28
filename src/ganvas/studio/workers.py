"""Drawing away from the event loop: one thread for each loaded model, short queues, the latest wish of a page.

Models take turns, since each drawing uses all the processors it may. What waits for a model is drawn in the order of
asking, but of one page only the newest request waits, in the place of the one before, so that a page that draws fast
neither waits for its own past nor keeps others waiting.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from PIL import Image

from ganvas.errors import GanvasError
from ganvas.inference import Model
from ganvas.memory import give_back
from ganvas.model_file import LabelHeader
from ganvas.studio.problems import ProblemError
from ganvas.studio.settings import Limits
from ganvas.studio.telemetry import Telemetry

Drawn = TypeVar("Drawn")
Work = Callable[[Model], Drawn]
CLOSE_SECONDS = 30
GIVE_BACK_SECONDS = 10  # between two times, as long as there is something to draw


class Pool:
    """The loaded models and what waits for them. Any thread may call; all methods but close return at once."""

    def __init__(self, limits: Limits, telemetry: Telemetry, precision: Literal["auto", "fp32"] = "auto") -> None:
        self._limits = limits
        self._precision: Literal["auto", "fp32"] = precision
        self._telemetry = telemetry
        self._lock = threading.Lock()
        self._workers: dict[Path, _Worker] = {}
        self._threads: list[threading.Thread] = []  # also of models that are being unloaded
        self._turns = _Turns()
        self._closed = False

    def submit(self, path: Path, work: Work[Drawn], *, page: str | None = None) -> Future[Drawn]:
        """Have ``work`` done with the model of ``path``, which is loaded where it is not, or is another by now.

        Args:
            path: the model file.
            work: called in the model's thread.
            page: what waits for the same page is superseded.

        Raises:
            ProblemError: "busy" where the queue is full or all models that may be loaded are at work. From the
                future: "superseded", "failed" where the model cannot be loaded, and what ``work`` raises.
        """
        future: Future[Drawn] = Future()
        superseded = None
        with self._lock:
            worker = self._workers.get(path) or self._start(path)
            key = object() if page is None else page
            waiting = worker.waiting
            if key in waiting:
                superseded = waiting[key][1]
            elif len(waiting) >= self._limits.queue:
                worker.forget_cancelled()
                if len(waiting) >= self._limits.queue:
                    self._telemetry.dropped("busy")
                    raise ProblemError("queue-full", {"count": len(waiting)})
            waiting[key] = (work, future)
            worker.wake.notify()
        if superseded is not None and superseded.set_running_or_notify_cancel():
            self._telemetry.dropped("superseded")
            superseded.set_exception(ProblemError("newer-request"))
        return future

    def warm(self, path: Path) -> Future[None]:
        """Load the model, which draws once for itself; what follows is drawn as fast as it ever will be."""
        return self.submit(path, lambda model: None, page="")

    @property
    def loaded(self) -> int:
        """Models in memory."""
        with self._lock:
            return len(self._workers)

    @property
    def waiting(self) -> int:
        """Drawings that wait, over all models."""
        with self._lock:
            return sum(len(worker.waiting) for worker in self._workers.values())

    def close(self) -> None:
        """End every thread after the drawing at hand, and wait for it; what waits in the queues is cancelled."""
        with self._lock:
            self._closed = True
            for worker in list(self._workers.values()):
                self._stop(worker)
            threads = list(self._threads)
        # A thread that is drawing when the interpreter ends takes the process down with it.
        for thread in threads:
            thread.join(CLOSE_SECONDS)

    def _start(self, path: Path) -> _Worker:
        if self._closed:
            raise ProblemError("closing")
        if len(self._workers) >= self._limits.models:
            idle = [worker for worker in self._workers.values() if not worker.waiting and not worker.at_work]
            if not idle:
                self._telemetry.dropped("busy")
                raise ProblemError("models-full", {"count": len(self._workers)})
            self._stop(min(idle, key=lambda worker: worker.used))
        worker = _Worker(path, self)
        self._workers[path] = worker
        thread = threading.Thread(target=worker.run, name=f"draws {path.name}", daemon=True)
        self._threads = [*(other for other in self._threads if other.is_alive()), thread]
        thread.start()
        return worker

    def _stop(self, worker: _Worker) -> None:
        del self._workers[worker.path]
        worker.stopping = True
        for _, future in worker.waiting.values():
            future.cancel()
        worker.waiting.clear()
        worker.wake.notify()


class _Worker:
    """One model's thread. What other threads touch belongs to the pool's lock."""

    def __init__(self, path: Path, pool: Pool) -> None:
        self.path = path
        self.waiting: OrderedDict[object, tuple[Work[Any], Future[Any]]] = OrderedDict()
        self.wake = threading.Condition(pool._lock)
        self.at_work = False
        self.stopping = False
        self.used = time.monotonic()
        self._pool = pool
        self._model: Model | None = None
        self._stamp: tuple[int, int] | None = None

    def forget_cancelled(self) -> None:
        for key in [key for key, (_, future) in self.waiting.items() if future.cancelled()]:
            del self.waiting[key]

    def run(self) -> None:
        gave_back = time.monotonic()
        while (task := self._next()) is not None:
            work, future = task
            if future.set_running_or_notify_cancel():
                try:
                    with self._pool._turns.one():
                        drawn = work(self._current())
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(drawn)
                    self._pool._telemetry.drawn(self._model.name if self._model is not None else self.path.stem)
                    del drawn
            else:
                self._pool._telemetry.dropped("gone")
            # Nothing of a request stays in memory while the thread waits for the next.
            del work, future, task
            if time.monotonic() - gave_back > GIVE_BACK_SECONDS:
                give_back()
                gave_back = time.monotonic()

    def _next(self) -> tuple[Work[Any], Future[Any]] | None:
        """The next to do; None when the thread is to end, which then is out of the pool."""
        with self.wake:
            self.at_work = False
            self.used = time.monotonic()
            while not self.waiting:
                if self.stopping:
                    return None
                if not self.wake.wait(self._pool._limits.idle_seconds) and not self.waiting and not self.stopping:
                    del self._pool._workers[self.path]
                    return None
            self.at_work = True
            return self.waiting.popitem(last=False)[1]

    def _current(self) -> Model:
        """The model as its file is now: a training run replaces it."""
        try:
            found = self.path.stat()
            stamp = (found.st_mtime_ns, found.st_size)
            if self._model is None or stamp != self._stamp:
                self._model = Model(self.path, precision=self._pool._precision)
                self._stamp = stamp
                _draw_once(self._model)
        except (GanvasError, OSError) as error:
            raise ProblemError("model-unusable", {"reason": str(error)}) from error
        return self._model


class _Turns:
    """A lock that is given in the order of asking, which a plain one does not promise."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gates: deque[threading.Lock] = deque()
        self._taken = False

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        with self._lock:
            gate = threading.Lock() if self._taken else None
            self._taken = True
            if gate is not None:
                gate.acquire()
                self._gates.append(gate)
        if gate is not None:
            gate.acquire()
        try:
            yield
        finally:
            with self._lock:
                if self._gates:
                    self._gates.popleft().release()
                else:
                    self._taken = False


def _draw_once(model: Model) -> None:
    """The first pass through a network prepares what all later ones use."""
    header = model.header
    if isinstance(header, LabelHeader):
        model.sample(count=1)
        return
    side, channels = header.size, header.source.channels
    blank = np.zeros((side, side, channels), dtype=np.uint8)
    picture = Image.fromarray(blank[:, :, 0]) if header.source.kind == "labels" else blank
    model.translate_array(picture, label=0 if header.class_names else None)
