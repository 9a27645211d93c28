"""The recipe: everything that decides what a training run computes, typed, frozen, one TOML file.

A recipe is found by name among the shipped ones or read from a file, changed with ``KEY=VALUE`` settings, and
written back fully resolved into the run folder. Nothing else influences the weights that a run ends with, but for
what it points at: the data, and the weights of ``init.model``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ganvas.errors import UsageError, nearest


class Settings(BaseModel):
    """Base of every table of a recipe: frozen; an unknown key, a value of another type and inf or nan are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Data(Settings):
    """What to train on. ``path`` empty: the embedded digits."""

    path: str = ""
    size: int = Field(28, ge=8, le=1024)
    channels: Literal[1, 3] = 1


class DenseGenerator(Settings):
    """z -> 128 -> 256 -> 512 -> image (the course's GAN)."""

    network: Literal["dense"] = "dense"
    latent: int = Field(100, ge=1)


class DenseConditionalGenerator(Settings):
    """z -> 256, y -> 256, joint 512 -> image (the course's cGAN)."""

    network: Literal["dense-conditional"] = "dense-conditional"
    latent: int = Field(100, ge=1)


class PaperGenerator(Settings):
    """z -> 200, y -> 1000, joint 1200 -> image in [0, 1] (Mirza & Osindero 2014)."""

    network: Literal["paper"] = "paper"
    latent: int = Field(100, ge=1)
    dropout: float = Field(0.5, ge=0, lt=1)


class ConvGenerator(Settings):
    """Convolutional, class-conditional; for 28, 32 and 64 pixels, grey or colour."""

    network: Literal["conv"] = "conv"
    latent: int = Field(64, ge=1)
    width: int = Field(32, ge=4, multiple_of=4)


class DenseDiscriminator(Settings):
    """image -> 512 -> 256 -> 128 -> logit (the course's GAN)."""

    network: Literal["dense"] = "dense"


class MaxoutDiscriminator(Settings):
    """Maxout(240, 5) of x and Maxout(50, 5) of y, joint Maxout(240, 4) -> logit.

    ``activation`` is applied to the Dense output before the maximum: ``relu`` as the course does, ``none`` for
    the affine pieces of the papers. ``projection`` adds <e(y), h> to the logit (Miyato & Koyama 2018).
    """

    network: Literal["maxout"] = "maxout"
    activation: Literal["relu", "none"] = "relu"
    dropout: float = Field(0.0, ge=0, lt=1)
    projection: bool = False


class ConvDiscriminator(Settings):
    """Convolutional, with a projection of the label (Miyato & Koyama 2018)."""

    network: Literal["conv"] = "conv"
    width: int = Field(32, ge=4, multiple_of=4)


Generator = Annotated[
    DenseGenerator | DenseConditionalGenerator | PaperGenerator | ConvGenerator, Field(discriminator="network")
]
Discriminator = Annotated[DenseDiscriminator | MaxoutDiscriminator | ConvDiscriminator, Field(discriminator="network")]
UNCONDITIONAL = ("dense",)


class Objective(Settings):
    """What D and G minimise; see :mod:`ganvas.objectives` for the formulas."""

    adversarial: Literal["bce", "lsgan", "hinge", "relativistic"] = "bce"
    wrong_labels: float = Field(0.0, ge=0, description="weight of real pictures under a wrong label as fakes")
    r1: float = Field(0.0, ge=0, description="gradient penalty on real pictures, gamma of Mescheder 2018")
    r2: float = Field(0.0, ge=0, description="gradient penalty on drawn pictures")
    penalty_interval: int = Field(1, ge=1, description="steps between penalties; their weight is multiplied by it")
    penalty_final: float = Field(
        1.0, ge=0, le=1, description="what the penalties' weights have fallen to when the learning rates reach zero"
    )


class Adam(Settings):
    """Adam (Kingma & Ba 2015). ``eps_placement = "keras"`` adds epsilon before the bias correction."""

    kind: Literal["adam"] = "adam"
    lr: float = Field(2e-4, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    eps: float = Field(1e-8, gt=0)
    eps_placement: Literal["torch", "keras"] = "torch"


class Sgd(Settings):
    """Gradient descent with momentum, as the papers of 2013 and 2014 used it."""

    kind: Literal["sgd"] = "sgd"
    lr: float = Field(0.1, gt=0)
    lr_divisor: float = Field(1.0, ge=1, description="the learning rate is divided by it after each step")
    lr_min: float = Field(1e-6, ge=0)
    momentum: float = Field(0.5, ge=0, lt=1)
    momentum_final: float = Field(0.7, ge=0, lt=1)
    momentum_ramp_images: int = Field(0, ge=0, description="images over which momentum rises to its final value")


AnyOptimiser = Annotated[Adam | Sgd, Field(discriminator="kind")]


class Optimisers(Settings):
    """One optimiser for each network."""

    generator: AnyOptimiser
    discriminator: AnyOptimiser


class Train(Settings):
    """The loop. Exactly one of ``total_images`` and ``epochs`` says how long; units are in the names."""

    total_images: int = Field(0, ge=0)
    epochs: int = Field(0, ge=0)
    batch_size: int = Field(128, ge=1)
    seed: int = Field(0, ge=0, lt=2**63)
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = Field(False, description="compile the course's hand-written step; needs a C++ compiler")
    ema_half_life_images: int = Field(0, ge=0, description="0: no average of the generator's weights")
    lr_decay_start_images: int = Field(0, ge=0, description="where both learning rates start to fall")
    lr_decay_images: int = Field(0, ge=0, description="images over which they fall to zero; 0: never")
    tick_images: int = Field(10_000, ge=1, description="between two lines of stats.jsonl")
    sample_images: int = Field(100_000, ge=1, description="between two pictures of the fixed samples")
    checkpoint_images: int = Field(200_000, ge=1, description="between two checkpoints")


class Validation(Settings):
    """The metrics measured while training, where the shipped digit classifier knows the data."""

    metric: Literal["", "asked_accuracy", "digit_frechet"] = Field(
        "", description="decides which model is kept as the run's model; empty: the last"
    )
    samples: int = Field(1_000, ge=100)
    every_images: int = Field(100_000, ge=1)


class Init(Settings):
    """``model``: a model file, run or shipped name to start the generator's weights from."""

    model: str = ""


class Recipe(Settings):
    """A complete training configuration of a label -> image (or noise -> image) model."""

    name: str
    description: str = ""
    task: Literal["label"] = "label"
    data: Data = Data()
    generator: Generator
    discriminator: Discriminator
    objective: Objective = Objective()
    optimiser: Optimisers
    train: Train
    validation: Validation = Validation()
    init: Init = Init()

    @property
    def conditional(self) -> bool:
        """Whether the generator takes a label."""
        return self.generator.network not in UNCONDITIONAL

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        if not re.fullmatch(r"[\w.-]+", name) or name in (".", ".."):
            raise ValueError(f"{name!r} cannot name a run's folder: use letters, digits, '_', '-' and '.'")
        return name

    @model_validator(mode="after")
    def _fits_together(self) -> Recipe:
        if bool(self.train.total_images) == bool(self.train.epochs):
            raise ValueError("train: set exactly one of total_images and epochs")
        if self.conditional != (self.discriminator.network not in UNCONDITIONAL):
            raise ValueError(
                f"generator '{self.generator.network}' and discriminator '{self.discriminator.network}' "
                "do not fit together: either both take the label or neither does"
            )
        if self.objective.wrong_labels and not self.conditional:
            raise ValueError("objective.wrong_labels needs networks that take a label")
        if "conv" in (self.generator.network, self.discriminator.network) and self.data.size not in (28, 32, 64):
            raise ValueError(f"data.size is {self.data.size}: the conv networks draw 28, 32 or 64 pixels")
        return self


def recipe_names() -> list[str]:
    """Names of the shipped recipes, sorted."""
    folder = resources.files("ganvas") / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_recipe(name_or_file: str | Path, settings: Iterable[str] = ()) -> Recipe:
    """Read a shipped recipe by name, or a TOML file, and apply ``KEY=VALUE`` settings to it.

    Raises:
        UsageError: there is no such recipe, it is not TOML, or a key or value is wrong (the nearest key is named).
    """
    table = _read_table(name_or_file)
    for setting in settings:
        _apply_setting(table, setting)
    return parse_recipe(table, str(name_or_file))


def parse_recipe(table: Mapping[str, Any], where: str) -> Recipe:
    """Validate a recipe's table; ``where`` names it in errors."""
    try:
        return Recipe.model_validate(table)
    except ValidationError as error:
        raise UsageError(f"recipe '{where}': {_first_problem(error)}") from error


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


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # an unquoted word, as people type paths and names


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    # Tagged unions put the tag into the location ("generator.dense.latent"); users write "generator.latent".
    location = [str(part) for part in problem["loc"]]
    tags = ("dense", "dense-conditional", "paper", "conv", "maxout", "adam", "sgd")
    key = ".".join(part for part in location if part not in tags)
    if problem["type"] == "extra_forbidden":
        known = _known_keys(Recipe)
        if key in known:
            parent = key.rpartition(".")[0]
            return f"key '{key}' does not belong to the kind of {parent} that is chosen; leave it out"
        return f"unknown key '{key}'.{nearest(key, known)} `ganvas recipes NAME` lists every key."
    if problem["type"] == "missing":
        return f"key '{key}' is missing"
    message = problem["msg"].removeprefix("Value error, ")
    found = "" if problem["type"] in ("value_error", "missing") else f" (found {problem['input']!r})"
    return f"{key}: {message}{found}" if key else f"{message}{found}"


def _known_keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Every dotted key a recipe may hold, over all members of the tagged unions."""
    keys: list[str] = []
    for name, field in model.model_fields.items():
        keys.append(prefix + name)
        for inner in _models_in(field.annotation):
            keys += _known_keys(inner, f"{prefix}{name}.")
    return sorted(set(keys))


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def _flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
