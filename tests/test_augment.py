"""What D sees of both pictures of a pair under objective.augment."""

from __future__ import annotations

import pytest
import torch

from ganvas.tasks.augment import augment


@pytest.mark.parametrize("conditional", [True, False])
def test_both_pictures_of_a_pair_are_changed_alike(conditional: bool) -> None:
    torch.manual_seed(0)
    pictures = torch.rand(4, 3, 32, 32) * 2 - 1
    condition = torch.rand(4, 2, 32, 32) if conditional else None
    moved, real, drawn = augment(condition, pictures, pictures.clone())
    assert torch.equal(real, drawn)
    assert not torch.equal(real, pictures)
    assert (moved is None) == (condition is None)


def test_the_condition_moves_with_its_pictures_and_keeps_its_values() -> None:
    """Where a picture is 1 its condition is 1 too, before and after; each of a batch moves by itself."""
    torch.manual_seed(0)
    dots = torch.zeros(8, 1, 64, 64)
    dots[:, :, 32, 32] = 1.0
    moved, real, _ = augment(dots, 10 * dots, dots)
    assert moved is not None
    assert set(torch.unique(moved).tolist()) == {0.0, 1.0}
    places = {tuple(dot.nonzero()[0, 1:].tolist()) for dot in moved if dot.any()}
    assert len(places) > 1
    for dot, picture in zip(moved, real, strict=True):
        if dot.any():
            row, column = dot.nonzero()[0, 1:].tolist()
            assert abs(row - 32) <= 8
            assert abs(column - 32) <= 8
            assert picture[0, row, column] == picture.max()


def test_a_drawn_picture_gets_its_gradient_from_where_it_was() -> None:
    torch.manual_seed(0)
    drawn = torch.zeros(2, 3, 16, 16, requires_grad=True)
    _, _, changed = augment(None, torch.zeros(2, 3, 16, 16), drawn)
    (gradient,) = torch.autograd.grad(changed.sum(), drawn)
    assert gradient.abs().sum() > 0
