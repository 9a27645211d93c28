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
its figures are then means over the looks, and intervals are over looks and pictures. What another run of either would
come to is not in them. Each call takes its looks anew.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from _contestant import machine, write_json
from ganvas.data.pairs import open_pairs
from ganvas.metrics.intervals import LEVEL, ends, resampled_means
from ganvas.metrics.pictures import METRICS
from ganvas.metrics.translation import measure_targets
from ganvas.report.compare import compare
from ganvas.report.compared import cost
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
    if options.looks < 1:
        parser.error(f"--looks: expected a whole number from 1, found {options.looks}")
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
    others = [measure(look, data + judge) for look in looked_at(classic, classic_command, options.looks)]
    pictures = over_pictures(ours, classic, options.data or None)
    result = {
        "recipe": options.recipe,
        "size": options.size,
        "settings": options.settings,
        "machine": machine(),
        "protocol": mine["protocol"],
        **verdicts(mine["metrics"], [look["metrics"] for look in others], pictures),
        "runs": {
            "ours": {"seconds": seconds(ours), "images_seen": mine["images_seen"], "metrics": mine["metrics"]},
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
                "metrics": over_looks([look["metrics"] for look in others]),
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
    copy = classic.with_name(f"{classic.name}-going-on")
    shutil.rmtree(copy, ignore_errors=True)
    try:
        if looks > 1:
            shutil.copytree(classic, copy)
        for _ in range(looks - 1):
            train_on(command, copy)
            yield copy
    finally:
        shutil.rmtree(copy, ignore_errors=True)


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
    if process.returncode not in (0, 130) or last_record(run)["images"] < before + TICK_IMAGES:
        sys.exit(f"{run} saw no {TICK_IMAGES} pictures more, or was not saved; see {run}.log")


def over_pictures(ours: Path, classic: Path, data: str | None) -> dict[str, tuple[float, float]]:
    """By metric, the interval over pictures of how much better ours is than classic, on the same held-out pairs."""
    mine, other = compare([str(ours), str(classic)], data=data, pictures=1).rows
    (entry,) = read_entries([str(ours)], {})
    settings = pair_settings(entry, data)
    assert settings is not None
    truth = measure_targets(open_pairs(settings, "test"))
    found = {}
    for name, values in mine.values.items():
        means = [resampled_means(each) for each in (other.values[name], values)]
        aim = resampled_means(truth[name]) if name in truth else means[0] * 0
        classics, own = (cost(METRICS[name], each, aim) for each in means)
        found[name] = ends(classics - own)
    return found


def verdicts(
    ours: dict[str, Any], looks: Sequence[dict[str, Any]], pictures: Mapping[str, tuple[float, float]]
) -> dict[str, dict[str, list[str]]]:
    """By metric on the same pictures, which of the two is not surely behind: over all looks, and at the first one."""
    found: dict[str, dict[str, list[str]]] = {"not_surely_behind": {}, "not_surely_behind_at_first": {}}
    for name, interval in pictures.items():
        real = ours[name]["real"]
        aim = real["value"] if real else 0.0
        mine, *others = (cost(METRICS[name], metrics[name]["value"], aim) for metrics in (ours, *looks))
        ahead = [other - mine for other in others]
        found["not_surely_behind"][name] = undefeated(ahead, interval)
        found["not_surely_behind_at_first"][name] = undefeated(ahead[:1], interval)
    return found


def undefeated(ahead: Sequence[float], pictures: tuple[float, float]) -> list[str]:
    """Which of the two is not surely behind.

    Args:
        ahead: how much better ours is than each look at classic.
        pictures: the interval over pictures of the first of these.
    """
    low, high = _over_both(ahead, ahead[0] - pictures[0], pictures[1] - ahead[0])
    return ["ours"] if low > 0 else ["classic"] if high < 0 else ["ours", "classic"]


def over_looks(looks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The mean of each metric over looks, with its interval over looks and pictures."""
    found = {}
    for name, metric in looks[0].items():
        values, lows, highs = ([look[name][key] for look in looks] for key in ("value", "low", "high"))
        mean, low, high = float(np.mean(values)), None, None
        if None not in (*lows, *highs):
            low, high = _over_both(values, mean - float(np.mean(lows)), float(np.mean(highs)) - mean)
        found[name] = metric | {"value": mean, "low": low, "high": high}
    return found


def _over_both(values: Sequence[float], below: float, above: float) -> tuple[float, float]:
    """The interval of a mean of looks: half widths over these, by Student, and over pictures add up in squares."""
    over = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * stats.sem(values) if len(values) > 1 else 0.0
    return float(np.mean(values) - np.hypot(over, below)), float(np.mean(values) + np.hypot(over, above))


def table(result: dict[str, Any]) -> str:
    """The result as Markdown: who is ahead on the same pictures, or by intervals where a metric is of them all."""
    ours, classic = (result["runs"][name] for name in ("ours", "classic"))
    lines = [
        f"| {result['size']} pixels | {result['recipe']} | classic | truth | ahead |",
        "|---|---|---|---|---|",
        f"| training, minutes | {ours['seconds'] / 60:.1f} | {_minutes(classic)} | | |",
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


def _minutes(run: dict[str, Any]) -> str:
    return f"{run['seconds'] / 60:.1f}" + (" by the first look" if len(run.get("looks", [])) > 1 else "")


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

    That is where the two are ``undefeated`` on the same pictures, or, of the metrics of whole sets, where the intervals
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
