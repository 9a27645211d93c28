"""The step of the course's cGAN written out by hand: forward, both losses, all gradients, in one function.

It computes what ``LabelTask._autograd_gradients`` computes for the same recipe (a test compares them) with less work:
real and drawn pictures pass D as one batch; one backward pass through D serves both losses
(:func:`ganvas.objectives.generator_row_scale`); and whatever depends on the label alone is computed once a class
instead of once a picture. Being one pure function it can be compiled, which autograd modules gain nothing from.
It serves ``dense-conditional`` against ``maxout``, both variants of Maxout.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ganvas.config import DenseConditionalGenerator, LabelRecipe, MaxoutDiscriminator
from ganvas.objectives import generator_row_scale

if TYPE_CHECKING:
    from ganvas.tasks.label import LabelTask

log = logging.getLogger(__name__)

# Of a maximum (N, units): which piece it is (N, 1, units), and where ReLU lets the gradient pass (N, units).
Winner = tuple[Tensor, Tensor | None]
Result = tuple[dict[str, Tensor], Sequence[Tensor], Sequence[Tensor]]


class CourseStep:
    """Calls :func:`course_gradients` with the task's weights, compiled for whole batches if asked to."""

    def __init__(self, task: LabelTask) -> None:
        settings = task.recipe.discriminator
        assert isinstance(settings, MaxoutDiscriminator)
        self._task = task
        self._relu_pieces = settings.activation == "relu"
        self._dtype = torch.bfloat16 if task.recipe.train.precision == "bf16" else torch.float32
        self._batch_size = task.recipe.train.batch_size
        self._whole_batch: Callable[..., Result] = _compiled() if task.recipe.train.compile else course_gradients

    @staticmethod
    def serves(recipe: LabelRecipe) -> bool:
        """Whether a recipe is the course's cGAN in every respect that the function writes out."""
        objective, maxout = recipe.objective, recipe.discriminator
        return (
            isinstance(recipe.generator, DenseConditionalGenerator)
            and isinstance(maxout, MaxoutDiscriminator)
            and not (maxout.projection or maxout.dropout)
            and objective.adversarial == "bce"
            and not (objective.wrong_labels or objective.r1 or objective.r2)
        )

    def __call__(self, real: Tensor, labels: Tensor, z: Tensor) -> Result:
        generator, discriminator = self._task.generator, self._task.discriminator
        # The last batch of an epoch is smaller: compiling a second time for it would cost more than it saves.
        function = self._whole_batch if len(real) == self._batch_size else course_gradients
        dtype = self._dtype if real.dtype == torch.float32 else real.dtype
        with torch.no_grad():
            losses, g_gradients, d_gradients = function(
                [parameter.detach() for parameter in generator.parameters()],
                [parameter.detach() for parameter in discriminator.parameters()],
                real.flatten(1),
                labels,
                z,
                self._relu_pieces,
                dtype,
            )
        return losses, g_gradients, d_gradients


def _compiled() -> Callable[..., Result]:
    """:func:`course_gradients` compiled at its first call; uncompiled, with a warning, where that fails."""
    function: Callable[..., Result] = torch.compile(course_gradients, dynamic=False)
    tried = False

    def call(*arguments: Any) -> Result:
        nonlocal function, tried
        if tried:
            return function(*arguments)
        tried = True
        try:
            return function(*arguments)
        except Exception as error:
            # Compilers fail in as many ways as there are machines: no headers, no OpenMP, no room for a cache.
            log.warning("the step could not be compiled and runs uncompiled: %s", str(error).split("\n")[0])
            function = course_gradients
            return function(*arguments)

    return call


def course_gradients(
    g: Sequence[Tensor],
    d: Sequence[Tensor],
    real: Tensor,
    labels: Tensor,
    z: Tensor,
    relu_pieces: bool,
    dtype: torch.dtype,
) -> Result:
    """Losses and gradients of both networks.

    Args:
        g: noise, label, joint and output layer of G, weight (out, in) and bias of each.
        d: picture, label, joint and output layer of D, likewise.
        real: (N, P) real pictures in [-1, 1].
        labels: (N,) classes; z: (N, latent) noise.
        relu_pieces: ReLU before the maximum of Maxout.
        dtype: of the products' operands; sums and everything else stay in float32 (or float64).
    """
    g_noise_w, g_noise_b, g_label_w, g_label_b, g_joint_w, g_joint_b, g_out_w, g_out_b = g
    d_pic_w, d_pic_b, d_label_w, d_label_b, d_joint_w, d_joint_b, d_out_w, d_out_b = d
    n, classes = len(real), g_label_w.shape[1]
    wide = real.dtype

    def mm(a: Tensor, b: Tensor) -> Tensor:
        return (a.to(dtype) @ b.to(dtype)).to(wide)

    # G: the label's half of the joint layer is one row a class.
    g_noise = F.relu(mm(z, g_noise_w.t()) + g_noise_b)
    g_label = F.relu(g_label_w.t() + g_label_b)
    g_units = g_noise.shape[1]
    g_joint_table = g_label @ g_joint_w[:, g_units:].t() + g_joint_b
    g_joint = F.relu(mm(g_noise, g_joint_w[:, :g_units].t()) + g_joint_table[labels])
    fake = torch.tanh(mm(g_joint, g_out_w.t()) + g_out_b)

    # D: real and drawn pictures as one batch of 2N.
    pictures = torch.cat([real, fake])
    twice = torch.cat([labels, labels])
    pic_max, pic_winner = _maxout(mm(pictures, d_pic_w.t()) + d_pic_b, 5, relu_pieces)
    label_max, label_winner = _maxout(d_label_w.t() + d_label_b, 5, relu_pieces)
    d_units = pic_max.shape[1]
    d_joint_table = label_max @ d_joint_w[:, d_units:].t() + d_joint_b
    h, h_winner = _maxout(mm(pic_max, d_joint_w[:, :d_units].t()) + d_joint_table[twice], 4, relu_pieces)
    logits = h @ d_out_w[0] + d_out_b
    real_logits, fake_logits = logits[:n], logits[n:]
    losses = {
        "discriminator": (F.softplus(-real_logits) + F.softplus(fake_logits)).mean(),
        "generator": F.softplus(-fake_logits).mean(),
        "accuracy_real": (real_logits > 0).to(wide).mean(),
        "accuracy_fake": (fake_logits <= 0).to(wide).mean(),
    }

    # Backward through D, once, for D's loss.
    one_hot = F.one_hot(labels, classes).to(wide)
    upstream = torch.cat([-torch.sigmoid(-real_logits), torch.sigmoid(fake_logits)]) / n
    d_h = _maxout_backward(upstream[:, None] * d_out_w, 4, h_winner)
    d_h_by_class = one_hot.t() @ (d_h[:n] + d_h[n:])
    d_label = _maxout_backward(d_h_by_class @ d_joint_w[:, d_units:], 5, label_winner)
    d_pic = _maxout_backward(mm(d_h, d_joint_w[:, :d_units]), 5, pic_winner)
    d_gradients = (
        mm(d_pic.t(), pictures),
        d_pic.sum(0),
        d_label.t(),
        d_label.sum(0),
        torch.cat([mm(d_h.t(), pic_max), d_h_by_class.t() @ label_max], dim=1),
        d_h.sum(0),
        (upstream @ h)[None],
        upstream.sum()[None],
    )

    # On into G, its rows rescaled from D's loss to G's.
    scale = generator_row_scale("bce", real_logits, fake_logits)
    assert scale is not None
    d_fake = mm(d_pic[n:] * scale[:, None], d_pic_w) * (1 - fake.square())
    d_joint = mm(d_fake, g_out_w) * (g_joint > 0)
    d_joint_by_class = one_hot.t() @ d_joint
    d_noise = mm(d_joint, g_joint_w[:, :g_units]) * (g_noise > 0)
    d_g_label = (d_joint_by_class @ g_joint_w[:, g_units:]) * (g_label > 0)
    g_gradients = (
        mm(d_noise.t(), z),
        d_noise.sum(0),
        d_g_label.t(),
        d_g_label.sum(0),
        torch.cat([mm(d_joint.t(), g_noise), d_joint_by_class.t() @ g_label], dim=1),
        d_joint.sum(0),
        mm(d_fake.t(), g_joint),
        d_fake.sum(0),
    )
    return losses, g_gradients, d_gradients


def _maxout(h: Tensor, pieces: int, relu_pieces: bool) -> tuple[Tensor, Winner]:
    """The maximum over pieces (N, units), and the way back for its gradient.

    One piece takes the gradient even where several are equal, which is not rare in bfloat16.
    """
    top, piece = h.reshape(len(h), pieces, -1).max(1, keepdim=True)
    top = top.squeeze(1)
    return (F.relu(top), (piece, top > 0)) if relu_pieces else (top, (piece, None))


def _maxout_backward(upstream: Tensor, pieces: int, winner: Winner) -> Tensor:
    """Gradient (N, pieces * units) of the Dense output for that of the maximum (N, units)."""
    piece, passes = winner
    if passes is not None:
        upstream = upstream * passes
    spread = upstream.new_zeros(len(upstream), pieces, upstream.shape[1])
    return spread.scatter_(1, piece, upstream[:, None]).flatten(1)
