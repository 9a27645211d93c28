"""The two kinds of error that reach a user: one line each, no traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

Parameters = Mapping[str, str | int | float]
NO_PARAMETERS: Parameters = {}


class GanvasError(Exception):
    """Something failed for a reason a user can mend; the message is the one line they see (exit code 1).

    Attributes:
        code: names the reason for a program that has words of its own for it, such as a page in another language; empty
            where the message alone tells it. Codes stay as they are.
        parameters: what such words are about, by name.
    """

    def __init__(self, message: str, code: str = "", parameters: Parameters = NO_PARAMETERS) -> None:
        super().__init__(message)
        self.code = code
        self.parameters = parameters


class UsageError(GanvasError):
    """A command or call was used wrongly: an unknown name, key or value (exit code 2)."""


def nearest(word: str, choices: Iterable[str]) -> str:
    """``" Did you mean 'x'?"`` for the choice nearest to ``word``, or ``""`` when none is near."""
    found = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return f" Did you mean '{found[0]}'?" if found else ""
