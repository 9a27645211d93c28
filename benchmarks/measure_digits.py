"""Measure digit models: 10,000 drawn pictures, read by the shipped classifier, against the 10,000 test digits.

    python benchmarks/measure_digits.py --data FOLDER digits-cgan runs/mine

FOLDER holds MNIST's four IDX files. Asked accuracy is over 1,000 pictures a class. `digit_frechet` is the Fréchet
distance on the classifier's 128 features, of 10,000 pictures drawn for the labels of the test digits: with as many of
each class as there are, since the mix of classes alone moves the distance. The first row is the reference: the first
10,000 training digits instead of drawn ones.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganvas.data.labelled import open_labelled
from ganvas.inference import Model
from ganvas.metrics.asked import accuracy_from_logits
from ganvas.metrics.digit_classifier import FEATURES, DigitClassifier, load_digit_classifier
from ganvas.metrics.distances import FeatureStatistics, frechet_distance

COUNT = 10_000


@dataclass(frozen=True)
class Measured:
    """What is quoted of a model: shares in [0, 1] and a distance; accuracies are None without a label."""

    asked_accuracy: float | None
    asked_accuracy_worst_class: float | None
    per_class: tuple[float | None, ...]
    digit_frechet: float


class DigitJudge:
    """The classifier, and the test digits' statistics it compares with."""

    def __init__(self, data: Path) -> None:
        self.classifier: DigitClassifier = load_digit_classifier()
        test = open_labelled(data, size=28, channels=1, split="test")
        self._test_labels = [int(label) for label in test.labels]
        self._test = self._statistics(test.images)
        self._train = open_labelled(data, size=28, channels=1, split="train")

    def reference(self) -> Measured:
        """Real training digits in the place of drawn ones."""
        images, labels = self._train.images[:COUNT], self._train.labels[:COUNT]
        return self._measured(images, images, labels)

    def model(self, model: Model, seed: int = 0) -> Measured:
        """Pictures of every class in turn for the accuracy, and for the test digits' labels for the distance."""
        if not model.class_names:
            return self._measured(drawn(model, None, seed), None, None)
        in_turn = np.arange(COUNT) % len(model.class_names)
        asked = drawn(model, [int(label) for label in in_turn], seed)
        return self._measured(drawn(model, self._test_labels, seed), asked, in_turn)

    def _measured(self, like_test: np.ndarray, asked: np.ndarray | None, labels: np.ndarray | None) -> Measured:
        distance = frechet_distance(self._statistics(like_test), self._test)
        if asked is None or labels is None:
            return Measured(None, None, (), distance)
        accuracy = accuracy_from_logits(self._read(asked)[0], torch.from_numpy(labels))
        return Measured(accuracy.overall, accuracy.worst, accuracy.per_class, distance)

    def _statistics(self, images: np.ndarray) -> FeatureStatistics:
        statistics = FeatureStatistics(FEATURES)
        statistics.update(self._read(images)[1])
        return statistics

    def _read(self, images: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        pictures = torch.from_numpy(np.ascontiguousarray(images[..., 0]))[:, None].float() / 127.5 - 1
        return self.classifier.logits_and_features(pictures)


def drawn(model: Model, labels: list[int] | None, seed: int) -> np.ndarray:
    """10,000 pictures (N, 28, 28, 1) uint8."""
    return np.concatenate([drawing.images for drawing in model.draw(labels, count=COUNT, seed=seed)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="shipped names, run folders or .safetensors files")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    judge = DigitJudge(options.data)
    rows = {"10,000 training digits": asdict(judge.reference())}
    rows |= {name: asdict(judge.model(Model(name), options.seed)) for name in options.models}
    print(table(rows))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def table(rows: dict[str, Any]) -> str:
    """The rows as Markdown."""
    lines = ["| | asked accuracy | worst class | digit_frechet |", "|---|---|---|---|"]
    for name, row in rows.items():
        shares = (row["asked_accuracy"], row["asked_accuracy_worst_class"])
        overall, worst = ("-" if share is None else f"{share:.2%}" for share in shares)
        lines.append(f"| {name} | {overall} | {worst} | {row['digit_frechet']:.3f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
