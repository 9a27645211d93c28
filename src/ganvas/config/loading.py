"""Finding, reading, changing and writing recipes."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, overload

import tomli_w
from pydantic import BaseModel, ValidationError

from ganvas.config.label import LabelRecipe
from ganvas.config.segment import SegmentRecipe
from ganvas.config.settings import Recipe, Unfit
from ganvas.config.translate import PRESETS, EncoderDecoderGenerator, TranslateRecipe, UnetGenerator
from ganvas.errors import Parameters, UsageError, nearest

OneTask = TypeVar("OneTask", bound=Recipe)
TASKS: dict[str, type[LabelRecipe] | type[TranslateRecipe] | type[SegmentRecipe]] = {
    "label": LabelRecipe,
    "translate": TranslateRecipe,
    "segment": SegmentRecipe,
}
# What is wrong with one value, by pydantic's types of errors; in their context stands what was expected.
VALUE_CODES = {
    "int_type": "setting-whole",
    "float_type": "setting-number",
    "bool_type": "setting-switch",
    "string_type": "setting-text",
    "literal_error": "setting-choice",
    "greater_than": "setting-above",
    "greater_than_equal": "setting-least",
    "less_than": "setting-below",
    "less_than_equal": "setting-most",
    "multiple_of": "setting-multiple",
}
# In other words than pydantic's, which has Python's names.
LIST_WORDS = {"tuple_type": "expected a list, in square brackets", "too_long": "expected at most {max_length} values"}
TRANSLATORS: dict[Any, type[BaseModel]] = {"unet": UnetGenerator, "encoder-decoder": EncoderDecoderGenerator}


def recipe_names() -> list[str]:
    """Names of the shipped recipes, sorted."""
    folder = resources.files("ganvas") / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


@overload
def load_recipe(name_or_file: str | Path, settings: Iterable[str] = ()) -> Recipe: ...


@overload
def load_recipe(name_or_file: str | Path, settings: Iterable[str] = (), *, of: type[OneTask]) -> OneTask: ...


def load_recipe(name_or_file: str | Path, settings: Iterable[str] = (), *, of: type[Recipe] = Recipe) -> Recipe:
    """Read a shipped recipe by name, or a TOML file, and apply ``KEY=VALUE`` settings to it.

    Args:
        name_or_file: a shipped recipe's name comes first.
        settings: changes, the value as TOML writes it; words need no quotes.
        of: the kind of recipe that is wanted, where only one task's will do.

    Raises:
        UsageError: there is no such recipe, it is not TOML or of another task, or a key or value is wrong (the
            nearest key is named).
    """
    table = _read_table(name_or_file)
    for setting in settings:
        _apply_setting(table, setting)
    recipe = parse_recipe(table, str(name_or_file))
    if not isinstance(recipe, of):
        wanted = next(task for task, kind in TASKS.items() if issubclass(kind, of))
        raise UsageError(f"recipe '{name_or_file}' is of task '{recipe.task}': expected one of task '{wanted}'")
    return recipe


def parse_recipe(table: Mapping[str, Any], where: str) -> Recipe:
    """Validate a recipe's table; ``where`` names it in errors. Keys left out are a preset's, where it names one."""
    task = table.get("task", "label")
    if task not in TASKS:
        raise UsageError(f"recipe '{where}': task is {task!r}, expected one of {', '.join(TASKS)}")
    preset = table.get("preset", "")
    if isinstance(preset, str) and preset in PRESETS:
        table = _over(_fitting(PRESETS[preset], table), table)
    try:
        return TASKS[task].model_validate(table)
    except ValidationError as error:
        message, code, parameters = _first_problem(error, TASKS[task])
        raise UsageError(f"recipe '{where}': {message}", code, parameters) from error


def to_toml(recipe: Recipe) -> str:
    """The recipe with every key spelled out; :func:`load_recipe` reads it back equal."""
    return tomli_w.dumps(recipe.model_dump())


def difference(old: Recipe, new: Recipe) -> list[str]:
    """One line for each key in which two recipes differ: ``train.seed: 0 -> 1``. The description does not count."""
    before, after = (_flatten(recipe.model_dump(exclude={"description"})) for recipe in (old, new))
    keys = dict.fromkeys([*before, *after])
    return [
        f"{key}: {before.get(key, 'absent')} -> {after.get(key, 'absent')}"
        for key in keys
        if before.get(key) != after.get(key)
    ]


def _read_table(name_or_file: str | Path) -> dict[str, Any]:
    shipped = recipe_names()
    path = Path(name_or_file)
    if str(name_or_file) in shipped:
        text = (resources.files("ganvas") / "recipes" / f"{name_or_file}.toml").read_text("utf-8")
    elif path.is_file():
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"recipe '{path}' cannot be read as text: {error}") from error
    else:
        hint = nearest(str(name_or_file), shipped)
        raise UsageError(
            f"no recipe '{name_or_file}': neither a shipped one ({', '.join(shipped)}) nor a TOML file.{hint}"
        )
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"recipe '{name_or_file}' is not valid TOML: {error}") from error


def _apply_setting(table: dict[str, Any], setting: str) -> None:
    key, equals, text = setting.partition("=")
    key = key.strip()
    if not equals or not key:
        raise UsageError(f"--set '{setting}': expected KEY=VALUE, for example train.batch_size=64")
    *parents, last = key.split(".")
    target = table
    for parent in parents:
        child = target.setdefault(parent, {})
        if not isinstance(child, dict):
            raise UsageError(f"--set '{setting}': '{parent}' is a value, not a table")
        target = child
    target[last] = _value(text.strip())
    # Setting one way to say how long replaces the other.
    if key == "train.total_images":
        target.pop("epochs", None)
    elif key == "train.epochs":
        target.pop("total_images", None)
    # And another kind of generator has no place for some of what the recipe says of its own.
    elif key == "generator.network" and (kind := TRANSLATORS.get(target[last])):
        for name in set(target) - set(kind.model_fields):
            del target[name]


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # an unquoted word, as people type paths and names


def _first_problem(error: ValidationError, recipe: type[Recipe]) -> tuple[str, str, Parameters]:
    """In words, and by code."""
    problem = error.errors()[0]
    # Tagged unions put the tag into the location ("generator.dense.latent"); users write "generator.latent".
    location = [str(part) for part in problem["loc"]]
    tags = ("dense", "dense-conditional", "paper", "conv", "maxout", "adam", "sgd", "unet", "encoder-decoder")
    key = ".".join(part for part in location if part not in tags)
    if problem["type"] == "extra_forbidden":
        known = _known_keys(recipe)
        if key in known:
            parent = key.rpartition(".")[0]
            message = f"key '{key}' does not belong to the kind of {parent} that is chosen; leave it out"
            return message, "setting-misplaced", {"key": key, "parent": parent}
        message = f"unknown key '{key}'.{nearest(key, known)} `ganvas recipes NAME` lists every key."
        return message, "setting-unknown", {"key": key}
    if problem["type"] == "missing":
        return f"key '{key}' is missing", "setting-missing", {"key": key}
    details: dict[str, Any] = problem.get("ctx", {})
    ours = LIST_WORDS.get(problem["type"])
    words = ours.format(**details) if ours else problem["msg"].removeprefix("Value error, ")
    message = f"{key}: " * bool(key) + words
    if isinstance(unfit := details.get("error"), Unfit):
        return message, unfit.code, unfit.parameters
    found = f"{problem['input']!r}"
    # Of other types the words say what was expected.
    code = VALUE_CODES.get(problem["type"], "setting-value")
    expected = details if problem["type"] in VALUE_CODES else {"reason": message}
    return f"{message} (found {found})", code, {"key": key, "found": found, **expected}


def _known_keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Every dotted key a recipe may hold, over all members of the tagged unions."""
    keys: list[str] = []
    for name, field in model.model_fields.items():
        keys.append(prefix + name)
        for inner in models_in(field.annotation):
            keys += _known_keys(inner, f"{prefix}{name}.")
    return sorted(set(keys))


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The tables that a field of a recipe may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in models_in(part)]


def _flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _over(below: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """``table`` with the keys of ``below`` where it has none of its own, table by table."""
    merged = dict(below)
    for key, value in table.items():
        under = merged.get(key)
        merged[key] = _over(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged


def _fitting(preset: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """The preset without what the recipe's own kind of network or schedule has no place for."""
    fitting = {name: dict(part) for name, part in preset.items()}
    generator, train = table.get("generator"), table.get("train")
    if isinstance(generator, Mapping) and generator.get("network") == "encoder-decoder":
        fitting["generator"].pop("skip_order", None)
    if isinstance(train, Mapping) and not {"lr_decay_images", "lr_decay_start_images"}.isdisjoint(train):
        fitting.pop("train", None)
    return fitting
