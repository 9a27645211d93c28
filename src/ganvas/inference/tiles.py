"""Large pictures piece by piece: overlapping tiles under smooth windows that add up to one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Region = Callable[[slice, slice], Floats]


def spans(total: int, tile: int, overlap: int) -> list[slice]:
    """The fewest pieces of ``tile`` places that cover ``total`` evenly, neighbours sharing at least ``overlap``.

    One piece, as short as needed, where ``total`` is at most ``tile``.
    """
    if total <= tile:
        return [slice(0, total)]
    count = -(-(total - overlap) // (tile - overlap))
    starts = [round(number * (total - tile) / (count - 1)) for number in range(count)]
    return [slice(start, start + tile) for start in starts]


def windows(pieces: list[slice], total: int, overlap: int) -> list[Floats]:
    """A weight for each place of each piece; over all pieces the weights of a place add up to one.

    They rise from next to nothing at an edge along sin² over ``overlap`` places, so that neither a step nor what a
    network draws beside a border shows; edges of the picture itself keep their weight.
    """
    rise = np.sin((np.arange(overlap) + 0.5) * np.pi / (2 * overlap)) ** 2
    weights = []
    for piece in pieces:
        weight = np.ones(piece.stop - piece.start)
        if piece.start > 0:
            weight[:overlap] *= rise
        if piece.stop < total:
            weight[-overlap:] *= rise[::-1]
        weights.append(weight)
    sums = np.zeros(total)
    for piece, weight in zip(pieces, weights, strict=True):
        sums[piece] += weight
    return [(weight / sums[piece]).astype(np.float32) for piece, weight in zip(pieces, weights, strict=True)]


def blended(height: int, width: int, draw: Region, *, tile: int, overlap: int) -> Iterator[tuple[slice, Floats]]:
    """A picture of ``height`` x ``width`` as strips (rows, values (rows, width, C)) from top to bottom.

    Args:
        height: of the picture in pixels.
        width: likewise.
        draw: (rows, columns) of a tile -> its values (rows, columns, C).
        tile: side of a tile in pixels; ``draw`` never gets more at a time.
        overlap: least number of pixels that neighbours share, at most half of ``tile``.

    Memory: one row of tiles.
    """
    rows, columns = spans(height, tile, overlap), spans(width, tile, overlap)
    down, across = windows(rows, height, overlap), windows(columns, width, overlap)
    # What earlier rows of tiles gave to places that this one shares; afterwards, to those it shares with the next.
    carried: Floats | None = None
    ends = [*(piece.start for piece in rows[1:]), height]
    for piece, weight, end in zip(rows, down, ends, strict=True):
        strip: Floats | None = None
        for column, weight_across in zip(columns, across, strict=True):
            values = draw(piece, column)
            if strip is None:
                strip = np.zeros((piece.stop - piece.start, width, values.shape[2]), dtype=np.float32)
            strip[:, column] += values * (weight[:, None] * weight_across)[:, :, None]
        assert strip is not None
        if carried is not None:
            strip[: len(carried)] += carried
        done = end - piece.start
        yield slice(piece.start, end), strip[:done]
        carried = strip[done:]
