"""Our recipe and the classic one after the same time on the same machine, side by side.

    python benchmarks/against_classic.py sketch2color --images 20_000 --runs runs/against-sketch2color \\
        --json docs/results/against-classic-sketch2color.json
    python benchmarks/against_classic.py labels2street --data CAMVID --segmenter runs/street-segmenter \\
        --runs runs/against-labels2street --images 16_000 --json docs/results/against-classic-labels2street.json

Both train at once, each with half as many threads as there are cores, so that whatever else the machine does meets
both. Ours ends with its schedule after --images; the classic one, whose rate is constant, is stopped when it has had as
many seconds. The same command goes on where it was stopped. Then `ganvas evaluate` measures both on the held-out pairs,
and as in `ganvas compare` a difference on the same pictures is told from chance.

The classic recipes do not average their weights, so that a run's figures depend on the moment at which it was stopped.
With --looks N a copy of the classic run goes on N - 1 times for at least 100 pictures more and is measured each time:
its figures are then means over the looks, and its intervals those over looks and pictures.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from _contestant import machine, write_json
from ganvas.data.pairs import open_pairs
from ganvas.metrics.intervals import LEVEL
from ganvas.metrics.translation import measure_targets
from ganvas.report.compare import compare
from ganvas.report.compared import Row, Score, Values, scored
from ganvas.report.entries import pair_settings, read_entries

GANVAS = [sys.executable, "-m", "ganvas"]
POLL_SECONDS = 0.5
TICK_IMAGES = 100
# What the table of the looks shows, where a task has it.
SWINGING = ("l1", "psnr", "ms_ssim_4", "colour_distance", "chroma", "sliced_wasserstein", "pixel_accuracy", "mean_iou")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", help="a recipe that has a -classic sister")
    parser.add_argument("--images", default="20_000", help="that ours sees")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--data", default="", help="pairs; default: the recipe's")
    parser.add_argument("--segmenter", default="", help="judge of street photos")
    parser.add_argument(
        "--set", dest="settings", action="append", default=[], metavar="KEY=VALUE", help="of ours alone"
    )
    parser.add_argument("--looks", type=int, default=1, help="at classic, each after some more pictures; default: 1")
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    data = ["--data", options.data] if options.data else []
    ours, classic = options.runs / "ours", options.runs / "classic"
    # Short ticks, as the seconds a run has had are known to a tick.
    common = ["--set", f"data.size={options.size}", "--set", f"train.tick_images={TICK_IMAGES}", *data]
    settings = [f"train.total_images={options.images}", *options.settings]
    ours_command = ["train", options.recipe, *common, *(word for setting in settings for word in ("--set", setting))]
    classic_command = ["train", f"{options.recipe}-classic", *common]
    train_both(ours_command, ours, classic_command, classic)
    judge = ["--segmenter", options.segmenter] if options.segmenter else []
    mine = measure(ours, data + judge)
    others, values = [], []
    for look in looked_at(classic, classic_command, options.looks):
        others.append(measure(look, data + judge))
        values.append(by_picture(look, options.data or None))
    compared = on_the_same_pictures(ours, values, options.data or None)
    result = {
        "recipe": options.recipe,
        "size": options.size,
        "settings": options.settings,
        "machine": machine(),
        "protocol": mine["protocol"],
        "not_surely_behind": {
            name: [run for run, score in zip(("ours", "classic"), scores, strict=True) if score.best]
            for name, scores in compared.items()
        },
        "runs": {
            "ours": {
                "seconds": seconds(ours),
                "images_seen": mine["images_seen"],
                "metrics": mine["metrics"],
            },
            "classic": {
                "seconds": seconds(classic),
                "images_seen": others[0]["images_seen"],
                "looks": [
                    {
                        "images_seen": look["images_seen"],
                        "metrics": {
                            name: [metric[key] for key in ("value", "low", "high")]
                            for name, metric in look["metrics"].items()
                        },
                    }
                    for look in others
                ],
                "metrics": over_looks(
                    [look["metrics"] for look in others], {name: classic for name, (_, classic) in compared.items()}
                ),
            },
        },
    }
    print(table(result))
    if options.json:
        write_json(options.json, result)


def train_both(ours_command: list[str], ours: Path, classic_command: list[str], classic: Path) -> None:
    """Train two runs at once, until the first is done and the second has had as much time.

    Raises:
        SystemExit: one of them failed, or the second ended by itself before it had had as much time.
    """
    commands = {ours: ours_command}
    if not done(ours) or seconds(classic) < seconds(ours):
        commands[classic] = classic_command
    ours.parent.mkdir(parents=True, exist_ok=True)
    trained: dict[Path, subprocess.Popen[bytes]] = {}
    try:
        for run, command in commands.items():
            trained[run] = begun([*GANVAS, *command, "--out", str(run)], run)
        while any(process.poll() is None for process in trained.values()):
            time.sleep(POLL_SECONDS)
            for run, process in trained.items():
                if process.poll() not in (None, 0):
                    sys.exit(f"{run} ended with {process.returncode}; see {run}.log")
            if trained[ours].poll() == 0 and seconds(classic) >= seconds(ours):
                break
    finally:
        # Once: a second request would end them with nothing saved.
        for process in trained.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in trained.values():
            process.wait()
    if seconds(classic) < seconds(ours):
        sys.exit(
            f"{classic} had seen all its images after {seconds(classic):.0f} seconds, {ours} took {seconds(ours):.0f}: "
            "give fewer --images"
        )


def begun(command: list[str], run: Path) -> subprocess.Popen[bytes]:
    """A training on half as many threads as there are cores, out of reach of the terminal's Ctrl-C."""
    environment = os.environ | {"OMP_NUM_THREADS": str(max(1, len(os.sched_getaffinity(0)) // 2))}
    with run.with_name(f"{run.name}.log").open("ab") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


def done(run: Path) -> bool:
    """Whether a run has seen all its images."""
    return (run / "stats.jsonl").exists() and last_record(run)["images"] >= last_record(run)["total_images"]


def seconds(run: Path) -> float:
    """How long a run has trained, over all its stretches."""
    return float(last_record(run)["seconds"]) if (run / "stats.jsonl").exists() else 0.0


def last_record(run: Path) -> dict[str, Any]:
    """The last whole line of a run's record."""
    lines = (run / "stats.jsonl").read_text("utf-8").split("\n")
    record: dict[str, Any] = (
        json.loads(lines[-2]) if len(lines) > 1 else {"seconds": 0.0, "images": 0, "total_images": 1}
    )
    return record


def measure(run: Path, options: list[str]) -> dict[str, Any]:
    """What `ganvas evaluate` says of a run."""
    command = [*GANVAS, "evaluate", str(run), "--json", *options]
    result: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return result


def looked_at(classic: Path, command: list[str], looks: int) -> Iterator[Path]:
    """The run, and a copy of it each time that this has seen some more pictures."""
    yield classic
    if looks == 1:
        return
    with tempfile.TemporaryDirectory(dir=classic.parent) as folder:
        copy = Path(folder, classic.name)
        shutil.copytree(classic, copy)
        for _ in range(looks - 1):
            train_on(command, copy)
            yield copy


def train_on(command: list[str], run: Path) -> None:
    """Let a run see at least ``TICK_IMAGES`` pictures more.

    Raises:
        SystemExit: it failed, or had no more to see.
    """
    before = last_record(run)["images"]
    process = begun([*GANVAS, *command, "--out", str(run)], run)
    try:
        while process.poll() is None and last_record(run)["images"] < before + TICK_IMAGES:
            time.sleep(POLL_SECONDS)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait()
    if last_record(run)["images"] < before + TICK_IMAGES:
        sys.exit(f"{run} saw no {TICK_IMAGES} pictures more; see {run}.log")


def by_picture(run: Path, data: str | None) -> dict[str, Values]:
    """A run's values (1, pictures) by metric on the held-out pairs."""
    return compare([str(run)], data=data, pictures=1).rows[0].values


def on_the_same_pictures(
    ours: Path, looks: Sequence[dict[str, Values]], data: str | None
) -> dict[str, tuple[Score, Score]]:
    """By metric the scores of ours and of the looks at classic, whose interval is over looks and pictures."""
    (entry,) = read_entries([str(ours)], {})
    settings = pair_settings(entry, data)
    assert settings is not None
    mine = Row("ours", (entry,), by_picture(ours, data))
    classic = replace(mine, values={name: np.concatenate([look[name] for look in looks]) for name in looks[0]})
    scores, _ = scored([mine, classic], measure_targets(open_pairs(settings, "test")))
    return {name: (scores[0][name], scores[1][name]) for name in mine.values}


def over_looks(looks: Sequence[dict[str, Any]], compared: dict[str, Score]) -> dict[str, Any]:
    """The mean of each metric over looks, with its interval over looks and pictures where it is ``compared``.

    Of the metrics of whole sets there is the interval of each look, which is over pictures, and Student's over looks:
    as errors of two causes do, their half widths add up in squares.
    """
    found = {}
    for name, metric in looks[0].items():
        values, lows, highs = ([look[name][key] for look in looks] for key in ("value", "low", "high"))
        mean, low, high = float(np.mean(values)), None, None
        if name in compared:
            low, high = compared[name].low, compared[name].high
        elif None not in (*lows, *highs):
            over = stats.t.ppf((1 + LEVEL) / 2, len(looks) - 1) * stats.sem(values) if len(looks) > 1 else 0.0
            low = mean - float(np.hypot(over, mean - np.mean(lows)))
            high = mean + float(np.hypot(over, np.mean(highs) - mean))
        found[name] = metric | {"value": mean, "low": low, "high": high}
    return found


def table(result: dict[str, Any]) -> str:
    """The result as Markdown: who is ahead on the same pictures, or by intervals where a metric is of them all."""
    ours, classic = (result["runs"][name] for name in ("ours", "classic"))
    lines = [
        f"| {result['size']} pixels | {result['recipe']} | classic | truth | ahead |",
        "|---|---|---|---|---|",
        f"| training, minutes | {ours['seconds'] / 60:.1f} | {classic['seconds'] / 60:.1f} | | |",
        f"| images seen | {ours['images_seen']:,} | {_images_seen(classic)} | | |",
    ]
    for name, mine in ours["metrics"].items():
        other = classic["metrics"].get(name)
        if other is None:  # the diversity of one that has no dropout, say
            continue
        undefeated = result["not_surely_behind"].get(name)
        cells = [mine["title"], _cell(mine, mine), _cell(mine, other), _truth(mine), _ahead(mine, other, undefeated)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def looks(result: dict[str, Any]) -> str:
    """Each look at classic as Markdown, and ours."""
    ours, classic = (result["runs"][name] for name in ("ours", "classic"))
    shown = {name: ours["metrics"][name] for name in SWINGING if name in ours["metrics"]}
    lines = ["| | images seen | " + " | ".join(metric["title"] for metric in shown.values()) + " |"]
    lines.append("|---" * (len(shown) + 2) + "|")
    rows = [("classic", look["images_seen"], look["metrics"]) for look in classic["looks"]]
    rows.append((result["recipe"], ours["images_seen"], {name: [metric["value"]] for name, metric in shown.items()}))
    for run, seen, values in rows:
        cells = [f"{values[name][0]:.{metric['decimals']}f}" for name, metric in shown.items()]
        lines.append("| " + " | ".join([run, f"{seen:,}", *cells]) + " |")
    return "\n".join(lines)


def _images_seen(run: dict[str, Any]) -> str:
    first, last = run["images_seen"], run.get("looks", [run])[-1]["images_seen"]
    return f"{first:,}" if first == last else f"{first:,} to {last:,}, {len(run['looks'])} looks"


def _cell(metric: dict[str, Any], values: dict[str, Any]) -> str:
    places, low, high = metric["decimals"], values["low"], values["high"]
    return f"{values['value']:.{places}f}" + ("" if low is None else f" ({low:.{places}f} to {high:.{places}f})")


def _truth(metric: dict[str, Any]) -> str:
    return "" if metric["real"] is None else f"{metric['real']['value']:.{metric['decimals']}f}"


def _ahead(mine: dict[str, Any], other: dict[str, Any], undefeated: list[str] | None = None) -> str:
    """Whose value is better; in brackets where chance may have decided.

    That is where `ganvas compare` found the two ``undefeated``, or, of what it does not measure, where the intervals
    meet. What is better when nearer to the truth is compared by its distance from there, on whichever side it lies.
    """
    if mine["better"] not in ("lower", "higher", "truth"):
        return ""
    truth = mine["real"]["value"] if mine["better"] == "truth" else None
    (ours, low, high), (classic, other_low, other_high) = (
        _costs(values, mine["better"], truth) for values in (mine, other)
    )
    who = "ours" if ours < classic else "classic"
    if undefeated is not None:
        return undefeated[0] if len(undefeated) == 1 else f"({who})"
    if low is None or high is None or other_low is None or other_high is None:
        return f"({who})"
    return who if low > other_high or other_low > high else f"({who})"


def _costs(values: dict[str, Any], better: str, truth: float | None) -> tuple[float, float | None, float | None]:
    """A value and the ends of its interval, turned so that less is better."""
    value, low, high = values["value"], values["low"], values["high"]
    if low is None:
        return (-value if better == "higher" else value if truth is None else abs(value - truth)), None, None
    if truth is not None:
        far = sorted((abs(low - truth), abs(high - truth)))
        return abs(value - truth), 0.0 if low <= truth <= high else far[0], far[1]
    return (-value, -high, -low) if better == "higher" else (value, low, high)


if __name__ == "__main__":
    main()
