"""Metrics of pictures against other libraries and hand computation; intervals against what they must cover."""

# mypy: allow-untyped-calls
# (scikit-image types a part of its functions only)

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.ndimage import binary_dilation, gaussian_filter
from scipy.stats import wasserstein_distance
from skimage.color import rgb2lab
from skimage.filters import sobel_h, sobel_v
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.transform import downscale_local_mean
from torch import Tensor

from ganvas.data.pairs import PairImages
from ganvas.data.preparation import Preparation
from ganvas.errors import GanvasError
from ganvas.metrics import pictures as metrics
from ganvas.metrics.intervals import mean_interval, resampled_means
from ganvas.metrics.translation import measure_targets, measure_translation

Pixels = npt.NDArray[np.uint8]


def scene(count: int = 2, side: int = 48, channels: int = 3, seed: int = 0) -> Tensor:
    """Smooth colours with a few hard edges, as pictures have, unlike noise."""
    random = np.random.default_rng(seed)
    grid = np.linspace(0, 2 * np.pi, side)
    waves = [
        np.sin(grid[:, None] * f + p) * np.cos(grid * g + q)
        for f, g, p, q in random.uniform(0.5, 3, (count * channels, 4))
    ]
    pictures = 127 + 90 * np.array(waves).reshape(count, channels, side, side)
    for picture in pictures:
        y, x = random.integers(4, side // 2, 2)
        picture[:, y : y + side // 3, x : x + side // 3] = random.uniform(0, 255, (channels, 1, 1))
    return torch.from_numpy(np.rint(pictures).clip(0, 255).astype(np.uint8))


def noisy(pictures: Tensor, sigma: float = 20.0) -> Tensor:
    noise = np.random.default_rng(1).normal(0, sigma, pictures.shape)
    return torch.from_numpy(np.rint(pictures.numpy() + noise).clip(0, 255).astype(np.uint8))


def hwc(pictures: Tensor) -> list[Pixels]:
    return list(np.moveaxis(pictures.numpy(), 1, 3))


def test_l1_counts_black_against_white_as_two() -> None:
    black, white = torch.zeros(1, 3, 16, 16, dtype=torch.uint8), torch.full((1, 3, 16, 16), 255, dtype=torch.uint8)
    half = black.clone()
    half[..., :8] = 255
    assert metrics.l1(black, white).tolist() == [2.0]
    assert metrics.l1(half, white).tolist() == [1.0]


def test_psnr_is_that_of_scikit_image() -> None:
    true, drawn = scene(), noisy(scene())
    expected = [peak_signal_noise_ratio(b, a, data_range=255) for a, b in zip(hwc(drawn), hwc(true), strict=True)]
    assert metrics.psnr(drawn, true).tolist() == pytest.approx(expected, rel=1e-12)


def test_equal_pictures_have_a_finite_psnr() -> None:
    assert metrics.psnr(scene(), scene()).tolist() == [metrics.MOST_PSNR] * 2


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_is_that_of_scikit_image(channels: int) -> None:
    true, drawn = scene(channels=channels), noisy(scene(channels=channels))
    expected = [
        structural_similarity(
            a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2
        )
        for a, b in zip(hwc(drawn), hwc(true), strict=True)
    ]
    assert metrics.ssim(drawn, true).tolist() == pytest.approx(expected, abs=1e-10)


def ms_ssim_by_scipy(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], weights: tuple[float, ...]) -> float:
    """Equation 7 of Wang et al. (2003) on grey pictures, the powers divided by their sum."""
    product = 1.0
    for scale, weight in enumerate(weights):
        mean_a, mean_b, square_a, square_b, both = (
            gaussian_filter(each, 1.5, truncate=3.5)[5:-5, 5:-5] for each in (a, b, a * a, b * b, a * b)
        )
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        term = (2 * (both - mean_a * mean_b) + c2) / (square_a - mean_a**2 + square_b - mean_b**2 + c2)
        if scale == len(weights) - 1:
            term = term * (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
        product *= float(term.mean()) ** (weight / sum(weights))
        even = tuple(side // 2 * 2 for side in a.shape)
        a, b = (downscale_local_mean(each[: even[0], : even[1]], (2, 2)) for each in (a, b))
    return product


@pytest.mark.parametrize(
    ("side", "scales"), [(177, 5), (176, 5), (175, 4), (88, 4), (87, 3), (32, 2), (21, 1), (11, 1)]
)
def test_ms_ssim_is_the_papers_on_as_many_scales_as_fit(side: int, scales: int) -> None:
    true, drawn = scene(1, side, channels=1), noisy(scene(1, side, channels=1))
    published = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    expected = ms_ssim_by_scipy(drawn[0, 0].double().numpy(), true[0, 0].double().numpy(), published[:scales])
    assert metrics.ms_ssim(drawn, true).tolist() == pytest.approx([expected], abs=1e-10)
    assert metrics.ms_ssim_name(side) == ("ms_ssim" if scales == 5 else f"ms_ssim_{scales}")
    assert metrics.ms_ssim(true, true).tolist() == pytest.approx([1.0])


def test_a_negative_pictures_ms_ssim_is_zero_and_not_nan() -> None:
    true = noisy(scene(1, 64), 60)
    assert metrics.ms_ssim(255 - true, true).tolist() == [0.0]


def test_picture_smaller_than_the_window_is_refused() -> None:
    tiny = torch.zeros(1, 3, 10, 10, dtype=torch.uint8)
    with pytest.raises(GanvasError, match="at least 11 pixels a side, found 10"):
        metrics.ssim(tiny, tiny)


def test_pictures_of_different_shape_are_refused() -> None:
    with pytest.raises(GanvasError, match="found 2x3x48x48 and 2x3x32x32"):
        metrics.l1(scene(), scene(side=32))


def test_chroma_is_that_of_scikit_image_and_zero_on_grey() -> None:
    pictures = noisy(scene())
    lab = [rgb2lab(picture) for picture in hwc(pictures)]
    expected = [float(np.hypot(one[..., 1], one[..., 2]).mean()) for one in lab]
    assert metrics.chroma(pictures).tolist() == pytest.approx(expected, rel=1e-3)
    grey = scene(channels=1).expand(-1, 3, -1, -1)
    assert metrics.chroma(grey).max() < 0.01


def test_colour_distance_is_the_wasserstein_distance_and_blind_to_place() -> None:
    true, drawn = scene(side=16), noisy(scene(side=16), 40)
    labs = [(rgb2lab(a), rgb2lab(b)) for a, b in zip(hwc(drawn), hwc(true), strict=True)]
    expected = [np.mean([wasserstein_distance(a[..., i].ravel(), b[..., i].ravel()) for i in (1, 2)]) for a, b in labs]
    assert metrics.colour_distance(drawn, true).tolist() == pytest.approx(expected, rel=2e-3)
    assert metrics.colour_distance(true.flip(2).transpose(2, 3), true).max() == 0


def test_edge_agreement_is_that_of_sobel_and_dilation() -> None:
    true, drawn = scene(), noisy(scene(), 10)
    luma = np.array([0.299, 0.587, 0.114])
    expected = []
    for pair in zip(hwc(drawn), hwc(true), strict=True):
        # scikit-image divides Sobel's operator by 4, so that a step from 0 to 1 has the slope 1.
        slopes = [np.hypot(sobel_h(one @ luma / 255), sobel_v(one @ luma / 255)) for one in pair]
        a, b = (slope > 0.1 for slope in slopes)
        near = np.ones((3, 3))
        precision, recall = (
            (a & binary_dilation(b, near)).sum() / a.sum(),
            (b & binary_dilation(a, near)).sum() / b.sum(),
        )
        expected.append(2 * precision * recall / (precision + recall))
    assert metrics.edge_agreement(drawn, true).tolist() == pytest.approx(expected, rel=1e-9)
    assert 0.2 < min(expected) < 0.98


def test_edges_may_be_one_pixel_off_and_not_three() -> None:
    def line(x: int) -> Tensor:
        picture = torch.full((1, 1, 40, 40), 255, dtype=torch.uint8)
        picture[..., x : x + 3] = 0
        return picture

    blank = torch.full((1, 1, 40, 40), 255, dtype=torch.uint8)
    assert metrics.edge_agreement(line(18), line(19)).tolist() == [1.0]
    assert metrics.edge_agreement(line(10), line(22)).tolist() == [0.0]
    assert metrics.edge_agreement(blank, line(10)).tolist() == [0.0]
    assert metrics.edge_agreement(blank, blank).tolist() == [1.0]


@pytest.mark.parametrize("period", [2, 4])
@pytest.mark.parametrize(("rows", "columns", "least"), [(True, True, 2.0), (True, False, 0.5), (False, True, 0.5)])
def test_checkerboard_sees_the_grid_of_upsampling_and_nothing_in_plain_pictures(
    period: int, rows: bool, columns: bool, least: float
) -> None:
    plain = noisy(scene(8, 64), 3)
    grid = plain.double()
    grid[:, :, :: period if rows else 1, :: period if columns else 1] += 12
    with_grid = metrics.checkerboard(grid.clamp(0, 255).to(torch.uint8)).mean()
    assert metrics.checkerboard(plain).mean().abs() < 1
    assert with_grid - metrics.checkerboard(plain).mean() > least


def test_checkerboard_of_a_flat_picture_is_zero() -> None:
    assert metrics.checkerboard(torch.full((1, 3, 64, 64), 130, dtype=torch.uint8)).abs().max() < 1e-6


def test_checkerboard_does_not_take_other_regular_patterns_for_a_grid() -> None:
    stripes = scene(2, 60).double()
    stripes[..., ::3] += 30
    assert metrics.checkerboard(stripes.clamp(0, 255).to(torch.uint8)).max() < 1.5


def test_interval_has_the_published_width_of_a_normal_sample() -> None:
    values = np.random.default_rng(3).normal(5, 2, 400)
    found = mean_interval(values)
    half = 1.96 * values.std() / math.sqrt(400)
    assert found.mean == values.mean()
    assert [found.low, found.high] == pytest.approx([found.mean - half, found.mean + half], abs=0.15 * half)


def test_interval_over_seeds_is_wider_than_over_pictures_where_seeds_differ() -> None:
    random = np.random.default_rng(4)
    pictures = random.normal(0, 1, 200)
    seeds = np.array([pictures + shift for shift in (-1.0, 0.0, 1.0)])
    found, pooled = mean_interval(seeds), mean_interval(seeds.mean(axis=0))
    assert found.mean == pytest.approx(pictures.mean())
    # Three seeds drawn with replacement: the standard error of their mean is sqrt(2/3) / sqrt(3).
    expected = 2 * 1.96 * math.hypot(math.sqrt(2) / 3, pictures.std() / math.sqrt(200))
    assert found.high - found.low == pytest.approx(expected, rel=0.12)
    assert found.high - found.low > 3 * (pooled.high - pooled.low)


def test_same_seed_gives_the_same_digits_and_another_others() -> None:
    values = np.random.default_rng(5).normal(0, 1, (2, 70))
    assert mean_interval(values) == mean_interval(values)
    assert mean_interval(values) != mean_interval(values, seed=1)


def test_differences_are_taken_on_the_same_pictures() -> None:
    pictures = np.random.default_rng(6).normal(0, 10, 100)
    better = pictures - 0.1  # by far less than the pictures differ, but on every one of them
    difference = resampled_means(pictures) - resampled_means(better)
    assert difference == pytest.approx(np.full(1_000, 0.1))


def test_values_that_are_no_number_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        mean_interval([1.0, math.nan])


def make_pairs(count: int = 5, side: int = 32) -> PairImages:
    picture = Preparation(kind="picture", channels=3)
    return PairImages(
        sources=noisy(scene(count, side)).numpy(),
        targets=scene(count, side).numpy(),
        labels=np.arange(count),
        class_names=(),
        names=tuple(str(i) for i in range(count)),
        source_preparation=picture,
        target_preparation=picture,
        source="made for the test",
        licence="none",
    )


def passed_on(sources: Pixels, labels: Any) -> Pixels:
    return np.ascontiguousarray(np.moveaxis(sources, 1, 3))


def test_measuring_in_batches_changes_nothing() -> None:
    data = make_pairs()
    watched: list[int] = []
    whole = measure_translation(passed_on, data, batch_size=5)
    parts = measure_translation(passed_on, data, batch_size=2, watch=watched.append)
    assert (
        whole.keys() == parts.keys() >= {"l1", "psnr", "ssim", "ms_ssim_2", "edge_agreement", "chroma", "checkerboard"}
    )
    assert watched == [2, 4, 5]
    for name, values in whole.items():
        assert values.shape == (5,)
        assert parts[name] == pytest.approx(values, abs=1e-9)
    assert whole["l1"] == pytest.approx(np.abs(data.sources / 127.5 - data.targets / 127.5).mean(axis=(1, 2, 3)))


def test_every_metric_is_described_and_none_is_named_like_a_networks_distance() -> None:
    for channels in (1, 3):
        found = metrics.measure_pictures(scene(channels=channels), scene(channels=channels))
        assert found.keys() <= metrics.METRICS.keys()
        assert ("chroma" in found) == (channels == 3)
    named = " ".join([*metrics.METRICS, *(metric.title for metric in metrics.METRICS.values())]).lower()
    assert not any(word in named for word in ("fid", "lpips", "inception"))


def test_true_pictures_are_measured_by_what_they_have_alone() -> None:
    data = make_pairs()
    found = measure_targets(data, batch_size=2)
    assert found.keys() == {"chroma", "checkerboard"}
    assert found["chroma"] == pytest.approx(metrics.chroma(torch.from_numpy(data.targets)).numpy())


def wrong_size(sources: Pixels, labels: Any) -> Pixels:
    return passed_on(sources, labels)[:, :16]


@pytest.mark.parametrize(
    ("translate", "count", "message"),
    [(wrong_size, 2, "found 2x3x16x32 and 2x3x32x32"), (passed_on, 0, "'made for the test' holds no pairs")],
)
def test_what_cannot_be_measured_is_named(translate: Callable[..., Pixels], count: int, message: str) -> None:
    with pytest.raises(GanvasError, match=message):
        measure_translation(translate, make_pairs(count or 1) if count else empty_pairs())


def empty_pairs() -> PairImages:
    from dataclasses import replace

    pairs = make_pairs(1)
    return replace(pairs, sources=pairs.sources[:0], targets=pairs.targets[:0], labels=pairs.labels[:0], names=())


def test_memory_does_not_grow_with_the_number_of_pictures() -> None:
    program = (
        "import resource, dataclasses, torch, numpy as np, test_picture_metrics as t; torch.set_num_threads(1)\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        # The same few bytes seen 52 times over: only what is computed takes room.
        "pictures = np.random.default_rng(0).integers(0, 256, (3, 256, 256), 'uint8')\n"
        "pictures = np.broadcast_to(pictures, (52, 3, 256, 256))\n"
        "data = dataclasses.replace(t.make_pairs(52, 16), sources=pictures, targets=pictures)\n"
        "peaks = {}\n"
        "t.measure_translation(t.passed_on, data, watch=lambda n: peaks.update({n: peak()}))\n"
        "print(peaks[52] - peaks[20])"
    )
    here = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=here)
    # The allocator settles in the first batches; results kept between temporary arrays cost 28 MB and more.
    assert float(done.stdout) < 20
