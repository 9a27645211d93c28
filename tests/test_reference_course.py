"""The reference is only worth something if it is right: every gradient against differences, Maxout against a
loop, and the whole step against numbers that Keras itself produced."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from reference_course import (
    CGAN,
    CGAN_AFFINE,
    CGAN_SHAPES,
    GAN,
    GAN_SHAPES,
    PAPER,
    PAPER_SHAPES,
    AdamState,
    Array,
    Labels,
    MomentumState,
    Pair,
    Weights,
    bce,
    course_step,
    discriminator_backward,
    discriminator_forward,
    generator_backward,
    generator_forward,
    initial_weights,
    losses_and_gradients,
    maxout,
    maxout_backward,
    paper_learning_rate,
    paper_step,
    sigmoid,
)

SMALL_GAN = {
    "g.hidden1": (4, 5), "g.hidden2": (5, 6), "g.hidden3": (6, 7), "g.output": (7, 9),
    "d.hidden1": (9, 7), "d.hidden2": (7, 6), "d.hidden3": (6, 5), "d.output": (5, 1),
}  # fmt: skip
SMALL_CGAN = {
    "g.noise": (4, 5), "g.label": (3, 6), "g.joint": (11, 8), "g.output": (8, 9),
    "d.image": (9, 35), "d.label": (3, 10), "d.joint": (9, 24), "d.output": (6, 1),
}  # fmt: skip
PAIRS = {
    "gan": (GAN, SMALL_GAN),
    "cgan": (CGAN, SMALL_CGAN),
    "cgan-affine": (CGAN_AFFINE, SMALL_CGAN),
    "paper": (PAPER, SMALL_CGAN),
}
KERAS_GOLDEN = Path(__file__).parent / "golden" / "course_keras.json"


def small_case(pair: Pair, shapes: dict[str, tuple[int, int]]) -> tuple[Weights, Array, Labels | None, Array]:
    """Weights with lively biases, so that ReLUs and pieces are hit on both sides, and a batch of 6."""
    random = np.random.RandomState(5)
    weights = initial_weights(shapes, seed=4)
    for name in weights:
        weights[name] = weights[name] + random.normal(0.0, 0.3, weights[name].shape)
    x = random.uniform(-1.0, 1.0, (6, 9))
    y = random.randint(0, 3, 6).astype(np.int64) if pair.conditional else None
    return weights, x, y, random.normal(size=(6, 4))


@pytest.mark.parametrize("name", PAIRS)
def test_every_gradient_matches_central_differences(name: str) -> None:
    pair, shapes = PAIRS[name]
    weights, x, y, z = small_case(pair, shapes)
    step = losses_and_gradients(pair, weights, x, y, z)
    analytic = step.generator | step.discriminator
    assert analytic.keys() == weights.keys()
    h = 1e-6
    for key, value in weights.items():
        which = "generator" if key.startswith("g.") else "discriminator"
        numeric = np.zeros_like(value)
        for index in np.ndindex(value.shape):
            change = np.zeros_like(value)
            change[index] = h
            up, down = (
                getattr(losses_and_gradients(pair, weights | {key: value + sign * change}, x, y, z).losses, which)
                for sign in (1.0, -1.0)
            )
            numeric[index] = (up - down) / (2 * h)
        np.testing.assert_allclose(analytic[key], numeric, rtol=1e-5, atol=2e-9, err_msg=key)
        assert np.abs(analytic[key]).max() > 1e-6, f"{key} gets no gradient: the check above shows nothing"


@pytest.mark.parametrize(
    ("pair", "shapes"),
    [(GAN, GAN_SHAPES), (CGAN, CGAN_SHAPES), (CGAN_AFFINE, CGAN_SHAPES), (PAPER, PAPER_SHAPES)],
)
def test_full_size_gradients_match_differences_in_random_directions(
    pair: Pair, shapes: dict[str, tuple[int, int]]
) -> None:
    random = np.random.RandomState(8)
    weights = initial_weights(shapes, seed=1)
    x, z = random.uniform(-1.0, 1.0, (16, 784)), random.normal(size=(16, 100))
    y = random.randint(0, 10, 16).astype(np.int64) if pair.conditional else None
    step = losses_and_gradients(pair, weights, x, y, z)
    for prefix, gradients, loss in (("g.", step.generator, 0), ("d.", step.discriminator, 1)):
        # Along the gradient, tilted at random: a purely random direction would measure almost only rounding.
        norm = np.sqrt(sum((g**2).sum() for g in gradients.values()))
        direction = {k: g / norm + 1e-3 * random.normal(size=g.shape) for k, g in gradients.items()}
        assert all(k.startswith(prefix) for k in direction)
        h = 1e-6
        up, down = (
            losses_and_gradients(
                pair, weights | {k: weights[k] + s * h * d for k, d in direction.items()}, x, y, z
            ).losses[loss]
            for s in (1.0, -1.0)
        )
        expected = sum((gradients[k] * d).sum() for k, d in direction.items())
        assert (up - down) / (2 * h) == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize("activation", ["relu", "none"])
def test_maxout_is_the_plain_loop(activation: str) -> None:
    n, pieces, units = 4, 5, 3
    affine = np.random.RandomState(0).normal(-0.5, 1.0, (n, pieces * units))
    expected, routes = np.zeros((n, units)), np.zeros((n, pieces * units))
    for i in range(n):
        for u in range(units):
            candidates = [float(affine[i, p * units + u]) for p in range(pieces)]
            if activation == "relu":
                candidates = [max(c, 0.0) for c in candidates]
            expected[i, u] = max(candidates)
            if activation == "none" or expected[i, u] > 0.0:
                routes[i, candidates.index(max(candidates)) * units + u] = 1.0
    values, mask = maxout(affine, pieces, "relu" if activation == "relu" else "none")
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(mask, routes)
    assert (expected == 0.0).any() == (activation == "relu")
    up = np.arange(1.0, 1.0 + n * units).reshape(n, units)
    gradient = maxout_backward(up, mask)
    assert all(gradient[i, p * units + u] == up[i, u] * mask[i, p * units + u]
               for i in range(n) for p in range(pieces) for u in range(units))  # fmt: skip


def test_cross_entropy_of_a_logit_is_that_of_its_probability() -> None:
    logits = np.array([-30.0, -3.0, 0.0, 0.5, 12.0])
    p = sigmoid(logits)
    np.testing.assert_allclose(bce(1.0, logits), -np.log(p), rtol=1e-9)
    np.testing.assert_allclose(bce(0.0, logits[1:4]), -np.log(1.0 - p[1:4]), rtol=1e-9)
    assert np.isfinite(bce(0.0, np.array([-1e4, 1e4]))).all()


@pytest.mark.parametrize("name", PAIRS)
def test_one_backward_pass_with_rescaled_rows_serves_both_losses(name: str) -> None:
    """D has one output a sample and couples none: its gradient is linear in one number a row."""
    pair, shapes = PAIRS[name]
    w, x, y, z = small_case(pair, shapes)
    separate = losses_and_gradients(pair, w, x, y, z)
    fake, g_kept = generator_forward(pair, w, z, y)
    # Real and fake as one batch, one pass of D forward and one backward.
    both_y = None if y is None else np.concatenate([y, y])
    logits, kept = discriminator_forward(pair, w, np.concatenate([x, fake]), both_y)
    n = len(x)
    up = np.concatenate([sigmoid(logits[:n]) - 1.0, sigmoid(logits[n:])]) / n
    d_grads, image_grads = discriminator_backward(pair, w, kept, up)
    g_grads = generator_backward(pair, w, g_kept, image_grads[n:] * -np.exp(-logits[n:])[:, None])
    for key, gradient in (separate.generator | separate.discriminator).items():
        np.testing.assert_allclose((g_grads | d_grads)[key], gradient, rtol=1e-9, atol=1e-15, err_msg=key)


def test_adam_places_epsilon_outside_the_bias_correction() -> None:
    """With epsilon 0.1 the placement decides: before the correction, as here, updates are far smaller."""
    weights, x, y, z = small_case(CGAN, SMALL_CGAN)
    state = AdamState()
    gradients = losses_and_gradients(CGAN, weights, x, y, z)
    _, updated = course_step(weights, state, x, y, z, learning_rate=1e-3, epsilon=0.1)
    for key, g in (gradients.generator | gradients.discriminator).items():
        moved = 1e-3 * np.sqrt(1e-3) / 0.1 * (0.1 * g) / (np.sqrt(1e-3 * g * g) + 0.1)
        np.testing.assert_allclose(weights[key] - updated[key], moved, rtol=1e-9, atol=1e-13)
    assert state.step == 1


def test_momentum_step_carries_the_rate_and_both_networks_move() -> None:
    weights, x, y, z = small_case(PAPER, SMALL_CGAN)
    assert y is not None
    state = MomentumState()
    first = losses_and_gradients(PAPER, weights, x, y, z)
    _, once = paper_step(weights, state, x, y, z, momentum=0.5)
    second = losses_and_gradients(PAPER, once, x, y, z)
    losses, twice = paper_step(once, state, x, y, z, momentum=0.6)
    assert losses == second.losses
    one, two = (s.generator | s.discriminator for s in (first, second))
    for key in weights:
        velocity = 0.6 * (-0.1 * one[key]) - 0.1 / 1.00004 * two[key]
        np.testing.assert_allclose(twice[key] - once[key], velocity, rtol=1e-9, atol=1e-13)
    assert paper_learning_rate(10**9) == 1e-6


def test_label_of_the_wrong_kind_is_refused() -> None:
    weights, x, _, z = small_case(CGAN, SMALL_CGAN)
    with pytest.raises(ValueError, match="conditional"):
        losses_and_gradients(CGAN, weights, x, None, z)


@pytest.mark.parametrize(("name", "count_g", "count_d"), [("gan", 579_728, 566_273), ("cgan", 693_520, 1_224_351)])
def test_parameter_counts(name: str, count_g: int, count_d: int) -> None:
    weights = initial_weights({"gan": GAN_SHAPES, "cgan": CGAN_SHAPES}[name], seed=0)
    assert sum(w.size for k, w in weights.items() if k.startswith("g.")) == count_g
    assert sum(w.size for k, w in weights.items() if k.startswith("d.")) == count_d


@pytest.mark.parametrize("name", ["gan", "cgan"])
def test_steps_agree_with_numbers_that_keras_produced(name: str) -> None:
    """The golden file was written by `course_tensorflow.py --golden`: real layers, tapes and Adam."""
    golden = json.loads(KERAS_GOLDEN.read_text())[name]
    shapes = {"gan": GAN_SHAPES, "cgan": CGAN_SHAPES}[name]
    start = weights = initial_weights(shapes, seed=golden["seed"])
    random = np.random.RandomState(golden["seed"] + 1)
    state = AdamState()
    for expected in golden["losses"]:
        stroke = random.uniform(size=(golden["batch"], 784))
        x = np.where(stroke > 0.8, random.uniform(-1.0, 1.0, stroke.shape), -1.0).astype(np.float32)
        y = random.randint(0, 10, golden["batch"]).astype(np.int64)
        z = random.normal(size=(golden["batch"], 100)).astype(np.float32)
        losses, weights = course_step(
            weights,
            state,
            x.astype(np.float64),
            y if name == "cgan" else None,
            z.astype(np.float64),
            scalars=np.float32,
        )
        assert losses.generator == pytest.approx(expected["generator"], rel=3e-7)
        assert losses.discriminator == pytest.approx(expected["discriminator"], rel=3e-7)
    for key, sampled in golden["weights"].items():
        places = np.linspace(0, weights[key].size - 1, len(sampled)).astype(int)
        np.testing.assert_allclose(weights[key].ravel()[places], sampled, rtol=0, atol=golden["tolerance"], err_msg=key)
        assert np.abs(weights[key] - start[key]).max() > 200 * golden["tolerance"]
