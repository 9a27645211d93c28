"""Reading IDX files, the format of MNIST and Fashion-MNIST, distrustfully.

An IDX file is big-endian: two zero bytes, a type code (0x08 = unsigned byte), the number of dimensions, each
dimension as uint32, then the values. https://yann.lecun.com/exdb/mnist/
"""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Literal, cast

import numpy as np
import numpy.typing as npt

from ganvas.data.images import LabelledImages, Split
from ganvas.data.known import recognise
from ganvas.data.sidecar import class_names_of, licence_of
from ganvas.errors import GanvasError
from ganvas.pictures import Pixels

Part = Literal["images", "labels"]
_DIMENSIONS: dict[Part, int] = {"images": 3, "labels": 1}
_PREFIXES: dict[Split, tuple[str, ...]] = {"train": ("train",), "test": ("t10k", "test")}
_AGAIN = "copy the file again, or get the set with `ganvas data download`"
_CHUNK = 1 << 20
_MOST_BYTES = 1 << 36


def is_idx_name(name: str) -> bool:
    """Whether a file of that name is one of those `read_idx_folder` looks for."""
    parts: tuple[Part, ...] = ("images", "labels")
    splits: tuple[Split, ...] = ("train", "test")
    return any(name in _spellings(split, part) for split in splits for part in parts)


def _spellings(split: Split, part: Part) -> list[str]:
    idx = f"idx{_DIMENSIONS[part]}-ubyte"
    plain = [f"{prefix}-{part}{mark}{idx}" for prefix in _PREFIXES[split] for mark in "-."]
    return [name + packed for name in plain for packed in ("", ".gz")]


def find_idx(folder: Path, split: Split, part: Part) -> Path:
    """The file of that split and part in a folder, plain or gz, in either spelling.

    Raises:
        GanvasError: there is none; the message names what was looked for.
    """
    names = _spellings(split, part)
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise GanvasError(
        f"no {split} {part} in '{folder}': looked for {names[0]} (also {', '.join(names[1:4])}), found none; "
        "put the file there, or get the set with `ganvas data download`."
    )


def read_idx(path: Path, part: Part) -> npt.NDArray[np.uint8]:
    """Read one file: images as uint8 (N, H, W), or labels as uint8 (N,).

    Raises:
        GanvasError: missing, damaged gzip, wrong magic number or type, too short, too long, or empty.
    """
    try:
        with _open(path) as stream:
            return _parse(path, part, stream)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        reason = f"gzip: {error or 'cut short'}"
        raise GanvasError(f"'{path}' is damaged ({reason}), expected a whole file; {_AGAIN}.") from error
    except OSError as error:
        raise GanvasError(f"cannot read '{path}': {error.strerror or error}; {_AGAIN}.") from error


def _open(path: Path) -> BinaryIO:
    # By content, not by name: browsers unpack .gz files on the way and keep the name.
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path)) if packed else path.open("rb")


def _parse(path: Path, part: Part, stream: BinaryIO) -> npt.NDArray[np.uint8]:
    dimensions = _DIMENSIONS[part]
    _check_magic(path, part, stream.read(4))
    header = stream.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise GanvasError(f"'{path}' ends within its header ({4 + len(header)} bytes); {_AGAIN}.")
    shape = tuple(int(n) for n in np.frombuffer(header, dtype=">u4"))
    size = math.prod(shape)
    if size == 0 or size > _MOST_BYTES:
        wanted = f"expected some {part}, and no more than fit in memory"
        raise GanvasError(f"'{path}' announces {_times(shape)} values, {wanted}; {_AGAIN}.")
    values = bytearray()
    # In pieces, and one byte more than announced: a damaged size must not reserve memory, and a file that is
    # too long must show.
    while len(values) <= size and (piece := stream.read(min(_CHUNK, size + 1 - len(values)))):
        values += piece
    if len(values) != size:
        found = "more" if len(values) > size else f"{len(values):,}"
        raise GanvasError(f"'{path}' announces {_times(shape)} = {size:,} values, found {found}; {_AGAIN}.")
    return np.frombuffer(values, dtype=np.uint8).reshape(shape)


def _check_magic(path: Path, part: Part, magic: bytes) -> None:
    wanted = bytes((0, 0, 8, _DIMENSIONS[part]))
    if magic == wanted:
        return
    if len(magic) < 4:
        raise GanvasError(f"'{path}' ends within its header ({len(magic)} bytes); {_AGAIN}.")
    other: Part = "labels" if part == "images" else "images"
    if magic == bytes((0, 0, 8, _DIMENSIONS[other])):
        mend = f"it is a file of {other}: are the two files swapped?"
    elif magic[:2] == b"\0\0" and magic[3] == wanted[3]:
        mend = f"its values have type 0x{magic[2]:02x}; convert them to unsigned bytes (0x08)."
    else:
        mend = f"it is not an IDX file of {part}; {_AGAIN}."
    raise GanvasError(f"'{path}' starts with 0x{magic.hex()}, expected 0x{wanted.hex()} (IDX {part}): {mend}")


def _times(shape: Sequence[int]) -> str:
    return " x ".join(f"{n:,}" for n in shape)


def read_idx_folder(folder: Path, split: Split) -> LabelledImages:
    """Read the train or test half of a folder of IDX files: images (N, H, W, 1).

    Class names come from ``classes.txt`` in the folder (one a line), else from the set if its images and
    labels are those of MNIST or Fashion-MNIST, else they are "0".."9". The licence line comes from
    ``licence.txt`` likewise.

    Raises:
        GanvasError: a file is missing or damaged, the counts differ, or a label has no class.
    """
    images_path, labels_path = find_idx(folder, split, "images"), find_idx(folder, split, "labels")
    labels = read_idx(labels_path, "labels")
    images: Pixels = read_idx(images_path, "images")
    if len(images) != len(labels):
        raise GanvasError(
            f"'{images_path}' holds {len(images):,} images but '{labels_path.name}' {len(labels):,} labels, "
            "expected as many; take both from the same set."
        )
    # Both, since sets made from MNIST (MNIST-C and others) keep its labels.
    known = recognise(_sha256(labels), _sha256(images))
    names = class_names_of(folder) or (known.class_names if known else tuple("0123456789"))
    highest = int(labels.max())
    if highest >= len(names):
        at = int(np.argmax(labels >= len(names)))
        raise GanvasError(
            f"'{labels_path}' holds label {int(labels[at])} at position {at:,} (highest: {highest}), expected "
            f"0..{len(names) - 1}; name more classes in '{folder / 'classes.txt'}', one a line."
        )
    return LabelledImages(
        images=images[:, :, :, None],
        labels=labels.astype(np.int64),
        class_names=names,
        source=f"{known.title if known else folder.resolve().name} ({split})",
        licence=licence_of(folder) or (known.licence if known else "unknown"),
    )


def _sha256(values: npt.NDArray[np.uint8]) -> str:
    """The checksum of the unpacked file that these values were read from."""
    total = hashlib.sha256(bytes((0, 0, 8, values.ndim)) + np.array(values.shape, dtype=">u4").tobytes())
    total.update(values.data)
    return total.hexdigest()
