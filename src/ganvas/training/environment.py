"""What a run was made with: versions, machine, source state, data."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganvas import __version__, config
from ganvas.training.matmul import choose_matmul_route, processor_name


def describe_environment(recipe: config.Recipe, data: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """The content of ``environment.json``."""
    return {
        "ganvas": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "platform": platform.platform(),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "precision": recipe.train.precision,
        "matmul_route": choose_matmul_route() if device.type == "cpu" else "default",
        "git": _git_state(),
        "seed": recipe.train.seed,
        "data": data,
    }


def _git_state() -> str | None:
    """Commit of the source tree that ganvas runs from, or None where it is an installed package."""
    package = Path(__file__).parents[1]
    root = _git(package, "rev-parse", "--show-toplevel")
    # An environment may lie inside somebody else's repository, whose commit says nothing about ganvas.
    if root is None or Path(root) / "src" / "ganvas" != package:
        return None
    return _git(package, "describe", "--always", "--dirty", "--abbrev=12")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
