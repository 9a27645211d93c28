"""Writing files so that a reader never sees half of one, and a failure leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ganvas.errors import GanvasError


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success sync it and rename it onto ``path``.

    On any failure the temporary file is removed and ``path`` is as it was.

    Raises:
        GanvasError: the folder cannot be made or written, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise GanvasError(cannot_write(path, error)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def atomic_write(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data``, whole or not at all.

    Raises:
        GanvasError: the folder cannot be made or written, or the disk is full.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def cannot_write(path: Path, error: OSError) -> str:
    """The line a user sees when ``path`` could not be written."""
    reason = error.strerror or str(error)
    return f"cannot write '{path}': {reason}. Free some space there or write somewhere else."


def _sync_folder(folder: Path) -> None:
    # The rename itself must survive a power cut too; Windows cannot open folders, and syncs them itself.
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def cache_folder() -> Path:
    """Where ganvas keeps what it can make again: ``$XDG_CACHE_HOME/ganvas``, by default ``~/.cache/ganvas``."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "ganvas"
