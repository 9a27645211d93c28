"""What malloc is told: to keep what is freed, and to have one heap."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

PROBE = """
import torch
from pathlib import Path
from ganvas.memory import freed_memory_kept

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

def step():
    layer = torch.ones(50 * 2**20)  # 200 MB
    del layer

step()
before = resident()
with freed_memory_kept():
    step()
    kept = resident()
print(kept - before, resident() - before)
"""

HEAPS = """
import ctypes, sys, threading
from ganvas.memory import one_heap

if sys.argv[1:] == ["one"]:
    one_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fdopen.restype = ctypes.c_void_p
together = threading.Barrier(8)

def allocate():
    together.wait()
    libc.malloc(1000)

threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
told = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, told)
libc.fflush(told)
"""
only_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc is told")


@only_glibc
def test_freed_memory_stays_inside_the_block_and_goes_after_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    kept, left = map(float, done.stdout.split())
    assert kept > 150
    assert left < 50


@only_glibc
def test_threads_share_one_heap_once_it_is_asked_for() -> None:
    def heaps(*arguments: str) -> int:
        command = [sys.executable, "-c", HEAPS, *arguments]
        free = {name: value for name, value in os.environ.items() if name not in ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES")}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=free)
        return done.stdout.count("<heap nr=")

    assert heaps("one") == 1
    assert heaps() > 1
