"""Pairs of pictures, decoded and of one size: what every reader of pairs gives."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from ganvas.data.preparation import Preparation
from ganvas.pictures import Pixels

PairSplit = Literal["train", "val", "test"]


@dataclass(frozen=True, eq=False)
class PairImages:
    """A whole set of pairs; the arrays may be memory-mapped.

    Attributes:
        sources: uint8 (N, Cs, H, W), what the model gets; a label map holds class ids (Cs = 1).
        targets: uint8 (N, Ct, H, W), what it shall make of it; a label map holds its palette's colours (Ct = 3).
        labels: int64 (N,), the class of each pair; all 0 without classes.
        class_names: a name for every label; () without classes.
        names: a name for every pair, for people and for files.
        source_preparation: what made the sources, and makes a picture at inference.
        target_preparation: the same for the targets.
        source: where they came from, for people.
        licence: the licence line that a model trained on them carries on.
    """

    sources: Pixels
    targets: Pixels
    labels: npt.NDArray[np.int64]
    class_names: tuple[str, ...]
    names: tuple[str, ...]
    source_preparation: Preparation
    target_preparation: Preparation
    source: str
    licence: str

    def __len__(self) -> int:
        return len(self.sources)

    def spread(self, count: int) -> npt.NDArray[np.int64]:
        """Indices of up to ``count`` pairs at even distances, the first and the last among them, always the same ones.

        Neighbours in the order of names are often neighbours in looks.
        """
        return np.linspace(0, len(self) - 1, min(count, len(self))).round().astype(np.int64)

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits of a SHA-256 over shapes, names, labels and pictures, the same in memory and mapped."""
        digest = hashlib.sha256()
        shapes = (self.sources.shape, self.targets.shape, self.class_names, self.names)
        digest.update(repr(shapes).encode("utf-8", "surrogateescape"))
        digest.update(np.ascontiguousarray(self.labels, dtype="<i8").data)
        for side in (self.sources, self.targets):
            # Pair by pair, so that a mapped file never has to fit in memory.
            for pixels in side:
                digest.update(np.ascontiguousarray(pixels).data)
        return digest.hexdigest()[:16]
