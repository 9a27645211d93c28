"""Where to compute: the best device there is, or the one that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ganvas.errors import GanvasError, UsageError, nearest


def torch_device(name: str) -> torch.device:
    """``auto`` is CUDA where there is any, else the CPU; ``mps`` has to be asked for, as it was never tested.

    Raises:
        UsageError: no such kind of device.
        GanvasError: this machine has none of that kind.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device("cuda" if available["cuda"] else "cpu")
    if name not in available:
        kinds = ["auto", *available]
        raise UsageError(f"no device '{name}': expected {', '.join(kinds)}.{nearest(name, kinds)}")
    if not available[name]:
        here = ", ".join(kind for kind, there in available.items() if there)
        raise GanvasError(f"device '{name}' is not available here (found: {here})")
    return torch.device(name)


def has_bfloat16_units() -> bool:
    """Whether this processor computes in bfloat16 itself; where an older torch can't tell, it is taken not to."""
    found: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(found.get(unit, False) for unit in ("avx512_bf16", "amx_bf16"))
