"""Opening pairs: decoded in threads into arrays of one size, in memory or in a mapped file that is used again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import PIL

import ganvas
from ganvas.config import PairData
from ganvas.data.pairs.images import PairImages, PairSplit
from ganvas.data.pairs.listed import Pair, PairListing
from ganvas.data.pairs.listing import check_command, list_pairs, unpacked
from ganvas.data.pairs.reading import PairReader
from ganvas.data.sidecar import licence_of
from ganvas.errors import GanvasError
from ganvas.files import atomic_path, cache_folder
from ganvas.pictures import Pixels

log = logging.getLogger(__name__)

_Assemble = Callable[[Pixels, Pixels], PairImages]
# Settings that change no pixel of a pair that is listed.
_NOT_OF_PIXELS = {"path", "layout", "size", "labels", "test_share", "cache_mb"}
_NOT_OF_PIXELS |= {"jitter", "flip", "turn", "zoom", "vary_lines", "open_outlines"}  # of a batch


def open_pairs(data: PairData, split: PairSplit, *, side: int | None = None, cache: Path | None = None) -> PairImages:
    """Read all pairs of a split as squares of one side; "val" and "test" may hold none.

    Args:
        data: which pairs and how they are read; an empty path stands for the emoji.
        split: "train", "val" (only where folders or a table name it) or "test".
        side: of the squares; ``data.size`` by default.
        cache: folder for the mapped file where the pictures take more than ``data.cache_mb``; by default
            ``ganvas/pairs`` in the user's cache.

    Raises:
        GanvasError: a pair is not whole, a file cannot be read, or there is nothing to train on; the message names it
            and the command that lists everything wrong.
    """
    side = side or data.size
    if not data.path:
        from ganvas.data.emoji import open_emoji

        return open_emoji(data, split, side)
    path = Path(data.path)
    listing = list_pairs(path, data)
    reader = PairReader(data, listing.layout, side)
    pairs = listing.of(split)

    def assemble(sources: Pixels, targets: Pixels) -> PairImages:
        groups = [listing.class_names.index(pair.group) if pair.group else 0 for pair in pairs]
        return PairImages(
            sources=sources,
            targets=targets,
            labels=np.array(groups, dtype=np.int64),
            class_names=listing.class_names,
            names=tuple(pair.name for pair in pairs),
            source_preparation=reader.preparations.source,
            target_preparation=reader.preparations.target,
            source=f"{path.resolve().name} ({split}, {listing.layout})",
            licence=_licence(path, listing.root),
        )

    with _pointing_to(check_command(path, data)):
        _refuse_problems(listing)
        if split == "train":
            _tell_left_out(listing, check_command(path, data))
        if not pairs and split == "train":
            found = " and ".join(f"{len(listing.of(other))} {other}" for other in ("val", "test"))
            raise GanvasError(
                f"no train pairs in '{path}' (found {found}), expected at least one; add some or lower data.test_share."
            )
        shapes = [(len(pairs), channels, side, side) for channels in reader.channels]
        if sum(int(np.prod(shape)) for shape in shapes) <= data.cache_mb * 1_000_000:
            return assemble(*_in_memory(reader, pairs, *shapes))
        file = (cache or cache_folder() / "pairs") / f"pairs-{_key(data, reader, pairs, side)}.npy"
        return _in_file(file, reader, pairs, side, assemble)


@contextlib.contextmanager
def _pointing_to(command: str) -> Iterator[None]:
    try:
        yield
    except GanvasError as error:
        raise type(error)(f"{error} {command}.") from error


def _refuse_problems(listing: PairListing) -> None:
    wrong = [problem for problem in listing.problems if problem.severity == "error"]
    if wrong:
        more = f" ({len(wrong) - 1:,} more problems)" if len(wrong) > 1 else ""
        raise GanvasError(f"'{wrong[0].file}' {wrong[0].what}{more}; {wrong[0].remedy}.")


def _tell_left_out(listing: PairListing, command: str) -> None:
    strays = [problem for problem in listing.problems if problem.severity == "warning"]
    if strays:
        more = f" and {len(strays) - 1:,} more" if len(strays) > 1 else ""
        log.warning("left out of training: '%s'%s (%s). %s.", strays[0].file, more, strays[0].what, command)


def _decoded(reader: PairReader, pairs: list[Pair]) -> Iterator[tuple[Pixels, Pixels]]:
    """Pairs as (C, S, S) in their order; the first failure in that order is raised."""
    # Pillow decodes outside the interpreter's lock. In pieces, so that finished pairs do not pile up.
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(pairs), 256):
            for source, target in pool.map(reader.read, pairs[start : start + 256]):
                yield np.moveaxis(source, 2, 0), np.moveaxis(target, 2, 0)


def _in_memory(
    reader: PairReader, pairs: list[Pair], source_shape: tuple[int, ...], target_shape: tuple[int, ...]
) -> tuple[Pixels, Pixels]:
    sources, targets = np.empty(source_shape, dtype=np.uint8), np.empty(target_shape, dtype=np.uint8)
    for index, (source, target) in enumerate(_decoded(reader, pairs)):
        sources[index], targets[index] = source, target
    return sources, targets


def _in_file(file: Path, reader: PairReader, pairs: list[Pair], side: int, assemble: _Assemble) -> PairImages:
    """One NPY file (N, Cs + Ct, S, S) with the fingerprint of the pairs behind it, by which damage shows."""
    of_source, of_target = reader.channels
    shape = (len(pairs), of_source + of_target, side, side)

    def mapped(path: Path) -> PairImages:
        # Copied on write, since torch wants memory that could be written; nothing is.
        array: Pixels = np.lib.format.open_memmap(path, mode="c")
        if array.shape != shape or array.dtype != np.uint8:
            raise ValueError("another file")
        return assemble(array[:, :of_source], array[:, of_source:])

    with contextlib.suppress(OSError, ValueError):
        images = mapped(file)
        if _ending(file) == images.fingerprint:
            return images
    with atomic_path(file) as temporary:
        # Written, not mapped: a full disk is then an error and not the end of the process.
        with temporary.open("wb") as stream:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(stream, header)
            for source, target in _decoded(reader, pairs):
                stream.write(source.tobytes() + target.tobytes())
        fingerprint = mapped(temporary).fingerprint
        with temporary.open("ab") as stream:
            stream.write(fingerprint.encode())
    return mapped(file)


def _ending(file: Path) -> str:
    with file.open("rb") as stream:
        stream.seek(-16, os.SEEK_END)
        return stream.read().decode("ascii", "replace")


def _key(data: PairData, reader: PairReader, pairs: list[Pair], side: int) -> str:
    """16 hex digits over all that decides the pixels: settings, programs, and each file's name, size and time."""
    settings = data.model_dump(exclude=_NOT_OF_PIXELS)
    both = reader.preparations
    digest = hashlib.sha256()
    programs = (ganvas.__version__, PIL.__version__)
    for part in (programs, side, settings, both.source.model_dump(), both.target.model_dump()):
        digest.update(json.dumps(part, sort_keys=True).encode())
    for pair in pairs:
        for path, half in ((pair.source, pair.source_half), (pair.target, pair.target_half)):
            stat = path.stat()
            entry = (str(path.absolute()), half, stat.st_size, stat.st_mtime_ns)
            digest.update(repr(entry).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def _licence(path: Path, root: Path) -> str:
    """Of the folder where the pairs lie, or one around them."""
    folders = [root, *(unpacked(path) if path.is_dir() else ())]
    return next(filter(None, map(licence_of, folders)), "unknown")
