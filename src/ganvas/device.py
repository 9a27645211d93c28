"""Where to compute: the best device there is, or the one that was asked for."""

from __future__ import annotations

import torch

from ganvas.errors import GanvasError


def torch_device(name: str) -> torch.device:
    """``auto`` is the best device there is; a named one that is missing is an error that says so."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    if not available.get(name, False):
        here = ", ".join(kind for kind, there in available.items() if there)
        raise GanvasError(f"device '{name}' is not available here (found: {here})")
    return torch.device(name)
