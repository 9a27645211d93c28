"""How alike two sets of pictures are, scale by scale, without a pretrained network: Karras et al. 2018, section 5.

Patches of 7x7 pixels from each level of a Laplacian pyramid (Burt & Adelson 1983), from 16 pixels a side to the full
size, are compared as two clouds of points: the mean over random directions of the distance between their projections
(Rabin et al. 2011, "Wasserstein barycenter and its application to texture mixing"). Times 1,000, as published.

Each set's patches are brought to mean 0 and deviation 1 in each channel, level by level, as the paper has it: what is
compared is structure. Pictures that are all too dark or too grey by the same factor are not told apart: see
:func:`ganvas.metrics.pictures.colour_distance` for that.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ganvas.errors import GanvasError
from ganvas.metrics.figures import JACKKNIFE_GROUPS, Figure, figure_of_jackknife
from ganvas.metrics.pictures import PictureMetric
from ganvas.metrics.sets import Setting
from ganvas.metrics.translation import Labels
from ganvas.pictures import Pixels

COARSEST = 16
PATCH = 7
PATCHES_A_PICTURE = 128
MOST_PATCHES = 1 << 15  # of a set and level: more pictures give fewer patches each, and memory stays bounded
DIRECTIONS, AT_ONCE = 512, 128
SCALE = 1e3
_FLAT = 1e-3  # of 255: a channel that varies less is rounding, which dividing by its deviation would blow up
NAME = "sliced_wasserstein"


def wasserstein_1d(a: Tensor, b: Tensor) -> Tensor:
    """The Wasserstein-1 distance (D,) between the columns of ``a`` (n, D) and ``b`` (m, D), each value of equal weight.

    The area between both quantile functions, exactly, also where n and m differ.
    """
    return _between_sorted(a.sort(dim=0).values, b.sort(dim=0).values)


def sliced_wasserstein(a: Tensor, b: Tensor, *, seed: int = 0) -> float:
    """The mean of :func:`wasserstein_1d` over ``DIRECTIONS`` random directions, of points (n, K) and (m, K)."""
    total = 0.0
    for directions in _directions(a.shape[1], seed):
        total += float(wasserstein_1d(a @ directions, b @ directions).double().sum())
    return total / DIRECTIONS


def laplacian_pyramid(pictures: Tensor) -> list[Tensor]:
    """The levels (N, C, h, w) of float pictures (N, C, H, W), the finest first; the last is a small picture.

    A level is what is lost on the way to half the side and back, under the binomial filter 1-4-6-4-1. The last one
    has ``COARSEST`` pixels or up to twice as many.

    Raises:
        GanvasError: the pictures are smaller than ``COARSEST``.
    """
    if min(pictures.shape[2:]) < COARSEST:
        raise GanvasError(
            f"patches of a pyramid need pictures of at least {COARSEST} pixels a side, found {min(pictures.shape[2:])}."
        )
    levels = [pictures]
    while min(-(-side // 2) for side in levels[-1].shape[2:]) >= COARSEST:
        smaller = _filtered(levels[-1])[:, :, ::2, ::2]
        spread = torch.zeros_like(levels[-1])
        spread[:, :, ::2, ::2] = smaller
        levels[-1] = levels[-1] - 4 * _filtered(spread)
        levels.append(smaller)
    return levels


class PatchSample:
    """Patches of one set of pictures, level by level; memory is bounded however many pictures come.

    Picture i's patches lie at places that depend on ``seed`` and i alone, so two sets of paired pictures are cut alike.

    Args:
        count: how many pictures will come.
        seed: of the places.
    """

    def __init__(self, count: int, seed: int = 0) -> None:
        self.each = max(1, min(PATCHES_A_PICTURE, MOST_PATCHES // max(1, count)))
        self.levels: dict[int, list[Tensor]] = {}
        self._seed = seed
        self._seen = 0
        # Of more pictures than patches, those that the sample can hold, spread over the set.
        self._step = max(1, -(-count // MOST_PATCHES))

    def update(self, pictures: Tensor) -> None:
        """Add uint8 pictures (N, C, H, W).

        Raises:
            GanvasError: they are smaller than ``COARSEST``.
        """
        chosen = [at for at in range(len(pictures)) if (self._seen + at) % self._step == 0]
        if chosen:
            for number, level in enumerate(laplacian_pyramid(pictures[chosen].float())):
                windows = level.unfold(2, PATCH, 1).unfold(3, PATCH, 1)
                # Kept patch by patch as (C, 7, 7).
                cut = [self._cut(windows[at], self._seen + index, number) for at, index in enumerate(chosen)]
                self.levels.setdefault(min(level.shape[2:]), []).extend(cut)
        self._seen += len(pictures)

    def points(self, level: int) -> tuple[Tensor, Tensor]:
        """Normalised patches (n, C * 49) of a level, named by its smaller side, and the picture (n,) of each."""
        cut = self.levels[level]
        patches = torch.stack(cut)  # (pictures, each, C, 7, 7)
        deviation, mean = torch.std_mean(patches.double(), dim=(0, 1, 3, 4), correction=0, keepdim=True)
        scale = torch.where(deviation < _FLAT, 1.0, deviation)
        points = ((patches - mean.float()) / scale.float()).flatten(0, 1).flatten(1)
        return points, torch.arange(len(cut)).repeat_interleave(self.each)

    def _cut(self, windows: Tensor, picture: int, level: int) -> Tensor:
        """``each`` windows (each, C, 7, 7) of one picture's level (C, h - 6, w - 6, 7, 7)."""
        random = np.random.default_rng((self._seed, level, picture))
        rows = torch.from_numpy(random.integers(windows.shape[1], size=self.each))
        columns = torch.from_numpy(random.integers(windows.shape[2], size=self.each))
        return windows[:, rows, columns].transpose(0, 1)


def patch_distances(drawn: PatchSample, true: PatchSample, *, seed: int = 0) -> dict[str, Figure]:
    """The sliced Wasserstein distance of each level, times 1,000, and their mean, with intervals.

    Of a level as ``sliced_wasserstein_16`` and so on, of all as ``sliced_wasserstein``. The intervals are those of
    :func:`ganvas.metrics.figures.figure_of_jackknife` over pictures; of fewer than its groups there is none.

    Raises:
        GanvasError: the sets' pictures differ in size or channels, or a set is empty.
    """
    if not drawn.levels or drawn.levels.keys() != true.levels.keys():
        raise GanvasError(
            f"expected two sets of pictures of one size, found levels {list(drawn.levels)} and {list(true.levels)}."
        )
    found = {level: _level_distances(drawn.points(level), true.points(level), seed) for level in drawn.levels}
    mean = np.mean(list(found.values()), axis=0)
    named = {f"{NAME}_{level}": values for level, values in sorted(found.items())} | {NAME: mean}
    return {name: figure_of_jackknife(float(values[0]), values[1:]) for name, values in named.items()}


def halves_distances(sample: PatchSample, *, seed: int = 0) -> dict[str, Figure]:
    """The same between every other picture of one set and the rest: about what a perfect model would score."""
    found = {}
    for level in sample.levels:
        points, pictures = sample.points(level)
        even = pictures % 2 == 0
        found[f"{NAME}_{level}"] = SCALE * sliced_wasserstein(points[even], points[~even], seed=seed)
    mean = float(np.mean(list(found.values())))
    return {name: Figure(value) for name, value in sorted(found.items())} | {NAME: Figure(mean)}


class SlicedWasserstein:
    """The metric as evaluation feeds it: see :class:`ganvas.metrics.sets.SetMetric`."""

    def __init__(self, setting: Setting) -> None:
        self._seed = setting.seed
        self._drawn = PatchSample(len(setting.pairs), setting.seed)
        self._true = PatchSample(len(setting.pairs), setting.seed)

    @property
    def metrics(self) -> Mapping[str, PictureMetric]:
        """How each figure is called and read."""
        what = "between 7x7 patches of both sets' Laplacian pyramids, times 1,000"
        levels = {
            f"{NAME}_{level}": PictureMetric(
                f"Patch distance, {level} pixels",
                "lower",
                1,
                f"sliced Wasserstein {what}; the level of {level} pixels a side, the more the finer",
            )
            for level in sorted(self._true.levels)
        }
        title = "Sliced Wasserstein distance"
        return levels | {NAME: PictureMetric(title, "lower", 1, f"{what}, mean over the pyramid's levels")}

    def update(self, sources: Pixels, drawn: Pixels, true: Pixels, labels: Labels) -> None:
        """Add a batch, uint8 (n, C, S, S) each."""
        self._drawn.update(torch.from_numpy(np.array(drawn)))
        self._true.update(torch.from_numpy(np.array(true)))

    def figures(self) -> dict[str, Figure]:
        """What the translations score."""
        return patch_distances(self._drawn, self._true, seed=self._seed)

    def reference(self) -> dict[str, Figure]:
        """What true pictures score: one half of them against the other."""
        return halves_distances(self._true, seed=self._seed)


def sliced_wasserstein_metric(setting: Setting) -> SlicedWasserstein | None:
    """The metric, or None where there are no two pictures, or they are too small for patches."""
    fits = min(setting.pairs.targets.shape[2:]) >= COARSEST and len(setting.pairs) > 1
    return SlicedWasserstein(setting) if fits else None


def _between_sorted(a: Tensor, b: Tensor) -> Tensor:
    n, m = len(a), len(b)
    if n == m:
        return (a - b).abs().double().mean(dim=0)
    # Both quantile functions are constant between the multiples of 1/n and 1/m, here in whole units of 1/(n m).
    cuts = torch.from_numpy(np.union1d(np.arange(n + 1) * m, np.arange(m + 1) * n))
    widths = cuts.diff().double() / (n * m)
    apart = (a[cuts[:-1] // m] - b[cuts[:-1] // n]).abs().double()
    return (widths[:, None] * apart).sum(dim=0)


def _level_distances(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor], seed: int) -> list[float]:
    """A level's distance, and where there are pictures enough those without each group of them.

    The latter over the first ``AT_ONCE`` directions alone: their spread needs no more, and takes most of the time.
    """
    count = int(one[1].max()) + 1
    # Both sets lose the same pictures; sets of another number have no such pairs.
    groups = JACKKNIFE_GROUPS if count >= JACKKNIFE_GROUPS and count == int(other[1].max()) + 1 else 0
    total, without = 0.0, []
    for number, directions in enumerate(_directions(one[0].shape[1], seed)):
        a, b = ((points @ directions).T.contiguous().sort(dim=1) for points, _ in (one, other))
        total += float(_between_sorted(a.values.T, b.values.T).sum())
        if number:
            continue
        of_a, of_b = (side[1][ordered.indices] % JACKKNIFE_GROUPS for side, ordered in ((one, a), (other, b)))
        for group in range(groups):
            left = [ordered.values[owner != group].view(len(owner), -1).T for ordered, owner in ((a, of_a), (b, of_b))]
            without.append(float(_between_sorted(*left).mean()))
    return [SCALE * distance for distance in (total / DIRECTIONS, *without)]


def _directions(size: int, seed: int) -> list[Tensor]:
    """Random unit vectors as columns (size, ``AT_ONCE``), ``DIRECTIONS`` in all."""
    random = torch.Generator().manual_seed(seed % 2**63)  # torch takes no larger one
    drawn = torch.randn(DIRECTIONS, size, generator=random)
    return list((drawn / drawn.norm(dim=1, keepdim=True)).T.split(AT_ONCE, dim=1))


def _filtered(pictures: Tensor) -> Tensor:
    """Under the binomial filter, edges mirrored."""
    taps = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    channels = pictures.shape[1]
    kernel = torch.outer(taps, taps).to(pictures).expand(channels, 1, 5, 5)
    return F.conv2d(F.pad(pictures, (2, 2, 2, 2), mode="reflect"), kernel, groups=channels)
