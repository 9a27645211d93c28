"""The networks are the published ones: parameter counts, inner shapes, the maths of Maxout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ganvas import config
from ganvas.models import (
    Maxout,
    MaxoutDiscriminator,
    build_discriminator,
    build_generator,
    draw,
    parameter_count,
)
from ganvas.models.dense import dense
from ganvas.models.maxout import Activation

DIGITS = {"classes": 10, "size": 28, "channels": 1}


@pytest.mark.parametrize(
    ("settings", "parameters"),
    [
        (config.DenseGenerator(), 579_728),
        (config.DenseConditionalGenerator(), 693_520),
        # Summed by hand: 100*200+200, 10*1000+1000, 1200*1200+1200, 1200*784+784.
        (config.PaperGenerator(), 20_200 + 11_000 + 1_441_200 + 941_584),
    ],
)
def test_generators_have_the_published_number_of_parameters(settings: config.Generator, parameters: int) -> None:
    assert parameter_count(build_generator(settings, **DIGITS)) == parameters


@pytest.mark.parametrize(
    ("settings", "parameters"), [(config.DenseDiscriminator(), 566_273), (config.MaxoutDiscriminator(), 1_224_351)]
)
def test_discriminators_have_the_published_number_of_parameters(
    settings: config.Discriminator, parameters: int
) -> None:
    assert parameter_count(build_discriminator(settings, **DIGITS)) == parameters


def test_maxout_discriminator_has_240_50_and_240_units() -> None:
    network = MaxoutDiscriminator(classes=10, size=28, channels=1)
    widths = {}
    for name in ("picture", "label", "joint"):
        layer = getattr(network, name)
        layer.register_forward_hook(lambda _m, _i, output, name=name: widths.update({name: output.shape}))
    logits = network(torch.zeros(3, 1, 28, 28), torch.tensor([0, 1, 2]))
    assert widths == {"picture": (3, 240), "label": (3, 50), "joint": (3, 240)}
    assert logits.shape == (3,)


@pytest.mark.parametrize("activation", ["relu", "none"])
def test_maxout_is_the_largest_piece_of_each_unit(activation: Activation) -> None:
    units, pieces = 4, 3
    layer = Maxout(dense(6, units * pieces), pieces, activation, dropout=0.0)
    inputs = torch.randn(5, 6)
    weight = layer.layer.weight.detach().numpy()
    bias = layer.layer.bias.detach().numpy()
    expected = np.empty((5, units))
    for row in range(5):
        for unit in range(units):
            values = []
            for piece in range(pieces):
                column = piece * units + unit
                value = sum(float(inputs[row, i]) * weight[column, i] for i in range(6)) + bias[column]
                values.append(max(value, 0.0) if activation == "relu" else value)
            expected[row, unit] = max(values)
    np.testing.assert_allclose(layer(inputs).detach().numpy(), expected, rtol=1e-5, atol=1e-6)


def test_units_that_the_paper_s_generator_drops_are_part_of_its_noise() -> None:
    """Independently: zeros where numbers are below the share, and elsewhere what keeps the mean."""
    settings = config.PaperGenerator(dropout=0.2)
    generator: Any = build_generator(settings, **DIGITS)
    z, labels = torch.rand(6, settings.noise_length), torch.arange(6)
    latent, of_inputs, of_joint = z[:, :100], z[:, 100:1300], z[:, 1300:]
    assert of_joint.shape == (6, 1200)
    both = torch.cat([generator.noise(latent).relu(), generator.label(labels).relu()], dim=1)
    joint = generator.joint(torch.where(of_inputs < 0.2, 0.0, both / 0.8)).relu()
    expected = torch.sigmoid(generator.output(torch.where(of_joint < 0.2, 0.0, joint / 0.8))).view(6, 1, 28, 28)
    for mode in (True, False):
        torch.testing.assert_close(generator.train(mode)(z, labels), expected)


def test_the_paper_s_generator_without_dropout_draws_from_its_noise_alone() -> None:
    settings = config.PaperGenerator(dropout=0)
    assert settings.noise_length == settings.latent == 100
    generator, labels = build_generator(settings, **DIGITS), torch.arange(2)
    z = torch.rand(2, 100)
    assert torch.equal(generator(z, labels), generator(z, labels))
    with pytest.raises(RuntimeError, match="split"):
        generator(torch.rand(2, 2_500), labels)


def test_dropout_of_maxout_fires_in_training_mode_alone() -> None:
    network = MaxoutDiscriminator(classes=10, size=28, channels=1, dropout=0.5)
    pictures, labels = torch.randn(8, 1, 28, 28), torch.arange(8)
    assert not torch.equal(network(pictures, labels), network(pictures, labels))
    network.eval()
    assert torch.equal(network(pictures, labels), network(pictures, labels))


def test_dropout_of_affine_pieces_is_of_what_the_layers_get() -> None:
    """Goodfellow et al. 2013: the mask comes right before the weights, never before the maximum."""
    layer, inputs = Maxout(dense(6, 12), 3, "none", dropout=0.5), torch.randn(5, 6)
    torch.manual_seed(0)
    masked = torch.nn.functional.dropout(inputs, 0.5)
    torch.manual_seed(0)
    torch.testing.assert_close(layer(inputs), layer.eval()(masked))


def test_discriminator_of_affine_pieces_drops_pixels_and_features_but_no_label() -> None:
    network = MaxoutDiscriminator(classes=10, size=28, channels=1, activation="none", dropout=0.5)
    dropped: list[int] = []
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout) and module.p:
            module.register_forward_hook(lambda _m, inputs, _o: dropped.append(inputs[0].shape[1]))
    network(torch.randn(2, 1, 28, 28), torch.arange(2))
    assert dropped == [784, 240 + 50, 240]


def test_weight_range_is_of_every_weight_of_the_discriminator() -> None:
    settings = config.MaxoutDiscriminator(projection=True, weight_range=0.005)
    for name, parameter in build_discriminator(settings, **DIGITS).named_parameters():
        if name.endswith("bias"):
            assert not parameter.any()
        else:
            assert 0.0045 < float(parameter.detach().abs().max()) <= 0.005


def test_projection_adds_the_product_of_label_and_features() -> None:
    network = MaxoutDiscriminator(classes=10, size=28, channels=1, projection=True)
    pictures, labels = torch.randn(8, 1, 28, 28), torch.arange(8)
    assert network.projection is not None
    joint: list[torch.Tensor] = []
    network.joint.register_forward_hook(lambda _m, _i, output: joint.append(output))
    with_term = network(pictures, labels)
    term = (network.projection.weight[labels] * joint[0]).sum(1)
    table, network.projection = network.projection, None
    without_term = network(pictures, labels)
    assert table.weight.any()
    torch.testing.assert_close(with_term, without_term + term)


@pytest.mark.parametrize(
    "settings",
    [
        config.DenseGenerator(),
        config.DenseConditionalGenerator(),
        config.PaperGenerator(),
        config.ConvGenerator(width=8),
    ],
)
@pytest.mark.parametrize(("size", "channels"), [(28, 1), (32, 3)])
def test_drawn_pictures_have_the_shape_and_range_of_pictures(
    settings: config.Generator, size: int, channels: int
) -> None:
    generator = build_generator(settings, classes=7, size=size, channels=channels)
    labels = None if isinstance(settings, config.DenseGenerator) else torch.arange(7)
    pictures = draw(generator, torch.randn(7, settings.noise_length) * 3, labels)
    assert pictures.shape == (7, channels, size, size)
    assert pictures.dtype == torch.float32
    assert -1 <= float(pictures.min()) < float(pictures.max()) <= 1
    assert generator.training, "drawing leaves the network in the mode it was in"


def test_label_layer_is_a_dense_layer_on_one_hot_labels() -> None:
    from ganvas.models.dense import LabelDense

    layer = LabelDense(10, 6)
    torch.nn.init.normal_(layer.bias)
    labels = torch.tensor([3, 3, 9])
    one_hot = torch.nn.functional.one_hot(labels, 10).float()
    torch.testing.assert_close(layer(labels), one_hot @ layer.weight.t() + layer.bias)
