"""The generator of Pix2Pix as a segmenter: a logit for each class instead of a colour."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ganvas.models.pix2pix import Translator, TranslatorSettings


class Segmenter(Translator):
    """A picture (N, C, H, W) in [-1, 1] -> logits (N, classes, H, W), or the label map in its palette's colours.

    Args:
        settings: a recipe's ``generator``.
        in_channels: of the picture.
        colours: of the classes, (red, green, blue) in 0..255, in the order of their ids.
        ignore: the id that means unlabelled and is never found; -1: none does.
        size: side of the training pictures in pixels.
    """

    def __init__(
        self,
        settings: TranslatorSettings,
        in_channels: int,
        colours: Sequence[tuple[int, int, int]],
        ignore: int,
        size: int,
    ) -> None:
        super().__init__(settings, in_channels, len(colours), size, 0)
        self.ignore = ignore
        self._colours = tuple(colours)

    def forward(self, source: Tensor, labels: Tensor | None = None) -> Tensor:
        """The label map as a picture (N, 3, H, W) in [-1, 1], which is what the picture -> picture models draw."""
        ids = self.found(self.logits(source))
        # Made here and not kept as a buffer: weights are built without memory of their own, colours would be lost.
        table = torch.tensor(self._colours, dtype=torch.float32, device=ids.device) / 127.5 - 1
        return table[ids].permute(0, 3, 1, 2)

    def found(self, logits: Tensor) -> Tensor:
        """The likeliest class of each pixel, int64 (N, H, W); never the ignored one."""
        if 0 <= self.ignore < logits.shape[1]:
            logits = logits.clone()
            logits[:, self.ignore] = -torch.inf
        return logits.argmax(dim=1)
