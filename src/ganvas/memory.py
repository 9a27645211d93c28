"""How glibc's malloc is told what training and serving need of it; elsewhere nothing is done."""

from __future__ import annotations

import contextlib
import ctypes
import platform
from collections.abc import Iterator

# The parameters of glibc's malloc.h, and the values that it starts with.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_FIRST_TRIM_THRESHOLD, _FIRST_MMAP_MAX = 128 * 1024, 65_536


@contextlib.contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Inside the block the process keeps the memory it frees; after it, what is free goes back to the system.

    What a training step frees, the next one asks for again. Otherwise glibc returns a layer's megabytes as soon as they
    are free, and the system hands them out again, emptied, page by page.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    libc.mallopt(_TRIM_THRESHOLD, -1)  # never
    libc.mallopt(_MMAP_MAX, 0)
    try:
        yield
    finally:
        libc.mallopt(_MMAP_MAX, _FIRST_MMAP_MAX)
        libc.mallopt(_TRIM_THRESHOLD, _FIRST_TRIM_THRESHOLD)
        give_back()


def give_back() -> None:
    """Return to the system what the process has freed, wherever it lies.

    Of a server with many threads glibc returns only the ends of their heaps, so that what requests of different sizes
    free between others adds up with every answer.
    """
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
