"""Our recipe and the classic one after the same time on the same machine, side by side.

    python benchmarks/against_classic.py sketch2color --images 20_000 --runs runs/against-sketch2color \\
        --json docs/results/against-classic-sketch2color.json
    python benchmarks/against_classic.py labels2street --data CAMVID --segmenter runs/street-segmenter \\
        --runs runs/against-labels2street --images 16_000 --json docs/results/against-classic-labels2street.json

Both train at once, each with half as many threads as there are cores, so that whatever else the machine does meets
both. Ours ends with its schedule after --images; the classic one, whose rate is constant, is stopped when it has had as
many seconds. The same command goes on where it was stopped. Then `ganvas evaluate` measures both on the held-out pairs,
and `ganvas compare` says where a difference on the same pictures may be chance.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _contestant import machine, write_json

GANVAS = [sys.executable, "-m", "ganvas"]
LOOK_SECONDS = 0.5


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
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    data = ["--data", options.data] if options.data else []
    ours, classic = options.runs / "ours", options.runs / "classic"
    # Short ticks, as the seconds a run has had are known to a tick.
    common = ["--set", f"data.size={options.size}", "--set", "train.tick_images=100", *data]
    settings = [f"train.total_images={options.images}", *options.settings]
    ours_command = ["train", options.recipe, *common, *(word for setting in settings for word in ("--set", setting))]
    train_both(ours_command, ours, ["train", f"{options.recipe}-classic", *common], classic)
    judge = ["--segmenter", options.segmenter] if options.segmenter else []
    measured = {run.name: measure(run, data + judge) for run in (ours, classic)}
    result = {
        "recipe": options.recipe,
        "size": options.size,
        "settings": options.settings,
        "machine": machine(),
        "protocol": measured["ours"]["protocol"],
        "not_surely_behind": undefeated(ours, classic, data),
        "runs": {
            run.name: {
                "seconds": last_record(run)["seconds"],
                "images_seen": measured[run.name]["images_seen"],
                "metrics": measured[run.name]["metrics"],
            }
            for run in (ours, classic)
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
            time.sleep(LOOK_SECONDS)
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


def undefeated(ours: Path, classic: Path, data: list[str]) -> dict[str, list[str]]:
    """By metric, which of the two `ganvas compare` holds for the best: both, where their difference may be chance."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "compared.html")
        subprocess.run([*GANVAS, "compare", str(ours), str(classic), "--out", str(page), *data], check=True)
        compared = json.loads(page.with_suffix(".json").read_text("utf-8"))
    names = ("ours", "classic")
    return {
        metric: [name for name, row in zip(names, compared["rows"], strict=True) if row["scores"][metric]["best"]]
        for metric in compared["metrics"]
    }


def table(result: dict[str, Any]) -> str:
    """The result as Markdown: who is ahead on the same pictures, or by intervals where a metric is of them all."""
    ours, classic = (result["runs"][name] for name in ("ours", "classic"))
    lines = [
        f"| {result['size']} pixels | {result['recipe']} | classic | truth | ahead |",
        "|---|---|---|---|---|",
        f"| training, minutes | {ours['seconds'] / 60:.1f} | {classic['seconds'] / 60:.1f} | | |",
        f"| images seen | {ours['images_seen']:,} | {classic['images_seen']:,} | | |",
    ]
    for name, mine in ours["metrics"].items():
        other = classic["metrics"].get(name)
        if other is None:  # the diversity of one that has no dropout, say
            continue
        undefeated = result["not_surely_behind"].get(name)
        cells = [mine["title"], _cell(mine, mine), _cell(mine, other), _truth(mine), _ahead(mine, other, undefeated)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


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
