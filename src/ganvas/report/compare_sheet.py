"""The picture sheet of a comparison: inputs, what each model makes of them, and the truth, side by side."""

from __future__ import annotations

import base64
import io

from PIL import Image, ImageDraw, ImageFont

from ganvas.pictures import Pixels
from ganvas.report.compared import Compared
from ganvas.report.sheets import Comparison, side_by_side

CELL = 160  # smallest side of a cell of a PNG: below it pixels are enlarged by whole factors
GAP = 10
TITLE, NOTE = 17, 13
CELL_BYTES = 24_000  # of a picture on the page, of which there may be a hundred
_INK, _QUIET, _FRAME = (28, 37, 48), (91, 102, 117), (223, 227, 232)


def sheet(compared: Compared) -> Image.Image:
    """One RGB picture: a row a picture, a column for the input, each model and the truth, under its title and note.

    Of models that draw from labels their sheets of samples, side by side.
    """
    columns = compared.columns
    if compared.task == "label":
        return side_by_side([Comparison(one.title, Image.fromarray(one.pictures[0]), note=one.note) for one in columns])
    count, side = columns[0].pictures.shape[:2]
    scale = max(1, -(-CELL // side))
    cell = side * scale
    titles = [_wrapped(column.title, cell, TITLE) for column in columns]
    notes = [_wrapped(column.note, cell, NOTE) for column in columns]
    title_height = max(len(lines) for lines in titles) * (TITLE + 5)
    top = GAP + title_height + max(len(lines) for lines in notes) * (NOTE + 5) + 6
    size = (GAP + len(columns) * (cell + GAP), top + count * (cell + GAP))
    canvas = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)
    for number, column in enumerate(columns):
        x = GAP + number * (cell + GAP)
        for line, text in enumerate(titles[number]):
            below = title_height - (len(titles[number]) - line) * (TITLE + 5)
            draw.text((x, GAP + below), text, fill=_INK, font=ImageFont.load_default(TITLE))
        for line, text in enumerate(notes[number]):
            at = (x, GAP + title_height + line * (NOTE + 5))
            draw.text(at, text, fill=_QUIET, font=ImageFont.load_default(NOTE))
        for row, pixels in enumerate(column.pictures):
            picture = Image.fromarray(pixels).resize((cell, cell), Image.Resampling.NEAREST)
            y = top + row * (cell + GAP)
            canvas.paste(picture, (x, y))
            draw.rectangle((x - 1, y - 1, x + cell, y + cell), outline=_FRAME)
    return canvas


def data_uri(pixels: Pixels, most_bytes: int = CELL_BYTES) -> str:
    """A picture (H, W, 3) as WebP: its very values where they take no more than ``most_bytes``, else nearly so."""
    picture = Image.fromarray(pixels)
    encoded = _webp(picture, lossless=True, quality=75)
    if len(encoded) > most_bytes:
        encoded = _webp(picture, lossless=False, quality=90)
    return "data:image/webp;base64," + base64.b64encode(encoded).decode("ascii")


def _wrapped(text: str, width: int, size: int) -> list[str]:
    """Lines of at most ``width`` pixels, broken at spaces and after ``-`` and ``_``, too long words anywhere."""
    font = ImageFont.load_default(size)
    lines = [""]
    for piece in text.replace("-", "-\0").replace("_", "_\0").replace(" ", " \0").split("\0"):
        if lines[-1] and font.getlength((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        for letter in piece:
            if lines[-1] and font.getlength((lines[-1] + letter).rstrip()) > width:
                lines.append("")
            lines[-1] += letter
    return [line.rstrip() for line in lines if line.strip()]


def _webp(picture: Image.Image, *, lossless: bool, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", lossless=lossless, quality=quality, method=4)
    return buffer.getvalue()
