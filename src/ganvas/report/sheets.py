"""The pictures of a report: sample sheets as a filmstrip, as an animation, large, and side by side."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from ganvas.report.record import SampleFile
from ganvas.report.words import count, percent

FILMSTRIP_FRAMES = 12
ANIMATION_FRAMES = 40
# Shares of the 5 MB that a report may take; base64 makes every byte four thirds of one.
FRAME_BYTES = 40_000
ANIMATION_BYTES = 1_300_000
LARGE_BYTES = 450_000
# Longest side in pixels and WebP quality, tried in this order until the animation is small enough.
ANIMATION_ATTEMPTS = ((620, 60), (420, 60), (300, 50), (200, 40), (100, 30))
SMALLEST_SIDE = 64

_INK = (28, 37, 48)
_QUIET = (91, 102, 117)
_STRIP = (20, 24, 30)
_STRIP_INK = (232, 236, 241)
_BAR = (86, 180, 233)


@dataclass(frozen=True)
class Comparison:
    """A sheet to show beside others: what drew it, the picture, the share of asked classes met, a remark."""

    title: str
    image: Image.Image
    asked_accuracy: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Sheet:
    """A decoded sheet of samples (mode RGB) and the images seen when it was drawn."""

    images: int
    picture: Image.Image


def evenly(total: int, at_most: int) -> list[int]:
    """At most ``at_most`` indices of ``range(total)``, evenly spread, the first and the last among them."""
    if total <= at_most:
        return list(range(total))
    if at_most == 1:
        return [total - 1]
    return [round(step * (total - 1) / (at_most - 1)) for step in range(at_most)]


def open_sheets(samples: Sequence[SampleFile], notes: list[str]) -> list[Sheet]:
    """Decode up to ``ANIMATION_FRAMES`` sheets, first and last among them; unreadable ones become a note."""
    sheets: list[Sheet] = []
    unreadable: list[str] = []
    remaining = list(samples)
    # The last sheet matters most: step back from unreadable ones before spreading the choice.
    while remaining and not sheets:
        last = _open(remaining[-1])
        if last is not None:
            sheets.append(last)
        else:
            unreadable.append(remaining[-1].path.name)
            remaining.pop()
    for index in evenly(len(remaining), ANIMATION_FRAMES)[:-1]:
        sheet = _open(remaining[index])
        if sheet is not None:
            sheets.insert(len(sheets) - 1, sheet)
        else:
            unreadable.append(remaining[index].path.name)
    if unreadable:
        notes.append(f"Sample sheets that could not be read are left out: {', '.join(sorted(unreadable))}.")
    return sheets


def _open(sample: SampleFile) -> Sheet | None:
    try:
        with Image.open(sample.path) as picture:
            return Sheet(sample.images, picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # Pillow's ways to say "damaged"
        return None


def large(picture: Image.Image, most_bytes: int = LARGE_BYTES) -> str:
    """A data URI of ``picture`` to show large: small ones are enlarged by whole pixels and stay crisp."""
    picture = picture.convert("RGB")
    factor = max(1, 1100 // max(picture.size))
    picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    crisp = _webp(picture, lossless=True)
    return _data_uri(crisp) if len(crisp) <= most_bytes else still(picture, side=1100, most_bytes=most_bytes)


def still(picture: Image.Image, *, side: int, most_bytes: int) -> str:
    """A data URI of ``picture`` no longer than ``side`` pixels and no bigger than ``most_bytes``."""
    while True:
        encoded = _webp(_within(picture, side), lossless=False)
        if len(encoded) <= most_bytes or side <= SMALLEST_SIDE:
            return _data_uri(encoded)
        side = max(SMALLEST_SIDE, int(side * 0.75))


def filmstrip(sheets: Sequence[Sheet]) -> list[tuple[int, str]]:
    """Up to ``FILMSTRIP_FRAMES`` pairs of images seen and data URI, evenly chosen, with first and last."""
    chosen = [sheets[index] for index in evenly(len(sheets), FILMSTRIP_FRAMES)]
    return [(sheet.images, still(sheet.picture, side=420, most_bytes=FRAME_BYTES)) for sheet in chosen]


def animation(sheets: Sequence[Sheet]) -> tuple[str, str]:
    """Data URIs of the history as an endless animated WebP and of its last frame alone.

    Every frame carries the images seen and a progress bar, so that it can be read without the page around it.
    """
    held = _webp(_frames(sheets[-1:], ANIMATION_ATTEMPTS[0][0])[0], lossless=False)
    moving = b""
    for side, quality in ANIMATION_ATTEMPTS:
        frames = _frames(sheets, side)
        durations = [160] * (len(frames) - 1) + [2400]
        buffer = io.BytesIO()
        # Method 1 takes a third of the time of the default 4 and a few per cent more room.
        options = {"duration": durations, "loop": 0, "quality": quality, "method": 1}
        frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], **options)
        moving = buffer.getvalue()
        if len(moving) <= ANIMATION_BYTES:
            break
    return _data_uri(moving), _data_uri(held)


def _frames(sheets: Sequence[Sheet], side: int) -> list[Image.Image]:
    # All frames take the last one's size, should the sheets have changed it.
    size = _enlarged(_within(sheets[-1].picture, side), side).size
    strip = max(26, size[1] // 16)
    font = ImageFont.load_default(size=strip * 0.55)
    most = max(sheet.images for sheet in sheets)
    frames = []
    for sheet in sheets:
        frame = Image.new("RGB", (size[0], size[1] + strip), _STRIP)
        enlarging = sheet.picture.width < size[0]
        how = Image.Resampling.NEAREST if enlarging else Image.Resampling.LANCZOS
        frame.paste(sheet.picture.resize(size, how), (0, 0))
        draw = ImageDraw.Draw(frame)
        share = sheet.images / most if most else 1.0
        draw.rectangle((0, size[1], max(1, int(share * size[0])) - 1, size[1] + 2), fill=_BAR)
        text = f"{count(sheet.images)} images seen"
        draw.text((strip // 3, size[1] + 2 + (strip - 2) // 2), text, fill=_STRIP_INK, font=font, anchor="lm")
        frames.append(frame)
    return frames


def side_by_side(sheets: Sequence[Comparison]) -> Image.Image:
    """One RGB picture with the sheets in a row, each under its title and share, at a common height.

    Raises:
        ValueError: ``sheets`` is empty.
    """
    if not sheets:
        raise ValueError("side_by_side needs at least one sheet")
    tallest = max(sheet.image.height for sheet in sheets)
    height = tallest * max(1, 900 // tallest)
    pictures = [_to_height(sheet.image.convert("RGB"), height) for sheet in sheets]
    gap, title_size, line_size = 40, 32, 21
    title_font, line_font = ImageFont.load_default(size=title_size), ImageFont.load_default(size=line_size)
    widths = [
        math.ceil(max(picture.width, title_font.getlength(sheet.title)))
        for picture, sheet in zip(pictures, sheets, strict=True)
    ]
    # Pillow's own font has no middle dot.
    texts = [
        _wrapped(caption(sheet).replace("·", "-"), line_font, width)
        for sheet, width in zip(sheets, widths, strict=True)
    ]
    top = gap + title_size + max(text.count("\n") + 1 for text in texts) * (line_size + 6) + 30
    canvas = Image.new("RGB", (sum(widths) + gap * (len(sheets) + 1), top + height + gap), "white")
    draw = ImageDraw.Draw(canvas)
    left = gap
    for picture, sheet, text, width in zip(pictures, sheets, texts, widths, strict=True):
        draw.text((left, gap), sheet.title, fill=_INK, font=title_font)
        draw.multiline_text((left, gap + title_size + 12), text, fill=_QUIET, font=line_font, spacing=6)
        canvas.paste(picture, (left, top))
        left += width + gap
    return canvas


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float) -> str:
    """The text broken between words into lines of at most ``width`` pixels."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def caption(sheet: Comparison) -> str:
    """The line under a compared sheet's title: the share that was what was asked for, and the remark."""
    asked = "" if sheet.asked_accuracy is None else f"{percent(sheet.asked_accuracy)} are what was asked for"
    return " · ".join(part for part in (asked, sheet.note) if part)


def _to_height(picture: Image.Image, height: int) -> Image.Image:
    how = Image.Resampling.NEAREST if height % picture.height == 0 else Image.Resampling.LANCZOS
    return picture.resize((max(1, round(picture.width * height / picture.height)), height), how)


def _within(picture: Image.Image, side: int) -> Image.Image:
    scale = side / max(picture.size)
    if scale >= 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _enlarged(picture: Image.Image, side: int) -> Image.Image:
    factor = max(1, side // max(picture.size))
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)


def _webp(picture: Image.Image, *, lossless: bool) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", lossless=lossless, quality=75, method=4)
    return buffer.getvalue()


def _data_uri(encoded: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(encoded).decode("ascii")
