"""Metrics: the Frechet distance against oracles, accuracy by class, and the classifier that judges digits."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ganvas.errors import GanvasError
from ganvas.metrics.asked import accuracy_from_logits
from ganvas.metrics.digit_classifier import DigitClassifier, load_digit_classifier
from ganvas.metrics.distances import FeatureStatistics, frechet_distance


def _features(seed: int, count: int, dimensions: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(dimensions, dimensions, generator=generator, dtype=torch.float64)
    shift = torch.randn(dimensions, generator=generator, dtype=torch.float64)
    return torch.randn(count, dimensions, generator=generator, dtype=torch.float64) @ mixed + shift


def _statistics(features: Tensor, batch: int = 1000) -> FeatureStatistics:
    statistics = FeatureStatistics(features.shape[1])
    for part in torch.split(features, batch):
        statistics.update(part)
    return statistics


@pytest.mark.parametrize("count", [500, 20], ids=["full rank", "fewer pictures than features"])
def test_frechet_distance_equals_the_formula_with_scipys_matrix_square_root(count: int) -> None:
    linalg = pytest.importorskip("scipy.linalg")
    a, b = _features(1, count, 32), _features(2, count, 32)
    covariance_a, covariance_b = np.cov(a.numpy().T), np.cov(b.numpy().T)
    root = linalg.sqrtm(covariance_a @ covariance_b).real
    between = (a.mean(0) - b.mean(0)).square().sum().item()
    expected = between + np.trace(covariance_a + covariance_b - 2 * root)
    tolerance = 1e-9 if count > 32 else 1e-5  # scipy's own error on a singular product
    assert frechet_distance(_statistics(a), _statistics(b)) == pytest.approx(expected, rel=tolerance)


def test_frechet_distance_of_diagonal_gaussians_is_the_closed_form() -> None:
    # Two points a side make exact means and variances: m +- s has mean m and unbiased variance 2 s^2.
    a = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
    b = torch.tensor([[0.0, 5.0], [8.0, 5.0]])
    deviation_a, deviation_b = 2**0.5, 32**0.5
    expected = (2 - 4) ** 2 + 5**2 + (deviation_a - deviation_b) ** 2
    assert frechet_distance(_statistics(a), _statistics(b)) == pytest.approx(expected, abs=1e-9)


def test_frechet_distance_is_symmetric_and_zero_to_itself() -> None:
    a, b = _statistics(_features(1, 300, 16)), _statistics(_features(2, 400, 16))
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("batch", [1, 7, 250, 999])
def test_streamed_statistics_equal_those_of_one_batch(batch: int) -> None:
    # A large mean shows a sum of squares that cancels.
    features = _features(3, 1000, 8) + 1e6
    streamed = _statistics(features, batch)
    assert streamed.count == 1000
    torch.testing.assert_close(streamed.mean, features.mean(0), rtol=1e-12, atol=0)
    torch.testing.assert_close(streamed.covariance, torch.cov(features.T), rtol=1e-7, atol=1e-9)


def test_statistics_refuse_what_would_poison_them() -> None:
    statistics = FeatureStatistics(4)
    with pytest.raises(GanvasError, match=r"shape Nx4, found 3x5"):
        statistics.update(torch.zeros(3, 5))
    with pytest.raises(GanvasError, match="NaN or infinite"):
        statistics.update(torch.tensor([[0.0, 1.0, float("nan"), 0.0]]))
    with pytest.raises(GanvasError, match="at least 2 pictures, found 0"):
        _ = statistics.covariance
    with pytest.raises(GanvasError, match="width 4 and 3"):
        frechet_distance(statistics, FeatureStatistics(3))


def test_asked_accuracy_counts_each_class_by_itself() -> None:
    read_as = torch.tensor([0, 0, 1, 1, 2, 0])
    asked = torch.tensor([0, 0, 0, 1, 1, 3])
    found = accuracy_from_logits(torch.eye(5)[read_as], asked)
    assert found.overall == pytest.approx(3 / 6)
    assert found.per_class == (2 / 3, 0.5, None, 0.0, None)
    assert found.worst == 0.0


@pytest.mark.parametrize(
    ("labels", "message"),
    [([], "at least one"), ([0, 1], "one label a picture"), ([12], "labels 12 to 12 were")],
)
def test_asked_accuracy_refuses_labels_that_do_not_fit(labels: list[int], message: str) -> None:
    logits = torch.zeros(min(len(labels), 1), 10)
    with pytest.raises(GanvasError, match=message):
        accuracy_from_logits(logits, torch.tensor(labels, dtype=torch.int64))


def test_the_digit_classifier_judges_each_picture_by_itself() -> None:
    classifier = load_digit_classifier()
    images = torch.rand(7, 1, 28, 28) * 2 - 1
    logits, features = classifier.logits_and_features(images, batch_size=3)
    assert logits.shape == (7, 10)
    assert features.shape == (7, 128)
    assert features.min() >= 0
    alone_logits, alone_features = classifier.logits_and_features(images[4:5])
    torch.testing.assert_close(alone_logits[0], logits[4], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(alone_features[0], features[4], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(classifier(images), logits, rtol=1e-4, atol=1e-4)


def test_the_digit_classifier_refuses_pictures_of_another_size() -> None:
    with pytest.raises(GanvasError, match="Nx1x28x28, found 2x3x32x32"):
        load_digit_classifier().logits_and_features(torch.zeros(2, 3, 32, 32))


def test_a_digit_classifier_in_training_mode_does_not_judge() -> None:
    with pytest.raises(RuntimeError, match="eval"):
        DigitClassifier().logits_and_features(torch.zeros(2, 1, 28, 28))


def test_the_digit_classifier_reads_the_embedded_held_out_digits() -> None:
    labelled = pytest.importorskip("ganvas.data.labelled")
    held_out = labelled.open_labelled(None, size=28, channels=1, split="test")
    # These thousand are training digits of MNIST, which the classifier has seen; the next test is harder.
    assert _accuracy_on(held_out.images, held_out.labels) >= 0.99


def test_the_digit_classifier_reads_the_ten_thousand_test_digits() -> None:
    folder = os.environ.get("GANVAS_MNIST")
    if not folder:
        pytest.skip("set GANVAS_MNIST to a folder with the full MNIST to test on its 10,000 t10k digits")
    from ganvas.data.idx import read_idx_folder

    t10k = read_idx_folder(Path(folder), "test")
    assert len(t10k.images) == 10_000
    assert _accuracy_on(t10k.images, t10k.labels) >= 0.994


def _accuracy_on(images: np.ndarray, labels: np.ndarray) -> float:
    pictures = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    logits, _ = load_digit_classifier().logits_and_features(pictures)
    return accuracy_from_logits(logits, torch.from_numpy(labels)).overall
