"""What a training step frees stays with the process, since the next step asks for the same again."""

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

    Otherwise glibc returns a layer's megabytes as soon as they are free, and the system hands them out again, emptied,
    page by page. Does nothing without glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_TRIM_THRESHOLD, -1)  # never
    libc.mallopt(_MMAP_MAX, 0)
    try:
        yield
    finally:
        libc.mallopt(_MMAP_MAX, _FIRST_MMAP_MAX)
        libc.mallopt(_TRIM_THRESHOLD, _FIRST_TRIM_THRESHOLD)
        libc.malloc_trim(0)
