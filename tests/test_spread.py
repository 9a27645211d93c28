"""Colours spread within outlines: the weights are products of gates, lines keep colours apart, gradients are right."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn

from ganvas.models.spread import LEAST_CONFIDENCE, Spread, _Sweep


def told(rounds: int, gates: Tensor, confidence: Tensor | None = None) -> tuple[Spread, Tensor]:
    """The layer with a convolution that hands on, and features by which it finds these values (H, W) in (0, 1)."""
    spread = Spread(2, rounds)
    assert spread.conv.bias is not None
    with torch.no_grad():
        spread.conv.bias.zero_()
        for channel in range(2):
            spread.conv.weight[channel, channel, 1, 1] = 0.1
    confidence = torch.full_like(gates, 0.5) if confidence is None else confidence
    return spread, torch.stack([confidence, gates])[None].logit()


def averaged(values: Tensor, gates: Tensor) -> Tensor:
    """values (L,) as means of all, each weighted by the products of neighbours' gates on the way, by the definition."""
    sums, weights = torch.zeros_like(values), torch.zeros_like(values)
    passing = gates[1:] * gates[:-1]
    for to, start in itertools.product(range(len(values)), repeat=2):
        passed = passing[min(start, to) : max(start, to)].prod()
        sums[to] += values[start] * passed
        weights[to] += passed
    return sums / weights


@pytest.mark.parametrize("rounds", [1, 2])
def test_a_pixel_is_the_mean_of_what_the_gates_let_through(rounds: int) -> None:
    torch.manual_seed(0)
    height, width = 5, 7
    confidence, gates = torch.rand(2, height, width).clamp(0.05, 0.95)
    picture = torch.rand(2, height, width) * 2 - 1
    spread, features = told(rounds, gates, confidence)
    expected = torch.cat([picture, torch.ones(1, height, width)]) * (confidence + LEAST_CONFIDENCE)
    for _ in range(2 * rounds):  # rows, columns, and so on
        lines = [torch.stack([averaged(*line) for line in zip(plane, gates, strict=True)]) for plane in expected]
        expected, gates = torch.stack(lines).transpose(1, 2), gates.T
    found = spread(picture[None], features)[0].detach()
    torch.testing.assert_close(found, expected[:2] / expected[2], rtol=1e-4, atol=1e-5)


def test_an_outline_keeps_colours_apart_and_to_itself() -> None:
    side, line = 16, 8
    gates = torch.full((side, side), 0.99)
    gates[:, line] = 1e-4
    picture = torch.zeros(1, 1, side, side)
    picture[..., :line], picture[..., line], picture[..., line + 1 :] = 0.5, 1.0, -0.5
    picture[..., 3, 3], picture[..., 12, 12] = -1.0, 1.0
    spread, features = told(2, gates)
    with torch.no_grad():
        found = spread(picture, features)[0, 0]
    for half, mean in ((found[:, :line], 0.5 - 1.5 / 128), (found[:, line + 1 :], -0.5 + 1.5 / 112)):
        torch.testing.assert_close(half, torch.full_like(half, mean), rtol=0, atol=0.02)
    torch.testing.assert_close(found[:, line], torch.ones(side), rtol=0, atol=5e-3)


def test_sure_pixels_colour_doubtful_ones() -> None:
    side = 16
    confidence = torch.full((side, side), 1e-6)
    confidence[3, 3] = 0.999
    picture = torch.zeros(1, 1, side, side)
    picture[..., 3, 3] = 1.0
    spread, features = told(1, torch.full((side, side), 0.99), confidence)
    with torch.no_grad():
        assert float(spread(picture, features).min()) > 0.9


def test_before_training_a_picture_stays_much_as_it_is_whatever_the_features() -> None:
    torch.manual_seed(0)
    picture = torch.rand(2, 3, 32, 48) * 2 - 1
    with torch.no_grad():
        found = Spread(8, 2)(picture, 10 * torch.randn(2, 8, 32, 48))
    assert 0 < float((found - picture).abs().mean()) < 0.1
    assert float(found.abs().max()) < 1


@pytest.mark.parametrize("rounds", [2, 4])
def test_a_large_area_does_not_come_through_the_outline_of_a_small_one(rounds: int) -> None:
    side, small = 128, slice(60, 68)
    picture, gates = torch.ones(1, 1, side, side), torch.full((side, side), 0.99)
    gates[59:69, 59:69] = 1e-3
    gates[small, small] = 0.99
    picture[..., small, small] = -1.0
    spread, features = told(rounds, gates)
    with torch.no_grad():
        found = spread(picture, features)
    assert float(found[..., small, small].max()) < -0.5
    assert float(found[..., :50, :50].min()) > 0.99


def test_half_precision_around_it_leaves_its_sums_in_single() -> None:
    torch.manual_seed(0)
    spread = Spread(4, 2)
    nn.init.normal_(spread.conv.weight, std=0.02)
    assert spread.conv.bias is not None
    with torch.no_grad():
        spread.conv.bias[1] = 0.4  # open gates, the nearest to 1 of which eight bits cannot tell from it
        for parameter in spread.parameters():
            parameter.copy_(parameter.bfloat16())
    picture, features = torch.rand(1, 3, 40, 40) * 2 - 1, torch.randn(1, 4, 40, 40).bfloat16().float()
    with torch.no_grad():
        exact = spread(picture, features)
        with torch.autocast("cpu", torch.bfloat16):
            found = spread(picture, features)
    assert found.dtype == torch.float32
    assert float((found - exact).abs().mean()) < 2.5e-5


def test_gradients_are_those_of_the_sums() -> None:
    torch.manual_seed(0)
    own = torch.rand(5, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    passing = torch.rand(4, 2, 1, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(_Sweep.apply, (own, passing))
