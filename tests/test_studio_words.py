"""What the studio says to a page has words in Korean, too; a refusal, a recipe or a setting without is found here."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ganvas.config import TASKS, recipe_names
from ganvas.config.loading import VALUE_CODES
from ganvas.studio.codes import CODES, KINDS

ROOT = Path(__file__).parents[1]
KOREAN: dict[str, dict[str, Any]] = json.loads((ROOT / "web/src/lib/words/server.ko.json").read_text("utf-8"))
RAISED = ("GanvasError", "UsageError", "Unfit")
# What stands beside the setting and what was found, in pydantic's own words.
VALUE_GAPS = {"key", "found", "expected", "gt", "ge", "lt", "le", "multiple_of"}


def gaps(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)[^}]*\}", text))


def own_codes() -> Iterator[tuple[str, set[str]]]:
    """Every code that the package itself refuses something by, with the names of its parameters."""
    for path in (ROOT / "src" / "ganvas").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[_, ast.Constant(value=code), *more]) if name in RAISED:
                    yield str(code), keys(more[0]) if more else set()
    # Those of settings are returned with their words.
    for node in ast.walk(ast.parse((ROOT / "src/ganvas/config/loading.py").read_text("utf-8"))):
        match node:
            case ast.Return(value=ast.Tuple(elts=[_, ast.Constant(value=code), parameters])):
                yield str(code), keys(parameters)
    yield from ((code, VALUE_GAPS) for code in (*VALUE_CODES.values(), "setting-value"))


def keys(node: ast.expr) -> set[str]:
    assert isinstance(node, ast.Dict)
    return {str(key.value) for key in node.keys if isinstance(key, ast.Constant)}


@cache
def raised() -> dict[str, set[str]]:
    """Code -> the parameters that are always sent with it, of the studio and of what it runs."""
    codes = {code: gaps(text) for code, (_, text) in CODES.items()}
    for code, names in own_codes():
        codes[code] = codes.get(code, names) & names
    return codes


def test_codes_of_the_models_refusals_are_found() -> None:
    found = {code for code, _ in own_codes()}
    assert {
        "takes-no-hints",
        "photo-as-map",
        "damaged-picture",
        "unfit-field",
        "setting-unknown",
        "setting-least",
    } <= found


def test_every_reason_has_words_in_both_languages_and_no_other_has() -> None:
    assert set(KOREAN["reasons"]) == set(raised())
    for kind, text in CODES.values():
        assert kind in KINDS
        assert text
        assert "\n" not in text


def test_every_code_is_documented_and_no_other() -> None:
    document = (ROOT / "docs" / "studio.md").read_text("utf-8").partition("### The codes\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| .+? \| (.+) \|$", document, re.MULTILINE)[1:]
    assert {code for row in rows for code in re.findall(r"`([a-z-]+)`", row)} - {"reason"} == set(raised())


@pytest.mark.parametrize("code", sorted(raised()))
def test_korean_words_are_korean_and_speak_of_nothing_that_is_not_sent(code: str) -> None:
    text = KOREAN["reasons"][code]
    assert re.search("[가-힣]", text)
    assert gaps(text) <= raised()[code]
    # A particle that depends on how a word ends cannot stand behind one that is filled in.
    assert not re.search(r"\}[’”]*(은|는|이|가|을|를|과|와|으로|로|라는|이라는)(?![가-힣])", text)


def test_every_shipped_recipe_is_told_of_in_korean() -> None:
    assert sorted(KOREAN["recipes"]) == recipe_names()
    assert all(re.search("[가-힣]", text) for text in KOREAN["recipes"].values())


def settings(root: dict[str, Any], node: dict[str, Any], at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every setting of a recipe's schema with what the schema says of it, over all variants."""
    inner = {**root["$defs"][node["$ref"].rpartition("/")[2]], **node} if "$ref" in node else node
    tables = [part for part in inner.get("oneOf", []) if "$ref" in part]
    if "properties" in inner:
        for key, part in inner["properties"].items():
            yield from settings(root, part, f"{at}.{key}" if at else key)
    elif tables:
        for table in tables:
            yield from settings(root, table, at)
    else:
        yield at, inner


def all_settings() -> list[tuple[str, dict[str, Any]]]:
    schemas = [task.model_json_schema() for task in TASKS.values()]
    return [found for schema in schemas for found in settings(schema, schema)]


def test_every_help_of_a_setting_is_there_in_korean_and_no_setting_is_made_up() -> None:
    described = {path for path, schema in all_settings() if "description" in schema}
    assert described - set(KOREAN["settings"]) == set()
    assert set(KOREAN["settings"]) <= {path for path, _ in all_settings()}
    for words in KOREAN["settings"].values():
        assert set(words) <= {"title", "help"}
        assert re.search("[가-힣]", words["help"])


def test_every_setting_is_of_a_kind_that_the_form_shows() -> None:
    kinds = {"integer", "number", "boolean", "string"}
    for path, schema in all_settings():
        one = schema["items"] if schema.get("type") == "array" else schema
        assert one.get("type") in kinds or "enum" in one or "const" in one, path
