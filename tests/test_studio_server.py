"""The studio as it is run: it starts, tells its address, is not held up by who leaves or stays, and ends."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import queue
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from ganvas.cli.main import _run
from ganvas.cli.studio import studio as studio_command
from ganvas.errors import GanvasError
from ganvas.studio.app import create_app
from ganvas.studio.server import address, listen, serve
from ganvas.studio.settings import STATIC, Limits, Settings
from studio_help import Studio, png, until
from test_studio import Held
from test_studio_runs import write_run
from test_translate import make_model, picture

SERVE = """
import sys
from pathlib import Path
from ganvas.studio.server import serve
from ganvas.studio.settings import Settings
runs = Path(sys.argv[1])
settings = Settings(runs=runs, static=runs, port=0, warm=None)
serve(settings, browser=False, tell=lambda address: print(address, flush=True))
"""


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    make_model(tmp_path / "plain.safetensors")
    write_run(tmp_path / "begun", 100)
    (tmp_path / "index.html").write_text("the page")
    return tmp_path


@contextlib.contextmanager
def served(runs: Path, **settings: Any) -> Iterator[tuple[int, Studio]]:
    """A served studio: its port, and a client that knows its state."""
    app = create_app(Settings(runs=runs, warm=None, **settings))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started)
    yield server.servers[0].sockets[0].getsockname()[1], Studio(app)
    app.state.studio.closing.set()
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture
def live(runs: Path) -> Iterator[tuple[int, Studio]]:
    with served(runs) as found:
        yield found


def multipart(data: bytes) -> tuple[bytes, dict[str, str]]:
    head = b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a.png"\r\n\r\n'
    return head + data + b"\r\n--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}


def test_who_leaves_is_forgotten_before_anything_is_drawn(live: tuple[int, Studio], runs: Path) -> None:
    port, client = live
    body, headers = multipart(png(picture(16, 16)))
    with Held(client.state.pool, runs / "plain.safetensors"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("POST", "/api/models/file:plain/translate", body, headers)
        until(lambda: client.state.pool.waiting == 1)
        connection.close()
        (_, future), *_ = client.state.pool._workers[runs / "plain.safetensors"].waiting.values()
        until(future.cancelled)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/api/models/file:plain/translate", body, headers)
    assert connection.getresponse().status == 200
    connection.close()
    text = client.state.telemetry.text({})
    assert 'ganvas_drawings_dropped_total{reason="gone"} 1' in text


def test_slow_and_broken_requests_hold_up_nobody(live: tuple[int, Studio]) -> None:
    port, _ = live
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    for number, waiting in enumerate(slow):
        waiting.sendall(
            (b"POST /api/runs HTTP/1.1\r\nHost: localhost\r\nContent-Le", b"\x16\x03\x01\x02\x00")[number % 2]
        )
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/healthz")
    assert connection.getresponse().read() == b'{"status":"ok"}'
    connection.close()
    for waiting in slow:
        waiting.close()


def test_pages_that_listen_are_limited_and_make_room_when_they_leave(runs: Path) -> None:
    with served(runs, limits=Limits(streams=2)) as (port, client), contextlib.ExitStack() as stack:

        def ask(path: str = "/api/runs/begun/events") -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            stack.callback(connection.close)
            connection.request("GET", path)
            return connection, stack.enter_context(connection.getresponse())

        pages = [ask() for _ in range(2)]
        assert [stream.readline() for _, stream in pages] == [b"event: state\n"] * 2
        assert b"ganvas_streams_open 2\n" in ask("/metrics")[1].read()
        for path in ("/api/runs/begun/events", f"/api/jobs/{'0' * 32}/events"):
            _, refused = ask(path)
            assert (refused.status, refused.headers["content-type"]) == (503, "application/problem+json")
            assert int(refused.headers["retry-after"]) >= 1
            assert json.load(refused)["type"] == "busy"
        assert ask("/api/runs/begun")[1].status == 200
        for part in pages[0]:
            part.close()
        until(lambda: client.state.streams.open == 1)
        pages.append(ask())
        assert pages[-1][1].status == 200
        for page in pages[1:]:
            for part in page:
                part.close()
        until(lambda: client.state.streams.open == 0)
        # What is not there keeps no place.
        assert ask("/api/runs/nobody/events")[1].status == 404
        until(lambda: client.state.streams.open == 0)


def test_it_tells_its_address_and_ends_on_request_though_a_page_still_listens(runs: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SERVE, str(runs)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            page = process.stdout.readline().strip()
            assert page.startswith("http://127.0.0.1:")
            connection = http.client.HTTPConnection(page.split("/")[2], timeout=30)
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"the page"
            connection.request("GET", "/api/runs/begun/events")
            stream = connection.getresponse()
            assert stream.readline() == b"event: state\n"
            process.send_signal(signal.SIGINT)
            process.wait(30)  # which code it ends with depends on whether SIGINT was ignored by who started the tests
            stream.read()
            connection.close()
        finally:
            process.kill()


def test_an_answer_is_not_held_back_for_more_bytes(runs: Path) -> None:
    accepted: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    async def visited() -> None:
        with listen(Settings(runs=runs, static=runs, port=0)) as listening:
            server = await asyncio.start_server(answer, sock=listening)
            async with server:
                reader, writer = await asyncio.open_connection(*listening.getsockname())
                await reader.read()
                writer.close()

    asyncio.run(visited())
    assert accepted == [1]


def test_a_port_that_is_taken_is_told(runs: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(runs=runs, static=runs, port=taken.getsockname()[1])
        with pytest.raises(GanvasError, match=r"cannot listen at .* Choose another --port"):
            serve(settings, browser=False, tell=print)


def test_a_page_that_was_not_built_is_told_with_what_builds_it(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(GanvasError, match="make web"):
        serve(Settings(runs=runs, static=tmp_path / "nowhere"), browser=False, tell=print)


@pytest.mark.parametrize(
    ("settings", "page"),
    [
        (Settings(), "http://127.0.0.1:8765/"),
        (Settings(host="localhost", port=80), "http://localhost:80/"),
        (Settings(host="::1"), "http://[::1]:8765/"),
        (Settings(host="0.0.0.0", token="0123456789abcdef"), "http://127.0.0.1:8765/?token=0123456789abcdef"),
    ],
)
def test_the_address_can_be_opened(settings: Settings, page: str) -> None:
    assert address(settings) == page


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--host", "0.0.0.0"], 2, "add --token T"),
        (["--token", "short"], 2, "expected at least 16"),
        (["--port", "70000"], 2, "--port"),
    ],
)
def test_what_would_be_unsafe_or_wrong_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    assert _run(["studio", *arguments]) == code
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_a_missing_extra_is_told_with_what_installs_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith(("fastapi", "uvicorn", "ganvas.studio"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert _run(["studio"]) == 1
    assert "pip install 'ganvas[studio]'" in capsys.readouterr().err


def test_the_browser_is_opened_once_the_page_is_there(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: queue.Queue[str] = queue.Queue()
    monkeypatch.setattr("webbrowser.open", opened.put)
    servers: list[uvicorn.Server] = []
    started = uvicorn.Server.startup

    async def startup(self: uvicorn.Server, sockets: list[socket.socket] | None = None) -> None:
        servers.append(self)
        await started(self, sockets)

    monkeypatch.setattr(uvicorn.Server, "startup", startup)
    settings = Settings(runs=runs, static=runs, port=0, warm=None)
    thread = threading.Thread(target=serve, args=(settings,), kwargs={"browser": True, "tell": lambda page: None})
    thread.start()
    page = opened.get(timeout=20)
    connection = http.client.HTTPConnection(page.split("/")[2], timeout=20)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()
    servers[0].should_exit = True
    thread.join(20)
    assert not thread.is_alive()


HELP = re.findall(r"Example: (ganvas studio.*)", studio_command.__doc__ or "")
DOCUMENT = (Path(__file__).parents[1] / "docs" / "studio.md").read_text("utf-8")
EXAMPLES = [*HELP, *re.findall(r"^(?:GANVAS_STUDIO_TOKEN=\S+ .*\) )?ganvas studio.*$", DOCUMENT, re.MULTILINE)]


def test_examples_are_found() -> None:
    assert len(HELP) == 1
    assert len(EXAMPLES) == 4


@pytest.mark.skipif(not (STATIC / "index.html").is_file(), reason="the page is not built: run `make web`")
@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_help_and_the_document_runs_until_it_is_stopped(example: str, tmp_path: Path) -> None:
    """On a free port instead of its own, and without a browser, which would be opened on the page."""
    if "openssl" in example and shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    command = re.sub(r" --port \d+| --no-browser", "", example)
    command = command.replace(
        "ganvas studio", f"exec {shlex.quote(sys.executable)} -m ganvas studio --port 0 --no-browser"
    )
    with subprocess.Popen(["sh", "-c", command], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().removeprefix("studio").strip()
            place, _, path = address.removeprefix("http://").partition("/")
            assert ("token=" in path) == ("TOKEN" in example)
            connection = http.client.HTTPConnection(place, timeout=30)
            connection.request("GET", f"/{path}")
            assert connection.getresponse().status == (303 if path else 200)
            connection.close()
            process.terminate()
            process.wait(30)
        finally:
            process.kill()
