"""The Frechet distance between two sets of features, in float64 and in constant memory."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.errors import GanvasError


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


def _square_root(symmetric: Tensor) -> Tensor:
    eigenvalues, vectors = torch.linalg.eigh(symmetric)
    root: Tensor = (vectors * eigenvalues.clamp(min=0).sqrt()) @ vectors.T
    return root
