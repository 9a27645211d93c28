"""``ganvas compare``: several models on the same held-out pictures, as HTML, Markdown, JSON and a picture sheet."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from ganvas.config import PairData
from ganvas.data.pairs import PairImages, PairSplit, open_pairs
from ganvas.errors import GanvasError, UsageError
from ganvas.files import atomic_write
from ganvas.inference import Model
from ganvas.metrics.translation import measure_targets, measure_translation
from ganvas.pictures import Pixels, png_bytes
from ganvas.report.compare_page import page
from ganvas.report.compare_sheet import sheet
from ganvas.report.compare_text import images_seen, to_json, to_markdown
from ganvas.report.compared import DIGIT_METRICS, Column, Compared, Entry, Held, Row, grouped, scored
from ganvas.report.entries import check_fits, pair_settings, read_entries, translator_of
from ganvas.report.sheets import evenly
from ganvas.report.words import count

SUFFIX = ".html"
Watch = Callable[[str], None]


class _Open(Protocol):
    def __call__(self, entry: Entry, side: int) -> PairImages: ...


def compare(
    models: Sequence[str],
    *,
    data: str | None = None,
    split: PairSplit = "test",
    pictures: int = 8,
    device: str = "cpu",
    titles: Mapping[str, str] | None = None,
    watch: Watch = lambda line: None,
) -> Compared:
    """Measure models on the same held-out pairs and draw the same pictures with each.

    Models that draw from labels are compared by what was measured while they trained, and by sheets of one seed.

    Args:
        models: run folders, model files or shipped names, of one task and one set of data.
        data: pairs to measure on instead of the ones that the runs held out.
        split: which of the pairs.
        pictures: how many to show, spread over the set; of labels, how many of each.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        titles: what to call the rows of models (as given in ``models``); others are called as their runs are. Runs
            under one title share a row where they differ only in the seed.
        watch: called with a line for people at each step.

    Raises:
        UsageError: no such model, one given twice, models of different tasks, options that the task has no use for.
        GanvasError: models of different data, data that cannot be read, a damaged model.
    """
    entries = read_entries(models, titles or {})
    first = entries[0].header
    for entry in entries[1:]:
        if entry.header.task != first.task:
            raise UsageError(
                f"'{entry.given}' is a model of task '{entry.header.task}', '{entries[0].given}' of task "
                f"'{first.task}': compare models of one task"
            )
    if first.task == "segment":
        raise UsageError(
            f"'{entries[0].given}' is a segmenter: it judges photos and draws none. `ganvas evaluate` measures it"
        )
    rows = grouped(entries)
    command = shlex.join(["ganvas", "compare", *models, *(["--data", data] if data else []), "--split", split])
    notes = _notes(entries)
    if first.task == "label":
        if data is not None:
            raise UsageError(
                "--data: models that draw from labels are compared by what training measured; leave it out"
            )
        _refuse_other_data(entries, None, data)
        return _compare_labels(rows, pictures, device, notes, shlex.join(["ganvas", "compare", *models]))
    return _compare_translators(rows, data, split, pictures, device, watch, notes, command)


def write_comparison(compared: Compared, out: Path) -> list[Path]:
    """Write ``out`` (.html) and, next to it, the same name with .md, .json and .png; returns the four paths.

    Raises:
        UsageError: ``out`` has another ending.
        GanvasError: a file cannot be written.
    """
    check_out(out)
    # Names of files may be other than UTF-8: their bytes become escapes, which JSON reads back as they were.
    contents = {
        SUFFIX: page(compared).encode("utf-8", "backslashreplace"),
        ".md": to_markdown(compared).encode("utf-8", "backslashreplace"),
        ".json": to_json(compared).encode("utf-8", "backslashreplace"),
        ".png": png_bytes(sheet(compared)),
    }
    for suffix, content in contents.items():
        atomic_write(out.with_suffix(suffix), content)
    return [out.with_suffix(suffix) for suffix in contents]


def check_out(out: Path) -> None:
    """Raise the UsageError for a page of another ending, before anything is measured."""
    if out.suffix != SUFFIX:
        raise UsageError(f"--out {out}: expected FILE{SUFFIX}; the .md, .json and .png are written next to it")


def _notes(entries: Sequence[Entry]) -> list[str]:
    notes = []
    for entry in entries:
        if entry.record is not None:
            notes += [f"{entry.name}: {note}" for note in entry.record.notes]
        if entry.recipe is not None and entry.record is not None and entry.record.ticks:
            seen, total = entry.record.ticks[-1].images, entry.recipe.train.total_images
            if seen < total:
                notes.append(f"{entry.name} is not finished: {count(seen)} of {count(total)} images seen.")
    return notes


def _compare_labels(rows: list[Row], pictures: int, device: str, notes: list[str], command: str) -> Compared:
    """By what training measured; a sheet of the first run of each row, drawn with one seed."""
    filled, columns = [], []
    for row in rows:
        found = [_measured(entry) for entry in row.entries]
        common = [name for name in DIGIT_METRICS if all(name in metrics for metrics in found)]
        values = {name: np.array([[metrics[name]] for metrics in found]) for name in common}
        filled.append(replace(row, values=values))
        model = Model(row.entries[0].path, device=device)
        wanted = pictures * len(model.class_names) if model.class_names else pictures**2
        drawn = model.sheet(count=wanted, seed=0)
        columns.append(Column(row.name, _note(row), np.asarray(drawn)[None]))
    if not any(row.values for row in filled):
        notes.append("No digit metrics: they are measured while training on digits.")
    if len({_protocol(entry) for row in rows for entry in row.entries}) > 1:
        notes.append("The models were measured by different protocols: `ganvas evaluate` each in the same way first.")
    scores, reference = scored(filled, {})
    return Compared("label", tuple(filled), scores, reference, None, tuple(columns), tuple(notes), command)


def _protocol(entry: Entry) -> str:
    """What the numbers in an entry's header were measured on, as far as an evaluation tells; "" without one."""
    protocol = entry.header.evaluation.get("protocol", {})
    return repr([protocol.get(key) for key in ("pictures", "fingerprint", "split")] if protocol else "")


def _measured(entry: Entry) -> dict[str, float]:
    """The file's own metrics, where its header has none those that the run measured last."""
    return dict(entry.header.metrics or (entry.record.latest_metrics if entry.record else {}))


def _compare_translators(
    rows: list[Row],
    data: str | None,
    split: PairSplit,
    pictures: int,
    device: str,
    watch: Watch,
    notes: list[str],
    command: str,
) -> Compared:
    entries = [entry for row in rows for entry in row.entries]
    read = _reader(entries, data, split)
    side = max(entry.header.size for entry in entries)
    _refuse_other_data(entries, lambda entry: read(entry, side), data)
    pairs = read(entries[0], side)
    for entry in entries:
        check_fits(entry, pairs)
    sizes = sorted({entry.header.size for entry in entries})
    if len(sizes) > 1:
        notes.append(
            f"The models draw {' and '.join(map(str, sizes))} pixels. All are measured and shown at {side}: smaller "
            "drawings are enlarged, as `ganvas translate` does, and lack the finest detail of the true pictures."
        )
    chosen = np.array(evenly(len(pairs), pictures))
    filled: list[Row] = []
    shown: list[Pixels] = []
    for row in rows:
        measured = []
        for entry in row.entries:
            translate = translator_of(Model(entry.path, device=device), entry.given, side)
            # Each model gets its inputs as it was trained on them, at its own size, and is held against one truth.
            own = replace(pairs, sources=read(entry, entry.header.size).sources)
            watch(f"{entry.name}: measuring {count(len(pairs))} pictures of {side} pixels")
            measured.append(measure_translation(translate, own))
            if entry is row.entries[0]:
                drawn = [translate(own.sources[[i]], own.labels[[i]])[0] for i in chosen]
                shown.append(pairs.target_preparation.shown(np.stack(drawn)))
        filled.append(replace(row, values={name: np.stack([run[name] for run in measured]) for name in measured[0]}))
    scores, reference = scored(filled, measure_targets(pairs))
    held = Held(pairs.source, pairs.licence, split, pairs.fingerprint, pairs.names)
    columns = [
        Column("input", "", pairs.source_preparation.shown(_last(pairs.sources[chosen]))),
        *(Column(row.name, _note(row), drawn) for row, drawn in zip(filled, shown, strict=True)),
        Column("truth", "", pairs.target_preparation.shown(_last(pairs.targets[chosen]))),
    ]
    return Compared("translate", tuple(filled), scores, reference, held, tuple(columns), tuple(notes), command)


def _reader(entries: Sequence[Entry], data: str | None, split: PairSplit) -> _Open:
    """Opens the pairs as an entry's recipe reads them; those without a recipe as the first one with one does."""
    own = {entry.given: settings for entry in entries if (settings := pair_settings(entry, data)) is not None}
    if not own:
        raise UsageError(
            f"'{entries[0].given}' has no recipe.toml beside it, which says how its pairs are read: "
            "give at least one run folder"
        )
    fallback = next(iter(own.values()))
    opened: dict[tuple[PairData, int], PairImages] = {}

    def read(entry: Entry, side: int) -> PairImages:
        settings = own.get(entry.given, fallback)
        key = (settings, side)
        if key not in opened:
            opened[key] = open_pairs(settings, split, side=side)
            if not len(opened[key]):
                place = f"'{settings.path}'" if settings.path else "the emoji"
                raise UsageError(f"--split {split}: {place} has no such pairs; choose another split, or --data")
        return opened[key]

    return read


def _refuse_other_data(
    entries: Sequence[Entry], held_out: Callable[[Entry], PairImages] | None, data: str | None
) -> None:
    """Same training data, or (size and jitter change those too) the same held-out pairs when read at one size."""
    first = entries[0]
    for entry in entries[1:]:
        ours, others = first.header.data, entry.header.data
        if ours.fingerprint == others.fingerprint:
            continue
        if held_out is not None and held_out(first).fingerprint == held_out(entry).fingerprint:
            continue
        if data is not None:
            raise GanvasError(
                f"'{entry.given}' reads the pairs of '{data}' otherwise than '{first.given}' "
                "(their recipes differ under [data]): compare runs that get the same pictures"
            )
        raise GanvasError(
            f"'{entry.given}' was trained on other data ({others.source}, fingerprint {others.fingerprint}) than "
            f"'{first.given}' ({ours.source}, {ours.fingerprint}): compare runs of the same data"
            + ("" if held_out is None else ", or give --data for pairs to measure all of them on")
        )


def _note(row: Row) -> str:
    seeds = f", first of {len(row.entries)} seeds" if len(row.entries) > 1 else ""
    return f"{images_seen(row)} images{seeds}"


def _last(pictures: Pixels) -> Pixels:
    return np.moveaxis(pictures, 1, 3)
