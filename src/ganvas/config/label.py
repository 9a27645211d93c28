"""The recipe of the task label -> image, or noise -> image."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ganvas.config.settings import AnyValidation, Optimisers, Recipe, Settings, Train, Unfit


class LabelData(Settings):
    """What to train on. ``path`` empty: the embedded digits."""

    path: str = ""
    size: int = Field(28, ge=8, le=1024)
    channels: Literal[1, 3] = 1


class _FromNoise(Settings):
    """What the generators of this task have in common."""

    network: str
    latent: int = Field(100, ge=1)

    @property
    def noise_length(self) -> int:
        """How many numbers a picture is drawn from, its class aside."""
        return self.latent


class DenseGenerator(_FromNoise):
    """z -> 128 -> 256 -> 512 -> image (the course's GAN)."""

    network: Literal["dense"] = "dense"


class DenseConditionalGenerator(_FromNoise):
    """z -> 256, y -> 256, joint 512 -> image (the course's cGAN)."""

    network: Literal["dense-conditional"] = "dense-conditional"


class PaperGenerator(_FromNoise):
    """z -> 200, y -> 1000, joint 1200 -> image in [0, 1] (Mirza & Osindero 2014)."""

    network: Literal["paper"] = "paper"
    dropout: float = Field(0.5, ge=0, lt=1)

    @property
    def noise_length(self) -> int:
        """z, and where units are dropped a number for each of the 1,200 joint inputs and of the 1,200 joint units."""
        return self.latent + (2 * 1200 if self.dropout else 0)


class ConvGenerator(_FromNoise):
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
    the affine pieces of the papers. ``dropout`` is of the pieces with ``relu``, of what the layers get with ``none``
    (Goodfellow et al. 2013). ``projection`` adds <e(y), h> to the logit (Miyato & Koyama 2018).
    """

    network: Literal["maxout"] = "maxout"
    activation: Literal["relu", "none"] = "relu"
    dropout: float = Field(0.0, ge=0, lt=1)
    projection: bool = False
    weight_range: float = Field(
        0.0, ge=0, description="first weights are drawn from minus this to this; 0: Glorot's range for each layer"
    )


class ConvDiscriminator(Settings):
    """Convolutional, with a projection of the label (Miyato & Koyama 2018)."""

    network: Literal["conv"] = "conv"
    width: int = Field(32, ge=4, multiple_of=4)


Generator = Annotated[
    DenseGenerator | DenseConditionalGenerator | PaperGenerator | ConvGenerator, Field(discriminator="network")
]
Discriminator = Annotated[DenseDiscriminator | MaxoutDiscriminator | ConvDiscriminator, Field(discriminator="network")]
UNCONDITIONAL = ("dense",)


class LabelObjective(Settings):
    """What D and G minimise; see :mod:`ganvas.objectives` for the formulas."""

    adversarial: Literal["bce", "lsgan", "hinge", "relativistic"] = "bce"
    wrong_labels: float = Field(0.0, ge=0, description="weight of real pictures under a wrong label as fakes")
    r1: float = Field(0.0, ge=0, description="gradient penalty on real pictures, gamma of Mescheder 2018")
    r2: float = Field(0.0, ge=0, description="gradient penalty on drawn pictures")
    penalty_interval: int = Field(1, ge=1, description="steps between penalties; their weight is multiplied by it")
    penalty_final: float = Field(
        1.0, ge=0, le=1, description="what the penalties' weights have fallen to when the learning rates reach zero"
    )


class LabelTrain(Train):
    """The loop, and what only this task's steps know."""

    compile: bool = Field(False, description="compile the course's hand-written step; needs a C++ compiler")


class Validation(AnyValidation):
    """The metrics measured while training, where the shipped digit classifier knows the data."""

    metric: Literal["", "asked_accuracy", "digit_frechet"] = Field(
        "", description="decides which model is kept as the run's model; empty: the last"
    )
    samples: int = Field(1_000, ge=100)
    every_images: int = Field(100_000, ge=1)


class LabelRecipe(Recipe):
    """A complete training configuration of a label -> image (or noise -> image) model."""

    task: Literal["label"] = "label"
    data: LabelData = LabelData()
    generator: Generator
    discriminator: Discriminator
    objective: LabelObjective = LabelObjective()
    optimiser: Optimisers
    train: LabelTrain
    validation: Validation = Validation()

    @property
    def conditional(self) -> bool:
        """Whether the generator takes a label."""
        return self.generator.network not in UNCONDITIONAL

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.conditional != (self.discriminator.network not in UNCONDITIONAL):
            raise Unfit(
                f"generator '{self.generator.network}' and discriminator '{self.discriminator.network}' "
                "do not fit together: either both take the label or neither does",
                "unfit-networks",
                {"generator": self.generator.network, "discriminator": self.discriminator.network},
            )
        if self.objective.wrong_labels and not self.conditional:
            raise Unfit("objective.wrong_labels needs networks that take a label", "unfit-wrong-labels")
        if self.validation.metric == "asked_accuracy" and not self.conditional:
            raise Unfit("validation.metric asked_accuracy needs networks that take a label", "unfit-asked-accuracy")
        if "conv" in (self.generator.network, self.discriminator.network) and self.data.size not in (28, 32, 64):
            raise Unfit(
                f"data.size is {self.data.size}: the conv networks draw 28, 32 or 64 pixels",
                "unfit-conv-size",
                {"size": self.data.size},
            )
        return self
