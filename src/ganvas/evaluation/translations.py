"""The protocol for models that make a picture of a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import numpy.typing as npt

from ganvas.config import PairData
from ganvas.data.pairs import PairImages, PairSplit, open_pairs
from ganvas.errors import UsageError
from ganvas.evaluation.found import Evaluation, Protocol
from ganvas.inference import Model, is_export
from ganvas.inference.segmentation import PhotoReader
from ganvas.metrics.figures import Figure, figure_of_mean
from ganvas.metrics.inception_distances import InceptionJudge, inception_metric
from ganvas.metrics.pictures import METRICS, PictureMetric
from ganvas.metrics.registry import SET_METRICS
from ganvas.metrics.segmentation import segmentation_metric
from ganvas.metrics.sets import SetMetric, Setting, Vary
from ganvas.metrics.translation import BATCH, Labels, Translate, Values, measure_targets, measure_translation
from ganvas.model_file import TranslateHeader
from ganvas.pictures import Pixels
from ganvas.report.compared import Entry
from ganvas.report.entries import check_fits, pair_settings, translator_of

SHOWN = 8
Watch = Callable[[str], None]


def evaluate_translations(
    entry: Entry,
    model: Model,
    data: str | None,
    split: str,
    count: int | None,
    seed: int,
    watch: Watch,
    judge: PhotoReader | None = None,
    inception: InceptionJudge | None = None,
) -> Evaluation:
    """Translate held-out sources and hold the results against their targets; see docs/metrics.md for every number.

    Raises:
        UsageError: nothing tells how the pairs are read, the split holds none, or none that an FID could be told of.
        GanvasError: the data cannot be read, or are not of the model's kind.
    """
    header = model.header
    assert isinstance(header, TranslateHeader)
    settings = pair_settings(entry, data)
    if settings is None:
        raise UsageError(
            f"'{entry.given}' has no recipe.toml beside it, which says how its pairs are read: give its run folder"
        )
    whole = _open(settings, split, header.size)
    check_fits(entry, whole)
    pairs = _spread(whole, count)
    if judge is not None:
        judge.check_reads(pairs.source_preparation, pairs.target_preparation, f"'{pairs.source}'")
    if inception is not None:
        inception.check(len(pairs), pairs.targets.shape[1])
    judges = [] if judge is None else [segmentation_metric(judge.find)]
    judges += [] if inception is None else [inception_metric(inception.network)]
    # Variations are drawn as pictures, which other channels are not.
    drawable = not is_export(model.path) and pairs.targets.shape[1] in (1, 3)
    vary = _varying(model, seed, recolour=False) if drawable and header.generator.varies else None
    vary_hues = _varying(model, seed, recolour=True) if drawable and header.hints else None
    setting = Setting(pairs, seed, vary, vary_hues)
    sets = [metric for factory in (*SET_METRICS, *judges) if (metric := factory(setting)) is not None]
    drawing = _Drawing(translator_of(model, entry.given, header.size), pairs, sets)
    watch(f"translating {len(pairs):,} pictures of {header.size} pixels and measuring them")
    values = measure_translation(drawing, pairs, batch_size=BATCH)
    figures = _means(values, seed)
    reference = _means(measure_targets(pairs), seed)
    metrics: dict[str, PictureMetric] = {name: METRICS[name] for name in figures}
    for metric in sets:
        metrics |= metric.metrics
        figures |= metric.figures()
        reference |= metric.reference()
    return Evaluation(
        model=entry.given,
        name=entry.name,
        task=header.task,
        images_seen=header.images_seen,
        protocol=Protocol(
            pictures=len(pairs),
            seed=seed,
            source=f"{len(pairs):,} of {len(whole):,} pairs of {pairs.source}, at {header.size} pixels, without hints",
            fingerprint=whole.fingerprint,
            licence=pairs.licence,
            split=split,
            reference="the true pictures of the same pairs",
        ),
        metrics=metrics,
        figures=figures,
        reference=reference,
        by_class=None,
        notes=tuple(_notes(judge, inception, len(pairs))),
        pairs=drawing.exhibit.pictures(),
        columns=3,
    )


def _notes(judge: PhotoReader | None, inception: InceptionJudge | None, count: int) -> Iterator[str]:
    if judge is not None:
        yield f"The segmenter that judges is '{judge.name}', {_learned(judge)}."
    if inception is not None:
        yield inception.note(count)


def _learned(judge: PhotoReader) -> str:
    return f"trained on {judge.header.data.source} (fingerprint {judge.header.data.fingerprint})"


def _open(settings: PairData, split: str, side: int) -> PairImages:
    pairs = open_pairs(settings, cast(PairSplit, split), side=side)
    if not len(pairs):
        place = f"'{settings.path}'" if settings.path else "the emoji"
        raise UsageError(f"--split {split}: {place} has no such pairs; choose another split, or --data")
    return pairs


def _spread(pairs: PairImages, count: int | None) -> PairImages:
    """``count`` pairs at even distances over the whole set."""
    if count is None or count >= len(pairs):
        return pairs
    chosen = pairs.spread(count)
    return replace(
        pairs,
        sources=cast(Pixels, _Rows(pairs.sources, chosen)),
        targets=cast(Pixels, _Rows(pairs.targets, chosen)),
        labels=pairs.labels[chosen],
        names=tuple(pairs.names[at] for at in chosen),
    )


class _Rows:
    """Some rows of an array, read when they are asked for: of a mapped file nothing else comes into memory."""

    def __init__(self, whole: Pixels, chosen: npt.NDArray[np.int64]) -> None:
        self._whole, self._chosen = whole, chosen
        self.shape = (len(chosen), *whole.shape[1:])

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, at: int | slice) -> Pixels:
        return self._whole[self._chosen[at]]


def _varying(model: Model, seed: int, *, recolour: bool) -> Vary:
    def vary(source: Pixels, label: int, count: int) -> Pixels:
        asked = label if model.class_names else None
        drawn = model.variations(np.moveaxis(source, 0, -1), count, seed=seed, label=asked, recolour=recolour)
        pictures = np.stack([np.asarray(picture) for picture in drawn])
        return pictures[:, None] if pictures.ndim == 3 else np.moveaxis(pictures, 3, 1)

    return vary


def _means(values: Mapping[str, Values], seed: int) -> dict[str, Figure]:
    return {name: figure_of_mean(found, seed) for name, found in values.items()}


class _Drawing:
    """Translates, batch after batch in the order of the pairs, and shows each to whoever measures whole sets."""

    def __init__(self, translate: Translate, pairs: PairImages, sets: Sequence[SetMetric]) -> None:
        self.exhibit = _Exhibit(pairs)
        self._translate = translate
        self._pairs = pairs
        self._sets = sets
        self._done = 0

    def __call__(self, sources: Pixels, labels: Labels) -> Pixels:
        drawn = self._translate(sources, labels)
        start, self._done = self._done, self._done + len(drawn)
        true = np.array(self._pairs.targets[start : self._done])
        for metric in self._sets:
            metric.update(sources, np.moveaxis(drawn, 3, 1), true, labels)
        self.exhibit.keep(start, drawn)
        return drawn


class _Exhibit:
    """Input, translation and truth of a few pairs, spread over the set."""

    def __init__(self, pairs: PairImages) -> None:
        self._pairs = pairs
        self._chosen = pairs.spread(SHOWN).tolist()
        self._drawn: dict[int, Pixels] = {}

    def keep(self, start: int, drawn: Pixels) -> None:
        """Keep what is wanted of a batch (n, S, S, C) that begins at ``start``."""
        self._drawn |= {at: drawn[at - start] for at in self._chosen if start <= at < start + len(drawn)}

    def pictures(self) -> Pixels:
        """RGB (3 n, S, S, 3)."""
        shown = []
        for at, drawn in sorted(self._drawn.items()):
            source, target = (np.moveaxis(side[at], 0, -1)[None] for side in (self._pairs.sources, self._pairs.targets))
            shown += [
                *self._pairs.source_preparation.shown(source),
                *self._pairs.target_preparation.shown(drawn[None]),
                *self._pairs.target_preparation.shown(target),
            ]
        return np.stack(shown)
