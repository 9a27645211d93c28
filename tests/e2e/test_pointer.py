"""Mice, fingers and strokes that are cut short."""

from __future__ import annotations

import time

import numpy as np
from playwright.sync_api import Browser, Route

from e2e.visiting import Visit, on_studio


@on_studio
def test_a_mouse_that_hovers_draws_nothing_into_a_stroke_of_the_keyboard(visit: Visit) -> None:
    visit.go("sketch")
    visit.page.get_by_role("application").focus()
    for key in (" ", *["Shift+ArrowRight"] * 4):
        visit.page.keyboard.press(key)
    visit.page.mouse.move(*visit.at(0.1, 0.1))
    visit.page.mouse.move(*visit.at(0.1, 0.9))
    visit.page.keyboard.press(" ")
    visit.settled()
    assert visit.ink(np.s_[:], np.s_[64:])
    assert not visit.ink(np.s_[:], np.s_[:48])


@on_studio
def test_a_second_finger_draws_nothing_into_the_stroke_of_the_first(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 800, "height": 1000}, locale="en-GB", has_touch=True)
    visit = Visit(context, address)
    visit.go("sketch")
    touch = context.new_cdp_session(visit.page)

    def fingers(kind: str, *places: tuple[float, float]) -> None:
        spots = [visit.at(*place) for place in places]
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(spots)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", (0.7, 0.2))
    fingers("touchStart", (0.7, 0.2), (0.2, 0.2))
    fingers("touchMove", (0.7, 0.4), (0.2, 0.6))
    fingers("touchMove", (0.7, 0.8), (0.2, 0.8))
    fingers("touchEnd")
    visit.settled()
    assert visit.ink(np.s_[:], np.s_[64:])
    assert not visit.ink(np.s_[:], np.s_[:64])
    assert visit.complaints == []
    context.close()


@on_studio
def test_a_browser_that_tells_of_moves_with_its_frames_alone_draws_the_same_strokes(visit: Visit) -> None:
    visit.page.add_init_script("if (!delete window.onpointerrawupdate) throw new Error('it stays');")
    visit.go("sketch")
    assert not visit.page.evaluate("'onpointerrawupdate' in window")
    visit.circle()
    visit.settled()
    assert visit.ink(np.s_[:], np.s_[:64])
    assert visit.ink(np.s_[:], np.s_[64:])


@on_studio
def test_leaving_while_a_result_is_on_its_way_is_no_error_and_ends_the_stroke(visit: Visit) -> None:
    visit.go("sketch")
    visit.stroke((0.2, 0.2), (0.8, 0.2))
    visit.settled()

    def slowly(route: Route) -> None:
        time.sleep(0.7)
        route.continue_()

    visit.page.route("**/translate", slowly)
    visit.page.mouse.down()
    visit.page.mouse.move(*visit.at(0.8, 0.5))
    visit.page.evaluate("location.hash = '#/files'")
    visit.page.get_by_role("heading", name="Translate many pictures").wait_for()
    visit.page.mouse.up()
    visit.page.wait_for_timeout(2500)
    assert visit.page.locator(".message").count() == 0
    visit.page.unroute_all(behavior="wait")
    visit.page.evaluate("location.hash = '#/sketch'")
    visit.page.get_by_role("application").wait_for()
    visit.page.mouse.move(*visit.at(0.2, 0.8))
    visit.page.mouse.move(*visit.at(0.8, 0.9))
    visit.settled()
    assert not visit.ink(np.s_[80:], np.s_[:])
