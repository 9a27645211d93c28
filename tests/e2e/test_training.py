"""Runs: started, watched, stopped and resumed."""

from __future__ import annotations

from typing import Any

import numpy as np
from playwright.sync_api import Locator

from e2e.visiting import PATIENCE, Visit, eventually, on_studio, pixels

# Seconds: a trainer is niced, and gives way to whatever else the machine does.
TRAINED = 4 * PATIENCE


@on_studio
def test_a_run_is_started_from_the_form_watched_stopped_and_resumed_to_its_end(visit: Visit) -> None:
    visit.go("training")
    visit.button("New run").click()
    visit.page.get_by_role("radio", name="digits-gan", exact=True).check(force=True)
    visit.page.get_by_label("Name of the run").fill("watched")
    epochs = visit.page.get_by_label("Epochs")
    epochs.fill("many")
    epochs.blur()
    eventually(lambda: visit.button("Start training").is_disabled())
    epochs.fill("1")
    epochs.blur()
    visit.page.get_by_text("All settings").click()
    ticks = visit.page.get_by_label("tick images")
    ticks.fill("500")
    ticks.blur()
    visit.button("Start training").click()
    visit.page.get_by_role("img", name="Losses").wait_for(timeout=1000 * TRAINED)
    started = next(one for one in visit.requests if one.method == "POST" and one.url.endswith("/runs"))
    posted: Any = started.post_data_json
    assert posted["settings"] == {"train.epochs": 1, "train.tick_images": 500}
    visit.button("Stop").click()
    visit.button("Resume").wait_for(timeout=1000 * TRAINED)
    run = visit.page.get_by_role("article")
    assert "digits-gan · stopped" in run.inner_text()
    stopped = int(run.get_by_role("progressbar").get_attribute("value") or 0)
    visit.button("Resume").click()
    # Two starts of Python, most of an epoch of 9,000 digits, and a report.
    run.get_by_text("digits-gan · complete").wait_for(timeout=1000 * TRAINED)
    far = run.get_by_role("progressbar")
    assert 0 < stopped < int(far.get_attribute("value") or 0) == int(far.get_attribute("max") or 0)
    assert visit.button("Resume").count() == 0
    # One stream from the start to the stop, one from there to the end, and few more where the list was older.
    assert len([one for one in visit.requests if "/events?" in one.url]) <= 4


def fill_in(visit: Visit, setting: str, value: str) -> None:
    visit.tab_to(visit.page.get_by_label(setting))
    visit.press("Control+a")
    visit.page.keyboard.type(value)


def grows_and_is_renewed(curve: Locator, samples: Locator) -> None:
    def points() -> int:
        return (curve.get_attribute("d") or "").count("L")

    samples.wait_for(timeout=1000 * TRAINED)
    before, drawn = points(), pixels(samples)
    eventually(lambda: points() > before, TRAINED)
    eventually(lambda: not np.array_equal(pixels(samples), drawn), TRAINED)


@on_studio
def test_a_run_started_by_keyboard_alone_adds_to_its_curve_and_shows_newer_samples(visit: Visit) -> None:
    visit.go("training")
    visit.tab_to(visit.button("New run"))
    visit.press("Enter")
    visit.tab_to(visit.page.get_by_role("radio", checked=True))
    with visit.page.expect_response("**/recipes/digits-gan"):
        while not visit.page.get_by_role("radio", name="digits-gan", exact=True).is_checked():
            visit.press("ArrowUp")
    visit.tab_to(visit.page.get_by_label("Name of the run"))
    visit.page.keyboard.type("by-keyboard")
    # Long enough to be stopped, and no more where it is not.
    fill_in(visit, "Epochs", "4")
    visit.tab_to(visit.page.get_by_text("All settings"))
    visit.press("Enter")
    fill_in(visit, "tick images", "200")
    fill_in(visit, "sample images", "200")
    visit.tab_to(visit.button("Start training"))
    visit.press("Enter")
    run = visit.page.get_by_role("article")
    run.get_by_text("digits-gan · running").wait_for()
    assert not visit.lost
    curve = run.get_by_role("img", name="Losses").locator("path").first
    samples = run.get_by_role("img", name="Newest samples")
    for _ in range(2):
        grows_and_is_renewed(curve, samples)
    assert "digits-gan · running" in run.inner_text()
    visit.tab_to(visit.button("Stop"))
    visit.press("Enter")
    visit.button("Resume").wait_for(timeout=1000 * TRAINED)
    assert visit.has_keyboard(visit.button("Resume"))
