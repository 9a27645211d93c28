"""The paths that a page names for a run lead into the runs folder and the data folders that were named."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import pytest

from ganvas.config import TASKS, load_recipe
from ganvas.errors import UsageError
from ganvas.studio.paths import check_paths
from ganvas.studio.problems import ProblemError
from ganvas.studio.runs import Runs
from ganvas.studio.settings import Settings
from studio_help import problem, studio

PATHS = {"data.path", "data.palette", "init.model"}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A runs folder with data in it, and others beside it."""
    folder = tmp_path / "runs"
    for place in (folder / "streets", tmp_path / "streets", tmp_path / "elsewhere"):
        place.mkdir(parents=True)
        (place / "palette.csv").touch()
    (folder / "way-out").symlink_to(tmp_path / "streets")
    return folder


def refusal(runs: Path, settings: dict[str, str], *data_folders: Path) -> str:
    """The code by which a run of label maps is refused; empty where it is not."""
    recipe = load_recipe("labels2street", [f'{key}="{value}"' for key, value in settings.items()])
    try:
        check_paths(recipe, runs, data_folders)
    except ProblemError as error:
        return error.reason.code
    return ""


@pytest.mark.parametrize(
    ("path", "code", "with_folder"),
    [
        ("{runs}/streets", "", ""),
        ("{runs}/../streets", "data-outside", ""),
        ("{runs}/way-out", "data-outside", ""),
        ("{runs}/../streets/../elsewhere", "data-outside", "data-outside"),
        ("{runs}/../streets-more", "data-outside", "data-outside"),
        ("/", "data-outside", "data-outside"),
        ("{runs}/nowhere", "no-data", "no-data"),
        ("a\\u0000b", "data-outside", "data-outside"),
    ],
)
def test_data_lie_in_the_runs_folder_or_one_that_was_named(runs: Path, path: str, code: str, with_folder: str) -> None:
    settings = {"data.path": path.format(runs=runs)}
    assert refusal(runs, settings) == code
    assert refusal(runs, settings, runs.parent / "streets") == with_folder


@pytest.mark.parametrize(
    ("data", "palette", "code"),
    [
        ("streets", "cityscapes", ""),
        ("streets", "{runs}/palette.csv", ""),
        ("streets", "{runs}/streets/palette.csv", ""),
        ("streets", "{runs}/../elsewhere/palette.csv", "palette-outside"),
        ("streets", "{runs}/way-out/palette.csv", "palette-outside"),
        ("streets", "/etc/passwd", "palette-outside"),
        ("streets", "a\\u0000b", "palette-outside"),
        ("", "/etc/passwd", "palette-outside"),
    ],
)
def test_a_palette_is_a_known_one_or_lies_where_data_may(runs: Path, data: str, palette: str, code: str) -> None:
    settings = {"data.path": f"{runs}/{data}" if data else "", "data.palette": palette.format(runs=runs)}
    assert refusal(runs, settings) == code


def test_a_palette_may_lie_in_a_folder_that_was_named(runs: Path) -> None:
    named = runs.parent / "streets"
    assert refusal(runs, {"data.path": str(named), "data.palette": str(named / "palette.csv")}, named) == ""
    away = str(runs.parent / "elsewhere" / "palette.csv")
    assert refusal(runs, {"data.path": str(named), "data.palette": away}, named) == "palette-outside"


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("sketch2color", ""),
        ("{runs}/mine", ""),
        ("{runs}/way-out", "model-outside"),
        ("/etc", "model-outside"),
        ("../other/run", "model-outside"),
        ("a\\u0000b", "model-outside"),
    ],
)
def test_weights_to_start_from_are_shipped_or_in_the_runs_folder(runs: Path, model: str, code: str) -> None:
    assert refusal(runs, {"init.model": model.format(runs=runs)}, runs.parent / "streets") == code


def test_relative_paths_are_those_of_the_studios_own_place(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs.parent)
    assert refusal(Path("runs"), {"data.path": os.path.join("runs", "streets")}) == ""
    assert refusal(Path("runs"), {"data.path": "streets"}) == "data-outside"


@pytest.mark.parametrize("way", ["data", "settings"])
@pytest.mark.parametrize("named", [True, False])
def test_data_elsewhere_are_refused_unless_their_folder_was_named(
    runs: Path, monkeypatch: pytest.MonkeyPatch, named: bool, way: str
) -> None:
    launched: list[str] = []
    monkeypatch.setattr(Runs, "_launch", lambda _, name, started: launched.append(name))
    outside = runs.parent / "streets"
    wanted: dict[str, Any] = {"data": str(outside)} if way == "data" else {"settings": {"data.path": str(outside)}}
    with studio(runs, data=(outside,) if named else ()) as client:
        answer = client.post("/api/runs", json={"name": "new", "recipe": "labels2street", **wanted})
    if named:
        assert (answer.status_code, launched) == (201, ["new"])
    else:
        assert "--data FOLDER" in problem(answer, 422, "invalid", "data-outside")
        assert launched == []


def test_a_data_folder_that_is_none_is_told_of_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--data '.*nowhere' is no folder"):
        Settings(data=(tmp_path / "nowhere",))


def test_no_setting_is_a_path_that_is_not_checked() -> None:
    """A new setting that may be any text has to be judged: is it a path, and where may it lead?"""

    def texts(root: dict[str, Any], node: dict[str, Any], at: str) -> set[str]:
        node = {**root["$defs"][node["$ref"].rpartition("/")[2]]} if "$ref" in node else node
        parts = [texts(root, inner, f"{at}.{key}") for key, inner in node.get("properties", {}).items()]
        alike = (node.get(key, []) for key in ("oneOf", "anyOf", "prefixItems"))
        inside = [*itertools.chain(*alike), *([node["items"]] if "items" in node else [])]
        parts += [texts(root, inner, at) for inner in inside]
        return set().union(
            *parts, {at[1:]} if node.get("type") == "string" and not {"enum", "const"} & set(node) else ()
        )

    found = set().union(
        *(texts(schema, schema, "") for schema in (task.model_json_schema() for task in TASKS.values()))
    )
    assert found == PATHS | {"name", "description", "data.background"}
