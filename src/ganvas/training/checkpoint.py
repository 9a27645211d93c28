"""Checkpoints: written whole or not at all, read without executing anything, the last two kept."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import torch

from ganvas.files import atomic_write

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
    # Into memory first: torch's own writer reports a full disk by a RuntimeError, not by an OSError.
    buffer = io.BytesIO()
    torch.save(state, buffer)
    atomic_write(checkpoint_path(folder, images), buffer.getvalue())
    for old in sorted(folder.glob("[0-9]*.pt"))[:-KEPT]:
        old.unlink(missing_ok=True)


def load_newest_checkpoint(folder: Path, device: torch.device) -> dict[str, Any] | None:
    """The newest checkpoint that can be read; a damaged one is reported and the one before is used."""
    for path in sorted(folder.glob("[0-9]*.pt"), reverse=True):
        # Read first: a file that cannot be read now is not a damaged one, and starting over would lose it.
        content = path.read_bytes()
        try:
            state: dict[str, Any] = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
        except Exception as error:
            # Damaged bytes fail anywhere between the zip's directory and the unpickler, with any type. Under another
            # name they cannot crowd out the good ones.
            path.replace(path.with_suffix(".pt.damaged"))
            log.warning("checkpoint '%s' is damaged (%s); trying the one before", path, str(error).split("\n")[0])
            continue
        return state
    return None
