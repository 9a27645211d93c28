"""The metrics of drawn sets against other libraries, closed forms and hand computation."""

# mypy: allow-untyped-calls

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from sklearn.metrics.pairwise import pairwise_distances, polynomial_kernel
from sklearn.neighbors import KernelDensity, NearestNeighbors
from torch import Tensor

from ganvas.errors import GanvasError
from ganvas.metrics import kernel_distance as kernels
from ganvas.metrics import manifolds, parzen
from ganvas.metrics.asked import AskedAccuracy, confusion_from_logits
from ganvas.metrics.distances import GROUPS, GroupedStatistics, frechet_distance, frechet_figure, frechet_jackknife
from ganvas.metrics.figures import JACKKNIFE_GROUPS, Figure, figure_of_mean, figure_of_share
from ganvas.metrics.intervals import share_interval
from ganvas.metrics.memorisation import memorisation_figures, nearest_training


def features(seed: int, count: int, dimensions: int = 6, shift: float = 0.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, dimensions, generator=generator, dtype=torch.float64) + shift


def pictures(seed: int, count: int, side: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, side, side, 1), generator=generator, dtype=torch.uint8)


# Shares and what a classifier read


@pytest.mark.parametrize(("hits", "count"), [(0, 7), (7, 7), (3, 7), (996, 1000), (1, 1)])
def test_interval_of_a_share_is_wilsons(hits: int, count: int) -> None:
    expected = binomtest(hits, count).proportion_ci(0.95, method="wilson")
    found = share_interval(hits, count)
    assert (found.mean, found.low, found.high) == pytest.approx((hits / count, expected.low, expected.high), abs=1e-12)


def test_share_of_nothing_is_refused() -> None:
    for hits, count in ((0, 0), (3, 2), (-1, 4)):
        with pytest.raises(ValueError, match="expected 0 <= hits <= count"):
            share_interval(hits, count)


def test_mean_of_one_picture_has_no_interval() -> None:
    assert figure_of_mean([2.5], 0) == Figure(2.5)
    several = figure_of_mean([2.5, 3.5], 0)
    assert (several.value, several.low, several.high) == (3.0, 2.5, 3.5)


def test_confusion_has_a_row_a_class_asked_for() -> None:
    read = torch.tensor([0, 1, 1, 2, 2, 2])
    asked = torch.tensor([0, 0, 1, 0, 2, 2])
    confusion = confusion_from_logits(torch.eye(3)[read], asked)
    assert confusion.tolist() == [[1, 1, 1], [0, 1, 0], [0, 0, 2]]
    assert AskedAccuracy.of(confusion) == AskedAccuracy(4 / 6, (1 / 3, 1.0, 1.0))


# Fréchet distance with its interval


def grouped(rows: Tensor, batch: int = 70, groups: int = GROUPS) -> GroupedStatistics:
    statistics = GroupedStatistics(rows.shape[1], groups)
    for part in torch.split(rows, batch):
        statistics.update(part)
    return statistics


def test_groups_add_up_to_the_whole_however_batches_fall() -> None:
    rows = features(0, 331) + 100
    statistics = grouped(rows, batch=17)

    merged = statistics.resampled(torch.ones(GROUPS, dtype=torch.int64))
    for found in (statistics.whole, merged):
        assert found.count == 331
        torch.testing.assert_close(found.mean, rows.mean(0), rtol=1e-12, atol=0)
        torch.testing.assert_close(found.covariance, torch.cov(rows.T), rtol=1e-9, atol=1e-12)


def test_resampled_statistics_are_those_of_the_groups_rows() -> None:
    rows = features(0, 331)
    times = torch.zeros(GROUPS, dtype=torch.int64)
    times[3], times[49] = 2, 1
    found = grouped(rows, batch=17).resampled(times)
    expected = torch.cat([rows[3::GROUPS], rows[3::GROUPS], rows[49::GROUPS]])
    assert found.count == len(expected)
    torch.testing.assert_close(found.mean, expected.mean(0))
    torch.testing.assert_close(found.covariance, torch.cov(expected.T))


def test_interval_of_the_frechet_distance_is_as_wide_as_the_distance_varies() -> None:
    # The spread that resampling estimates, by drawing anew: 30 pairs of sets from the same two Gaussians.
    drawn = [
        frechet_distance(grouped(features(2 * i, 1000)).whole, grouped(features(2 * i + 1, 1000, shift=0.3)).whole)
        for i in range(30)
    ]
    widths = []
    for i in range(4):
        figure = frechet_figure(grouped(features(2 * i, 1000)), grouped(features(2 * i + 1, 1000, shift=0.3)), seed=i)
        assert figure.value == drawn[i]
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low < figure.value < figure.high
        widths.append(figure.high - figure.low)
    assert np.mean(widths) == pytest.approx(2 * 1.96 * np.std(drawn, ddof=1), rel=0.4)


def test_jackknife_of_the_frechet_distance_is_about_as_wide_as_the_distance_varies() -> None:
    found = []
    for i in range(30):
        a, b = features(2 * i, 300), features(2 * i + 1, 300, shift=0.3)
        found.append(frechet_jackknife(grouped(a, groups=JACKKNIFE_GROUPS), grouped(b, groups=JACKKNIFE_GROUPS)))
    # The last once more, each distance without a group computed from the other rows.
    others = [[at for at in range(300) if at % JACKKNIFE_GROUPS != group] for group in range(JACKKNIFE_GROUPS)]
    without = [frechet_distance(grouped(a[rows]).whole, grouped(b[rows]).whole) for rows in others]
    error = np.sqrt((JACKKNIFE_GROUPS - 1) * np.var(without))
    assert found[-1].standard_error == pytest.approx(error, rel=1e-6)
    spread = np.std([figure.value for figure in found], ddof=1)
    assert np.mean([figure.standard_error or 0.0 for figure in found]) == pytest.approx(spread, rel=0.5)


def test_few_pictures_give_a_frechet_distance_without_an_interval() -> None:
    figure = frechet_figure(grouped(features(0, 100)), grouped(features(1, 600)), seed=0)
    assert figure.value > 0
    assert figure.low is None
    one, other = (grouped(features(seed, 79), groups=JACKKNIFE_GROUPS) for seed in (0, 1))
    assert frechet_jackknife(one, other).low is None


# Kernel distance


def test_squared_mmd_is_the_unbiased_one_of_scikit_learns_polynomial_kernel() -> None:
    a, b = features(0, 12), features(1, 15, shift=0.5)
    kernel = {"degree": 3, "gamma": 1 / 6, "coef0": 1}
    within = []
    for side in (a.numpy(), b.numpy()):
        table = polynomial_kernel(side, side, **kernel)
        np.fill_diagonal(table, 0)
        within.append(table.sum() / (len(side) * (len(side) - 1)))
    expected = sum(within) - 2 * polynomial_kernel(a.numpy(), b.numpy(), **kernel).mean()
    assert kernels.squared_mmd(a, b) == pytest.approx(expected, rel=1e-12)


def test_kernel_distance_is_unbiased_at_any_number_of_pictures() -> None:
    # Two sets of the same distribution: zero within four standard errors, at few and at many pictures.
    for count in (40, 400):
        found = [kernels.kernel_distance(features(2 * i, count), features(2 * i + 1, count), 0) for i in range(40)]
        values = np.array([figure.value for figure in found])
        assert abs(values.mean()) < 4 * values.std(ddof=1) / math.sqrt(len(values))
        assert (values < 0).any()
        # The standard error that one set tells is about the deviation over sets.
        errors = np.array([figure.standard_error for figure in found])
        assert errors.mean() == pytest.approx(values.std(ddof=1), rel=0.35)


def test_kernel_distance_uses_each_picture_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    def spy(a: Tensor, b: Tensor) -> float:
        seen.extend(a[:, 0].tolist())
        assert len(a) == len(b)
        return 0.0

    monkeypatch.setattr(kernels, "squared_mmd", spy)
    kernels.kernel_distance(torch.arange(200.0)[:, None], torch.zeros(317, 1), 1)
    assert sorted(seen) == list(range(200))


def test_kernel_distance_of_too_few_pictures_is_refused() -> None:
    with pytest.raises(GanvasError, match="needs 20 pictures a side, found 19"):
        kernels.kernel_distance(features(0, 19), features(1, 50), 0)


# Neighbourhoods


@pytest.mark.parametrize("values", [7 * 53, 10**6])
def test_neighbourhoods_are_those_of_their_definitions(monkeypatch: pytest.MonkeyPatch, values: int) -> None:
    monkeypatch.setattr(manifolds, "AT_A_TIME", values)
    drawn, real = features(0, 41, shift=0.7), features(1, 53)
    found = manifolds.neighbourhoods(drawn, real)
    apart = pairwise_distances(drawn.numpy(), real.numpy())

    def reach(side: Tensor, k: int) -> np.ndarray:
        # One more, as each is its own nearest.
        distances, _ = NearestNeighbors(n_neighbors=k + 1).fit(side.numpy()).kneighbors(side.numpy())
        return np.asarray(distances[:, k])

    real_3, drawn_3, real_5 = reach(real, 3), reach(drawn, 3), reach(real, 5)
    assert found.precise.tolist() == (apart <= real_3).any(axis=1).tolist()
    assert found.recalled.tolist() == (apart <= drawn_3[:, None]).any(axis=0).tolist()
    assert found.densities.tolist() == pytest.approx(((apart <= real_5).sum(axis=1) / 5).tolist())
    assert found.covered.tolist() == (apart.min(axis=0) <= real_5).tolist()
    assert 0 < found.precise.mean() < 1
    assert 0 < found.covered.mean() < 1


def test_alike_sets_have_the_expected_density_and_coverage() -> None:
    # Naeem et al. 2020, Lemmas 1 and 2: E[density] = 1, E[coverage] = 1 - 1/2^k for large sets of one distribution.
    figures = manifolds.neighbourhoods(features(0, 2000, 2), features(1, 2000, 2)).figures(0)
    assert figures["density"].value == pytest.approx(1, abs=0.05)
    assert figures["coverage"].value == pytest.approx(1 - 1 / 2**5, abs=0.02)


def test_collapsed_drawings_keep_precision_and_lose_recall() -> None:
    real = features(0, 300)
    figures = manifolds.neighbourhoods(real[:1].repeat(300, 1), real).figures(0)
    assert figures["precision"].value == 1
    assert figures["recall"].value <= 1 / 300
    assert figures["coverage"].value < 0.1


def test_neighbourhoods_of_too_few_pictures_are_refused() -> None:
    with pytest.raises(GanvasError, match="more than 5 pictures a side, found 5"):
        manifolds.neighbourhoods(features(0, 5), features(1, 50))


# Parzen windows


@pytest.mark.parametrize("sigma", [0.1, 1.0])
def test_parzen_densities_are_those_of_scikit_learns_gaussian_kernel(
    monkeypatch: pytest.MonkeyPatch, sigma: float
) -> None:
    monkeypatch.setattr(parzen, "CHUNK", 4)
    monkeypatch.setattr(parzen, "SAMPLES_CHUNK", 5)
    samples, points = pictures(0, 23), pictures(1, 11)
    oracle = KernelDensity(kernel="gaussian", bandwidth=sigma).fit(samples.flatten(1).numpy() / 255)
    expected = oracle.score_samples(points.flatten(1).numpy() / 255)
    found = parzen.log_densities(points, samples, (0.5, sigma))[1]
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-9)


def test_sigmas_are_the_published_grid() -> None:
    assert len(parzen.SIGMAS) == 10
    assert parzen.SIGMAS[0] == pytest.approx(0.1)
    assert parzen.SIGMAS[-1] == pytest.approx(1)
    assert {round(b / a, 9) for a, b in zip(parzen.SIGMAS, parzen.SIGMAS[1:], strict=False)} == {
        round(10 ** (1 / 9), 9)
    }


def test_sigma_is_chosen_on_held_out_pictures_and_told_on_test_ones() -> None:
    # Samples and held-out pictures from a Gaussian of deviation 0.3 around zero: a window about as wide as they are
    # far apart is likeliest, neither the narrowest nor the widest.
    generator = torch.Generator().manual_seed(0)
    samples, held_out, test = (0.3 * torch.randn(n, 2, generator=generator).double() for n in (300, 200, 100))
    figure, sigma = parzen.parzen_figure(samples, held_out, test, seed=0)
    means = [
        KernelDensity(bandwidth=one).fit(samples.numpy()).score_samples(held_out.numpy()).mean()
        for one in parzen.SIGMAS
    ]
    assert sigma == parzen.SIGMAS[int(np.argmax(means))]
    assert sigma < 0.3
    expected = KernelDensity(bandwidth=sigma).fit(samples.numpy()).score_samples(test.numpy())
    assert figure.value == pytest.approx(expected.mean(), rel=1e-9)
    assert figure.standard_error == pytest.approx(expected.std(ddof=1) / 10, rel=1e-9)


# Memorisation


def test_nearest_training_pictures_are_scikit_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.metrics.memorisation.CHUNK", 6)
    some, training = pictures(0, 9), pictures(1, 40)
    some[3] = training[25]
    oracle = NearestNeighbors(n_neighbors=1).fit(training.flatten(1).numpy() / 255.0)
    distances, indices = oracle.kneighbors(some.flatten(1).numpy() / 255.0)
    found = nearest_training(some, training)
    assert found.indices.tolist() == indices[:, 0].tolist()
    assert found.distances.tolist() == pytest.approx((distances[:, 0] / 5).tolist(), abs=1e-12)
    assert found.distances[3] == 0.0


def test_copies_are_found_out_and_new_pictures_are_not() -> None:
    training = pictures(0, 300)
    held_out = nearest_training(pictures(1, 200), training)
    copies, reference = memorisation_figures(nearest_training(training[:100], training), held_out, 0)
    new, _ = memorisation_figures(nearest_training(pictures(2, 100), training), held_out, 0)
    assert copies["memorised"].value == 1
    assert copies["nearest_training"].value == 0
    assert new["memorised"].value < 0.1
    assert reference["memorised"].value == pytest.approx(0.01, abs=0.006)
    assert new["nearest_training"].value == pytest.approx(reference["nearest_training"].value, rel=0.05)


def test_figures_of_shares_keep_a_width_where_all_were_met() -> None:
    figure = figure_of_share(50, 50)
    assert figure.value == figure.high == 1
    assert figure.low is not None
    assert figure.low < 0.95
