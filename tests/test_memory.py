"""What malloc is told: to keep what is freed, and to give it back."""

from __future__ import annotations

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

SCATTERED = """
from pathlib import Path
from ganvas.memory import give_back

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

blocks = [bytearray(60_000) for _ in range(4_000)]  # 230 MB
del blocks[::2]
held = resident()
give_back()
print(held - resident())
"""
only_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc is told")


@only_glibc
def test_freed_memory_stays_inside_the_block_and_goes_after_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    kept, left = map(float, done.stdout.split())
    assert kept > 150
    assert left < 50


@only_glibc
def test_what_is_free_between_what_is_not_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", SCATTERED], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 80
