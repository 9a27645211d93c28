"""Translating: any picture in, its size and name out, the same every time, whatever else is translated beside it."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas import __version__
from ganvas.cli.main import _run
from ganvas.config import UnetGenerator
from ganvas.data.hints import hints_of_another_hue
from ganvas.data.preparation import Preparation
from ganvas.errors import GanvasError, UsageError
from ganvas.inference import Model, translation
from ganvas.inference.translation import resized_hints, working_size
from ganvas.model_file import TrainingData, TranslateHeader, save_model

COLOUR = Preparation()
PALETTE = {"class_names": ("sky", "road", "car"), "colours": ((0, 0, 255), (90, 90, 90), (255, 0, 0))}


def make_model(path: Path, **changes: Any) -> Path:
    """A model file with random weights that draws strong colours; ``changes`` to its header."""
    generator = changes.pop("generator", {})
    header = TranslateHeader.model_validate(
        {
            "ganvas_version": __version__,
            "recipe": "sketch2color",
            "generator": UnetGenerator(width=4, **generator),
            "size": 32,
            "source": COLOUR,
            "target": COLOUR,
            "hints": False,
            "data": TrainingData(source="squares", fingerprint="0" * 16, licence="CC BY-SA 4.0: drawn by Ann"),
            "images_seen": 1000,
            **changes,
        }
    )
    torch.manual_seed(0)
    network = header.build()
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.startswith("decoder.4.conv"):
                weight.mul_(20)
            elif "film" in name:
                weight.normal_()
    save_model(path, network, header)
    return path


@pytest.mark.parametrize("generator", [{}, {"norm": "instance", "upsampling": "resize", "source_skip": True}])
def test_bfloat16_changes_a_picture_by_a_shade(tmp_path: Path, generator: dict[str, Any]) -> None:
    path = make_model(tmp_path / "model.safetensors", generator=generator)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    exact = np.asarray(Model(path).translate(picture), dtype=int)
    rounded = np.asarray(Model(path, precision="bf16").translate(picture), dtype=int)
    assert 0 < np.abs(exact - rounded).mean() < 0.02 * exact.std()


@pytest.mark.parametrize(
    ("capabilities", "chosen"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, "bf16"),
        ({"avx512_bf16": False, "avx2": True}, "fp32"),
        (None, "fp32"),
    ],
    ids=["with units", "without", "an older torch"],
)
def test_auto_is_bfloat16_where_the_processor_has_units_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool] | None, chosen: Any
) -> None:
    if capabilities is None:
        monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    else:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    path = make_model(tmp_path / "model.safetensors")
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    found, expected = (Model(path, precision=name).translate(picture).tobytes() for name in ("auto", chosen))
    assert found == expected
    other = Model(path, precision="fp32" if chosen == "bf16" else "bf16").translate(picture)
    assert found != other.tobytes()
    assert Model("digits-cgan", precision="auto").sample(3, seed=1)[0].size == (28, 28)


def test_auto_leaves_label_maps_in_float32_as_a_shade_would_be_another_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    target = Preparation(kind="labels", channels=1, class_names=("sky", "road"), colours=((0, 0, 255), (90, 90, 90)))
    path = make_model(tmp_path / "model.safetensors", target=target)
    kinds = {name: next(Model(path, precision=name)._generator.parameters()).dtype for name in ("auto", "bf16")}
    assert kinds == {"auto": torch.float32, "bf16": torch.bfloat16}


def test_what_draws_in_float32_only_says_so() -> None:
    with pytest.raises(UsageError, match="from labels, in fp32 only: leave the precision out"):
        Model("digits-cgan", precision="bf16")
    with pytest.raises(UsageError, match="precision is 'half': expected auto, fp32 or bf16"):
        Model("sketch2color", precision="half")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def plain_path(folder: Path) -> Path:
    return make_model(folder / "plain.safetensors")


@pytest.fixture(scope="module")
def model(plain_path: Path) -> Model:
    return Model(plain_path)


@pytest.fixture(scope="module")
def hinted(folder: Path) -> Model:
    return Model(make_model(folder / "hinted.safetensors", hints=True, source=Preparation(channels=1)))


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    """Coarse squares of colour, so that resizing keeps something of them."""
    values = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((width, height), Image.Resampling.NEAREST)


def dabs(width: int, height: int, colour: tuple[int, int, int] = (255, 0, 0)) -> Image.Image:
    """A transparent picture with one dab in its middle."""
    image = Image.new("RGBA", (width, height))
    image.paste((*colour, 255), (width // 3, height // 3, 2 * width // 3 + 1, 2 * height // 3 + 1))
    return image


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with pictures of different sizes and kinds, also in a sub-folder."""
    root = tmp_path / "pics"
    (root / "more").mkdir(parents=True)
    picture(40, 30, 1).save(root / "cat.png")
    picture(33, 50, 2).save(root / "cat.jpg")
    picture(20, 20, 3).save(root / "more" / "dog.png")
    return root


# What comes out


def by_hand(model: Model, image: Image.Image, working: tuple[int, int]) -> np.ndarray:
    """The translation by Pillow and the network alone."""
    small = image.resize(working, Image.Resampling.BILINEAR) if image.size != working else image
    x = torch.from_numpy(np.asarray(small).transpose(2, 0, 1).copy())[None] / 127.5 - 1
    with torch.no_grad():
        y = model._generator(x)[0].permute(1, 2, 0).numpy()
    drawn = Image.fromarray(np.rint((y + 1) * 127.5).astype(np.uint8))
    return pixels(drawn.resize(image.size, Image.Resampling.LANCZOS) if image.size != working else drawn)


@pytest.mark.parametrize(
    ("fit", "size", "working"),
    [
        ("stretch", (32, 32), (32, 32)),
        ("stretch", (90, 41), (32, 32)),
        ("crop", (64, 48), (43, 32)),
        ("crop", (16, 40), (32, 80)),
        ("pad", (64, 48), (32, 24)),
        ("pad", (10, 40), (8, 32)),
    ],
)
def test_a_picture_is_brought_to_the_training_size_and_back(
    folder: Path, fit: str, size: tuple[int, int], working: tuple[int, int]
) -> None:
    model = Model(make_model(folder / f"{fit}.safetensors", source=Preparation(fit=fit)))
    image = picture(*size)
    found = pixels(model.translate(image))
    # One level: the order of additions may differ.
    assert np.abs(found - by_hand(model, image, working)).max() <= 1
    assert np.ptp(found) > 60, "something is drawn"


@pytest.mark.parametrize("size", [(50, 34), (7, 90)])
def test_native_works_at_the_pictures_own_size(model: Model, size: tuple[int, int]) -> None:
    image = picture(*size)
    found = pixels(model.translate(image, scale="native"))
    assert np.abs(found - by_hand(model, image, size)).max() <= 1
    assert not np.array_equal(found, pixels(model.translate(image)))


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_a_strip_of_a_few_pixels_does_not_become_too_large_to_draw(fit: Any) -> None:
    height, width = working_size(1, 30_000, fit, 256)
    assert height * width <= 1.05 * 1024 * 1024
    assert working_size(3_000, 2_000, fit, 256) in ((384, 256), (256, 171))


@pytest.mark.parametrize("scale", ["fit", "native"])
@pytest.mark.parametrize("size", [(1, 1), (33, 31), (100, 7), (3, 64)])
def test_any_size_comes_back(model: Model, size: tuple[int, int], scale: Any) -> None:
    assert model.translate(picture(*size), scale=scale).size == size


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_any_mode_is_read(model: Model, tmp_path: Path, mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.asarray(picture(30, 20).convert("L")) * np.uint16(257))
    else:
        image = picture(30, 20).convert(mode)
    result = model.translate(image)
    assert (result.mode, result.size) == ("RGB", (30, 20))
    if mode in ("1", "L", "LA", "P", "RGBA", "I;16"):
        image.save(tmp_path / "x.png")
        assert np.array_equal(pixels(model.translate(tmp_path / "x.png")), pixels(result))


def test_16_bits_are_the_picture_of_8(model: Model) -> None:
    grey = picture(30, 20).convert("L")
    deep = Image.fromarray(np.asarray(grey) * np.uint16(257))
    assert np.array_equal(pixels(model.translate(deep)), pixels(model.translate(grey)))


def test_transparent_paper_is_the_background_of_the_training(model: Model) -> None:
    drawing = Image.new("RGBA", (40, 40))
    drawing.paste((0, 0, 0, 255), (5, 5, 20, 9))
    paper = Image.new("RGB", (40, 40), "white")
    paper.paste((0, 0, 0), (5, 5, 20, 9))
    assert np.array_equal(pixels(model.translate(drawing)), pixels(model.translate(paper)))


def test_a_turned_photo_comes_back_upright(model: Model, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 270 degrees to see it upright
    picture(40, 24).save(tmp_path / "x.png", exif=exif)
    upright = picture(40, 24).transpose(Image.Transpose.ROTATE_270)
    expected = pixels(model.translate(upright))
    assert expected.shape == (40, 24, 3)
    assert np.array_equal(pixels(model.translate(tmp_path / "x.png")), expected)
    with Image.open(tmp_path / "x.png") as opened:
        assert np.array_equal(pixels(model.translate(opened)), expected)


def test_arrays_are_pictures_too(model: Model) -> None:
    image = picture(30, 20)
    array = np.asarray(image)
    assert not array.flags.writeable
    expected = pixels(model.translate(image))
    assert np.array_equal(pixels(model.translate(array)), expected)
    assert np.array_equal(pixels(model.translate(array / np.float32(255))), expected)
    assert np.array_equal(model.translate_array(array), expected)
    native = pixels(model.translate(image, scale="native"))
    assert np.array_equal(model.translate_array(array, scale="native"), native)


def test_a_grey_model_draws_grey(folder: Path) -> None:
    grey = Preparation(channels=1)
    model = Model(make_model(folder / "grey.safetensors", source=grey, target=grey))
    assert model.translate(picture(30, 20)).mode == "L"


def test_label_maps_may_be_ids_or_colours(folder: Path) -> None:
    source = Preparation(kind="labels", channels=1, **PALETTE)
    model = Model(make_model(folder / "street.safetensors", source=source))
    ids = np.random.default_rng(0).integers(0, 3, (20, 26), dtype=np.uint8)
    index = Image.fromarray(ids)
    colours = Image.fromarray(np.array(PALETTE["colours"], dtype=np.uint8)[ids])
    assert np.array_equal(pixels(model.translate(index)), pixels(model.translate(colours)))
    with pytest.raises(GanvasError, match="7"):
        model.translate(Image.fromarray(np.full((20, 26), 7, dtype=np.uint8)))


def test_drawn_label_colours_are_not_blended_when_enlarged(folder: Path) -> None:
    model = Model(make_model(folder / "labels.safetensors", target=Preparation(**PALETTE)))
    drawn = model.translate_array(picture(96, 64))
    blocks = drawn.reshape(32, 2, 32, 3, 3)
    assert np.array_equal(blocks, np.broadcast_to(blocks[:, :1, :, :1], blocks.shape))


@pytest.mark.parametrize("size", [(32, 32), (96, 64)])
def test_drawn_label_maps_hold_their_colours_alone(folder: Path, size: tuple[int, int]) -> None:
    colours = np.array(PALETTE["colours"])
    path = make_model(folder / "palette.safetensors", target=Preparation(**PALETTE))
    drawn = Model(path).translate_array(picture(*size)).astype(int)
    assert {tuple(colour) for colour in np.unique(drawn.reshape(-1, 3), axis=0)} <= {tuple(c) for c in colours.tolist()}
    # Each the nearest to what the same weights draw as a picture.
    free = Model(make_model(folder / "free.safetensors", target=Preparation(resize="nearest")))
    apart = free.translate_array(picture(32, 32)).astype(int)
    nearest = ((apart[:, :, None] - colours) ** 2).sum(-1).argmin(-1)
    assert len(np.unique(nearest)) > 1, "something is drawn"
    if size == (32, 32):
        assert np.array_equal(drawn, colours[nearest])


def test_drawn_label_maps_are_written_without_loss(folder: Path, pictures: Path, tmp_path: Path) -> None:
    model = Model(make_model(folder / "exact.safetensors", target=Preparation(**PALETTE)))
    picture(30, 20).save(pictures / "web.webp", lossless=True)
    records = list(model.translate_files([pictures], tmp_path / "out"))
    assert {path.name for record in records for path in record.written} == {
        "cat.jpg.png",
        "cat.png",
        "dog.png",
        "web.webp",
    }
    for record in records:
        with Image.open(record.written[0]) as result:
            assert np.array_equal(np.asarray(result), model.translate_array(record.picture))


# The same, every time


def test_one_result_does_not_depend_on_the_others(model: Model, pictures: Path, tmp_path: Path) -> None:
    for path in (pictures / "cat.png", pictures / "more" / "dog.png"):
        alone = tmp_path / "alone" / path.name
        list(model.translate_files([path], alone.parent))
        assert np.array_equal(pixels(Image.open(alone)), pixels(model.translate(path)))
    list(model.translate_files([pictures], tmp_path / "out"))
    assert snapshot(tmp_path / "alone") == {
        "cat.png": (tmp_path / "out" / "cat.png").read_bytes(),
        "dog.png": (tmp_path / "out" / "more" / "dog.png").read_bytes(),
    }


@pytest.mark.parametrize("statistics", ["instance", "running"])
def test_the_same_call_gives_the_same_picture(folder: Path, statistics: str) -> None:
    model = Model(make_model(folder / f"{statistics}.safetensors", generator={"norm_statistics": statistics}))
    first = pixels(model.translate(picture(40, 30)))
    model.variations(picture(40, 30), 2)
    torch.manual_seed(99)
    assert np.array_equal(pixels(model.translate(picture(40, 30))), first)


def test_a_variation_depends_on_seed_and_number_alone(model: Model) -> None:
    image = picture(40, 30)
    many = [pixels(result) for result in model.variations(image, 3, seed=5)]
    torch.manual_seed(99)
    one = [pixels(result) for result in model.variations(image, 1, seed=5)]
    assert np.array_equal(one[0], many[0])
    others = [pixels(model.translate(image)), *(pixels(result) for result in model.variations(image, 1, seed=6))]
    kinds = {array.tobytes() for array in (*many, *others)}
    assert len(kinds) == 5


def test_noise_alone_varies_and_the_one_picture_is_kept_in_the_file(folder: Path) -> None:
    settings = {"dropout": 0.0, "noise": 2, "source_skip": True, "norm": "instance"}
    path = make_model(folder / "noisy.safetensors", generator=settings)
    model, image = Model(path), picture(40, 30)
    torch.manual_seed(7)
    one = pixels(model.translate(image))
    torch.manual_seed(8)
    assert np.array_equal(one, pixels(Model(path).translate(image)))
    varied = [pixels(result) for result in model.variations(image, 2, seed=5)]
    assert len({array.tobytes() for array in (one, *varied)}) == 3


@pytest.fixture
def dabbed(folder: Path) -> Model:
    return Model(make_model(folder / "dabbed.safetensors", generator={"dropout": 0.0}, hints=True))


def test_dabs_alone_vary_a_model_that_takes_hints(dabbed: Model) -> None:
    image = picture(40, 30)
    many = [pixels(result) for result in dabbed.variations(image, 3, seed=5)]
    assert len({array.tobytes() for array in (pixels(dabbed.translate(image)), *many)}) == 4
    assert np.array_equal(pixels(dabbed.variations(image, 1, seed=5)[0]), many[0])
    with pytest.raises(UsageError, match=r"'dabbed' has nothing to vary: it has neither dropout nor noise\. Leave"):
        dabbed.variations(image, 2, recolour=False)
    # Dabs everywhere leave no place to vary.
    dabs = Image.new("RGBA", image.size, (200, 30, 60, 255))
    dabs.putpixel((0, 0), (0, 0, 0, 0))
    steady = pixels(dabbed.translate(image, hints=dabs))
    for varied in dabbed.variations(image, 2, seed=5, hints=dabs):
        assert np.abs(pixels(varied).astype(int) - steady).mean() < 1


def test_without_recolouring_dropout_alone_varies(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model(make_model(folder / "both.safetensors", hints=True))
    monkeypatch.setattr(translation, "hints_of_another_hue", lambda *_: pytest.fail("dabs were drawn"))
    one, other = (pixels(result) for result in model.variations(picture(40, 30), 2, recolour=False))
    assert not np.array_equal(one, other)


def test_the_dabs_of_variations_are_of_what_is_drawn_and_their_hues_far_apart(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model(make_model(folder / "many.safetensors", hints=True))
    image = picture(96, 64)
    asked: list[tuple[float, int]] = []

    def spy(drawn: Any, turn: float, count: int, rng: Any, given: Any) -> Any:
        assert np.array_equal(drawn, pixels(model.translate(image, scale=scale)))
        asked.append((turn, count))
        return hints_of_another_hue(drawn, turn, count, rng, given)

    monkeypatch.setattr(translation, "hints_of_another_hue", spy)
    scale: Any = "native"
    model.variations(image, 8, scale=scale)
    # As many to an area as on a training picture of 32 x 32.
    assert {count for _, count in asked} == {6 * translation.VARIED_DABS}
    turns = sorted(turn for turn, _ in asked)
    gaps = np.diff([*turns, turns[0] + 1])
    # Eight at even distances in 0.8 of the circle would be 0.1 apart.
    assert gaps.min() > 0.04
    assert all(0.1 <= turn < 0.9 for turn in turns)
    # The studio asks for the first variation of one seed after the other.
    asked.clear()
    for seed in range(1, 5):
        model.variations(image, 1, seed=seed, scale=scale)
    turns = sorted(turn for turn, _ in asked)
    assert np.diff([*turns, turns[0] + 1]).min() > 0.08
    assert model.variations(image, 1, seed=2**200, scale=scale)


def test_a_small_picture_gets_a_dab_at_least(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model(make_model(folder / "small.safetensors", hints=True))
    asked: list[int] = []

    def spy(drawn: Any, turn: float, count: int, rng: Any, given: Any) -> Any:
        asked.append(count)
        return hints_of_another_hue(drawn, turn, count, rng, given)

    monkeypatch.setattr(translation, "hints_of_another_hue", spy)
    for width in (1, 16):
        model.variations(picture(width, 16), 1, scale="native")
    assert asked == [1, round(translation.VARIED_DABS / 4)]


def test_variations_leave_the_random_numbers_of_others_alone(model: Model) -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    model.variations(picture(40, 30), 2, seed=5)
    assert torch.equal(torch.rand(3), expected)


# Large pictures


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WHOLE": 64 * 64, "TILE": 64, "OVERLAP": 32}.items():
        monkeypatch.setattr(translation, name, value)


@pytest.mark.usefixtures("small_tiles")
def test_a_large_picture_is_drawn_in_tiles(hinted: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = []
    run = translation.Translator._run

    def recorded(self: Any, x: torch.Tensor, label: int | None) -> torch.Tensor:
        shapes.append(tuple(x.shape))
        return run(self, x, label)

    monkeypatch.setattr(translation.Translator, "_run", recorded)
    image, hints = picture(150, 100), dabs(150, 100)
    assert hinted.translate(image, hints=hints, scale="native").size == (150, 100)
    assert set(shapes) == {(1, 5, 64, 64)}
    assert len(shapes) == 4 * 3
    shapes.clear()
    hinted.translate(image)
    assert shapes == [(1, 5, 32, 32)]


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("statistics", ["instance", "running"])
def test_no_seam_shows_on_plain_paper(folder: Path, statistics: str) -> None:
    """Paper is the same everywhere: where the network draws it whole, no two neighbours may differ more in tiles."""
    path = make_model(folder / f"paper-{statistics}.safetensors", generator={"norm_statistics": statistics})
    model = Model(path)
    tile = model.translate_array(Image.new("RGB", (64, 64), "white"), scale="native").astype(int)
    tiled = model.translate_array(Image.new("RGB", (190, 150), "white"), scale="native").astype(int)
    for axis in (0, 1):
        # Blending adds at most what two tiles differ by, spread over the overlap.
        spread = np.ptp(tile) * np.pi / 64 * 2
        assert np.abs(np.diff(tiled, axis=axis)).max() <= np.abs(np.diff(tile, axis=axis)).max() + spread + 1


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("size", [(1, 2000), (2000, 1)])
def test_a_strip_that_padding_widens_is_drawn_in_tiles(
    model: Model, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    """2,000 pixels are few, but a network of 32 pixels widens them to 32 x 2,016."""
    longest = []
    run = translation.Translator._run

    def recorded(self: Any, x: torch.Tensor, label: int | None) -> torch.Tensor:
        longest.append(max(x.shape[2:]))
        return run(self, x, label)

    monkeypatch.setattr(translation.Translator, "_run", recorded)
    assert model.translate(picture(*size), scale="native").size == size
    assert max(longest) == 64


# Hints


def test_hints_reach_the_network_and_none_are_none(hinted: Model, tmp_path: Path) -> None:
    image = picture(40, 30).convert("L")
    without = pixels(hinted.translate(image))
    red, blue = dabs(40, 30), dabs(40, 30, (0, 0, 255))
    results = [without, *(pixels(hinted.translate(image, hints=hints)) for hints in (red, blue))]
    assert len({result.tobytes() for result in results}) == 3
    assert np.array_equal(pixels(hinted.translate(image, hints=Image.new("RGBA", (40, 30)))), without)
    red.save(tmp_path / "dabs.png")
    for hints in (tmp_path / "dabs.png", np.asarray(red)):
        assert np.array_equal(pixels(hinted.translate(image, hints=hints)), results[1])


@pytest.mark.parametrize(("height", "width"), [(1000, 701), (40, 39), (8, 10), (2, 500)])
def test_the_smallest_dab_survives_resizing(height: int, width: int) -> None:
    colour = torch.tensor([1.0, -0.5, 0.25])
    for y, x in ((0, 0), (height - 1, width - 1), (height // 2, width // 3), (height // 3, width - 2)):
        hints = torch.zeros(4, height, width)
        hints[:, y, x] = torch.cat([colour, torch.ones(1)])
        small = resized_hints(hints, 32, 32)
        dabbed = small[3] > 0
        assert 1 <= int(dabbed.sum()) <= 32 * 32 / 2
        assert set(small[3].flatten().tolist()) == {0.0, 1.0}
        assert torch.allclose(small[:3, dabbed], colour[:, None].expand(3, int(dabbed.sum())), atol=1e-5)
        assert torch.equal(small[:3, ~dabbed], torch.zeros(3, int((~dabbed).sum())))
        middle = ((dabbed.nonzero().float() + 0.5) / 32).mean(dim=0)
        assert abs(middle[0] - (y + 0.5) / height) < 2 / 32
        assert abs(middle[1] - (x + 0.5) / width) < 2 / 32


def test_hints_that_do_not_fit_are_named(hinted: Model, model: Model, tmp_path: Path) -> None:
    image = picture(40, 30)
    image.save(tmp_path / "cat.png")
    with pytest.raises(UsageError, match=r"hints has 30 x 40 pixels, '.*cat\.png' has 40 x 30: .* same size"):
        hinted.translate(tmp_path / "cat.png", hints=dabs(30, 40))
    with pytest.raises(UsageError, match=r"'.*cat\.png' has no transparency \(mode RGB\): expected RGBA"):
        hinted.translate(image, hints=tmp_path / "cat.png")
    with pytest.raises(UsageError, match="has no transparency"):
        hinted.translate(image, hints=np.zeros((30, 40, 3), dtype=np.uint8))
    with pytest.raises(UsageError, match="opaque everywhere"):
        hinted.translate(image, hints=image.convert("RGBA"))
    with pytest.raises(GanvasError, match=r"cannot read picture '.*nowhere\.png'"):
        hinted.translate(image, hints=tmp_path / "nowhere.png")
    with pytest.raises(UsageError, match="'plain' takes no hints"):
        model.translate(image, hints=dabs(40, 30))


# Labels


def test_a_model_with_classes_needs_one_and_draws_for_it(folder: Path) -> None:
    model = Model(make_model(folder / "day.safetensors", class_names=("day", "night")))
    image = picture(40, 30)
    with pytest.raises(UsageError, match="draws for a class: give one with --label: day, night"):
        model.translate(image)
    with pytest.raises(UsageError, match=r"no class 'nigt': it knows day, night .* Did you mean 'night'"):
        model.translate(image, label="nigt")
    assert model.class_names == ("day", "night")
    night = pixels(model.translate(image, label="night"))
    assert np.array_equal(night, pixels(model.translate(image, label=1)))
    assert not np.array_equal(night, pixels(model.translate(image, label="Day")))


def test_a_model_without_classes_refuses_one(model: Model) -> None:
    assert model.class_names == ()
    with pytest.raises(UsageError, match="takes no label"):
        model.translate(picture(40, 30), label="day")


# What a user can get wrong


def test_the_wrong_verb_names_the_right_one(model: Model, plain_path: Path, tmp_path: Path) -> None:
    wrong = f"model 'plain' translates pictures: use `ganvas translate {plain_path} PICTURE --out FOLDER`"
    for sample in (model.sample, model.draw, model.sheet, lambda: model.save(tmp_path / "x.png")):
        with pytest.raises(UsageError) as caught:
            sample()
        assert str(caught.value) == wrong
    digits = Model("digits-gan")
    image = picture(28, 28)
    for translate in (
        lambda: digits.translate(image),
        lambda: digits.variations(image, 2),
        lambda: digits.translate_files([tmp_path], tmp_path / "out"),
    ):
        with pytest.raises(UsageError, match=r"'digits-gan' draws without a picture .* `ganvas sample digits-gan`"):
            translate()


def test_a_model_without_dropout_has_nothing_to_vary(folder: Path, tmp_path: Path) -> None:
    model = Model(make_model(folder / "still.safetensors", generator={"dropout": 0.0}))
    with pytest.raises(UsageError, match=r"'still' has nothing to vary: .* and takes no hints\. Leave"):
        model.variations(picture(32, 32), 2)
    with pytest.raises(UsageError, match="nothing to vary"):
        model.translate_files([tmp_path], tmp_path / "out", variations=2)


@pytest.mark.parametrize(("count", "seed", "said"), [(0, 0, "variations is 0"), (2, -1, "seed is -1")])
def test_impossible_numbers_of_variations_are_refused(model: Model, count: int, seed: int, said: str) -> None:
    with pytest.raises(UsageError, match=f"{said}: expected a whole number from"):
        model.variations(picture(32, 32), count, seed=seed)


def test_unknown_scale_is_refused(model: Model) -> None:
    with pytest.raises(UsageError, match="scale is 'big': expected fit or native"):
        model.translate(picture(32, 32), scale="big")  # type: ignore[arg-type]


def test_a_picture_that_is_cut_off_in_memory_fails_in_one_line(model: Model, tmp_path: Path) -> None:
    picture(60, 60).save(tmp_path / "x.png")
    (tmp_path / "x.png").write_bytes((tmp_path / "x.png").read_bytes()[:120])
    with Image.open(tmp_path / "x.png") as opened, pytest.raises(GanvasError, match="cannot be decoded: "):
        model.translate(opened)


# Files


def test_results_keep_name_kind_and_size(model: Model, pictures: Path, tmp_path: Path) -> None:
    picture(30, 20).save(pictures / "old.gif")
    picture(30, 20).save(pictures / "scan.TIF")
    picture(30, 20).save(pictures / "web.webp", lossless=True)
    np.save(pictures / "array.npy", np.asarray(picture(30, 20)))
    (pictures / ".hidden.png").write_bytes(b"")
    (pictures / "notes.txt").touch()
    translations = model.translate_files([pictures], tmp_path / "out")
    assert len(translations) == 7
    assert translations.left_out == (pictures / "notes.txt",)
    records = list(translations)
    out = tmp_path / "out"
    assert [record.error for record in records] == [None] * 7
    assert {record.picture.relative_to(pictures): record.written for record in records} == {
        Path("array.npy"): (out / "array.npy",),
        Path("cat.jpg"): (out / "cat.jpg",),
        Path("cat.png"): (out / "cat.png",),
        Path("old.gif"): (out / "old.gif.png",),
        Path("scan.TIF"): (out / "scan.TIF",),
        Path("web.webp"): (out / "web.webp",),
        Path("more/dog.png"): (out / "more" / "dog.png",),
    }
    for name, kind, size in (
        ("cat.jpg", "JPEG", (33, 50)),
        ("scan.TIF", "TIFF", (30, 20)),
        ("web.webp", "WEBP", (30, 20)),
    ):
        with Image.open(out / name) as result:
            assert (result.format, result.size) == (kind, size)
    expected = model.translate_array(pictures / "web.webp")
    for name in ("web.webp", "scan.TIF", "old.gif.png"):
        with Image.open(out / name) as result:
            drawn = np.asarray(result.convert("RGB"))
        assert name == "old.gif.png" or np.array_equal(drawn, expected)
    assert np.array_equal(np.load(out / "array.npy"), model.translate_array(pictures / "array.npy"))


def test_a_jpeg_is_hardly_changed_by_its_kind_of_file(model: Model, pictures: Path, tmp_path: Path) -> None:
    list(model.translate_files([pictures / "cat.jpg"], tmp_path / "out"))
    with Image.open(tmp_path / "out" / "cat.jpg") as result:
        assert np.abs(pixels(result) - model.translate_array(pictures / "cat.jpg")).mean() < 4


def test_other_channels_become_arrays(folder: Path, pictures: Path, tmp_path: Path) -> None:
    model = Model(make_model(folder / "five.safetensors", target=Preparation(channels=5)))
    with pytest.raises(UsageError, match="'five' draws 5 channels"):
        model.translate(picture(30, 20))
    (record,) = model.translate_files([pictures / "cat.png"], tmp_path / "out")
    assert record.written == (tmp_path / "out" / "cat.png.npy",)
    array = np.load(record.written[0])
    assert (array.shape, array.dtype) == ((30, 40, 5), np.uint8)
    assert np.array_equal(array, model.translate_array(pictures / "cat.png"))


def test_variations_are_numbered_from_one(model: Model, pictures: Path, tmp_path: Path) -> None:
    (record,) = model.translate_files([pictures / "cat.png"], tmp_path / "out", variations=3, seed=4)
    assert [path.name for path in record.written] == ["cat-1.png", "cat-2.png", "cat-3.png"]
    for path, expected in zip(record.written, model.variations(pictures / "cat.png", 3, seed=4), strict=True):
        assert np.array_equal(pixels(Image.open(path)), pixels(expected))


def test_a_corrupt_picture_is_told_and_the_rest_goes_on(model: Model, pictures: Path, tmp_path: Path) -> None:
    (pictures / "bad.png").write_bytes((pictures / "cat.png").read_bytes()[:70])
    records = list(model.translate_files([pictures, tmp_path / "missing.png"], tmp_path / "out"))
    wrong = {record.picture.name: record.error for record in records if record.error is not None}
    assert set(wrong) == {"bad.png", "missing.png"}
    for name, error in wrong.items():
        assert name in error
        assert "\n" not in error
    assert set(snapshot(tmp_path / "out")) == {"cat.png", "cat.jpg", str(Path("more/dog.png"))}


def test_pictures_are_never_written_over(
    model: Model, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(tmp_path)
    monkeypatch.chdir(pictures)
    for given, out in (
        (pictures, pictures),
        (pictures, pictures / ".." / "pics"),
        (".", "."),
        (pictures / "cat.png", pictures),
        ("cat.jpg", Path()),
        (pictures / "more" / "dog.png", pictures / "more"),
    ):
        with pytest.raises(UsageError, match="holds the pictures to translate: choose another folder"):
            model.translate_files([given], out)
    # Both inputs lie outside of --out, but the second in what the first's sub-folder becomes.
    (tmp_path / "b" / "pics" / "more").mkdir(parents=True)
    os.replace(pictures / "more" / "dog.png", tmp_path / "b" / "pics" / "more" / "dog.png")
    with pytest.raises(UsageError, match="holds the pictures"):
        model.translate_files([tmp_path / "b", pictures / "cat.png"], tmp_path / "b" / "pics" / "..")
    os.replace(tmp_path / "b" / "pics" / "more" / "dog.png", pictures / "more" / "dog.png")
    assert snapshot(tmp_path) == before


def test_a_folder_for_results_is_apart_from_those_of_pictures(
    model: Model, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(30, 20, 4).save(tmp_path / "dog.png")  # what pics/more/dog.png would become in the folder above
    (tmp_path / "link").symlink_to(pictures / "more", target_is_directory=True)
    (tmp_path / "linked.png").symlink_to(pictures / "cat.png")
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "linked").symlink_to(pictures, target_is_directory=True)
    before = snapshot(tmp_path)
    monkeypatch.chdir(tmp_path)
    for given, out in (("pics", "pics/more"), ("pics", "pics/new/deep"), (".", "link"), ("pics", "pics/../link")):
        with pytest.raises(UsageError, match=f"--out '{out}' lies in '{given}', .*: choose a folder outside of it"):
            model.translate_files([given], out)
    for given, out in (
        ("pics/more", "pics"),
        ("pics", "."),
        ("pics/more/dog.png", "pics"),
        ("linked.png", "pics"),
        ("others", "pics/more"),
    ):
        with pytest.raises(UsageError, match="holds the pictures to translate: choose another folder"):
            model.translate_files([given], out)
    assert snapshot(tmp_path) == before


def test_the_same_call_again_replaces_its_own_results(model: Model, pictures: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert len(list(model.translate_files([pictures], tmp_path / "out"))) == 3
    assert len(snapshot(tmp_path / "out")) == 3
    # A folder of another name that begins the same is another folder.
    assert len(model.translate_files([pictures], tmp_path / "pics-out")) == 3


def test_linked_folders_are_followed_once_and_pipes_left_out(model: Model, pictures: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    picture(30, 20).save(away / "far.png")
    (pictures / "linked").symlink_to(away, target_is_directory=True)
    (away / "back").symlink_to(pictures, target_is_directory=True)
    os.mkfifo(pictures / "pipe.png")
    translations = model.translate_files([pictures], tmp_path / "out")
    assert translations.left_out == (pictures / "pipe.png",)
    assert [record.error for record in translations] == [None] * 4
    assert set(snapshot(tmp_path / "out")) == {"cat.png", "cat.jpg", "more/dog.png", "linked/far.png"}
    with pytest.raises(UsageError, match=r"pipe\.png' is neither a file nor a folder"):
        model.translate_files([pictures / "pipe.png"], tmp_path / "out")


def test_a_picture_given_twice_is_translated_once_and_two_of_one_name_are_refused(
    model: Model, pictures: Path, tmp_path: Path
) -> None:
    given = [pictures / "cat.png", pictures, pictures / "more" / ".." / "cat.png"]
    assert len(model.translate_files(given, tmp_path / "out")) == 3
    (tmp_path / "other").mkdir()
    picture(30, 20).save(tmp_path / "other" / "cat.png")
    with pytest.raises(UsageError, match=r"pics/cat\.png' and '.*other/cat\.png' would both become '.*out/cat\.png'"):
        model.translate_files([pictures, tmp_path / "other"], tmp_path / "out")


def test_folders_without_pictures_and_files_as_out_are_refused(model: Model, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"folder '.*empty' holds no pictures: expected \.png"):
        model.translate_files([tmp_path / "empty"], tmp_path / "out")
    with pytest.raises(UsageError, match="no pictures given"):
        model.translate_files([], tmp_path / "out")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file' is a file: expected a folder"):
        model.translate_files([pictures], tmp_path / "file")


def test_a_full_disk_stops_the_rest_and_leaves_nothing_half_written(
    model: Model, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    seen: list[object] = []
    with pytest.raises(GanvasError, match=r"cannot write .* No space left on device"):
        seen += model.translate_files([pictures], tmp_path / "out")
    assert seen == []
    assert snapshot(tmp_path / "out") == {}


# The command line


def command(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = _run([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def test_the_command_translates_in_bfloat16(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = make_model(tmp_path / "model.safetensors")
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    picture.save(tmp_path / "in.png")
    code, *_ = command(capsys, "translate", path, tmp_path / "in.png", "--out", tmp_path / "o", "--precision", "bf16")
    assert code == 0
    expected = Model(path, precision="bf16").translate(picture)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "o" / "in.png")), np.asarray(expected))
    assert not np.array_equal(np.asarray(expected), np.asarray(Model(path).translate(picture)))


def test_the_command_needs_no_folder_and_takes_a_label(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_model(tmp_path / "model.safetensors", class_names=("day", "night"))
    picture(40, 30).save(tmp_path / "in.png")
    monkeypatch.chdir(tmp_path)
    assert command(capsys, "translate", path, "in.png", "--label", "night")[:2] == (0, "translated/in.png\n")
    expected = Model(path).translate(picture(40, 30), label="night")
    assert np.array_equal(pixels(Image.open("translated/in.png")), pixels(expected))
    assert command(capsys, "translate", path, "in.png", "--label", "noon")[0] == 2


def test_the_command_prints_what_it_wrote(
    capsys: pytest.CaptureFixture[str],
    plain_path: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command(capsys, "translate", plain_path, "pics/cat.png", "--out", "out")
    assert done == (0, "out/cat.png\n", "")
    everything = "out/cat.jpg\nout/cat.png\nout/more/dog.png\n"
    assert command(capsys, "translate", plain_path, "pics", "--out", "out", "--scale", "native") == (0, everything, "")
    varied = command(capsys, "translate", plain_path, "pics/cat.jpg", "--out", "out", "--variations", 2, "--seed", 3)
    assert varied == (0, "out/cat-1.jpg\nout/cat-2.jpg\n", "")
    assert np.array_equal(
        pixels(Image.open("out/cat.png")), pixels(Model(plain_path).translate("pics/cat.png", scale="native"))
    )
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    code, out, err = command(capsys, "translate", plain_path, "pics", "--out", "out")
    assert (code, out) == (0, everything)
    assert "translating" in err


@pytest.mark.parametrize("terminal", [False, True])
def test_the_command_tells_failures_and_goes_on(
    capsys: pytest.CaptureFixture[str],
    plain_path: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    (pictures / "bad.png").write_bytes(b"no picture")
    (pictures / "notes.txt").touch()
    code, out, err = command(capsys, "translate", plain_path, pictures, "--out", tmp_path / "out")
    assert code == 1
    assert len(out.splitlines()) == 3
    lines = [line for line in re.sub(r"\x1b\[[?\d]*\w|\r", "", err).splitlines() if line.startswith("ganvas: ")]
    assert lines[0] == f"ganvas: cannot read picture '{pictures / 'bad.png'}': not a picture in a known format; " + (
        "replace or delete the file."
    )
    assert lines[1:] == ["ganvas: 1 of 4 pictures could not be translated"]
    assert f"left out, as no pictures: 1 ('{pictures / 'notes.txt'}')" in err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("translate MODEL --out out", 2, "pictures"),
        ("translate MODEL pics --out pics", 2, "holds the pictures to translate"),
        ("translate MODEL nowhere.png --out out", 1, "nowhere.png"),
        ("translate MODEL pics/cat.png --out out --hints pics/cat.png", 2, "takes no hints"),
        ("translate HINTED pics --out out --hints dabs.png", 2, "--hints are for one picture, found 3"),
        ("translate HINTED pics/cat.png --out out --hints nowhere.png", 1, "nowhere.png"),
        ("translate HINTED pics/cat.jpg --out out --hints dabs.png", 1, "has 40 x 30 pixels"),
        ("translate MODEL pics/cat.png --out out --label cat", 2, "takes no label"),
        ("translate MODEL pics/cat.png --out out --variations 0", 2, "variations is 0"),
        ("translate MODEL pics/cat.png --out out --scale large", 2, "'native'"),
        ("translate MODEL pics/cat.png --out out --seed -1", 2, "--seed"),
        ("translate MODEL pics/cat.png --out out --seed 0", 2, "--seed changes nothing without --variations"),
        ("translate HINTED pics/cat.png --out out --hints clear.png", 1, "'clear.png' shows no dab"),
        ("translate MODEL pics --out pics/more", 2, "lies in 'pics', the pictures to translate"),
        ("translate MODEL pics/cat.png --out out --device gpu", 2, "no device 'gpu'"),
        ("translate MODEL pics/cat.png --out /proc/x", 1, "cannot write '/proc/x"),
        ("translate digits-gan pics/cat.png --out out", 2, "use `ganvas sample digits-gan`"),
        ("translate nothing pics/cat.png --out out", 2, "no model 'nothing'"),
        ("sample MODEL --out x.png", 2, "PICTURE --out FOLDER`"),
    ],
)
def test_wrong_usage_fails_in_one_line_and_writes_nothing(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    plain_path: Path,
    hinted: Model,
    pictures: Path,
    tmp_path: Path,
    arguments: str,
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    dabs(40, 30).save("dabs.png")
    Image.new("RGBA", (40, 30), (255, 0, 0, 100)).save("clear.png")
    before = snapshot(tmp_path)
    names = {"MODEL": plain_path, "HINTED": hinted.path}
    done = command(capsys, *(names.get(word, word) for word in arguments.split()))
    assert done[:2] == (code, "")
    assert done[2].startswith("ganvas: ")
    assert done[2].count("\n") == 1
    assert said in done[2]
    assert snapshot(tmp_path) == before


def test_info_tells_what_goes_in_and_what_comes_out(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    path = make_model(
        folder / "told.safetensors",
        source=Preparation(kind="labels", channels=1, fit="pad", **PALETTE),
        hints=True,
        class_names=("day", "night"),
    )
    code, out, _ = command(capsys, "info", path)
    assert code == 0
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert lines["takes"] == "label map of sky, road, car"
    assert lines["draws"] == "colour picture, in the size of what it takes"
    assert "32 x 32 pixels, with a border to a square" in lines["trained"] or "32 x 32" in out
    assert lines["hints"] == "dabs of colour (ganvas translate --hints)"
    assert lines["classes"] == "day, night"
    assert "unet" in lines["generator"]
    assert lines["statistics"] == "batch norm's: of each picture alone"
    assert "CC BY-SA 4.0: drawn by Ann" in out
