"""Label maps: the palette of their classes, and class ids from index pictures or from colours."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ganvas.errors import GanvasError, UsageError, nearest

Colour = tuple[int, int, int]
CAMVID: tuple[tuple[str, Colour], ...] = (
    ("Sky", (128, 128, 128)),
    ("Building", (128, 0, 0)),
    ("Pole", (192, 192, 128)),
    ("Road", (128, 64, 128)),
    ("Pavement", (60, 40, 222)),
    ("Tree", (128, 128, 0)),
    ("SignSymbol", (192, 128, 128)),
    ("Fence", (64, 64, 128)),
    ("Car", (64, 0, 128)),
    ("Pedestrian", (64, 64, 0)),
    ("Bicyclist", (0, 128, 192)),
    ("Unlabelled", (0, 0, 0)),
)
# The 19 classes that are evaluated in their usual order, the others, and what is black: unlabelled and the like.
CITYSCAPES: tuple[tuple[str, Colour], ...] = (
    ("road", (128, 64, 128)),
    ("sidewalk", (244, 35, 232)),
    ("building", (70, 70, 70)),
    ("wall", (102, 102, 156)),
    ("fence", (190, 153, 153)),
    ("pole", (153, 153, 153)),
    ("traffic light", (250, 170, 30)),
    ("traffic sign", (220, 220, 0)),
    ("vegetation", (107, 142, 35)),
    ("terrain", (152, 251, 152)),
    ("sky", (70, 130, 180)),
    ("person", (220, 20, 60)),
    ("rider", (255, 0, 0)),
    ("car", (0, 0, 142)),
    ("truck", (0, 0, 70)),
    ("bus", (0, 60, 100)),
    ("train", (0, 80, 100)),
    ("motorcycle", (0, 0, 230)),
    ("bicycle", (119, 11, 32)),
    ("parking", (250, 170, 160)),
    ("rail track", (230, 150, 140)),
    ("guard rail", (180, 165, 180)),
    ("bridge", (150, 100, 100)),
    ("tunnel", (150, 120, 90)),
    ("caravan", (0, 0, 90)),
    ("trailer", (0, 0, 110)),
    ("dynamic", (111, 74, 0)),
    ("ground", (81, 0, 81)),
    ("unlabelled", (0, 0, 0)),
)
PALETTES = {"camvid": CAMVID, "cityscapes": CITYSCAPES}
MOST_CLASSES = 255
# Of colour distance (Euclidean, 0..441): JPEG noise stays well below it but at edges.
FAR = 60.0
# A photo comes near some colour here and there, a map in JPEG stays within this but for its edges.
_UNLIKE = 40.0
MOST_UNLIKE = 0.5
_COLUMNS = ("name", "red", "green", "blue")
_DISTANCES_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Palette:
    """Names and colours of classes, in the order of their ids."""

    class_names: tuple[str, ...]
    colours: tuple[Colour, ...]


@dataclass(frozen=True, eq=False)
class LabelIds:
    """One label map: ids int32 (H, W), and the shares of its pixels far from and unlike every colour.

    Both are 0 of an index picture; "unlike" is a smaller distance, by which a photo as a whole is known.
    """

    ids: npt.NDArray[np.int32]
    far_share: float = 0.0
    unlike_share: float = 0.0


def open_palette(palette: str) -> Palette:
    """The palette of that name, or of a CSV file with the columns name, red, green, blue, in the order of the ids.

    Raises:
        UsageError: neither a known name nor a file.
        GanvasError: the file cannot be read, or a row is not a name and three values 0..255.
    """
    if palette in PALETTES:
        names, colours = zip(*PALETTES[palette], strict=True)
        return Palette(names, colours)
    path = Path(palette)
    if not path.is_file():
        raise UsageError(
            f"no palette '{palette}', expected {', '.join(PALETTES)} or a CSV file with the columns "
            f"{','.join(_COLUMNS)}; set data.palette.{nearest(palette, list(PALETTES))}"
        )
    rows = _palette_rows(path)
    names = tuple(name for name, _ in rows)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise GanvasError(f"palette '{path}' names class '{twice}' twice, expected each name once; rename one.")
    if not 1 <= len(rows) <= MOST_CLASSES:
        raise GanvasError(f"palette '{path}' has {len(rows)} classes, expected 1 to {MOST_CLASSES}; mend the file.")
    return Palette(names, tuple(colour for _, colour in rows))


def _palette_rows(path: Path) -> list[tuple[str, Colour]]:
    rows: list[tuple[str, Colour]] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True)
            if not set(_COLUMNS) <= set(reader.fieldnames or ()):
                found = ",".join(reader.fieldnames or ()) or "nothing"
                raise GanvasError(
                    f"palette '{path}' has the columns {found}, expected {','.join(_COLUMNS)}; mend its first line."
                )
            for row in reader:
                values = [row[column] or "" for column in _COLUMNS[1:]]
                if not row["name"] or not all(value.isdecimal() and int(value) <= 255 for value in values):
                    raise GanvasError(
                        f"palette '{path}', line {reader.line_num}: found '{','.join([row['name'] or '', *values])}', "
                        "expected a name and three values 0..255; mend the line."
                    )
                red, green, blue = map(int, values)
                rows.append((row["name"], (red, green, blue)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise GanvasError(f"cannot read palette '{path}': {error}; write it as UTF-8 text.") from error
    return rows


def label_ids(loaded: Image.Image | npt.NDArray[Any], colours: Sequence[Colour], ignore: int, name: str) -> LabelIds:
    """Class ids of a label map, also ids that have no class.

    Grey (8 or 16 bits), an integer array (H, W) and a palette picture hold ids; colours, also those of a palette
    that are all classes' colours, are snapped to the nearest.

    Raises:
        GanvasError: no label map: floats, or channels that are neither ids nor colours.
    """
    if isinstance(loaded, np.ndarray):
        return _from_array(loaded, colours, ignore, name)
    if loaded.mode == "P":
        return _from_palette_picture(loaded, colours, ignore)
    if loaded.mode in ("L", "1", "I") or loaded.mode.startswith("I;16"):
        values = np.asarray(loaded).astype(np.int32)
        return _greys(values, colours, ignore)
    if loaded.mode in ("F", "LA", "La"):
        raise GanvasError(f"label map {name} has mode {loaded.mode}, expected class ids or colours; replace the file.")
    return _from_colours(np.asarray(loaded.convert("RGB")), colours, ignore)


def _from_array(array: npt.NDArray[Any], colours: Sequence[Colour], ignore: int, name: str) -> LabelIds:
    values = array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if values.ndim == 2 and np.issubdtype(values.dtype, np.integer):
        return LabelIds(np.clip(values, -1, 1 << 30).astype(np.int32))
    if values.ndim == 3 and values.shape[2] == 3 and values.dtype == np.uint8:
        return _from_colours(values, colours, ignore)
    raise GanvasError(
        f"label map {name} is {array.dtype} of shape {array.shape}, expected whole class ids (height, width) "
        "or uint8 colours (height, width, 3); replace the file."
    )


def _from_palette_picture(image: Image.Image, colours: Sequence[Colour], ignore: int) -> LabelIds:
    indices = np.asarray(image)
    table = np.zeros((256, 3), dtype=np.uint8)
    stored = np.array(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
    table[: len(stored)] = stored
    used = np.flatnonzero(np.bincount(indices.reshape(-1), minlength=256))
    inks = table[used]
    grey_ramp = bool((inks == used[:, None]).all())
    ids, distances = snapped(inks, colours)
    all_ids = bool(((used < len(colours)) | (used == ignore)).all())
    # Programs that shrink files number colours as they come: then the colours say which class is meant.
    if not grey_ramp and (bool((distances == 0).all()) or (not all_ids and bool((distances <= FAR).all()))):
        lookup = np.zeros(256, dtype=np.int32)
        lookup[used] = ids
        return LabelIds(lookup[indices])
    return LabelIds(indices.astype(np.int32))


def _greys(values: npt.NDArray[np.int32], colours: Sequence[Colour], ignore: int) -> LabelIds:
    if all(red == green == blue for red, green, blue in colours):
        greys = np.array([red for red, _, _ in colours])
        used = np.unique(values)
        if np.isin(used, greys).all() and not ((used < len(greys)) | (used == ignore)).all():
            order = np.argsort(greys, kind="stable")
            return LabelIds(order[np.searchsorted(greys[order], values)].astype(np.int32))
    return LabelIds(values)


def _from_colours(pixels: npt.NDArray[np.uint8], colours: Sequence[Colour], ignore: int) -> LabelIds:
    flat = pixels.reshape(-1, 3)
    red = flat[:, 0]
    if int(red.max()) < len(colours) and bool((red[:, None] == flat).all()):
        # Ids that a program saved as grey "colours"; but a map that is all black in a palette with black is colours.
        _, distances = snapped(np.unique(flat, axis=0), colours)
        if distances.any():
            return LabelIds(pixels[:, :, 0].astype(np.int32))
    ids = np.empty(len(flat), dtype=np.int32)
    far = unlike = 0
    at_once = _DISTANCES_AT_ONCE // len(colours)
    for start in range(0, len(flat), at_once):
        piece = flat[start : start + at_once].astype(np.int32)
        packed = (piece[:, 0] << 16) | (piece[:, 1] << 8) | piece[:, 2]
        # Few colours occur often: only the different ones are compared.
        different, where, counts = np.unique(packed, return_inverse=True, return_counts=True)
        apart = np.stack([different >> 16, (different >> 8) & 255, different & 255], axis=1)
        found, distances = snapped(apart, colours)
        ids[start : start + len(piece)] = found[where]
        far += int(counts[distances > FAR].sum())
        unlike += int(counts[distances > _UNLIKE].sum())
    return LabelIds(ids.reshape(pixels.shape[:2]), far / len(flat), unlike / len(flat))


def snapped(
    pixels: npt.NDArray[Any], colours: Sequence[Colour]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """The id of the nearest colour of each of (M, 3) pixels, the lowest of equals, and its distance (M,)."""
    points, table = pixels.astype(np.float32), np.array(colours, dtype=np.float32)
    # |p - c|^2 written out; all terms are whole and below 2^24, so that float32 is exact.
    squares = (points**2).sum(1)[:, None] - 2 * points @ table.T + (table**2).sum(1)[None]
    ids = squares.argmin(axis=1)
    distances: npt.NDArray[np.float32] = np.sqrt(squares[np.arange(len(ids)), ids])
    return ids.astype(np.int32), distances


def strange_ids(found: LabelIds, classes: int, ignore: int) -> dict[int, int]:
    """Ids that have no class and are not the ignored one, with the number of their pixels."""
    strange_pixels = found.ids[((found.ids < 0) | (found.ids >= classes)) & (found.ids != ignore)]
    ids, counts = np.unique(strange_pixels, return_counts=True)
    return {int(number): int(count) for number, count in zip(ids, counts, strict=True)}


def strange_ids_text(strange: dict[int, int], classes: int) -> str:
    """``ids 37 (12 pixels), 40 (3 pixels), expected 0..11``."""
    first = [f"{number} ({count:,} pixels)" for number, count in list(strange.items())[:5]]
    more = f" and {len(strange) - 5} more" if len(strange) > 5 else ""
    return f"ids {', '.join(first)}{more}, expected 0..{classes - 1}"


def check_map(found: LabelIds, class_names: Sequence[str], ignore: int, name: str) -> None:
    """Refuse a photo, and ids without a class.

    Raises:
        GanvasError: most pixels are unlike every colour of the palette, or ids have no class; the message counts them.
    """
    if found.unlike_share > MOST_UNLIKE:
        raise GanvasError(
            f"label map {name} looks like a photo: {found.unlike_share:.0%} of its pixels are far from every colour "
            "of the palette, expected a map of class ids or in the palette's colours; give the map (in training see "
            "data.direction, data.source and data.palette).",
            "photo-as-map",
            {"percent": round(100 * found.unlike_share)},
        )
    strange = strange_ids(found, len(class_names), ignore)
    if strange:
        what = strange_ids_text(strange, len(class_names))
        raise GanvasError(
            f"label map {name} holds {what}; correct the map, give data.palette more classes, "
            "or set data.ignore to the id that means unlabelled.",
            "map-ids",
            {"most": len(class_names) - 1},
        )
