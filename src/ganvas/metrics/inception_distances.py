"""FID and KID: how far drawn pictures lie from real ones in the features of :mod:`ganvas.metrics.inception`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganvas.errors import UsageError
from ganvas.metrics.distances import FeatureStatistics, frechet_distance
from ganvas.metrics.figures import JACKKNIFE_GROUPS, Figure, figure_of_jackknife
from ganvas.metrics.inception import FEATURES, PUBLISHED, SHA256, Inception
from ganvas.metrics.kernel_distance import SUBSETS, kernel_distance
from ganvas.metrics.pictures import PictureMetric
from ganvas.metrics.sets import Factory, SetMetric, Setting
from ganvas.metrics.translation import Labels
from ganvas.pictures import Pixels

LEAST = FEATURES  # pictures a side: a covariance of fewer lacks full rank, and the distance is mostly bias
KEPT = 10_000  # of these many pictures the features are kept; the rest is streamed

INCEPTION_METRICS = {
    "fid": PictureMetric(
        "FID",
        "lower",
        2,
        "Fréchet distance of the features of Inception 2015-12-05, pictures resized as its graph does",
    ),
    "kid": PictureMetric(
        "KID", "lower", 4, "squared MMD of the cubic kernel in the same features, unbiased, mean over ten subsets"
    ),
}


class InceptionSide:
    """The features of one side's pictures: streamed statistics of all, and those of the first ``KEPT``."""

    def __init__(self, network: Inception) -> None:
        self.statistics = FeatureStatistics(FEATURES)
        self._network = network
        self._kept: list[Tensor] = []

    def add(self, pictures: Pixels) -> None:
        """Add pictures uint8 (n, C, H, W), RGB or grey."""
        batch = torch.from_numpy(np.array(pictures)).to(self._network.fc.weight.device)
        found = self._network(batch).cpu()
        room = max(0, KEPT - self.statistics.count)
        self.statistics.update(found)
        if room:
            self._kept.append(found[:room])

    @property
    def features(self) -> Tensor:
        """Float32 (n, 2048)."""
        return torch.cat(self._kept) if self._kept else torch.zeros(0, FEATURES)


@dataclass(frozen=True)
class InceptionJudge:
    """What FID and KID are asked with: the network, and whether also of ``few_pictures``."""

    network: Inception
    few_pictures: bool

    def says_enough(self, count: int) -> bool:
        """Whether the distances of ``count`` pictures a side are to be told."""
        return self.few_pictures or count >= LEAST

    def check(self, count: int, channels: int) -> None:
        """Refuse an FID of pictures that Inception cannot read, or of so few that it says next to nothing.

        Raises:
            UsageError: neither grey pictures nor RGB, or fewer than ``LEAST`` on either side and nobody insists.
        """
        if channels not in (1, 3):
            raise UsageError(
                f"--fid-weights: Inception reads pictures of 3 channels, or grey ones of 1, and these have {channels}: "
                "leave it out"
            )
        if not self.says_enough(count):
            raise UsageError(
                f"--fid-weights: an FID of {count:,} pictures is mostly bias, expected at least {LEAST:,} drawn and "
                "real ones: measure on more (--data, --count), or insist with --few-pictures"
            )

    def note(self, count: int) -> str:
        """What to keep in mind of the figures of ``count`` pictures."""
        told = f"FID and KID: by {PUBLISHED} (SHA-256 {SHA256[:16]}...)"
        few = f"; of {count:,} pictures, fewer than {LEAST:,}, the FID is mostly bias and compares with no other one"
        return f"{told}{few if count < LEAST else ''}."


def inception_figures(drawn: InceptionSide, real: InceptionSide, seed: int) -> dict[str, Figure]:
    """``fid`` and ``kid``, as far as the number of pictures allows.

    FID: Heusel et al. (2017), :func:`ganvas.metrics.distances.frechet_distance` of all pictures; its interval is the
    jackknife's over the first ``KEPT`` of them, which errs on the wide side where there are more. KID: Binkowski et
    al. (2018), :func:`ganvas.metrics.kernel_distance.kernel_distance` of the first ``KEPT``.
    """
    found: dict[str, Figure] = {}
    sides = drawn.features, real.features
    fewest = min(len(side) for side in sides)
    if fewest >= 2:
        without: list[float] = []
        if fewest >= 10 * JACKKNIFE_GROUPS:
            without = [_distance_without(group, *sides) for group in range(JACKKNIFE_GROUPS)]
        found["fid"] = figure_of_jackknife(frechet_distance(drawn.statistics, real.statistics), without)
    if fewest >= 2 * SUBSETS:
        found["kid"] = kernel_distance(*sides, seed)
    return found


def inception_metric(network: Inception) -> Factory:
    """FID and KID as evaluation of translations feeds them."""

    def factory(setting: Setting) -> SetMetric:
        return _Distances(network, setting.seed)

    return factory


class _Distances:
    """See :class:`ganvas.metrics.sets.SetMetric`."""

    def __init__(self, network: Inception, seed: int) -> None:
        self._drawn, self._true = InceptionSide(network), InceptionSide(network)
        self._seed = seed

    @property
    def metrics(self) -> Mapping[str, PictureMetric]:
        """How each figure is called and read."""
        return INCEPTION_METRICS

    def update(self, sources: Pixels, drawn: Pixels, true: Pixels, labels: Labels) -> None:
        """Add a batch, uint8 (n, C, S, S) each."""
        self._drawn.add(drawn)
        self._true.add(true)

    def figures(self) -> dict[str, Figure]:
        """What the translations score."""
        return inception_figures(self._drawn, self._true, self._seed)

    def reference(self) -> dict[str, Figure]:
        """The KID of every other true picture to the rest; an FID of half as many pictures would be no measure."""
        features = self._true.features
        halves = features[::2], features[1::2]
        return {"kid": kernel_distance(*halves, self._seed)} if len(halves[1]) >= 2 * SUBSETS else {}


def _distance_without(group: int, *sides: Tensor) -> float:
    found = []
    for features in sides:
        statistics = FeatureStatistics(FEATURES)
        statistics.update(features[torch.arange(len(features)) % JACKKNIFE_GROUPS != group])
        found.append(statistics)
    return frechet_distance(*found)
