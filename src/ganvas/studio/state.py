"""What the requests of one studio share."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request

from ganvas.studio.catalogue import Catalogue
from ganvas.studio.jobs import Jobs
from ganvas.studio.problems import ProblemError, Responses
from ganvas.studio.runs import Runs
from ganvas.studio.settings import Settings
from ganvas.studio.telemetry import Telemetry
from ganvas.studio.workers import Pool

Drawn = TypeVar("Drawn")
NO_PLACE: Responses = {503: {"description": "Too many pages listen; see Retry-After"}}


class Streams:
    """Places for streams of events, which last as long as a page listens. Belongs to the event loop, as they do."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.open = 0

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """A place, until it is left.

        Raises:
            ProblemError: "streams-full" where there is none.
        """
        if self.open >= self._most:
            raise ProblemError("streams-full", {"count": self.open})
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1


@dataclass(frozen=True)
class State:
    """The parts, each of which keeps its own locks.

    Attributes:
        closing: set when the studio ends, so that streams of events do too.
    """

    settings: Settings
    telemetry: Telemetry
    catalogue: Catalogue
    pool: Pool
    jobs: Jobs
    runs: Runs
    streams: Streams
    closing: threading.Event


def _state(request: Request) -> State:
    state: State = request.app.state.studio
    return state


Studio = Annotated[State, Depends(_state)]


async def listening(studio: Studio) -> AsyncIterator[None]:
    """A place among the streams of events, from before one begins, when there still can be a problem, to its end."""
    with studio.streams.one():
        yield


async def drawn(request: Request, future: Future[Drawn]) -> Drawn:
    """What ``future`` brings; forgotten where the page has gone in the meantime.

    Raises:
        ProblemError: as the worker does, or "page-gone" for a page that is no longer there to read it.
    """
    waiting = asyncio.wrap_future(future)
    gone = asyncio.ensure_future(_gone(request))
    try:
        both: set[asyncio.Future[Any]] = {waiting, gone}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise ProblemError("page-gone")
        if waiting.cancelled():
            raise ProblemError("closing")
        return waiting.result()
    finally:
        waiting.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    # The body has been read: nothing but the end of the connection comes.
    while (await request.receive())["type"] != "http.disconnect":
        pass
