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

    ``activation="none"``: affine pieces, Goodfellow et al. 2013, eq. 1; dropout, in training mode, is of what the Dense
    layer gets, never of what the maximum gets (ibid.). ``activation="relu"``: ReLU and dropout on the Dense
    output before the maximum, as the course has it.

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
        relu = self.activation == "relu"
        h: Tensor = self.dropout(F.relu(self.layer(inputs))) if relu else self.layer(self.dropout(inputs))
        return h.view(len(h), self.pieces, -1).amax(1)


class MaxoutDiscriminator(nn.Module):
    """x -> Maxout(240, 5), y -> Maxout(50, 5), concat 290 -> Maxout(240, 4) -> logit (N,).

    With ``projection`` the logit gains <e(y), h>, h the 240 joint features (Miyato & Koyama 2018, eq. 3): the
    interaction of label and picture then gets a gradient from the first step on. With affine pieces dropout is of the
    pixels, of the 290 and of the 240 features, not of the label.

    Args:
        weight_range: half the width of the interval around 0 that all weights are drawn from; 0: Glorot's.
    """

    def __init__(
        self,
        classes: int,
        size: int,
        channels: int,
        activation: Activation = "relu",
        dropout: float = 0.0,
        projection: bool = False,
        weight_range: float = 0.0,
    ) -> None:
        super().__init__()
        affine = activation == "none"
        self.picture = Maxout(dense(channels * size * size, 240 * 5), 5, activation, dropout)
        self.label = Maxout(LabelDense(classes, 50 * 5), 5, activation, 0.0 if affine else dropout)
        self.joint = Maxout(dense(240 + 50, 240 * 4), 4, activation, dropout)
        self.dropout = nn.Dropout(dropout if affine else 0.0)
        self.output = dense(240, 1)
        self.projection = nn.Embedding(classes, 240) if projection else None
        if self.projection is not None:
            nn.init.xavier_uniform_(self.projection.weight)
        if weight_range:
            for name, parameter in self.named_parameters():
                if name.endswith("weight"):
                    nn.init.uniform_(parameter, -weight_range, weight_range)

    def features(self, pictures: Tensor) -> Tensor:
        """What D knows of a picture before any label: (N, C, S, S) -> (N, 240)."""
        features: Tensor = self.picture(pictures.flatten(1))
        return features

    def score(self, features: Tensor, labels: Tensor) -> Tensor:
        """Logits (N,) of pictures with these :meth:`features` under these labels (N,)."""
        h = self.dropout(self.joint(torch.cat([features, self.label(labels)], dim=1)))
        logits: Tensor = self.output(h).squeeze(1)
        if self.projection is not None:
            logits = logits + (self.projection(labels) * h).sum(1)
        return logits

    def forward(self, pictures: Tensor, labels: Tensor) -> Tensor:
        return self.score(self.features(pictures), labels)
