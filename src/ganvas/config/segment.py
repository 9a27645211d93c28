"""The recipe of the task photo -> label map: a segmenter, by which drawn photos are judged."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ganvas.config.settings import Adam, AnyValidation, GeneratorOptimiser, Recipe, Train, Unfit
from ganvas.config.translate import PairData, Translator, UnetGenerator


class SegmentValidation(AnyValidation):
    """The scores measured while training, on held-out pairs: of ``val`` where there is such a split, else ``test``."""

    metric: Literal["", "mean_iou", "pixel_accuracy", "class_accuracy"] = Field(
        "mean_iou", description="decides which model is kept as the run's; empty: the last"
    )
    samples: int = Field(256, ge=1)
    every_images: int = Field(2_000, ge=1)


class SegmentRecipe(Recipe):
    """A complete training configuration of a segmenter: the generator's last layer gives a logit a class."""

    task: Literal["segment"]
    data: PairData
    generator: Translator = UnetGenerator()
    optimiser: GeneratorOptimiser = GeneratorOptimiser(generator=Adam())
    train: Train
    validation: SegmentValidation = SegmentValidation()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        data = self.data
        if (data.source, data.target) != ("picture", "labels"):
            raise Unfit(
                'a segmenter goes from picture to label map: data.source "picture", data.target "labels"',
                "unfit-segmenter",
            )
        if not data.palette:
            raise Unfit(
                "data.palette must name the classes of a label map: camvid, cityscapes or a CSV file", "unfit-palette"
            )
        if data.labels or data.vary_lines or data.open_outlines or data.turn or data.zoom:
            raise Unfit(
                "data.labels, data.vary_lines, data.open_outlines, data.turn and data.zoom are not for segmenters: "
                "leave them out",
                "unfit-segmenter-data",
            )
        if self.generator.norm == "spade":
            raise Unfit(
                'generator.norm "spade" modulates by a label map, which is what a segmenter has to find',
                "unfit-segmenter-spade",
            )
        if self.generator.noise or (isinstance(self.generator, UnetGenerator) and self.generator.spread):
            raise Unfit(
                "generator.noise and generator.spread are for models that draw, not for segmenters: leave them out",
                "unfit-segmenter-noise",
            )
        return self
