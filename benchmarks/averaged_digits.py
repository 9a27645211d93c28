"""Digits some of which are averages: what a generator learns that is to score in Parzen windows and to cover all.

    python benchmarks/averaged_digits.py --data MNIST --out AVERAGED
    ganvas train digits-conv --data AVERAGED

A share of the training digits, chosen by chance, become the mean of each and the four digits of its class that are
nearest to it. The test digits are copied as they are. docs/metrics.md tells why one would, and why not.
"""

from __future__ import annotations

import argparse
import struct
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganvas.data.idx import read_idx_folder
from ganvas.metrics.manifolds import squared_distances

NEIGHBOURS = 4
SHARE = 0.35
ROWS = 1_000  # digits at a time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--share", type=float, default=SHARE, help=f"of averaged digits; default: {SHARE:g}")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    train, test = (read_idx_folder(options.data, split) for split in ("train", "test"))
    options.out.mkdir(parents=True)
    digits = torch.from_numpy(np.moveaxis(train.images, -1, 1))
    averaged = partly_averaged(digits, torch.from_numpy(train.labels), options.share, options.seed)
    for prefix, images, labels in (
        ("train", averaged[:, 0].numpy(), train.labels),
        ("t10k", test.images[..., 0], test.labels),
    ):
        _write_idx(options.out / f"{prefix}-images-idx3-ubyte", images)
        _write_idx(options.out / f"{prefix}-labels-idx1-ubyte", labels)


def partly_averaged(digits: Tensor, labels: Tensor, share: float, seed: int) -> Tensor:
    """The digits, some as the rounded mean of each and its nearest four of its class.

    Args:
        digits: uint8 (N, 1, S, S), more than four of each class.
        labels: (N,).
        share: how likely each is averaged.
        seed: of the choice.
    """
    flat = digits.flatten(1).float()
    means = torch.empty_like(flat)
    for label in set(labels.tolist()):
        own = (labels == label).nonzero()[:, 0]
        members = flat[own]
        for part in own.split(ROWS):
            # A digit is the nearest of all to itself: it is among the five. Ties are of equal pictures.
            nearest = squared_distances(flat[part], members).topk(NEIGHBOURS + 1, largest=False).indices
            means[part] = members[nearest].mean(1)
    chosen = torch.rand(len(digits), 1, generator=torch.Generator().manual_seed(seed)) < share
    return torch.where(chosen, means, flat).round().byte().view_as(digits)


def _write_idx(path: Path, values: np.ndarray) -> None:
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    path.write_bytes(header + np.ascontiguousarray(values, dtype=np.uint8).tobytes())


if __name__ == "__main__":
    main()
