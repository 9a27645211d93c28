"""What exports cost: how far from PyTorch they draw, how large they are, and what weights of 16 and 8 bits change.

    python benchmarks/export_quality.py --data MNIST --json docs/results/export.json

Every shipped model below is exported in each precision and used as people use the file. Translations of the held-out
pairs are measured against the true pictures by the metrics of `ganvas evaluate`; a change is that of the same pictures,
so its interval is much narrower than that of the value. Digits are measured by `ganvas evaluate` itself, drawn of the
same noise in every precision. MNIST is a folder with its four IDX files; without it the embedded digits stand in. Pages
need the studio's page, which `make web` builds.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import ganvas
from _contestant import machine, write_json
from ganvas.config import TranslateRecipe, load_recipe
from ganvas.data.pairs import PairImages, open_pairs
from ganvas.evaluation.protocol import evaluate
from ganvas.exporting import Exported
from ganvas.inference import Model
from ganvas.metrics.figures import figure_of_mean
from ganvas.metrics.pictures import METRICS
from ganvas.metrics.translation import Labels, Values, measure_translation
from ganvas.model_file import TranslateHeader
from ganvas.pictures import Pixels
from ganvas.report.entries import translator_of

MODELS = ("sketch2color", "digits-conv", "digits-cgan", "digits-gan")
PRECISIONS = ("fp32", "fp16", "int8")
OF_PICTURES = ("l1", "psnr", "ssim", "ms_ssim")  # the last by the number of scales that the size allows
OF_DIGITS = ("asked_accuracy", "asked_accuracy_worst_class", "digit_frechet")
SEEN = 8  # of 255 levels: what may be seen beside its neighbours


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="real digits: a folder with MNIST's four files; default: the embedded ones")
    parser.add_argument("--models", nargs="+", default=MODELS, help="shipped names; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    models = {}
    for name in options.models:
        models[name] = measured(name, options.data, options.seed)
        print(bits({"models": {name: models[name]}}), flush=True)
    result = {
        "command": shlex.join(["python", *sys.argv]).replace(options.data or "MNIST", "MNIST"),
        "machine": machine(),
        "versions": {package: version(package) for package in ("onnxruntime", "torch")},
        "models": models,
    }
    write_json(options.json, result)


def measured(name: str, data: str | None, seed: int) -> dict[str, Any]:
    """A model's exports: what the export told of each, and what each is worth."""
    with tempfile.TemporaryDirectory() as folder:
        exports = {
            precision: ganvas.export(name, Path(folder) / f"{precision}.onnx", precision=precision)
            for precision in PRECISIONS
        }
        header = Model(exports["fp32"].path).header
        if isinstance(header, TranslateHeader):
            quality = of_pictures(exports, header, seed) | {"page": pages(name, Path(folder))}
        else:
            quality = of_digits(exports, data, seed)
    exact = exports["fp32"]
    return {
        "random": exact.random.largest,
        "real": exact.real.largest,
        "real_input": exact.real_input,
        "files": {
            precision: {"bytes": done.bytes, "loss": done.loss and asdict(done.loss)}
            for precision, done in exports.items()
        },
        **quality,
    }


def of_pictures(exports: dict[str, Exported], header: TranslateHeader, seed: int) -> dict[str, Any]:
    """Metrics of every precision beside the true pictures, and by how much they are others than those of float32."""
    recipe = load_recipe(header.recipe, [f"data.size={header.size}"], of=TranslateRecipe)
    pairs = open_pairs(recipe.data, "test", side=header.size)
    values, drawn = {}, {}
    for precision, done in exports.items():
        values[precision], drawn[precision] = translated(done.path, pairs, header.size)
    metrics = {
        name: {
            "title": METRICS[name].title,
            "decimals": METRICS[name].decimals,
            "values": {precision: asdict(figure_of_mean(values[precision][name], seed)) for precision in exports},
            "changes": {
                precision: asdict(figure_of_mean(values[precision][name] - exact, seed)) for precision in exports
            },
        }
        for name, exact in values["fp32"].items()
        if name.startswith(OF_PICTURES)
    }
    levels = {precision: np.abs(drawn[precision].astype(int) - drawn["fp32"]) for precision in exports}
    return {
        "measured_on": f"{len(pairs):,} held-out pairs of {pairs.source}",
        "metrics": metrics,
        "seen": {precision: asdict(figure_of_mean(_shares_seen(found), seed)) for precision, found in levels.items()},
    }


def pages(name: str, folder: Path) -> dict[str, int]:
    """Bytes of a page with the model in every precision."""
    return {
        precision: ganvas.export(name, folder / precision, to="web", precision=precision).bytes
        for precision in PRECISIONS
    }


def translated(path: Path, pairs: PairImages, side: int) -> tuple[dict[str, Values], Pixels]:
    """Values (N,) by metric of the translations of all pairs, and the translations (N, S, S, C)."""
    translate = translator_of(Model(path), path.name, side)
    kept: list[Pixels] = []

    def keep(sources: Pixels, labels: Labels) -> Pixels:
        kept.append(translate(sources, labels))
        return kept[-1]

    return measure_translation(keep, pairs), np.concatenate(kept)


def _shares_seen(levels: Pixels) -> Values:
    """Of each picture (N, S, S, C) the share of pixels any channel of which differs by more than may be seen."""
    shares: Values = (levels.max(axis=3) > SEEN).mean(axis=(1, 2))
    return shares


def of_digits(exports: dict[str, Exported], data: str | None, seed: int) -> dict[str, Any]:
    """What `ganvas evaluate` finds of every precision."""
    found = {precision: evaluate(str(done.path), data=data, seed=seed) for precision, done in exports.items()}
    exact = found["fp32"]
    return {
        "measured_on": f"{exact.protocol.pictures:,} digits, beside {exact.protocol.source}",
        "metrics": {
            name: {
                "title": exact.metrics[name].title,
                "decimals": exact.metrics[name].decimals,
                "values": {precision: asdict(each.figures[name]) for precision, each in found.items()},
            }
            for name in OF_DIGITS
            if name in exact.figures
        },
    }


def agreement(result: dict[str, Any]) -> str:
    """How far onnxruntime is from PyTorch, as Markdown."""
    lines = ["| model | random input | real input | which is |", "|---|---:|---:|---|"]
    for name, model in result["models"].items():
        lines.append(f"| `{name}` | {model['random']:.1e} | {model['real']:.1e} | {model['real_input']} |")
    return "\n".join(
        [*lines, "", f"On {result['machine']['processor']}, onnxruntime {result['versions']['onnxruntime']}."]
    )


def bits(result: dict[str, Any]) -> str:
    """Sizes, and what the export prints of the loss, as Markdown."""
    lines = ["| model | precision | file | L1 | largest difference | PSNR |", "|---|---|---:|---:|---:|---:|"]
    for name, model in result["models"].items():
        for precision, file in model["files"].items():
            loss = file["loss"]
            cells = [f"{loss['mean']:.1e}", f"{loss['largest']:.1e}", f"{loss['psnr']:.1f} dB"] if loss else [""] * 3
            first = f"`{name}`" if precision == "fp32" else ""
            lines.append(_row(first, f"`{precision}`", f"{file['bytes'] / 1e6:.2f} MB", *cells))
    return "\n".join(lines)


def page(result: dict[str, Any]) -> str:
    """How large a page with one model is, as Markdown."""
    lines = [_row("a page with", *(f"`{precision}`" for precision in PRECISIONS)), "|---" + "|---:" * 3 + "|"]
    for name, model in result["models"].items():
        if "page" in model:
            lines.append(_row(f"`{name}`", *(f"{model['page'][each] / 1e6:.2f} MB" for each in PRECISIONS)))
    return "\n".join(lines)


def pictures(result: dict[str, Any]) -> str:
    """What models of pictures lose, as Markdown."""
    lines = []
    for name, model in result["models"].items():
        if "seen" not in model:
            continue
        lines += [_row(f"`{name}`", "`fp32`", "`fp16` changes it by", "`int8` changes it by"), "|---" * 4 + "|"]
        for metric in model["metrics"].values():
            exact = _cell(metric["values"]["fp32"], f".{metric['decimals']}f")
            changes = [_cell(metric["changes"][each], f"+z.{metric['decimals'] + 1}f") for each in PRECISIONS[1:]]
            lines.append(_row(metric["title"], exact, *changes))
        seen = [_cell(model["seen"][each], ".2%") for each in PRECISIONS[1:]]
        lines += [
            _row(f"pixels changed by more than {SEEN} of 255 levels", "", *seen),
            "",
            f"{model['measured_on']}.",
            "",
        ]
    return "\n".join(lines[:-1])


def digits(result: dict[str, Any]) -> str:
    """What models of digits lose, as Markdown."""
    models = {name: model for name, model in result["models"].items() if "seen" not in model}
    titles: dict[str, str] = {}
    for model in models.values():
        titles |= {key: metric["title"] for key, metric in model["metrics"].items()}
    lines = [_row("model", "precision", *titles.values()), "|---" * (2 + len(titles)) + "|"]
    for name, model in models.items():
        for precision in PRECISIONS:
            metrics = (model["metrics"].get(key) for key in titles)
            cells = [_cell(each["values"][precision], f".{each['decimals']}f") if each else "" for each in metrics]
            lines.append(_row(f"`{name}`" if precision == "fp32" else "", f"`{precision}`", *cells))
    on = {model["measured_on"] for model in models.values()}
    return "\n".join([*lines, "", f"{'; '.join(sorted(on))}."])


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(figure: dict[str, Any], form: str) -> str:
    value, low, high = (figure[key] for key in ("value", "low", "high"))
    return f"{value:{form}}" + ("" if low is None else f" ({low:{form}} to {high:{form}})")


if __name__ == "__main__":
    main()
