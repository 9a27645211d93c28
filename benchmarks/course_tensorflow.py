"""The course's GAN and cGAN steps as a course writes them: Keras layers, tapes, `tf.function`, Adam(1e-4).

Runs in an environment of its own that has tensorflow and needs nothing of ganvas:

    python course_tensorflow.py [--pair cgan] [--xla]        a contestant of cgan_step.py, see _contestant.py
    python course_tensorflow.py --dump FILE.npz --steps 4    weights, batches, noise, losses, updated weights
    python course_tensorflow.py --golden FILE.json           an extract of both pairs for tests/golden

Keys of a dump: `start/NAME`, `after/NAME` for every weight (kernels (in, out)); `x` (steps, 128, 784) in
[-1, 1]; `y` (steps, 128) class indices; `z` (steps, 128, 100); `losses` (steps, 2), generator then
discriminator, each before the update of its step. Weights have names like `g.noise.kernel`, `d.joint.bias`.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import tensorflow as tf

PIXELS, LATENT, CLASSES, BATCH = 784, 100, 10, 128
layers = tf.keras.layers
Networks = tuple[Any, Any]
Array = NDArray[Any]


def dense(name: str, units: int, activation: str | None = None) -> Any:
    """A Keras Dense: Glorot-uniform kernel, zero bias."""
    return layers.Dense(units, activation=activation, name=name)


def maxout(x: Any, name: str, units: int, pieces: int) -> Any:
    """Dense with ReLU, a Dropout that never fires (called outside training mode), maximum over pieces."""
    x = dense(name, units * pieces, "relu")(x)
    x = layers.Dropout(0.5)(x)
    x = layers.Reshape((pieces, units))(x)
    return tf.keras.ops.max(x, axis=1)


def cgan() -> Networks:
    """Generator (z, one-hot y) -> (N, 784); discriminator (x, one-hot y) -> (N, 1) logits."""
    z, y, x = (tf.keras.Input((n,)) for n in (LATENT, CLASSES, PIXELS))
    h = layers.Concatenate()([dense("g_noise", 256, "relu")(z), dense("g_label", 256, "relu")(y)])
    image = dense("g_output", PIXELS, "tanh")(dense("g_joint", 512, "relu")(h))
    h = layers.Concatenate()([maxout(x, "d_image", 240, 5), maxout(y, "d_label", 50, 5)])
    logit = dense("d_output", 1)(maxout(h, "d_joint", 240, 4))
    return tf.keras.Model([z, y], image), tf.keras.Model([x, y], logit)


def gan() -> Networks:
    """The same calls as the cGAN's, without looking at y."""
    z, y, x = (tf.keras.Input((n,)) for n in (LATENT, CLASSES, PIXELS))
    h = z
    for i, units in enumerate((128, 256, 512), start=1):
        h = dense(f"g_hidden{i}", units, "relu")(h)
    image = dense("g_output", PIXELS, "tanh")(h)
    h = x
    for i, units in enumerate((512, 256, 128), start=1):
        h = dense(f"d_hidden{i}", units, "relu")(h)
    return tf.keras.Model([z, y], image), tf.keras.Model([x, y], dense("d_output", 1)(h))


PAIRS: dict[str, Callable[[], Networks]] = {"gan": gan, "cgan": cgan}


def train_step(networks: Networks) -> Callable[[Any, Any, Any], Any]:
    """The update as a plain function of (x, one-hot y, z), for tf.function; returns both losses."""
    generator, discriminator = networks
    entropy = tf.keras.losses.BinaryCrossentropy(from_logits=True)
    g_optimizer, d_optimizer = tf.keras.optimizers.Adam(1e-4), tf.keras.optimizers.Adam(1e-4)
    g_optimizer.build(generator.trainable_variables)
    d_optimizer.build(discriminator.trainable_variables)

    def step(x: Any, y: Any, z: Any) -> Any:
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            fake = generator([z, y])
            real_logit, fake_logit = discriminator([x, y]), discriminator([fake, y])
            g_loss = entropy(tf.ones_like(fake_logit), fake_logit)
            real_loss = entropy(tf.ones_like(real_logit), real_logit)
            d_loss = real_loss + entropy(tf.zeros_like(fake_logit), fake_logit)
        g_gradients = g_tape.gradient(g_loss, generator.trainable_variables)
        d_gradients = d_tape.gradient(d_loss, discriminator.trainable_variables)
        g_optimizer.apply_gradients(zip(g_gradients, generator.trainable_variables, strict=True))
        d_optimizer.apply_gradients(zip(d_gradients, discriminator.trainable_variables, strict=True))
        return g_loss, d_loss

    return step


def contestant_step(networks: Networks, *, xla: bool, seed: int) -> Callable[[], object]:
    """One step on the next of 64 prepared batches with fresh noise; waits for the loss."""
    tf.random.set_seed(seed)
    body = train_step(networks)

    def with_noise(x: Any, y: Any) -> Any:
        return body(x, y, tf.random.normal((BATCH, LATENT)))

    compiled = tf.function(with_noise, jit_compile=xla)
    random = np.random.RandomState(seed)
    batches = [drawn_batch(random) for _ in range(64)]
    pool = [(tf.constant(x), tf.one_hot(y, CLASSES)) for x, y, _ in batches]
    count = 0

    def step() -> object:
        nonlocal count
        count += 1
        return compiled(*pool[count % len(pool)])[0].numpy()

    return step


def drawn_batch(random: np.random.RandomState, size: int = BATCH) -> tuple[Array, Array, Array]:
    """x mostly background (-1) like digits, y indices, z normal; numpy's frozen generator, in this order."""
    stroke = random.uniform(size=(size, PIXELS))
    x = np.where(stroke > 0.8, random.uniform(-1.0, 1.0, stroke.shape), -1.0).astype(np.float32)
    y = random.randint(0, CLASSES, size).astype(np.int64)
    return x, y, random.normal(size=(size, LATENT)).astype(np.float32)


def layer_weights(networks: Networks) -> dict[str, Any]:
    """The variables by name, `g_noise` and its kernel as `g.noise.kernel`, inputs' side first."""
    named: dict[str, Any] = {}
    for network in networks:
        for layer in network.layers:
            if layer.weights:
                named[layer.name.replace("_", ".", 1) + ".kernel"] = layer.kernel
                named[layer.name.replace("_", ".", 1) + ".bias"] = layer.bias
    return named


def set_drawn_weights(networks: Networks, order: list[str], seed: int) -> None:
    """Glorot-uniform numbers from numpy's frozen generator, so that the tests can draw the same."""
    random = np.random.RandomState(seed)
    named = layer_weights(networks)
    for name in order:
        kernel = named[f"{name}.kernel"]
        limit = np.sqrt(6.0 / (kernel.shape[0] + kernel.shape[1]))
        kernel.assign(random.uniform(-limit, limit, tuple(kernel.shape)).astype(np.float32))


ORDER = {
    "gan": [f"{n}.{layer}" for n in "gd" for layer in ("hidden1", "hidden2", "hidden3", "output")],
    "cgan": [f"g.{x}" for x in ("noise", "label", "joint", "output")]
    + [f"d.{x}" for x in ("image", "label", "joint", "output")],
}


def dump(pair: str, *, steps: int, seed: int, xla: bool, batch: int = BATCH) -> dict[str, Array]:
    """Runs `steps` updates from drawn weights on drawn batches; returns all that went in and came out."""
    networks = PAIRS[pair]()
    set_drawn_weights(networks, ORDER[pair], seed)
    named = layer_weights(networks)
    result = {f"start/{name}": variable.numpy() for name, variable in named.items()}
    compiled = tf.function(train_step(networks), jit_compile=xla)
    random = np.random.RandomState(seed + 1)
    batches = [drawn_batch(random, batch) for _ in range(steps)]
    losses = [compiled(tf.constant(x), tf.one_hot(y, CLASSES), tf.constant(z)) for x, y, z in batches]
    result |= {f"after/{name}": variable.numpy() for name, variable in named.items()}
    for key, column in zip("xyz", zip(*batches, strict=True), strict=True):
        result[key] = np.stack(column)
    result["losses"] = np.array([[float(g), float(d)] for g, d in losses])
    return result


def golden(*, steps: int, seed: int, xla: bool) -> str:
    """The extract for the tests: losses of every step, eight spread entries of every updated weight."""
    found: dict[str, Any] = {}
    for pair in PAIRS:
        d = dump(pair, steps=steps, seed=seed, xla=xla)
        updated = {k.removeprefix("after/"): v.ravel() for k, v in d.items() if k.startswith("after/")}
        found[pair] = {
            "tensorflow": tf.__version__, "keras": tf.keras.__version__,
            "seed": seed, "batch": BATCH, "tolerance": 2e-7,
            "losses": [{"generator": g, "discriminator": f} for g, f in d["losses"].tolist()],
            "weights": {
                k: [float(v[i]) for i in np.linspace(0, v.size - 1, min(8, v.size)).astype(int)]
                for k, v in updated.items()
            },
        }  # fmt: skip
    return json.dumps(found, indent=1) + "\n"


def main() -> None:
    """Reads the options and does what they ask."""
    raw = argparse.RawDescriptionHelpFormatter
    options = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    options.add_argument("--pair", choices=sorted(PAIRS), default="cgan")
    options.add_argument("--xla", action="store_true", help="compile the step with XLA (jit_compile)")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--steps", type=int, default=4, help="updates of a dump")
    options.add_argument("--dump", type=Path, metavar="FILE.npz")
    options.add_argument("--golden", type=Path, metavar="FILE.json")
    asked = options.parse_args()
    tf.keras.utils.set_random_seed(asked.seed)
    if asked.dump or asked.golden:
        if asked.dump:
            arrays: dict[str, Any] = dict(dump(asked.pair, steps=asked.steps, seed=asked.seed, xla=asked.xla))
            np.savez(asked.dump, **arrays)
        if asked.golden:
            asked.golden.write_text(golden(steps=asked.steps, seed=asked.seed, xla=asked.xla))
        return
    from _contestant import serve

    versions = {"tensorflow": tf.__version__, "keras": tf.keras.__version__}
    step = contestant_step(PAIRS[asked.pair](), xla=asked.xla, seed=asked.seed)
    serve(step, {"precision": "fp32", **versions})


if __name__ == "__main__":
    main()
