"""A file is written whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from ganvas.errors import GanvasError
from ganvas.files import atomic_path, atomic_write


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_written_bytes_are_there_and_nothing_else(tmp_path: Path) -> None:
    atomic_write(tmp_path / "deep" / "er" / "file.bin", b"new")
    assert (tmp_path / "deep" / "er" / "file.bin").read_bytes() == b"new"
    assert names(tmp_path / "deep" / "er") == ["file.bin"]


def test_an_existing_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic_write(path, b"a long old text")
    atomic_write(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_full_disk_keeps_the_old_file_and_leaves_no_half(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(GanvasError, match=r"cannot write '.*file': No space left") as error:
        write_to_a_full_disk(path)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_disk_that_fills_up_at_the_sync_leaves_no_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(GanvasError, match="No space left"):
        atomic_write(tmp_path / "file", b"new")
    assert names(tmp_path) == []


def test_a_failed_rename_leaves_no_half(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / "inside").touch()
    with pytest.raises(GanvasError, match="cannot write"):
        atomic_write(tmp_path / "file", b"new")
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_read_only_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(GanvasError, match=f"{tmp_path.name}/file': {os.strerror(number)}"):
        atomic_write(tmp_path / "file", b"new")
    assert names(tmp_path) == []


def test_a_file_in_the_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "folder").write_bytes(b"a file")
    with pytest.raises(GanvasError, match="cannot write"):
        atomic_write(tmp_path / "folder" / "file", b"new")
    assert (tmp_path / "folder").read_bytes() == b"a file"


def test_an_error_of_the_writer_passes_and_leaves_no_half(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_and_be_interrupted(tmp_path / "file")
    assert names(tmp_path) == []


def write_to_a_full_disk(path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.symlink_to("/dev/full")  # It takes no byte, as a full disk does.
        temporary.write_bytes(b"x" * 100_000)


def write_and_be_interrupted(path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
