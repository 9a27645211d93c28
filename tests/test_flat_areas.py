"""The benchmark of flat areas: what it calls uneven, unpainted and run out, in pictures made for it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from flat_areas import defects
from ganvas.pictures import Pixels

YELLOW, BLUE, WHITE = (250, 220, 40), (80, 160, 230), (255, 255, 255)


@pytest.fixture
def truth() -> Pixels:
    """A yellow square of 40 pixels in a black outline of 2, on white paper of 64."""
    picture = np.full((64, 64, 3), 255, np.uint8)
    picture[10:54, 10:54] = 0
    picture[12:52, 12:52] = YELLOW
    return picture


def test_the_truth_has_no_defects(truth: Pixels) -> None:
    assert defects(truth, truth) == {"unevenness": 0, "unpainted": 0, "run_out": 0}


def test_one_wrong_colour_is_no_defect_and_two_are_uneven(truth: Pixels) -> None:
    drawn = truth.copy()
    drawn[12:52, 12:52] = BLUE
    assert defects(drawn, truth)["unevenness"] == 0
    drawn[12:52, 12:32] = YELLOW
    # Halves of equal size: each channel's standard deviation is half the difference.
    spread = np.sqrt(sum(((a - b) / 2) ** 2 for a, b in zip(YELLOW, BLUE, strict=True)))
    assert defects(drawn, truth)["unevenness"] == pytest.approx(spread)


def test_what_is_left_white_and_what_runs_out_are_shares_of_areas_without_their_edges(truth: Pixels) -> None:
    drawn = truth.copy()
    drawn[14:23, 14:50] = WHITE  # 9 of the 36 rows that are left of the square
    drawn[:5] = YELLOW  # of the paper, which ends two pixels before the outline's 44
    found = defects(drawn, truth)
    assert found["unpainted"] == pytest.approx(9 / 36)
    assert found["run_out"] == pytest.approx(5 * 64 / (64**2 - 48**2), rel=0.01)


def test_dark_areas_are_not_judged(truth: Pixels) -> None:
    dark = truth.copy()
    dark[12:52, 12:52] = 20
    assert defects(truth, dark) == {"run_out": 0}
