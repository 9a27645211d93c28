"""Where the paths of a run that a page starts may lead: into the runs folder and the data folders, links followed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ganvas.config import Recipe
from ganvas.data.label_maps import PALETTES
from ganvas.inference import shipped_models
from ganvas.studio.problems import ProblemError


def check_paths(recipe: Recipe, runs: Path, data_folders: Sequence[Path] = ()) -> None:
    """Refuse a recipe that leads elsewhere than a page may.

    Args:
        recipe: with the settings of the page.
        runs: the studio's folder.
        data_folders: others that data may lie in.

    Raises:
        ProblemError: a path leads elsewhere, or there are no data.
    """
    folders = (runs, *data_folders)
    data = str(getattr(getattr(recipe, "data", None), "path", ""))
    if data and not _lies_in(data, folders):
        raise ProblemError("data-outside", {"path": data})
    if data and not os.path.exists(data):
        raise ProblemError("no-data", {"path": data})
    palette = str(getattr(getattr(recipe, "data", None), "palette", ""))
    if palette and palette not in PALETTES and not _lies_in(palette, folders):
        raise ProblemError("palette-outside", {"path": palette, "known": ", ".join(PALETTES)})
    model = recipe.init.model
    if model and model not in shipped_models() and not _lies_in(model, (runs,)):
        raise ProblemError("model-outside", {"path": model})


def _lies_in(path: str, folders: Sequence[Path]) -> bool:
    try:
        real = Path(os.path.realpath(path))
    except ValueError:  # of what can be no path
        return False
    return any(real.is_relative_to(os.path.realpath(folder)) for folder in folders)
