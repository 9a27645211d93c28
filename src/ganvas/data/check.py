"""Looking through data before a run: everything that is wrong, at once."""

from __future__ import annotations

import hashlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ganvas.data.digits import DIGITS_FOLDER
from ganvas.data.findings import CheckReport as CheckReport
from ganvas.data.findings import Seen, Severity, add_duplicates
from ganvas.data.folders import SUFFIXES, Listed, Listing, list_class_folders
from ganvas.data.idx import read_idx_folder
from ganvas.data.images import LabelledImages, Split
from ganvas.data.labelled import kind_of
from ganvas.errors import GanvasError
from ganvas.pictures import read_picture

_SPLITS: tuple[Split, ...] = ("train", "test")


def check(path: Path | None, *, size: int | None = None, channels: int | None = None) -> CheckReport:
    """Read all data of a kind `open_labelled` knows and report everything that is wrong.

    Args:
        path: None for the embedded digits; else a folder of IDX files or of class folders.
        size: side in pixels they are meant for; smaller pictures are then noted.
        channels: 1 or 3, what they are meant for; colour that would be lost is then noted.

    Raises:
        GanvasError: there is no such folder, or it holds neither kind.
    """
    if path is None or kind_of(path) == "idx":
        report = CheckReport(str(path or "embedded digits"), "embedded digits" if path is None else "idx")
        _check_idx(path or DIGITS_FOLDER, report)
        colours = 0
    else:
        report = CheckReport(str(path), "class folders")
        colours = _check_class_folders(path, report)
    _check_classes(report)
    _check_sizes(report, size)
    if channels == 1 and colours:
        what = f"{colours:,} pictures have colour"
        report.add("note", report.path, what, "they are made grey; --channels 3 keeps it")
    report.sort()
    return report


def _check_idx(folder: Path, report: CheckReport) -> None:
    seen: list[Seen] = []
    names: tuple[str, ...] = ()
    for split in _SPLITS:
        try:
            data = read_idx_folder(folder, split)
        except GanvasError as error:
            if split == "test" and "looked for" in str(error):
                report.add("warning", folder, str(error), "without it nothing can be evaluated")
            else:
                report.add("error", folder, str(error), "see the message")
            continue
        names = data.class_names
        for label, name in enumerate(names):
            report.counts.setdefault(name, {"train": 0, "test": 0})[split] = int((data.labels == label).sum())
        height, width = data.images.shape[1:3]
        sizes = Counter({f"{width} x {height}": len(data)}) + Counter(report.sizes)
        report.sizes = dict(sizes)
        seen += _look_at_arrays(data, split, report)
    add_duplicates(seen, names, report)


def _look_at_arrays(data: LabelledImages, split: Split, report: CheckReport) -> list[Seen]:
    flat = data.images.reshape(len(data), -1)
    blank = np.flatnonzero(flat.min(axis=1) == flat.max(axis=1))
    if len(blank):
        at = ", ".join(str(index) for index in blank[:5])
        what = f"{len(blank):,} pictures are of one single value"
        report.add("warning", f"{split} {at}", what, "remove them if they are empty")
    return [
        Seen(f"{split} {index}", int(label), split, hashlib.blake2b(row.data, digest_size=16).digest())
        for index, (row, label) in enumerate(zip(flat, data.labels, strict=True))
    ]


def _check_class_folders(root: Path, report: CheckReport) -> int:
    try:
        listing = list_class_folders(root)
    except GanvasError as error:
        report.add("error", root, str(error), "see the message")
        return 0
    for name in listing.class_names:
        report.counts[name] = {"train": 0, "test": 0}
    _check_strays(listing, report)
    seen: list[Seen] = []
    sizes: Counter[str] = Counter()
    colours = 0
    with ThreadPoolExecutor() as pool:
        for file, found in zip(listing.files, pool.map(_look_at_file, listing.files), strict=True):
            shown = file.path.relative_to(root).as_posix()
            report.counts[listing.class_names[file.label]][file.split] += 1
            if isinstance(found, GanvasError):
                what = str(found).removeprefix(f"cannot read picture '{file.path}': ").split(";")[0]
                report.add("error", shown, f"cannot be read: {what}", "replace or delete it")
                continue
            mode, width, height, digest = found
            sizes[f"{width} x {height}"] += 1
            colours += mode == "RGB"
            seen.append(Seen(shown, file.label, file.split, digest))
    report.sizes = dict(sizes.most_common())
    add_duplicates(seen, listing.class_names, report)
    return colours


def _look_at_file(file: Listed) -> tuple[str, int, int, bytes] | GanvasError:
    try:
        image = read_picture(file.path)
    except GanvasError as error:
        return error
    # The same picture may lie there as grey and as colour, as PNG and as BMP: compare what is seen.
    pixels = image.convert("RGB").tobytes() + repr(image.size).encode()
    return image.mode, *image.size, hashlib.blake2b(pixels, digest_size=16).digest()


def _check_strays(listing: Listing, report: CheckReport) -> None:
    for path in listing.strays:
        what = "a folder within a class, not read" if path.is_dir() else "not a picture ganvas reads"
        if path.is_file() and path.suffix.lower() in SUFFIXES:
            what = "a picture outside every class, not read"
        shown = path.relative_to(listing.root).as_posix()
        report.add("warning", shown, what, "move it out, or make it a PNG or JPEG in a class folder")


def _check_classes(report: CheckReport) -> None:
    if not report.counts:
        return
    for name, count in report.counts.items():
        if not count["train"]:
            severity: Severity = "error" if report.kind == "class folders" else "warning"
            found = f"only {count['test']:,} test pictures" if count["test"] else "no pictures"
            report.add(severity, name, f"the class has {found}", "add training pictures or remove the class")
        elif not count["test"] and any(other["test"] for other in report.counts.values()):
            report.add("note", name, "the class has no test pictures", "it is not evaluated; add pictures")
    if not any(count["test"] for count in report.counts.values()) and report.kind == "class folders":
        remedy = "add pictures, or a test/ folder of classes"
        report.add("warning", report.path, "there are no test pictures", remedy)
    if len(report.counts) == 1:
        remedy = "a label then asks for nothing; add a second class folder"
        report.add("warning", report.path, "there is only one class", remedy)


def _check_sizes(report: CheckReport, size: int | None) -> None:
    if len(report.sizes) > 1:
        several = f"pictures have {len(report.sizes):,} different sizes"
        report.add("note", report.path, several, "each is centre-cropped to a square and resized")
    if size is not None:
        small = sum(n for shown, n in report.sizes.items() if min(map(int, shown.split(" x "))) < size)
        if small:
            what = f"{small:,} pictures are smaller than {size}"
            report.add("note", report.path, what, "they are enlarged; a smaller --size is sharper")
