"""Several models on one drawing."""

from __future__ import annotations

from pathlib import Path

import ganvas
from e2e.visiting import Visit, eventually, levels_apart


def test_two_models_draw_side_by_side_from_one_drawing(visit: Visit, runs: Path) -> None:
    visit.go("compare")
    visit.circle()
    shown = [visit.settled(number) for number in (0, 1)]
    assert [one.shape for one in shown] == [(128, 128, 3), (32, 32, 3)]
    drawing = visit.drawing_of(32)
    assert levels_apart(shown[1], ganvas.load(runs / "tiny.safetensors").translate(drawing)) <= 2
    visit.button("tiny").click()
    eventually(lambda: visit.page.get_by_role("img", name="Result").count() == 1)


def test_a_model_of_label_maps_begins_a_comparison_of_its_own(visit: Visit, runs: Path) -> None:
    visit.go("compare")
    visit.page.get_by_role("button", name="street").click()
    visit.button("Road").wait_for()
    eventually(lambda: visit.page.get_by_role("img", name="Result").count() == 1)
    after = visit.settled()
    picture = visit.part("picture")
    assert picture is not None
    assert levels_apart(after, ganvas.load(runs / "street").translate(picture)) <= 2
    visit.button("tiny").click()
    eventually(lambda: visit.button("Road").count() == 0)
    visit.circle()
    assert visit.settled().shape == (32, 32, 3)
