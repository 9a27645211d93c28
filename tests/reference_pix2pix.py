"""An independent reference of the Pix2Pix training step, in float64 with plain functional operations on the CPU.

It exists to judge ganvas and therefore imports nothing from it. Written from published descriptions alone:

- Isola et al. 2017 (arXiv:1611.07004), sections 3 and 6.1: generators, PatchGANs, objectives; the differences between
  the authors' Lua Torch code ("torch") and the later PyTorch port ("pytorch") are fields of `Variant`.
- Ioffe & Szegedy 2015, algorithm 1: batch normalisation; running averages with torch's momentum 0.1 and the unbiased
  variance. Srivastava et al. 2014: dropout, whose masks the caller gives.
- Goodfellow et al. 2014 (non-saturating cross-entropy), Mao et al. 2017 (least squares, 0 and 1), Lim & Ye 2017
  (hinge), Jolicoeur-Martineau 2019 (relativistic pairing, here of patches at the same place of the same pair).
- Kingma & Ba 2015, algorithm 1 (Adam), epsilon added to the bias-corrected root as torch does.

A network is a list of layers in the order of the data: the generator's encoder from the outermost to the innermost
layer, then its decoder from the innermost to the outermost; the discriminator from the first to the last. A layer is a
dict with `weight` and, where the layer has them, `bias`, `gain` and `shift` (of the norm), and the running averages
`mean` and `variance`. Number and kind of the layers follow from the list and the shapes, so any side 2^n and any width
can be checked.

Adam's first updates hardly depend on the scale of a loss: compare gradients or losses for what only scales them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

Layer = dict[str, Tensor]
Shapes = dict[str, tuple[int, ...]]
Network = Literal["unet", "encoder-decoder"]
ReceptiveField = Literal[1, 16, 34, 70, 142, 286]
Kind = Literal["l1", "l2", "gan", "cgan", "l1+gan", "l1+cgan"]
Adversarial = Literal["bce", "lsgan", "hinge", "relativistic"]

TRAINED = ("weight", "bias", "gain", "shift")  # the order inside a layer
NORM_EPSILON = 1e-5
NORM_MOMENTUM = 0.1
SLOPE = 0.2
STRIDED_LAYERS: dict[ReceptiveField, int] = {16: 1, 34: 2, 70: 3, 142: 4, 286: 5}


@dataclass(frozen=True)
class Variant:
    """Everything about a step that the shapes of the weights do not say; the defaults are the Torch code's."""

    network: Network = "unet"
    skip_order: Literal["decoder-first", "skip-first"] = "decoder-first"
    dropout_layers: tuple[int, ...] = (1, 2, 3)  # of the decoder, counted from 1 at the innermost
    kind: Kind = "l1+cgan"
    adversarial: Adversarial = "bce"
    l1_weight: float = 100.0
    gan_weight: float = 1.0
    halve_discriminator: bool = False
    generator_logits: Literal["shared", "recomputed"] = "shared"

    @property
    def has_discriminator(self) -> bool:
        """Whether an adversarial term takes part."""
        return "gan" in self.kind

    @property
    def has_reconstruction(self) -> bool:
        """Whether a distance to the target takes part."""
        return self.kind.startswith("l")

    @property
    def conditional(self) -> bool:
        """Whether D sees the source before the target."""
        return "cgan" in self.kind


TORCH = Variant()
PYTORCH = Variant(
    skip_order="skip-first", dropout_layers=(2, 3, 4), halve_discriminator=True, generator_logits="recomputed"
)


@dataclass(frozen=True)
class AdamSettings:
    """Of one update; a schedule passes another rate each step."""

    learning_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    epsilon: float = 1e-8


@dataclass(frozen=True)
class AdamState:
    """Moments of every trained tensor, in the order of `trained`, and the number of updates done."""

    step: int = 0
    first: tuple[Tensor, ...] = ()
    second: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class State:
    """Both networks and their optimisers; `discriminator` is empty for the objectives l1 and l2."""

    generator: list[Layer]
    discriminator: list[Layer] = field(default_factory=list)
    generator_adam: AdamState = AdamState()
    discriminator_adam: AdamState = AdamState()


class Step(NamedTuple):
    """What one step did. Gradients are those the updates used, in the order of `trained`.

    `losses` has the keys that take part of: `discriminator` (as minimised: halved if so asked),
    `generator_adversarial` and `generator_reconstruction` (both before their weights).
    """

    losses: dict[str, float]
    state: State
    generator_gradients: tuple[Tensor, ...]
    discriminator_gradients: tuple[Tensor, ...]


# Shapes


def _layer(weight: tuple[int, ...], outputs: int, *, bias: bool, norm: bool) -> Shapes:
    shapes: Shapes = {"weight": weight}
    if bias:
        shapes["bias"] = (outputs,)
    if norm:
        shapes |= {"gain": (outputs,), "shift": (outputs,)}
    return shapes


def generator_shapes(
    network: Network = "unet",
    *,
    side: int,
    width: int = 64,
    in_channels: int = 3,
    out_channels: int = 3,
    bottleneck_norm: bool = False,
) -> list[Shapes]:
    """The 2n layers for pictures of `side` = 2^n, n > 1. Kernels: (out, in, 4, 4), in the decoder (in, out, 4, 4).

    The only bias is the last layer's: the published counts (54,413,955 and 39,075,459 parameters at 256, width 64)
    leave room for no other, although the first and the innermost convolution have no norm either.
    """
    levels = side.bit_length() - 1
    if side != 2**levels or levels < 2:
        raise ValueError(f"side {side}: expected a power of two from 4 on")
    widths = [width * min(2**i, 8) for i in range(levels)]
    layers = []
    for i, (inputs, outputs) in enumerate(zip([in_channels, *widths[:-1]], widths, strict=True)):
        norm = 0 < i < levels - 1 or (bottleneck_norm and i == levels - 1)
        layers.append(_layer((outputs, inputs, 4, 4), outputs, bias=False, norm=norm))
    decoder = [*widths[-2::-1], out_channels]
    for i, (inputs, outputs) in enumerate(zip([widths[-1], *decoder[:-1]], decoder, strict=True)):
        last = i == levels - 1
        wide = 2 * inputs if network == "unet" and i > 0 else inputs
        layers.append(_layer((wide, outputs, 4, 4), outputs, bias=last, norm=not last))
    return layers


def discriminator_shapes(receptive_field: ReceptiveField = 70, *, in_channels: int, width: int = 64) -> list[Shapes]:
    """The PatchGAN with that receptive field; `in_channels` of the source and the target together if conditional.

    Biases: where no norm follows, but for the last 1x1 convolution of the pixel discriminator, whose published count
    of 9,024 parameters leaves no room for one.
    """
    pixel = receptive_field == 1
    kernel = 1 if pixel else 4
    hidden = [width, 2 * width] if pixel else [width * min(2**i, 8) for i in range(STRIDED_LAYERS[receptive_field] + 1)]
    layers = []
    for i, (inputs, outputs) in enumerate(zip([in_channels, *hidden], [*hidden, 1], strict=True)):
        first, last = i == 0, i == len(hidden)
        bias = first or (last and not pixel)
        layers.append(_layer((outputs, inputs, kernel, kernel), outputs, bias=bias, norm=not (first or last)))
    return layers


def parameter_count(shapes: list[Shapes]) -> int:
    """Number of trained numbers."""
    return sum(torch.Size(shape).numel() for layer in shapes for shape in layer.values())


# Weights


def _with_averages(layer: Layer) -> Layer:
    if "gain" in layer:
        layer |= {"mean": torch.zeros_like(layer["gain"]), "variance": torch.ones_like(layer["gain"])}
    return layer


def initial_layers(shapes: list[Shapes], seed: int) -> list[Layer]:
    """Kernels N(0, 0.02), gains N(1, 0.02), the rest 0; float32 numbers, so that any network can start from them."""
    random = torch.Generator().manual_seed(seed)
    layers = []
    for wanted in shapes:
        layer: Layer = {}
        for name, shape in wanted.items():
            drawn = torch.zeros(shape)
            if name in ("weight", "gain"):
                drawn.normal_(1.0 if name == "gain" else 0.0, 0.02, generator=random)
            layer[name] = drawn.double()
        layers.append(_with_averages(layer))
    return layers


def load_layers(shapes: list[Shapes], named_parameters: Iterable[tuple[str, Tensor]]) -> list[Layer]:
    """Float64 copies of a module's parameters, which must come in the order of the layers and of `TRAINED`.

    Raises ValueError naming the first parameter that does not fit, is missing, or is left over.
    """
    parameters = iter(named_parameters)
    layers = []
    for i, wanted in enumerate(shapes):
        layer: Layer = {}
        for key, shape in wanted.items():
            place = f"{key} {shape} of layer {i + 1} of {len(shapes)}"
            name, value = next(parameters, (None, None))
            if name is None or value is None:
                raise ValueError(f"the parameters end before the {place}")
            if tuple(value.shape) != shape:
                raise ValueError(f"parameter {name!r} of shape {tuple(value.shape)} stands where the {place} belongs")
            layer[key] = value.detach().to("cpu", torch.float64, copy=True)
        layers.append(_with_averages(layer))
    left = [name for name, _ in parameters]
    if left:
        raise ValueError(f"{len(left)} parameters are left over after the last layer, the first is {left[0]!r}")
    return layers


def trained(layers: list[Layer]) -> list[Tensor]:
    """The trained tensors in network order: what a module's `parameters()` lists in the order `load_layers` wants."""
    return [layer[name] for layer in layers for name in TRAINED if name in layer]


def _replaced(layers: list[Layer], values: Iterable[Tensor]) -> list[Layer]:
    """The layers with other trained tensors and the same running averages."""
    following = iter(values)
    return [
        {name: next(following) for name in TRAINED if name in layer}
        | {name: layer[name] for name in ("mean", "variance") if name in layer}
        for layer in layers
    ]


def _leaves(layers: list[Layer]) -> list[Layer]:
    return _replaced(layers, [value.detach().clone().requires_grad_() for value in trained(layers)])


# Networks in training mode


def normalise(layer: Layer, x: Tensor) -> Tensor:
    """Batch normalisation of x (N, C, H, W) by its own statistics, which also enter the layer's running averages.

    A layer without a norm returns x. One value a channel (batch 1 at a 1x1 bottleneck) gives the shift alone.
    """
    if "gain" not in layer:
        return x
    count = x.shape[0] * x.shape[2] * x.shape[3]
    mean = x.sum((0, 2, 3)) / count
    centred = x - mean[:, None, None]
    variance = (centred * centred).sum((0, 2, 3)) / count
    unbiased = variance.detach() * (count / max(count - 1, 1))
    layer["mean"] = (1.0 - NORM_MOMENTUM) * layer["mean"] + NORM_MOMENTUM * mean.detach()
    layer["variance"] = (1.0 - NORM_MOMENTUM) * layer["variance"] + NORM_MOMENTUM * unbiased
    scaled = centred / torch.sqrt(variance + NORM_EPSILON)[:, None, None]
    return scaled * layer["gain"][:, None, None] + layer["shift"][:, None, None]


def generate(
    variant: Variant, layers: list[Layer], source: Tensor, masks: Mapping[int, Tensor] | None = None
) -> Tensor:
    """source (N, in, S, S) to pictures (N, out, S, S) in [-1, 1]; advances the running averages of `layers`.

    `masks`: what the normed output of each decoder layer of `variant.dropout_layers` is multiplied with, that is
    0 or 1 / (1 - p); None switches dropout off.
    """
    levels = len(layers) // 2
    if masks is not None and set(masks) != {i for i in variant.dropout_layers if i < levels}:
        raise ValueError(f"masks for decoder layers {sorted(masks)}, but dropout belongs to {variant.dropout_layers}")
    h, encoded = source, []
    for i, layer in enumerate(layers[:levels]):
        h = h if i == 0 else F.leaky_relu(h, SLOPE)
        h = normalise(layer, F.conv2d(h, layer["weight"], layer.get("bias"), stride=2, padding=1))
        encoded.append(h)
    for i, layer in enumerate(layers[levels:], start=1):
        if variant.network == "unet" and i > 1:
            skip = encoded[levels - i]
            h = torch.cat([h, skip] if variant.skip_order == "decoder-first" else [skip, h], dim=1)
        h = F.conv_transpose2d(F.relu(h), layer["weight"], layer.get("bias"), stride=2, padding=1)
        h = normalise(layer, h)
        if masks is not None and i in masks:
            h = h * masks[i]
    return torch.tanh(h)


def judge(variant: Variant, layers: list[Layer], source: Tensor, picture: Tensor) -> Tensor:
    """Logits (N, 1, h, w) for the patches of one batch; advances the running averages of `layers`."""
    h = torch.cat([source, picture], dim=1) if variant.conditional else picture
    for i, layer in enumerate(layers):
        h = h if i == 0 else F.leaky_relu(h, SLOPE)
        pixel = layer["weight"].shape[-1] == 1
        stride = 1 if pixel or i >= len(layers) - 2 else 2
        h = F.conv2d(h, layer["weight"], layer.get("bias"), stride=stride, padding=0 if pixel else 1)
        h = normalise(layer, h)
    return h


# Objectives


def softplus(a: Tensor) -> Tensor:
    """log(1 + exp(a)), exact for every a."""
    return torch.logaddexp(a, torch.zeros_like(a))


def discriminator_loss(variant: Variant, real: Tensor, fake: Tensor) -> Tensor:
    """Mean over all patches of the batch; real and fake are logits of one shape."""
    match variant.adversarial:
        case "bce":
            patches = softplus(-real) + softplus(fake)
        case "lsgan":
            patches = 0.5 * (real - 1.0) ** 2 + 0.5 * fake**2
        case "hinge":
            patches = torch.relu(1.0 - real) + torch.relu(1.0 + fake)
        case "relativistic":
            patches = softplus(fake - real)
    return patches.mean() * (0.5 if variant.halve_discriminator else 1.0)


def adversarial_loss(variant: Variant, real: Tensor, fake: Tensor) -> Tensor:
    """The generator's adversarial term before its weight; mean over all patches of the batch."""
    match variant.adversarial:
        case "bce":
            patches = softplus(-fake)
        case "lsgan":
            patches = 0.5 * (fake - 1.0) ** 2
        case "hinge":
            patches = -fake
        case "relativistic":
            patches = softplus(real - fake)
    return patches.mean()


def reconstruction_loss(variant: Variant, picture: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference, or mean square for l2, before its weight."""
    difference = picture - target
    return (difference**2 if variant.kind == "l2" else difference.abs()).mean()


# The step


def adam_update(
    layers: list[Layer], gradients: tuple[Tensor, ...], state: AdamState, settings: AdamSettings
) -> tuple[list[Layer], AdamState]:
    """Kingma & Ba 2015, algorithm 1: p - rate * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)."""
    t = state.step + 1
    values = trained(layers)
    firsts = state.first or tuple(torch.zeros_like(value) for value in values)
    seconds = state.second or firsts
    new, first, second = [], [], []
    for value, gradient, m_before, v_before in zip(values, gradients, firsts, seconds, strict=True):
        m = settings.beta1 * m_before + (1.0 - settings.beta1) * gradient
        v = settings.beta2 * v_before + (1.0 - settings.beta2) * gradient * gradient
        root = torch.sqrt(v / (1.0 - settings.beta2**t)) + settings.epsilon
        new.append(value.detach() - settings.learning_rate * (m / (1.0 - settings.beta1**t)) / root)
        first.append(m)
        second.append(v)
    return _replaced(layers, new), AdamState(t, tuple(first), tuple(second))


def pix2pix_step(
    variant: Variant,
    state: State,
    source: Tensor,
    target: Tensor,
    *,
    masks: Mapping[int, Tensor] | None = None,
    generator_adam: AdamSettings | None = None,
    discriminator_adam: AdamSettings | None = None,
) -> Step:
    """One update of each network from source (N, in, S, S) and target (N, out, S, S) in [-1, 1]; `state` is left alone.

    `shared`: one forward pass of G, of D on the real and of D on the drawn pairs; both gradients precede both updates.
    `recomputed`: D is updated first, and G learns from the new D's answer (the relativistic one on the real pairs too).
    The two batches go through D one after the other, so each is normalised by its own statistics.
    """
    if variant.has_discriminator != bool(state.discriminator):
        raise ValueError(f"objective {variant.kind!r} with a discriminator of {len(state.discriminator)} layers")
    source, target = source.double(), target.double()
    generator, discriminator = _leaves(state.generator), _leaves(state.discriminator)
    discriminator_state, d_gradients = state.discriminator_adam, tuple[Tensor, ...]()
    losses: dict[str, float] = {}

    picture = generate(variant, generator, source, masks)
    total = torch.zeros((), dtype=torch.float64)
    if variant.has_discriminator:
        real = judge(variant, discriminator, source, target)
        fake = judge(variant, discriminator, source, picture)
        d_loss = discriminator_loss(variant, real, fake)
        d_gradients = torch.autograd.grad(d_loss, trained(discriminator), retain_graph=True)
        losses["discriminator"] = d_loss.item()
        discriminator, discriminator_state = adam_update(
            discriminator, d_gradients, discriminator_state, discriminator_adam or AdamSettings()
        )
        if variant.generator_logits == "recomputed":
            if variant.adversarial == "relativistic":
                real = judge(variant, discriminator, source, target)
            fake = judge(variant, discriminator, source, picture)
        adversarial = adversarial_loss(variant, real, fake)
        losses["generator_adversarial"] = adversarial.item()
        total = total + variant.gan_weight * adversarial
    if variant.has_reconstruction:
        reconstruction = reconstruction_loss(variant, picture, target)
        losses["generator_reconstruction"] = reconstruction.item()
        total = total + variant.l1_weight * reconstruction
    g_gradients = torch.autograd.grad(total, trained(generator))
    generator, generator_state = adam_update(
        generator, g_gradients, state.generator_adam, generator_adam or AdamSettings()
    )
    return Step(losses, State(generator, discriminator, generator_state, discriminator_state), g_gradients, d_gradients)
