"""Train every row of a study over several seeds and compare them: tables, pages and sheets.

    python benchmarks/study.py STUDY.toml --runs FOLDER --results docs/results --pictures docs/pictures
    python benchmarks/study.py STUDY.toml --runs FOLDER --only base --only l1      train these rows, compare nothing

A study names a recipe, settings for all rows, settings for each, and tables of rows. Finished runs are skipped and
stopped ones go on when the command is given again. Each table is written as NAME-TABLE.json and .md into --results and
as NAME-TABLE.png into --pictures, by the same code as `ganvas compare`.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganvas.config import load_recipe
from ganvas.report.compare import compare, write_comparison
from ganvas.training.run import TrainingRun

SHOWN = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--data", help="pairs to train on; default: the recipe's")
    parser.add_argument("--only", action="append", help="train this row only, and compare nothing; repeatable")
    parser.add_argument("--results", type=Path)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    study = tomllib.loads(options.study.read_text("utf-8"))
    train(study, options.runs, options.data, options.only or list(study["rows"]))
    if options.only:
        return
    for name, rows in study["tables"].items():
        write_table(study, f"{options.study.stem}-{name}", rows, options)


def train(study: dict[str, Any], runs: Path, data: str | None, rows: list[str]) -> None:
    """Every row once before the second seed begins, so that an unfinished study is a balanced one."""
    for seed in range(study["seeds"]):
        for row in rows:
            settings = [*study["set"], *study["rows"][row], f"train.seed={seed}"]
            if data:
                settings.append(f"data.path='{Path(data).resolve()}'")
            run = TrainingRun(load_recipe(study["recipe"], settings), runs / f"{row}-{seed}", device="cpu")
            if not run.complete:
                run.finish()
            print(f"{row}, seed {seed}: {run.stats[-1]['seconds']:.0f} s, {run.stats[-1]['losses']}", flush=True)


def write_table(study: dict[str, Any], name: str, rows: dict[str, str], options: argparse.Namespace) -> None:
    """Compare a table's rows under the names that people read."""
    titles = {
        str(options.runs / f"{row}-{seed}"): title for row, title in rows.items() for seed in range(study["seeds"])
    }
    command = f"python benchmarks/study.py {options.study.as_posix()} --runs {options.runs.as_posix()}"
    compared = replace(compare(list(titles), titles=titles, data=options.data, pictures=SHOWN), command=command)
    with tempfile.TemporaryDirectory() as folder:
        written = {path.suffix: path for path in write_comparison(compared, Path(folder) / f"{name}.html")}
        for target, endings in ((options.results, (".json", ".md")), (options.pictures, (".png",))):
            if target is not None:
                target.mkdir(parents=True, exist_ok=True)
                for ending in endings:
                    shutil.copy(written[ending], target / f"{name}{ending}")
        print(written[".md"].read_text("utf-8"))


if __name__ == "__main__":
    main()
