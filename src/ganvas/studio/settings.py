"""What a studio is started with, and the limits it keeps."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ganvas.errors import UsageError

LEAST_TOKEN = 16
STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True)
class Limits:
    """What one studio takes at most; beyond it requests are refused, never queued without end.

    Attributes:
        picture_bytes: of an uploaded picture, packed.
        picture_pixels: of one, unpacked; known from its header before anything is unpacked.
        picture_side: of one, the longer.
        picture_aspect: of its longer side to the shorter: models work on squares, and widen a strip of one pixel to
            many times what it holds.
        files: pictures of one job.
        files_bytes: of all of them together.
        jobs: kept at a time, running or waiting to be fetched.
        job_seconds: after which a finished job's result is deleted.
        streams: of events, each of which keeps a connection and looks at files while it lasts.
        queue: drawings that wait for one model.
        models: loaded at a time.
        idle_seconds: after which a model that nobody draws with is unloaded.
    """

    picture_bytes: int = 20 << 20
    picture_pixels: int = 1 << 24
    picture_side: int = 8192
    picture_aspect: int = 32
    files: int = 200
    files_bytes: int = 200 << 20
    jobs: int = 8
    job_seconds: float = 3600.0
    streams: int = 32
    queue: int = 128
    models: int = 4
    idle_seconds: float = 600.0


@dataclass(frozen=True)
class Settings:
    """How a studio runs.

    Attributes:
        runs: the folder with the runs; made when the first is started.
        data: other folders that the data of a new run may lie in.
        host: the address to listen at.
        port: 0 takes a free one.
        token: who does not have it is refused; None where only this machine can connect.
        static: the built page.
        warm: the model that is loaded before anybody asks, so that the first stroke is answered at once.
        precision: of what is drawn from pictures: ``auto`` is bfloat16 on a processor with units for it.
    """

    runs: Path = Path("runs")
    data: tuple[Path, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = None
    static: Path = STATIC
    warm: str | None = "sketch2color"
    precision: Literal["auto", "fp32"] = "auto"
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for folder in self.data:
            if not folder.is_dir():
                raise UsageError(f"--data '{folder}' is no folder: expected one that holds data to train on")
        if self.token is not None and (len(self.token) < LEAST_TOKEN or not _plain(self.token)):
            raise UsageError(
                f"--token has {len(self.token)} characters: expected at least {LEAST_TOKEN} letters, digits, '-' and "
                "'_', such as those of `openssl rand -hex 16`"
            )
        if self.token is None and not is_loopback(self.host):
            raise UsageError(
                f"--host {self.host} can be reached from other machines: add --token T, which then is asked for, or "
                "leave --host out"
            )


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine alone."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _plain(token: str) -> bool:
    """Whether it can stand in an address and in a cookie as it is."""
    return token.isascii() and token.replace("-", "").replace("_", "").isalnum()
