"""Batches whose content is a function of (seed, images seen) alone, so that a resumed run meets the same ones."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor

from ganvas.data.labelled import LabelledImages


def stream_seed(seed: int, purpose: str, position: int, rank: int = 0) -> int:
    """A 63-bit seed for one use of randomness: independent for each purpose, position and process."""
    text = f"{seed}/{purpose}/{position}/{rank}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


class EpochOrder:
    """Which items the batch after so many holds: an epoch is one permutation, its last batch may be smaller.

    Args:
        count: number of items.
        seed: of the permutations.
        device: where the indices go.
    """

    def __init__(self, count: int, seed: int, device: torch.device) -> None:
        self._count = count
        self._seed = seed
        self._device = device
        self._order = torch.empty(0, dtype=torch.int64)
        self._epoch = -1

    def chosen(self, images_seen: int, batch_size: int) -> Tensor:
        """Indices (n,) int64, n <= ``batch_size``; none is dropped."""
        epoch, start = divmod(images_seen, self._count)
        if epoch != self._epoch:
            order = np.random.Generator(np.random.Philox(stream_seed(self._seed, "order", epoch)))
            self._order = torch.from_numpy(order.permutation(self._count)).to(self._device)
            self._epoch = epoch
        return self._order[start : start + batch_size]


class LabelledBatches:
    """Shuffled batches of labelled pictures, kept whole on ``device`` as uint8."""

    def __init__(self, data: LabelledImages, batch_size: int, seed: int, device: torch.device) -> None:
        # (N, C, H, W) once, so that a batch is one gather.
        channels_first = np.ascontiguousarray(np.moveaxis(data.images, 3, 1))
        self._pictures = torch.from_numpy(channels_first).to(device)
        self._labels = torch.from_numpy(data.labels).to(device)
        self._batch_size = batch_size
        self._order = EpochOrder(len(data), seed, device)

    def batch(self, images_seen: int) -> tuple[Tensor, Tensor]:
        """The batch after ``images_seen`` pictures: uint8 (n, C, H, W) and labels (n,), n <= batch size."""
        chosen = self._order.chosen(images_seen, self._batch_size)
        return self._pictures[chosen], self._labels[chosen]
