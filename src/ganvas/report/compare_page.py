"""The page of a comparison: one HTML file that opens anywhere, in the look of a run's report."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib.resources import files

from PIL import Image

from ganvas import __version__
from ganvas.metrics.pictures import PictureMetric
from ganvas.report.compare_sheet import data_uri
from ganvas.report.compare_text import (
    AIM,
    AIM_IN_WORDS,
    TRUE_PICTURES,
    images_seen,
    interval_text,
    measured_on,
    reading,
    training_command,
    training_time,
)
from ganvas.report.compared import DIGIT_METRICS, KNOWN_METRICS, Compared, Row, Score, recipe_differences
from ganvas.report.html import POLICY
from ganvas.report.plots import Curve, Kind, Line, Plot, draw_plot
from ganvas.report.record import RunRecord, Tick
from ganvas.report.sheets import LARGE_BYTES, large
from ganvas.report.words import count

SERIES = 6  # colours of report.css
PIXELATED_TO = 64  # sides up to here are shown with crisp pixels


def page(compared: Compared) -> str:
    """The whole document; the same comparison gives the same text."""
    sections = {
        "table": ("How near the truth" if compared.task == "translate" else "The numbers", _table(compared)),
        "pictures": ("The same inputs" if compared.task == "translate" else "The same seed", _pictures(compared)),
        "curves": ("While training", _curves(compared.rows)),
        "recipes": ("What differs between the recipes", _differences(compared.rows)),
        "commands": ("How to make this again", _commands(compared)),
    }
    shown = {key: (title, body) for key, (title, body) in sections.items() if body}
    links = "".join(f'<a href="#{key}">{title}</a>' for key, (title, _) in shown.items())
    body = "".join(
        f'<section aria-labelledby="{key}"><h2 id="{key}">{title}</h2>{content}</section>\n'
        for key, (title, content) in shown.items()
    )
    names = [row.name for row in compared.rows]
    title = " · ".join(names) if len(names) <= 3 else f"{len(names)} models"
    style = "".join(
        (files("ganvas.report") / name).read_text(encoding="utf-8") for name in ("report.css", "compare.css")
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)} · ganvas compare</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f'<header>\n<p class="kicker">ganvas · comparison</p>\n<h1>{escape(title)}</h1>'
        f'<p class="lead">{escape(_lead(compared))}</p>\n'
        f"<nav aria-label='Sections'>{links}</nav>\n{_notes(compared.notes)}</header>\n"
        f"<main>\n{body}</main>\n{_footer(compared)}</body>\n</html>\n"
    )


def _lead(compared: Compared) -> str:
    runs = sum(len(row.entries) for row in compared.rows)
    models = f"{runs} trained {'model' if runs == 1 else 'models'}"
    if len(compared.rows) != runs:
        models += f" of {len(compared.rows)} {'kind' if len(compared.rows) == 1 else 'kinds'}"
    if compared.held is None:
        return f"{models}, compared by what was measured when they were made."
    return f"{models} on the same {count(len(compared.held.names))} pictures of {compared.held.source}."


def _notes(notes: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f'<div class="note" role="note" aria-label="Notes"><ul>{items}</ul></div>\n' if notes else ""


def _table(compared: Compared) -> str:
    metrics = compared.metrics
    if not metrics:
        return ""
    heads = "".join(
        f'<th scope="col">{escape(metric.title)}&nbsp;<abbr title="{AIM_IN_WORDS[metric.better]}">{AIM[metric.better]}'
        "</abbr></th>"
        for metric in metrics.values()
    )
    body = ""
    for row, scores in zip(compared.rows, compared.scores, strict=True):
        body += _table_row(escape(row.name), _about(row), metrics, scores)
    if compared.reference:
        body += _table_row(TRUE_PICTURES, "what ≈ aims at", metrics, compared.reference, kind=' class="truth"')
    readings = "".join(
        f"<div><dt>{escape(metric.title)}</dt><dd>{escape(reading(metric))}</dd></div>" for metric in metrics.values()
    )
    return (
        f'<p class="hint">{escape(measured_on(compared))}</p>'
        '<div class="card scores" tabindex="0" role="region" aria-label="Table of scores"><table>'
        f'<thead><tr><th scope="col"></th>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
        f'<details><summary>What the numbers say</summary><dl class="readings">{readings}</dl></details>'
    )


def _table_row(
    name: str, about: str, metrics: Mapping[str, PictureMetric], scores: Mapping[str, Score], kind: str = ""
) -> str:
    cells = ""
    for key, metric in metrics.items():
        if key not in scores:
            cells += '<td><span class="none">–</span></td>'
            continue
        score = scores[key]
        mean = f"{score.mean:.{metric.decimals}f}"
        shown = f"<strong>{mean}</strong>" if score.best else f"<span>{mean}</span>"
        interval = interval_text(score, metric)
        cells += f"<td>{shown}{f'<small>{interval}</small>' if interval else ''}</td>"
    return f'<tr{kind}><th scope="row">{name}<small>{escape(about)}</small></th>{cells}</tr>'


def _about(row: Row) -> str:
    seeds = f"seeds {', '.join(map(str, row.seeds))}" if len(row.entries) > 1 else ""
    time = training_time(row)
    each = " each" if len(row.entries) > 1 and time else ""
    return " · ".join(part for part in (f"{images_seen(row)} images", f"{time}{each}", seeds) if part)


def _pictures(compared: Compared) -> str:
    if compared.task == "label":
        room = 2 * LARGE_BYTES // max(2, len(compared.columns))
        cards = "".join(
            f'<figure class="card"><h3>{escape(column.title)}</h3><figcaption>{escape(column.note)}</figcaption>'
            f'<img src="{large(Image.fromarray(column.pictures[0]), room)}" '
            f'alt="Sheet drawn by {escape(column.title)}"></figure>'
            for column in compared.columns
        )
        return (
            f'<p class="hint">Each drew for the same labels, from noise of seed 0.</p><div class="pair">{cards}</div>'
        )
    heads = "".join(
        f'<th scope="col">{escape(column.title)}<small>{escape(column.note)}</small></th>'
        for column in compared.columns
    )
    total, side = compared.columns[0].pictures.shape[:2]
    rows = ""
    for index in range(total):
        cells = "".join(
            f'<td><img src="{data_uri(column.pictures[index])}" width="{side}" height="{side}" '
            f'alt="{escape(column.title)}, picture {index + 1}"></td>'
            for column in compared.columns
        )
        rows += f"<tr>{cells}</tr>"
    crisp = " crisp" if side <= PIXELATED_TO else ""
    hint = (
        "Held-out pictures, spread evenly over the set, not chosen." if _is_held_out(compared) else "Training pictures."
    )
    table = (
        f'<table style="--columns:{len(compared.columns)}"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    )
    return (
        f'<p class="hint">{hint}</p><div class="card sheet{crisp}" tabindex="0" role="region" '
        f'aria-label="Pictures side by side">{table}</div>'
    )


def _is_held_out(compared: Compared) -> bool:
    return compared.held is not None and compared.held.split != "train"


def _curves(rows: Sequence[Row]) -> str:
    known = [(row.name, [entry.record for entry in row.entries if entry.record is not None]) for row in rows]
    plots = [_measured(known, name) for name in _names(known, lambda tick: tick.metrics)]
    plots += [_loss(known, name) for name in _names(known, lambda tick: tick.losses)]
    names = [row.name for row in rows]
    figures = "".join(_figure(draw_plot(plot), names) for plot in plots if plot.lines)
    if not figures:
        return ""
    several = any(len(records) > 1 for _, records in known)
    hint = "Against images seen." + (" Of several seeds the mean." if several else "")
    return f'<p class="hint">{hint}</p><div class="curves">{figures}</div>'


def _measured(known: Sequence[tuple[str, Sequence[RunRecord]]], name: str) -> Plot:
    metric = KNOWN_METRICS.get(name)
    title = metric.title if metric else name
    told = f"Measured while training: {reading(metric)}." if metric else "Measured while training."
    lines = _lines(known, lambda tick: tick.metrics.get(name))
    kind: Kind = "share" if name in DIGIT_METRICS and name.endswith("accuracy") else "value"
    return Plot(f"metric-{name}", title, told, kind, None, lines)


def _loss(known: Sequence[tuple[str, Sequence[RunRecord]]], name: str) -> Plot:
    told = "On training pictures. Losses of different objectives cannot be compared with each other."
    return Plot(f"loss-{name}", f"Loss: {name}", told, "value", None, _lines(known, lambda tick: tick.losses.get(name)))


def _names(
    known: Sequence[tuple[str, Sequence[RunRecord]]], values: Callable[[Tick], Mapping[str, float]]
) -> list[str]:
    return list(
        dict.fromkeys(
            name for _, records in known for record in records for tick in record.ticks for name in values(tick)
        )
    )


def _lines(known: Sequence[tuple[str, Sequence[RunRecord]]], value: Callable[[Tick], float | None]) -> list[Line]:
    """A line a row, in the row's colour: the mean over its seeds wherever all of them have a value."""
    lines = []
    for name, records in known:
        tables = [
            {tick.images: found for tick in record.ticks if (found := value(tick)) is not None} for record in records
        ]
        common = sorted(set.intersection(*map(set, tables))) if tables else []
        means = [sum(table[images] for table in tables) / len(tables) for images in common]
        if any(math.isfinite(mean) for mean in means):
            lines.append(Line(name, common, means))
    return lines


def _figure(curve: Curve, rows: Sequence[str]) -> str:
    # Not every row has every curve: the plot's colours become those of the rows, the same in all plots.
    colours = [rows.index(name) % SERIES + 1 for name, _ in curve.legend]
    own = ";".join(f"--series-{index}:var(--row-{row})" for index, row in enumerate(colours[:SERIES], 1))
    legend = "".join(
        f'<li style="--swatch:var(--row-{row})">{escape(name)} <b>{value}</b></li>'
        for row, (name, value) in zip(colours, curve.legend, strict=True)
    )
    return (
        f'<figure class="card" style="{own}"><h3>{escape(curve.title)}</h3>'
        f"<figcaption>{escape(curve.reading)}</figcaption>"
        f'<div role="img" aria-label="{escape(curve.alternative)}">{curve.svg}</div>'
        f'<ul class="legend">{legend}</ul></figure>'
    )


def _differences(rows: Sequence[Row]) -> str:
    if len(rows) < 2 or all(row.entries[0].recipe is None for row in rows):
        return ""
    found = recipe_differences(rows)
    if not found:
        return '<p class="hint">Nothing: the recipes are the same.</p>'
    heads = "".join(f'<th scope="col">{escape(row.name)}</th>' for row in rows)
    body = "".join(
        f'<tr><th scope="row"><code>{escape(key)}</code></th>'
        + "".join(f"<td>{escape(value)}</td>" for value in values)
        + "</tr>"
        for key, values in found.items()
    )
    return (
        '<div class="card differences" tabindex="0" role="region" aria-label="Differences between the recipes"><table>'
        f'<thead><tr><th scope="col">key</th>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _commands(compared: Compared) -> str:
    training = [training_command(entry) for row in compared.rows for entry in row.entries]
    lines = [*(line for line in training if line is not None), compared.command]
    return f"<pre tabindex='0' aria-label='Commands'><code>{escape(chr(10).join(lines))}</code></pre>"


def _footer(compared: Compared) -> str:
    held = compared.held
    data = (
        "" if held is None else f"<p>Pictures: {escape(held.source)}. Licence: {escape(held.licence.rstrip('.'))}.</p>"
    )
    return f"<footer>{data}<p>Made by ganvas {escape(__version__)}.</p></footer>\n"
