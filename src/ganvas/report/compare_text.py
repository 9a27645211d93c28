"""A comparison as Markdown, for documents, and as JSON, for programs: every number behind it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganvas import __version__
from ganvas.metrics.intervals import LEVEL, RESAMPLES
from ganvas.metrics.pictures import PictureMetric
from ganvas.report.compared import Compared, Entry, Row, Score, recipe_differences
from ganvas.report.words import count, duration

AIM = {"lower": "↓", "higher": "↑", "truth": "≈"}
AIM_IN_WORDS = {
    "lower": "lower is better",
    "higher": "higher is better",
    "truth": "nearer to the true pictures is better",
}
TRUE_PICTURES = "true pictures"
PACKAGE = Path(__file__).parents[1]


def to_markdown(compared: Compared) -> str:
    """The table, best values in bold, with what the numbers are and what they were measured on."""
    metrics = compared.metrics
    heads = ["run", "seeds", "images seen", *(f"{metric.title} {AIM[metric.better]}" for metric in metrics.values())]
    lines = [_line(heads), _line(["---", *["---:"] * (len(heads) - 1)])]
    for row, scores in zip(compared.rows, compared.scores, strict=True):
        cells = [_markdown_cell(scores.get(name), metric) for name, metric in metrics.items()]
        lines.append(_line([_escaped(row.name), str(len(row.entries)), images_seen(row), *cells]))
    if compared.reference:
        cells = [_markdown_cell(compared.reference.get(name), metric) for name, metric in metrics.items()]
        lines.append(_line([f"*{TRUE_PICTURES}*", "", "", *cells]))
    text = "\n".join(lines) + "\n\n" + measured_on(compared) + "\n"
    if metrics:
        text += "\n" + "\n".join(f"- {metric.title}: {reading(metric)}" for metric in metrics.values()) + "\n"
    return text + "".join(f"\n> {_escaped(note)}\n" for note in compared.notes)


def to_json(compared: Compared) -> str:
    """Everything: scores, each picture's values, what differs between the recipes, and the commands."""
    names = [row.name for row in compared.rows]
    held = compared.held
    table: dict[str, Any] = {
        "ganvas": __version__,
        "task": compared.task,
        "command": compared.command,
        "measured_on": None
        if held is None
        else {
            "source": held.source,
            "licence": held.licence,
            "split": held.split,
            "fingerprint": held.fingerprint,
            "pictures": list(held.names),
        },
        "interval": {"level": LEVEL, "method": "percentile bootstrap", "resamples": RESAMPLES, "seed": 0},
        "metrics": {
            name: {"title": metric.title, "better": metric.better, "reading": metric.reading}
            for name, metric in compared.metrics.items()
        },
        "rows": [_json_row(row, scores) for row, scores in zip(compared.rows, compared.scores, strict=True)],
        "true_pictures": {name: _json_score(score) for name, score in compared.reference.items()},
        "recipe_differences": {
            key: dict(zip(names, values, strict=True)) for key, values in recipe_differences(compared.rows).items()
        },
        "notes": list(compared.notes),
    }
    return json.dumps(table, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def measured_on(compared: Compared) -> str:
    """One paragraph: the pairs, the interval, and what bold means."""
    interval = f"{LEVEL:.0%} bootstrap, {RESAMPLES:,} resamples"
    bold = "Bold: the best, and those whose difference to it on the same pictures may be chance."
    if compared.held is None:
        seeds = f" Intervals: {interval} over seeds." if any(len(row.entries) > 1 for row in compared.rows) else ""
        return f"Measured when the models were made.{seeds} {'Bold: the best.' if not seeds else bold}"
    held = compared.held
    pictures = f"{count(len(held.names))} {'picture' if len(held.names) == 1 else 'pictures'} of {held.source}"
    over = " over pictures, and over seeds where there are several"
    return f"Measured on {pictures}. Intervals: {interval}{over}. {bold}"


def reading(metric: PictureMetric) -> str:
    """What a metric says and which way is better."""
    return f"{metric.reading}; {AIM_IN_WORDS[metric.better]}"


def images_seen(row: Row) -> str:
    """Images that the row's models learned from: one number, or from the least to the most."""
    seen = sorted({entry.header.images_seen for entry in row.entries})
    return count(seen[0]) if len(seen) == 1 else f"{count(seen[0])} to {count(seen[-1])}"


def training_time(row: Row) -> str:
    """The mean time of the row's runs, or an empty string where it is not known."""
    seconds = [record.ticks[-1].seconds for entry in row.entries if (record := entry.record) and record.ticks]
    known = [value for value in seconds if value is not None]
    return duration(sum(known) / len(known)) if known and len(known) == len(row.entries) else ""


def training_command(entry: Entry) -> str | None:
    """What trains the entry's model again, where its run is known."""
    if entry.recipe is None or entry.record is None:
        return None
    folder = entry.record.folder
    again = folder.with_name(f"{folder.name}-again")
    return shlex.join(["ganvas", "train", str(folder / "recipe.toml"), "--out", str(again)])


def interval_text(score: Score, metric: PictureMetric) -> str:
    """``0.0931 to 0.0960``, or an empty string without an interval."""
    if score.low is None or score.high is None:
        return ""
    return f"{score.low:.{metric.decimals}f} to {score.high:.{metric.decimals}f}"


def _json_row(row: Row, scores: Mapping[str, Score]) -> dict[str, Any]:
    return {
        "name": row.name,
        "seeds": list(row.seeds),
        "scores": {name: _json_score(score) for name, score in scores.items()},
        "runs": [
            {
                "given": entry.given,
                "file": _file(entry.path),
                "recipe": entry.header.recipe,
                "seed": entry.recipe.train.seed if entry.recipe is not None else None,
                "images_seen": entry.header.images_seen,
                "training_data": entry.header.data.model_dump(),
                "command": training_command(entry),
                "values": {name: values[index].tolist() for name, values in row.values.items()},
            }
            for index, entry in enumerate(row.entries)
        ],
    }


def _file(path: Path) -> str:
    """As it was given; of a shipped model within the package, which lies elsewhere on every machine."""
    return path.relative_to(PACKAGE.parent).as_posix() if path.is_relative_to(PACKAGE) else str(path)


def _json_score(score: Score) -> dict[str, Any]:
    return {"mean": score.mean, "low": score.low, "high": score.high, "best": score.best}


def _markdown_cell(score: Score | None, metric: PictureMetric) -> str:
    if score is None:
        return ""
    mean = f"{score.mean:.{metric.decimals}f}"
    interval = interval_text(score, metric)
    return (f"**{mean}**" if score.best else mean) + (f" ({interval})" if interval else "")


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|")
