"""Whether a generator drew what it was asked for, as a classifier reads it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganvas.errors import GanvasError


@dataclass(frozen=True)
class AskedAccuracy:
    """Shares of pictures, in [0, 1], that the classifier reads as the class that was asked for.

    ``per_class`` has one entry a class, ``None`` where the class was never asked for.
    """

    overall: float
    per_class: tuple[float | None, ...]

    @property
    def worst(self) -> float:
        """The share of the class that is met least often."""
        return min(share for share in self.per_class if share is not None)

    @classmethod
    def of(cls, confusion: Tensor) -> AskedAccuracy:
        """From counts (classes, classes) int64, a row a class asked for and a column a class read."""
        asked, met = confusion.sum(dim=1).tolist(), confusion.diagonal().tolist()
        per_class = tuple(m / n if n else None for m, n in zip(met, asked, strict=True))
        return cls(overall=sum(met) / sum(asked), per_class=per_class)


def confusion_from_logits(logits: Tensor, labels: Tensor) -> Tensor:
    """What a classifier reads in pictures of each class that was asked for.

    Args:
        logits: float (N, classes), the classifier's answers, N >= 1.
        labels: int64 (N,), the class asked for in each picture.

    Returns:
        Counts int64 (classes, classes) on the CPU: the row is the class asked for, the column the class read.

    Raises:
        GanvasError: there are no pictures, not one label a picture, or a class the classifier does not know.
    """
    classes = logits.shape[1]
    labels = labels.to(logits.device)
    if len(labels) == 0 or len(labels) != len(logits):
        found = f"{len(logits)} pictures and {len(labels)} labels"
        raise GanvasError(f"expected one label a picture and at least one picture, found {found}.")
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        found = f"labels {int(labels.min())} to {int(labels.max())} were asked for"
        raise GanvasError(f"{found}, but the classifier knows 0 to {classes - 1}.")
    cells = labels * classes + logits.argmax(dim=1)
    return torch.bincount(cells, minlength=classes**2).reshape(classes, classes).cpu()


def accuracy_from_logits(logits: Tensor, labels: Tensor) -> AskedAccuracy:
    """How often a classifier reads in a picture the class that was asked for: see :func:`confusion_from_logits`."""
    return AskedAccuracy.of(confusion_from_logits(logits, labels))
