"""Checkpoints: written whole or not at all, read without executing anything, the last two kept."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path
from typing import Any

import torch

from ganvas.files import atomic_path

KEPT = 2
log = logging.getLogger(__name__)


def checkpoint_path(folder: Path, images: int) -> Path:
    """``folder/<images, 12 digits>.pt``, so that names sort by progress."""
    return folder / f"{images:012d}.pt"


def save_checkpoint(folder: Path, images: int, state: dict[str, Any]) -> None:
    """Write a checkpoint and remove all but the newest two.

    Raises:
        GanvasError: the disk is full or the folder cannot be written; older checkpoints stay.
    """
    with atomic_path(checkpoint_path(folder, images)) as temporary:
        torch.save(state, temporary)
    for old in sorted(folder.glob("*.pt"))[:-KEPT]:
        old.unlink(missing_ok=True)


def load_newest_checkpoint(folder: Path, device: torch.device) -> dict[str, Any] | None:
    """The newest checkpoint that can be read; a damaged one is reported and the one before is used."""
    for path in sorted(folder.glob("*.pt"), reverse=True):
        try:
            state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
            log.warning("checkpoint '%s' is damaged (%s); trying the one before", path, str(error).split("\n")[0])
            continue
        return state
    return None
