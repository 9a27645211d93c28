"""The two kinds of error that reach a user: one line each, no traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GanvasError(Exception):
    """Something failed for a reason a user can mend; the message is the one line they see (exit code 1)."""


class UsageError(GanvasError):
    """A command or call was used wrongly: an unknown name, key or value (exit code 2)."""


def nearest(word: str, choices: Iterable[str]) -> str:
    """``" Did you mean 'x'?"`` for the choice nearest to ``word``, or ``""`` when none is near."""
    found = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return f" Did you mean '{found[0]}'?" if found else ""
