"""The task photo -> class of each pixel: cross-entropy, no discriminator."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ganvas.config import SegmentRecipe
from ganvas.data.preparation import Preparation
from ganvas.models import Segmenter
from ganvas.tasks.task import Task


class SegmentTask(Task):
    """Segmenter, objective and optimiser of a recipe that finds the classes of a photo's pixels.

    Args:
        recipe: a resolved recipe.
        photo: how the photos are prepared.
        painted: how the label maps are, as pictures in their palette's colours.
        device: where the network lives.
    """

    def __init__(self, recipe: SegmentRecipe, photo: Preparation, painted: Preparation, device: torch.device) -> None:
        segmenter = Segmenter(recipe.generator, photo.channels, painted.colours, painted.ignore, recipe.data.size)
        super().__init__(recipe, segmenter, None, device)
        self.recipe = recipe
        self.photo = photo
        self.painted = painted

    @torch.no_grad()
    def find(self, photos: Tensor) -> Tensor:
        """Classes int64 (N, S, S) of uint8 photos (N, C, S, S), by the averaged weights where the recipe averages."""
        segmenter = self.drawing_generator
        assert isinstance(segmenter, Segmenter)
        training = segmenter.training
        segmenter.eval()
        found = segmenter.found(segmenter.logits(self._encoded(photos)))
        segmenter.train(training)
        return found

    def step(self, maps: Tensor, photos: Tensor, _labels: Tensor, images_seen: int) -> dict[str, Tensor]:
        """One update on uint8 ids ``maps`` (N, 1, S, S) and ``photos`` (N, C, S, S).

        The loss is the mean cross-entropy over the labelled pixels (Long et al. 2015, section 4). Dropout comes from
        torch's global generator, which the caller seeds. Returns named scalars without waiting for the device.
        """
        assert isinstance(self.generator, Segmenter)
        true = maps[:, 0].long()
        with self.autocast():
            logits = self.generator.logits(self._encoded(photos))
        total = F.cross_entropy(logits.float(), true, ignore_index=self.painted.ignore, reduction="sum")
        # A batch without a labelled pixel teaches nothing; divided by none it would end the run.
        loss = total / (true != self.painted.ignore).sum().clamp(min=1)
        self.update_in_backward("generator", loss, None, images_seen)
        self.end_step(images_seen, len(photos))
        return {"cross_entropy": loss.detach()}

    def _encoded(self, photos: Tensor) -> Tensor:
        return self.photo.encode(photos).contiguous(memory_format=torch.channels_last)
