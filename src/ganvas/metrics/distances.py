"""The Frechet distance between two sets of features, in float64 and in constant memory."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ganvas.errors import GanvasError
from ganvas.metrics.figures import JACKKNIFE_GROUPS, Figure, figure_of_jackknife
from ganvas.metrics.intervals import ends

GROUPS = 50
RESAMPLES = 200


class FeatureStatistics:
    """Mean and covariance of a stream of feature vectors, whatever their number, in D x D float64 numbers.

    Batches are merged by the pairwise update of Chan, Golub & LeVeque (1979), "Updating formulae and a
    pairwise algorithm for computing sample variances": squares around each mean, so that no digits cancel.
    """

    def __init__(self, dimensions: int) -> None:
        self.count = 0
        self.mean = torch.zeros(dimensions, dtype=torch.float64)
        self._scatter = torch.zeros(dimensions, dimensions, dtype=torch.float64)

    def update(self, features: Tensor) -> None:
        """Add a batch of features (N, D), of any floating type and on any device.

        Raises:
            GanvasError: the features have another width, or are not finite.
        """
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            found = "x".join(str(side) for side in features.shape)
            raise GanvasError(f"expected features of shape Nx{len(self.mean)}, found {found}.")
        if len(features) == 0:
            return
        batch = features.detach().cpu().double()
        batch_mean = batch.mean(dim=0)
        centred = batch - batch_mean
        scatter = centred.T @ centred
        if not bool(torch.isfinite(scatter).all()):
            raise GanvasError("the features hold NaN or infinite values: the pictures are broken.")
        total = self.count + len(batch)
        shift = batch_mean - self.mean
        self._scatter += scatter + torch.outer(shift, shift) * (self.count * len(batch) / total)
        self.mean += shift * (len(batch) / total)
        self.count = total

    @property
    def covariance(self) -> Tensor:
        """The unbiased covariance (D, D), float64.

        Raises:
            GanvasError: fewer than two feature vectors were seen.
        """
        if self.count < 2:
            raise GanvasError(f"a covariance needs at least 2 pictures, found {self.count}.")
        return self._scatter / (self.count - 1)


def frechet_distance(a: FeatureStatistics, b: FeatureStatistics) -> float:
    """Squared Frechet distance between the Gaussians with the means and covariances of ``a`` and ``b``.

    ``|mu_a - mu_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2))``: Dowson & Landau (1982), "The Frechet distance
    between multivariate normal distributions"; as a measure of generators Heusel et al. (2017), "GANs Trained
    by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium". It is an FID only when the features
    come from the Inception network named there. Few pictures bias it upwards: compare equal numbers of them.

    Raises:
        GanvasError: either side has seen fewer than two pictures, or they differ in width.
    """
    if len(a.mean) != len(b.mean):
        raise GanvasError(f"features of width {len(a.mean)} and {len(b.mean)} cannot be compared.")
    root_a = _square_root(a.covariance)
    # tr (C_a C_b)^(1/2) = tr (C_a^(1/2) C_b C_a^(1/2))^(1/2), whose argument is symmetric and not negative:
    # no complex square root is needed, and a covariance that lacks full rank does no harm.
    product = root_a @ b.covariance @ root_a
    eigenvalues = torch.linalg.eigvalsh((product + product.T) / 2)
    trace_of_root = eigenvalues.clamp(min=0).sqrt().sum()
    between_means = (a.mean - b.mean).square().sum()
    distance = between_means + a.covariance.trace() + b.covariance.trace() - 2 * trace_of_root
    return max(float(distance), 0.0)


class GroupedStatistics:
    """The statistics of a stream in groups that take turns, so that it can be resampled without being kept.

    Resampling whole groups in the place of single pictures leaves the spread of a mean, or of a smooth function of
    means, what it is, as long as a picture's group has nothing to do with the picture: feed pictures in random order.

    Attributes:
        whole: the statistics of all features together.
    """

    def __init__(self, dimensions: int, groups: int = GROUPS) -> None:
        self.whole = FeatureStatistics(dimensions)
        self._counts = torch.zeros(groups, dtype=torch.float64)
        self._means = torch.zeros(groups, dimensions, dtype=torch.float64)
        self._scatters = torch.zeros(groups, dimensions, dimensions, dtype=torch.float64)

    def update(self, features: Tensor) -> None:
        """Add a batch of features (N, D).

        Raises:
            GanvasError: the features have another width, or are not finite.
        """
        before, groups = self.whole.count, len(self._counts)
        self.whole.update(features)
        if len(features) == 0:
            return
        rows = features.detach().cpu().double()
        # In turns (turn, group, D), the last one filled up with rows that do not count.
        turns = -(-len(rows) // groups)
        there = torch.zeros(turns * groups, 1, dtype=torch.float64)
        there[: len(rows)] = 1
        filled = torch.zeros(turns * groups, rows.shape[1], dtype=torch.float64)
        filled[: len(rows)] = rows
        there, filled = (part.view(turns, groups, -1).roll(before % groups, dims=1) for part in (there, filled))
        # The same pairwise update as of the whole, for every group at once.
        counts = there.sum(dim=(0, 2))
        means = filled.sum(dim=0) / counts.clamp(min=1)[:, None]
        centred = (filled - means) * there
        totals = (self._counts + counts).clamp(min=1)
        shifts = means - self._means
        weights = (self._counts * counts / totals)[:, None, None]
        self._scatters += centred.permute(1, 2, 0) @ centred.permute(1, 0, 2)
        self._scatters += weights * shifts[:, :, None] * shifts[:, None, :]
        self._means += shifts * (counts / totals)[:, None]
        self._counts += counts

    def resampled(self, times: Tensor) -> FeatureStatistics:
        """The statistics where each group counts so many ``times``, int64 (groups,)."""
        merged = FeatureStatistics(len(self.whole.mean))
        weights = self._counts * times
        merged.count = int(weights.sum())
        merged.mean = weights @ self._means / weights.sum()
        shifts = self._means - merged.mean
        merged._scatter = torch.tensordot(times.double(), self._scatters, dims=1) + shifts.T @ (
            weights[:, None] * shifts
        )
        return merged


def frechet_figure(a: GroupedStatistics, b: GroupedStatistics, seed: int) -> Figure:
    """:func:`frechet_distance` with an interval over pictures of both sides, from ``RESAMPLES`` resamples of groups.

    A resample holds fewer distinct pictures, and so each of its distances is larger than the value itself: the
    interval is their spread around their own mean, laid around the value. With fewer than ten pictures a group on
    either side there is none.
    """
    value = frechet_distance(a.whole, b.whole)
    if min(a.whole.count, b.whole.count) < 10 * GROUPS:
        return Figure(value)
    random = np.random.default_rng((seed, 2))
    # As many groups as there are, drawn with replacement.
    drawn = [torch.from_numpy(random.multinomial(GROUPS, [1 / GROUPS] * GROUPS, size=RESAMPLES)) for _ in (a, b)]
    found = np.array([frechet_distance(a.resampled(x), b.resampled(y)) for x, y in zip(*drawn, strict=True)])
    low, high = ends(found - found.mean())
    return Figure(value, max(0.0, value + low), value + high)


def frechet_jackknife(a: GroupedStatistics, b: GroupedStatistics) -> Figure:
    """:func:`frechet_distance` of statistics in ``JACKKNIFE_GROUPS`` groups, with the jackknife's interval.

    Nine distances in the place of two hundred, for where many are told at once. With fewer than ten pictures a group
    on either side there is no interval.
    """
    value = frechet_distance(a.whole, b.whole)
    if min(a.whole.count, b.whole.count) < 10 * JACKKNIFE_GROUPS:
        return Figure(value)
    kept = 1 - torch.eye(JACKKNIFE_GROUPS, dtype=torch.int64)
    return figure_of_jackknife(value, [frechet_distance(a.resampled(x), b.resampled(x)) for x in kept])


def _square_root(symmetric: Tensor) -> Tensor:
    eigenvalues, vectors = torch.linalg.eigh(symmetric)
    root: Tensor = (vectors * eigenvalues.clamp(min=0).sqrt()) @ vectors.T
    return root
