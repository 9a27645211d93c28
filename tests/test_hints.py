"""Dabs of colour: where they lie, how many there are, what they show."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from torch import Tensor

from ganvas.config import Hints
from ganvas.data.hints import hints_at, hints_from_rgba, hints_of_another_hue, random_hints, recoloured
from ganvas.errors import UsageError

ALWAYS = Hints(none_share=0)


def pictures(count: int, side: int = 64) -> Tensor:
    """Smooth colours without white or black, so that every place is as good as another."""
    down, across = torch.meshgrid(*(torch.linspace(-0.6, 0.6, side),) * 2, indexing="ij")
    return torch.stack((down, across, -down)).repeat(count, 1, 1, 1)


def test_mask_is_zero_or_one_and_colour_zero_without_it() -> None:
    torch.manual_seed(0)
    hints = random_hints(pictures(32), ALWAYS)
    assert hints.shape == (32, 4, 64, 64)
    assert set(hints[:, 3].flatten().tolist()) == {0.0, 1.0}
    assert (hints[:, :3] * (1 - hints[:, 3:])).abs().max() == 0


def test_each_dab_is_a_square_of_the_median_colour_under_it() -> None:
    torch.manual_seed(1)
    targets = torch.rand(64, 3, 40, 56) * 1.2 - 0.6
    sides = set()
    for target, hint in zip(targets, hints_at(targets, 1, ALWAYS), strict=True):
        rows, columns = torch.nonzero(hint[3], as_tuple=True)
        top, left, side = int(rows.min()), int(columns.min()), int(rows.max() - rows.min()) + 1
        assert len(rows) == side * side == (int(columns.max()) - left + 1) * side
        there = (slice(None), slice(top, top + side), slice(left, left + side))
        expected = target[there].flatten(1).median(1).values
        assert torch.allclose(hint[:3][there], expected[:, None, None].expand(3, side, side), atol=1e-6)
        sides.add(side)
    # Uniform from 1 to 9: the chance that one of nine is missed in 64 draws is under 1%.
    assert sides == set(range(1, 10))


def test_number_of_dabs_is_geometric_and_a_share_gets_none() -> None:
    torch.manual_seed(2)
    # Dabs of one pixel on a large picture hardly ever meet.
    settings = Hints(none_share=0, most_pixels=1)
    counts = random_hints(pictures(1500, 64), settings)[:, 3].sum((1, 2))
    # P(n) = 1/8 (7/8)^n: mean 7, P(0) = 1/8; six standard errors.
    assert counts.mean().item() == pytest.approx(7, abs=1.2)
    assert (counts == 0).float().mean().item() == pytest.approx(1 / 8, abs=0.05)
    assert (counts >= 14).float().mean().item() == pytest.approx((7 / 8) ** 14, abs=0.06)
    some = random_hints(pictures(1500, 32), settings.model_copy(update={"none_share": 0.4}))[:, 3].amax((1, 2))
    assert (some == 0).float().mean().item() == pytest.approx(0.4 + 0.6 / 8, abs=0.08)


def test_places_are_normal_about_the_middle() -> None:
    torch.manual_seed(3)
    mask = hints_at(pictures(2000, 64), 1, Hints(most_pixels=1))[:, 3]
    rows, columns = (axis.float() / 64 for axis in torch.nonzero(mask, as_tuple=True)[1:])
    # A normal distribution of a quarter, cut at two standard deviations by clamping to the border: sd 0.2398.
    for place in (rows, columns):
        assert place.mean().item() == pytest.approx(0.5, abs=0.03)
        assert place.std().item() == pytest.approx(0.24, abs=0.02)


def test_most_dabs_avoid_paper_and_outlines_but_not_all() -> None:
    torch.manual_seed(4)
    # A painted ring between a white outside, which is most of the picture, and a black middle.
    targets = torch.ones(400, 3, 64, 64)
    targets[:, :, 16:48, 16:48] = 0.2
    targets[:, :, 24:40, 24:40] = -1
    hints = hints_at(targets, 1, Hints(most_pixels=1))
    shown = hints[:, :3].sum((2, 3))[:, 0]
    assert torch.isclose(shown, torch.tensor(0.2)).float().mean() > 0.6
    assert (shown == 1).any()
    assert (shown == -1).any()


@pytest.mark.parametrize("count", [1, 5, 20])
def test_asked_number_of_dabs_is_placed(count: int) -> None:
    torch.manual_seed(5)
    mask = hints_at(pictures(20, 256), count, Hints(most_pixels=1))[:, 3].sum((1, 2))
    assert mask.max() == count
    assert mask.mean() > 0.98 * count
    assert hints_at(pictures(2), 0, ALWAYS).abs().max() == 0


def test_dabs_come_from_the_global_generator_and_leave_the_pictures_alone() -> None:
    targets = pictures(8)
    before = targets.clone()
    torch.manual_seed(6)
    first, second = random_hints(targets, ALWAYS), random_hints(targets, ALWAYS)
    torch.manual_seed(6)
    assert torch.equal(random_hints(targets, ALWAYS), first)
    assert not torch.equal(first, second)
    assert torch.equal(targets, before)


@pytest.mark.parametrize("settings", [Hints(none_share=1), Hints(continue_share=0, none_share=0)])
def test_settings_for_no_dabs_give_none(settings: Hints) -> None:
    assert random_hints(pictures(8), settings).abs().max() == 0


def test_dabs_larger_than_the_picture_cover_it() -> None:
    torch.manual_seed(7)
    hints = hints_at(torch.full((3, 3, 4, 6), 0.5), 60, Hints(most_pixels=64))
    assert hints[:, 3].mean() == 1
    assert torch.allclose(hints[:, :3], torch.tensor(0.5))


def test_transparent_picture_becomes_the_same_form() -> None:
    pixels = np.zeros((5, 7, 4), dtype=np.uint8)
    pixels[1, 2] = (255, 0, 51, 255)
    pixels[3, 4] = (0, 255, 0, 127)  # the faint half of a soft rim
    pixels[3, 5] = (0, 255, 0, 128)
    hints = hints_from_rgba(pixels)
    assert hints.shape == (4, 5, 7)
    assert hints.dtype == np.float32
    assert hints[:, 1, 2].tolist() == pytest.approx([1, -1, 51 / 127.5 - 1, 1])
    assert hints[:, 3, 5].tolist() == [-1, 1, -1, 1]
    hints[:, 1, 2] = hints[:, 3, 5] = 0
    assert not hints.any()


def test_opaque_hints_are_refused_in_one_line() -> None:
    with pytest.raises(UsageError, match=r"opaque everywhere.*PNG with transparency") as raised:
        hints_from_rgba(np.full((4, 4, 4), 255, dtype=np.uint8))
    assert "\n" not in str(raised.value)
    with pytest.raises(ValueError, match=r"\(H, W, 4\)"):
        hints_from_rgba(np.zeros((4, 4, 3), dtype=np.uint8))


def flat_picture() -> Tensor:
    """A yellow field and a blue one, a black line between them, a white margin; (1, 3, 32, 32)."""
    colours = {
        "white": (1.0, 1.0, 1.0),
        "yellow": (1.0, 0.8, -0.6),
        "black": (-1.0, -1.0, -1.0),
        "blue": (-0.6, 0.0, 0.9),
    }
    columns = ["white"] * 4 + ["yellow"] * 12 + ["black"] * 2 + ["blue"] * 10 + ["white"] * 4
    return torch.tensor([colours[name] for name in columns]).T[None, :, None, :].expand(1, 3, 32, 32).contiguous()


def dab(column: int) -> Tensor:
    """One dab of 2 x 2 pixels of the flat picture's colour at that column."""
    hints = torch.zeros(1, 4, 32, 32)
    hints[:, :3, 8:10, column : column + 2] = flat_picture()[:, :, 8:10, column : column + 2]
    hints[:, 3, 8:10, column : column + 2] = 1
    return hints


def test_recolouring_changes_the_dabbed_colour_everywhere_and_nothing_else() -> None:
    torch.manual_seed(0)
    before = flat_picture()
    after, hints = recoloured(before, dab(6), 1.0)
    field = after[0, :, :, 4:16]
    assert (field == field[:, :1, :1]).all()
    assert (field[:, 0, 0] - before[0, :, 0, 4]).abs().max() > 0.1
    assert torch.equal(hints[0, :3, 8, 6], field[:, 8, 2])
    rest = [*range(4), *range(16, 32)]
    assert torch.equal(after[..., rest], before[..., rest])
    assert torch.equal(hints[:, 3], dab(6)[:, 3])
    assert (hints[:, :3] * (1 - hints[:, 3:])).abs().max() == 0


def test_recolouring_turns_darker_shades_by_the_same_share_of_the_way_from_black() -> None:
    torch.manual_seed(0)
    before = flat_picture()
    before[..., 10:16] = (before[..., 10:16] + 1) * 0.5 - 1
    after, hints = recoloured(before, dab(6), 1.0)
    new = hints[0, :3, 8, 6]
    assert torch.allclose(after[0, :, 0, 12], (new + 1) * 0.5 - 1, atol=1e-5)


def test_recolouring_leaves_what_has_no_dab_or_a_grey_one() -> None:
    torch.manual_seed(0)
    targets = flat_picture().repeat(3, 1, 1, 1)
    hints = torch.cat((torch.zeros(1, 4, 32, 32), dab(1), dab(16)))
    after, same = recoloured(targets, hints, 1.0)
    assert torch.equal(after, targets)
    assert torch.equal(same, hints)


def test_recolouring_takes_the_asked_share_and_any_colour() -> None:
    torch.manual_seed(0)
    targets, hints = flat_picture().repeat(400, 1, 1, 1), dab(6).repeat(400, 1, 1, 1)
    after, _ = recoloured(targets, hints, 0.25)
    changed = (after - targets).abs().amax((1, 2, 3)) > 0
    # Binomial: five standard errors.
    assert changed.float().mean().item() == pytest.approx(0.25, abs=0.11)
    new = after[changed][:, :, 0, 6]
    assert new.amin(0).max() < -0.8
    assert new.amax(0).min() > 0.8


def halves(left: tuple[int, int, int], right: tuple[int, int, int]) -> np.ndarray:
    """A drawing (64, 64, 3) in two colours."""
    drawn = np.empty((64, 64, 3), np.uint8)
    drawn[:, :32], drawn[:, 32:] = left, right
    return drawn


@pytest.mark.parametrize("turn", [0.0, 0.25, 0.6])
def test_a_variations_dabs_have_the_drawings_colours_turned_around_the_circle_of_hues(turn: float) -> None:
    both = ((240, 200, 40), (60, 90, 200))
    hints = hints_of_another_hue(halves(*both), turn, 30, np.random.default_rng(5))
    assert hints.shape == (4, 64, 64)
    assert set(hints[3].flatten().tolist()) == {0.0, 1.0}
    assert (hints[:3] * (1 - hints[3])).abs().max() == 0
    # A dab across the middle keeps to its own half.
    for colour, half in zip(both, (hints[..., :32], hints[..., 32:]), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
        expected = torch.tensor(colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)) * 2 - 1
        found = half[:3, half[3] > 0]
        assert found.shape[1] > 0
        assert (found - expected[:, None]).abs().max() < 0.06  # Pillow's HSV has 8 bits


def test_a_variations_dabs_lie_where_colour_is() -> None:
    drawn = halves((255, 255, 255), (20, 20, 20))
    assert not hints_of_another_hue(drawn, 0.4, 30, np.random.default_rng(6)).any()
    drawn[40:44, 50:52] = 200, 30, 30
    hints = hints_of_another_hue(drawn, 0.4, 30, np.random.default_rng(6))
    assert torch.equal(hints[3].nonzero(), torch.tensor(np.argwhere((drawn == (200, 30, 30)).all(2))))


def test_given_dabs_stay_and_so_does_what_the_model_made_of_them() -> None:
    # Asked for one red, a model draws another, here a quarter of the way to the yellow of the rest.
    drawn = halves((230, 90, 30), (60, 90, 200))
    given = torch.zeros(4, 64, 64)
    given[:, 10:14, 10:14] = torch.tensor([240 / 127.5 - 1, 10 / 127.5 - 1, 30 / 127.5 - 1, 1.0])[:, None, None]
    hints = hints_of_another_hue(drawn, 0.3, 30, np.random.default_rng(7), given)
    assert torch.equal(hints[:, :, :32], given[:, :, :32])
    assert hints[3, :, 32:].sum() > 0
    free = hints_of_another_hue(drawn, 0.3, 30, np.random.default_rng(7))
    assert torch.equal(free[:, :, 32:], hints[:, :, 32:])
    assert free[3, :, :32].sum() > 16
    # Nor do dabs of other colours cover a person's.
    given[:, 10:14, 40:44] = torch.tensor([1.0, 1.0, 1.0, 1.0])[:, None, None]
    drawn[10:14, 40:44] = 255
    drawn[:10, 32:] = drawn[14:, 32:] = drawn[10:14, 44:] = 60, 90, 201
    hints = hints_of_another_hue(drawn, 0.3, 300, np.random.default_rng(7), given)
    assert torch.equal(hints[:, 10:14, 40:44], given[:, 10:14, 40:44])
