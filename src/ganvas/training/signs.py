"""Cheap numbers of drawn pictures that the monitors look at."""

from __future__ import annotations

import torch
from torch import Tensor


def diversity(pictures: Tensor, labels: Tensor | None = None) -> float:
    """How far apart pictures (N, C, H, W) of one class are: the root of the pooled variance within classes.

    ``sqrt(sum_k sum_i |x_i - mean_k|^2 / ((N - K) P))`` over K classes and P values a picture, which is the root mean
    square distance of two pictures of a class but for a factor; unbiased, so that sets of other sizes compare. 0 where
    no class has two pictures.

    Args:
        pictures: of any number type.
        labels: int64 (N,), or None: all are of one class.
    """
    flat = pictures.flatten(1).double()
    classes = torch.zeros(len(flat), dtype=torch.int64) if labels is None else labels
    _, index = torch.unique(classes.to(flat.device), return_inverse=True)
    counts = index.bincount()
    if len(flat) <= len(counts):
        return 0.0
    means = flat.new_zeros(len(counts), flat.shape[1]).index_add_(0, index, flat) / counts[:, None]
    squares = (flat - means[index]).square().sum()
    return float((squares / ((len(flat) - len(counts)) * flat.shape[1])).sqrt())
