"""Arrays and pictures go both ways without loss, and any picture becomes the one training sees."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganvas.errors import GanvasError
from ganvas.pictures import fit, grid, png_bytes, read_picture, save_png, to_pil, to_uint8


def test_every_byte_survives_the_way_to_floats_and_back() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    floats = values.astype(np.float32) / np.float32(127.5) - np.float32(1.0)
    assert (floats.min(), floats.max()) == (-1.0, 1.0)
    assert np.array_equal(to_uint8(floats), values)


def test_floats_are_rounded_to_the_nearest_and_clipped() -> None:
    values = np.array([-3.0, -1.0, 0.0, 1.0, 7.0, np.inf, 1 - 0.9 / 255, 1 - 1.1 / 255])
    assert to_uint8(values).tolist() == [0, 0, 128, 255, 255, 255, 255, 254]


def test_values_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(GanvasError, match="NaN"):
        to_uint8(np.array([0.0, np.nan]))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_gives_back_the_array(tmp_path: Path, channels: int) -> None:
    array = np.random.default_rng(0).integers(0, 256, (9, 7, channels), dtype=np.uint8)
    save_png(to_pil(array), tmp_path / "deep" / "a.png")
    with Image.open(tmp_path / "deep" / "a.png") as image:
        assert np.array_equal(np.asarray(image).reshape(array.shape), array)
    assert png_bytes(to_pil(array)) == png_bytes(to_pil(array))


def test_a_wrong_shape_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match=r"\(4, 4, 2\)"):
        to_pil(np.zeros((4, 4, 2), np.uint8))


def test_the_grid_holds_every_picture_in_order() -> None:
    images = np.stack([np.full((4, 4, 1), 20 * index, np.uint8) for index in range(5)])
    sheet = np.asarray(grid(images, 2, scale=3, gap=2))
    assert sheet.shape == (2 + 3 * 14, 2 + 2 * 14, 3)
    for index in range(5):
        row, column = divmod(index, 2)
        tile = sheet[2 + row * 14 : 14 + row * 14, 2 + column * 14 : 14 + column * 14]
        assert (tile == 20 * index).all()
    assert (sheet[2 + 28 : 44, 16:] == 255).all()


def test_captions_and_row_labels_stay_off_the_pictures() -> None:
    images = np.zeros((6, 20, 20, 3), np.uint8)
    captions = ["a very long class name that cannot fit\n0 to 255", "b", "고양이", "", "e", "f"]
    plain = np.asarray(grid(images, 3, scale=2))
    told = np.asarray(grid(images, 3, scale=2, captions=captions, row_labels=["first", "second"]))
    assert told.shape[0] > plain.shape[0]
    assert told.shape[1] > plain.shape[1]
    # As many wholly black pixels as the pictures have: no letter hides one.
    assert (told == 0).all(axis=2).sum() == 6 * 40 * 40
    assert ((told != 0) & (told != 255)).any()


def test_wrong_numbers_of_texts_are_refused() -> None:
    images = np.zeros((4, 4, 4, 1), np.uint8)
    with pytest.raises(ValueError, match="4 captions, found 3"):
        grid(images, 2, captions=["a", "b", "c"])
    with pytest.raises(ValueError, match="2 row labels, found 1"):
        grid(images, 2, row_labels=["a"])


@pytest.mark.parametrize("size", [(30, 20), (20, 30), (20, 20), (5, 90), (1, 1)])
def test_fit_takes_the_middle_square(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (200, 0, 0))
    side = min(size)
    corner = ((size[0] - side) // 2, (size[1] - side) // 2)
    image.paste((0, 0, 200), (*corner, corner[0] + side, corner[1] + side))
    assert (fit(image, 10, 3) == (0, 0, 200)).all()


def test_a_picture_of_the_right_size_keeps_its_values() -> None:
    array = np.random.default_rng(1).integers(0, 256, (12, 12, 1), dtype=np.uint8)
    assert np.array_equal(fit(to_pil(array), 12, 1), array)


def test_shrinking_does_not_alias() -> None:
    stripes = np.zeros((256, 256, 1), np.uint8)
    stripes[:, ::2] = 255
    inside = fit(to_pil(stripes), 16, 1)[:, 1:-1].astype(int)
    assert np.abs(inside - 127).max() <= 4


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert (fit(read_picture(tmp_path / "a.png"), 4, 3) == 255).all()
    palette = Image.new("P", (4, 4), 3)
    palette.putpalette([9, 9, 9] * 256)
    palette.save(tmp_path / "b.png", transparency=3)
    assert (fit(read_picture(tmp_path / "b.png"), 4, 3) == 255).all()


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    deep = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    for name in ("a.png", "a.tif"):
        Image.fromarray(deep).save(tmp_path / name)
        assert np.array_equal(fit(read_picture(tmp_path / name), 16, 1).reshape(-1), np.arange(256))


def test_floating_point_greys_become_eight_bits(tmp_path: Path) -> None:
    Image.fromarray(np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)).save(tmp_path / "a.tif")
    assert np.array_equal(fit(read_picture(tmp_path / "a.tif"), 16, 1).reshape(-1), np.arange(256))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I", "F"])
def test_every_mode_can_be_read(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.tif"
    colour = Image.new("RGB", (6, 5), (40, 90, 160))
    (colour.convert(mode) if mode != "LAB" else Image.new("LAB", (6, 5))).save(path)
    assert fit(read_picture(path), 4, 3).shape == (4, 4, 3)
    assert read_picture(path).mode in ("L", "RGB")


def test_the_orientation_of_the_camera_is_applied(tmp_path: Path) -> None:
    image = Image.new("RGB", (8, 4), "black")
    image.paste((255, 255, 255), (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # Turned: what is stored left belongs on top.
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    upright = read_picture(tmp_path / "a.jpg")
    assert upright.size == (4, 8)
    assert fit(upright.crop((0, 0, 4, 4)), 4, 1).mean() > 200


def test_an_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert fit(read_picture(tmp_path / "a.gif"), 4, 3)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_a_damaged_picture_is_named_and_gives_no_traceback(tmp_path: Path, kind: str) -> None:
    random = np.random.default_rng(0)
    buffer = io.BytesIO()
    Image.fromarray(random.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(buffer, kind)
    whole = buffer.getvalue()
    path = tmp_path / "picture.png"
    messages = []
    for trial in range(60):
        damaged = bytearray(whole)
        if trial % 2:
            del damaged[int(random.integers(len(whole))) :]
        else:
            damaged[int(random.integers(min(len(whole), 200)))] ^= int(random.integers(1, 256))
        path.write_bytes(damaged)
        messages.append(message_of(path))
    refused = [message for message in messages if message is not None]
    assert len(refused) > 10
    assert all(message.startswith(f"cannot read picture '{path}': ") for message in refused)
    assert not any("\n" in message for message in refused)


def message_of(path: Path) -> str | None:
    try:
        fit(read_picture(path), 4, 3)
    except GanvasError as error:
        return str(error)
    return None


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(GanvasError, match=r"'.*none\.png': No such file"):
        read_picture(tmp_path / "none.png")
