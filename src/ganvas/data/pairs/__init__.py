"""Pairs of pictures: listing them in every layout, reading, caching and checking them, and batches of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganvas.data.pairs.images import PairImages as PairImages
from ganvas.data.pairs.images import PairSplit as PairSplit
from ganvas.data.pairs.listed import Pair as Pair
from ganvas.data.pairs.listed import PairListing as PairListing
from ganvas.data.pairs.listing import list_pairs as list_pairs
from ganvas.data.pairs.store import open_pairs as open_pairs

if TYPE_CHECKING:
    from ganvas.data.pairs.batches import PairBatches as PairBatches
    from ganvas.data.pairs.batches import load_side as load_side


def __getattr__(name: str) -> Any:
    # On first use, since batches need torch and checking pairs does not.
    if name in ("PairBatches", "load_side"):
        from ganvas.data.pairs import batches

        return getattr(batches, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
