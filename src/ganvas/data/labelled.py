"""The one way to labelled data, wherever it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ganvas.data.digits import embedded_digits
from ganvas.data.folders import class_folders, read_class_folders
from ganvas.data.idx import is_idx_name, read_idx_folder
from ganvas.data.images import LabelledImages as LabelledImages
from ganvas.data.images import Split as Split
from ganvas.data.known import IDX_FILES
from ganvas.errors import GanvasError

Kind = Literal["idx", "class folders"]


def kind_of(path: Path) -> Kind:
    """What a data folder holds.

    Raises:
        GanvasError: there is no such folder, or it holds neither IDX files nor class folders.
    """
    wanted = (
        f"expected a folder with IDX files ({', '.join(IDX_FILES)}, packed as .gz or not) "
        "or with one folder of pictures a class (cats/1.png, dogs/2.jpg, ...)"
    )
    if not path.exists():
        raise GanvasError(f"no data at '{path}': nothing is there, {wanted}; check --data.")
    if not path.is_dir():
        raise GanvasError(f"no data at '{path}': found a file, {wanted}; give the folder it lies in.")
    try:
        if any(is_idx_name(entry.name) for entry in path.iterdir()):
            return "idx"
        if class_folders(path):
            return "class folders"
    except OSError as error:
        raise GanvasError(f"cannot read folder '{path}': {error.strerror}; check its permissions.") from error
    raise GanvasError(f"no data at '{path}': the folder holds neither kind, {wanted}.")


def open_labelled(path: Path | None, *, size: int, channels: int, split: Split) -> LabelledImages:
    """Read a set whole into memory, its pictures as (size, size, channels).

    Args:
        path: None for the embedded digits (9,000 to train, 1,000 held out); else a folder of IDX files or of
            class folders.
        size: side of the square pictures in pixels.
        channels: 1 for grey, 3 for colour.
        split: "train" or "test".

    Raises:
        GanvasError: nothing usable is there; the message names the file and what mends it.
    """
    if channels not in (1, 3) or size < 1:
        raise GanvasError(f"cannot make pictures of size {size} with {channels} channels: use 1 or 3 channels.")
    if path is None:
        return embedded_digits(split).resized(size, channels)
    if kind_of(path) == "idx":
        return read_idx_folder(path, split).resized(size, channels)
    return read_class_folders(path, size=size, channels=channels, split=split)
