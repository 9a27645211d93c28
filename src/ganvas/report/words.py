"""Numbers as people read them, and the plain-words verdict on conditioning."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

AT_CHANCE_MARGIN = 0.05  # sampling noise of a share over a few hundred drawn pictures, twice over


@dataclass(frozen=True)
class Verdict:
    """One sentence on whether the model draws what it is asked for, and how that should be read."""

    tone: Literal["good", "middling", "bad"]
    sentence: str


def count(value: float) -> str:
    """``1234567`` as ``"1,234,567"``."""
    return f"{round(value):,}"


def percent(share: float) -> str:
    """A share in [0, 1] as ``"97.6%"``; never rounded up to a perfect score that was not reached."""
    if share < 1 and f"{100 * share:.1f}" == "100.0":
        return "99.9%"
    whole = math.isclose(100 * share, round(100 * share), abs_tol=1e-9)
    return f"{100 * share:.0f}%" if whole else f"{100 * share:.1f}%"


def duration(seconds: float) -> str:
    """Seconds as ``"3.1 s"``, ``"2 min 05 s"`` or ``"1 h 05 min"``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60:,} h {minutes % 60:02d} min"


def number(value: float) -> str:
    """A measured value with four significant digits and thousand separators; NaN and Inf in words."""
    if not math.isfinite(value):
        return "not a number"
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) < 1e-3:
        return f"{value:.2e}"
    return f"{value:.4g}"


def stretch(since: int, until: int) -> str:
    """When something was seen that is no more, counted in images."""
    return (
        f"after {count(since)} images, no more"
        if since == until
        else f"{count(since)} to {count(until)} images, no more"
    )


def verdict(asked_accuracy: float, *, classes: int, noun: str) -> Verdict:
    """What the share of pictures that show the asked class says about the model.

    Args:
        asked_accuracy: share in [0, 1] of drawn pictures that are what was asked for.
        classes: how many classes there are; chance is one in that many.
        noun: what the pictures are, in the plural: ``"digits"``.
    """
    shown = percent(asked_accuracy)
    asked = f"{shown} of {noun} are what was asked for"
    if asked_accuracy <= 1 / classes + AT_CHANCE_MARGIN:
        return Verdict("bad", f"The asked class is met at chance ({shown}): this model does not follow its label.")
    if asked_accuracy < 0.6:
        return Verdict("middling", f"Only {asked}: this model has begun to follow its label.")
    if asked_accuracy < 0.9:
        return Verdict("middling", f"{asked}: this model follows its label, but not every time.")
    return Verdict("good", f"{asked}.")
