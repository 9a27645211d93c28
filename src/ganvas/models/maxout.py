"""Maxout layers and the conditional discriminator made of them (Goodfellow et al. 2013; Mirza & Osindero 2014)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganvas.models.dense import LabelDense, dense

Activation = Literal["relu", "none"]


class Maxout(nn.Module):
    """max over ``pieces`` of one Dense of units*pieces, reshaped to (pieces, units).

    ``activation="none"``: affine pieces, Goodfellow et al. 2013, eq. 1. ``activation="relu"``: ReLU (and dropout,
    in training mode) on the Dense output before the maximum, as the course has it.

    Args:
        layer: the Dense layer, of ``units * pieces`` outputs; a LabelDense takes indices (N,).
    """

    def __init__(self, layer: nn.Linear, pieces: int, activation: Activation, dropout: float) -> None:
        super().__init__()
        self.layer = layer
        self.pieces = pieces
        self.activation = activation
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: Tensor) -> Tensor:
        h: Tensor = self.layer(inputs)
        if self.activation == "relu":
            h = F.relu(h)
        h = self.dropout(h)
        return h.view(len(h), self.pieces, -1).amax(1)


class MaxoutDiscriminator(nn.Module):
    """x -> Maxout(240, 5), y -> Maxout(50, 5), concat 290 -> Maxout(240, 4) -> logit (N,).

    With ``projection`` the logit gains <e(y), h>, h the 240 joint features (Miyato & Koyama 2018, eq. 3): the
    interaction of label and picture then gets a gradient from the first step on.
    """

    def __init__(
        self,
        classes: int,
        size: int,
        channels: int,
        activation: Activation = "relu",
        dropout: float = 0.0,
        projection: bool = False,
    ) -> None:
        super().__init__()
        self.picture = Maxout(dense(channels * size * size, 240 * 5), 5, activation, dropout)
        self.label = Maxout(LabelDense(classes, 50 * 5), 5, activation, dropout)
        self.joint = Maxout(dense(240 + 50, 240 * 4), 4, activation, dropout)
        self.output = dense(240, 1)
        self.projection = nn.Embedding(classes, 240) if projection else None
        if self.projection is not None:
            nn.init.xavier_uniform_(self.projection.weight)

    def features(self, pictures: Tensor) -> Tensor:
        """What D knows of a picture before any label: (N, C, S, S) -> (N, 240)."""
        features: Tensor = self.picture(pictures.flatten(1))
        return features

    def score(self, features: Tensor, labels: Tensor) -> Tensor:
        """Logits (N,) of pictures with these :meth:`features` under these labels (N,)."""
        h = self.joint(torch.cat([features, self.label(labels)], dim=1))
        logits: Tensor = self.output(h).squeeze(1)
        if self.projection is not None:
            logits = logits + (self.projection(labels) * h).sum(1)
        return logits

    def forward(self, pictures: Tensor, labels: Tensor) -> Tensor:
        return self.score(self.features(pictures), labels)
