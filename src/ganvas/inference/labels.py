"""Classes as people give them: by index or by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ganvas.errors import UsageError, nearest

Label = int | np.integer[Any] | str
Labels = Label | Iterable[Label] | None


def class_index(model: str, names: Sequence[str], label: Label) -> int:
    """The index of a class given by index or by name.

    Raises:
        UsageError: the model has no such class, or (without ``names``) takes no label at all.
    """
    if not names:
        raise UsageError(
            f"model '{model}' takes no label: it was trained without. Leave the label out.",
            "takes-no-label",
            {"model": model},
        )
    if isinstance(label, int | np.integer):
        if 0 <= label < len(names):
            return int(label)
    elif not isinstance(label, str):
        raise UsageError(f"label {label!r} is neither the index nor the name of a class")
    # In text a name wins over an index: with classes "1" to "10" people mean what they read.
    elif label in names:
        return names.index(label)
    elif label.isdecimal() and int(label) < len(names):
        return int(label)
    elif label.casefold() in (folded := [name.casefold() for name in names]):
        return folded.index(label.casefold())
    raise UsageError(
        f"model '{model}' has no class '{label}': it knows {listed(names)} "
        f"(or 0 to {len(names) - 1}).{nearest(str(label), names)}",
        "no-class",
        {"model": model, "label": str(label), "known": listed(names)},
    )


def listed(names: Sequence[str]) -> str:
    """The first dozen of ``names`` for a message."""
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")


def whole(name: str, value: int, least: int) -> int:
    """``value`` as an int, after checking that it is a whole number from ``least``.

    Raises:
        UsageError: it is not; ``name`` stands in the message.
    """
    if not isinstance(value, int | np.integer) or value < least:
        raise UsageError(f"{name} is {value}: expected a whole number from {least}")
    return int(value)
