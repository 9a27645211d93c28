"""Tiles: they cover, they add up, no seam shows, and no more than one row of them is in memory."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest

from ganvas.inference.tiles import blended, spans, windows

SIZES = [(65, 64, 16), (100, 64, 16), (112, 64, 16), (113, 64, 32), (640, 64, 32), (641, 64, 1), (1000, 64, 16)]


def whole(values: np.ndarray, tile: int, overlap: int) -> np.ndarray:
    """A picture (H, W, C) drawn as itself, put together from the strips."""
    height, width = values.shape[:2]
    strips = list(blended(height, width, lambda rows, columns: values[rows, columns], tile=tile, overlap=overlap))
    stops = [rows.stop for rows, _ in strips]
    assert [rows.start for rows, _ in strips] == [0, *stops[:-1]]
    assert stops[-1] == height
    return np.concatenate([strip for _, strip in strips])


@pytest.mark.parametrize(("total", "tile", "overlap"), SIZES)
def test_tiles_have_one_size_cover_all_and_overlap_enough(total: int, tile: int, overlap: int) -> None:
    pieces = spans(total, tile, overlap)
    assert {piece.stop - piece.start for piece in pieces} == {tile}
    assert (pieces[0].start, pieces[-1].stop) == (0, total)
    for before, after in itertools.pairwise(pieces):
        assert before.start < after.start
        assert before.stop - after.start >= overlap
    # One fewer could not reach: each but the first adds at most tile - overlap.
    assert tile + (len(pieces) - 2) * (tile - overlap) < total


@pytest.mark.parametrize("total", [1, 63, 64])
def test_what_fits_into_a_tile_is_one(total: int) -> None:
    assert spans(total, 64, 16) == [slice(0, total)]
    assert np.array_equal(windows(spans(total, 64, 16), total, 16)[0], np.ones(total))


@pytest.mark.parametrize(("total", "tile", "overlap"), SIZES)
def test_windows_add_up_to_one_everywhere(total: int, tile: int, overlap: int) -> None:
    pieces = spans(total, tile, overlap)
    sums = np.zeros(total)
    for piece, window in zip(pieces, windows(pieces, total, overlap), strict=True):
        assert window.min() >= 0
        sums[piece] += window
    assert np.abs(sums - 1).max() < 1e-6


@pytest.mark.parametrize(("height", "width"), [(200, 150), (64, 300), (300, 10), (65, 65)])
def test_a_pointwise_drawing_comes_out_as_if_drawn_whole(height: int, width: int) -> None:
    values = np.random.default_rng(0).uniform(-1, 1, (height, width, 3)).astype(np.float32)
    assert np.abs(whole(values, 64, 16) - values).max() < 1e-6


def test_tiles_that_disagree_meet_without_a_seam() -> None:
    """Every tile draws a shade of its own, black or white: beside a seam two pixels would differ by up to 2."""
    shades = iter(np.random.default_rng(1).choice([-1.0, 1.0], 100))

    def draw(rows: slice, columns: slice) -> np.ndarray:
        return np.full((rows.stop - rows.start, columns.stop - columns.start, 1), next(shades), dtype=np.float32)

    picture = np.concatenate([strip for _, strip in blended(300, 260, draw, tile=64, overlap=32)])[:, :, 0]
    assert np.ptp(picture) > 1.5, "the tiles do disagree"
    # The steepest place of sin² over 32 pixels rises by pi / 64 a pixel; three tiles share some places.
    for axis in (0, 1):
        assert np.abs(np.diff(picture, axis=axis)).max() < 2 * 2 * np.pi / 64


def test_what_a_network_draws_beside_borders_does_not_show() -> None:
    """A picture that is the same everywhere, drawn darker at the edges of what is asked for, as by zero padding."""
    height, width = 200, 220

    def draw(rows: slice, columns: slice) -> np.ndarray:
        values = np.ones((rows.stop - rows.start, columns.stop - columns.start, 1), dtype=np.float32)
        values[[0, -1]] = values[:, [0, -1]] = 0
        return values

    picture = np.concatenate([strip for _, strip in blended(height, width, draw, tile=64, overlap=32)])
    assert picture[1:-1, 1:-1].min() > 0.99
    assert np.all(picture[0] == 0), "the picture's own border is the network's"


def test_no_tile_is_larger_than_asked_and_only_a_row_is_in_memory() -> None:
    asked = []

    def draw(rows: slice, columns: slice) -> np.ndarray:
        asked.append((rows.stop - rows.start, columns.stop - columns.start))
        return np.zeros((*asked[-1], 3), dtype=np.float32)

    tracemalloc.start()
    try:
        for _ in blended(6_000, 500, draw, tile=128, overlap=32):
            pass
        peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
    assert set(asked) == {(128, 128)}
    # The picture as floats takes 36 MB, a row of tiles 0.8.
    assert peak_mb < 4
