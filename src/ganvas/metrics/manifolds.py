"""Precision, recall, density and coverage: how drawn and real features lie in each other's neighbourhoods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganvas.errors import GanvasError
from ganvas.metrics.figures import Figure, figure_of_mean, figure_of_share

NEIGHBOURS = 3  # of precision and recall, as published
DENSITY_NEIGHBOURS = 5  # of density and coverage, as published
AT_A_TIME = 1_000_000  # values of a distance matrix in memory


@dataclass(frozen=True)
class Neighbourhoods:
    """What was counted, picture by picture.

    Attributes:
        precise: bool (N,), drawn pictures that lie in the neighbourhood of a real one.
        recalled: bool (M,), real pictures that lie in the neighbourhood of a drawn one.
        densities: float64 (N,), in how many real neighbourhoods each drawn picture lies, over their k.
        covered: bool (M,), real pictures whose neighbourhood holds a drawn one.
    """

    precise: npt.NDArray[np.bool_]
    recalled: npt.NDArray[np.bool_]
    densities: npt.NDArray[np.float64]
    covered: npt.NDArray[np.bool_]

    def figures(self, seed: int) -> dict[str, Figure]:
        """``precision``, ``recall``, ``density`` and ``coverage``; intervals over pictures, the neighbourhoods held."""
        shares = {"precision": self.precise, "recall": self.recalled, "coverage": self.covered}
        found = {name: figure_of_share(int(hit.sum()), len(hit)) for name, hit in shares.items()}
        found["density"] = figure_of_mean(self.densities, seed)
        return {name: found[name] for name in ("precision", "recall", "density", "coverage")}


def neighbourhoods(drawn: Tensor, real: Tensor) -> Neighbourhoods:
    """Which drawn features lie among the real ones, and the other way round.

    The neighbourhood of a feature is the ball that reaches to its k-th nearest of its own set. Precision and recall
    (k = 3) are those of Kynkaanniemi et al. (2019), "Improved precision and recall metric for assessing generative
    models"; density and coverage (k = 5), which one outlier among the real pictures does not decide, those of Naeem
    et al. (2020), "Reliable fidelity and diversity metrics for generative models".

    Args:
        drawn: (N, D), any floating type.
        real: (M, D); all four depend on N and M, so compare equal numbers.

    Raises:
        GanvasError: a side has no more pictures than a neighbourhood.
    """
    drawn, real = drawn.detach().double(), real.detach().double()
    if min(len(drawn), len(real)) <= DENSITY_NEIGHBOURS:
        found = min(len(drawn), len(real))
        raise GanvasError(f"neighbourhoods need more than {DENSITY_NEIGHBOURS} pictures a side, found {found}.")
    reach_drawn, reach_real = _squared_reaches(drawn), _squared_reaches(real)
    # What is kept lies in place before the distances come and go: between them it would keep their memory apart.
    precise = torch.zeros(len(drawn), dtype=torch.bool, device=drawn.device)
    densities = torch.zeros(len(drawn), dtype=torch.float64, device=drawn.device)
    recalled = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    covered = torch.zeros_like(recalled)
    rows = _rows(len(real))
    for start in range(0, len(drawn), rows):
        part = slice(start, start + rows)
        distances = squared_distances(drawn[part], real)
        precise[part] = (distances <= reach_real[:, 0]).any(dim=1)
        inside = distances <= reach_real[:, 1]
        densities[part] = inside.sum(dim=1).double() / DENSITY_NEIGHBOURS
        covered |= inside.any(dim=0)
        recalled |= (distances <= reach_drawn[part, :1]).any(dim=0)
    return Neighbourhoods(
        precise=precise.cpu().numpy(),
        recalled=recalled.cpu().numpy(),
        densities=densities.cpu().numpy(),
        covered=covered.cpu().numpy(),
    )


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Squared Euclidean distances (N, M) of points (N, D) and (M, D), never negative."""
    squares = a.square().sum(dim=1)[:, None] + b.square().sum(dim=1)
    return squares.addmm_(a, b.T, alpha=-2).clamp_(min=0)


def _squared_reaches(features: Tensor) -> Tensor:
    """Squared distance of each feature (N, D) to its k-th nearest other one, (N, 2): for both k."""
    reaches = torch.empty(len(features), 2, dtype=features.dtype, device=features.device)
    rows = _rows(len(features))
    for start in range(0, len(features), rows):
        distances = squared_distances(features[start : start + rows], features)
        own = torch.arange(len(distances), device=features.device)
        distances[own, start + own] = torch.inf
        nearest = distances.topk(DENSITY_NEIGHBOURS, dim=1, largest=False).values
        reaches[start : start + rows] = nearest[:, [NEIGHBOURS - 1, DENSITY_NEIGHBOURS - 1]]
    return reaches


def _rows(columns: int) -> int:
    """Of a distance matrix with so many columns, how many rows are in memory at a time."""
    return max(AT_A_TIME // columns, 1)
