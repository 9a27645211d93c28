"""Train the digit classifier that judges generated digits.

    python benchmarks/train_digit_classifier.py --data FOLDER --out FILE

FOLDER holds MNIST's four IDX files (.gz or not). The same seed, thread count and processor give the same
weights. Training takes about eight minutes on one core; the accuracy on the 10,000 test digits is printed at
the end, once, for the float16 weights as they are stored.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor, nn

from ganvas.data.idx import read_idx_folder
from ganvas.data.images import Split
from ganvas.files import atomic_write
from ganvas.metrics.digit_classifier import DigitClassifier

LICENCE = "MNIST, Y. LeCun and C. Cortes, commonly given as CC BY-SA 3.0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with MNIST's four IDX files")
    parser.add_argument("--out", type=Path, required=True, help="the .safetensors file to write")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=4e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(arguments.seed)

    images, labels = read_split(arguments.data, "train")
    started = time.perf_counter()
    classifier = train(images, labels, arguments.epochs, arguments.batch, arguments.learning_rate)
    seconds = time.perf_counter() - started
    # The judge is what is stored, so the stored weights are what is tested.
    classifier.half().float()
    accuracy = test(classifier, *read_split(arguments.data, "test"))
    about = {
        "accuracy_t10k": accuracy,
        "training_seconds": round(seconds, 1),
        "data": f"MNIST, the {len(images):,} training digits; tested on the 10,000 of t10k",
        "licence": LICENCE,
        "seed": arguments.seed,
        "epochs": arguments.epochs,
        "parameters": sum(p.numel() for p in classifier.parameters()),
        "features": "128 channel means after the last ReLU, the input of the last linear layer",
    }
    half = {name: t.half() if t.is_floating_point() else t for name, t in classifier.state_dict().items()}
    weights = {name: t.contiguous() for name, t in half.items()}
    atomic_write(arguments.out, save(weights, {"ganvas": json.dumps(about)}))
    print(f"t10k accuracy {accuracy:.4f} after {seconds:.0f} s; written to {arguments.out}")


def train(images: Tensor, labels: Tensor, epochs: int, batch: int, peak_rate: float) -> DigitClassifier:
    """The average of the weights (half-life a quarter of an epoch) after AdamW under a cosine schedule."""
    network = DigitClassifier()
    averaged = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=peak_rate, weight_decay=0.02, fused=True)
    steps = len(images) // batch
    keep = 0.5 ** (4 / steps)
    for epoch in range(epochs):
        order = torch.randperm(len(images))
        started, total = time.perf_counter(), torch.zeros(())
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = peak_rate * schedule((epoch + step / steps) / epochs)
            chosen = order[step * batch : (step + 1) * batch]
            loss = F.cross_entropy(network(distort(images[chosen])), labels[chosen])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            average(averaged, network, keep)
            total += loss.detach()
        seconds = time.perf_counter() - started
        print(f"epoch {epoch + 1}: loss {total.item() / steps:.4f}, {seconds:.1f} s", flush=True)
    averaged.eval()
    return averaged


def schedule(progress: float) -> float:
    """Share of the peak learning rate: a linear rise over the first 8%, then half a cosine to nothing."""
    if progress < 0.08:
        return progress / 0.08
    return 0.5 * (1 + math.cos(math.pi * (progress - 0.08) / 0.92))


def distort(images: Tensor) -> Tensor:
    """Each picture turned by up to 12 degrees, scaled by 12%, sheared by 0.12, moved by 2 pixels."""
    n = len(images)
    angle, scale_x, scale_y, shear, move_x, move_y = torch.rand(6, n).mul(2).sub(1)
    angle, shear = angle * (12 * math.pi / 180), shear * 0.12
    a, b, c, d = angle.cos(), -angle.sin() + shear, angle.sin(), angle.cos()
    scale_x, scale_y = 1 + 0.12 * scale_x, 1 + 0.12 * scale_y
    first = torch.stack([a * scale_x, b * scale_y, move_x * (2 / 14)], dim=1)
    second = torch.stack([c * scale_x, d * scale_y, move_y * (2 / 14)], dim=1)
    grid = F.affine_grid(torch.stack([first, second], dim=1), list(images.shape), align_corners=False)
    # Border padding repeats the edge, which is the background.
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


@torch.no_grad()
def average(averaged: nn.Module, network: nn.Module, keep: float) -> None:
    """Move the average towards the network; batch norm's running statistics are averaged like the weights."""
    ours = [t for t in averaged.state_dict().values() if t.is_floating_point()]
    theirs = [t for t in network.state_dict().values() if t.is_floating_point()]
    torch._foreach_lerp_(ours, theirs, 1 - keep)


def test(classifier: DigitClassifier, images: Tensor, labels: Tensor) -> float:
    """Share of ``images`` that are read as ``labels``."""
    logits, _ = classifier.logits_and_features(images)
    return float((logits.argmax(dim=1) == labels).double().mean())


def read_split(folder: Path, split: Split) -> tuple[Tensor, Tensor]:
    """Images (N, 1, 28, 28) in [-1, 1] and labels (N,) of the ``train`` or the ``test`` half."""
    read = read_idx_folder(folder, split)
    images = torch.from_numpy(read.images).permute(0, 3, 1, 2).contiguous()
    return images.float().div(127.5).sub(1), torch.from_numpy(read.labels)


if __name__ == "__main__":
    main()
