"""How far the course's two models were from real digits while they trained, from what their runs wrote down.

python benchmarks/course_history.py runs/digits-gan runs/digits-cgan-course --json docs/results/course-history.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ganvas.training.folder import read_environment
from ganvas.training.stats import read_stats

EPOCHS = (10, 50, 100, 150, 200, 250, 300, 350, 400, 450, 500)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = {run.name: history(run) for run in options.runs}
    print(table(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def history(run: Path) -> list[dict[str, float]]:
    """``epoch`` and ``digit_frechet`` at every measurement of a run."""
    images = read_environment(run)["data"]["images"]
    return [
        {"epoch": tick["images"] / images, "digit_frechet": tick["metrics"]["digit_frechet"]}
        for tick in read_stats(run / "stats.jsonl")
        if "digit_frechet" in tick["metrics"]
    ]


def table(result: dict[str, Any]) -> str:
    """The measurement nearest to each epoch, and the best one, as Markdown."""
    lines = [f"| epoch | {' | '.join(map(str, EPOCHS))} | best |", "|---|" + "---|" * (len(EPOCHS) + 1)]
    for name, points in result.items():
        cells = []
        for epoch in EPOCHS:
            near = min(points, key=lambda point: abs(point["epoch"] - epoch))
            cells.append(f"{near['digit_frechet']:.1f}" if abs(near["epoch"] - epoch) < 5 else "")
        best = min(points, key=lambda point: point["digit_frechet"])
        lines.append(f"| {name} | {' | '.join(cells)} | {best['digit_frechet']:.1f} at {best['epoch']:.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
