"""The run folder: what lies in it, whose it is, and that one process at a time trains in it."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from ganvas import __version__, config
from ganvas.errors import GanvasError, UsageError

RECIPE, ENVIRONMENT, STATS, MODEL = "recipe.toml", "environment.json", "stats.jsonl", "model.safetensors"
CHECKPOINTS, SAMPLES, TENSORBOARD, REPORT = "checkpoints", "samples", "tensorboard", "report.html"
_START_OVER = "use --fresh to start over in a new folder"
log = logging.getLogger(__name__)


def check_folder(folder: Path, recipe: config.Recipe, fingerprint: str) -> None:
    """Refuse a folder that holds something else than an earlier part of the run of ``recipe`` on these data.

    Raises:
        UsageError: files of something else, another recipe, other data (the difference is given).
        GanvasError: the folder's own description is damaged.
    """
    if not (folder / RECIPE).exists():
        # A run killed in its first moments leaves the environment or half a file behind, and may go on.
        if folder.is_file() or (folder.is_dir() and any(not _is_ours(path) for path in folder.iterdir())):
            raise UsageError(f"'{folder}' holds something else than a run: choose another folder with --out")
        return
    try:
        earlier = config.parse_recipe(tomllib.loads((folder / RECIPE).read_text("utf-8")), str(folder / RECIPE))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, UsageError) as error:
        raise GanvasError(f"'{folder / RECIPE}' is damaged ({error}): {_START_OVER}") from error
    # Where the data lie may change; that they are the same is checked below.
    changes = [change for change in config.difference(earlier, recipe) if not change.startswith("data.path: ")]
    if changes:
        raise UsageError(
            f"'{folder}' was trained with another recipe ({'; '.join(changes)}). "
            "Use --fresh to start over in a new folder, or give the earlier settings to continue."
        )
    if (folder / ENVIRONMENT).exists():
        environment = read_environment(folder)
        before = environment["data"]["fingerprint"]
        if before != fingerprint:
            raise UsageError(
                f"'{folder}' was trained on other data (fingerprint {before}, now {fingerprint}). "
                "Use --fresh to start over in a new folder."
            )
        _warn_of_other_bits(folder, environment)


def read_environment(folder: Path) -> dict[str, Any]:
    """``environment.json``, checked for what ganvas itself reads of it.

    Raises:
        GanvasError: it is damaged.
    """
    path = folder / ENVIRONMENT
    try:
        environment: dict[str, Any] = json.loads(path.read_text("utf-8"))
        known = environment["matmul_route"] in ("default", "onednn") and bool(environment["data"]["fingerprint"])
    except (ValueError, KeyError, TypeError) as error:
        raise GanvasError(f"'{path}' is damaged ({error!r}): {_START_OVER}") from error
    if not known:
        raise GanvasError(f"'{path}' is damaged (unknown matmul_route): {_START_OVER}")
    return environment


@contextlib.contextmanager
def only_process(folder: Path) -> Iterator[None]:
    """Hold the run for this process; remove what killed ones left half written.

    Raises:
        GanvasError: another process is training in the folder.
    """
    if sys.platform == "win32":
        yield  # no advisory locks there
        return
    import fcntl

    with (folder / ENVIRONMENT).open("rb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise GanvasError(
                f"another process is training in '{folder}': wait for it, or choose another folder with --out"
            ) from None
        for leftover in folder.rglob(".*.partial"):
            leftover.unlink(missing_ok=True)
        yield


def unused_beside(folder: Path) -> Path:
    """``folder``, or the first of ``folder-2``, ``folder-3`` ... that does not exist."""
    candidate, number = folder, 1
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate


def _is_ours(path: Path) -> bool:
    return path.name in (ENVIRONMENT, TENSORBOARD) or path.name.endswith(".partial")


def _warn_of_other_bits(folder: Path, environment: dict[str, Any]) -> None:
    now = {"threads": torch.get_num_threads(), "torch": torch.__version__, "ganvas": __version__}
    before = {key: environment.get(key) for key in now}
    changed = [f"{key} {before[key]} -> {now[key]}" for key in now if before[key] != now[key]]
    if changed:
        log.warning("'%s' goes on with %s: the result will not have the same bits", folder, ", ".join(changed))
