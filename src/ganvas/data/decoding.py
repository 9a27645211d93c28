"""From a file to pixels: every picture format Pillow reads, upright, and NPY arrays; then to the channels asked for."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError

from ganvas.data.folders import SUFFIXES
from ganvas.errors import GanvasError
from ganvas.pictures import Pixels

Half = Literal["whole", "left", "right"]
Loaded = Image.Image | npt.NDArray[Any]
MOST_CHANNELS = 64
PAIR_SUFFIXES = (*SUFFIXES, ".npy")
_KEPT_MODES = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}
# Warning filters belong to the whole process: two threads that set and restore them would mix them up.
_FILTERS_LOCK = threading.Lock()


def load_picture(path: Path, *, pages: int = 1) -> Loaded:
    """Decode a file whole: a Pillow picture of its own mode, upright by its EXIF, or the array of an NPY file.

    Of an animation the first frame is taken; a TIFF of exactly ``pages`` > 1 grey pages becomes an array of as many
    channels, which is how many programs store them.

    Raises:
        GanvasError: missing, damaged, in no known format, or beyond Pillow's limit of pixels.
    """
    try:
        if path.suffix.lower() == ".npy":
            return _load_npy(path)
        with _open(path) as opened:
            if pages > 1 and opened.format == "TIFF" and getattr(opened, "n_frames", 1) == pages:
                return _stacked(opened, pages)
            upright = ImageOps.exif_transpose(opened)
            upright.load()
            return upright
    except GanvasError:
        raise
    except Exception as error:
        # On damaged files decoders fail with almost any type (OSError, SyntaxError, struct.error, ...).
        raise _unreadable(path, error) from error


def size_of(path: Path) -> tuple[int, int]:
    """(width, height) from the header alone, as stored.

    Raises:
        GanvasError: as for :func:`load_picture`, as far as the header shows it.
    """
    try:
        if path.suffix.lower() == ".npy":
            height, width = _mapped(path).shape[:2]
            return width, height
        with _open(path) as opened:
            return opened.size
    except GanvasError:
        raise
    except Exception as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> GanvasError:
    # A file that is not there cannot be deleted; one that is locked is not to be.
    elsewhere = isinstance(error, FileNotFoundError | PermissionError | NotADirectoryError)
    remedy = "check the path and its permissions" if elsewhere else "replace or delete the file"
    return GanvasError(f"cannot read picture '{path}': {_reason(path, error)}; {remedy}.", "damaged-picture")


def _open(path: Path) -> Image.Image:
    with _FILTERS_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(path)


def _reason(path: Path, error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"it announces more than the {Image.MAX_IMAGE_PIXELS or 0:,} pixels that are read; make it smaller"
    if isinstance(error, UnidentifiedImageError):
        if path.suffix.lower() in (".tif", ".tiff"):
            return "not a TIFF of channels that Pillow reads; save it as an .npy array of (height, width, channels)"
        return "not a picture in a known format"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _mapped(path: Path) -> npt.NDArray[Any]:
    # Mapped, not read: a header that announces more than the file holds then fails before memory is reserved.
    array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ValueError(f"an array of shape {array.shape}, expected (height, width) or (height, width, channels)")
    if array.shape[2:] > (MOST_CHANNELS,):
        raise ValueError(
            f"an array of shape {array.shape}, expected (height, width, channels) of at most {MOST_CHANNELS} channels"
        )
    if Image.MAX_IMAGE_PIXELS and array.shape[0] * array.shape[1] > Image.MAX_IMAGE_PIXELS:
        raise Image.DecompressionBombError
    return array


def _load_npy(path: Path) -> npt.NDArray[Any]:
    return np.array(_mapped(path))


def _stacked(opened: Image.Image, pages: int) -> npt.NDArray[Any]:
    layers: list[npt.NDArray[Any]] = []
    for page in range(pages):
        opened.seek(page)
        layer = np.asarray(opened)
        if layer.ndim != 2 or (layers and layer.shape != layers[0].shape):
            raise ValueError(f"a TIFF of {pages} pages that are not grey pictures of one size")
        layers.append(layer)
    return np.stack(layers, axis=2)


def halved(loaded: Loaded, half: Half, name: str) -> Loaded:
    """The left or right half of a side-by-side picture (the middle column of an odd width belongs to neither)."""
    if half == "whole":
        return loaded
    width = loaded.width if isinstance(loaded, Image.Image) else loaded.shape[1]
    each = width // 2
    if not each:
        raise GanvasError(f"{name} is {width} pixel wide, expected two pictures side by side; replace the file.")
    left = 0 if half == "left" else width - each
    if isinstance(loaded, Image.Image):
        return loaded.crop((left, 0, left + each, loaded.height))
    return loaded[:, left : left + each]


def channels_of(loaded: Loaded, channels: int, background: str, name: str) -> Pixels:
    """uint8 (H, W, channels), converted as the text of :mod:`ganvas.data.preparation` says.

    Raises:
        GanvasError: other channels than can be converted, or values that are no picture.
    """
    if isinstance(loaded, np.ndarray):
        values = _array_to_uint8(loaded, name)
        if values.shape[2] == channels:
            return values
        if values.shape[2] not in (1, 3, 4):
            raise _unfit(name, values.shape[2], channels)
        # A fourth channel is taken for transparency, as everywhere in pictures.
        loaded = Image.fromarray(values[:, :, 0] if values.shape[2] == 1 else values)
    image = _eight_bits(loaded)
    if _KEPT_MODES.get(image.mode) == channels:
        return np.array(image).reshape(image.height, image.width, channels)
    bands = _KEPT_MODES.get(image.mode, len(image.getbands()))
    if channels not in (1, 3):
        raise _unfit(name, bands, channels)
    if image.has_transparency_data:
        image = _composited(image, background)
    image = image.convert("L" if channels == 1 else "RGB")
    return np.array(image).reshape(image.height, image.width, channels)


def _unfit(name: str, found: int, wanted: int) -> GanvasError:
    return GanvasError(
        f"{name} has {found} channels, expected {wanted} (only grey, colour and transparency are converted to 1 or 3); "
        f"replace the file, or set data.source_channels or data.target_channels to {found}.",
        "picture-channels",
        {"found": found, "wanted": wanted},
    )


def _composited(image: Image.Image, background: str) -> Image.Image:
    colour = image.convert("RGBA")
    paper = Image.new("RGBA", colour.size, (*ImageColor.getrgb(background)[:3], 255))
    paper.alpha_composite(colour)
    return paper.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """The same in a mode of 8 bits a channel; palettes become the colours they stand for."""
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(_deep_grey(image))
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode in _KEPT_MODES:
        # RGB or grey with one transparent colour in the header: only as RGBA does it reach the pixels.
        return image.convert("RGBA") if "transparency" in image.info else image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _deep_grey(image: Image.Image) -> Pixels:
    values = np.asarray(image)
    if image.mode == "F":
        scale = 255.0 if float(np.nanmax(values)) <= 1.0 else 1.0
        return _rounded(np.nan_to_num(values) * scale)
    # Mode I is how 16-bit files of some formats arrive; 32-bit greys within 0..255 are plain 8-bit values.
    deep = image.mode.startswith("I;16") or int(values.max()) > 255
    return _rounded(values / 257.0 if deep else values)


def _array_to_uint8(array: npt.NDArray[Any], name: str) -> Pixels:
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise GanvasError(f"{name} has shape {array.shape}, expected (height, width) or (height, width, channels).")
    values = array.reshape(*array.shape[:2], -1)
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    if values.dtype == np.uint16:
        return _rounded(values / 257.0)
    if values.dtype == np.bool_:
        return np.where(values, np.uint8(255), np.uint8(0))
    wanted = "expected uint8, uint16, or floats in [0, 1]; convert it"
    if not np.issubdtype(values.dtype, np.floating):
        raise GanvasError(f"{name} holds values of type {values.dtype}, {wanted}.")
    low, high = float(values.min()), float(values.max())
    # Written so that NaN fails too. A little beyond is what filters leave.
    if not (low >= -1e-3 and high <= 1 + 1e-3):
        raise GanvasError(f"{name} holds floats from {low:g} to {high:g}, {wanted}.")
    return _rounded(values.astype(np.float64) * 255.0)


def _rounded(values: npt.NDArray[Any]) -> Pixels:
    pixels: Pixels = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    return pixels
