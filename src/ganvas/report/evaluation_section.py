"""What `ganvas evaluate` found of a run's model, as a part of its report."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any


def evaluation_section(evaluation: Mapping[str, Any]) -> str:
    """The table of an evaluation as the model file's header holds it; "" where there is none, or it is damaged."""
    if not evaluation:
        return ""
    try:
        protocol, metrics = evaluation["protocol"], evaluation["metrics"]
        rows = "".join(_row(found) for found in metrics.values())
        hint = (
            f"{protocol['pictures']:,} pictures of seed {protocol['seed']}, against {protocol['source']}. "
            f"Real pictures: {protocol['reference']}. Intervals: {protocol['interval_level']:.0%}."
        )
        notes = "".join(f"<li>{escape(str(note))}</li>" for note in evaluation["notes"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return ""
    head = "".join(f'<th scope="col">{name}</th>' for name in ("metric", "value", "interval", "real pictures"))
    listed = f'<ul class="hint">{notes}</ul>' if notes else ""
    table = f'<table class="measured"><tr>{head}</tr>{rows}</table>'
    return f'<p class="hint">{escape(hint)}</p><div class="card">{table}</div>{listed}'


def _row(found: Mapping[str, Any]) -> str:
    decimals = found["decimals"]
    told = [] if found["low"] is None else [f"{found['low']:.{decimals}f} to {found['high']:.{decimals}f}"]
    told += [] if found["standard_error"] is None else [f"(SE {found['standard_error']:.2g})"]
    real = "" if found["real"] is None else f"{found['real']['value']:.{decimals}f}"
    title = f'<th scope="row" title="{escape(found["reading"])}">{escape(found["title"])}</th>'
    return f"<tr>{title}<td>{found['value']:.{decimals}f}</td><td>{' '.join(told)}</td><td>{real}</td></tr>"
