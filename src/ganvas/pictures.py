"""Arrays and pictures, both ways: the lowest layer, on numpy and Pillow alone.

Arrays are ``uint8`` of shape (N, H, W, C) or (H, W, C), C being 1 (grey) or 3 (red, green, blue). What
prepares a picture for training (`read_picture`, then `fit`) prepares it for inference too.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

from ganvas.errors import GanvasError
from ganvas.files import atomic_write

Pixels = npt.NDArray[np.uint8]
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_INK = (60, 60, 60)
# Pillow's own font is Latin only; the first of these that is installed draws every other script.
_OTHER_SCRIPTS = ("NotoSansCJK-Regular.ttc", "malgun.ttf", "AppleSDGothicNeo.ttc", "DejaVuSans.ttf")


def to_uint8(images: npt.NDArray[np.floating[Any]]) -> Pixels:
    """Values in [-1, 1] to 0..255, rounded to the nearest and clipped; the shape stays.

    Raises:
        GanvasError: a value is not a number, which only a diverged or damaged model draws.
    """
    scaled = np.asarray(images, dtype=np.float32) * np.float32(127.5) + np.float32(127.5)
    if np.isnan(scaled).any():
        raise GanvasError(
            "the pictures hold values that are not numbers (NaN), expected values in [-1, 1]: "
            "the model is damaged or its training diverged; use an earlier one.",
            "no-numbers",
        )
    pixels: Pixels = np.rint(np.clip(scaled, 0.0, 255.0)).astype(np.uint8)
    return pixels


def to_pil(array: Pixels) -> Image.Image:
    """One (H, W, C) array, C in {1, 3}, as a Pillow picture of mode L or RGB."""
    if array.ndim != 3 or array.shape[2] not in (1, 3):
        raise ValueError(f"expected an array (H, W, 1) or (H, W, 3), found {array.shape}")
    return Image.fromarray(np.ascontiguousarray(array[:, :, 0] if array.shape[2] == 1 else array))


def read_picture(path: Path) -> Image.Image:
    """Read a picture of any size and mode upright as 8-bit grey (L) or colour (RGB).

    Transparency is laid on white, 16 bits are rounded to 8, the camera's orientation is applied, and of an
    animation the first frame is taken.

    Raises:
        GanvasError: the file is missing or is not a picture Pillow can decode whole.
    """
    try:
        with warnings.catch_warnings(), Image.open(path) as opened:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return _eight_bits(ImageOps.exif_transpose(opened))
    except Exception as error:
        # On damaged files decoders fail with almost any type (OSError, SyntaxError, struct.error, ...).
        if isinstance(error, UnidentifiedImageError):
            reason = "not a picture in a known format"
        elif isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        else:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise GanvasError(f"cannot read picture '{path}': {reason}; replace or delete the file.") from error


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(_deep_grey(image))
    if image.mode == "1":
        return image.convert("L")
    if image.has_transparency_data:
        colour = image.convert("RGBA")
        paper = Image.new("RGBA", colour.size, (255, 255, 255, 255))
        paper.alpha_composite(colour)
        return paper.convert("L" if image.mode in ("LA", "La") else "RGB")
    if image.mode == "L":
        image.load()
        return image.copy()
    return image.convert("RGB")


def _deep_grey(image: Image.Image) -> Pixels:
    values = np.asarray(image).astype(np.float64)
    if image.mode == "F":
        scale = 255.0 if float(np.nanmax(values)) <= 1.0 else 1.0
        return np.rint(np.clip(np.nan_to_num(values) * scale, 0, 255)).astype(np.uint8)
    # Mode I is how 16-bit files of some formats arrive; 32-bit greys within 0..255 are plain 8-bit values.
    deep = image.mode.startswith("I;16") or float(values.max()) > 255.0
    return np.rint(np.clip(values / 257.0 if deep else values, 0, 255)).astype(np.uint8)


def fit(image: Image.Image, size: int, channels: int) -> Pixels:
    """Centre-crop to a square, resize with antialiasing (Lanczos), and convert: (size, size, channels).

    A picture that already has the size keeps its very values.
    """
    image = image.convert("L" if channels == 1 else "RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    # Cropped first: with resize's own box the filter would reach beyond the square.
    image = image.crop((left, top, left + side, top + side))
    if side != size:
        image = image.resize((size, size), Image.Resampling.LANCZOS, reducing_gap=3.0)
    pixels = np.array(image, dtype=np.uint8)
    return pixels[:, :, None] if channels == 1 else pixels


def grid(
    images: Pixels,
    columns: int,
    *,
    captions: Sequence[str] | None = None,
    row_labels: Sequence[str] | None = None,
    scale: int = 1,
    gap: int = 2,
) -> Image.Image:
    """Lay pictures out on white, row by row.

    Args:
        images: (N, H, W, C) uint8.
        columns: pictures a row; the last row may be shorter.
        captions: a text under each picture (N of them; a line break starts a second line).
        row_labels: a text left of each row.
        scale: whole enlargement of every pixel.
        gap: pixels between pictures and around the sheet.

    Returns:
        The sheet, mode RGB.
    """
    count, height, width = len(images), images.shape[1] * scale, images.shape[2] * scale
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    if captions is not None and len(captions) != count:
        raise ValueError(f"expected {count} captions, found {len(captions)}")
    if row_labels is not None and len(row_labels) != rows:
        raise ValueError(f"expected {rows} row labels, found {len(row_labels)}")
    text_size = max(11, min(16, height // 4))
    lines = 1 + max((text.count("\n") for text in captions), default=0) if captions else 0
    below = lines * (text_size + 3) + 4 if lines else 0
    left = round(max((_length(text, text_size) for text in row_labels), default=0)) + 8 if row_labels else 0
    step_x, step_y = width + gap, height + below + gap
    sheet = Image.new("RGB", (left + gap + columns * step_x, gap + rows * step_y), "white")
    draw = ImageDraw.Draw(sheet)
    for index, array in enumerate(images):
        row, column = divmod(index, columns)
        x, y = left + gap + column * step_x, gap + row * step_y
        sheet.paste(to_pil(array).resize((width, height), Image.Resampling.NEAREST), (x, y))
        for number, line in enumerate(captions[index].split("\n") if captions else ()):
            text = _shorten(line, width, text_size)
            at = (x + width / 2, y + height + 3 + number * (text_size + 3))
            draw.text(at, text, fill=_INK, font=_font(text, text_size), anchor="ma")
    for row, text in enumerate(row_labels or ()):
        at = (left - 2, gap + row * step_y + height / 2)
        draw.text(at, text, fill=_INK, font=_font(text, text_size), anchor="rm")
    return sheet


def png_bytes(image: Image.Image) -> bytes:
    """The picture as a PNG file's bytes; the same picture gives the same bytes."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def save_png(image: Image.Image, path: Path) -> None:
    """Write a PNG, whole or not at all.

    Raises:
        GanvasError: the folder cannot be made or written, or the disk is full.
    """
    atomic_write(path, png_bytes(image))


def _font(text: str, size: int) -> _Font:
    if any(ord(letter) > 0x24F for letter in text):
        for name in _OTHER_SCRIPTS:
            try:
                return ImageFont.truetype(name, size)
            except OSError:
                continue
    return ImageFont.load_default(size)


def _length(text: str, size: int) -> float:
    return _font(text, size).getlength(text)


def _shorten(text: str, width: int, size: int) -> str:
    if _length(text, size) <= width:
        return text
    for end in range(len(text) - 1, 0, -1):
        if _length(text[:end] + "...", size) <= width:
            return text[:end] + "..."
    return text[:1]
