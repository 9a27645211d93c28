"""The curves of a report: matplotlib figures as inline SVG in the colours of the page, light or dark."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from ganvas.report.record import Tick
from ganvas.report.words import count, number, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kind = Literal["value", "share", "rate"]
MOST_POINTS = 400
ROUND_STEPS = (1, 2, 2.5, 5, 10)
FEW_POINTS = 12  # up to here every measurement gets a dot
SMOOTHED_FROM = 40  # ticks; below that a running mean hides more than it shows

# Stand-ins that matplotlib draws with and the page replaces, so that one SVG serves both colour schemes.
_INK, _GRID = "#010101", "#020202"
_SERIES = ("#030301", "#030302", "#030303", "#030304", "#030305", "#030306")
_VARIABLES = {_INK: "--quiet", _GRID: "--line"} | {code: f"--series-{i}" for i, code in enumerate(_SERIES, 1)}


@dataclass(frozen=True)
class Line:
    """One curve: images seen, and values (NaN where missing or not a number)."""

    name: str
    images: Sequence[int]
    values: Sequence[float]

    @property
    def last(self) -> float:
        """The last finite value."""
        return next(value for value in reversed(self.values) if math.isfinite(value))


@dataclass(frozen=True)
class Curve:
    """A plot ready for the page: SVG text, its title, a sentence on how to read it, and the legend."""

    key: str
    title: str
    reading: str
    svg: str
    legend: Sequence[tuple[str, str]]
    """Name and last value of every line, in the order of the colours ``--series-1``, ``--series-2``, ..."""
    smoothed: bool

    @property
    def alternative(self) -> str:
        """The plot in words, for those who do not see it."""
        lasts = ", ".join(f"{name} {value}" for name, value in self.legend)
        return f"{self.title} against images seen. Last values: {lasts}."


@dataclass(frozen=True)
class Plot:
    key: str
    title: str
    reading: str
    kind: Kind
    reference: tuple[float, str] | None
    lines: Sequence[Line]


def draw_curves(ticks: Sequence[Tick], *, classes: int | None) -> list[Curve]:
    """Every curve that the ticks have values for; none when there are no ticks.

    Args:
        ticks: in order of images seen.
        classes: how many classes the data has, for the line at chance; ``None`` draws no such line.
    """
    return [draw_plot(plot) for plot in _plots(ticks, classes) if plot.lines]


def _plots(ticks: Sequence[Tick], classes: int | None) -> list[Plot]:
    measured = {line.name: line for line in _named(ticks, lambda tick: tick.metrics)}
    asked, frechet = measured.pop("asked_accuracy", None), measured.pop("digit_frechet", None)
    noun = "Digits" if frechet is not None else "Pictures"
    plots = [
        Plot(
            "asked",
            f"{noun} that are what was asked for",
            "The share that a classifier takes for the asked class. Higher is better.",
            "share",
            (1 / classes, "chance") if classes else None,
            [replace(asked, name="asked class met")] if asked else [],
        ),
        Plot(
            "frechet",
            "Digit Fréchet distance",
            "Distance to real digits in a classifier's features. Lower is better.",
            "value",
            None,
            [replace(frechet, name="distance")] if frechet else [],
        ),
        Plot(
            "losses",
            "Losses",
            "In a balanced game neither side's falls to zero for long.",
            "value",
            None,
            _named(ticks, lambda tick: tick.losses),
        ),
        Plot(
            "accuracy",
            "Discriminator's accuracy",
            "Near 50% it cannot tell real from fake; near 100% it has run away.",
            "share",
            (0.5, "guessing"),
            _named(ticks, lambda tick: {"real": tick.accuracy_real, "fake": tick.accuracy_fake}),
        ),
        Plot(
            "gradients",
            "Gradient norms",
            "Sudden peaks mean steps that were too large.",
            "value",
            None,
            _named(ticks, lambda tick: tick.gradient_norms),
        ),
        Plot(
            "speed",
            "Speed",
            "Images seen a second, tick by tick.",
            "rate",
            None,
            _named(ticks, lambda tick: {"images/s": tick.images_per_second}),
        ),
    ]
    for index, line in enumerate(measured.values()):
        plots.append(Plot(f"metric-{index}", line.name, "Measured while training.", "value", None, [line]))
    return plots


def _named(ticks: Sequence[Tick], values: Callable[[Tick], Mapping[str, float | None]]) -> list[Line]:
    """A line for every name that has a finite value at some tick, in order of first appearance.

    The two players come first, so that they have the same colours in every plot.
    """
    points: dict[str, list[tuple[int, float]]] = {"generator": [], "discriminator": []}
    for tick in ticks:
        for name, value in values(tick).items():
            if value is not None:
                points.setdefault(name, []).append((tick.images, value))
    return [
        Line(name, [images for images, _ in pairs], [value for _, value in pairs])
        for name, pairs in points.items()
        if any(math.isfinite(value) for _, value in pairs)
    ]


def draw_plot(plot: Plot) -> Curve:
    # Figure, not pyplot: no global list of figures, no window system. Imported here: it takes half a second.
    import matplotlib
    from matplotlib.figure import Figure

    lines = [_thinned(line) for line in plot.lines]
    smoothed = plot.kind != "rate" and any(len(line.values) >= SMOOTHED_FROM for line in lines)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": plot.key, "font.size": 10.5}):
        figure = Figure(figsize=(6.0, 3.3), dpi=72)
        axes = figure.add_subplot()
        figure.patch.set_visible(False)
        axes.patch.set_visible(False)
        for index, line in enumerate(lines):
            _draw_line(axes, line, _SERIES[index % len(_SERIES)], smoothed=smoothed)
        _dress(axes, plot, lines)
        figure.subplots_adjust(left=0.135, right=0.97, bottom=0.205, top=0.965)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    shown = percent if plot.kind == "share" else (count if plot.kind == "rate" else number)
    return Curve(
        key=plot.key,
        title=plot.title,
        reading=plot.reading,
        svg=_inline(buffer.getvalue(), plot.key),
        legend=[(line.name, shown(line.last)) for line in plot.lines],
        smoothed=smoothed,
    )


def _draw_line(axes: Axes, line: Line, colour: str, *, smoothed: bool) -> None:
    if smoothed:
        axes.plot(line.images, line.values, color=colour, linewidth=1.0, alpha=0.35)
        axes.plot(line.images, _running_mean(line.values), color=colour, linewidth=2.0)
    else:
        axes.plot(line.images, line.values, color=colour, linewidth=1.8)
    few = len(line.values) <= FEW_POINTS
    marked = [i for i in range(len(line.values)) if few or _stands_alone(line.values, i)]
    images, values = [line.images[i] for i in marked], [line.values[i] for i in marked]
    axes.plot(images, values, color=colour, linestyle="", marker="o", markersize=4)


def _dress(axes: Axes, plot: Plot, lines: Sequence[Line]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="y", color=_GRID, linewidth=0.8)
    axes.spines["bottom"].set_color(_GRID)
    axes.tick_params(length=0, pad=5, labelcolor=_INK)
    axes.tick_params(axis="x", pad=8)
    axes.set_axisbelow(True)
    axes.set_xlabel("images seen", color=_INK, labelpad=6)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=ROUND_STEPS, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    last = max(line.images[-1] for line in lines)
    axes.set_xlim(0, last * 1.02 if last else 1)
    finite = [value for line in lines for value in line.values if math.isfinite(value)]
    if plot.kind == "share":
        axes.set_ylim(0, 1.03)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}%"))
    elif plot.kind == "rate":
        axes.set_ylim(0, 1.15 * max(*finite, 1.0))
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=ROUND_STEPS))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    elif min(finite) > 0 and max(finite) > 60 * min(finite):
        axes.set_yscale("log")
        decades = math.log10(max(finite) / min(finite))
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0) if decades < 4 else (1.0,)))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=ROUND_STEPS))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
        axes.margins(y=0.12)
        if 0 <= min(finite) < 0.25 * max(finite):
            axes.set_ylim(bottom=0)  # from zero, where that wastes little room
    if plot.reference is not None:
        level, name = plot.reference
        axes.axhline(level, color=_INK, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
        axes.annotate(
            f"{name} ({percent(level)})", (1, level), xycoords=("axes fraction", "data"),
            xytext=(0, 4), textcoords="offset points", ha="right", fontsize=9.5, color=_INK,
        )  # fmt: skip


def _thinned(line: Line) -> Line:
    """At most ``MOST_POINTS`` points, each the mean of the finite values of its stretch (NaN without any)."""
    total = len(line.values)
    if total <= MOST_POINTS:
        return line
    edges = [round(step * total / MOST_POINTS) for step in range(MOST_POINTS + 1)]
    images, values = [], []
    for start, stop in pairwise(edges):
        finite = [value for value in line.values[start:stop] if math.isfinite(value)]
        images.append(line.images[stop - 1])
        values.append(sum(finite) / len(finite) if finite else math.nan)
    return Line(line.name, images, values)


def _running_mean(values: Sequence[float]) -> list[float]:
    """Centred mean over a twentieth of the curve; NaN stays NaN so that gaps stay visible."""
    reach = max(1, len(values) // 40)
    means = []
    for index, value in enumerate(values):
        near = [item for item in values[max(0, index - reach) : index + reach + 1] if math.isfinite(item)]
        means.append(sum(near) / len(near) if math.isfinite(value) else math.nan)
    return means


def _stands_alone(values: Sequence[float], index: int) -> bool:
    if not math.isfinite(values[index]):
        return False
    neighbours = (*values[max(0, index - 1) : index], *values[index + 1 : index + 2])
    return not any(math.isfinite(value) for value in neighbours)


def _inline(svg: str, key: str) -> str:
    """An SVG file as an element of the page: no prologue, no global style, own ids, the page's colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    head, body = svg.split(">", 1)
    view = re.search(r'viewBox="[^"]*"', head)
    body = re.sub(r'\bid="([^"]*)"', rf'id="{key}-\1"', body)
    body = re.sub(r'href="#', f'href="#{key}-', body)
    body = re.sub(r"url\(#", f"url(#{key}-", body)
    body = re.sub(r" font-family: [^;\"]*;?", "", body)
    body = re.sub(r"\n\s*", "\n", body)
    for code, variable in _VARIABLES.items():
        body = body.replace(code, f"var({variable})")
    return f'<svg {view.group() if view else ""} aria-hidden="true" focusable="false">{body}'.strip()
