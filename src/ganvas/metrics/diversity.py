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

    ``VARIATIONS`` of up to ``MOST_INPUTS`` inputs, spread over the set; means over inputs with their intervals. Twice:
    ``diversity`` is what the network varies by itself, ``variations`` what a person gets who asks for some. Of a model
    that takes dabs of colour, :meth:`ganvas.Model.variations` turns hues by dabs; of another the two are the same, told
    twice so that models can be compared.
    """

    def __init__(self, setting: Setting) -> None:
        self._ways = {
            "diversity": ("Diversity", "by dropout and noise alone", setting.vary),
            "variations": ("Variations", "as translate --variations draws them", setting.vary_hues or setting.vary),
        }
        self._seed = setting.seed
        self._chosen = set(setting.pairs.spread(MOST_INPUTS).tolist())
        self._side = min(setting.pairs.targets.shape[2:])
        self._seen = 0
        self._values: dict[Vary, list[tuple[float, float]]] = {
            vary: [] for _, _, vary in self._ways.values() if vary is not None
        }

    @property
    def metrics(self) -> Mapping[str, PictureMetric]:
        """How each figure is called and read."""
        scales = "MS-SSIM" if scales_of(self._side) == 5 else f"MS-SSIM over {scales_of(self._side)} scales"
        found = {}
        for name, (title, what, vary) in self._ways.items():
            if vary is not None:
                between = f"between {VARIATIONS} variations of one input {what}, mean over pairs and inputs"
                distance, dissimilarity = self._names(name)
                found[distance] = PictureMetric(f"{title}, L1", "higher", 4, f"L1 {between}")
                found[dissimilarity] = PictureMetric(f"{title}, MS-SSIM", "higher", 3, f"1 - {scales} {between}")
        return found

    def update(self, sources: Pixels, drawn: Pixels, true: Pixels, labels: Labels) -> None:
        """Draw and measure the variations of the batch's chosen inputs; sources uint8 (n, Cs, S, S)."""
        for at, (source, label) in enumerate(zip(sources, labels, strict=True)):
            if self._seen + at in self._chosen:
                for vary, values in self._values.items():
                    variations = vary(source, int(label), VARIATIONS)
                    values.append(variation_distances(torch.from_numpy(np.array(variations))))
        self._seen += len(sources)

    def figures(self) -> dict[str, Figure]:
        """What the translations score."""
        return {
            figure: figure_of_mean(found, self._seed)
            for name, (_, _, vary) in self._ways.items()
            if vary is not None
            for figure, found in zip(self._names(name), zip(*self._values[vary], strict=True), strict=True)
        }

    def reference(self) -> dict[str, Figure]:
        """Empty: there is one true picture of an input."""
        return {}

    def _names(self, way: str) -> tuple[str, str]:
        return f"{way}_l1", f"{way}_{ms_ssim_name(self._side)}"


def diversity_metric(setting: Setting) -> Diversity | None:
    """The metric, or None where the model has nothing to vary."""
    return Diversity(setting) if setting.vary or setting.vary_hues else None
