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
