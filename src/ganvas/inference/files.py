"""Translating files and folders of pictures: what is read, what its result is called, and how it is written.

A result has the name and the kind of file of its picture (a JPEG becomes a JPEG), so that no two pictures share one;
where Pillow cannot write that kind well, or a label map would lose by it, ``.png`` is added. Folders keep their
sub-folders, also linked ones. The folder for the results must lie apart from the pictures; files of the same name in
it, such as the results of an earlier call, are replaced.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganvas.data.decoding import PAIR_SUFFIXES
from ganvas.data.pairs.listed import pictures_in, strays_in
from ganvas.errors import GanvasError, UsageError
from ganvas.files import atomic_write
from ganvas.pictures import Pixels, to_pil

# Format and what is passed to Pillow: without loss, or hardly any (JPEG: no thinned-out colours either).
_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".bmp": ("BMP", {}),
    ".tif": ("TIFF", {"compression": "tiff_deflate"}),
    ".tiff": ("TIFF", {"compression": "tiff_deflate"}),
    ".webp": ("WEBP", {"lossless": True}),
}
_LOSSY = (".jpg", ".jpeg")


@dataclass(frozen=True)
class Translated:
    """What became of one picture: the files that were written, or what was wrong with it."""

    picture: Path
    written: tuple[Path, ...] = ()
    refusal: GanvasError | None = None

    @property
    def error(self) -> str | None:
        """One line that says what was wrong."""
        return None if self.refusal is None else str(self.refusal)


@dataclass(frozen=True)
class Job:
    """A picture and the file that its result goes to."""

    picture: Path
    target: Path


class Translations:
    """The pictures of a call, translated one by one while this is iterated; ``len`` counts them.

    Attributes:
        jobs: pictures and the files they become.
        left_out: files of the given folders that are no pictures.
    """

    def __init__(
        self, jobs: Sequence[Job], left_out: Sequence[Path], draw: Callable[[Path], Iterable[Pixels]], varied: bool
    ) -> None:
        self.jobs = tuple(jobs)
        self.left_out = tuple(left_out)
        self._draw = draw
        self._varied = varied

    def __len__(self) -> int:
        return len(self.jobs)

    def __iter__(self) -> Iterator[Translated]:
        """Translate and write; a picture that cannot be translated is told of, and the next one's turn comes.

        Raises:
            GanvasError: a result cannot be written; it would be no better with the next.
        """
        for job in self.jobs:
            written: list[Path] = []
            refusal = None
            results = iter(self._draw(job.picture))
            while True:
                # Only what goes wrong with this picture is its own; that a disk is full is not.
                try:
                    pixels = next(results)
                    path = _numbered(job.target, len(written) + 1) if self._varied else job.target
                    data = encoded(pixels, path)
                except StopIteration:
                    break
                except GanvasError as found:
                    refusal = found
                    break
                atomic_write(path, data)
                written.append(path)
            yield Translated(job.picture, tuple(written), refusal)


def find_jobs(
    inputs: Sequence[str | Path], out: Path, channels: int, *, exact: bool = False
) -> tuple[list[Job], list[Path]]:
    """What to do for pictures and folders of them, and the files of the folders that are no pictures.

    Args:
        inputs: pictures and folders.
        out: the folder for the results.
        channels: of the results.
        exact: whether results must keep their very colours, which no JPEG does.

    Raises:
        UsageError: nothing to do; ``out`` is a file, holds pictures or lies among them; two results of one name.
        GanvasError: a folder cannot be read.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out '{out}' is a file: expected a folder")
    found: list[tuple[Path, Path]] = []
    left_out: list[Path] = []
    for given in map(Path, inputs):
        if not given.is_dir():
            # A pipe would be waited for without end.
            if given.exists() and not given.is_file():
                raise UsageError(f"'{given}' is neither a file nor a folder: expected pictures and folders of them")
            found.append((given, Path(given.name)))
            continue
        _check_apart(given, out)
        try:
            pictures = list(pictures_in(given))
            left_out += strays_in(given, set(pictures))
        except OSError as error:
            raise GanvasError(f"cannot read folder '{error.filename or given}': {error.strerror or error}") from error
        if not pictures:
            raise UsageError(f"folder '{given}' holds no pictures: expected {', '.join(PAIR_SUFFIXES)}")
        found += [(file, file.relative_to(given)) for file in pictures]
    if not found:
        raise UsageError("no pictures given: expected files or folders")
    # The same file twice, once by its name and once in its folder, is translated once.
    own: dict[str, Job] = {}
    for picture, name in found:
        own.setdefault(os.path.abspath(picture), Job(picture, out / _result_name(name, channels, exact)))
    jobs = list(own.values())
    _check_targets(jobs, out)
    return jobs, left_out


def encoded(pixels: Pixels, path: Path) -> bytes:
    """(H, W, C) as the bytes of a file of the kind that the ending of ``path`` tells.

    Raises:
        GanvasError: a picture that large cannot be of that kind.
    """
    buffer = io.BytesIO()
    ending = path.suffix.lower()
    if ending == ".npy":
        np.save(buffer, pixels)
        return buffer.getvalue()
    kind, settings = _FORMATS[ending]
    try:
        to_pil(pixels).save(buffer, kind, **settings)
    except (OSError, ValueError) as error:
        raise GanvasError(f"cannot make {kind} of '{path}' ({error}): give the picture as PNG") from error
    return buffer.getvalue()


def as_image(pixels: Pixels, model: str) -> Image.Image:
    """(H, W, C) as a Pillow picture.

    Raises:
        UsageError: there are other channels than 1 or 3.
    """
    if pixels.shape[2] not in (1, 3):
        raise UsageError(
            f"model '{model}' draws {pixels.shape[2]} channels, which is no picture of grey or colour: "
            "use translate_files, which writes .npy arrays",
            "result-channels",
            {"model": model, "channels": pixels.shape[2]},
        )
    return to_pil(pixels)


def _result_name(name: Path, channels: int, exact: bool) -> Path:
    ending = name.suffix.lower()
    if channels not in (1, 3):
        return name if ending == ".npy" else name.with_name(f"{name.name}.npy")
    kept = (ending in _FORMATS or ending == ".npy") and not (exact and ending in _LOSSY)
    return name if kept else name.with_name(f"{name.name}.png")


def _numbered(path: Path, number: int) -> Path:
    """name.png -> name-1.png."""
    return path.with_name(f"{path.stem}-{number}{path.suffix}")


def _check_apart(folder: Path, out: Path) -> None:
    """Which files of a shared folder are pictures and which are earlier results could only be guessed."""
    if folder.resolve() in out.resolve().parents:
        raise UsageError(
            f"--out '{out}' lies in '{folder}', the pictures to translate: choose a folder outside of it, "
            "which keeps them safe"
        )


def _check_targets(jobs: Sequence[Job], out: Path) -> None:
    aside = out.resolve()
    holders = {folder.resolve() for folder in {job.picture.parent for job in jobs}}
    holders |= {job.picture.resolve().parent for job in jobs if job.picture.is_symlink()}
    results = {folder.resolve() for folder in {job.target.parent for job in jobs}}
    if holders & results or any(holder.is_relative_to(aside) for holder in holders):
        raise UsageError(f"--out '{out}' holds the pictures to translate: choose another folder, which keeps them safe")
    first: dict[Path, Path] = {}
    for job in jobs:
        other = first.setdefault(job.target, job.picture)
        if other != job.picture:
            raise UsageError(
                f"'{other}' and '{job.picture}' would both become '{job.target}': rename one, or give the folder "
                "that holds both"
            )
