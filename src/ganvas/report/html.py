"""The report: ``RUN/report.html``, one file that opens anywhere: offline, in light and dark, on a phone."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from ganvas.files import atomic_write
from ganvas.report.evaluation_section import evaluation_section
from ganvas.report.plots import Curve, draw_curves
from ganvas.report.record import RunRecord, Tick, read_run
from ganvas.report.sheets import LARGE_BYTES, Comparison, Sheet, animation, filmstrip, large, open_sheets
from ganvas.report.words import count, duration, number, percent, stretch, verdict

# The page runs no script and may ask for nothing: the browser itself enforces that it is self-contained.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
CHANCE_UNKNOWN = 10  # classes assumed for the verdict where the run does not say: the digits


def write_report(run_folder: Path, *, comparison: Sequence[Comparison] = (), out: Path | None = None) -> Path:
    """Write the report of a run and return its path.

    Whatever the run folder lacks (no tick yet, no samples, a last line cut off by a kill) becomes a plain
    note. The same run gives the same bytes.

    Args:
        run_folder: the folder that training wrote or is writing.
        comparison: sheets to show side by side at the top, such as this run's beside the shipped model's.
        out: where to write; ``RUN/report.html`` by default.

    Raises:
        GanvasError: ``run_folder`` is not a run folder, or the report cannot be written.
    """
    page = _page(read_run(run_folder), comparison)
    path = out if out is not None else run_folder / "report.html"
    atomic_write(path, page.encode("utf-8", "replace"))
    return path


def _page(run: RunRecord, comparison: Sequence[Comparison]) -> str:
    sheets = open_sheets(run.samples, run.notes)
    curves = draw_curves(run.ticks, classes=run.classes)
    sections = {
        "compared": ("Side by side", _compared(comparison)),
        "pictures": ("What it draws", _pictures(sheets)),
        "history": ("How it learned to draw", _strip(sheets)),
        "curves": ("Curves", _curves(curves)),
        "evaluation": ("Evaluation", evaluation_section(run.evaluation)),
        "statistics": ("Last statistics", _statistics(run)),
        "recipe": ("Recipe", _recipe(run)),
        "machine": ("Machine and data", _machine(run)),
    }
    shown = {key: (title, body) for key, (title, body) in sections.items() if body}
    links = "".join(f'<a href="#{key}">{title}</a>' for key, (title, _) in shown.items())
    body = "".join(
        f'<section aria-labelledby="{key}"><h2 id="{key}">{title}</h2>{content}</section>\n'
        for key, (title, content) in shown.items()
    )
    style = (files("ganvas.report") / "report.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(run.name)} · ganvas report</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"{_header(run)}<nav aria-label='Sections'>{links}</nav>\n{_notes(run)}</header>\n"
        f"<main>\n{body}</main>\n{_footer(run)}</body>\n</html>\n"
    )


def _header(run: RunRecord) -> str:
    lead = f'<p class="lead">{escape(run.description)}</p>' if run.description else ""
    title = f'<p class="kicker">ganvas · training report</p>\n<h1>{escape(run.name)}</h1>{lead}'
    return f"<header>\n{title}\n{_verdict(run)}{_state(run)}{_alarms(run)}\n"


def _verdict(run: RunRecord) -> str:
    asked = run.latest_metrics.get("asked_accuracy")
    if asked is None:
        return ""
    noun = "digits" if "digit_frechet" in run.latest_metrics or run.name.startswith("digits") else "pictures"
    found = verdict(asked, classes=run.classes or CHANCE_UNKNOWN, noun=noun)
    best, images = max(
        (tick.metrics["asked_accuracy"], tick.images)
        for tick in run.ticks
        if math.isfinite(tick.metrics.get("asked_accuracy", math.nan))
    )
    before = ""
    if best > asked + 0.01 and found.tone != "bad":
        before = f"<small>It was better before: {percent(best)} after {count(images)} images.</small>"
    return f'<p class="verdict {found.tone}">{escape(found.sentence)}{before}</p>\n'


def _state(run: RunRecord) -> str:
    """Tiles with the state of the run, and a bar with how far it came."""
    if not run.ticks:
        return ""
    tick = run.ticks[-1]
    total = tick.total_images
    tiles = [(f"images seen of {count(total)}" if total else "images seen", count(tick.images))]
    if tick.seconds is not None and math.isfinite(tick.seconds):
        tiles.append(("training time", duration(tick.seconds)))
    speed = _overall_speed(run.ticks)
    if speed is not None:
        tiles.append(("images/s", count(speed)))
    metrics = run.latest_metrics
    if "asked_accuracy" in metrics:
        tiles.append(("asked class met", percent(metrics["asked_accuracy"])))
    if "digit_frechet" in metrics:
        tiles.append(("digit Fréchet distance", number(metrics["digit_frechet"])))
    if tick.validation_share:
        tiles.append(("of the time went into measuring", percent(tick.validation_share)))
    cells = "".join(f'<div class="card"><dt>{name}</dt><dd>{value}</dd></div>' for name, value in tiles)
    bar = ""
    if total and tick.images < total and not tick.finished:
        share = percent(tick.images / total)
        label = f'aria-label="{share} of the images seen"'
        bar = f'<progress max="{total}" value="{tick.images}" {label}>{share}</progress>'
    return f'<dl class="tiles">{cells}</dl>{bar}'


def _alarms(run: RunRecord) -> str:
    """What the monitors warned of while training."""
    items = []
    for alarm in run.alarms:
        when = f"since {count(alarm.since)} images" if alarm.standing else stretch(alarm.since, alarm.until)
        items.append(f"<li><b>{escape(alarm.monitor)}</b>, {when}: {escape(alarm.sentence)}</li>")
    if not items:
        return ""
    return f'<div class="note warning" role="note" aria-label="Warnings"><ul>{"".join(items)}</ul></div>\n'


def _overall_speed(ticks: Sequence[Tick]) -> float | None:
    """The middle one of the ticks' speeds: the first tick warms up, and a single slow one says little."""
    found = [tick.images_per_second for tick in ticks]
    speeds = sorted(speed for speed in found if speed is not None and math.isfinite(speed))
    return speeds[len(speeds) // 2] if speeds else None


def _notes(run: RunRecord) -> str:
    notes = list(run.notes)
    if not run.ticks:
        notes.append("No progress has been recorded yet: curves and statistics appear after the first tick.")
    elif run.ticks[-1].finished and run.ticks[-1].images < (run.ticks[-1].total_images or 0):
        notes.append(
            "Training stopped early: the validation metric had not become better for as long as the recipe waits."
        )
    if not run.samples:
        notes.append("No samples have been drawn yet.")
    if not notes:
        return ""
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f'<div class="note" role="note" aria-label="Notes"><ul>{items}</ul></div>\n'


def _compared(comparison: Sequence[Comparison]) -> str:
    cards = []
    share_of_room = 2 * LARGE_BYTES // max(2, len(comparison))
    for sheet in comparison:
        share = ""
        if sheet.asked_accuracy is not None:
            share = f'<span class="share">{percent(sheet.asked_accuracy)}</span> are what was asked for'
        lines = "<br>".join(line for line in (share, escape(sheet.note)) if line)
        cards.append(
            f'<figure class="card"><h3>{escape(sheet.title)}</h3><figcaption>{lines}</figcaption>'
            f'<img src="{large(sheet.image, share_of_room)}" alt="Sheet of samples: {escape(sheet.title)}"'
            f"{_size(sheet.image.size)}></figure>"
        )
    if not cards:
        return ""
    return f'<p class="hint">Each was asked for the same labels.</p><div class="pair">{"".join(cards)}</div>'


def _pictures(sheets: Sequence[Sheet]) -> str:
    if not sheets:
        return ""
    last = sheets[-1]
    seen = f"{count(last.images)} images seen"
    cards = (
        f'<figure class="card"><h3>The last samples</h3><figcaption>{seen}</figcaption>'
        f'<img src="{large(last.picture)}" alt="The last samples, after {seen}"'
        f"{_size(last.picture.size)}></figure>"
    )
    if len(sheets) == 1:
        return f'<div class="pair alone">{cards}</div>'
    moving, held = animation(sheets)
    what = f"The samples from {count(sheets[0].images)} to {seen}"
    cards += (
        '<div class="card moving-card"><figure><h3>On the way there</h3>'
        f"<figcaption>From {count(sheets[0].images)} to {seen}</figcaption>"
        f'<img class="moving" src="{moving}" alt="{what}, as an animation">'
        f'<img class="held" src="{held}" alt="{what}: the last frame"></figure>'
        '<label class="pause"><input type="checkbox"> Hold at the last frame</label></div>'
    )
    hint = '<p class="hint">The same noise and the same requests every time.</p>'
    return f'{hint}<div class="pair">{cards}</div>'


def _strip(sheets: Sequence[Sheet]) -> str:
    if len(sheets) < 2:
        return ""
    frames = "".join(
        f'<li><figure><img src="{uri}" alt="Samples after {count(images)} images seen">'
        f"<figcaption>{count(images)}</figcaption></figure></li>"
        for images, uri in filmstrip(sheets)
    )
    hint = '<p class="hint">Below each sheet: the images seen when it was drawn.</p>'
    return f'{hint}<ol class="strip card">{frames}</ol>'


def _curves(curves: Sequence[Curve]) -> str:
    if not curves:
        return ""
    figures = "".join(_curve(curve) for curve in curves)
    smoothed = any(curve.smoothed for curve in curves)
    hint = ("Faint: as measured. Strong: running mean. " if smoothed else "") + "In bold: the last value."
    return f'<p class="hint">{hint}</p><div class="curves">{figures}</div>'


def _curve(curve: Curve) -> str:
    legend = "".join(
        f'<li style="--swatch:var(--series-{index % 6 + 1})">{escape(name)} <b>{value}</b></li>'
        for index, (name, value) in enumerate(curve.legend)
    )
    return (
        f'<figure class="card"><h3>{escape(curve.title)}</h3><figcaption>{escape(curve.reading)}</figcaption>'
        f'<div role="img" aria-label="{escape(curve.alternative)}">{curve.svg}</div>'
        f'<ul class="legend">{legend}</ul></figure>'
    )


def _statistics(run: RunRecord) -> str:
    if not run.ticks:
        return ""
    tick = run.ticks[-1]
    progress = {
        "images seen": count(tick.images),
        "images in all": count(tick.total_images) if tick.total_images else None,
        "seconds": _shown(tick.seconds),
        "images/s": _shown(tick.images_per_second),
        "peak memory (MB)": _shown(tick.peak_memory_mb),
        "time spent measuring": _shown_share(tick.validation_share),
    }
    accuracy = {"real pictures": tick.accuracy_real, "fake pictures": tick.accuracy_fake}
    tables: list[tuple[str, Mapping[str, str | None]]] = [
        ("Progress", progress),
        ("Discriminator's accuracy", {name: _shown_share(value) for name, value in accuracy.items()}),
        ("Losses", {name: number(value) for name, value in tick.losses.items()}),
        ("Gradient norms", {name: number(value) for name, value in tick.gradient_norms.items()}),
        ("Metrics, as last measured", {name: _metric(name, value) for name, value in run.latest_metrics.items()}),
        ("What the monitors look at", {name: number(value) for name, value in run.latest_signs.items()}),
    ]
    return _tables(tables)


def _recipe(run: RunRecord) -> str:
    if not run.recipe_text:
        return ""
    shown = {key: value for key, value in run.recipe.items() if key != "description"}
    tables = _tables(_sections("Recipe", shown))
    raw = f"<pre tabindex='0' aria-label='recipe.toml'><code>{escape(run.recipe_text.strip())}</code></pre>"
    if not tables:
        return raw
    return f"{tables}<details><summary>The same as a file to train from: recipe.toml</summary>{raw}</details>"


def _machine(run: RunRecord) -> str:
    return _tables(_sections("Machine", run.environment))


def _sections(title: str, table: Mapping[str, object]) -> list[tuple[str, Mapping[str, str | None]]]:
    """A nested table as captioned flat ones: what is directly in it first, then every table inside."""
    flat = {key: _plain(value, key) for key, value in table.items() if not isinstance(value, dict)}
    found: list[tuple[str, Mapping[str, str | None]]] = [(title, flat)]
    for key, value in table.items():
        if isinstance(value, dict):
            name = key if title in ("Recipe", "Machine") else f"{title}.{key}"
            found += _sections(name, value)
    return found


def _tables(tables: Sequence[tuple[str, Mapping[str, str | None]]]) -> str:
    cards = []
    for title, rows in tables:
        cells = "".join(
            f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
            for name, value in rows.items()
            if value is not None
        )
        if cells:
            cards.append(f'<div class="card"><table><caption>{escape(title)}</caption>{cells}</table></div>')
    return f'<div class="columns">{"".join(cards)}</div>' if cards else ""


def _footer(run: RunRecord) -> str:
    lines = []
    source, licence = run.data.get("source"), run.data.get("licence")
    parts = [str(source) if source else "", f"Licence: {licence}" if licence else ""]
    attribution = ". ".join(part.rstrip(".") for part in parts if part)
    if attribution:
        lines.append(f"Training data: {escape(attribution)}.")
    if (run.folder / "model.safetensors").is_file():
        command = f"ganvas sample {shlex.quote(str(run.folder))} --count 100 --out more.png"
        lines.append(f"Draw more with this model: <code>{escape(command)}</code>")
    version = run.environment.get("ganvas")
    lines.append(f"Made by ganvas{f' {escape(str(version))}' if version else ''}.")
    return "<footer>" + "".join(f"<p>{line}</p>" for line in lines) + "</footer>\n"


def _plain(value: object, key: str = "") -> str | None:
    """A value of a recipe or environment as a reader expects it; ``None`` for what is not set."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 1000 and key != "seed" else str(value)
    if isinstance(value, list):
        return ", ".join(_plain(item) or "-" for item in value) or "none"
    return str(value) or "not set"


def _size(size: tuple[int, int]) -> str:
    # The browser keeps the room free before the picture is decoded: nothing jumps.
    return f' width="{size[0]}" height="{size[1]}"'


def _shown(value: float | None) -> str | None:
    return None if value is None else number(value)


def _metric(name: str, value: float) -> str:
    return percent(value) if name.endswith("accuracy") else number(value)


def _shown_share(value: float | None) -> str | None:
    if value is None:
        return None
    return percent(value) if math.isfinite(value) else number(value)
