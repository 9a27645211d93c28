"""Downloading MNIST and Fashion-MNIST: checksums, resumed after a break, atomic."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import re
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from ganvas.data.known import IDX_FILES, KnownSet, known_set
from ganvas.errors import GanvasError
from ganvas.files import atomic_write, cannot_write

_CHUNK = 1 << 18
_ATTEMPTS = 3


@dataclass(frozen=True)
class DownloadProgress:
    """How far one file is: bytes in place, bytes in all where the server says, and whether it is finished."""

    file: str
    received_bytes: int
    total_bytes: int | None
    done: bool


class _BrokenError(Exception):
    """A transfer failed; unless ``final``, another attempt at the same mirror may not."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


def download(
    name: str,
    folder: Path,
    *,
    mirrors: Sequence[str] | None = None,
    timeout: float = 30.0,
    pause: float = 1.0,
) -> Iterator[DownloadProgress]:
    """Download a public set into a folder as four ``.gz`` IDX files, ``classes.txt`` and ``licence.txt``.

    A broken transfer is resumed where it stopped, at once or by the next call: what has come lies in
    ``<file>.partial``. Only a file whose unpacked bytes have the right SHA-256 gets its name.

    Args:
        name: "mnist" or "fashion-mnist".
        folder: where the files go; made if missing.
        mirrors: addresses to try in turn instead of the known ones; file names are appended.
        timeout: seconds without a byte after which an attempt counts as broken.
        pause: seconds before a mirror is tried again.

    Returns:
        Progress records to iterate over; nothing is fetched before.

    Raises:
        UsageError: unknown name.
        GanvasError: no mirror answered (the message says which files to put where), a checksum was wrong, or
            the folder cannot be written.
    """
    known = known_set(name)
    places = tuple(place.rstrip("/") + "/" for place in mirrors or known.mirrors)
    return _download(known, folder, places, timeout, pause)


def _download(
    known: KnownSet, folder: Path, mirrors: Sequence[str], timeout: float, pause: float
) -> Iterator[DownloadProgress]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GanvasError(cannot_write(folder, error)) from error
    for file in IDX_FILES:
        target = folder / f"{file}.gz"
        if target.exists():
            _keep_or_refuse(target, known.sha256[file])
            yield DownloadProgress(target.name, target.stat().st_size, target.stat().st_size, True)
            continue
        yield from _one_file(known, target, mirrors, timeout, pause)
    atomic_write(folder / "classes.txt", ("\n".join(known.class_names) + "\n").encode())
    atomic_write(folder / "licence.txt", (known.licence + "\n").encode())


def _keep_or_refuse(target: Path, sha256: str) -> None:
    found = _unpacked_sha256(target)
    if found != sha256:
        raise GanvasError(
            f"'{target}' is there already but is another file (unpacked SHA-256 {found[:16]}, expected "
            f"{sha256[:16]}); move it away, or choose another folder with --out."
        )


def _one_file(
    known: KnownSet, target: Path, mirrors: Sequence[str], timeout: float, pause: float
) -> Iterator[DownloadProgress]:
    partial = target.with_name(target.name + ".partial")
    reason = ""
    for mirror in mirrors:
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(pause * attempt)
            try:
                yield from _transfer(mirror + target.name, partial, timeout)
                _accept(partial, target, known.sha256[target.name.removesuffix(".gz")])
            except _BrokenError as error:
                reason = f"{mirror}{target.name}: {error}"
                if error.final:
                    break
                continue
            size = target.stat().st_size
            yield DownloadProgress(target.name, size, size, True)
            return
    files = ", ".join(f"{file}.gz" for file in IDX_FILES)
    raise GanvasError(
        f"cannot download {known.name} ({reason}). Try again later (what has come is kept and resumed), or "
        f"fetch {files} elsewhere (addresses: {' or '.join(mirrors)}) and put them into '{target.parent}'."
    )


def _transfer(address: str, partial: Path, timeout: float) -> Iterator[DownloadProgress]:
    """Append to ``partial`` until the server has sent all of it."""
    start = partial.stat().st_size if partial.exists() else 0
    headers = {"User-Agent": "ganvas", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    name = partial.name.removesuffix(".partial")
    try:
        request = urllib.request.Request(address, headers=headers)
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and start:
            return  # Nothing is left to send: the checksum decides whether what is there is the file.
        final = 400 <= error.code < 500 and error.code not in (408, 429)
        raise _BrokenError(f"the server answers {error.code} {error.reason}", final=final) from error
    except ValueError as error:
        raise _BrokenError(_reason(error), final=True) from error
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenError(_reason(error)) from error
    with response:
        if start and not _continues(response, start):
            start = 0
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdigit() else None
        received = start
        for received in _save(response, partial, start):
            yield DownloadProgress(name, received, total, False)
    if total is not None and received < total:
        raise _BrokenError(f"the connection broke after {received:,} of {total:,} bytes")


def _continues(response: http.client.HTTPResponse, start: int) -> bool:
    """Whether the answer begins at the byte that was asked for; a server may ignore the question."""
    told = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return response.status == 206 and told is not None and int(told.group(1)) == start


def _save(response: http.client.HTTPResponse, partial: Path, start: int) -> Iterator[int]:
    """Write what comes behind byte ``start``; yields the bytes in place."""
    try:
        # Unbuffered: after a failed write there is nothing left to fail once more at closing.
        file = partial.open("r+b" if start else "wb", buffering=0)
    except OSError as error:
        raise GanvasError(cannot_write(partial, error)) from error
    with file:
        file.seek(start)
        received = start
        while True:
            try:
                piece = response.read1(_CHUNK)
            except (OSError, http.client.HTTPException) as error:
                raise _BrokenError(_reason(error)) from error
            if not piece:
                break
            try:
                _write_all(file, piece)
            except OSError as error:
                raise GanvasError(cannot_write(partial, error)) from error
            received += len(piece)
            yield received


def _write_all(file: FileIO, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[file.write(rest) :]


def _accept(partial: Path, target: Path, sha256: str) -> None:
    """Give the file its name if it is the right one; else delete it, so that the next attempt starts anew."""
    found = _unpacked_sha256(partial)
    try:
        if found == sha256:
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            partial.replace(target)
            return
        partial.unlink(missing_ok=True)
    except OSError as error:
        raise GanvasError(cannot_write(target, error)) from error
    raise _BrokenError(f"what came is another file (unpacked SHA-256 {found[:16]}, expected {sha256[:16]})")


def _unpacked_sha256(path: Path) -> str:
    """The checksum of a gz file's contents, or "none: damaged" where it does not unpack."""
    digest = hashlib.sha256()
    try:
        with gzip.open(path, "rb") as file:
            while piece := file.read(_CHUNK):
                digest.update(piece)
    except (OSError, EOFError, zlib.error):
        return "none: damaged"
    return digest.hexdigest()


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return str(cause) or type(cause).__name__
