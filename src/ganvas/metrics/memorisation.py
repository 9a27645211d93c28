"""Whether a generator repeats its training pictures: how near drawn pictures are to them, beside held-out ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganvas.metrics.figures import Figure, figure_of_mean, figure_of_share
from ganvas.metrics.manifolds import squared_distances

NEARER_THAN = 0.01  # share of the held-out pictures whose distance marks a suspicious one
CHUNK = 2_000  # training pictures at a time


@dataclass(frozen=True)
class Nearest:
    """The training picture nearest to each of some pictures: its index int64 (N,) and distance float64 (N,)."""

    indices: npt.NDArray[np.int64]
    distances: npt.NDArray[np.float64]


def nearest_training(pictures: Tensor, training: Tensor) -> Nearest:
    """The nearest training picture of each picture, by the root mean square difference of pixels, 0 to 1.

    Args:
        pictures: uint8 (N, ...).
        training: uint8 (M, ...) of the same shape, M >= 1; may be far larger, as it is read a chunk at a time.
    """
    wanted = pictures.flatten(1)
    points = wanted.float() - 127.5
    best = torch.full((len(wanted),), torch.inf)
    indices = torch.zeros(len(wanted), dtype=torch.int64)
    for start in range(0, len(training), CHUNK):
        some = training[start : start + CHUNK].flatten(1).float() - 127.5
        smallest, place = squared_distances(points, some).min(dim=1)
        nearer = smallest < best
        best = torch.where(nearer, smallest, best)
        indices = torch.where(nearer, place + start, indices)
    # Which one is nearest is told well enough in single precision; how near it is, is told exactly.
    exact = (wanted.double() - training[indices].flatten(1).double()).square().mean(dim=1).sqrt() / 255
    return Nearest(indices.numpy(), exact.numpy())


def memorisation_figures(drawn: Nearest, held_out: Nearest, seed: int) -> tuple[dict[str, Figure], dict[str, Figure]]:
    """``nearest_training`` and ``memorised`` of the drawn pictures, and the same of the held-out ones.

    ``nearest_training`` is the mean distance: drawn pictures that are copies lie nearer to the training pictures than
    held-out ones do. ``memorised`` is the share of pictures that are nearer than all but ``NEARER_THAN`` of the
    held-out ones, so about that share is what pictures nobody has learned by heart have.
    """
    # One of the held-out distances, so that those below it are that share of them, as far as their number allows.
    border = float(np.quantile(held_out.distances, NEARER_THAN, method="higher"))
    sides = []
    for nearest in (drawn, held_out):
        hits = int((nearest.distances < border).sum())
        sides.append(
            {
                "nearest_training": figure_of_mean(nearest.distances, seed),
                "memorised": figure_of_share(hits, len(nearest.distances)),
            }
        )
    return sides[0], sides[1]
