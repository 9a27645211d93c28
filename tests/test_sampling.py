"""Drawing with a model: any labels, seeds and counts, into any kind of file."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganvas.api import Run, load
from ganvas.errors import GanvasError, UsageError
from ganvas.inference import (
    CHUNK,
    SHEET_PIXELS,
    SHEET_SIDE,
    Model,
    _interpolate,
    _most_cells,
    resolve_model,
    shipped_models,
)


@pytest.fixture(scope="module")
def model(finished_run: Run) -> Model:
    return finished_run.model


def arrays(model: Model, labels: list[int | str] | None = None, count: int | None = None, seed: int = 0) -> np.ndarray:
    return np.concatenate([drawing.images for drawing in model.draw(labels, count=count, seed=seed)])


def test_same_seed_draws_the_same_pictures(model: Model) -> None:
    assert np.array_equal(arrays(model, count=30, seed=5), arrays(model, count=30, seed=5))
    assert not np.array_equal(arrays(model, count=30, seed=5), arrays(model, count=30, seed=6))


def test_a_picture_depends_on_its_place_and_label_not_on_the_count(model: Model) -> None:
    many = arrays(model, [3], count=2 * CHUNK + 1)
    assert np.array_equal(arrays(model, [3], count=1), many[:1])
    assert np.array_equal(arrays(model, [3], count=CHUNK + 1), many[: CHUNK + 1])


def test_a_picture_does_not_depend_on_its_neighbours_labels(model: Model) -> None:
    assert np.array_equal(arrays(model, [3], count=4)[0::2], arrays(model, [3, 8], count=4)[0::2])


def test_without_labels_the_classes_take_turns(model: Model) -> None:
    labels = np.concatenate([drawing.labels for drawing in model.draw(count=23)])
    assert labels.tolist() == [i % 10 for i in range(23)]


@pytest.mark.parametrize("label", [7, "7", "seven"])
def test_class_is_found_by_index_and_by_name(model: Model, label: int | str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("zero", "one", "two", "three", "four", "five", "six", "Seven", "eight", "nine")
    monkeypatch.setattr(model, "header", model.header.model_copy(update={"class_names": names}))
    assert model.class_index(label) == 7


def test_class_name_wins_over_index_in_text(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    names = tuple(str(number) for number in range(1, 11))
    monkeypatch.setattr(model, "header", model.header.model_copy(update={"class_names": names}))
    assert model.class_index("3") == 2
    assert model.class_index(3) == 3


@pytest.mark.parametrize("label", ["cat", "10", "-1", 10, -1, ""])
def test_unknown_label_names_the_known_ones(model: Model, label: int | str) -> None:
    with pytest.raises(UsageError, match=rf"no class '{label}': it knows 0, 1, 2"):
        model.sample(label)


@pytest.mark.parametrize("labels", [np.int64(7), np.array([7]), np.array(["7"]), (7,), iter([7]), [np.uint8(7)]])
def test_labels_may_be_any_whole_numbers_or_text(model: Model, labels: Any) -> None:
    assert np.array_equal(np.concatenate([d.images for d in model.draw(labels, count=3)]), arrays(model, [7], count=3))


@pytest.mark.parametrize("labels", [[], np.array([]), 7.0, [None], [[7]]])
def test_labels_that_are_none_of_these_are_refused(model: Model, labels: Any) -> None:
    for draw in (model.sample, model.draw, lambda chosen: model.sheet("grid", chosen)):
        with pytest.raises(UsageError, match="label"):
            draw(labels)


@pytest.mark.parametrize("seed", [-1, 1.5, None])
def test_seed_below_zero_is_refused(model: Model, tmp_path: Path, seed: Any) -> None:
    for draw in (model.sample, model.draw, lambda label, seed: model.save(tmp_path / "x.npz", label, seed=seed)):
        with pytest.raises(UsageError, match=f"seed is {seed}: expected a whole number from 0"):
            draw(7, seed=seed)
    with pytest.raises(UsageError, match="seed is"):
        model.sheet("interpolation", seed=seed)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("count", [0, -3])
def test_count_below_one_is_refused(model: Model, count: int) -> None:
    with pytest.raises(UsageError, match=f"{count}"):
        model.sample(7, count=count)
    with pytest.raises(UsageError, match=f"{count}"):
        model.sheet("grid", 7, count=count)


def test_sample_gives_pillow_pictures(model: Model) -> None:
    pictures = model.sample([7] * 3)
    assert [picture.size for picture in pictures] == [(28, 28)] * 3
    assert {picture.mode for picture in pictures} == {"L"}


def test_model_without_label_says_so(tmp_path: Path) -> None:
    from conftest import tiny_run

    run = tiny_run(tmp_path / "run", "train.total_images=50", recipe="digits-gan").finish()
    model = Model(run.model_path)
    assert len(model.sample(count=5)) == 5
    with pytest.raises(UsageError, match="takes no label"):
        model.sample(7)
    model.save(tmp_path / "x.npz", count=3)
    with np.load(tmp_path / "x.npz") as file:
        assert file["labels"].tolist() == [-1, -1, -1]
    assert model.sheet("interpolation").size[0] > 280


def test_npz_holds_images_and_labels(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "x.npz", ["2", "5"], count=CHUNK + 5, seed=3)
    with np.load(tmp_path / "x.npz") as file:
        assert set(file.files) == {"images", "labels"}
        assert file["images"].dtype == np.uint8
        assert file["labels"].dtype == np.int64
        assert file["images"].shape == (CHUNK + 5, 28, 28)
        assert file["labels"].tolist() == [2, 5] * ((CHUNK + 5) // 2) + [2] * ((CHUNK + 5) % 2)
        assert np.array_equal(file["images"], arrays(model, [2, 5], count=CHUNK + 5, seed=3)[..., 0])


def test_count_may_be_any_whole_number(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "x.npz", count=np.int64(3))  # type: ignore[arg-type]
    with np.load(tmp_path / "x.npz") as file:
        assert file["images"].shape == (3, 28, 28)
    with pytest.raises(UsageError, match=r"count is 2\.5"):
        model.save(tmp_path / "x.npz", count=2.5)  # type: ignore[arg-type]


def test_folder_gets_one_png_each_named_by_number_and_class(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "out", ["2", "5"], count=4)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "000000-2.png", "000001-5.png", "000002-2.png", "000003-5.png"
    ]  # fmt: skip
    first = np.asarray(Image.open(tmp_path / "out" / "000000-2.png"))
    assert np.array_equal(first, arrays(model, [2, 5], count=4)[0, :, :, 0])


def test_long_class_names_make_file_names_that_fit(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = tuple(f"{number}" + "猫" * 254 for number in range(10))
    monkeypatch.setattr(model, "header", model.header.model_copy(update={"class_names": names}))
    model.save(tmp_path / "out", count=2)
    assert [path.name[:8] for path in sorted((tmp_path / "out").iterdir())] == ["000000-0", "000001-1"]


def test_memory_does_not_grow_with_the_count(model: Model, tmp_path: Path) -> None:
    # Of Python and numpy, which hold the pictures: a process's peak would be that of whatever test ran before.
    tracemalloc.start()
    try:
        model.save(tmp_path / "many.npz", count=60_000)  # 47 MB of pictures
        peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
    assert (tmp_path / "many.npz").stat().st_size > 47_000_000
    assert peak_mb < 10


def cells(sheet: Image.Image, rows: int, columns: int) -> list[list[np.ndarray]]:
    """The pictures of a sheet at its right and lower end: 28 pixels enlarged twice, gaps of 2."""
    pixels = np.asarray(sheet.convert("L"))
    pitch = 2 * 28 + 2
    top, left = pixels.shape[0] - rows * pitch, pixels.shape[1] - columns * pitch
    return [
        [
            pixels[top + r * pitch : top + r * pitch + 56 : 2, left + c * pitch : left + c * pitch + 56 : 2]
            for c in range(columns)
        ]
        for r in range(rows)
    ]


def test_a_column_of_the_same_noise_sheet_is_one_noise(model: Model) -> None:
    sheet = cells(model.sheet("same-noise", ["2", "5"], count=3, seed=1), 2, 3)
    alone = arrays(model, [2], count=3, seed=1)[..., 0]
    other = arrays(model, [5], count=3, seed=1)[..., 0]
    for column in range(3):
        assert np.array_equal(sheet[0][column], alone[column])
        assert np.array_equal(sheet[1][column], other[column])


def test_interpolation_goes_from_one_noise_to_the_next(model: Model) -> None:
    path = cells(model.sheet("interpolation", [2], count=5, seed=1), 1, 5)[0]
    ends = arrays(model, [2], count=2, seed=1)[..., 0].astype(int)
    assert np.abs(path[0].astype(int) - ends[0]).max() <= 1
    assert np.abs(path[-1].astype(int) - ends[1]).max() <= 1
    assert not np.array_equal(path[2], path[0])


@pytest.mark.parametrize("factor", [1, 3, -0.7, -1])
@pytest.mark.parametrize("latent", [1, 100])
def test_interpolation_between_parallel_noises_is_straight(factor: float, latent: int) -> None:
    start = np.random.default_rng(0).standard_normal((latent,), dtype=np.float32)
    end = np.float32(factor) * start
    path = _interpolate(start, end, 5, straight=False)
    assert np.allclose(path, np.linspace(start, end, 5), atol=1e-6)


def test_sheet_too_large_for_a_picture_is_refused(model: Model, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"1,000,000 pictures: 21,660 fit.*\.npz"):
        model.save(tmp_path / "x.png", count=1_000_000)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("labels", [None, [7]])
def test_the_largest_sheet_stays_within_its_pixels(model: Model, labels: list[int] | None) -> None:
    sheet = model.sheet("grid", labels, count=21_660)
    assert 60_000 < max(sheet.size) <= SHEET_SIDE + 100
    with pytest.raises(UsageError, match="21,660 fit"):
        model.sheet("grid", labels, count=21_661)


@pytest.mark.parametrize("size", [8, 28, 64, 1024])
@pytest.mark.parametrize("across", [1, 10, 60, 300])
def test_a_sheet_is_limited_in_pixels_not_in_pictures(size: int, across: int) -> None:
    most, pitch = _most_cells(across, size), size + 2
    assert most * pitch**2 <= SHEET_PIXELS
    assert min(across, most) * pitch <= SHEET_SIDE
    assert -(-most // across) * pitch <= SHEET_SIDE
    assert most >= min(across, SHEET_SIDE // pitch)


@pytest.mark.parametrize("name", ["x.jpg", "x.tar.gz"])
def test_unknown_ending_is_refused(model: Model, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"expected FILE.png, FILE.npz or a folder"):
        model.save(tmp_path / name, count=1)


def test_nothing_half_written_is_left_when_the_disk_is_full(model: Model, tmp_path: Path) -> None:
    import errno

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    patch = pytest.MonkeyPatch()
    patch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(GanvasError, match="No space left on device"):
        model.save(tmp_path / "x.npz", count=5)
    patch.undo()
    assert not list(tmp_path.iterdir())


def test_unknown_model_names_the_nearest_shipped_one() -> None:
    with pytest.raises(UsageError, match="Did you mean 'digits-cgan'"):
        load("digit-cgan")


def test_a_shipped_name_comes_before_a_folder_of_that_name(
    finished_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits-cgan").mkdir()
    (tmp_path / "digits-cgan" / "model.safetensors").write_bytes(finished_run.model_path.read_bytes())
    own = Path("digits-cgan/model.safetensors")
    assert resolve_model("digits-cgan").name == "digits-cgan.safetensors"
    assert resolve_model("./digits-cgan") == own
    assert resolve_model(tmp_path / "digits-cgan") == tmp_path / own
    assert resolve_model(Path("./digits-cgan")) == own


def test_a_run_is_called_as_its_folder_also_from_within(
    finished_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished_run.folder)
    for model in (".", "model.safetensors", "../finished"):
        assert load(model).name == "finished"


def test_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no run"):
        load(tmp_path)


@pytest.mark.parametrize("name", shipped_models())
def test_shipped_model_draws_and_has_a_card(name: str) -> None:
    path = resolve_model(name)
    card = path.with_suffix(".md").read_text("utf-8")
    assert name in card
    header = load(name).header
    for value in header.metrics.values():
        assert f"{value:.4g}" in card, "the card tells the figures of the header"
    if header.task == "label":
        assert path.stat().st_size < 3_000_000
        assert len(load(name).sample(count=3)) == 3
    else:
        assert path.stat().st_size < 30_000_000
        assert load(name).translate(Image.new("RGB", (50, 30), "white")).size == (50, 30)
