"""An evaluation as text: a table for people that is Markdown too, and JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ganvas.evaluation.found import ByClass, Evaluation
from ganvas.metrics.figures import Figure
from ganvas.metrics.intervals import LEVEL
from ganvas.metrics.pictures import PictureMetric

AIM = {"lower": "lower", "higher": "higher", "truth": "as real"}


def to_json(evaluation: Evaluation) -> str:
    """Every number with its interval and protocol."""
    return json.dumps(evaluation.to_table(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_markdown(evaluation: Evaluation) -> str:
    """The table, what it was measured on, and what to keep in mind."""
    protocol = evaluation.protocol
    rows = [["metric", "value", f"{LEVEL:.0%} interval", "real pictures", "better"]]
    for name, figure in evaluation.figures.items():
        metric = evaluation.metrics[name]
        real = evaluation.reference.get(name)
        rows.append(
            [
                metric.title,
                shown(figure.value, metric),
                interval(figure, metric),
                "" if real is None else shown(real.value, metric),
                AIM[metric.better],
            ]
        )
    lines = [
        f"{evaluation.name}: {protocol.pictures:,} pictures of seed {protocol.seed}, against {protocol.source} (split "
        f"{protocol.split}, fingerprint {protocol.fingerprint}). Real pictures: {protocol.reference}.",
        table(rows),
        "\n".join(
            f"- {evaluation.metrics[name].title}: {evaluation.metrics[name].reading}" for name in evaluation.figures
        ),
        _settings(evaluation),
        *([] if evaluation.by_class is None else _by_class(evaluation.by_class)),
        *evaluation.notes,
    ]
    return "\n\n".join(line for line in lines if line) + "\n"


def shown(value: float, metric: PictureMetric) -> str:
    """A number with the metric's decimals."""
    return f"{value:.{metric.decimals}f}"


def interval(figure: Figure, metric: PictureMetric) -> str:
    """``0.993 to 0.998 (SE 0.0013)``, or what there is of it."""
    told = []
    if figure.low is not None and figure.high is not None:
        told.append(f"{shown(figure.low, metric)} to {shown(figure.high, metric)}")
    if figure.standard_error is not None:
        told.append(f"(SE {figure.standard_error:.2g})")
    return " ".join(told)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Markdown whose columns stand under each other; the first row is the head, and numbers stand right."""
    widths = [max(3, *(len(row[at]) for row in rows)) for at in range(len(rows[0]))]
    numbers = [at for at in range(len(widths)) if all(_is_number(row[at]) for row in rows[1:])]

    def line(cells: Sequence[str]) -> str:
        filled = [cell.rjust(widths[at]) if at in numbers else cell.ljust(widths[at]) for at, cell in enumerate(cells)]
        return f"| {' | '.join(filled)} |"

    rule = ["-" * (width - 1) + ":" if at in numbers else "-" * width for at, width in enumerate(widths)]
    return "\n".join([line(rows[0]), line(rule), *(line(row) for row in rows[1:])])


def _is_number(text: str) -> bool:
    return not text or text.replace(".", "").replace("-", "").replace("%", "").replace(",", "").isdecimal()


def _settings(evaluation: Evaluation) -> str:
    settings = evaluation.protocol.settings
    numbers = [
        f"{name} {f'{value:,.0f}' if value.is_integer() else f'{value:.4g}'}" for name, value in settings.items()
    ]
    return f"Settings: {', '.join(numbers)}." if numbers else ""


def _both(figure: Figure | None, form: str) -> tuple[str, str]:
    """A number and its interval, as far as there are any."""
    if figure is None:
        return "", ""
    between = "" if figure.low is None else f"{figure.low:{form}} to {figure.high:{form}}"
    return f"{figure.value:{form}}", between


def _by_class(found: ByClass) -> list[str]:
    by_class = [["class", "met", "interval", "Fréchet distance", "interval", "of real pictures"]]
    for at, name in enumerate(found.names):
        figure, distance, real = found.accuracy[at], found.frechet[at], found.reference_frechet[at]
        by_class.append([name, *_both(figure, ".1%"), *_both(distance, ".2f"), _both(real, ".2f")[0]])
    confusion = [["asked for / read", *found.names]]
    confusion += [
        [name, *(str(count) for count in row)] for name, row in zip(found.names, found.confusion.tolist(), strict=True)
    ]
    return [table(by_class), table(confusion)]
