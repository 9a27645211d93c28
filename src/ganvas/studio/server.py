"""Running the studio: uvicorn around the application, and a browser on it."""

from __future__ import annotations

import os
import socket
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import replace

import torch
import uvicorn

from ganvas.errors import GanvasError
from ganvas.studio.app import create_app
from ganvas.studio.codes import CODES
from ganvas.studio.settings import Settings

# More do not make the small networks here faster, and leave nothing to other programs.
MOST_THREADS = 8
GRACE_SECONDS = 5


def serve(settings: Settings, *, browser: bool, tell: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        settings: of the studio.
        browser: open one on the page once it is served.
        tell: is given the address of the page.

    Raises:
        GanvasError: the page has not been built, or the address cannot be listened at.
    """
    if not (settings.static / "index.html").is_file():
        raise GanvasError(CODES["no-page"][1])
    listening = listen(settings)
    settings = replace(settings, port=listening.getsockname()[1])
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(min(torch.get_num_threads(), MOST_THREADS))
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        log_level="warning",
        server_header=False,
        # Behind a proxy or not: who asks is never judged by an address.
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    page = address(settings)

    def ready() -> None:
        tell(page)
        if browser:
            threading.Thread(target=webbrowser.open, args=(page,), daemon=True).start()

    with listening:
        _Server(config, app.state.studio.closing, ready).run(sockets=[listening])


def address(settings: Settings) -> str:
    """What to open, with the token where there is one."""
    host = settings.host.strip("[]")
    # Every address of this machine is meant by these, and none can be opened.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    query = "" if settings.token is None else f"?token={settings.token}"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}/{query}"


class _Server(uvicorn.Server):
    """Tells when it can be asked, and ends streams of events before it waits for connections to close."""

    def __init__(self, config: uvicorn.Config, closing: threading.Event, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._closing = closing
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._closing.set()
        await super().shutdown(sockets)


def listen(settings: Settings) -> socket.socket:
    """A socket bound as the settings say.

    Raises:
        GanvasError: the port is taken, or is not for us.
    """
    host = settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named asyncio turns Nagle's algorithm off, which holds an answer's body back for 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, settings.port))
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or error
        raise GanvasError(
            f"cannot listen at {host}:{settings.port} ({reason}): is a studio running there? Choose another --port"
        ) from error
    return listening
