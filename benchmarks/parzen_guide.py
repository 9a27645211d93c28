"""What the Parzen-window log-likelihood rewards: real digits as they are, and made less real on purpose.

    python benchmarks/parzen_guide.py --data MNIST --json docs/results/parzen-guide.json

1,000 training digits a class take the place of drawn ones: untouched, each averaged with the training digit nearest to
it, some of them averaged with their nearest four (averaged_digits.py), and blurred. Measured by the metrics of
`ganvas evaluate`, sigma chosen by 1,000 other training digits.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from _contestant import write_json
from averaged_digits import SHARE, partly_averaged
from ganvas.data.idx import read_idx_folder
from ganvas.metrics.digit_classifier import load_digit_classifier
from ganvas.metrics.manifolds import neighbourhoods, squared_distances
from ganvas.metrics.parzen import SAMPLES_A_CLASS, parzen_figure

HELD_OUT = 1_000
BLUR = (0.1, 0.8, 0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = measured(options.data, options.seed)
    print(table(result))
    write_json(options.json, result)


@torch.inference_mode()
def measured(data: Path, seed: int) -> dict[str, Any]:
    train, test = (read_idx_folder(data, split) for split in ("train", "test"))
    order = np.random.default_rng(seed).permutation(len(train))
    held_out, rest = order[:HELD_OUT], order[HELD_OUT:]
    chosen = np.concatenate([rest[train.labels[rest] == label][:SAMPLES_A_CLASS] for label in range(10)])
    digits = torch.from_numpy(np.moveaxis(train.images, -1, 1))
    real = digits[chosen]
    rows = {
        "real digits": real,
        "each averaged with its nearest": _averaged(digits, chosen, rest),
        f"{SHARE:.0%} averaged with their nearest four": _partly_averaged(digits, train.labels, chosen, rest, seed),
        f"each blurred by {BLUR[0]:g}, {BLUR[1]:g}, {BLUR[2]:g} both ways": _blurred(real),
    }
    test_digits = torch.from_numpy(np.moveaxis(test.images, -1, 1))
    classifier = load_digit_classifier()
    features = classifier.logits_and_features(_scaled(test_digits))[1]
    found = {}
    for name, pictures in rows.items():
        logits, drawn = classifier.logits_and_features(_scaled(pictures))
        density, _ = parzen_figure(pictures, digits[held_out], test_digits, seed)
        figures = {"coverage": neighbourhoods(drawn, features).figures(seed)["coverage"], "parzen": density}
        met = (logits.argmax(1).numpy() == train.labels[chosen]).mean()
        found[name] = {"class_met": float(met)} | {
            key: [figure.value, figure.low, figure.high] for key, figure in figures.items()
        }
    return {"seed": seed, "rows": found}


def _averaged(digits: Tensor, chosen: np.ndarray, among: np.ndarray) -> Tensor:
    """Each of the chosen with the nearest other one of ``among``, rounded: (N, 1, S, S) uint8."""
    flat = digits.flatten(1).float()
    others = flat[among]
    nearest = []
    for part in np.array_split(chosen, 20):
        distances = squared_distances(flat[part], others)
        distances[torch.from_numpy(part[:, None] == among)] = torch.inf
        nearest.append(among[distances.argmin(1).numpy()])
    return ((digits[chosen].float() + digits[np.concatenate(nearest)].float()) / 2).round().byte()


def _partly_averaged(digits: Tensor, labels: np.ndarray, chosen: np.ndarray, among: np.ndarray, seed: int) -> Tensor:
    changed = torch.empty_like(digits)
    changed[among] = partly_averaged(digits[among], torch.from_numpy(labels[among]), SHARE, seed)
    return changed[chosen]


def _blurred(digits: Tensor) -> Tensor:
    along = ndimage.correlate1d(digits.numpy().astype(float), BLUR, axis=-1, mode="constant")
    return torch.from_numpy(ndimage.correlate1d(along, BLUR, axis=-2, mode="constant").round().astype(np.uint8))


def _scaled(digits: Tensor) -> Tensor:
    return digits.float() / 127.5 - 1


def table(result: dict[str, Any]) -> str:
    """Intervals are 95% bootstraps, as in `ganvas evaluate`."""
    lines = ["| 10,000 digits | class met | coverage | Parzen log-likelihood |", "|---|---|---|---|"]
    for name, values in result["rows"].items():
        cells = [f"{values['class_met']:.3f}"]
        for key, form in (("coverage", ".3f"), ("parzen", ".1f")):
            mean, low, high = values[key]
            cells.append(f"{mean:{form}} ({low:{form}} to {high:{form}})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
