"""Pairs turned and scaled while training: both sides alike, about the middle, by no more than was asked."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ganvas.config import PairData
from ganvas.data.pairs.affine import turned_and_zoomed

SIDE = 64
PICTURES = 40
AWAY = 20.0  # pixels from the middle, to the right of it


def spots() -> Tensor:
    """A soft spot on each picture (N, 1, S, S), whose middle can be told to a hundredth of a pixel."""
    at = torch.arange(SIDE).double() - (SIDE - 1) / 2
    spot = torch.exp(-((at[None, :] - AWAY).square() + at[:, None].square()) / 8)
    return spot.expand(PICTURES, 1, SIDE, SIDE)


def middles(pictures: Tensor) -> Tensor:
    """Centres of mass (N, 2) as (right, down) from the middle."""
    at = torch.arange(SIDE).double() - (SIDE - 1) / 2
    mass = pictures.sum((1, 2, 3))
    right, down = (pictures.sum((1, other)) @ at / mass for other in (2, 3))
    return torch.stack([right, down], dim=1)


def moved(turn: float, zoom: float) -> Tensor:
    torch.manual_seed(3)
    sources, targets = turned_and_zoomed(spots(), spots().repeat(1, 3, 1, 1), PairData(turn=turn, zoom=zoom))
    assert targets.shape == (PICTURES, 3, SIDE, SIDE)
    # Whatever happens to one side happens to the other.
    torch.testing.assert_close(targets, sources.repeat(1, 3, 1, 1), rtol=0, atol=0)
    return middles(sources)


def test_turning_keeps_the_distance_from_the_middle() -> None:
    at = moved(turn=30.0, zoom=0.0)
    torch.testing.assert_close(at.norm(dim=1), torch.full((PICTURES,), AWAY, dtype=torch.double), rtol=0, atol=0.1)
    angles = torch.rad2deg(torch.atan2(at[:, 1], at[:, 0]))
    assert angles.abs().max() <= 30.1
    assert angles.max() > 15
    assert angles.min() < -15


def test_zoom_moves_along_the_same_direction() -> None:
    at = moved(turn=0.0, zoom=0.25)
    assert at[:, 1].abs().max() < 0.05
    scales = at[:, 0] / AWAY
    assert 1 / 1.25 - 0.01 <= scales.min() < 0.9
    assert 1.1 < scales.max() <= 1.26


def test_neither_leaves_pairs_as_they_are() -> None:
    at = moved(turn=0.0, zoom=0.0)
    torch.testing.assert_close(
        at, torch.tensor([[AWAY, 0.0]], dtype=torch.double).expand(PICTURES, 2), rtol=0, atol=0.01
    )


def test_each_pair_is_moved_in_its_own_way() -> None:
    at = moved(turn=30.0, zoom=0.25)
    assert len({tuple(place) for place in at.round(decimals=3).tolist()}) == PICTURES


def test_label_maps_keep_whole_classes_and_paper_stays_white_outside() -> None:
    torch.manual_seed(0)
    ids = torch.randint(0, 3, (PICTURES, SIDE, SIDE))
    maps = torch.nn.functional.one_hot(ids, 3).permute(0, 3, 1, 2).float()
    white = torch.ones(PICTURES, 3, SIDE, SIDE)
    settings = PairData(turn=45.0, zoom=0.5, source="labels", palette="camvid")
    sources, targets = turned_and_zoomed(maps, white, settings)
    assert not torch.equal(sources, maps)
    assert set(sources.flatten().tolist()) == {0.0, 1.0}
    assert torch.equal(sources.sum(1), torch.ones(PICTURES, SIDE, SIDE))
    torch.testing.assert_close(targets, white)


def test_maps_that_are_drawn_keep_their_colours() -> None:
    torch.manual_seed(0)
    painted = torch.tensor([-1.0, 0.25, 1.0])[torch.randint(0, 3, (PICTURES, 3, SIDE, SIDE))]
    settings = PairData(turn=45.0, zoom=0.5, target="labels", palette="camvid")
    sources, targets = turned_and_zoomed(painted, painted, settings)
    assert set(targets.flatten().tolist()) == {-1.0, 0.25, 1.0}
    # The picture beside it is interpolated.
    assert len(sources.unique(sorted=False)) > 100  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("degrees", [math.nextafter(180, 181), -1.0])
def test_turn_is_an_angle_from_0_to_180(degrees: float) -> None:
    with pytest.raises(ValueError, match="turn"):
        PairData(turn=degrees)
