"""For everyone: what axe finds, in the views and after what one does in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from e2e.visiting import Visit, on_studio

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
VIEWS = ("sketch", "labels", "digits", "files", "training", "compare")


@on_studio
@pytest.mark.skipif(not AXE.is_file(), reason="axe is not there: run `npm ci` in web/")
@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_and_nothing_sticks_out_on_a_phone(visit: Visit, view: str, colours: Any) -> None:
    visit.page.emulate_media(color_scheme=colours, reduced_motion="reduce")
    visit.go(view)
    if colours == "dark":
        visit.button("KO: 한국어로 보기").click()
    visit.page.wait_for_timeout(800)
    visit.page.evaluate(AXE.read_text("utf-8"))
    for width in (1280, 360):
        visit.page.set_viewport_size({"width": width, "height": 760})
        found = visit.page.evaluate("axe.run()")
        assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found["violations"]] == []
        assert visit.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
