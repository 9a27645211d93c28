"""The paths that a page names for a run lead into the runs folder, and to data elsewhere only where they may."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ganvas.config import TASKS, load_recipe
from ganvas.studio.paths import check_paths
from ganvas.studio.problems import ProblemError
from ganvas.studio.runs import Runs
from studio_help import problem, studio

TOKEN = "correct-horse-battery_staple"
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


def refusal(runs: Path, alone: bool, settings: dict[str, str]) -> str:
    """The code by which a run of label maps is refused; empty where it is not."""
    recipe = load_recipe("labels2street", [f'{key}="{value}"' for key, value in settings.items()])
    try:
        check_paths(recipe, runs, alone=alone)
    except ProblemError as error:
        return error.reason.code
    return ""


@pytest.mark.parametrize(
    ("path", "alone", "shared"),
    [
        ("{runs}/streets", "", ""),
        ("{runs}/../streets", "", "data-outside"),
        ("{runs}/way-out", "", "data-outside"),
        ("{runs}-more", "no-data", "data-outside"),
        ("/", "", "data-outside"),
        ("{runs}/nowhere", "no-data", "no-data"),
        ("a\\u0000b", "no-data", "data-outside"),
    ],
)
def test_data_lie_anywhere_only_where_this_machine_alone_connects(
    runs: Path, path: str, alone: str, shared: str
) -> None:
    settings = {"data.path": path.format(runs=runs)}
    assert refusal(runs, True, settings) == alone
    assert refusal(runs, False, settings) == shared


@pytest.mark.parametrize("alone", [True, False])
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
def test_a_palette_is_a_known_one_or_lies_with_the_data_or_the_runs(
    runs: Path, data: str, palette: str, code: str, alone: bool
) -> None:
    settings = {"data.path": f"{runs}/{data}" if data else "", "data.palette": palette.format(runs=runs)}
    assert refusal(runs, alone, settings) == code


def test_a_palette_may_lie_beside_the_data_of_this_machine(runs: Path) -> None:
    beside = runs.parent / "streets"
    table = beside / "palette.csv"
    for data in (beside, table):  # a folder, and a table of pairs
        assert refusal(runs, True, {"data.path": str(data), "data.palette": str(table)}) == ""
    away = str(runs.parent / "elsewhere" / "palette.csv")
    assert refusal(runs, True, {"data.path": str(beside), "data.palette": away}) == "palette-outside"


@pytest.mark.parametrize("alone", [True, False])
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
def test_weights_to_start_from_are_shipped_or_in_the_runs_folder(
    runs: Path, model: str, code: str, alone: bool
) -> None:
    assert refusal(runs, alone, {"init.model": model.format(runs=runs)}) == code


def test_relative_paths_are_those_of_the_studios_own_place(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs.parent)
    assert refusal(Path("runs"), False, {"data.path": os.path.join("runs", "streets")}) == ""
    assert refusal(Path("runs"), False, {"data.path": "streets"}) == "data-outside"


@pytest.mark.parametrize("way", ["data", "settings"])
@pytest.mark.parametrize("token", [None, TOKEN])
def test_a_token_keeps_the_data_to_the_runs_folder_however_they_are_named(
    runs: Path, monkeypatch: pytest.MonkeyPatch, token: str | None, way: str
) -> None:
    launched: list[str] = []
    monkeypatch.setattr(Runs, "_launch", lambda _, name, started: launched.append(name))
    outside = str(runs.parent / "streets")
    named: dict[str, Any] = {"data": outside} if way == "data" else {"settings": {"data.path": outside}}
    with studio(runs, token=token) as client:
        client.headers["authorization"] = f"Bearer {TOKEN}"
        answer = client.post("/api/runs", json={"name": "new", "recipe": "labels2street", **named})
    if token is None:
        assert (answer.status_code, launched) == (201, ["new"])
    else:
        assert "with a token" in problem(answer, 422, "invalid", "data-outside")
        assert launched == []


def test_no_setting_is_a_path_that_is_not_checked() -> None:
    """A new setting that may be any text has to be judged: is it a path, and where may it lead?"""

    def texts(root: dict[str, Any], node: dict[str, Any], at: str) -> set[str]:
        node = {**root["$defs"][node["$ref"].rpartition("/")[2]]} if "$ref" in node else node
        parts = [texts(root, inner, f"{at}.{key}") for key, inner in node.get("properties", {}).items()]
        parts += [texts(root, inner, at) for inner in node.get("oneOf", [])]
        return set().union(
            *parts, {at[1:]} if node.get("type") == "string" and not {"enum", "const"} & set(node) else ()
        )

    found = set().union(
        *(texts(schema, schema, "") for schema in (task.model_json_schema() for task in TASKS.values()))
    )
    assert found == PATHS | {"name", "description", "data.background"}
