"""Pictures that are taken home, and pictures that are brought along."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from playwright.sync_api import JSHandle

from e2e.visiting import Visit, eventually, on_studio


def saved(visit: Visit, button: str) -> npt.NDArray[np.uint8]:
    with visit.page.expect_download() as download:
        visit.button(button).click()
    return np.asarray(Image.open(download.value.path()).convert("RGB"))


def carried(visit: Visit, content: bytes, kind: str) -> JSHandle:
    """A file as it is dropped and pasted."""
    return visit.page.evaluate_handle(
        """([content, type]) => {
          const carried = new DataTransfer();
          carried.items.add(new File([new Uint8Array(content)], "some", { type }));
          return carried;
        }""",
        [list(content), kind],
    )


def bring(visit: Visit, way: str, content: bytes, kind: str = "image/png") -> None:
    if way == "choose":
        with visit.page.expect_file_chooser() as chooser:
            visit.button("Open a picture").click()
        chooser.value.set_files({"name": "some", "mimeType": kind, "buffer": content})
        return
    transfer = carried(visit, content, kind)
    if way == "drop":
        visit.sheet.dispatch_event("dragover", {"dataTransfer": transfer})
        visit.page.get_by_text("Drop the picture to draw on it").wait_for()
        visit.sheet.dispatch_event("drop", {"dataTransfer": transfer})
        eventually(lambda: visit.page.get_by_text("Drop the picture to draw on it").count() == 0)
    else:
        paste = "clipboardData => document.activeElement.dispatchEvent(new ClipboardEvent('paste', %s))"
        visit.page.evaluate(paste % "{ clipboardData, bubbles: true }", transfer)


def test_result_and_pair_are_saved_and_copied_as_they_are_shown(visit: Visit) -> None:
    visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit.go("sketch")
    visit.choose("tiny")
    assert visit.button("Save").is_disabled()
    visit.circle()
    shown, drawing = visit.settled(), visit.part("picture")
    assert drawing is not None
    assert np.array_equal(saved(visit, "Save"), shown)
    assert np.array_equal(saved(visit, "Save pair"), np.hstack([np.asarray(drawing.convert("RGB")), shown]))
    visit.button("Copy").click()
    visit.page.get_by_text("Copied.").wait_for()
    copied = visit.page.evaluate(
        """async () => {
          const [item] = await navigator.clipboard.read();
          return [...new Uint8Array(await (await item.getType("image/png")).arrayBuffer())];
        }"""
    )
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(bytes(copied))).convert("RGB")), shown)


@on_studio
def test_a_pair_that_is_saved_while_the_next_answer_is_on_its_way_is_of_one_drawing(visit: Visit) -> None:
    visit.go("sketch")
    visit.choose("tiny")
    visit.circle()
    shown, drawing = visit.settled(), visit.part("picture")
    assert drawing is not None
    asked = visit.page.evaluate("asked.length")
    visit.page.route("**/translate", lambda route: None)  # not answered until the page is left
    visit.stroke((0.1, 0.1), (0.9, 0.9))
    eventually(lambda: visit.page.evaluate("asked.length") > asked)
    pair = saved(visit, "Save pair")
    assert np.array_equal(pair, np.hstack([np.asarray(drawing.convert("RGB")), shown]))


@pytest.mark.parametrize("way", ["choose", "drop", "paste"])
def test_a_picture_that_is_brought_along_is_on_the_drawing_until_it_is_undone(visit: Visit, way: str) -> None:
    picture = Image.new("RGB", (60, 30), "#2f6fde")
    picture.paste("#ffd23f", (30, 0, 60, 30))
    file = io.BytesIO()
    picture.save(file, "PNG")
    visit.go("sketch")
    visit.choose("tiny")
    visit.circle()
    before = visit.settled()
    bring(visit, way, file.getvalue())
    # The whole of it, in the middle.
    eventually(lambda: visit.drawing()[512, 100].tolist() == [0x2F, 0x6F, 0xDE])
    after, seen = visit.settled(), visit.drawing()
    assert seen[300, 900].tolist() == [0xFF, 0xD2, 0x3F]
    assert seen[200, 512].tolist() == seen[820, 512].tolist() == [255, 255, 255]
    drawing = visit.part("picture")
    assert drawing is not None
    assert drawing.getpixel((4, 16)) == (0x2F, 0x6F, 0xDE)
    assert not np.array_equal(before, after)
    visit.button("Undo").click()
    assert np.array_equal(visit.settled(), before)


@on_studio
def test_a_file_that_is_dropped_beside_the_drawing_does_not_take_the_place_of_the_page(visit: Visit) -> None:
    visit.go("sketch")
    left_to_the_browser = visit.page.get_by_role("main").evaluate(
        "(main, dataTransfer) => main.dispatchEvent(new DragEvent('drop', "
        "{ dataTransfer, bubbles: true, cancelable: true }))",
        carried(visit, b"some", "image/png"),
    )
    assert not left_to_the_browser
    assert visit.button("Undo").is_disabled()


@on_studio
@pytest.mark.parametrize("way", ["choose", "drop"])
@pytest.mark.parametrize("kind", ["image/png", "text/plain"])
def test_a_file_that_is_no_picture_is_told_of_and_leaves_the_drawing_alone(visit: Visit, way: str, kind: str) -> None:
    visit.go("sketch")
    bring(visit, way, b"no picture", kind)
    visit.page.get_by_text("This file cannot be read as a picture.").wait_for()
    assert visit.button("Undo").is_disabled()
