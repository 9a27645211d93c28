"""Painting a label map."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import ganvas
from e2e.visiting import Visit, eventually, levels_apart
from ganvas.data.label_maps import CAMVID


def test_a_painted_map_is_asked_for_in_the_colours_of_its_classes_and_drawn_by_them(visit: Visit, runs: Path) -> None:
    visit.go("labels")
    eventually(visit.button("Undo").is_enabled)  # the first example is there
    before = visit.settled()
    visit.button("Road").click()
    visit.button("Fill a region").click()
    visit.page.mouse.click(*visit.at(0.75, 0.03))
    visit.button("Car").click()
    visit.button("Pen").click()
    visit.stroke((0.1, 0.1), (0.9, 0.2))
    after = visit.settled()
    picture = visit.part("picture")
    assert picture is not None
    assert picture.size == (32, 32)
    colours = {tuple(colour) for colour in np.asarray(picture).reshape(-1, 3)}
    assert (64, 0, 128) in colours
    assert colours <= {colour for _, colour in CAMVID}
    assert not np.array_equal(before, after)
    assert levels_apart(after, ganvas.load(runs / "street").translate(picture)) <= 2
    # What is seen is what is asked for, which takes every 16th pixel of it.
    assert np.array_equal(visit.drawing()[8::16, 8::16], np.asarray(picture))


def test_a_region_that_is_filled_by_keyboard_takes_the_class_until_it_is_undone(visit: Visit, runs: Path) -> None:
    visit.go("labels")
    eventually(visit.button("Undo").is_enabled)  # the first example is there
    before, map_before = visit.settled(), visit.drawing()
    visit.tab_to(visit.button("Fill a region"))
    visit.press("Enter")
    visit.tab_to(visit.button("Tree"))
    visit.press("Enter")
    visit.sheet.focus()
    visit.press(*["Shift+ArrowUp"] * 7, " ")
    after, map_after = visit.settled(), visit.drawing()
    changed = (map_after != map_before).any(-1)
    # The whole region of what is under the cursor, and nothing else.
    assert changed[32, 256]
    assert np.unique(map_before[changed], axis=0).shape == (1, 3)
    tree = next(colour for name, colour in CAMVID if name == "Tree")
    assert np.unique(map_after[changed], axis=0).tolist() == [list(tree)]
    assert not np.array_equal(after, before)
    picture = visit.part("picture")
    assert picture is not None
    assert levels_apart(after, ganvas.load(runs / "street").translate(picture)) <= 2
    visit.press("Control+z")
    assert np.array_equal(visit.settled(), before)
    assert np.array_equal(visit.drawing(), map_before)
