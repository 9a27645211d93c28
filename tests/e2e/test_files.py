"""Many files at once."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import ganvas
from e2e.visiting import Visit, levels_apart


def test_many_files_come_back_as_one_archive_and_a_broken_one_is_named(
    visit: Visit, tmp_path: Path, runs: Path
) -> None:
    for number in range(20):
        drawing = Image.new("RGBA", (40, 30 + number), (250, 240, 30, 0))
        ImageDraw.Draw(drawing).ellipse((5, 5, 30, 25), (200, 10 * number, 40, 255), (0, 0, 0, 255), 2)
        drawing.save(tmp_path / f"drawing-{number}.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    visit.go("files")
    visit.choose("tiny")
    visit.page.locator("input[type=file]").set_input_files(sorted(tmp_path.glob("*.png")))
    visit.button("Translate").click()
    with visit.page.expect_download() as download:
        visit.button("Download ZIP").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        results = {name: Image.open(io.BytesIO(archive.read(name))) for name in archive.namelist()}
        assert archive.testzip() is None
    assert sorted(results) == sorted(f"drawing-{number}.png" for number in range(20))
    model = ganvas.load(runs / "tiny.safetensors")
    for number in (0, 7, 19):
        name = f"drawing-{number}.png"
        assert levels_apart(np.asarray(results[name]), model.translate(tmp_path / name)) <= 2
    assert "broken.png" in (visit.page.text_content("main") or "")
