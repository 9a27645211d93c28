"""benchmarks/averaged_digits.py: some digits become means of their nearest, the others stay."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ganvas.data.idx import read_idx_folder
from idx_files import write_set

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import averaged_digits


def test_averages_take_the_nearest_four_of_the_class() -> None:
    # A pixel each: class 0 lies at 0, 10 .. 90, class 1 in between, nearer than any of the own class.
    values = torch.tensor([10 * k for k in range(10)] + [10 * k + 1 for k in range(10)], dtype=torch.uint8)
    labels = torch.tensor([0] * 10 + [1] * 10)
    digits = values.view(-1, 1, 1, 1)
    means = [20, 20, 20, 30, 40, 50, 60, 70, 70, 70]
    expected = torch.tensor(means + [mean + 1 for mean in means], dtype=torch.uint8)

    def averaged(share: float, seed: int = 0) -> torch.Tensor:
        return averaged_digits.partly_averaged(digits, labels, share, seed).flatten()

    assert torch.equal(averaged(0.0), values)
    assert torch.equal(averaged(1.0), expected)
    half = averaged(0.5)
    assert not torch.equal(half, values)
    assert not torch.equal(half, expected)
    assert torch.equal(half[half != values], expected[half != values])
    assert torch.equal(averaged(0.5), half)
    assert not torch.equal(averaged(0.5, seed=1), half)


def test_script_writes_a_set_whose_test_digits_are_untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_set(tmp_path / "data", train=40)
    out = tmp_path / "averaged"
    monkeypatch.setattr(sys, "argv", ["averaged_digits.py", "--data", str(data), "--out", str(out), "--share", "0.5"])
    averaged_digits.main()
    before, after = (read_idx_folder(folder, "train") for folder in (data, out))
    np.testing.assert_array_equal(after.labels, before.labels)
    changed = (after.images != before.images).any(axis=(1, 2, 3))
    assert 5 <= changed.sum() <= 35  # of 40
    tests = [read_idx_folder(folder, "test") for folder in (data, out)]
    np.testing.assert_array_equal(tests[1].images, tests[0].images)
    np.testing.assert_array_equal(tests[1].labels, tests[0].labels)
