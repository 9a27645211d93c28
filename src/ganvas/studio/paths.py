"""Where the paths of a run that a page starts may lead.

There is one rule: into the studio's runs folder, links followed. It has one exception: where only this machine can
connect, which is where no token is set, the data of a run may lie anywhere that the studio's user can read. The palette
of their label maps may lie in their folder, too.
"""

from __future__ import annotations

import os
from pathlib import Path

from ganvas.config import Recipe
from ganvas.data.label_maps import PALETTES
from ganvas.inference import shipped_models
from ganvas.studio.problems import ProblemError


def check_paths(recipe: Recipe, runs: Path, *, alone: bool) -> None:
    """Refuse a recipe that leads elsewhere than a page may.

    Args:
        recipe: with the settings of the page.
        runs: the studio's folder.
        alone: whether only this machine can connect.

    Raises:
        ProblemError: a path leads elsewhere, or there are no data.
    """
    data = str(getattr(getattr(recipe, "data", None), "path", ""))
    if data and not alone and not _lies_in(data, runs):
        raise ProblemError("data-outside", {"path": data})
    if data and not os.path.exists(data):  # which, unlike pathlib, is false of what can be no path
        raise ProblemError("no-data", {"path": data})
    palette = str(getattr(getattr(recipe, "data", None), "palette", ""))
    if palette and palette not in PALETTES:
        beside = Path(data) if os.path.isdir(data) else Path(data).parent
        if not _lies_in(palette, runs) and not (data and _lies_in(palette, beside)):
            raise ProblemError("palette-outside", {"path": palette, "known": ", ".join(PALETTES)})
    model = recipe.init.model
    if model and model not in shipped_models() and not _lies_in(model, runs):
        raise ProblemError("model-outside", {"path": model})


def _lies_in(path: str, folder: Path) -> bool:
    try:
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
    except ValueError:  # of what can be no path
        return False
