"""An independent reference of the courses' training steps, in float64 numpy with gradients derived by hand.

It exists to judge ganvas and therefore imports nothing from it. Written from the published descriptions
alone: Goodfellow et al. 2014 (the losses), Goodfellow et al. 2013 (Maxout), Mirza & Osindero 2014 (the
conditional pair), Kingma & Ba 2015 with the placement of epsilon that Keras uses (Adam).

Names of the weights; a kernel is (in, out) as in Keras and a bias is (out,):

    GAN   g.hidden1 g.hidden2 g.hidden3 g.output      d.hidden1 d.hidden2 d.hidden3 d.output
    cGAN  g.noise g.label g.joint g.output            d.image d.label d.joint d.output

each followed by `.kernel` or `.bias`. Joint layers see [noise, label] and [image, label] in that order.
Column `piece * units + unit` of a Maxout kernel belongs to that piece of that unit. Widths follow from the
kernels, so small networks of the same kind can be checked against finite differences.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Weights = dict[str, Array]
_Scalar = np.float64 | np.float32


@dataclass(frozen=True)
class Pair:
    """Which two networks: everything that the shapes of the kernels do not say."""

    conditional: bool
    output: Literal["tanh", "sigmoid"] = "tanh"
    maxout_activation: Literal["relu", "none"] = "relu"
    pieces: tuple[int, int, int] = (5, 5, 4)  # of the Maxout layers image, label, joint


GAN = Pair(conditional=False)
CGAN = Pair(conditional=True)
CGAN_AFFINE = Pair(conditional=True, maxout_activation="none")
PAPER = Pair(conditional=True, output="sigmoid", maxout_activation="none")

GAN_SHAPES = {
    "g.hidden1": (100, 128), "g.hidden2": (128, 256), "g.hidden3": (256, 512), "g.output": (512, 784),
    "d.hidden1": (784, 512), "d.hidden2": (512, 256), "d.hidden3": (256, 128), "d.output": (128, 1),
}  # fmt: skip
CGAN_SHAPES = {
    "g.noise": (100, 256), "g.label": (10, 256), "g.joint": (512, 512), "g.output": (512, 784),
    "d.image": (784, 1200), "d.label": (10, 250), "d.joint": (290, 960), "d.output": (240, 1),
}  # fmt: skip
PAPER_SHAPES = CGAN_SHAPES | {
    "g.noise": (100, 200), "g.label": (10, 1000), "g.joint": (1200, 1200), "g.output": (1200, 784),
}  # fmt: skip


class Losses(NamedTuple):
    """Mean over the batch, in nats; the discriminator's is the sum of its real and its fake half."""

    generator: float
    discriminator: float


class StepGradients(NamedTuple):
    """Both losses at the same weights, with the gradient of each loss in its own network's weights."""

    losses: Losses
    generator: Weights
    discriminator: Weights


@dataclass
class AdamState:
    """Moments of every weight and the number of updates done; both networks count together."""

    step: int = 0
    first: Weights = field(default_factory=dict)
    second: Weights = field(default_factory=dict)


@dataclass
class MomentumState:
    """Velocities of every weight and the number of updates done."""

    step: int = 0
    velocity: Weights = field(default_factory=dict)


def initial_weights(shapes: dict[str, tuple[int, int]], seed: int) -> Weights:
    """Glorot-uniform kernels, zero biases; from numpy's frozen generator, layers in the order of `shapes`."""
    random = np.random.RandomState(seed)
    weights: Weights = {}
    for name, (rows, columns) in shapes.items():
        limit = np.sqrt(6.0 / (rows + columns))
        # Rounded to float32 so that a float32 implementation can start from the very same numbers.
        drawn = random.uniform(-limit, limit, (rows, columns)).astype(np.float32)
        weights[f"{name}.kernel"] = drawn.astype(np.float64)
        weights[f"{name}.bias"] = np.zeros(columns)
    return weights


# Pieces of mathematics


def sigmoid(a: Array) -> Array:
    """1 / (1 + exp(-a)) without overflow."""
    e = np.exp(-np.abs(a))
    return np.asarray(np.where(a >= 0, 1.0, e) / (1.0 + e))


def bce(target: float, logit: Array) -> Array:
    """Binary cross-entropy of sigmoid(logit), elementwise: softplus(logit) - target * logit."""
    return np.asarray(np.maximum(logit, 0.0) - target * logit + np.log1p(np.exp(-np.abs(logit))))


def one_hot(labels: Labels, classes: int) -> Array:
    """Indices (N,) to rows (N, classes)."""
    return np.eye(classes)[labels]


def dense(weights: Weights, name: str, x: Array) -> Array:
    """x (N, in) to (N, out), before any activation."""
    return np.asarray(x @ weights[f"{name}.kernel"] + weights[f"{name}.bias"])


def dense_backward(weights: Weights, name: str, x: Array, up: Array, into: Weights) -> Array:
    """Writes the layer's gradients to `into`; returns the one in x. `up` (N, out) is before activation."""
    into[f"{name}.kernel"] = x.T @ up
    into[f"{name}.bias"] = up.sum(axis=0)
    return np.asarray(up @ weights[f"{name}.kernel"].T)


def maxout(affine: Array, pieces: int, activation: Literal["relu", "none"]) -> tuple[Array, Array]:
    """(N, pieces * units) to the maxima (N, units) and the 0/1 mask of the routes their gradient takes."""
    n, width = affine.shape
    a = affine.reshape(n, pieces, width // pieces)
    winner = np.argmax(a, axis=1)[:, None, :] == np.arange(pieces)[None, :, None]
    best = a.max(axis=1)
    if activation == "relu":  # the maximum of the ReLUs is the ReLU of the maximum
        winner &= (best > 0.0)[:, None, :]
        best = np.maximum(best, 0.0)
    return best, winner.reshape(n, width).astype(np.float64)


def maxout_backward(up: Array, mask: Array) -> Array:
    """Gradient in the maxima (N, units) to the gradient in the affine pieces (N, pieces * units)."""
    pieces = mask.shape[1] // up.shape[1]
    return np.asarray(np.tile(up, (1, pieces)) * mask)


# Generators: forward returns the flat images and what backward needs


def generator_forward(pair: Pair, w: Weights, z: Array, y: Labels | None) -> tuple[Array, Weights]:
    """z (N, latent), y (N,) or None: images (N, pixels) in [-1, 1], or [0, 1] with a sigmoid output."""
    kept: Weights = {"z": z}
    if y is None:
        h = z
        for name in ("hidden1", "hidden2", "hidden3"):
            kept[name] = h = np.maximum(dense(w, f"g.{name}", h), 0.0)
    else:
        kept["y"] = one_hot(y, w["g.label.kernel"].shape[0])
        kept["noise"] = np.maximum(dense(w, "g.noise", z), 0.0)
        kept["label"] = np.maximum(dense(w, "g.label", kept["y"]), 0.0)
        kept["both"] = np.concatenate([kept["noise"], kept["label"]], axis=1)
        kept["joint"] = h = np.maximum(dense(w, "g.joint", kept["both"]), 0.0)
    a = dense(w, "g.output", h)
    kept["images"] = np.tanh(a) if pair.output == "tanh" else sigmoid(a)
    return kept["images"], kept


def generator_backward(pair: Pair, w: Weights, kept: Weights, up: Array) -> Weights:
    """`up` (N, pixels) is the gradient in the images; returns the gradients of all g.* weights."""
    grads: Weights = {}
    x = kept["images"]
    up = up * ((1.0 - x * x) if pair.output == "tanh" else x * (1.0 - x))
    if not pair.conditional:
        inputs = {"output": "hidden3", "hidden3": "hidden2", "hidden2": "hidden1"}
        for name, below in inputs.items():
            up = dense_backward(w, f"g.{name}", kept[below], up, grads) * (kept[below] > 0.0)
        dense_backward(w, "g.hidden1", kept["z"], up, grads)
        return grads
    up = dense_backward(w, "g.output", kept["joint"], up, grads) * (kept["joint"] > 0.0)
    up = dense_backward(w, "g.joint", kept["both"], up, grads) * (kept["both"] > 0.0)
    split = kept["noise"].shape[1]
    dense_backward(w, "g.noise", kept["z"], up[:, :split], grads)
    dense_backward(w, "g.label", kept["y"], up[:, split:], grads)
    return grads


# Discriminators


def discriminator_forward(pair: Pair, w: Weights, x: Array, y: Labels | None) -> tuple[Array, Weights]:
    """x (N, pixels), y (N,) or None: logits (N,), and what backward needs."""
    kept: Weights = {"x": x}
    if y is None:
        h = x
        for name in ("hidden1", "hidden2", "hidden3"):
            kept[name] = h = np.maximum(dense(w, f"d.{name}", h), 0.0)
        return dense(w, "d.output", h)[:, 0], kept
    image, label, joint = pair.pieces
    act = pair.maxout_activation
    kept["y"] = one_hot(y, w["d.label.kernel"].shape[0])
    kept["image"], kept["image mask"] = maxout(dense(w, "d.image", x), image, act)
    kept["label"], kept["label mask"] = maxout(dense(w, "d.label", kept["y"]), label, act)
    kept["both"] = np.concatenate([kept["image"], kept["label"]], axis=1)
    kept["joint"], kept["joint mask"] = maxout(dense(w, "d.joint", kept["both"]), joint, act)
    return dense(w, "d.output", kept["joint"])[:, 0], kept


def discriminator_backward(pair: Pair, w: Weights, kept: Weights, up: Array) -> tuple[Weights, Array]:
    """`up` (N,) is the gradient in the logits; returns those in all d.* weights and in the images."""
    grads: Weights = {}
    up = up[:, None]
    if not pair.conditional:
        inputs = {"output": "hidden3", "hidden3": "hidden2", "hidden2": "hidden1"}
        for name, below in inputs.items():
            up = dense_backward(w, f"d.{name}", kept[below], up, grads) * (kept[below] > 0.0)
        return grads, dense_backward(w, "d.hidden1", kept["x"], up, grads)
    up = dense_backward(w, "d.output", kept["joint"], up, grads)
    up = dense_backward(w, "d.joint", kept["both"], maxout_backward(up, kept["joint mask"]), grads)
    split = kept["image"].shape[1]
    label_up = maxout_backward(up[:, split:], kept["label mask"])
    image_up = maxout_backward(up[:, :split], kept["image mask"])
    dense_backward(w, "d.label", kept["y"], label_up, grads)
    return grads, dense_backward(w, "d.image", kept["x"], image_up, grads)


# The step


def losses_and_gradients(pair: Pair, w: Weights, x: Array, y: Labels | None, z: Array) -> StepGradients:
    """Both losses and both gradients at one set of weights, with three separate backward passes through D.

    x real images (N, ...), flattened here; y (N,) indices for real and drawn alike, or None for the GAN.
    """
    if pair.conditional != (y is not None):
        raise ValueError(f"labels given: {y is not None}, but the pair is conditional: {pair.conditional}")
    x = np.asarray(x, dtype=np.float64).reshape(len(x), -1)
    z = np.asarray(z, dtype=np.float64)
    fake, g_kept = generator_forward(pair, w, z, y)
    real_logit, real_kept = discriminator_forward(pair, w, x, y)
    fake_logit, fake_kept = discriminator_forward(pair, w, fake, y)

    d_loss = float(bce(1.0, real_logit).mean() + bce(0.0, fake_logit).mean())
    g_loss = float(bce(1.0, fake_logit).mean())

    real_grads, _ = discriminator_backward(pair, w, real_kept, (sigmoid(real_logit) - 1.0) / len(x))
    fake_grads, _ = discriminator_backward(pair, w, fake_kept, sigmoid(fake_logit) / len(z))
    d_grads = {name: real_grads[name] + fake_grads[name] for name in real_grads}

    _, image_grad = discriminator_backward(pair, w, fake_kept, (sigmoid(fake_logit) - 1.0) / len(z))
    g_grads = generator_backward(pair, w, g_kept, image_grad)
    return StepGradients(Losses(g_loss, d_loss), g_grads, d_grads)


def adam_rate(rate: _Scalar, beta1: _Scalar, beta2: _Scalar, t: _Scalar) -> float:
    """The rate with both bias corrections of update `t`, from 1 on, in the precision of its arguments."""
    one = type(rate)(1.0)
    return float(rate * np.sqrt(one - beta2**t) / (one - beta1**t))


def course_step(
    weights: Weights,
    adam_state: AdamState,
    x: Array,
    y_index: Labels | None,
    z: Array,
    *,
    pair: Pair | None = None,
    learning_rate: float = 1e-4,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-7,
    scalars: type[np.float64] | type[np.float32] = np.float64,
) -> tuple[Losses, Weights]:
    """One step of the course: both gradients at the old weights, then Adam on both networks as Keras does it.

    Without `pair`, labels None mean the GAN and labels mean the cGAN with ReLU pieces. The losses are those
    before the update. `adam_state` is advanced in place; `weights` is left alone. `scalars=np.float32` forms
    the corrected rate in float32 as Keras does, where 1 - 0.999 is 1.3e-5 too small: updates are 7e-6 off.
    """
    pair = pair or (GAN if y_index is None else CGAN)
    losses, g_grads, d_grads = losses_and_gradients(pair, weights, x, y_index, z)
    adam_state.step += 1
    t = adam_state.step
    alpha = adam_rate(scalars(learning_rate), scalars(beta1), scalars(beta2), scalars(t))
    updated: Weights = {}
    for name, gradient in (g_grads | d_grads).items():
        m = beta1 * adam_state.first.get(name, np.zeros_like(gradient)) + (1.0 - beta1) * gradient
        v = beta2 * adam_state.second.get(name, np.zeros_like(gradient)) + (1.0 - beta2) * gradient**2
        adam_state.first[name], adam_state.second[name] = m, v
        updated[name] = weights[name] - alpha * m / (np.sqrt(v) + epsilon)
    return losses, updated


def paper_learning_rate(step: int, *, start: float = 0.1, decay: float = 1.00004, least: float = 1e-6) -> float:
    """The rate of update `step`, counted from 0: start / decay**step, never below `least`."""
    return max(least, start * math.exp(-step * math.log(decay)))


def paper_step(
    weights: Weights,
    state: MomentumState,
    x: Array,
    y_index: Labels,
    z: Array,
    *,
    momentum: float = 0.5,
    learning_rate: float | None = None,
) -> tuple[Losses, Weights]:
    """One step of Mirza & Osindero's pair without dropout: SGD with classical momentum on both networks.

    The velocity carries the rate (v = momentum * v - rate * gradient; w += v), as in the paper's own software
    and in Keras. `learning_rate` None follows `paper_learning_rate`. `state` is advanced in place; `weights`
    is left alone.
    """
    rate = paper_learning_rate(state.step) if learning_rate is None else learning_rate
    losses, g_grads, d_grads = losses_and_gradients(PAPER, weights, x, y_index, z)
    state.step += 1
    updated: Weights = {}
    for name, gradient in (g_grads | d_grads).items():
        v = momentum * state.velocity.get(name, np.zeros_like(gradient)) - rate * gradient
        state.velocity[name] = v
        updated[name] = weights[name] + v
    return losses, updated
