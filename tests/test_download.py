"""Downloads are whole and right, or resumed, or say what to do instead; against a server on this machine."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from ganvas.data import download as module
from ganvas.data import open_labelled
from ganvas.data.download import DownloadProgress, download
from ganvas.data.known import IDX_FILES, MNIST, KnownSet
from ganvas.errors import GanvasError, UsageError
from idx_files import idx_bytes

FIRST = "train-images-idx3-ubyte.gz"


@dataclass
class Server:
    """A web server with faults to choose from."""

    files: dict[str, bytes]
    address: str = ""
    cut_after: dict[str, int] = field(default_factory=dict)
    ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        name = handler.path.removeprefix("/mirror/")
        told = handler.headers.get("Range")
        self.asked.append((name, told))
        if name not in self.files:
            handler.send_error(404)
            return
        body, start = self.files[name], 0
        if told and self.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", told).group(1))  # type: ignore[union-attr]
            if start >= len(body):
                handler.send_error(416)
                return
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            handler.send_response(200)
        handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        handler.wfile.write(body[start:][: self.cut_after.pop(name, len(body))])


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> tuple[KnownSet, dict[str, bytes]]:
    """A small set that stands in for MNIST, and its packed files."""
    random = np.random.default_rng(0)
    contents = {}
    for name in IDX_FILES:
        shape = (3, 40, 40) if "images" in name else (3,)
        contents[name] = idx_bytes(random.integers(0, 10, shape, dtype=np.uint8))
    small = replace(MNIST, sha256={name: hashlib.sha256(value).hexdigest() for name, value in contents.items()})
    monkeypatch.setattr(module, "known_set", lambda name: small)
    return small, {f"{name}.gz": gzip.compress(value, mtime=0) for name, value in contents.items()}


@pytest.fixture
def server(known: tuple[KnownSet, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    state = Server(dict(known[1]))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        state.address = f"http://127.0.0.1:{running.server_port}/mirror"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        running.shutdown()
        thread.join()


def fetch(server: Server, folder: Path, *more: str) -> list[DownloadProgress]:
    return list(download("mnist", folder, mirrors=[server.address, *more], pause=0.0, timeout=5.0))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


WHOLE = sorted([*(f"{name}.gz" for name in IDX_FILES), "classes.txt", "licence.txt"])


def test_all_files_arrive_and_can_be_opened(server: Server, tmp_path: Path) -> None:
    records = fetch(server, tmp_path / "new")
    assert names(tmp_path / "new") == WHOLE
    assert [record.file for record in records if record.done] == [f"{name}.gz" for name in IDX_FILES]
    assert all(record.received_bytes <= (record.total_bytes or 0) for record in records)
    data = open_labelled(tmp_path / "new", size=40, channels=1, split="train")
    assert data.licence == MNIST.licence
    assert data.class_names == tuple("0123456789")


def test_files_that_are_there_are_not_fetched_again(server: Server, tmp_path: Path) -> None:
    fetch(server, tmp_path)
    server.asked.clear()
    assert all(record.done for record in fetch(server, tmp_path))
    assert server.asked == []


def test_a_broken_transfer_resumes_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.cut_after[FIRST] = 100
    fetch(server, tmp_path)
    assert names(tmp_path) == WHOLE
    assert server.asked[:2] == [(FIRST, None), (FIRST, "bytes=100-")]
    assert (tmp_path / FIRST).read_bytes() == server.files[FIRST]


def test_an_abandoned_download_resumes_with_the_next_call(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{FIRST}.partial").write_bytes(server.files[FIRST][:77])
    fetch(server, tmp_path)
    assert server.asked[0] == (FIRST, "bytes=77-")
    assert names(tmp_path) == WHOLE


def test_a_download_killed_before_the_rename_needs_no_byte_more(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{FIRST}.partial").write_bytes(server.files[FIRST])
    fetch(server, tmp_path)
    assert [asked for asked in server.asked if asked[0] == FIRST] == [(FIRST, f"bytes={len(server.files[FIRST])}-")]
    assert names(tmp_path) == WHOLE


def test_a_server_that_ignores_the_range_is_read_from_the_start(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    server.cut_after[FIRST] = 100
    fetch(server, tmp_path)
    assert (tmp_path / FIRST).read_bytes() == server.files[FIRST]


def test_a_partial_of_something_else_is_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{FIRST}.partial").write_bytes(b"another file's beginning")
    fetch(server, tmp_path)
    assert (tmp_path / FIRST).read_bytes() == server.files[FIRST]
    (tmp_path / FIRST).unlink()
    (tmp_path / f"{FIRST}.partial").write_bytes(b"x" * 100_000)
    fetch(server, tmp_path)
    assert names(tmp_path) == WHOLE


@pytest.mark.parametrize("wrong", [gzip.compress(b"other", mtime=0), b"<html>login first</html>", b""])
def test_a_wrong_file_never_gets_the_name(server: Server, tmp_path: Path, wrong: bytes) -> None:
    server.files[FIRST] = wrong
    with pytest.raises(GanvasError, match=r"train-images-idx3-ubyte\.gz: what came is another file") as error:
        fetch(server, tmp_path)
    assert "\n" not in str(error.value)
    assert names(tmp_path) == []


def test_another_packing_of_the_same_contents_is_right(server: Server, tmp_path: Path) -> None:
    server.files[FIRST] = gzip.compress(gzip.decompress(server.files[FIRST]), 1)
    fetch(server, tmp_path)
    assert names(tmp_path) == WHOLE


def test_a_wrong_file_that_was_there_is_not_touched(server: Server, tmp_path: Path) -> None:
    (tmp_path / FIRST).write_bytes(b"mine")
    with pytest.raises(GanvasError, match=r"another file.*move it away"):
        fetch(server, tmp_path)
    assert (tmp_path / FIRST).read_bytes() == b"mine"


def test_the_next_mirror_is_tried(server: Server, tmp_path: Path) -> None:
    good = server.address
    server.address = good.replace("/mirror", "/moved")
    fetch(server, tmp_path, good)
    assert names(tmp_path) == WHOLE


def test_a_missing_file_is_not_asked_for_thrice(server: Server, tmp_path: Path) -> None:
    del server.files[FIRST]
    with pytest.raises(GanvasError, match="answers 404"):
        fetch(server, tmp_path)
    assert len(server.asked) == 1


def test_without_a_network_the_message_says_which_files_to_put_where(
    known: tuple[KnownSet, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # Bound and not listening: every connection is refused.
        address = f"http://127.0.0.1:{reserved.getsockname()[1]}/"
        with pytest.raises(GanvasError) as error:
            list(download("mnist", tmp_path / "data", mirrors=[address], pause=0.0))
    said = str(error.value)
    assert all(f"{name}.gz" in said for name in IDX_FILES)
    assert f"put them into '{tmp_path / 'data'}'" in said
    assert "refused" in said
    assert "\n" not in said


def test_an_address_that_is_none_is_reported(known: tuple[KnownSet, dict[str, bytes]], tmp_path: Path) -> None:
    with pytest.raises(GanvasError, match="cannot download mnist"):
        list(download("mnist", tmp_path, mirrors=["not an address"], pause=0.0))


def test_a_full_disk_is_reported_once_and_what_came_is_kept(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{FIRST}.partial").symlink_to("/dev/full")
    with pytest.raises(GanvasError, match="No space left"):
        fetch(server, tmp_path)
    assert len(server.asked) == 1
    assert not (tmp_path / FIRST).exists()


def test_a_file_in_the_place_of_the_folder_is_reported(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(GanvasError, match="cannot write"):
        fetch(server, tmp_path / "file")


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'fashion-mnist'"):
        download("fasion-mnist", Path("unused"))


def test_the_known_addresses_are_https_and_every_file_has_a_checksum() -> None:
    from ganvas.data.known import KNOWN_SETS

    for one in KNOWN_SETS:
        assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in one.mirrors)
        assert set(one.sha256) == set(IDX_FILES)
        assert all(re.fullmatch("[0-9a-f]{64}", total) for total in one.sha256.values())
        assert len(one.class_names) == 10
