"""A study: which runs to train of one recipe, and which of them to set side by side in which tables."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator

from ganvas.config.loading import load_recipe
from ganvas.config.settings import Recipe, Settings
from ganvas.errors import UsageError, nearest

TRUE_PICTURES = "true-pictures"
RowName = Annotated[str, Field(pattern=r"^[\w.-]+$")]


class Study(Settings):
    """Rows, each a way to train one recipe, over several seeds; tables name the rows that they compare.

    Attributes:
        name: of the study: the shipped one's, or the file's without its ending.
        description: one line for people.
        recipe: what every run is trained by, a shipped recipe's name or a TOML file.
        seeds: runs of each row; their ``train.seed`` counts from 0.
        set: settings of all rows, as ``--set`` takes them.
        rows: each row's own settings.
        tables: of each table, the title of each of its rows in the order to show them in.
        segmenter: the model whose segmentation score is a column of the tables; empty: none is.
        published: of a table, what others have published of its rows, in their words, as a last column; the row
            ``true-pictures`` stands for real ones.
        published_source: whose that is, a sentence below those tables.
    """

    name: RowName
    description: str = ""
    recipe: str
    seeds: int = Field(ge=1)
    set: list[str] = Field(default_factory=list)
    rows: dict[RowName, list[str]] = Field(min_length=1)
    tables: dict[RowName, dict[str, str]] = Field(min_length=1)
    segmenter: str = ""
    published: dict[RowName, dict[str, str]] = Field(default_factory=dict)
    published_source: str = ""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for table, titles in self.tables.items():
            for row in titles:
                if row not in self.rows:
                    raise ValueError(
                        f"tables.{table} names row '{row}', which is none of rows.{nearest(row, self.rows)}"
                    )
            if not titles:
                raise ValueError(f"tables.{table} names no row")
            if len(set(titles.values())) < len(titles):
                raise ValueError(f"tables.{table} gives two rows one title")
        for table, rows in self.published.items():
            known = [*self.tables.get(table, ()), TRUE_PICTURES]
            for row in rows:
                if row not in known:
                    raise ValueError(f"published.{table} names '{row}', which is no row of tables.{table}: {known}")
        return self

    def recipe_of(self, row: str, seed: int, data: str | None = None) -> Recipe:
        """What the run of a row and a seed is trained by; ``data`` replaces the recipe's ``data.path``.

        Raises:
            UsageError: the recipe or a setting is wrong.
        """
        where = [] if data is None else [f"data.path={json.dumps(data, ensure_ascii=False)}"]
        try:
            return load_recipe(self.recipe, [*self.set, *self.rows[row], *where, f"train.seed={seed}"])
        except UsageError as error:
            raise UsageError(f"study '{self.name}', row '{row}': {error}") from error


def study_names() -> list[str]:
    """Names of the shipped studies, sorted."""
    folder = resources.files("ganvas") / "studies"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_study(name_or_file: str | Path) -> Study:
    """Read a shipped study by name, or a TOML file, and check the recipe of every row.

    Raises:
        UsageError: there is no such study, it is not TOML, or a key, a row or a setting is wrong.
    """
    study = _parsed(name_or_file)
    for row in study.rows:
        if study.recipe_of(row, 0).task == "segment":
            raise UsageError(
                f"study '{study.name}': recipe '{study.recipe}' is of a segmenter, which judges photos and draws none "
                "to set side by side; `ganvas train` and `ganvas evaluate` train and measure it"
            )
    return study


def check_rows(study: Study, rows: Iterable[str]) -> None:
    """Raise the UsageError for a row that the study does not have."""
    for row in rows:
        if row not in study.rows:
            known = ", ".join(study.rows)
            raise UsageError(f"study '{study.name}' has no row '{row}', only {known}.{nearest(row, study.rows)}")


def _parsed(name_or_file: str | Path) -> Study:
    shipped, path = study_names(), Path(name_or_file)
    if str(name_or_file) in shipped:
        text = (resources.files("ganvas") / "studies" / f"{name_or_file}.toml").read_text("utf-8")
    elif path.is_file():
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"study '{path}' cannot be read as text: {error}") from error
    else:
        hint = nearest(str(name_or_file), shipped)
        raise UsageError(
            f"no study '{name_or_file}': neither a shipped one ({', '.join(shipped)}) nor a TOML file.{hint}"
        )
    try:
        return Study.model_validate({"name": path.name.removesuffix(".toml"), **tomllib.loads(text)})
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"study '{name_or_file}' is not valid TOML: {error}") from error
    except ValidationError as error:
        raise UsageError(f"study '{name_or_file}': {_first_problem(error)}") from error


def _first_problem(error: ValidationError) -> str:
    # A misspelt key is also a missing one: the misspelling comes first.
    problem = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown key '{key}'.{nearest(key, Study.model_fields)}"
    if problem["type"] == "missing":
        return f"key '{key}' is missing"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{key}: {message} (found {problem['input']!r})" if key else message
