"""Photos with the class ids of their label maps: the pairs of a segmenter."""

from __future__ import annotations

from pathlib import Path

from ganvas.config import PairData
from ganvas.data.pairs.images import PairImages, PairSplit
from ganvas.data.pairs.store import open_pairs


def open_class_maps(
    data: PairData, split: PairSplit, *, side: int | None = None, cache: Path | None = None
) -> PairImages:
    """The pairs of a recipe from picture to label map, read the other way round.

    As targets label maps are painted, and a colour need not tell which class it was; as sources they are ids. So the
    maps are ``sources`` (N, 1, S, S), ids and the ignored one, and the photos ``targets`` (N, C, S, S).

    Raises:
        GanvasError: as of :func:`open_pairs`.
    """
    other = "left-to-right" if data.direction == "right-to-left" else "right-to-left"
    turned = {"source": "labels", "target": "picture", "direction": other, "target_channels": data.source_channels}
    return open_pairs(data.model_copy(update=turned), split, side=side, cache=cache)
