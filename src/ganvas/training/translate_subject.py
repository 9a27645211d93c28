"""Pairs of pictures and the task that translates one side into the other."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganvas import __version__
from ganvas.config import TranslateRecipe
from ganvas.data.pairs import PairImages, open_pairs
from ganvas.data.pairs.batches import PairBatches, load_side
from ganvas.errors import GanvasError
from ganvas.files import cache_folder
from ganvas.metrics import pictures as picture_metrics
from ganvas.model_file import TranslateHeader
from ganvas.pictures import Pixels, grid, to_uint8
from ganvas.tasks import TranslateTask
from ganvas.training.signs import diversity
from ganvas.training.subject import PictureSubject, Work, resolve

SHOWN = 8
WATCHED = 32  # training pairs that the monitors look at
LEAST_CHROMA = 3.0  # of targets with colours that could be missed
METRICS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": picture_metrics.l1,
    "psnr": picture_metrics.psnr,
    "ssim": picture_metrics.ssim,
    "ms_ssim": picture_metrics.ms_ssim,
    "edge_agreement": picture_metrics.edge_agreement,
    "colour_distance": picture_metrics.colour_distance,
}
log = logging.getLogger(__name__)


class TranslateSubject(PictureSubject[PairImages]):
    """The data of a picture -> picture recipe.

    Raises:
        GanvasError: the data cannot be used, or not with this recipe.
    """

    _held_out: PairImages

    def __init__(self, recipe: TranslateRecipe) -> None:
        cache = cache_folder() / "pairs"
        self.data = open_pairs(recipe.data, "train", side=load_side(recipe.data), cache=cache)
        self.recipe = resolve(recipe, len(self.data))
        if recipe.labelled and len(self.data.class_names) < 2:
            raise GanvasError(
                f"'{self.data.source}' has fewer than two classes, recipe '{recipe.name}' takes a label "
                "and needs two: add classes, or use --set 'condition=[\"picture\"]'"
            )
        held_out = open_pairs(recipe.data, "val", cache=cache)
        self._held_out = held_out if len(held_out) else open_pairs(recipe.data, "test", cache=cache)
        if not len(self._held_out):
            nothing = f"'{self.data.source}' holds out no pairs, so nothing is measured while training"
            remedy = "make a folder test/ or raise data.test_share"
            if recipe.validation.metric:
                raise GanvasError(f"{nothing}, but validation.metric is '{recipe.validation.metric}': {remedy}")
            log.warning("%s: %s", nothing, remedy)

    def work(self, device: torch.device) -> Work:
        """Networks with fresh weights from torch's global generator, and all that goes with them."""
        recipe, data = self.recipe, self.data
        class_names = data.class_names if recipe.labelled else ()
        task = TranslateTask(recipe, data.source_preparation, data.target_preparation, class_names, device)
        trained_on = self.trained_on

        def header(images: int, metrics: dict[str, float]) -> TranslateHeader:
            return TranslateHeader(
                ganvas_version=__version__,
                recipe=recipe.name,
                generator=recipe.generator,
                size=recipe.data.size,
                source=data.source_preparation,
                target=data.target_preparation,
                hints=recipe.hints.enabled,
                class_names=class_names,
                data=trained_on,
                images_seen=images,
                metrics=metrics,
            )

        validation = recipe.validation
        held_out = _Measured(task, self._held_out, validation.metric, validation.samples)
        learned = _Measured(task, data, validation.metric, min(validation.samples, WATCHED))
        return Work(
            task=task,
            step=task.step,
            batches=PairBatches(data, recipe.data, recipe.train.batch_size, recipe.train.seed, device),
            probe=held_out if len(self._held_out) else None,
            every_images=validation.every_images,
            best_by=_name(validation.metric, recipe.data.size),
            sheet=_Exhibit(task, self._held_out if len(self._held_out) else data).sheet,
            header=header,
            patience_images=validation.patience_images,
            signs=learned.signs,
            advice=_advice(recipe),
        )


class _Exhibit:
    """The same pairs every time, held-out ones where there are any: source, drawn, target in a row."""

    def __init__(self, task: TranslateTask, data: PairImages) -> None:
        self._task = task
        self._data = data
        self._chosen = data.spread(SHOWN)

    def sheet(self) -> Image.Image:
        data = self._data
        drawn = _drawn(self._task, data.sources[self._chosen], data.labels[self._chosen])
        rows = []
        for index, picture in zip(self._chosen, drawn, strict=True):
            source = data.source_preparation.shown(np.moveaxis(data.sources[index], 0, -1)[None])
            target = data.target_preparation.shown(np.moveaxis(data.targets[index], 0, -1)[None])
            rows += [*source, *data.target_preparation.shown(picture[None]), *target]
        return grid(np.stack(rows), 6, gap=4)


class _Measured:
    """``l1`` and the recipe's metric of what is drawn of the same pairs every time, without hints.

    Of pairs that are larger than training's pictures, the middle counts.
    """

    def __init__(self, task: TranslateTask, data: PairImages, metric: str, samples: int) -> None:
        self._task = task
        self._data = data
        self._metric = metric
        self._chosen = data.spread(samples)

    def measure(self) -> dict[str, float]:
        """Means over the pairs."""
        drawn, true = self._both()
        return {name: self._mean(metric, drawn, true) for name, metric in self._metrics().items()}

    def signs(self) -> dict[str, float]:
        """What the monitors look at, of pairs to learn from."""
        drawn, true = self._both()
        name, metric = list(self._metrics().items())[-1]
        signs = {f"train_{name}": self._mean(metric, drawn, true)}
        of_data = diversity(true)
        if of_data:
            signs["diversity"] = diversity(drawn) / of_data
        if true.shape[1] == 3:
            chroma = float(picture_metrics.chroma(true).mean())
            if chroma >= LEAST_CHROMA:
                signs["chroma"] = float(picture_metrics.chroma(drawn).mean()) / chroma
        return signs

    def _metrics(self) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
        """By the name that figures go by; the recipe's own comes last."""
        chosen = {_name(self._metric, self._task.recipe.data.size): METRICS[self._metric]} if self._metric else {}
        return {"l1": METRICS["l1"]} | chosen

    def _both(self) -> tuple[Tensor, Tensor]:
        """Drawn and true pictures, uint8 (n, C, S, S)."""
        data, size = self._data, self._task.recipe.data.size
        drawn = _drawn(self._task, _middle(data.sources[self._chosen], size), data.labels[self._chosen])
        true = np.ascontiguousarray(_middle(data.targets[self._chosen], size))
        return torch.from_numpy(np.moveaxis(drawn, 3, 1)), torch.from_numpy(true)

    def _mean(self, metric: Callable[[Tensor, Tensor], Tensor], drawn: Tensor, true: Tensor) -> float:
        # A few at a time: metrics work in float64, some with several copies.
        values = [metric(drawn[at : at + SHOWN], true[at : at + SHOWN]) for at in range(0, len(drawn), SHOWN)]
        return float(torch.cat(values).mean())


def _name(metric: str, size: int) -> str:
    """What the recipe's metric is called where pictures are small: of fewer scales it is another number."""
    return picture_metrics.ms_ssim_name(size) if metric == "ms_ssim" else metric


def _middle(pictures: Pixels, size: int) -> Pixels:
    """The middle square of ``size`` pixels of (n, C, H, W)."""
    top, left = ((side - size) // 2 for side in pictures.shape[2:])
    return pictures[:, :, top : top + size, left : left + size]


def _drawn(task: TranslateTask, sources: Pixels, labels: np.ndarray[Any, Any]) -> Pixels:
    """Translations (n, S, S, Ct) uint8 of ``sources`` (n, Cs, S, S), a few at a time."""
    pictures = []
    for start in range(0, len(sources), SHOWN):
        part = torch.from_numpy(np.ascontiguousarray(sources[start : start + SHOWN])).to(task.device)
        classes = torch.from_numpy(labels[start : start + SHOWN]).to(task.device)
        pictures.append(to_uint8(np.moveaxis(task.draw(part, classes).cpu().numpy(), 1, 3)))
    return np.concatenate(pictures)


def _advice(recipe: TranslateRecipe) -> dict[str, str]:
    """What to try, by monitor."""
    objective, rates = recipe.objective, recipe.optimiser
    calmer = f"a lower optimiser.discriminator.lr (now {rates.discriminator.lr:g})"
    if not objective.r1:
        calmer += ", objective.r1=1.0"
    if not objective.augment:
        calmer += ", objective.augment=true"
    if objective.adversarial == "bce" and not objective.halve_discriminator:
        calmer += ", objective.halve_discriminator=true"
    stop = "" if recipe.validation.metric else "validation.metric, so that the best model is kept, "
    return {
        "D too strong": calmer,
        "G collapsed": f"objective.l1_weight up (now {objective.l1_weight:g}, of kind {objective.kind}), "
        "lower learning rates, and `ganvas data preview`: sources that are all alike cannot be told apart",
        "overfitting": "more pairs, data.jitter and data.flip on, of drawings data.turn and data.zoom up, "
        f"a smaller generator.width, {stop}or an end where it is best (validation.patience_images)",
        "no learning": f"a higher optimiser.generator.lr (now {rates.generator.lr:g}), or a later fall of it "
        "(train.lr_decay_start_images, train.lr_decay_share)",
        "grey output": "an adversarial term (objective.kind=l1+cgan), less objective.l1_weight "
        f"(now {objective.l1_weight:g}), or dabs of colour (hints.enabled=true)",
    }
