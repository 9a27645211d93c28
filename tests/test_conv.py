"""The convolutional networks: shapes, ranges, what they depend on and what they must not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganvas.models.conv import ConvDiscriminator, ConvGenerator
from ganvas.objectives import gradient_penalty

KINDS = [(28, 1), (28, 3), (32, 1), (32, 3), (64, 1), (64, 3)]
LABELS = torch.tensor([0, 1, 2, 1])


def _generator(size: int = 28, channels: int = 1) -> ConvGenerator:
    torch.manual_seed(1)
    return ConvGenerator(latent=8, classes=3, channels=channels, size=size, width=8)


def _discriminator(size: int = 28, channels: int = 1) -> ConvDiscriminator:
    torch.manual_seed(2)
    return ConvDiscriminator(classes=3, channels=channels, size=size, width=8)


def _noise() -> Tensor:
    return torch.randn(4, 8, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(("size", "channels"), KINDS)
def test_pictures_have_the_size_and_channels_asked_for_and_lie_in_range(size: int, channels: int) -> None:
    pictures = _generator(size, channels)(_noise() * 10, LABELS)
    assert pictures.shape == (4, channels, size, size)
    assert pictures.min() >= -1
    assert pictures.max() <= 1
    assert pictures.std() > 0.05


@pytest.mark.parametrize(("size", "channels"), KINDS)
def test_every_picture_gets_one_logit(size: int, channels: int) -> None:
    logits = _discriminator(size, channels)(torch.rand(4, channels, size, size) * 2 - 1, LABELS)
    assert logits.shape == (4,)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("training", [True, False])
def test_no_picture_depends_on_the_others_in_its_batch(training: bool) -> None:
    generator, discriminator = _generator().train(training), _discriminator().train(training)
    together = generator(_noise(), LABELS)
    torch.testing.assert_close(generator(_noise()[2:3], LABELS[2:3])[0], together[2], rtol=1e-4, atol=1e-5)
    logits = discriminator(together, LABELS)
    alone = discriminator(together[2:3], LABELS[2:3])
    torch.testing.assert_close(alone[0], logits[2], rtol=1e-4, atol=1e-5)


def test_label_and_noise_both_change_the_picture() -> None:
    generator = _generator()
    first = generator(_noise(), torch.zeros(4, dtype=torch.int64))
    other_label = generator(_noise(), torch.ones(4, dtype=torch.int64))
    assert (first - other_label).abs().mean() > 0.01
    assert (first[0] - first[1]).abs().mean() > 0.01


def test_the_label_changes_the_logit_and_none_leaves_it_out() -> None:
    discriminator, pictures = _discriminator(), torch.rand(4, 1, 28, 28) * 2 - 1
    features = discriminator.features(pictures)
    under = [discriminator.score(features, torch.full((4,), label)) for label in range(3)]
    assert not torch.allclose(under[0], under[1])
    projection = (discriminator.label.weight[1] * features).sum(1)
    torch.testing.assert_close(under[1], discriminator.score(features, None) + projection)
    torch.testing.assert_close(discriminator(pictures, torch.ones(4, dtype=torch.int64)), under[1])


@pytest.mark.parametrize("size", [28, 32, 64])
def test_gradients_reach_every_parameter(size: int) -> None:
    generator, discriminator = _generator(size), _discriminator(size)
    torch.autograd.backward(discriminator(generator(_noise(), LABELS), LABELS).square().sum())
    for network in (generator, discriminator):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


def test_a_gradient_penalty_reaches_the_discriminators_weights() -> None:
    discriminator = _discriminator()
    pictures = (torch.rand(4, 1, 28, 28) * 2 - 1).requires_grad_()
    torch.autograd.backward(gradient_penalty(discriminator(pictures, LABELS), pictures).sum())
    assert discriminator.label.weight.grad is not None
    assert discriminator.read.weight.grad is not None
    assert discriminator.read.weight.grad.abs().sum() > 0


def test_the_generator_of_the_digits_recipe_fits_in_three_megabytes_of_float16() -> None:
    generator = ConvGenerator(latent=64, classes=10, channels=1, size=28, width=32)
    assert sum(parameter.numel() for parameter in generator.parameters()) <= 1_400_000


@pytest.mark.parametrize("make", [ConvGenerator, ConvDiscriminator])
def test_other_sizes_and_widths_are_refused(make: type[ConvGenerator] | type[ConvDiscriminator]) -> None:
    extra = {"latent": 8} if make is ConvGenerator else {}
    with pytest.raises(ValueError, match="28, 32 or 64 pixels, found 48"):
        make(classes=3, channels=1, size=48, width=8, **extra)
    with pytest.raises(ValueError, match="multiple of 4, found 6"):
        make(classes=3, channels=1, size=28, width=6, **extra)
