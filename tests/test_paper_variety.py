"""The benchmark of what the paper's generator varies by."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import paper_variety


class OfTwoNumbers:
    """One pixel: so much of the first number, which is noise, and so much of the second, which drops a unit."""

    latent = 1
    noise_lengths = (1, 1)

    def __call__(self, z: Tensor, labels: Tensor) -> Tensor:
        return (0.1 * z[:, 0] + 0.4 * z[:, 1]).view(-1, 1, 1, 1)


def test_what_is_kept_varies_nothing() -> None:
    torch.manual_seed(0)
    found = paper_variety.deviations(OfTwoNumbers(), classes=5)
    # A number that is uniform on [0, 1) deviates by the root of a twelfth.
    uniform = 12**-0.5
    expected = {"noise": 0.1 * uniform, "dropped": 0.4 * uniform, "both": (0.1**2 + 0.4**2) ** 0.5 * uniform}
    assert found == pytest.approx(expected, rel=0.05)
