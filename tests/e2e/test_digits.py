"""Digits that are typed, the walk between two noises and the grid."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import torch
from playwright.sync_api import Locator

from e2e.visiting import Visit, eventually, pixels


def test_digits_that_are_typed_appear_and_can_be_read(visit: Visit) -> None:
    from ganvas.metrics.digit_classifier import load_digit_classifier

    visit.go("digits")
    visit.choose("digits-conv")
    row = visit.page.get_by_role("list", name=re.compile("Drawn")).get_by_role("img")
    # The page begins with these very digits.
    visit.page.get_by_label("Type here").fill("")
    eventually(lambda: row.count() == 0)
    for key in "2026":
        visit.button(key).click()
    eventually(lambda: [one.get_attribute("alt") for one in row.all()] == list("2026"))
    shown = np.stack([pixels(one)[..., 0] for one in row.all()])
    digits = torch.from_numpy(shown).float()
    logits, _ = load_digit_classifier().logits_and_features(digits[:, None] / 127.5 - 1)
    assert logits.argmax(1).tolist() == [2, 0, 2, 6]
    assert not torch.equal(digits[0], digits[2]), "each is drawn from noise of its own"
    visit.button("Another").click()
    eventually(lambda: "Seed 2" in (visit.page.text_content("main") or ""))


def alike(one: Locator, other: npt.NDArray[np.uint8]) -> bool:
    """But for rounding: others beside it may make a runtime add up in another order."""
    return bool(np.abs(pixels(one).astype(int) - other).max() <= 2)


def typed(visit: Visit, text: str) -> Locator:
    """The row of what is typed, once it is drawn."""
    visit.go("digits")
    visit.choose("digits-conv")
    visit.page.get_by_label("Type here").fill(text)
    return visit.page.get_by_role("list", name=f"Drawn: {' '.join(text)}", exact=True).get_by_role("img")


def test_the_slider_walks_from_the_digit_of_one_noise_to_that_of_the_next(visit: Visit) -> None:
    digit = typed(visit, "7").first
    here = visit.page.get_by_role("img", name=re.compile("^7, "))
    start = pixels(digit)
    eventually(lambda: alike(here, start))
    slider = visit.page.get_by_label("Step")
    visit.tab_to(slider)
    visit.press("End")
    eventually(lambda: not alike(here, start))
    end = pixels(here)
    slider.fill("12")
    eventually(lambda: not alike(here, start) and not alike(here, end))
    middle = pixels(here)
    visit.button("Another").click()
    eventually(lambda: alike(digit, end))
    # A walk of its own, from where the last one ended.
    visit.tab_to(slider)
    visit.press("Home")
    eventually(lambda: alike(here, end))
    assert not alike(here, middle)


def test_the_grid_has_every_label_of_each_noise_and_other_noises_on_another(visit: Visit) -> None:
    digit = typed(visit, "7").first
    grid = visit.page.get_by_role("region", name=re.compile("^Grid of pictures"))
    rows = grid.get_by_role("row")
    eventually(lambda: rows.count() == 5)
    eventually(lambda: alike(rows.nth(0).get_by_role("img", name="7"), pixels(digit)))
    cells = [row.get_by_role("img") for row in rows.all()]
    assert [[one.get_attribute("alt") for one in row.all()] for row in cells] == [list("0123456789")] * 5
    first, second = ([pixels(one) for one in row.all()] for row in cells[:2])
    assert len({shown.tobytes() for shown in first + second}) == 20
    visit.button("Another").click()
    # What was the second noise is the first.
    eventually(lambda: all(alike(one, shown) for one, shown in zip(cells[0].all(), second, strict=True)))
    assert not any(alike(one, shown) for one, shown in zip(cells[1].all(), second, strict=True))
