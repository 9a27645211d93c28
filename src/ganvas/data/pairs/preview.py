"""A sheet of pairs for people: source and target as training sees them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ganvas.config import PairData
from ganvas.data.decoding import Half, size_of
from ganvas.data.pairs.images import PairSplit
from ganvas.data.pairs.listing import check_command, list_pairs
from ganvas.data.pairs.reading import PairReader
from ganvas.data.preparation import Preparation
from ganvas.errors import GanvasError
from ganvas.pictures import Pixels, grid

_GAP = 2


def sheet_of_pairs(
    path: Path, settings: PairData, split: PairSplit, count: int, side: int
) -> tuple[Image.Image, int, int]:
    """Draw ``count`` pairs spread over a split, with their names and their sizes on disk.

    Returns:
        The sheet, the number of pairs on it, and how many the split holds.

    Raises:
        GanvasError: the split holds none, or a pair cannot be read.
    """
    listing = list_pairs(path, settings)
    reader = PairReader(settings, listing.layout, side)
    pairs = listing.of(split)
    if not pairs:
        raise GanvasError(f"no {split} pairs in '{path}', expected at least one; {check_command(path, settings)}.")
    chosen = [pairs[at] for at in np.unique(np.linspace(0, len(pairs) - 1, min(count, len(pairs))).round().astype(int))]
    sheets, captions = [], []
    for pair in chosen:
        source, target = reader.read(pair)
        both = [_colour(reader.preparations.source, source), _colour(reader.preparations.target, target)]
        between = np.full((side, _GAP, 3), 255, dtype=np.uint8)
        sheets.append(np.concatenate([both[0], between, both[1]], axis=1))
        sizes = [_size(pair.source, pair.source_half), _size(pair.target, pair.target_half)]
        # Of a pair of equal sizes one says it all.
        shown_size = " | ".join(dict.fromkeys(sizes))
        captions.append("\n".join(filter(None, [pair.name, pair.group, shown_size])))
    scale = max(1, 84 // side)
    columns = max(1, round((len(chosen) / 2) ** 0.5))
    sheet = grid(np.stack(sheets), columns, captions=captions, scale=scale, gap=6)
    return sheet, len(chosen), len(pairs)


def _colour(preparation: Preparation, pixels: Pixels) -> Pixels:
    colour: Pixels = preparation.shown(pixels[None])[0]
    return colour


def _size(path: Path, half: Half) -> str:
    width, height = size_of(path)
    return f"{width if half == 'whole' else width // 2} x {height}"
