"""The Parzen-window log-likelihood by which the first GAN papers compared generators of digits.

It is a poor guide, kept because its numbers are the published ones: in hundreds of dimensions the windows of any
number of samples that can be drawn lie nowhere near most pictures, so blurred means score above sharp pictures, and
memorised training pictures above both (Theis, van den Oord & Bethge 2016, "A note on the evaluation of generative
models").
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ganvas.metrics.figures import Figure, figure_of_mean
from ganvas.metrics.manifolds import squared_distances

SAMPLES_A_CLASS = 1_000
SIGMAS = tuple(float(sigma) for sigma in np.logspace(-1, 0, 10))
CHUNK = 250  # points at a time
SAMPLES_CHUNK = 1_000  # samples at a time


def log_densities(points: Tensor, samples: Tensor, sigmas: tuple[float, ...]) -> Tensor:
    """Log density of each point under equal Gaussian windows on the samples, in nats: float64 (sigmas, points).

    ``log p(x) = log mean_i exp(-|x - s_i|^2 / (2 sigma^2)) - D log(sigma sqrt(2 pi))``: Breuleux, Bengio & Vincent
    (2011), "Quickly generating representative samples from an RBM-derived process", as used by Goodfellow et al.
    (2014), "Generative adversarial nets".

    Args:
        points: (M, ...) pictures; uint8 is taken as 0..255 and scaled to [0, 1], floats are taken as they are.
        samples: (N, ...) likewise.
        sigmas: standard deviations of the windows.
    """
    found = torch.empty(len(sigmas), len(points), dtype=torch.float64)
    for start in range(0, len(points), CHUNK):
        part = _unit(points[start : start + CHUNK])
        pieces = [squared_distances(part, _unit(some)) for some in torch.split(samples, SAMPLES_CHUNK)]
        distances = torch.cat(pieces, dim=1)
        for row, sigma in enumerate(sigmas):
            windows = torch.logsumexp(distances / (-2 * sigma**2), dim=1) - math.log(len(samples))
            found[row, start : start + CHUNK] = windows - part.shape[1] * math.log(sigma * math.sqrt(2 * math.pi))
    return found


def best_sigma(samples: Tensor, held_out: Tensor) -> float:
    """The one of ``SIGMAS`` under which the held-out pictures are likeliest."""
    means = log_densities(held_out, samples, SIGMAS).mean(dim=1)
    return SIGMAS[int(means.argmax())]


def parzen_figure(samples: Tensor, held_out: Tensor, test: Tensor, seed: int) -> tuple[Figure, float]:
    """Mean log-likelihood of the test pictures in nats, with its standard error over them, and the sigma chosen.

    Args:
        samples: drawn pictures; published are ``SAMPLES_A_CLASS`` of each class.
        held_out: training pictures that choose sigma.
        test: the pictures whose likelihood is meant.
    """
    sigma = best_sigma(samples, held_out)
    found = log_densities(test, samples, (sigma,))[0].numpy()
    figure = figure_of_mean(found, seed)
    error = float(found.std(ddof=1) / math.sqrt(len(found))) if len(found) > 1 else None
    return Figure(figure.value, figure.low, figure.high, error), sigma


def _unit(pictures: Tensor) -> Tensor:
    flat = pictures.flatten(1)
    return flat.double() / 255 if flat.dtype == torch.uint8 else flat.double()
