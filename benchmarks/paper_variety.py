"""What the paper's generator varies its digits by: its noise, or the units that are dropped.

    python benchmarks/paper_variety.py runs/digits-cgan-paper --json docs/results/paper-variety.json

1,000 digits of each class are drawn with one of the two kept and the other drawn anew, and with both drawn anew.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from _contestant import write_json
from ganvas.model_file import load_model
from ganvas.models import PaperGenerator

COUNT = 1_000
VARIED = {"noise": "the noise alone", "dropped": "the dropped units alone", "both": "both"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run of digits-cgan-paper")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    generator, _ = load_model(options.run / "model.safetensors")
    if not isinstance(generator, PaperGenerator) or not generator.dropout:
        parser.error(f"{options.run}: expected a run of the generator 'paper' with dropout")
    torch.manual_seed(options.seed)
    result = deviations(generator, generator.label.in_features)
    print(table(result))
    write_json(options.json, result)


@torch.inference_mode()
def deviations(generator: Any, classes: int) -> dict[str, float]:
    """The standard deviation of a pixel in [0, 1], mean over pixels and classes, for each of ``VARIED``."""
    latent, length = generator.latent, sum(generator.noise_lengths)
    found = {}
    for varied in VARIED:
        kept = {"noise": slice(latent, length), "dropped": slice(0, latent), "both": slice(0, 0)}[varied]
        of_classes = []
        for label in range(classes):
            z = torch.rand(COUNT, length)
            z[:, kept] = z[:1, kept].clone()
            of_classes.append(float(generator(z, torch.full((COUNT,), label)).std(0).mean()))
        found[varied] = sum(of_classes) / classes
    return found


def table(result: dict[str, float]) -> str:
    """A row for each of what varies."""
    rows = [f"| {title} | {result[varied]:.4f} |" for varied, title in VARIED.items()]
    return "\n".join(["| drawn anew | deviation of a pixel, of 1 |", "|---|---|", *rows])


if __name__ == "__main__":
    main()
