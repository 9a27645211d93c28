"""The networks, built from their part of a recipe. No losses, no optimisers.

A generator maps ``forward(z (N, noise_length), labels (N,) int64) -> pictures (N, C, S, S)`` in its ``value_range``; a
discriminator splits into ``features(pictures)``, which knows no label, and ``score(features, labels) -> (N,)`` logits,
so that one picture can be asked about under several labels for the price of one. Unconditional networks take None.

From picture to picture, :func:`build_translator` maps ``forward(source (N, C, H, W), labels (N,) | None)`` to pictures
of the source's size, and :func:`build_patch` judges pairs of both.
"""

from __future__ import annotations

from torch import nn

from ganvas import config
from ganvas.models.conv import ConvDiscriminator as ConvDiscriminator
from ganvas.models.conv import ConvGenerator as ConvGenerator
from ganvas.models.dense import DenseConditionalGenerator as DenseConditionalGenerator
from ganvas.models.dense import DenseDiscriminator as DenseDiscriminator
from ganvas.models.dense import DenseGenerator as DenseGenerator
from ganvas.models.dense import PaperGenerator as PaperGenerator
from ganvas.models.drawing import draw as draw
from ganvas.models.drawing import value_range as value_range
from ganvas.models.maxout import Maxout as Maxout
from ganvas.models.maxout import MaxoutDiscriminator as MaxoutDiscriminator
from ganvas.models.patch import PatchDiscriminator as PatchDiscriminator
from ganvas.models.patch import build_patch as build_patch
from ganvas.models.pix2pix import Translator as Translator
from ganvas.models.pix2pix import build_translator as build_translator
from ganvas.models.segmenter import Segmenter as Segmenter


def build_generator(settings: config.Generator, *, classes: int, size: int, channels: int) -> nn.Module:
    """The generator a recipe describes, freshly initialised from torch's global random numbers."""
    match settings:
        case config.DenseGenerator():
            return DenseGenerator(settings.latent, size, channels)
        case config.DenseConditionalGenerator():
            return DenseConditionalGenerator(settings.latent, classes, size, channels)
        case config.PaperGenerator():
            return PaperGenerator(settings.latent, classes, size, channels, settings.dropout)
        case config.ConvGenerator():
            return ConvGenerator(settings.latent, classes, channels, size, settings.width)


def build_discriminator(settings: config.Discriminator, *, classes: int, size: int, channels: int) -> nn.Module:
    """The discriminator a recipe describes, freshly initialised from torch's global random numbers."""
    match settings:
        case config.DenseDiscriminator():
            return DenseDiscriminator(size, channels)
        case config.MaxoutDiscriminator():
            return MaxoutDiscriminator(
                classes,
                size,
                channels,
                settings.activation,
                settings.dropout,
                settings.projection,
                settings.weight_range,
            )
        case config.ConvDiscriminator():
            return ConvDiscriminator(classes, channels, size, settings.width)


def parameter_count(network: nn.Module) -> int:
    """Number of trainable numbers in a network."""
    return sum(parameter.numel() for parameter in network.parameters())
