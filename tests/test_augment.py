"""What D sees of a pair under objective.augment."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganvas.tasks.augment import augment

SIDE = 32


def plain(count: int = 8) -> Tensor:
    """Pictures (count, 3, 32, 32) of one colour that no change of brightness, saturation and contrast makes zero."""
    return torch.tensor([3.0, 4.0, 5.0])[None, :, None, None].expand(count, 3, SIDE, SIDE).clone()


@pytest.mark.parametrize("conditional", [True, False])
def test_both_pictures_of_a_pair_are_changed_alike(conditional: bool) -> None:
    torch.manual_seed(0)
    pictures = torch.rand(4, 3, SIDE, SIDE) * 2 - 1
    moved, real, drawn = augment(torch.rand(4, 2, SIDE, SIDE) if conditional else None, pictures, pictures.clone())
    assert torch.equal(real, drawn)
    assert (moved is not None) == conditional


def test_the_condition_is_moved_and_cut_with_the_pictures_and_keeps_its_colours() -> None:
    torch.manual_seed(0)
    moved, real, _ = augment(torch.full((8, 2, SIDE, SIDE), 7.0), plain(), plain())
    assert moved is not None
    assert set(torch.unique(moved).tolist()) == {0.0, 7.0}
    assert torch.equal(moved[:, 0] == 0, real[:, 0] == 0)


def test_each_picture_goes_its_own_way_by_up_to_an_eighth() -> None:
    """Each place tells where it is: rows in one channel, columns in another, from 1 on."""
    torch.manual_seed(0)
    places = torch.stack(torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")).float() + 1
    moved, _, _ = augment(places.expand(16, 2, SIDE, SIDE), plain(16), plain(16))
    assert moved is not None
    ways = set()
    for picture in moved:
        seen = picture[0] > 0
        difference = (picture - places)[:, seen]
        assert (difference == difference[:, :1]).all()
        ways.add(tuple(difference[:, 0].tolist()))
        assert difference.abs().max() <= SIDE / 8
    assert len(ways) > 8


def test_a_square_of_a_quarter_of_the_side_is_cut() -> None:
    """Of 64 pictures one at least has it whole, and none loses more than it and what a shift brings in."""
    torch.manual_seed(0)
    _, real, _ = augment(None, plain(64), plain(64))
    lost = (real[:, 0] == 0).flatten(1).sum(1)
    shifted_out = SIDE**2 - (SIDE - SIDE // 8) ** 2
    assert (lost > 0).all()
    assert lost.max() <= (SIDE // 4) ** 2 + shifted_out
    middle = real[:, 0, SIDE // 8 : -SIDE // 8, SIDE // 8 : -SIDE // 8] == 0  # no shift reaches it
    assert middle.flatten(1).sum(1).max() == (SIDE // 4) ** 2


def test_each_picture_changes_its_colours_by_itself() -> None:
    torch.manual_seed(0)
    pictures = plain()
    pictures[:, :, ::2] += 1.0
    _, real, _ = augment(None, pictures, pictures)
    colours = [picture[:, picture[0] != 0] for picture in real]
    brightness = torch.stack([colour.mean() for colour in colours])
    contrast = torch.stack([colour[1].max() - colour[1].min() for colour in colours])
    saturation = torch.stack([(colour[2] - colour[0]).mean() for colour in colours]) / contrast
    for found, unchanged in ((brightness, 4.5), (saturation, 2.0), (contrast, 1.0)):
        assert len(set(found.tolist())) == len(found)
        assert found.min() < unchanged < found.max()


def test_a_drawn_picture_gets_the_gradient_of_what_became_of_it() -> None:
    torch.manual_seed(0)
    drawn = torch.rand(2, 2, 8, 8, dtype=torch.float64, requires_grad=True)

    def changed(pictures: Tensor) -> Tensor:
        torch.manual_seed(1)
        return augment(None, torch.zeros_like(pictures), pictures)[2]

    assert torch.autograd.gradcheck(changed, (drawn,))
