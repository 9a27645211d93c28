"""Drawn pictures as files, in memory that does not grow with their number."""

from __future__ import annotations

import contextlib
import os
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ganvas.errors import GanvasError
from ganvas.files import atomic_path, cannot_write
from ganvas.pictures import Pixels, png_bytes, to_pil


@dataclass(frozen=True)
class Drawing:
    """A batch of drawn pictures: ``images`` uint8 (n, H, W, C) and ``labels`` int64 (n,), -1 where there is none."""

    images: Pixels
    labels: npt.NDArray[np.int64]


def write_npz(path: Path, drawings: Iterable[Drawing], total: int, picture_shape: tuple[int, int, int]) -> None:
    """``images`` uint8 (N, H, W), or (N, H, W, 3) in colour, and ``labels`` int64 (N,), as np.load reads them.

    Raises:
        GanvasError: the file cannot be written; nothing is left of it.
    """
    shape = (total, *picture_shape) if picture_shape[2] == 3 else (total, *picture_shape[:2])
    labels = np.empty(total, dtype=np.int64)
    done = 0
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        with archive.open("images.npy", "w", force_zip64=True) as images:
            np.lib.format.write_array_header_1_0(images, _npy_header(shape, np.dtype(np.uint8)))
            for drawing in drawings:
                images.write(np.ascontiguousarray(drawing.images).tobytes())
                labels[done : done + len(drawing.labels)] = drawing.labels
                done += len(drawing.labels)
        with archive.open("labels.npy", "w") as file:
            np.lib.format.write_array(file, labels)


def write_folder(folder: Path, drawings: Iterable[Drawing], class_names: Sequence[str]) -> None:
    """One PNG each, ``<number>-<class name>.png``, none of them half.

    Raises:
        GanvasError: the folder cannot be written.
    """
    temporary = folder / f".{os.getpid()}.partial"
    number = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for drawing in drawings:
            for image, label in zip(drawing.images, drawing.labels, strict=True):
                # Class names are free text ("T-shirt/top"); file names are not, and end at 255 bytes.
                name = "-" + re.sub(r"[^\w.-]+", "_", class_names[label])[:60] if class_names else ""
                # Not synced one by one, which took eight times as long as drawing and packing them.
                temporary.write_bytes(png_bytes(to_pil(image)))
                temporary.replace(folder / f"{number:06d}{name}.png")
                number += 1
    except OSError as error:
        raise GanvasError(cannot_write(folder, error)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _npy_header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> dict[str, Any]:
    return {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
