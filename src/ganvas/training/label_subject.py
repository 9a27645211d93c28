"""Labelled pictures and the task that draws them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganvas import __version__
from ganvas.config import LabelRecipe
from ganvas.data.batches import LabelledBatches, stream_seed
from ganvas.data.labelled import LabelledImages, open_labelled
from ganvas.errors import GanvasError
from ganvas.metrics.probe import DigitProbe
from ganvas.model_file import LabelHeader
from ganvas.models import value_range
from ganvas.pictures import grid, to_uint8
from ganvas.tasks import LabelTask
from ganvas.training.signs import diversity
from ganvas.training.subject import PictureSubject, Work, resolve

WATCHED = 1_000  # drawn and real pictures that the monitors look at


class LabelSubject(PictureSubject[LabelledImages]):
    """The data of a label -> image recipe.

    Raises:
        GanvasError: the data cannot be used, or not with this recipe.
    """

    def __init__(self, recipe: LabelRecipe) -> None:
        path = Path(recipe.data.path) if recipe.data.path else None
        self.data = open_labelled(path, size=recipe.data.size, channels=recipe.data.channels, split="train")
        self.recipe = resolve(recipe, len(self.data))
        names = self.data.class_names
        if recipe.objective.wrong_labels and len(names) < 2:
            raise GanvasError(
                f"'{self.data.source}' has one class, recipe '{recipe.name}' learns from wrong labels and needs two: "
                "add a class, or use --set objective.wrong_labels=0"
            )
        if len(names) > 10_000 or any(len(name) > 255 for name in names):
            raise GanvasError(
                f"'{self.data.source}' has {len(names):,} classes: expected at most 10,000, "
                "and no name of more than 255 characters"
            )

    def work(self, device: torch.device) -> Work:
        """Networks with fresh weights from torch's global generator, and all that goes with them."""
        recipe = self.recipe
        task = LabelTask(recipe, len(self.data.class_names), device)
        validation = recipe.validation
        probe = DigitProbe.for_data(self.data, task)
        if probe is None and validation.patience_images:
            raise GanvasError(
                f"validation.patience_images waits for {validation.metric}, but the digit classifier cannot read "
                f"'{self.data.source}', so nothing is measured while training: leave it out"
            )
        exhibit = _Exhibit(task, self.data.class_names)
        trained_on = self.trained_on

        def header(images: int, metrics: dict[str, float]) -> LabelHeader:
            return LabelHeader(
                ganvas_version=__version__,
                recipe=recipe.name,
                generator=recipe.generator,
                class_names=self.data.class_names,
                conditional=recipe.conditional,
                size=recipe.data.size,
                channels=recipe.data.channels,
                value_range=value_range(task.generator),
                data=trained_on,
                images_seen=images,
                metrics=metrics,
            )

        return Work(
            task=task,
            step=task.step,
            batches=LabelledBatches(self.data, recipe.train.batch_size, recipe.train.seed, device),
            probe=probe,
            every_images=validation.every_images,
            best_by=validation.metric,
            sheet=exhibit.sheet,
            header=header,
            patience_images=validation.patience_images,
            signs=_Signs(exhibit, self.data).take,
            advice=_advice(recipe),
        )


@dataclass
class _Exhibit:
    """The same noise and labels every time: ten pictures of each class, a row a class."""

    task: LabelTask
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        recipe = self.task.recipe
        torch.manual_seed(stream_seed(recipe.train.seed, "samples", 0))
        self.noise = self.task.draw_noise(10 * self.task.classes if recipe.conditional else 100)
        self.labels = torch.arange(len(self.noise), device=self.task.device) // 10

    def sheet(self) -> Image.Image:
        drawn = self.task.draw(self.noise, self.labels).cpu().numpy()
        names = self.class_names if self.task.recipe.conditional else None
        return grid(to_uint8(np.moveaxis(drawn, 1, 3)), 10, row_labels=names)


class _Signs:
    """How different the fixed samples of a class are, as a share of how different real pictures of a class are."""

    def __init__(self, exhibit: _Exhibit, data: LabelledImages) -> None:
        self._exhibit = exhibit
        # Not the first ones: folders are read class by class.
        chosen = np.random.default_rng(0).permutation(len(data))[:WATCHED]
        self._of_data = self._diversity(torch.from_numpy(data.images[chosen]), torch.from_numpy(data.labels[chosen]))

    def take(self) -> dict[str, float]:
        """``diversity``, where the data have any."""
        noise, labels = self._exhibit.noise[:WATCHED], self._exhibit.labels[:WATCHED]
        drawn = self._exhibit.task.draw(noise, labels)
        return {"diversity": self._diversity(drawn * 127.5, labels) / self._of_data} if self._of_data else {}

    def _diversity(self, pictures: Tensor, labels: Tensor) -> float:
        return diversity(pictures, labels if self._exhibit.task.recipe.conditional else None)


def _advice(recipe: LabelRecipe) -> dict[str, str]:
    """What to try, by monitor."""
    objective, rates = recipe.objective, recipe.optimiser
    calmer = f"a lower optimiser.discriminator.lr (now {rates.discriminator.lr:g})"
    if not objective.r1:
        calmer += ", objective.r1=0.5"
    if objective.adversarial != "relativistic":
        calmer += ", objective.adversarial=relativistic"
    return {
        "D too strong": calmer,
        "G collapsed": calmer + ", and an earlier end (train.total_images), as collapse often comes late",
        "no learning": f"a higher optimiser.generator.lr (now {rates.generator.lr:g}), or a later fall of it "
        "(train.lr_decay_start_images, train.lr_decay_share)",
    }
