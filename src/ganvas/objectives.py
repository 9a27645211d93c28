"""Adversarial objectives as pure functions of logits; N samples, one logit each.

Letters follow the papers: ``D(x)`` logits of real pictures, ``D(G(z))`` logits of drawn ones, all of shape (N,).
Each function returns one loss for each sample, so that a caller can weight, average and differentiate row by row.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Adversarial = Literal["bce", "lsgan", "hinge", "relativistic"]


def discriminator_loss(kind: Adversarial, real: Tensor, fake: Tensor) -> Tensor:
    """D's loss for each pair of a real and a drawn sample, shape (N,).

    - ``bce``: -log s(D(x)) - log(1 - s(D(G(z)))), Goodfellow et al. 2014, eq. 1 (s: logistic function).
    - ``lsgan``: 1/2 (D(x) - 1)^2 + 1/2 D(G(z))^2, Mao et al. 2017, eq. 9.
    - ``hinge``: max(0, 1 - D(x)) + max(0, 1 + D(G(z))), Lim & Ye 2017.
    - ``relativistic``: -log s(D(x) - D(G(z))), Jolicoeur-Martineau 2018, eq. 3 (pairing of Huang et al. 2024).
    """
    if kind == "bce":
        return F.softplus(-real) + F.softplus(fake)
    if kind == "lsgan":
        return 0.5 * (real - 1).square() + 0.5 * fake.square()
    if kind == "hinge":
        return F.relu(1 - real) + F.relu(1 + fake)
    return F.softplus(fake - real)


def generator_loss(kind: Adversarial, real: Tensor, fake: Tensor) -> Tensor:
    """G's loss for each sample, shape (N,); ``real`` matters to the relativistic loss alone.

    ``bce`` is the non-saturating -log s(D(G(z))) of Goodfellow et al. 2014, section 3.
    """
    if kind == "bce":
        return F.softplus(-fake)
    if kind == "lsgan":
        return 0.5 * (fake - 1).square()
    if kind == "hinge":
        return -fake
    return F.softplus(real - fake)


def generator_row_scale(kind: Adversarial, real: Tensor, fake: Tensor) -> Tensor | None:
    """(dL_G / dD(G(z_i))) / (dL_D / dD(G(z_i))) for each row, shape (N,), or None where it can be 0/0.

    D gives one number a sample and nothing couples samples, so the gradient of any per-sample loss with respect to
    a drawn picture is that row's dL/dD times the same Jacobian. One backward pass through D for D's loss therefore
    serves G's loss too, after this rescaling of its rows: for ``bce`` s(D)/(-s(-D)) gives -exp(-D).
    """
    if kind == "bce":
        margin = fake
    elif kind == "relativistic":
        margin = fake - real
    else:
        return None
    # Below -80 D's own gradient leaves float32's range, and with it what this factor could restore.
    return -torch.exp(-margin.clamp(min=-80.0))


def wrong_label_loss(kind: Adversarial, real: Tensor, wrong: Tensor) -> Tensor:
    """D's loss on real pictures under wrong labels, taken as one more kind of fake (Reed et al. 2016, section 4.2).

    ``real`` are the logits of the same pictures under their own label; the relativistic loss compares with them.
    """
    if kind == "bce":
        return F.softplus(wrong)
    if kind == "lsgan":
        return 0.5 * wrong.square()
    if kind == "hinge":
        return F.relu(1 + wrong)
    return F.softplus(wrong - real)


def gradient_matching(drawn: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of horizontal and vertical differences, summed over four scales: a scalar.

    After Li & Snavely 2018, eq. 4, on pictures (N, C, H, W) in place of log depths: scale k takes every 2^k-th pixel.
    Sides are more than 8 pixels.
    Each scale is divided by its own number of pixels, so that the coarse ones, which see blotches, weigh as much as the
    fine ones. Of two answers that are equally far off, which L1 cannot tell apart, the one in two colours costs more.
    """
    residual = drawn - target
    scales = [residual[..., :: 2**k, :: 2**k] for k in range(4)]
    return torch.stack([r.diff(dim=d).abs().mean() for r in scales for d in (-2, -1)]).sum()


def accuracy(kind: Adversarial, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """D's accuracy on real and on drawn samples: two scalars in [0, 1] from logits of any shape.

    Relativistic logits have no zero of their own: each side is compared with the other's mean, as the relativistic
    average discriminator does (Jolicoeur-Martineau 2018, section 4.2).
    """
    zero = torch.tensor(0.5 if kind == "lsgan" else 0.0, dtype=real.dtype, device=real.device)
    below, above = (fake.mean(), real.mean()) if kind == "relativistic" else (zero, zero)
    return (real > below).to(real.dtype).mean(), (fake <= above).to(real.dtype).mean()


def gradient_penalty(logits: Tensor, pictures: Tensor) -> Tensor:
    """1/2 |grad_x D(x)|^2 for each picture, (N,): R1 on real, R2 on drawn ones (Mescheder et al. 2018, eq. 9).

    ``pictures`` (N, C, H, W) must require gradients and ``logits`` (N,) come from them.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
    return 0.5 * gradient.flatten(1).square().sum(1)
