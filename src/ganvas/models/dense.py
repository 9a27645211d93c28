"""The dense networks for digits: the course's GAN and cGAN generators, and the paper's.

Dense layers are Glorot-uniform with zero bias, as in Keras. Labels enter as indices (N,); a Dense layer on a one-hot
label is a look-up of one column of its weights, which is how it is computed here.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def dense(inputs: int, outputs: int) -> nn.Linear:
    """A Dense layer with Glorot-uniform weights (Glorot & Bengio 2010, eq. 16) and zero bias."""
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class LabelDense(nn.Linear):
    """A Dense layer on one-hot labels: forward takes indices (N,) int64 and gives (N, outputs)."""

    def __init__(self, classes: int, outputs: int) -> None:
        super().__init__(classes, outputs)
        nn.init.xavier_uniform_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, labels: Tensor) -> Tensor:
        return F.embedding(labels, self.weight.t()) + self.bias


class DenseGenerator(nn.Module):
    """The course's GAN generator: z (N, latent) -> 128 -> 256 -> 512 -> (N, C, S, S) in [-1, 1]."""

    value_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def __init__(self, latent: int, size: int, channels: int) -> None:
        super().__init__()
        self.latent = latent
        self.picture_shape = (channels, size, size)
        widths = (latent, 128, 256, 512)
        self.hidden = nn.ModuleList(dense(a, b) for a, b in pairwise(widths))
        self.output = dense(512, math.prod(self.picture_shape))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        h = z
        for layer in self.hidden:
            h = F.relu(layer(h))
        return torch.tanh(self.output(h)).view(-1, *self.picture_shape)


class DenseConditionalGenerator(nn.Module):
    """The course's cGAN generator: z -> 256 and y -> 256, joint 512 -> (N, C, S, S) in [-1, 1]."""

    value_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def __init__(self, latent: int, classes: int, size: int, channels: int) -> None:
        super().__init__()
        self.latent = latent
        self.picture_shape = (channels, size, size)
        self.noise = dense(latent, 256)
        self.label = LabelDense(classes, 256)
        self.joint = dense(512, 512)
        self.output = dense(512, math.prod(self.picture_shape))

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        h = torch.cat([F.relu(self.noise(z)), F.relu(self.label(labels))], dim=1)
        h = F.relu(self.joint(h))
        return torch.tanh(self.output(h)).view(-1, *self.picture_shape)


class PaperGenerator(nn.Module):
    """Mirza & Osindero 2014, section 4.1: z -> 200, y -> 1000, joint 1200 -> (N, C, S, S) in [0, 1].

    Noise is uniform on [0, 1). Dropout follows both hidden layers and never ends: trained with it, the generator takes
    what it varies from the units that are dropped and overlooks z, so that without it each class has one picture. Which
    units are dropped is therefore part of the noise, (N, latent + 1200 + 1200): where it is below ``dropout``.
    """

    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __init__(self, latent: int, classes: int, size: int, channels: int, dropout: float) -> None:
        super().__init__()
        self.latent = latent
        self.picture_shape = (channels, size, size)
        self.dropout = dropout
        self.noise = dense(latent, 200)
        self.label = LabelDense(classes, 1000)
        self.joint = dense(1200, 1200)
        self.output = dense(1200, math.prod(self.picture_shape))

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        z, *chances = torch.split(z, self.noise_lengths, dim=1)
        h = torch.cat([F.relu(self.noise(z)), F.relu(self.label(labels))], dim=1)
        h = F.relu(self.joint(self._dropped(h, *chances[:1])))
        return torch.sigmoid(self.output(self._dropped(h, *chances[1:]))).view(-1, *self.picture_shape)

    @property
    def noise_lengths(self) -> list[int]:
        """Of z, and where units are dropped of a number for each input and each unit of the joint layer."""
        return [self.latent, *((self.joint.in_features, self.joint.out_features) if self.dropout else ())]

    def _dropped(self, h: Tensor, chances: Tensor | None = None) -> Tensor:
        return h if chances is None else h * (chances >= self.dropout).to(h.dtype) / (1 - self.dropout)


class DenseDiscriminator(nn.Module):
    """The course's GAN discriminator: picture -> 512 -> 256 -> 128 -> logit (N,)."""

    def __init__(self, size: int, channels: int) -> None:
        super().__init__()
        widths = (channels * size * size, 512, 256, 128)
        self.hidden = nn.ModuleList(dense(a, b) for a, b in pairwise(widths))
        self.output = dense(128, 1)

    def features(self, pictures: Tensor) -> Tensor:
        """What D knows of a picture before any label: (N, C, S, S) -> (N, 128)."""
        h = pictures.flatten(1)
        for layer in self.hidden:
            h = F.relu(layer(h))
        return h

    def score(self, features: Tensor, labels: Tensor | None) -> Tensor:
        """Logits (N,) from :meth:`features`; there is no label to use."""
        logits: Tensor = self.output(features)
        return logits.squeeze(1)

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.score(self.features(pictures), labels)
