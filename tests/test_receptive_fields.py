"""Discriminators: receptive fields measured by gradients, maps and parameter counts as published."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from ganvas.config import PatchDiscriminator
from ganvas.errors import UsageError
from ganvas.models import build_patch, parameter_count

PUBLISHED = [
    (1, 256, 9_024),
    (16, 126, 139_585),
    (34, 62, 666_433),
    (70, 30, 2_768_705),
    (142, 14, 6_964_033),
    (286, 6, 11_159_361),
]


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def reach(field: Any, side: int) -> tuple[int, int]:
    """Extent (rows, columns) of the input that the middle logit depends on."""
    # No norm: batch statistics would let every logit see everything. Positive weights: nothing cancels out.
    network = build_patch(PatchDiscriminator(receptive_field=field, width=4, norm="none"), in_channels=1, size=side)
    network = network.double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    x = torch.ones(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    logits = network(x)[0][-1]
    (gradient,) = torch.autograd.grad(logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2], x)
    rows, columns = gradient[0, 0].nonzero(as_tuple=True)
    return int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1


@pytest.mark.parametrize("field", [field for field, _, _ in PUBLISHED])
def test_receptive_field_is_as_named(field: int) -> None:
    # Wide enough that the middle patch ends before the border.
    assert reach(field, 32 if field < 16 else 2 * field + 64) == (field, field)


@pytest.mark.parametrize("side", [32, 64])
def test_image_discriminator_sees_the_whole_picture(side: int) -> None:
    assert reach("image", side) == (side, side)


@pytest.mark.parametrize(("field", "side", "count"), PUBLISHED)
def test_maps_and_parameters_are_those_published(field: Any, side: int, count: int) -> None:
    with torch.device("meta"):
        network = build_patch(PatchDiscriminator(receptive_field=field), in_channels=6, size=256)
        (features,) = network(torch.empty(1, 6, 256, 256))
    assert parameter_count(network) == count
    assert features[-1].shape == (1, 1, side, side)


@pytest.mark.parametrize("size", [32, 48, 100, 128, 1024])
def test_image_discriminator_gives_one_logit(size: int) -> None:
    with torch.device("meta"):
        network = build_patch(PatchDiscriminator(receptive_field="image", width=8), in_channels=3, size=size)
        (features,) = network(torch.empty(2, 3, size, size))
    assert features[-1].shape == (2, 1, 1, 1)


def test_image_discriminator_halves_down_to_4x4() -> None:
    with torch.device("meta"):
        network = build_patch(PatchDiscriminator(receptive_field="image"), in_channels=6, size=64)
        (features,) = network(torch.empty(1, 6, 64, 64))
    assert [tuple(f.shape[1:]) for f in features] == [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4), (1, 1, 1)]


@pytest.mark.parametrize("field", [16, "image"])
def test_each_scale_sees_half_of_the_one_before(field: Any) -> None:
    settings = PatchDiscriminator(receptive_field=field, width=4, scales=3, norm="none")
    network = build_patch(settings, in_channels=2, size=64)
    x = noise(1, 2, 64, 64)
    answers = network(x)
    assert len(answers) == 3
    halved = torch.nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)
    for scale, answer in enumerate(answers):
        torch.testing.assert_close(network.scales[scale](x)[-1], answer[-1])
        assert answer[0].shape[-1] == 32 // 2**scale
        x = halved(x)


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_features_are_after_the_activation_and_logits_are_not(norm: Any) -> None:
    network = build_patch(PatchDiscriminator(receptive_field=34, width=8, norm=norm), in_channels=3, size=32)
    (features,) = network(noise(2, 3, 32, 32))
    assert len(features) == 4
    for feature in features[:-1]:
        # LeakyReLU(0.2) has made what was below zero smaller, or the two tails would be alike.
        assert 0.1 < feature.min().abs() / feature.max() < 0.5
    assert features[-1].shape[1] == 1


@pytest.mark.parametrize(("norm", "kinds"), [("batch", 3), ("instance", 3), ("none", 0)])
def test_first_and_last_layers_have_no_norm(norm: Any, kinds: int) -> None:
    network = build_patch(PatchDiscriminator(width=4, norm=norm), in_channels=3, size=64)
    names = [name for name, _ in network.named_parameters() if "norm.weight" in name]
    assert len(names) == kinds
    assert not any("layers.0." in name or "layers.4." in name for name in names)


def test_gradient_penalty_can_be_differentiated() -> None:
    network = build_patch(PatchDiscriminator(receptive_field=16, width=4, norm="instance"), in_channels=2, size=32)
    x = noise(2, 2, 32, 32).requires_grad_()
    (gradient,) = torch.autograd.grad(network(x)[0][-1].sum(), x, create_graph=True)
    penalties = torch.autograd.grad(gradient.square().sum(), list(network.parameters()), allow_unused=True)
    assert sum(penalty is not None and bool(penalty.any()) for penalty in penalties) >= 3


@pytest.mark.parametrize(("field", "size", "scales"), [(286, 64, 1), (142, 32, 1), (70, 32, 3)])
def test_picture_too_small_for_the_patches_is_a_usage_error(field: Any, size: int, scales: int) -> None:
    settings = PatchDiscriminator(receptive_field=field, width=4, scales=scales)
    with pytest.raises(UsageError, match=f"receptive_field {field}.*pixels.*data.size"):
        build_patch(settings, in_channels=3, size=size)


def test_smallest_picture_of_each_field_is_judged() -> None:
    for field, size in ((16, 32), (34, 32), (70, 32), (142, 64), (286, 128)):
        with torch.device("meta"):
            settings = PatchDiscriminator(receptive_field=field, width=4)  # type: ignore[arg-type]
            (features,) = build_patch(settings, in_channels=3, size=size)(torch.empty(1, 3, size, size))
        assert features[-1].shape[-1] >= 1
