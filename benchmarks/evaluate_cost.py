"""How long `ganvas evaluate` takes as a whole command, and how much memory, by the number of pictures.

    python benchmarks/evaluate_cost.py --data MNIST --out docs/results/evaluate-cost.json

MNIST is a folder with MNIST's four files, on which the shipped `digits-conv` is measured. Pictures: the recipe
`sketch2color` at 256 pixels on the training emoji, of which there are enough (extra `emoji`), with untrained weights,
which cost as much as trained ones; `--model` takes a run folder instead. Every command is a process of its own with the
machine to itself; seconds are those of the wall from its start to its end, the start of Python and the reading of the
data included, and of several rounds the median is told. Memory is the most that the process ever held. Pictures are
prepared before.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _contestant import machine, write_json

GANVAS = [sys.executable, "-m", "ganvas"]
# A process holds at least what the one that started it held, so a small one does.
LAUNCH = """
import json, resource, subprocess, sys, time
begun = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
seconds = time.perf_counter() - begun
used = resource.getrusage(resource.RUSAGE_CHILDREN)
peak = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
told = {"seconds": seconds, "cpu_seconds": used.ru_utime + used.ru_stime, "peak_mb": peak}
measured = 0 if done.returncode else json.loads(done.stdout)["protocol"]["pictures"]
print(json.dumps(told | {"measured": measured, "failed": done.stderr if done.returncode else ""}))
"""
# A run folder as `ganvas train` leaves it, but for what training would have taught.
UNTRAINED = """
import sys
from pathlib import Path
import torch
from ganvas import __version__
from ganvas.config import TranslateRecipe, load_recipe, to_toml
from ganvas.data.pairs import open_pairs
from ganvas.model_file import TrainingData, TranslateHeader, save_model
folder, side = Path(sys.argv[1]), int(sys.argv[2])
recipe = load_recipe("sketch2color", [f"data.size={side}"], of=TranslateRecipe)
data = open_pairs(recipe.data, "test")
torch.manual_seed(0)
header = TranslateHeader(
    ganvas_version=__version__,
    recipe=recipe.name,
    generator=recipe.generator,
    size=side,
    source=data.source_preparation,
    target=data.target_preparation,
    hints=recipe.hints.enabled,
    data=TrainingData(source=data.source, fingerprint=data.fingerprint, licence=data.licence),
    images_seen=0,
)
save_model(folder / "model.safetensors", header.build(), header)
(folder / "recipe.toml").write_text(to_toml(recipe))
"""


def measure(command: list[str], count: int, rounds: int) -> dict[str, Any]:
    """Run `ganvas evaluate` on ``count`` pictures so many times, one after the other, and return what each took.

    Raises:
        SystemExit: the command failed, or measured another number of pictures, as there are fewer.
    """
    command = [*GANVAS, "evaluate", *command, "--json", "--count", str(count)]
    found = []
    for _ in range(rounds):
        launched = subprocess.run(
            [sys.executable, "-c", LAUNCH, *command], stdout=subprocess.PIPE, check=True, text=True
        )
        found.append(json.loads(launched.stdout))
        if found[-1]["failed"]:
            raise SystemExit(f"{' '.join(command)} failed: {found[-1]['failed']}")
        if found[-1]["measured"] != count:
            raise SystemExit(f"{' '.join(command)} measured {found[-1]['measured']:,} pictures, not {count:,}")
    return {
        "seconds": round(statistics.median(each["seconds"] for each in found), 2),
        "all_seconds": [round(each["seconds"], 2) for each in found],
        "cpu_seconds": round(statistics.median(each["cpu_seconds"] for each in found), 2),
        "peak_mb": round(max(each["peak_mb"] for each in found), 1),
    }


def rows(kind: str, model: list[str], counts: list[int], rounds: int) -> list[dict[str, Any]]:
    """A row for each number of pictures, printed as soon as it is there."""
    found = []
    for count in counts:
        row = {"kind": kind, "pictures": count} | measure(model, count, rounds)
        print(f"{kind:<8} {count:>6,}  {row['seconds']:>7.1f} s  {row['peak_mb']:>7,.0f} MB", flush=True)
        found.append(row)
    return found


def table(result: dict[str, Any]) -> str:
    """The rows as Markdown, and what they were measured on."""
    lines = ["| pictures | seconds | of the processors | peak MB |", "|---|---:|---:|---:|"]
    kinds = {"digits": "digits", "pictures": f"pictures of {result['side']} pixels" if result["side"] else "pictures"}
    for row in result["rows"]:
        name = f"{row['pictures']:,} {kinds[row['kind']]}"
        lines.append(f"| {name} | {row['seconds']:.1f} | {row['cpu_seconds']:.1f} | {row['peak_mb']:.0f} |")
    on = result["machine"]
    return "\n".join([*lines, "", f"{on['processor']}, {on['cores']} cores; medians of {result['rounds']} rounds."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder with MNIST's four files; without it no digits are measured")
    parser.add_argument("--digits", type=int, nargs="*", default=[2_500, 5_000, 10_000], help="how many to draw")
    parser.add_argument("--pictures", type=int, nargs="*", default=[100, 200, 400], help="how many to translate")
    parser.add_argument("--side", type=int, default=256, help="of the untrained one's pictures in pixels")
    parser.add_argument("--model", type=Path, help="run folder of a translator in the place of the untrained one")
    parser.add_argument("--rounds", type=int, default=3, help="of each command")
    parser.add_argument("--out", type=Path, help="also write the figures as JSON")
    arguments = parser.parse_args()

    found: list[dict[str, Any]] = []
    if arguments.data is not None:
        digits = ["digits-conv", "--data", str(arguments.data)]
        found += rows("digits", digits, arguments.digits, arguments.rounds)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.pictures and arguments.model is None:
            subprocess.run([sys.executable, "-c", UNTRAINED, folder, str(arguments.side)], check=True)
        model = Path(folder) if arguments.model is None else arguments.model
        found += rows("pictures", [str(model), "--split", "train"], arguments.pictures, arguments.rounds)
    result = {
        "command": shlex.join(["python", *sys.argv]),
        "machine": machine(),
        "rounds": arguments.rounds,
        "side": arguments.side if arguments.model is None else None,
        "trained": arguments.model is not None,
        "rows": found,
    }
    write_json(arguments.out, result)


if __name__ == "__main__":
    main()
