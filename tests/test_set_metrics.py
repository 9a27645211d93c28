"""Metrics of whole sets of pictures: patches against SciPy and hand computation, diversity of variations."""

# mypy: allow-untyped-calls

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy import stats
from scipy.ndimage import convolve
from scipy.stats import wasserstein_distance
from torch import Tensor

from ganvas.data.pairs import PairImages
from ganvas.data.preparation import Preparation
from ganvas.errors import GanvasError
from ganvas.metrics import sliced_wasserstein as patches
from ganvas.metrics.diversity import VARIATIONS, diversity_metric, variation_distances
from ganvas.metrics.figures import JACKKNIFE_GROUPS, figure_of_jackknife
from ganvas.metrics.pictures import ms_ssim
from ganvas.metrics.sets import Setting, Vary
from ganvas.metrics.sliced_wasserstein import (
    PatchSample,
    laplacian_pyramid,
    patch_distances,
    sliced_wasserstein,
    sliced_wasserstein_metric,
    wasserstein_1d,
)


@pytest.fixture(autouse=True)
def _few_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "PATCHES_A_PICTURE", 32)
    monkeypatch.setattr(patches, "DIRECTIONS", 64)


def noise(count: int, side: int = 32, seed: int = 0, channels: int = 3) -> Tensor:
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.integers(0, 256, (count, channels, side, side), dtype=np.uint8))


def blurred(pictures: Tensor) -> Tensor:
    return torch.nn.functional.avg_pool2d(pictures.float(), 3, 1, 1).round().to(torch.uint8)


def sample(pictures: Tensor, seed: int = 0, batch: int = 8) -> PatchSample:
    taken = PatchSample(len(pictures), seed)
    for part in pictures.split(batch):
        taken.update(part)
    return taken


def pairs_of(pictures: Tensor) -> PairImages:
    count = len(pictures)
    return PairImages(
        sources=pictures.numpy(),
        targets=pictures.numpy(),
        labels=np.zeros(count, dtype=np.int64),
        class_names=(),
        names=tuple(map(str, range(count))),
        source_preparation=Preparation(),
        target_preparation=Preparation(),
        source="test",
        licence="",
    )


@pytest.mark.parametrize(("n", "m"), [(40, 40), (40, 25), (7, 60), (1, 3)])
def test_projections_are_compared_as_scipy_does(n: int, m: int) -> None:
    random = np.random.default_rng(n)
    a, b = random.normal(size=(n, 5)), random.normal(0.3, 2, size=(m, 5))
    expected = [wasserstein_distance(a[:, at], b[:, at]) for at in range(5)]
    np.testing.assert_allclose(wasserstein_1d(torch.from_numpy(a), torch.from_numpy(b)), expected, rtol=1e-12)


def test_sliced_distance_of_a_shift_is_the_mean_length_of_its_projections() -> None:
    # Shifted by t, every projection moves by <d, t>: of unit directions in K dimensions E|<d, t>| has a closed form.
    points = torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
    for length in (1.0, 3.0):
        shift = torch.zeros(8)
        shift[2] = length
        gamma = torch.special.gammaln(torch.tensor([4.0, 4.5], dtype=torch.float64)).exp()
        expected = length * float(gamma[0] / gamma[1]) / np.pi**0.5
        assert sliced_wasserstein(points, points + shift) == pytest.approx(expected, rel=0.05)


def test_pyramid_levels_are_those_of_scipys_convolution_and_add_up_again() -> None:
    pictures = noise(1, 64).double()
    levels = laplacian_pyramid(pictures)
    assert [level.shape[2] for level in levels] == [64, 32, 16]
    taps = np.array([1.0, 4, 6, 4, 1]) / 16
    kernel = np.outer(taps, taps)
    fine = pictures[0, 0].numpy()
    small = convolve(fine, kernel, mode="mirror")[::2, ::2]
    spread = np.zeros_like(fine)
    spread[::2, ::2] = small
    np.testing.assert_allclose(levels[0][0, 0], fine - convolve(spread, 4 * kernel, mode="mirror"), atol=1e-9)
    smaller = convolve(small, kernel, mode="mirror")[::2, ::2]
    np.testing.assert_allclose(levels[2][0, 0], smaller, atol=1e-9)


def test_odd_sides_and_strips_have_a_pyramid_too() -> None:
    assert [tuple(level.shape[2:]) for level in laplacian_pyramid(noise(1, 35).float())] == [(35, 35), (18, 18)]
    with pytest.raises(GanvasError, match="at least 16 pixels"):
        laplacian_pyramid(torch.zeros(1, 3, 15, 40))


def test_equal_sets_are_no_distance_apart_in_any_order() -> None:
    pictures = noise(12)
    assert all(figure.value == 0 for figure in patch_distances(sample(pictures), sample(pictures)).values())
    # In another order other patches are cut: then it is the distance of two samples of one set, and small.
    turned = patch_distances(sample(pictures), sample(pictures.flip(0)))["sliced_wasserstein"].value
    apart = patch_distances(sample(pictures), sample(blurred(blurred(noise(12, seed=1)))))["sliced_wasserstein"].value
    assert 0 < turned < 0.7 * apart, (turned, apart)


def test_distances_grow_with_what_is_lost_at_the_level_where_it_is_lost() -> None:
    pictures = blurred(noise(16, seed=2))
    once = patch_distances(sample(blurred(pictures)), sample(pictures))
    twice = patch_distances(sample(blurred(blurred(pictures))), sample(pictures))
    assert 0 < once["sliced_wasserstein_32"].value < twice["sliced_wasserstein_32"].value
    assert once["sliced_wasserstein_16"].value < once["sliced_wasserstein_32"].value


def test_brightness_and_contrast_do_not_count_as_published() -> None:
    # Each set is normalised by its own mean and deviation: half the contrast under more light is no distance.
    pictures = noise(8, seed=3) // 2 * 2
    dull = (pictures // 2 + 60).to(torch.uint8)
    distances = patch_distances(sample(dull), sample(pictures))
    assert distances["sliced_wasserstein"].value < 1e-2


def test_pictures_of_one_colour_are_compared_without_dividing_by_nothing() -> None:
    flat = torch.full((8, 3, 32, 32), 77, dtype=torch.uint8)
    distances = patch_distances(sample(flat), sample(flat + 9))
    assert distances["sliced_wasserstein"].value == pytest.approx(0, abs=1e-3)
    assert patch_distances(sample(flat), sample(noise(8)))["sliced_wasserstein"].value > 100


def test_patches_do_not_depend_on_the_batches_but_on_the_seed() -> None:
    pictures, others = noise(10), blurred(noise(10, seed=4))
    whole = patch_distances(sample(pictures, batch=10), sample(others, batch=10))
    assert whole == patch_distances(sample(pictures, batch=3), sample(others, batch=1))
    assert whole != patch_distances(sample(pictures, seed=5), sample(others, seed=5), seed=5)


def test_memory_of_patches_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "MOST_PATCHES", 10)
    for count, expected in ((3, 9), (10, 10), (21, 7)):
        points, pictures = sample(noise(count, 16)).points(16)
        assert len(points) == len(pictures) == expected


def test_jackknife_of_a_mean_is_the_standard_error_of_its_groups() -> None:
    # Of a mean over groups of one size the delete-a-group jackknife has a closed form.
    groups = np.random.default_rng(0).normal(5, size=JACKKNIFE_GROUPS)
    without = [np.delete(groups, at).mean() for at in range(JACKKNIFE_GROUPS)]
    figure = figure_of_jackknife(groups.mean(), without)
    error = groups.std(ddof=1) / JACKKNIFE_GROUPS**0.5
    half = float(stats.t.ppf(0.975, JACKKNIFE_GROUPS - 1)) * error
    expected = (groups.mean() - half, groups.mean() + half, error)
    assert (figure.low, figure.high, figure.standard_error) == pytest.approx(expected)
    assert figure_of_jackknife(0.01, without).low == 0


def test_standard_error_is_about_the_spread_between_samples() -> None:
    # Two sets of one kind of picture each, drawn again and again: the error told is about the spread seen.
    found = [
        patch_distances(sample(blurred(noise(16, 16, seed))), sample(noise(16, 16, seed + 50)))["sliced_wasserstein"]
        for seed in range(10)
    ]
    told = np.mean([figure.standard_error for figure in found])
    assert 0.4 < told / np.std([figure.value for figure in found]) < 2.5


def test_too_few_pictures_have_no_interval() -> None:
    figure = patch_distances(sample(noise(7)), sample(blurred(noise(7))))["sliced_wasserstein"]
    assert (figure.low, figure.high, figure.standard_error) == (None, None, None)


def test_sets_of_other_sizes_are_refused() -> None:
    with pytest.raises(GanvasError, match="one size"):
        patch_distances(sample(noise(8, 32)), sample(noise(8, 64)))


def test_evaluation_gets_the_distances_and_the_halves_of_the_truth() -> None:
    true = blurred(noise(16))
    drawn = blurred(true)
    metric = sliced_wasserstein_metric(Setting(pairs_of(true), 0, None))
    assert metric is not None
    for part in range(0, 16, 5):
        batch = slice(part, part + 5)
        metric.update(true[batch].numpy(), drawn[batch].numpy(), true[batch].numpy(), np.zeros(5, dtype=np.int64))
    assert metric.figures() == patch_distances(sample(drawn), sample(true))
    assert set(metric.figures()) == set(metric.reference()) == set(metric.metrics)
    points, pictures = sample(true).points(16)
    even = pictures % 2 == 0
    expected = 1000 * sliced_wasserstein(points[even], points[~even])
    assert metric.reference()["sliced_wasserstein_16"].value == pytest.approx(expected)
    assert sliced_wasserstein_metric(Setting(pairs_of(noise(1)), 0, None)) is None


def test_diversity_is_the_mean_over_pairs() -> None:
    pictures = noise(3, 24)
    pairs = [(0, 1), (0, 2), (1, 2)]
    distance, unlike = variation_distances(pictures)
    by_hand = [abs(pictures[a].double() - pictures[b].double()).mean() / 127.5 for a, b in pairs]
    assert distance == pytest.approx(float(np.mean(by_hand)))
    similar = [float(ms_ssim(pictures[a : a + 1], pictures[b : b + 1])) for a, b in pairs]
    assert unlike == pytest.approx(1 - float(np.mean(similar)))


def test_variations_all_alike_score_zero_and_one_alone_is_refused() -> None:
    assert variation_distances(noise(1, 24).repeat(4, 1, 1, 1)) == pytest.approx((0, 0), abs=1e-12)
    with pytest.raises(GanvasError, match="at least 2"):
        variation_distances(noise(1, 24))


def test_diversity_is_measured_on_inputs_spread_over_the_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.metrics.diversity.MOST_INPUTS", 3)
    true = noise(9, 24)
    asked = []

    def vary(source: npt.NDArray[np.uint8], label: int, count: int) -> npt.NDArray[np.uint8]:
        asked.append(int(source[0, 0, 0]))
        return noise(count, 24, seed=len(asked)).numpy()

    metric = diversity_metric(Setting(pairs_of(true), 0, vary))
    assert metric is not None
    for part in range(0, 9, 2):
        sources = true[part : part + 2].numpy()
        metric.update(sources, sources, sources, np.zeros(len(sources), dtype=np.int64))
    assert asked == [int(true[at, 0, 0, 0]) for at in (0, 4, 8)]
    figures = metric.figures()
    assert (
        set(figures)
        == set(metric.metrics)
        == {
            "diversity_l1",
            "diversity_ms_ssim_2",
            "variations_l1",
            "variations_ms_ssim_2",
        }
    )
    assert figures["variations_l1"] == figures["diversity_l1"]
    values = [variation_distances(noise(VARIATIONS, 24, seed=seed))[0] for seed in (1, 2, 3)]
    assert figures["diversity_l1"].value == pytest.approx(float(np.mean(values)))
    assert min(values) <= (figures["diversity_l1"].low or 0) <= (figures["diversity_l1"].high or 0) <= max(values)
    assert diversity_metric(Setting(pairs_of(true), 0, None)) is None


@pytest.mark.parametrize(("by_itself", "by_hues"), [(True, True), (False, True), (True, False), (False, False)])
def test_variations_are_those_by_hues_where_there_are_any(by_itself: bool, by_hues: bool) -> None:
    def draws(spread: int) -> Vary:
        def vary(source: npt.NDArray[np.uint8], label: int, count: int) -> npt.NDArray[np.uint8]:
            levels = np.arange(count, dtype=np.uint8) * spread
            return np.broadcast_to(levels[:, None, None, None], (count, *source.shape))

        return vary

    true = noise(2, 24)
    setting = Setting(pairs_of(true), 0, draws(3) if by_itself else None, draws(30) if by_hues else None)
    found: dict[str, float] = {}
    if metric := diversity_metric(setting):
        metric.update(true.numpy(), true.numpy(), true.numpy(), np.zeros(2, dtype=np.int64))
        found = {name: figure.value for name, figure in metric.figures().items() if name.endswith("_l1")}
    step = 10 / 6 / 127.5  # of four levels, the mean of the six distances
    expected = {"diversity_l1": 3 * step} if by_itself else {}
    expected |= {"variations_l1": (30 if by_hues else 3) * step} if by_itself or by_hues else {}
    assert found == pytest.approx(expected)
