"""The block in which freed memory stays with the process."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROBE = """
import torch
from pathlib import Path
from ganvas.training.memory import freed_memory_kept

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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc is told")
def test_freed_memory_stays_inside_the_block_and_goes_after_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    kept, left = map(float, done.stdout.split())
    assert kept > 150
    assert left < 50
