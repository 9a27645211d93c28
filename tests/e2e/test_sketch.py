"""Drawing, hints and what becomes of them, by mouse and by keyboard."""

from __future__ import annotations

import numpy as np

import ganvas
from e2e.visiting import Visit, eventually, levels_apart


def test_the_result_is_what_ganvas_translate_makes_of_the_same_drawing(visit: Visit) -> None:
    visit.go("sketch")
    visit.circle()
    first = visit.settled()
    drawing = visit.part("picture")
    assert drawing is not None
    assert drawing.size == (128, 128)
    # Two runtimes may round in another order.
    assert levels_apart(first, ganvas.load("sketch2color").translate(drawing)) <= 2
    visit.circle(0.5, 0.5, 0.1)
    assert not np.array_equal(visit.settled(), first)
    visit.button("Undo").click()
    assert np.array_equal(visit.settled(), first)


def test_the_end_of_a_stroke_asks_for_nothing_and_undoing_and_redoing_it_leads_back_to_its_pixels(visit: Visit) -> None:
    visit.go("sketch")
    visit.page.get_by_role("button", name="Mirror").click()
    visit.stroke((0.1, 0.9), (0.3, 0.8))
    visit.page.mouse.move(*visit.at(0.2, 0.2))
    visit.page.mouse.down()
    for place in ((0.6, 0.25), (0.3, 0.6), (0.35, 0.3), (0.8, 0.9)):
        visit.page.mouse.move(*visit.at(*place))
    visit.settled()
    asked, drawn = visit.page.evaluate("asked.length"), visit.part("picture")
    visit.page.mouse.up()
    visit.page.wait_for_timeout(700)
    assert visit.page.evaluate("asked.length") == asked
    visit.button("Undo").click()
    visit.settled()
    visit.button("Redo").click()
    visit.settled()
    assert visit.page.evaluate("asked.length") == asked + 2
    again = visit.part("picture")
    assert drawn is not None
    assert again is not None
    assert np.array_equal(np.asarray(again), np.asarray(drawn))


def test_a_blue_dab_goes_along_and_makes_its_region_blue_until_it_is_removed(visit: Visit) -> None:
    visit.go("sketch")
    visit.circle()
    before = visit.settled()
    assert visit.part("hints") is None
    visit.page.keyboard.press("h")
    visit.button("#2f6fde").click()
    visit.page.mouse.click(*visit.at(0.5, 0.5))
    after = visit.settled()
    drawing, hints = visit.part("picture"), visit.part("hints")
    assert drawing is not None
    assert hints is not None
    assert (hints.mode, hints.size) == ("RGBA", (128, 128))
    pixels = np.asarray(hints)
    assert tuple(pixels[64, 64]) == (0x2F, 0x6F, 0xDE, 255)
    assert set(np.unique(pixels[:, :, 3])) == {0, 255}
    assert levels_apart(after, ganvas.load("sketch2color").translate(drawing, hints=hints)) <= 2
    around = np.s_[56:72, 56:72]
    blueness = [float((shown[around][..., 2].astype(int) - shown[around][..., 0]).mean()) for shown in (before, after)]
    assert blueness[1] > blueness[0] + 40
    visit.page.get_by_role("button", name="Hint #2f6fde").press("Delete")
    assert np.array_equal(visit.settled(), before)


def test_one_can_draw_with_the_keyboard_alone(visit: Visit) -> None:
    visit.go("sketch")
    sheet = visit.page.get_by_role("application")
    sheet.focus()
    for key in (" ", *["Shift+ArrowRight"] * 4, *["Shift+ArrowDown"] * 3, " "):
        visit.page.keyboard.press(key)
    visit.settled()
    assert visit.ink(np.s_[66:90], np.s_[64:100])
    visit.page.keyboard.press("Control+z")
    eventually(lambda: visit.button("Clear").is_disabled())
