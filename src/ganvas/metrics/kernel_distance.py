"""The kernel distance between two sets of features: unbiased at any number of pictures, unlike the Fréchet distance."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ganvas.errors import GanvasError
from ganvas.metrics.figures import Figure

DEGREE = 3
SUBSETS = 10
MOST = 1_000  # pictures of a side in a subset
STUDENT_QUANTILE = 2.2621571628540993  # of Student's t with SUBSETS - 1 degrees of freedom, at 0.975


def squared_mmd(a: Tensor, b: Tensor) -> float:
    """Unbiased estimate of the squared maximum mean discrepancy of features (N, D) and (M, D), N and M >= 2.

    Gretton et al. (2012), "A kernel two-sample test", eq. 3, with the polynomial kernel ``(x.y / D + 1)^3`` of
    Binkowski et al. (2018), "Demystifying MMD GANs". As it is unbiased it may be below 0 where both are alike. It is
    a KID only when the features come from the Inception network named there. Takes N x M numbers of memory.
    """
    a, b = a.double(), b.double()
    return float(_mean_within(a) + _mean_within(b) - 2 * _kernel(a, b).mean())


def kernel_distance(a: Tensor, b: Tensor, seed: int) -> Figure:
    """Mean of :func:`squared_mmd` over ``SUBSETS`` disjoint subsets of both sides, drawn by ``seed``.

    No picture is in two subsets, so their estimates are independent and the mean's standard error is their standard
    deviation over the root of their number; the interval is that of Student's t.

    Args:
        a: features (N, D).
        b: features (M, D); of both sides as many are used as the smaller has, at most ``SUBSETS * MOST``.

    Raises:
        GanvasError: a side has fewer than two features for each subset.
    """
    size = min(MOST, len(a) // SUBSETS, len(b) // SUBSETS)
    if size < 2:
        raise GanvasError(f"the kernel distance needs {2 * SUBSETS} pictures a side, found {min(len(a), len(b))}.")
    random = np.random.default_rng((seed, 3))
    orders = [torch.from_numpy(random.permutation(len(side))).to(side.device) for side in (a, b)]
    found = []
    for start in range(0, SUBSETS * size, size):
        chosen_a, chosen_b = (order[start : start + size] for order in orders)
        found.append(squared_mmd(a[chosen_a], b[chosen_b]))
    mean, error = float(np.mean(found)), float(np.std(found, ddof=1) / SUBSETS**0.5)
    return Figure(mean, mean - STUDENT_QUANTILE * error, mean + STUDENT_QUANTILE * error, error)


def _mean_within(features: Tensor) -> Tensor:
    """The mean kernel of two different ones."""
    kernel = _kernel(features, features)
    return (kernel.sum() - kernel.trace()) / (len(features) * (len(features) - 1))


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.T / a.shape[1] + 1) ** DEGREE
