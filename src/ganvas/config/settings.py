"""The tables that the recipes of every task share."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ganvas.errors import NO_PARAMETERS, Parameters


class Unfit(ValueError):
    """Settings that do not fit together; pydantic tells where they stand.

    Attributes:
        code: as of :class:`ganvas.errors.GanvasError`, which it becomes.
        parameters: likewise.
    """

    def __init__(self, message: str, code: str, parameters: Parameters = NO_PARAMETERS) -> None:
        super().__init__(message)
        self.code = code
        self.parameters = parameters


class Settings(BaseModel):
    """Base of every table of a recipe: frozen; an unknown key, a value of another type and inf or nan are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


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


class GeneratorOptimiser(Settings):
    """The optimiser of a task whose one network is the generator."""

    generator: AnyOptimiser


class Optimisers(GeneratorOptimiser):
    """One optimiser for each network."""

    discriminator: AnyOptimiser


class Train(Settings):
    """The loop. Exactly one of ``total_images`` and ``epochs`` says how long; units are in the names."""

    total_images: int = Field(0, ge=0)
    epochs: int = Field(0, ge=0)
    batch_size: int = Field(128, ge=1)
    seed: int = Field(0, ge=0, lt=2**63)
    precision: Literal["fp32", "bf16"] = "fp32"
    ema_half_life_images: int = Field(0, ge=0, description="0: no average of the generator's weights")
    lr_decay_start_images: int = Field(0, ge=0, description="where both learning rates start to fall")
    lr_decay_images: int = Field(0, ge=0, description="images over which they fall to zero; 0: never")
    lr_decay_share: float = Field(0.0, ge=0, le=1, description="the same, as the last share of the run")
    tick_images: int = Field(10_000, ge=1, description="between two lines of stats.jsonl")
    sample_images: int = Field(100_000, ge=1, description="between two pictures of the fixed samples")
    checkpoint_images: int = Field(200_000, ge=1, description="between two checkpoints")

    @model_validator(mode="after")
    def _one_schedule(self) -> Self:
        if self.lr_decay_share and (self.lr_decay_images or self.lr_decay_start_images):
            raise Unfit("set lr_decay_share, or lr_decay_start_images and lr_decay_images, not both", "unfit-decay")
        return self


class Init(Settings):
    """``model``: a model file, run or shipped name to start the generator's weights from."""

    model: str = ""
    discriminator: bool = Field(
        False, description="the discriminator's too, from the newest checkpoint of `init.model`, which is a run then"
    )


class AnyValidation(Settings):
    """What the validations of the tasks that can stop early share."""

    metric: str
    patience_images: int = Field(
        0, ge=0, description="stop when the metric has not improved for so many images; 0: never"
    )

    @model_validator(mode="after")
    def _knows_what_to_wait_for(self) -> Self:
        if self.patience_images and not self.metric:
            raise Unfit(
                "patience_images waits for a metric to improve: name one as validation.metric", "unfit-patience"
            )
        return self


class Recipe(Settings):
    """What the training configurations of all tasks have in common."""

    name: str
    description: str = ""
    task: str
    optimiser: GeneratorOptimiser
    train: Train
    init: Init = Init()

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        if not re.fullmatch(r"[\w.-]+", name) or name in (".", ".."):
            raise Unfit(
                f"{name!r} cannot name a run's folder: use letters, digits, '_', '-' and '.'",
                "unfit-name",
                {"name": name},
            )
        return name

    @model_validator(mode="after")
    def _says_how_long(self) -> Self:
        if bool(self.train.total_images) == bool(self.train.epochs):
            raise Unfit("train: set exactly one of total_images and epochs", "unfit-length")
        return self
