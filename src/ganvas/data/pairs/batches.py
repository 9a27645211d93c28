"""Batches of pairs with their jitter, cut and mirrored alike on both sides, on the whole batch at once."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ganvas.config import PairData
from ganvas.data.batches import EpochOrder
from ganvas.data.pairs.images import PairImages
from ganvas.pictures import Pixels


def load_side(settings: PairData) -> int:
    """The side that training opens pairs at: 286/256 of ``size`` with jitter (Isola et al. 2017), else ``size``."""
    return round(settings.size * 286 / 256) if settings.jitter else settings.size


class PairBatches:
    """Shuffled batches of pairs; which pairs is a function of (seed, images seen) alone.

    Args:
        data: pairs of at least ``settings.size`` pixels; with more, a random square is cut out.
        settings: ``size``, ``jitter`` and ``flip`` are used.
        batch_size: pairs a batch; an epoch's last may hold fewer, none is dropped.
        seed: of the order.
        device: where the batches go; the pictures lie there too unless they are mapped from a file.
    """

    def __init__(self, data: PairImages, settings: PairData, batch_size: int, seed: int, device: torch.device) -> None:
        self._sources, self._targets = (_tensor(side, device) for side in (data.sources, data.targets))
        self._labels = torch.from_numpy(data.labels)
        self._settings = settings
        self._batch_size = batch_size
        self._device = device
        self._order = EpochOrder(len(data), seed, torch.device("cpu"))

    def batch(self, images_seen: int) -> tuple[Tensor, Tensor, Tensor]:
        """The batch after ``images_seen`` pairs: uint8 sources and targets (n, C, S, S), and labels (n,).

        Crop and flip come from torch's global generator, one draw a pair.
        """
        chosen = self._order.chosen(images_seen, self._batch_size)
        room = self._sources.shape[-1] - self._settings.size
        count, settings = len(chosen), self._settings
        corners = torch.randint(0, room + 1, (count, 2)).tolist() if room else [[0, 0]] * count
        mirrored = (torch.rand(count) < 0.5).tolist() if settings.flip else [False] * count
        places = list(zip(chosen.tolist(), corners, mirrored, strict=True))
        sources, targets = (self._cut(side, places) for side in (self._sources, self._targets))
        return sources, targets, self._labels[chosen].to(self._device)

    def _cut(self, pictures: Tensor, places: list[tuple[int, list[int], bool]]) -> Tensor:
        size = self._settings.size
        cut = pictures.new_empty((len(places), pictures.shape[1], size, size))
        # Rows of a square lie together in memory: copying square by square takes a third to a tenth of the time of one
        # gather over the batch, and mirroring the ones to mirror a tenth of choosing between both with torch.where.
        for at, (index, (top, left), mirrored) in enumerate(places):
            square = pictures[index, :, top : top + size, left : left + size]
            cut[at] = square.flip(2) if mirrored else square
        return cut.to(self._device)


def _tensor(pixels: Pixels, device: torch.device) -> Tensor:
    tensor = torch.from_numpy(pixels)
    return tensor if isinstance(pixels, np.memmap) else tensor.to(device)
