"""FID and KID: the network against torch-fidelity, weights that are the published ones or refused."""

# mypy: allow-untyped-calls

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor, nn

import reference_inception
from ganvas.errors import GanvasError, UsageError
from ganvas.metrics import inception, inception_distances
from ganvas.metrics.inception import Inception, load_inception, resized
from ganvas.metrics.inception_distances import (
    LEAST,
    InceptionJudge,
    InceptionSide,
    inception_figures,
    inception_metric,
)
from ganvas.metrics.kernel_distance import kernel_distance
from ganvas.metrics.sets import Setting

PUBLISHED_BYTES = 95_628_359
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file like the published one, but for the values."""
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    with torch.device("meta"):
        shapes = {name: each.shape for name, each in Inception().state_dict().items()}
    torch.save(reference_inception.made_up(shapes), path)
    return path


def publish(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a file count as the published one."""
    monkeypatch.setattr(inception, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())


# The network


def test_features_are_torch_fidelitys(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(weights, monkeypatch)
    network = load_inception(weights, CPU)
    golden = json.loads(reference_inception.GOLDEN.read_text())["features"]
    for picture, expected in zip(reference_inception.pictures(), golden, strict=True):
        features = network(picture)
        assert features.shape == (1, 2048)
        np.testing.assert_allclose(features[0, reference_inception.KEPT], expected, rtol=1e-4, atol=1e-4)


def test_network_has_as_many_weights_as_the_published_file_has_room_for(weights: Path) -> None:
    # The same container, so the files differ by the names' lengths at most.
    assert abs(weights.stat().st_size - PUBLISHED_BYTES) < 0.002 * PUBLISHED_BYTES


def test_pictures_are_resized_with_the_corner_of_a_pixel_in_the_place_of_its_middle() -> None:
    pair = torch.tensor([0.0, 299.0]).view(1, 1, 1, 2)
    # Place i lies at 2 i / 299 pixels; what lies behind the last pixel's corner is the last pixel.
    expected = torch.tensor([2.0 * i if i < 150 else 299.0 for i in range(299)])
    torch.testing.assert_close(resized(pair)[0, 0, 7], expected)
    torch.testing.assert_close(resized(pair.mT)[0, 0, :, 7], expected)
    same = torch.rand(1, 3, 299, 299)
    torch.testing.assert_close(resized(same), same)


# The weights' file


def test_other_weights_are_refused_as_their_numbers_are_no_fid(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(GanvasError, match="is not the published pt_inception") as refused:
        load_inception(weights, CPU)
    assert "\n" not in str(refused.value)
    with pytest.raises(UsageError, match="no such file; expected pt_inception"):
        load_inception(tmp_path / "nowhere.pth", CPU)


class Mischief:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, bytes]]:
        return Path.write_bytes, (self.path, b"")  # type: ignore[return-value]


@pytest.mark.parametrize("what", ["garbage", "code", "half", "list"])
def test_a_file_that_holds_no_weights_is_said_in_one_line_and_runs_nothing(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, trace = tmp_path / "weights.pth", tmp_path / "trace"
    match what:
        case "garbage":
            path.write_bytes(b"not a file of torch")
        case "code":
            path.write_bytes(pickle.dumps(Mischief(trace), protocol=2))
        case "half":
            torch.save({"Conv2d_1a_3x3.conv.weight": torch.zeros(32, 3, 3, 3)}, path)
        case _:
            torch.save([1, 2], path)
    publish(path, monkeypatch)
    with pytest.raises(GanvasError, match="cannot read Inception's weights") as refused:
        load_inception(path, CPU)
    assert "\n" not in str(refused.value)
    assert not trace.exists()


# The distances


class Fed(nn.Module):
    """In the place of the network: the pixels themselves are the features."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(1, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.float().flatten(1)


@pytest.fixture
def _six_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inception_distances, "FEATURES", 6)


def side(features: np.ndarray) -> InceptionSide:
    found = InceptionSide(Fed())  # type: ignore[arg-type]
    for start in range(0, len(features), 7):
        found.add(features[start : start + 7].reshape(-1, 6, 1, 1))
    return found


def some(seed: int, count: int, shift: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 100, (count, 6), dtype=np.uint8) + np.uint8(shift)


@pytest.mark.usefixtures("_six_features")
def test_fid_is_heusels_formula_and_kid_the_kernel_distance() -> None:
    a, b = some(0, 90), some(1, 95, 20)
    found = inception_figures(side(a), side(b), seed=3)
    one, other = np.cov(a.T.astype(float)), np.cov(b.T.astype(float))
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(one + other - 2 * sqrtm(one @ other).real)
    assert found["fid"].value == pytest.approx(expected, rel=1e-9)
    assert found["kid"] == kernel_distance(torch.from_numpy(a).float(), torch.from_numpy(b).float(), 3)
    assert found["fid"].low is not None
    assert found["fid"].high is not None
    assert found["fid"].low < expected < found["fid"].high
    assert inception_figures(side(a), side(b), seed=3) == found


@pytest.mark.usefixtures("_six_features")
def test_interval_of_the_fid_is_about_as_wide_as_the_fid_varies() -> None:
    found = [inception_figures(side(some(i, 400)), side(some(i + 50, 400, 5)), seed=0)["fid"] for i in range(20)]
    told = np.mean([figure.standard_error or 0.0 for figure in found])
    assert 0.6 < told / np.std([figure.value for figure in found], ddof=1) < 2


@pytest.mark.usefixtures("_six_features")
def test_features_of_many_pictures_are_not_all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = some(0, 200), some(1, 200, 20)
    whole = inception_figures(side(a), side(b), seed=0)["fid"].value
    monkeypatch.setattr(inception_distances, "KEPT", 100)
    few = side(a), side(b)
    assert [len(each.features) for each in few] == [100, 100]
    found = inception_figures(*few, seed=0)
    assert found["fid"].value == whole
    assert found["kid"] == inception_figures(side(a[:100]), side(b[:100]), seed=0)["kid"]


@pytest.mark.usefixtures("_six_features")
def test_true_pictures_stand_beside_by_their_halves_kid_alone() -> None:
    pairs = cast(Setting, SimpleNamespace(seed=3))
    many, few = (inception_metric(Fed())(pairs) for _ in range(2))  # type: ignore[arg-type]
    assert many is not None
    assert few is not None
    true = some(1, 41, 20)
    for metric, count in ((many, 41), (few, 39)):
        for part in np.array_split(np.arange(count), 4):
            drawn_part, true_part = (features[part].reshape(-1, 6, 1, 1) for features in (some(0, 41), true))
            metric.update(drawn_part, drawn_part, true_part, np.zeros(len(part), np.int64))
    even, odd = (torch.from_numpy(true[start::2]).float() for start in (0, 1))
    assert many.reference() == {"kid": kernel_distance(even, odd, 3)}
    found, expected = many.figures(), inception_figures(side(some(0, 41)), side(true), seed=3)
    assert set(found) == set(many.metrics)
    for name, figure in found.items():
        assert figure.value == pytest.approx(expected[name].value, rel=1e-9)
    assert few.reference() == {}


@pytest.mark.usefixtures("_six_features")
def test_few_pictures_have_no_interval_and_fewer_no_kid() -> None:
    found = inception_figures(side(some(0, 19)), side(some(1, 19)), seed=0)
    assert list(found) == ["fid"]
    assert found["fid"].low is None
    assert inception_figures(side(some(0, 1)), side(some(1, 19)), seed=0) == {}


def test_an_fid_of_few_pictures_is_refused_unless_insisted_on() -> None:
    network = Fed()
    judge = InceptionJudge(network, few_pictures=False)  # type: ignore[arg-type]
    judge.check(LEAST, 3)
    with pytest.raises(UsageError, match=r"an FID of 2,047 pictures .* 2,048 .* --few-pictures"):
        judge.check(LEAST - 1, 3)
    insisting = InceptionJudge(network, few_pictures=True)  # type: ignore[arg-type]
    insisting.check(3, 1)
    assert "mostly bias" in insisting.note(3)
    assert "mostly bias" not in insisting.note(LEAST)


@pytest.mark.parametrize("channels", [2, 4, 64])
def test_an_fid_of_pictures_without_colours_or_greys_is_refused_whoever_insists(channels: int) -> None:
    with pytest.raises(UsageError, match=f"these have {channels}: leave it out"):
        InceptionJudge(Fed(), few_pictures=True).check(LEAST, channels)  # type: ignore[arg-type]
