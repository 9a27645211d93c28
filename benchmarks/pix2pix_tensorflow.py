"""A contestant of pix2pix_step.py: pix2pix as the TensorFlow tutorial trains it, written out for a side of 2^n pixels.

Runs in an environment of its own that has tensorflow and needs nothing of ganvas:

    python pix2pix_tensorflow.py --side 128 --batch 16 [--xla]

Keras layers, one `tf.function` with two tapes: one pass of G, D on the real and on the fake pair, both gradients
before either update, Adam(2e-4, 0.5). What this code does differently from the paper is its own: batch norm on the
bottleneck, LeakyReLU of slope 0.3 (Keras' default), no biases in convolutions but the last.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import tensorflow as tf

from _contestant import serve

POOL = 8  # prepared batches
L1_WEIGHT = 100.0
layers = tf.keras.layers


def normal() -> Any:
    """Initial weights N(0, 0.02)."""
    return tf.keras.initializers.RandomNormal(0.0, 0.02)


def downsample(x: Any, filters: int, *, norm: bool = True) -> Any:
    """Half the side: convolution 4x4 of stride 2, batch norm, LeakyReLU."""
    x = layers.Conv2D(filters, 4, strides=2, padding="same", kernel_initializer=normal(), use_bias=False)(x)
    return layers.LeakyReLU()(layers.BatchNormalization()(x) if norm else x)


def upsample(x: Any, filters: int, *, dropout: bool) -> Any:
    """Twice the side: transposed convolution 4x4 of stride 2, batch norm, dropout of a half, ReLU."""
    x = layers.Conv2DTranspose(filters, 4, strides=2, padding="same", kernel_initializer=normal(), use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.ReLU()(layers.Dropout(0.5)(x) if dropout else x)


def unet(side: int) -> Any:
    """(N, S, S, 3) to (N, S, S, 3) in [-1, 1]."""
    levels = side.bit_length() - 1
    widths = [min(64 * 2**level, 512) for level in range(levels)]
    source = x = tf.keras.Input((side, side, 3))
    skips = []
    for level, width in enumerate(widths):
        x = downsample(x, width, norm=level > 0)
        skips.append(x)
    for number, (width, skip) in enumerate(zip(reversed(widths[:-1]), reversed(skips[:-1]), strict=True)):
        x = layers.Concatenate()([upsample(x, width, dropout=number < 3), skip])
    last = layers.Conv2DTranspose(3, 4, strides=2, padding="same", kernel_initializer=normal(), activation="tanh")
    return tf.keras.Model(source, last(x))


def patch_discriminator(side: int) -> Any:
    """Source and target (N, S, S, 3) to logits (N, S / 8 - 2, S / 8 - 2, 1), receptive field 70."""
    source, target = tf.keras.Input((side, side, 3)), tf.keras.Input((side, side, 3))
    x = layers.Concatenate()([source, target])
    for number, width in enumerate((64, 128, 256)):
        x = downsample(x, width, norm=number > 0)
    x = layers.ZeroPadding2D()(x)
    x = layers.Conv2D(512, 4, kernel_initializer=normal(), use_bias=False)(x)
    x = layers.LeakyReLU()(layers.BatchNormalization()(x))
    logits = layers.Conv2D(1, 4, kernel_initializer=normal())(layers.ZeroPadding2D()(x))
    return tf.keras.Model([source, target], logits)


def train_step(generator: Any, discriminator: Any) -> Callable[[Any, Any], Any]:
    """The update as a plain function of (source, target), for tf.function; returns both losses and the L1."""
    entropy = tf.keras.losses.BinaryCrossentropy(from_logits=True)
    g_optimizer, d_optimizer = tf.keras.optimizers.Adam(2e-4, beta_1=0.5), tf.keras.optimizers.Adam(2e-4, beta_1=0.5)
    g_optimizer.build(generator.trainable_variables)
    d_optimizer.build(discriminator.trainable_variables)

    def step(source: Any, target: Any) -> Any:
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            fake = generator(source, training=True)
            real_logits = discriminator([source, target], training=True)
            fake_logits = discriminator([source, fake], training=True)
            l1 = tf.reduce_mean(tf.abs(target - fake))
            g_loss = entropy(tf.ones_like(fake_logits), fake_logits) + L1_WEIGHT * l1
            d_loss = entropy(tf.ones_like(real_logits), real_logits)
            d_loss += entropy(tf.zeros_like(fake_logits), fake_logits)
        g_gradients = g_tape.gradient(g_loss, generator.trainable_variables)
        d_gradients = d_tape.gradient(d_loss, discriminator.trainable_variables)
        g_optimizer.apply_gradients(zip(g_gradients, generator.trainable_variables, strict=True))
        d_optimizer.apply_gradients(zip(d_gradients, discriminator.trainable_variables, strict=True))
        return d_loss, g_loss, l1

    return step


def contestant_step(side: int, batch: int, *, xla: bool) -> Callable[[], object]:
    """One step on the next of the prepared batches; waits for the losses."""
    tf.keras.utils.set_random_seed(0)
    compiled = tf.function(train_step(unet(side), patch_discriminator(side)), jit_compile=xla)
    random = np.random.default_rng(0)
    shape = (batch, side, side, 3)
    batches = [[tf.constant(random.uniform(-1, 1, shape), tf.float32) for _ in range(2)] for _ in range(POOL)]
    count = 0

    def step() -> object:
        nonlocal count
        count += 1
        return [loss.numpy() for loss in compiled(*batches[count % POOL])]

    return step


def main() -> None:
    """Serves rounds at the asked side and batch."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--side", type=int, required=True)
    options.add_argument("--batch", type=int, required=True)
    options.add_argument("--xla", action="store_true", help="compile the step with XLA (jit_compile)")
    asked = options.parse_args()
    versions = {"tensorflow": tf.__version__, "keras": tf.keras.__version__}
    serve(contestant_step(asked.side, asked.batch, xla=asked.xla), {"precision": "fp32", **versions}, warm_up=3)


if __name__ == "__main__":
    main()
