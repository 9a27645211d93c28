"""The generators of Isola et al. 2017 and their variants, against torch's own layers and the published counts."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganvas.config import EncoderDecoderGenerator, UnetGenerator
from ganvas.errors import UsageError
from ganvas.models import Translator, build_translator, parameter_count, products, winograd
from ganvas.models.norms import BatchNorm, Film, InstanceNorm, Spade
from ganvas.models.pix2pix import _Joined, _up_convolution

SIZE = 32


def small(size: int = SIZE, classes: int = 0, inputs: int = 3, outputs: int = 3, **settings: Any) -> Translator:
    torch.manual_seed(0)
    network = UnetGenerator(width=4, **settings)
    return build_translator(network, in_channels=inputs, out_channels=outputs, size=size, classes=classes)


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def randomise(network: nn.Module) -> None:
    """Everything away from its start, so that nothing is hidden by a zero or a one."""
    random = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=random))
        for name, buffer in network.named_buffers():
            if "running" in name:
                buffer.add_(torch.rand(buffer.shape, generator=random))


@pytest.mark.parametrize(
    ("settings", "count"), [(UnetGenerator(), 54_413_955), (EncoderDecoderGenerator(), 39_075_459)]
)
def test_parameters_at_256_are_those_published(settings: UnetGenerator | EncoderDecoderGenerator, count: int) -> None:
    with torch.device("meta"):
        network = build_translator(settings, in_channels=3, out_channels=3, size=256)
    assert parameter_count(network) == count


@pytest.mark.parametrize(
    ("size", "widths"),
    [
        (32, [4, 8, 16, 32, 32]),
        (64, [4, 8, 16, 32, 32, 32]),
        (96, [4, 8, 16, 32, 32, 32]),
        (256, [4, 8, 16, 32, 32, 32, 32, 32]),
        (1024, [4, 8, 16, 32, 32, 32, 32, 32, 32, 32]),
    ],
)
def test_levels_follow_the_size(size: int, widths: list[int]) -> None:
    with torch.device("meta"):
        network = small(size)
    convolutions = [module for module in network.encoder.modules() if isinstance(module, nn.Conv2d)]
    assert [convolution.out_channels for convolution in convolutions] == widths
    assert len(network.decoder) == len(widths)


def _published(network: Translator, x: Tensor, *, skips: bool, skip_first: bool = False) -> Tensor:
    """The forward pass as the paper words it, with torch's functions on the network's weights, in training mode."""

    def normed(layer: Any, h: Tensor) -> Tensor:
        if layer.norm is None:
            return h
        return F.batch_norm(h, None, None, layer.norm.weight, layer.norm.bias, training=True, eps=1e-5)

    maps = []
    for i, down in enumerate(network.encoder):
        assert isinstance(down.conv, nn.Conv2d)
        x = normed(down, F.conv2d(F.leaky_relu(x, 0.2) if i else x, down.conv.weight, stride=2, padding=1))
        maps.append(x)
    maps.pop()
    for i, up in enumerate(network.decoder):
        assert isinstance(up.conv, nn.ConvTranspose2d)
        if skips and i:
            skip = maps.pop()
            x = torch.cat([skip, x] if skip_first else [x, skip], 1)
        x = normed(up, F.conv_transpose2d(F.relu(x), up.conv.weight, up.conv.bias, stride=2, padding=1))
    return torch.tanh(x)


@pytest.mark.parametrize("skip_order", ["decoder-first", "skip-first"])
def test_unet_is_the_paper_s_in_value_and_gradient(skip_order: Any) -> None:
    network = small(dropout=0.0, skip_order=skip_order)
    randomise(network)
    x = noise(2, 3, SIZE, SIZE)
    ours, expected = network(x), _published(network, x, skips=True, skip_first=skip_order == "skip-first")
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)
    upstream = noise(*ours.shape, seed=3)
    parameters = list(network.parameters())
    for mine, theirs in zip(
        torch.autograd.grad(ours, parameters, upstream),
        torch.autograd.grad(expected, parameters, upstream),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-3)


def test_encoder_decoder_is_the_paper_s() -> None:
    settings = EncoderDecoderGenerator(width=4, dropout=0.0)
    network = build_translator(settings, in_channels=1, out_channels=2, size=SIZE)
    randomise(network)
    x = noise(2, 1, SIZE, SIZE)
    torch.testing.assert_close(network(x), _published(network, x, skips=False), rtol=1e-5, atol=1e-5)


def test_weights_start_as_published() -> None:
    network = build_translator(UnetGenerator(width=32), in_channels=3, out_channels=3, size=64)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.05)
            assert abs(module.weight.mean().item()) < 0.002
        if isinstance(module, BatchNorm):
            assert 0.01 < module.weight.std().item() < 0.03
            assert module.weight.mean().item() == pytest.approx(1.0, abs=0.02)
            assert not module.bias.any()
    biases = {name: bias for name, bias in network.named_parameters() if name.endswith("conv.bias")}
    assert [bias.any().item() for bias in biases.values()] == [False]


@pytest.mark.parametrize(
    ("settings", "places"), [({}, [0, 1, 2]), ({"dropout_layers": "2-4"}, [1, 2, 3]), ({"dropout": 0.0}, [])]
)
def test_dropout_sits_in_the_named_layers(settings: dict[str, Any], places: list[int]) -> None:
    network = small(64, **settings)
    dropped = []
    for i, up in enumerate(network.decoder):
        up.register_forward_hook(lambda _m, _i, output, place=i: dropped.append(place) if (output == 0).any() else None)
    network(noise(2, 3, 64, 64))
    assert dropped == places


def test_no_dropout_draws_no_random_number() -> None:
    network = small(dropout=0.0)
    before = torch.get_rng_state()
    network(noise(2, 3, SIZE, SIZE))
    assert torch.equal(torch.get_rng_state(), before)


def test_dropout_in_evaluation_only_when_asked() -> None:
    network = small().eval()
    x = noise(1, 3, SIZE, SIZE)
    assert torch.equal(network(x), network(x))
    network.varying = True
    assert not torch.equal(network(x), network(x))


@pytest.mark.parametrize("side", [(1, 1), (2, 5), (40, 24)], ids=str)
def test_resize_convolution_is_a_nearest_neighbour_and_a_convolution(side: tuple[int, int]) -> None:
    upsample = _up_convolution("resize", 3, 2, bias=True).double()
    assert isinstance(upsample, nn.Conv2d)
    assert upsample.bias is not None
    nn.init.normal_(upsample.bias)
    x = noise(2, 3, *side).double().requires_grad_()
    leaves = (x, upsample.weight, upsample.bias)
    expected = F.conv2d(x.repeat_interleave(2, 2).repeat_interleave(2, 3), upsample.weight, upsample.bias, padding=1)
    drawn = upsample(x)
    torch.testing.assert_close(drawn, expected)
    for found, wanted in zip(*(torch.autograd.grad(y.square().sum(), leaves) for y in (drawn, expected)), strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("upsampling", ["transposed", "resize", "pixel-shuffle"])
@pytest.mark.parametrize("side", [(32, 32), (40, 70), (5, 7), (33, 1)])
def test_result_has_the_size_of_the_source(upsampling: Any, side: tuple[int, int]) -> None:
    network = small(upsampling=upsampling, outputs=2).eval()
    pictures = network(noise(1, 3, *side))
    assert pictures.shape == (1, 2, *side)
    assert pictures.abs().max() <= 1


@pytest.mark.parametrize("side", [(32, 32), (40, 70), (33, 1)])
def test_source_skip_meets_the_source_at_its_own_pixels(side: tuple[int, int]) -> None:
    network = small(source_skip=True, outputs=2).eval()
    finish: Any = network.finish
    with torch.no_grad():
        finish.weight.zero_()
        finish.weight[1, -3:, 1, 1] = torch.tensor([1.0, -1.0, 2.0])
    source = noise(2, 3, *side)
    expected = torch.tanh(source[:, 0] - source[:, 1] + 2 * source[:, 2])
    torch.testing.assert_close(network(source)[:, 1], expected)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_residual_blocks_are_torch_s_layers_at_their_sides(norm: Any) -> None:
    plain, network = (
        small(norm=norm, dropout=0.0).eval(),
        small(norm=norm, dropout=0.0, residual_blocks=(1, 0, 2)).eval(),
    )
    numbers = [len(list(blocks.children())) for blocks in network.blocks]
    assert numbers == [0, 2, 0, 1]  # maps of 2, 4, 8 and 16 pixels a side
    randomise(network)
    plain.load_state_dict(network.state_dict(), strict=False)
    x = noise(2, 3, SIZE, SIZE)
    maps: list[Tensor] = []
    for down in plain.encoder:
        down.register_forward_hook(lambda _m, _i, output: maps.append(output.clone()))

    def changed(layer: int) -> Any:
        blocks: Any = network.blocks[layer]

        def hook(_m: Any, _i: Any, h: Tensor) -> Tensor:
            skip = maps[len(maps) - 2 - layer]
            for block in blocks:
                inner = F.conv2d(F.relu(torch.cat([h, skip], 1)), block.first.weight, padding=1)
                inner = F.instance_norm(inner, weight=block.norm.weight, bias=block.norm.bias, eps=1e-5)
                h = h + F.conv2d(F.relu(inner), block.second.weight, block.second.bias, padding=1)
            return h

        return hook

    before = plain(x)
    maps.clear()
    for layer in (1, 3):
        plain.decoder[layer].register_forward_hook(changed(layer))
    torch.testing.assert_close(network(x), plain(x), rtol=1e-4, atol=1e-5)
    assert (network(x) - before).abs().mean() > 0.01


def test_noise_is_planes_beside_the_source_fresh_in_training_and_the_same_ones_otherwise() -> None:
    network = small(noise=2, dropout=0.0, norm="instance").eval()
    wider = build_translator(
        UnetGenerator(width=4, dropout=0.0, norm="instance"), in_channels=5, out_channels=3, size=SIZE
    )
    wider.load_state_dict({name: value for name, value in network.state_dict().items() if name != "noise"})
    x = noise(2, 3, SIZE, 2 * SIZE)

    def beside(noises: Tensor) -> Tensor:
        drawn: Tensor = wider.eval()(torch.cat([x, noises], dim=1))
        return drawn

    planes = network.noise
    assert planes is not None
    stored = planes.repeat(2, 1, 1, 2)
    assert stored.shape == (2, 2, SIZE, 2 * SIZE)
    assert 0.9 < float(planes.std()) < 1.1
    torch.testing.assert_close(network(x), beside(stored))
    network.varying = True
    for seed in (0, 1):
        torch.manual_seed(seed)
        drawn = network(x)
        torch.manual_seed(seed)
        torch.testing.assert_close(drawn, beside(torch.randn(stored.shape)))
    network.varying = False
    torch.manual_seed(1)
    torch.testing.assert_close(network.train()(x), drawn)


def test_padding_repeats_the_border_around_the_middle() -> None:
    network = small().eval()
    x = noise(1, 3, 30, 31)
    around = torch.cat([x[:, :, :1], x, x[:, :, -1:]], dim=2)
    around = torch.cat([around, around[..., -1:]], dim=3)
    torch.testing.assert_close(network(x), network(around)[:, :, 1:31, :31])


VARIANTS: list[dict[str, Any]] = [
    {"norm": norm, "norm_statistics": statistics, "bottleneck_norm": bottleneck}
    for norm in ("batch", "instance", "spade")
    for statistics in ("instance", "running")
    for bottleneck in (False, True)
] + [{"norm": norm, "residual_blocks": (0, 1)} for norm in ("batch", "instance", "spade")]
VARIANTS += [{"noise": 2}]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: "-".join(str(part) for part in v.values()))
def test_no_picture_depends_on_the_others_in_its_batch(variant: dict[str, Any]) -> None:
    network = small(classes=3, **variant).eval()
    randomise(network)
    x, labels = noise(3, 3, SIZE, SIZE), torch.tensor([0, 1, 2])
    among = network(x, labels)
    others = network(torch.cat([x[:1], 5 * noise(2, 3, SIZE, SIZE, seed=4)]), labels)
    assert torch.equal(among[0], others[0])
    alone = network(x[:1], labels[:1])
    torch.testing.assert_close(among[:1], alone, rtol=0, atol=1e-5)


def test_picture_statistics_are_those_of_a_training_batch_of_one() -> None:
    network = small(dropout=0.0)
    randomise(network)
    x = noise(2, 3, SIZE, SIZE)
    trained = torch.cat([copy.deepcopy(network)(x[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(network.eval()(x), trained, rtol=1e-4, atol=1e-5)


def test_running_statistics_are_the_averages_of_training() -> None:
    ours, theirs = BatchNorm(3, "running"), nn.BatchNorm2d(3)
    with torch.no_grad():
        theirs.weight.copy_(ours.weight)
    for seed in range(3):
        x = 2 * noise(2, 3, 4, 4, seed=seed) + 1
        torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


@pytest.mark.parametrize("statistics", ["instance", "running"])
def test_a_normed_bottleneck_of_one_picture_is_zeroed_not_refused(statistics: Any) -> None:
    network = small(bottleneck_norm=True, norm_statistics=statistics)
    network.encoder[-1].register_forward_hook(lambda _m, _i, output: seen.append(output))
    seen: list[Tensor] = []
    pictures = network(noise(1, 3, SIZE, SIZE))
    assert not seen[0].any()
    gradients = torch.autograd.grad(pictures.sum(), list(network.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_a_batch_has_a_normed_bottleneck() -> None:
    norm = BatchNorm(2)
    assert norm(noise(4, 2, 1, 1)).std() > 0.5


def test_nan_is_not_hidden_by_the_zeroed_bottleneck() -> None:
    assert BatchNorm(2)(torch.full((1, 2, 1, 1), torch.nan)).isnan().all()


def test_instance_norm_leaves_a_map_of_one_pixel() -> None:
    norm, x = InstanceNorm(3), noise(2, 3, 1, 1)
    torch.testing.assert_close(norm(x), x * norm.weight[:, None, None])


def test_instance_norm_is_torch_s() -> None:
    norm, x = InstanceNorm(3), noise(2, 3, 5, 6)
    randomise(norm)
    torch.testing.assert_close(norm(x), F.instance_norm(x, weight=norm.weight, bias=norm.bias, eps=1e-5))


def test_spade_is_its_equation() -> None:
    layer, x = Spade(3, 2, 4), noise(2, 3, 4, 4)
    randomise(layer)
    label_map = noise(2, 2, 8, 8)
    # Nearest to the middle of a 2x2 cell: its last pixel, as torch and PIL break the tie.
    hidden = F.relu(layer.shared(label_map[:, :, 1::2, 1::2]))
    gamma, beta = layer.modulation(hidden).split(3, dim=1)
    centred = x - x.mean((2, 3), keepdim=True)
    normed = centred / (x.var((2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(layer(x, label_map), normed * (1 + gamma) + beta, rtol=1e-4, atol=1e-5)


def test_spade_network_follows_the_map_where_normalising_would_erase_it() -> None:
    network = small(norm="spade", inputs=2, dropout=0.0).eval()
    randomise(network)
    all_first, all_second = torch.zeros(2, 1, 2, SIZE, SIZE)
    all_first[:, 0], all_second[:, 1] = 1, 1
    assert (network(all_first) - network(all_second)).abs().mean() > 1e-3


def test_class_modulation_starts_as_the_identity_and_then_matters() -> None:
    plain, labelled = small(), small(classes=3)
    labelled.load_state_dict(plain.state_dict(), strict=False)
    x = noise(2, 3, SIZE, SIZE)
    assert torch.equal(plain.eval()(x), labelled.eval()(x, torch.tensor([0, 2])))
    films = [module for module in labelled.modules() if isinstance(module, Film)]
    assert len(films) == len(labelled.decoder) - 1
    randomise(labelled)
    assert not torch.allclose(labelled(x, torch.tensor([0, 2])), labelled(x, torch.tensor([0, 1])))


def test_film_is_its_equation() -> None:
    film, x = Film(2, 3), noise(1, 2, 2, 2)
    with torch.no_grad():
        film.modulation.weight[1] = torch.tensor([1.0, 2.0, 3.0, 4.0])
    expected = torch.stack([2 * x[0, 0] + 3, 3 * x[0, 1] + 4])
    torch.testing.assert_close(film(x, torch.tensor([1]))[0], expected)


def test_missing_label_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="3 classes"):
        small(classes=3)(noise(1, 3, SIZE, SIZE))


def test_sub_pixel_convolution_starts_as_nearest_neighbours() -> None:
    up: Any = small(upsampling="pixel-shuffle").decoder[0]
    blocks = F.unfold(up.conv(noise(1, 32, 3, 3)), 2, stride=2).view(32, 4, 9)
    torch.testing.assert_close(blocks, blocks[:, :1].expand_as(blocks))


def _layer_pair(kind: str) -> tuple[Any, Any, Tensor]:
    convolutions: dict[str, tuple[nn.Module, nn.Module, tuple[int, ...]]] = {
        "down": (products.Conv2d(6, 5, 4, 2, 1), nn.Conv2d(6, 5, 4, 2, 1), (3, 6, 9, 6)),
        "same": (products.Conv2d(6, 5, 3, padding=1), nn.Conv2d(6, 5, 3, padding=1), (3, 6, 4, 5)),
        "valid": (products.Conv2d(6, 5, 4), nn.Conv2d(6, 5, 4), (3, 6, 4, 4)),
        "up": (products.ConvTranspose2d(6, 5, 4, 2, 1), nn.ConvTranspose2d(6, 5, 4, 2, 1), (3, 6, 3, 4)),
        "first-up": (products.ConvTranspose2d(6, 5, 4, 2, 1), nn.ConvTranspose2d(6, 5, 4, 2, 1), (1, 6, 1, 1)),
    }
    ours, theirs, shape = convolutions[kind]
    theirs.load_state_dict(ours.state_dict())
    return ours.to(memory_format=torch.channels_last), theirs, noise(*shape)  # type: ignore[call-overload]


@pytest.mark.parametrize("kind", ["down", "same", "valid", "up", "first-up"])
def test_product_is_the_convolution(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_pays", lambda *_: True)
    ours, theirs, x = _layer_pair(kind)
    x_ours, x_theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    y, expected = ours(x_ours), theirs(x_theirs)
    torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-5)
    upstream = noise(*y.shape, seed=5)
    mine = torch.autograd.grad(y, [x_ours, *ours.parameters()], upstream, create_graph=True)
    reference = torch.autograd.grad(expected, [x_theirs, *theirs.parameters()], upstream, create_graph=True)
    for one, other in zip(mine, reference, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    assert mine[1].stride() == ours.weight.stride()
    # Gradient penalties need the second derivative.
    second = torch.autograd.grad(mine[0].square().sum(), ours.weight)[0]
    torch.testing.assert_close(
        second, torch.autograd.grad(reference[0].square().sum(), theirs.weight)[0], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("sides", [(6, 6), (7, 11), (15, 4), (16, 16)])
@pytest.mark.parametrize("padding", [0, 1])
def test_winograds_form_is_the_convolution(sides: tuple[int, int], padding: int) -> None:
    """Every remainder of the output by the step of a tile, both derivatives and the second one."""
    x, weight = noise(3, 5, *sides).double().requires_grad_(), noise(4, 5, 4, 4, seed=2).double().requires_grad_()
    y, expected = winograd.convolution(x, weight, padding), F.conv2d(x, weight, padding=padding)
    torch.testing.assert_close(y, expected)
    upstream = noise(*y.shape, seed=5).double()
    mine = torch.autograd.grad(y, (x, weight), upstream, create_graph=True)
    theirs = torch.autograd.grad(expected, (x, weight), upstream, create_graph=True)
    torch.testing.assert_close(mine, theirs)
    second, reference = (torch.autograd.grad(first[0].square().sum(), weight)[0] for first in (mine, theirs))
    torch.testing.assert_close(second, reference)


def test_winograds_form_rounds_no_more_than_float32_may() -> None:
    x, weight = noise(4, 256, 16, 16), 0.02 * noise(512, 256, 4, 4, seed=2)
    exact = F.conv2d(x.double(), weight.double(), padding=1)
    assert (winograd.convolution(x, weight, 1) - exact).norm() < 5e-6 * exact.norm()
    upstream = noise(*exact.shape, seed=5)
    leaves = (x.requires_grad_(), weight.requires_grad_())
    rounded = torch.autograd.grad(winograd.convolution(x, weight, 1), leaves, upstream)
    doubled = torch.autograd.grad(F.conv2d(x.double(), weight.double(), padding=1), leaves, upstream.double())
    for mine, theirs in zip(rounded, doubled, strict=True):
        assert (mine - theirs).norm() < 1e-5 * theirs.norm()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mine, direct = winograd.convolution(x, weight, 1), F.conv2d(x, weight, padding=1)
    assert mine.dtype == direct.dtype == torch.bfloat16
    assert (mine.double() - exact).norm() < (direct.double() - exact).norm()


@pytest.mark.parametrize(("batch", "side", "pays"), [(16, 16, True), (1, 16, False), (1, 8, False), (1, 3, False)])
def test_layer_takes_winograds_form_where_there_are_pixels_enough(
    batch: int, side: int, pays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    real = winograd.convolution

    def counted(x: Tensor, weight: Tensor, padding: int) -> Tensor:
        calls.append(len(x))
        return real(x, weight, padding)

    monkeypatch.setattr(winograd, "convolution", counted)
    monkeypatch.setattr(winograd, "LEAST_WEIGHTS", 0)
    layer = products.Conv2d(2, 3, 4, padding=1, bias=False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = noise(batch, 2, side, side)
    torch.testing.assert_close(layer(x), F.conv2d(x, layer.weight, padding=1), rtol=1e-4, atol=1e-4)
    assert bool(calls) == pays


def test_skips_and_decoder_get_dense_gradients() -> None:
    one, other = (noise(2, width, 4, 4, seed=width).requires_grad_() for width in (3, 5))
    upstream = noise(2, 8, 4, 4).contiguous(memory_format=torch.channels_last)
    joined: Tensor = _Joined.apply(one, other)  # type: ignore[no-untyped-call]
    gradients = torch.autograd.grad(joined, (one, other), upstream)
    torch.testing.assert_close(torch.cat(gradients, dim=1), upstream)
    assert all(gradient.is_contiguous(memory_format=torch.channels_last) for gradient in gradients)


def test_bfloat16_network_stays_near_float32_and_channels_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "LEAST_WEIGHTS", 0)
    network = small(64, dropout=0.0).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for up in network.decoder[1:]:
        up.register_forward_hook(lambda _m, _i, output: layouts.append(output))
    layouts: list[Tensor] = []
    x = noise(3, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    exact = network(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = network(x)
    assert (exact - rounded.float()).abs().mean() < 0.02 * exact.abs().mean() + 1e-3
    assert all(output.is_contiguous(memory_format=torch.channels_last) for output in layouts)
