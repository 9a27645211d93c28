"""The benchmark of what the Parzen log-likelihood rewards: what it does to digits."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import parzen_guide


def test_each_is_averaged_with_the_nearest_other_one_that_may_be_taken() -> None:
    digits = torch.tensor([0, 10, 4, 100, 80], dtype=torch.uint8).view(5, 1, 1, 1).expand(5, 1, 2, 2)
    # Nearest to 0 is 4, which is kept out; to 100 it is 80.
    averaged = parzen_guide._averaged(digits, np.array([0, 3]), np.array([0, 1, 3, 4]))
    assert averaged[:, 0, 0, 0].tolist() == [5, 90]
    assert averaged.shape == (2, 1, 2, 2)
    assert averaged.dtype == torch.uint8


def test_digits_that_are_held_out_are_averaged_into_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parzen_guide, "SHARE", 1.0)
    digits = torch.tensor([0, 10, 1, 20, 30, 2, 40], dtype=torch.uint8).view(7, 1, 1, 1)
    # Without the third and the sixth, which are nearest, the five are one another's nearest.
    among = np.array([0, 1, 3, 4, 6])
    averaged = parzen_guide._partly_averaged(digits, np.zeros(7, np.uint8), np.array([4, 0]), among, seed=0)
    assert averaged.flatten().tolist() == [20, 20]


def test_a_dot_is_blurred_both_ways() -> None:
    dot = torch.zeros(1, 1, 5, 5, dtype=torch.uint8)
    dot[0, 0, 2, 2] = 100
    blurred = parzen_guide._blurred(dot)[0, 0]
    assert blurred[1:4, 1:4].tolist() == [[1, 8, 1], [8, 64, 8], [1, 8, 1]]
    assert int(blurred.sum()) == 100
