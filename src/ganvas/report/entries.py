"""Models to be measured: what is known of each, which pairs it reads, and how it draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ganvas.config import PairData, TranslateRecipe, load_recipe, recipe_names
from ganvas.data.pairs import PairImages
from ganvas.errors import GanvasError, UsageError
from ganvas.inference import Model, model_name, read_header, resolve_model
from ganvas.inference.translation import enlarging
from ganvas.metrics.translation import Translate
from ganvas.model_file import TranslateHeader
from ganvas.pictures import Pixels
from ganvas.report.compared import Entry
from ganvas.report.record import read_run


def read_entries(models: Sequence[str], titles: Mapping[str, str]) -> list[Entry]:
    """The models as given, each with what is known of its run.

    Raises:
        UsageError: no such model, or one given twice.
        GanvasError: a damaged model or recipe.
    """
    entries: list[Entry] = []
    for given in models:
        path = resolve_model(given)
        if any(path.resolve() == other.path.resolve() for other in entries):
            raise UsageError(f"'{given}' is given twice")
        folder = path.parent if (path.parent / "recipe.toml").is_file() and path.name == "model.safetensors" else None
        recipe, record = (load_recipe(folder / "recipe.toml"), read_run(folder)) if folder else (None, None)
        header = read_header(path)
        entries.append(Entry(given, model_name(path), path, header, recipe, record, titles.get(given)))
    return entries


def pair_settings(entry: Entry, data: str | None) -> PairData | None:
    """How an entry's recipe reads pairs, those at ``data`` instead of its own where given; None without a recipe."""
    recipe = entry.recipe
    if recipe is None and entry.header.recipe in recipe_names():
        recipe = load_recipe(entry.header.recipe)
    if not isinstance(recipe, TranslateRecipe):
        return None
    return recipe.data if data is None else recipe.data.model_copy(update={"path": data})


def check_fits(entry: Entry, pairs: PairImages) -> None:
    """Raise the GanvasError for pairs of other channels or classes than the entry's model draws."""
    header = entry.header
    assert isinstance(header, TranslateHeader)
    ours = (header.source.kind, header.source.encoded_channels, header.target.channels)
    theirs = (
        pairs.source_preparation.kind,
        pairs.source_preparation.encoded_channels,
        pairs.target_preparation.channels,
    )
    if ours != theirs:
        raise GanvasError(
            f"'{entry.given}' makes pictures of {ours[2]} channels from {_side(ours)}, the pairs of '{pairs.source}' "
            f"have {theirs[2]} and {_side(theirs)}: give --data with pairs of its kind"
        )
    if header.class_names and header.class_names != pairs.class_names:
        raise GanvasError(
            f"'{entry.given}' takes one of {len(header.class_names)} classes, the pairs of '{pairs.source}' have "
            f"{len(pairs.class_names) or 'none'} or others: give --data with pairs of its classes"
        )


def _side(side: tuple[str, int, int]) -> str:
    return f"label maps of {side[1]} classes" if side[0] == "labels" else f"pictures of {side[1]} channels"


def translator_of(model: Model, given: str, side: int) -> Translate:
    """The model as people use it, on arrays; what it draws is enlarged to ``side``. ``given`` names it in errors."""
    assert isinstance(model.header, TranslateHeader)
    larger = enlarging(model.header.target)

    def translate(sources: Pixels, labels: npt.NDArray[np.int64]) -> Pixels:
        asked = labels if model.class_names else [None] * len(labels)
        try:
            return np.stack(
                [
                    larger.resized(model.translate_array(np.moveaxis(source, 0, -1), label=label), side, side)
                    for source, label in zip(sources, asked, strict=True)
                ]
            )
        except GanvasError as error:
            raise GanvasError(f"'{given}': {error}") from error

    return translate
