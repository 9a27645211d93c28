"""Pictures with labels, in memory: what every reader of labelled data gives."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from ganvas.pictures import Pixels, fit, to_pil

Split = Literal["train", "test"]


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """A whole set of pictures with their labels.

    Attributes:
        images: uint8 (N, H, W, C), C in {1, 3}, values 0..255.
        labels: int64 (N,), each in 0..len(class_names)-1.
        class_names: a name for every label.
        source: where they came from, for people.
        licence: the licence line that a model trained on them carries on.
    """

    images: Pixels
    labels: npt.NDArray[np.int64]
    class_names: tuple[str, ...]
    source: str
    licence: str

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits of a SHA-256 over shapes, pictures, labels and names."""
        digest = hashlib.sha256()
        digest.update(repr((self.images.shape, self.labels.shape, self.class_names)).encode())
        digest.update(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.labels, dtype="<i8").data)
        return digest.hexdigest()[:16]

    def resized(self, size: int, channels: int) -> LabelledImages:
        """The same set with pictures of (size, size, channels); itself where they already are."""
        if self.images.shape[1:] == (size, size, channels):
            return self
        images = np.stack([fit(to_pil(image), size, channels) for image in self.images])
        return LabelledImages(images, self.labels, self.class_names, self.source, self.licence)
