"""Looking through pairs before a run: everything that is wrong, at once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from ganvas.config import PairData
from ganvas.data.decoding import Loaded, channels_of
from ganvas.data.findings import CheckReport, Seen, Severity, add_duplicates
from ganvas.data.label_maps import MOST_UNLIKE, label_ids, snapped, strange_ids, strange_ids_text
from ganvas.data.pairs.listed import SPLITS, Findings, Pair, PairListing, pictures_in
from ganvas.data.pairs.listing import list_pairs
from ganvas.data.pairs.reading import PairPreparations, PairReader, load_sides, named
from ganvas.data.preparation import Preparation
from ganvas.errors import GanvasError
from ganvas.pictures import Pixels

# Of a mean spread between a pixel's channels (0..255): below the first a side is grey, above the second in colour.
_GREY, _COLOURFUL = 4.0, 16.0
_FAR_SHARE = 0.05
_IGNORED_SHARE = 0.5
_Finding = tuple[Severity, str, str, str]


@dataclass
class _Look:
    """What one pair showed.

    ``swapped``: its sides look exchanged; ``upright``: they look right; ``alike``: neither
    looks like a sketch of the other; ``whole``: they go on into each other as one picture does; ``photo``: a label
    map of it is a photo.
    """

    findings: list[_Finding] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    digest: bytes = b""
    swapped: bool = False
    upright: bool = False
    alike: bool = False
    whole: bool = False
    photo: bool = False
    ignored: int = 0
    mapped: int = 0
    is_map: bool = False


def check_pairs(path: Path, settings: PairData, *, size: int | None = None) -> CheckReport:
    """Read all pairs as training would and report everything that is wrong.

    Args:
        path: a folder or a table.
        settings: how the pairs are read.
        size: side in pixels they are meant for; smaller ones are then noted.

    Raises:
        GanvasError: there are no pairs at all; the message says what was found.
    """
    listing = list_pairs(path, settings)
    reader = PairReader(settings, listing.layout, settings.size)
    report = CheckReport(str(path), f"pairs: {listing.layout}", problems=list(listing.problems))
    shown = Findings(listing.root).shown
    alone = listing.layout == "pictures"
    with ThreadPoolExecutor() as pool:
        looks = list(pool.map(lambda pair: _look(pair, reader.preparations, alone=alone), listing.pairs))
    sizes: Counter[str] = Counter()
    seen: list[Seen] = []
    for pair, look in zip(listing.pairs, looks, strict=True):
        sizes.update(f"{width} x {height}" for width, height in look.sizes)
        if look.digest:
            label = listing.class_names.index(pair.group) if pair.group else 0
            seen.append(Seen(shown(pair.source), label, pair.split, look.digest))
    report.sizes = dict(sizes.most_common())
    turned = _check_sides(listing, looks, report)
    photos = _check_photos(looks, report)
    for look in looks:
        for severity, where, what, remedy in look.findings:
            # What a photo looks like as a label map says no more than that the sides are exchanged.
            if not ((turned or photos) and "of its pixels" in what):
                report.add(severity, shown(Path(where)), what, remedy)
    if listing.guessed and listing.layout == "side-by-side":
        _check_halves(looks, report)
    if listing.layout == "table":
        _check_unnamed(listing, report)
    _check_counts(listing, report)
    _check_ignored(looks, settings, report)
    if size is not None:
        small = sum(count for text, count in report.sizes.items() if min(map(int, text.split(" x "))) < size)
        if small:
            what = f"{small:,} pictures are smaller than {size}"
            report.add("note", path, what, "they are enlarged; a smaller --size is sharper")
    if len(sizes) > 1:
        report.add("note", path, f"pictures have {len(sizes):,} different sizes", f"each is fitted: {settings.fit}")
    add_duplicates(seen, listing.class_names or ("",), report, of="picture" if alone else "pair")
    report.sort()
    return report


def _look(pair: Pair, both: PairPreparations, *, alone: bool) -> _Look:
    look = _Look()
    colours = both.target.model_copy(update={"channels": 3})
    try:
        loaded = load_sides(pair, both)
    except GanvasError as error:
        at_source = str(pair.source) in str(error)
        _add_error(look, pair.source if at_source else pair.target, "", error)
        return look
    sides = [
        (pair.source, pair.source_half, loaded[0], both.source),
        (pair.target, pair.target_half, loaded[1], both.target_file),
    ]
    if alone:
        sides = [(pair.target, pair.target_half, loaded[1], colours)]
    prepared: list[Pixels] = []
    for path, half, side, preparation in sides:
        name = named(path, half)
        try:
            pixels = _look_at_map(look, path, side, preparation, name) if preparation.kind == "labels" else None
            prepared.append(preparation.from_loaded(side, "whole", name) if pixels is None else pixels)
        except GanvasError as error:
            _add_error(look, path, name, error)
            return look
        look.sizes.append((prepared[-1].shape[1], prepared[-1].shape[0]))
        if preparation.kind == "picture" and (prepared[-1] == prepared[-1][:1, :1]).all():
            where = f"the {half} half" if half != "whole" else "the picture"
            look.findings.append(("warning", str(path), f"{where} is of one single value", "remove it if it is empty"))
    digest = hashlib.blake2b(digest_size=16)
    for part in prepared:
        digest.update(repr(part.shape).encode() + part.tobytes())
    look.digest = digest.digest()
    if not alone:
        _look_at_shapes(look, pair)
        _look_for_swap(look, pair, loaded, both, prepared)
    return look


def _add_error(look: _Look, path: Path, name: str, error: GanvasError) -> None:
    text = str(error).removesuffix(".")
    for start in (f"cannot read picture '{path}': ", f"label map {name} ", f"{name} "):
        if text.startswith(start):
            text = ("cannot be read: " if start.startswith("cannot") else "") + text.removeprefix(start)
            break
    what, _, remedy = text.rpartition("; ")
    look.findings.append(("error", str(path), what or text, remedy if what else "see the message"))


def _look_at_map(look: _Look, path: Path, side: Loaded, preparation: Preparation, name: str) -> Pixels:
    found = label_ids(side, preparation.colours, preparation.ignore, name)
    classes = len(preparation.class_names)
    strange = strange_ids(found, classes, preparation.ignore)
    if strange:
        remedy = "correct the map, give the palette more classes, or say which id is ignored (--ignore)"
        look.findings.append(("error", str(path), f"holds {strange_ids_text(strange, classes)}", remedy))
    look.photo = look.photo or found.unlike_share > MOST_UNLIKE
    if found.unlike_share > MOST_UNLIKE:
        what = f"looks like a photo: {found.unlike_share:.0%} of its pixels are far from every colour of the palette"
        look.findings.append(("error", str(path), what, "replace it by the label map of the same name"))
    elif found.far_share > _FAR_SHARE:
        what = f"{found.far_share:.0%} of its pixels are far from every colour of the palette"
        look.findings.append(("warning", str(path), what, "check --palette, and that this side is the label map"))
    ignored = int((found.ids == preparation.ignore).sum()) if preparation.ignore >= 0 else 0
    if ignored > _IGNORED_SHARE * found.ids.size:
        what = f"{ignored / found.ids.size:.0%} of its pixels are unlabelled (id {preparation.ignore})"
        look.findings.append(("warning", str(path), what, "remove it if there is little to learn from"))
    look.is_map = not strange and found.far_share <= _FAR_SHARE
    look.ignored, look.mapped = look.ignored + ignored, look.mapped + found.ids.size
    return np.clip(found.ids, 0, 255).astype(np.uint8)[:, :, None]


def _look_at_shapes(look: _Look, pair: Pair) -> None:
    (width, height), (other_width, other_height) = look.sizes
    if abs(width * other_height - other_width * height) > 0.02 * max(width * other_height, other_width * height):
        what = f"source {width} x {height}, target {other_width} x {other_height}: different shapes"
        look.findings.append(
            ("warning", str(pair.source), what, "the sides will not lie on each other; cut one to fit")
        )
    elif (width, height) != (other_width, other_height):
        what = f"source {width} x {height}, target {other_width} x {other_height}"
        look.findings.append(("note", str(pair.source), what, "both are resized, nothing to do"))


def _look_for_swap(
    look: _Look, pair: Pair, loaded: tuple[Loaded, Loaded], both: PairPreparations, prepared: list[Pixels]
) -> None:
    kinds = (both.source.kind, both.target_file.kind)
    if kinds == ("picture", "picture"):
        spread = [_spread(pixels) for pixels in prepared]
        look.swapped = spread[0] > _COLOURFUL and spread[1] < _GREY
        look.upright = spread[0] < _GREY and spread[1] > _COLOURFUL
        left, right = prepared if pair.source_half == "left" else prepared[::-1]
        look.alike = not (look.swapped or look.upright)
        look.whole = look.alike and _goes_on(left, right)
    elif kinds[0] != kinds[1]:
        at = kinds.index("labels")
        other_is_map = _looks_like_map(loaded[1 - at], (both.source, both.target_file)[at])
        if look.is_map and other_is_map:
            what = "looks like a label map, where a photo is expected"
            at_picture = str((pair.source, pair.target)[1 - at])
            look.findings.append(("warning", at_picture, what, "replace it by the photo of the same name"))
        look.swapped, look.upright = other_is_map and not look.is_map, look.is_map and not other_is_map


def _goes_on(left: Pixels, right: Pixels) -> bool:
    """Whether the columns where two halves meet differ no more than columns beside each other do within them."""
    if left.shape != right.shape or left.shape[1] < 4:
        return False
    ends = left[:, -4:].astype(np.int16), right[:, :4].astype(np.int16)
    within = float(np.mean([np.abs(np.diff(end, axis=1)).mean() for end in ends]))
    # Plain borders, as of drawings on white, say nothing; of an odd width a column is left out between.
    return within >= 1.0 and float(np.abs(ends[0][:, -1] - ends[1][:, 0]).mean()) <= 3.0 * within


def _spread(pixels: Pixels) -> float:
    """Mean difference between a pixel's largest and smallest channel: 0 where grey."""
    colour = pixels[::4, ::4, :3].astype(np.int16) if pixels.shape[2] in (3, 4) else pixels[:1, :1, :1].astype(np.int16)
    return float((colour.max(axis=2) - colour.min(axis=2)).mean())


def _looks_like_map(side: Loaded, maps: Preparation) -> bool:
    try:
        if isinstance(side, Image.Image) and side.mode not in ("P", "L", "I", "I;16"):
            points = channels_of(side, 3, "white", "")[::4, ::4].reshape(-1, 3)
            return float((snapped(points, maps.colours)[1] <= 24).mean()) > 0.8
        found = label_ids(side, maps.colours, maps.ignore, "")
    except GanvasError:
        return False
    return found.far_share < 0.01 and not strange_ids(found, len(maps.class_names), maps.ignore)


def _check_sides(listing: PairListing, looks: Sequence[_Look], report: CheckReport) -> bool:
    """Report exchanged sides, of all pairs at once or of single ones; whether it was all."""
    swapped = [pair for pair, look in zip(listing.pairs, looks, strict=True) if look.swapped]
    upright = sum(look.upright for look in looks)
    if swapped and len(swapped) > upright and 2 * len(swapped) > len(looks):
        what = f"the sides of {len(swapped):,} of {len(looks):,} pairs look exchanged"
        remedy = "is --direction right? (the target is what the model shall draw)"
        report.add("warning", report.path, what, remedy)
        return True
    # A few odd ones among clear others; without others it may be how this data is.
    if upright > len(swapped):
        for pair in swapped:
            where = Findings(listing.root).shown(pair.source)
            report.add("warning", where, "its sides look exchanged", "compare it with the others; swap its sides")
    return False


def _check_photos(looks: Sequence[_Look], report: CheckReport) -> bool:
    """Report that most label maps are photos, which then says it all; whether it is so."""
    photos = sum(look.photo for look in looks)
    if not photos or 2 * photos <= len(looks):
        return False
    what = f"{photos:,} of {len(looks):,} label maps look like photos: far from every colour of the palette"
    remedy = "check --direction, --source and --target (which side is the label map), and --palette"
    report.add("error", report.path, what, remedy)
    return True


def _check_halves(looks: Sequence[_Look], report: CheckReport) -> None:
    """Warn of single pictures that happen to be twice as wide as high; shapes alone took them for pairs."""
    whole, alike = (sum(getattr(look, name) for look in looks) for name in ("whole", "alike"))
    remedy = "if not, --layout pictures, or a layout.txt beside them that says pictures"
    if 2 * whole > len(looks):
        what = f"{whole:,} of {len(looks):,} pictures go on across their middle: are they pairs, side by side?"
        report.add("warning", report.path, what, remedy)
    elif 2 * alike > len(looks):
        what = "taken for pairs, being twice as wide as high, but no half looks like a sketch of the other: are they?"
        report.add("note", report.path, what, remedy)


def _check_unnamed(listing: PairListing, report: CheckReport) -> None:
    named = {path.resolve() for pair in listing.pairs for path in (pair.source, pair.target)}
    unnamed = [path for path in pictures_in(listing.root) if path.resolve() not in named]
    if unnamed:
        first = Findings(listing.root).shown(unnamed[0])
        what = f"{len(unnamed):,} pictures beside the table are in no pair, first {first}"
        report.add("note", listing.root, what, "add rows for them, or leave them out")


def _check_counts(listing: PairListing, report: CheckReport) -> None:
    for name in listing.class_names or ("pairs",):
        of_class = [pair for pair in listing.pairs if not listing.class_names or pair.group == name]
        report.counts[name] = {split: sum(pair.split == split for pair in of_class) for split in SPLITS}
        if listing.class_names and not report.counts[name]["train"]:
            report.add("warning", name, "the class has no train pairs", "the model cannot learn it; add some")
    if not listing.of("train"):
        report.add("error", report.path, "there are no train pairs", "add some, or a train/ folder")
    if not listing.of("test") and not listing.of("val"):
        report.add("warning", report.path, "there are no test pairs", "without them nothing can be evaluated")
    if len(listing.class_names) == 1:
        report.add("warning", report.path, "there is only one class", "a label then asks for nothing; add a second")


def _check_ignored(looks: Sequence[_Look], settings: PairData, report: CheckReport) -> None:
    ignored, mapped = (sum(getattr(look, name) for look in looks) for name in ("ignored", "mapped"))
    if ignored:
        what = f"{ignored / mapped:.1%} of all pixels of label maps are unlabelled (id {settings.ignore})"
        report.add("note", report.path, what, "they are left empty; nothing to do")
