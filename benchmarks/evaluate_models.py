"""Every number of `ganvas evaluate` for several models, side by side, with the real pictures as the reference.

    python benchmarks/evaluate_models.py --data MNIST digits-conv runs/mine --json docs/results/digits-evaluated.json
    python benchmarks/evaluate_models.py --data CAMVID --segmenter runs/street-segmenter runs/mine runs/other

The models are of one task. MNIST is a folder with MNIST's four IDX files: 10,000 pictures are drawn for the labels of
its test digits and compared with those; in the real column 10,000 training digits take the place of drawn ones, or
1,000 test digits where training pictures are what is compared with. Of pairs, the held-out ones are translated
(docs/metrics.md).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from _contestant import write_json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="shipped names, run folders or .safetensors files")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--segmenter", default="", help="judge of street photos")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    common = ["--data", str(options.data), "--seed", str(options.seed)]
    common += ["--segmenter", options.segmenter] if options.segmenter else []
    result = {model: evaluated(model, common) for model in options.models}
    print(table(result))
    write_json(options.json, result)


def evaluated(model: str, options: list[str]) -> dict[str, Any]:
    """What `ganvas evaluate` says of a model: how it was measured, and its metrics."""
    command = [sys.executable, "-m", "ganvas", "evaluate", model, *options, "--json"]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    kept = ("pictures", "seed", "fingerprint", "split", "settings")
    return {
        "images_seen": found["images_seen"],
        "protocol": {name: found["protocol"][name] for name in kept},
        "metrics": found["metrics"],
    }


def table(result: dict[str, Any]) -> str:
    """A row for each metric; an empty cell is one that says nothing of the model."""
    real: dict[str, Any] = {}
    for each in result.values():
        real |= {name: metric for name, metric in each["metrics"].items() if name not in real}
    lines = ["| | " + " | ".join([*result, "real"]) + " |", "|---" * (len(result) + 2) + "|"]
    for name, metric in real.items():
        places = metric["decimals"]
        cells = [_cell(each["metrics"].get(name), places) for each in result.values()]
        lines.append("| " + " | ".join([metric["title"], *cells, _cell(metric["real"], places)]) + " |")
    return "\n".join(lines)


def _cell(value: dict[str, Any] | None, places: int) -> str:
    if value is None:
        return ""
    interval = "" if value["low"] is None else f" ({value['low']:.{places}f} to {value['high']:.{places}f})"
    return f"{value['value']:.{places}f}{interval}"


if __name__ == "__main__":
    main()
