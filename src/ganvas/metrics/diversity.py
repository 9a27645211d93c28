"""How much a translator varies what it draws from one input: pairwise distances between its variations.

Pictures of one input that are all alike score 0, whatever they look like. More is not better without end: noise is
diverse too, so the figures are read beside those of quality.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ganvas.errors import GanvasError
from ganvas.metrics.figures import Figure, figure_of_mean
from ganvas.metrics.pictures import PictureMetric, l1, ms_ssim, ms_ssim_name, scales_of
from ganvas.metrics.sets import Setting, Vary
from ganvas.metrics.translation import Labels
from ganvas.pictures import Pixels

VARIATIONS = 4
MOST_INPUTS = 50


def variation_distances(variations: Tensor) -> tuple[float, float]:
    """Mean L1 (pictures in [-1, 1]) and mean 1 - MS-SSIM over all pairs of uint8 variations (V, C, H, W) of one input.

    Of pictures below 176 pixels MS-SSIM is that of fewer scales: :func:`ganvas.metrics.pictures.ms_ssim_name`.

    Raises:
        GanvasError: fewer than two variations, or pictures smaller than SSIM's window.
    """
    if len(variations) < 2:
        raise GanvasError(f"diversity is measured between variations: expected at least 2, found {len(variations)}.")
    one, other = (list(side) for side in zip(*itertools.combinations(range(len(variations)), 2), strict=True))
    a, b = variations[one], variations[other]
    return float(l1(a, b).mean()), float((1 - ms_ssim(a, b)).mean())


class Diversity:
    """The metric as evaluation feeds it: see :class:`ganvas.metrics.sets.SetMetric`.

    ``VARIATIONS`` of up to ``MOST_INPUTS`` inputs, spread over the set; means over inputs with their intervals.

    Args:
        setting: of the evaluation.
        vary: draws the variations.
        name: what the figures' names begin with.
        title: the same for people.
        what: of what kind the variations are, for people.
    """

    def __init__(self, setting: Setting, vary: Vary, name: str, title: str, what: str) -> None:
        self._vary = vary
        self._seed = setting.seed
        self._chosen = set(setting.pairs.spread(MOST_INPUTS).tolist())
        side = min(setting.pairs.targets.shape[2:])
        self._names = f"{name}_l1", f"{name}_{ms_ssim_name(side)}"
        scales = "MS-SSIM" if scales_of(side) == 5 else f"MS-SSIM over {scales_of(side)} scales"
        between = f"between {VARIATIONS} variations of one input {what}, mean over pairs and inputs"
        self._metrics = (
            PictureMetric(f"{title}, L1", "higher", 4, f"L1 {between}"),
            PictureMetric(f"{title}, MS-SSIM", "higher", 3, f"1 - {scales} {between}"),
        )
        self._seen = 0
        self._values: list[tuple[float, float]] = []

    @property
    def metrics(self) -> Mapping[str, PictureMetric]:
        """How each figure is called and read."""
        return dict(zip(self._names, self._metrics, strict=True))

    def update(self, sources: Pixels, drawn: Pixels, true: Pixels, labels: Labels) -> None:
        """Draw and measure the variations of the batch's chosen inputs; sources uint8 (n, Cs, S, S)."""
        for at, (source, label) in enumerate(zip(sources, labels, strict=True)):
            if self._seen + at in self._chosen:
                variations = self._vary(source, int(label), VARIATIONS)
                self._values.append(variation_distances(torch.from_numpy(np.array(variations))))
        self._seen += len(sources)

    def figures(self) -> dict[str, Figure]:
        """What the translations score."""
        values = zip(*self._values, strict=True)
        return {name: figure_of_mean(found, self._seed) for name, found in zip(self._names, values, strict=True)}

    def reference(self) -> dict[str, Figure]:
        """Empty: there is one true picture of an input."""
        return {}


def diversity_metric(setting: Setting) -> Diversity | None:
    """What the network varies by itself, or None where it has neither dropout nor noise."""
    if setting.vary is None:
        return None
    return Diversity(setting, setting.vary, "diversity", "Diversity", "by dropout and noise alone")


def variations_metric(setting: Setting) -> Diversity | None:
    """What a person gets who asks for variations, or None where that is nothing.

    Of a model that takes dabs of colour, hues are turned by dabs, as :meth:`ganvas.Model.variations` does; of another
    one it is what :func:`diversity_metric` measures, told again so that the two can be compared.
    """
    vary = setting.vary_hues or setting.vary
    if vary is None:
        return None
    return Diversity(setting, vary, "variations", "Variations", "as translate --variations draws them")
