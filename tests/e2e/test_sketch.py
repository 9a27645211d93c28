"""Drawing, hints and what becomes of them, by mouse and by keyboard."""

from __future__ import annotations

from pathlib import Path

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
    visit.tab_to(visit.sheet)
    visit.press(" ", *["Shift+ArrowRight"] * 4, *["Shift+ArrowDown"] * 3, " ")
    visit.settled()
    assert visit.ink(np.s_[66:90], np.s_[64:100])
    visit.press("Control+z")
    eventually(lambda: visit.button("Clear").is_disabled())


def test_a_hint_takes_its_colour_along_to_where_it_is_dragged_and_undo_brings_it_back(visit: Visit, runs: Path) -> None:
    visit.go("sketch")
    visit.choose("tiny")
    visit.circle()
    bare = visit.settled()
    visit.press("h")
    visit.button("#2f6fde").click()
    visit.page.mouse.click(*visit.at(0.3, 0.3))
    first = visit.settled()
    # By its rim: it does not jump to the pointer.
    visit.stroke((0.31, 0.3), (0.5, 0.6), (0.71, 0.7))
    moved = visit.settled()
    drawing, hints = visit.part("picture"), visit.part("hints")
    assert drawing is not None
    assert hints is not None
    opaque = np.argwhere(np.asarray(hints)[..., 3] == 255)
    assert np.abs(opaque + 0.5 - 0.7 * 32).max() < 0.03 * 32 + 1
    assert levels_apart(moved, ganvas.load(runs / "tiny.safetensors").translate(drawing, hints=hints)) <= 2
    assert not np.array_equal(moved, first)
    visit.press("Control+z")
    assert np.array_equal(visit.settled(), first)
    visit.press("Control+Shift+z")
    assert np.array_equal(visit.settled(), moved)
    visit.page.mouse.click(*visit.at(0.7, 0.7))
    visit.button("Remove hint").click()
    assert np.array_equal(visit.settled(), bare)
    assert visit.part("hints") is None
    visit.press("Control+z")
    assert np.array_equal(visit.settled(), moved)


def test_hints_are_dabbed_moved_and_removed_with_the_keyboard_alone(visit: Visit) -> None:
    visit.go("sketch")
    visit.choose("tiny")
    visit.circle()
    bare = visit.settled()
    visit.press("h")
    visit.tab_to(visit.button("#2f6fde"))
    visit.press("Enter")
    visit.sheet.focus()
    visit.press(*["Shift+ArrowLeft"] * 4, " ")
    first = visit.settled()
    hint = visit.page.get_by_role("button", name="Hint #2f6fde")
    visit.tab_to(hint)
    visit.press(*["Shift+ArrowDown"] * 3)
    assert not np.array_equal(visit.settled(), first)
    hints = visit.part("hints")
    assert hints is not None
    opaque = np.argwhere(np.asarray(hints)[..., 3] == 255).mean(0) + 0.5
    assert np.abs(opaque / 32 - (0.5 + 3 / 16, 0.5 - 4 / 16)).max() < 1 / 32
    visit.press(*["Control+z"] * 3)
    assert np.array_equal(visit.settled(), first)
    visit.press("Delete")
    assert np.array_equal(visit.settled(), bare)
    assert visit.has_keyboard(visit.sheet), "where the next one is dabbed"


def test_the_eyedropper_takes_the_colour_under_it_by_mouse_and_by_keyboard(visit: Visit) -> None:
    visit.go("sketch")
    visit.choose("tiny")
    visit.circle()
    shown = visit.settled()
    result, own = visit.page.get_by_label("Result"), visit.page.get_by_label("Your own colour")
    box = result.bounding_box()
    assert box is not None

    def colour_at(row: int, column: int) -> str:
        return f"#{bytes(shown[row, column]).hex()}"

    assert len({colour_at(8, 25), colour_at(20, 8), own.input_value() if own.count() else ""}) == 3
    visit.press("i")
    result.click(position={"x": box["width"] * 25.5 / 32, "y": box["height"] * 8.5 / 32})
    assert own.input_value() == colour_at(8, 25)
    visit.press("i")
    visit.tab_to(result)
    visit.press(*["Shift+ArrowLeft"] * 4, *["Shift+ArrowDown"] * 2, "ArrowRight", "ArrowDown", " ")
    assert own.input_value() == colour_at(20, 8)
    # What it was picked for comes next, and where it was picked from is no place to stop at any more.
    visit.press(" ")
    hints = visit.part("hints") if not np.array_equal(visit.settled(), shown) else None
    assert hints is not None
    assert np.array_equal(np.asarray(hints)[16, 16, :3], shown[20, 8])
    visit.press("i", *["Shift+ArrowLeft"] * 8, " ")
    assert own.input_value() == "#ffffff", "the drawing has colours too"
