"""Reading, sizing and encoding one picture or label map: every form that files come in."""

from __future__ import annotations

import pickle
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from ganvas.data.decoding import load_picture, size_of
from ganvas.data.label_maps import CAMVID, label_ids, open_palette, snapped
from ganvas.data.preparation import Preparation
from ganvas.errors import GanvasError, UsageError

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
NAMES, COLOURS = ("red", "green", "blue"), (RED, GREEN, BLUE)
MAPS = Preparation(kind="labels", channels=1, class_names=NAMES, colours=COLOURS)


def png_of_16_bits(path: Path, values: npt.NDArray[np.uint16]) -> Path:
    """A PNG of 16 bits a channel, written by hand since Pillow writes grey ones only."""
    height, width, channels = values.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)), (b"IDAT", zlib.compress(rows))]
    data = b"\x89PNG\r\n\x1a\n"
    for name, body in [*chunks, (b"IEND", b"")]:
        data += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    path.write_bytes(data)
    return path


def tiff_of_channels(path: Path, side: int, channels: int) -> Path:
    """An uncompressed TIFF of several 8-bit samples a pixel, as instruments write them."""
    tags = [(256, 3, side), (257, 3, side), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, channels), (278, 3, side)]
    pixels = bytes(side * side * channels)
    tags += [(279, 4, len(pixels))]
    folder = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag[:2], 1, tag[2]) for tag in tags)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + folder + bytes(4))
    return path


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def first_pixel(pixels: npt.NDArray[np.uint8]) -> tuple[int, ...]:
    return tuple(int(value) for value in pixels[0, 0])


@pytest.mark.parametrize(
    ("mode", "value", "channels", "expected"),
    [
        ("L", 100, 1, (100,)),
        ("L", 100, 3, (100, 100, 100)),
        ("1", 1, 1, (255,)),
        ("RGB", (255, 0, 0), 3, (255, 0, 0)),
        ("RGB", (255, 0, 0), 1, (76,)),  # 0.299 * 255
        ("RGB", (0, 255, 0), 1, (150,)),  # 0.587 * 255
        ("RGBA", (255, 0, 0, 0), 3, (255, 255, 255)),
        ("RGBA", (255, 0, 0, 255), 3, (255, 0, 0)),
        ("RGBA", (255, 0, 0, 102), 3, (255, 153, 153)),  # 0.4 red on white
        ("RGBA", (9, 8, 7, 6), 4, (9, 8, 7, 6)),
        ("LA", (50, 0), 1, (255,)),
        ("LA", (50, 20), 2, (50, 20)),
        ("LA", (50, 255), 3, (50, 50, 50)),
        ("I;16", 25_700, 1, (100,)),
        ("I;16", 65_535, 3, (255, 255, 255)),
    ],
)
def test_channels_and_depths_of_png(
    tmp_path: Path, mode: str, value: Any, channels: int, expected: tuple[int, ...]
) -> None:
    path = saved(tmp_path / "x.png", Image.new(mode, (3, 2), value))
    pixels = Preparation(channels=channels).read(path)
    assert pixels.shape == (2, 3, channels)
    assert pixels.dtype == np.uint8
    assert first_pixel(pixels) == expected


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png_of_16_bits_a_channel(tmp_path: Path, channels: int) -> None:
    path = png_of_16_bits(tmp_path / "x.png", np.full((2, 3, channels), 0x8080, dtype=np.uint16))
    assert first_pixel(Preparation(channels=channels).read(path)) == (128,) * channels


def test_palette_pictures_become_their_colours_and_transparency_the_background(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    path = saved(tmp_path / "x.png", image, transparency=1)
    pixels = Preparation(background="#0000ff").read(path)
    assert pixels.tolist() == [[[10, 20, 30], [0, 0, 255]]]


def test_one_transparent_colour_in_the_header_is_laid_on_the_background(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.png", Image.new("RGB", (2, 2), (1, 2, 3)), transparency=(1, 2, 3))
    assert first_pixel(Preparation(background="red").read(path)) == RED


def test_cmyk_jpeg_and_float_tiff(tmp_path: Path) -> None:
    cmyk = saved(tmp_path / "x.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0)), quality=100)
    assert np.abs(np.subtract(first_pixel(Preparation().read(cmyk)), RED)).max() <= 3
    floats = saved(tmp_path / "x.tif", Image.fromarray(np.full((2, 2), 0.4, dtype=np.float32)))
    assert first_pixel(Preparation(channels=1).read(floats)) == (102,)


def test_exif_orientation_is_applied_before_halves_are_taken(tmp_path: Path) -> None:
    pixels = np.zeros((4, 2, 3), dtype=np.uint8)
    pixels[:2] = RED
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = 6  # turned by a quarter: its top is to be shown at the right
    path = saved(tmp_path / "x.png", image, exif=exif)
    left, right = (Preparation().read(path, half) for half in ("left", "right"))
    assert left.shape == right.shape == (2, 2, 3)
    assert first_pixel(right) == RED
    assert first_pixel(left) == (0, 0, 0)


def test_halves_of_an_odd_width_are_equal_and_leave_out_the_middle() -> None:
    array = np.arange(5, dtype=np.uint8)[None].repeat(2, axis=0)
    one = Preparation(channels=1)
    assert one.from_array(array, "left")[0, :, 0].tolist() == [0, 1]
    assert one.from_array(array, "right")[0, :, 0].tolist() == [3, 4]
    with pytest.raises(GanvasError, match="two pictures side by side"):
        one.from_array(array[:, :1], "left")


@pytest.mark.parametrize(
    ("array", "channels", "expected"),
    [
        (np.full((2, 3), 7, np.uint8), 1, (7,)),
        (np.full((2, 3), 7, np.uint8), 3, (7, 7, 7)),
        (np.full((2, 3, 1), 7, np.uint8), 1, (7,)),
        (np.full((2, 3, 5), 7, np.uint8), 5, (7,) * 5),
        (np.full((2, 3, 2), 25_700, np.uint16), 2, (100, 100)),
        (np.full((2, 3, 3), 0.4, np.float32), 3, (102, 102, 102)),
        (np.full((2, 3, 6), 1.0, np.float16), 6, (255,) * 6),
        (np.ones((2, 3), np.bool_), 1, (255,)),
        (np.full((2, 3, 4), 0, np.uint8), 3, (255, 255, 255)),
    ],
)
def test_arrays_of_every_type(
    tmp_path: Path, array: npt.NDArray[Any], channels: int, expected: tuple[int, ...]
) -> None:
    np.save(tmp_path / "x.npy", array)
    pixels = Preparation(channels=channels).read(tmp_path / "x.npy")
    assert pixels.shape == (2, 3, channels)
    assert first_pixel(pixels) == expected
    assert size_of(tmp_path / "x.npy") == (3, 2)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((2, 2), np.int64), "type int64, expected uint8"),
        (np.full((2, 2), 1.5), "floats from 1.5 to 1.5"),
        (np.full((2, 2), np.nan), "nan"),
        (np.zeros(4, np.uint8), r"shape \(4,\)"),
        (np.zeros((2, 2, 2, 2), np.uint8), "expected .height, width."),
        (np.zeros((0, 2), np.uint8), "shape"),
        (np.zeros((2, 2, 5), np.uint8), "5 channels, expected 3"),
        (np.zeros((2, 2, 65), np.uint8), "at most 64 channels"),
    ],
)
def test_arrays_that_are_no_picture_say_why(tmp_path: Path, array: npt.NDArray[Any], said: str) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(GanvasError, match=said) as error:
        Preparation().read(tmp_path / "x.npy")
    assert "x.npy" in str(error.value)
    assert "\n" not in str(error.value)


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


@pytest.mark.parametrize("bare", [False, True])
def test_pickles_are_never_loaded(tmp_path: Path, bare: bool) -> None:
    trap = Trap(tmp_path / "sprung")
    if bare:  # np.load takes a file that is no array for a pickle, whatever its name.
        (tmp_path / "x.npy").write_bytes(pickle.dumps(trap))
    else:
        np.save(tmp_path / "x.npy", np.array([[trap]], dtype=object), allow_pickle=True)
    with pytest.raises(GanvasError, match=r"cannot read picture '.*x\.npy'"):
        Preparation().read(tmp_path / "x.npy")
    assert not trap.file.exists()


def test_an_array_cut_short_is_reported(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((50, 50, 3), np.uint8))
    whole = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(whole[:-100])
    with pytest.raises(GanvasError, match="cannot read picture"):
        Preparation().read(tmp_path / "x.npy")


def test_an_array_of_absurdly_many_channels_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "x.npy").open("wb") as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": (4, 4, 1 << 26)}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.truncate(stream.tell() + (1 << 30))  # Holes: as large as it says, and nothing on the disk.
    tracemalloc.start()
    try:
        with pytest.raises(GanvasError, match="at most 64 channels"):
            Preparation().read(tmp_path / "x.npy")
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()


def test_what_is_not_there_is_not_to_be_deleted(tmp_path: Path) -> None:
    for name in ("x.png", "x.npy"):
        with pytest.raises(GanvasError, match="No such file or directory; check the path") as error:
            load_picture(tmp_path / name)
        assert "delete" not in str(error.value)


def test_grey_pages_of_a_tiff_are_channels_where_as_many_are_wanted(tmp_path: Path) -> None:
    pages = [Image.new("L", (3, 2), value) for value in (1, 2, 3, 4, 5)]
    path = saved(tmp_path / "x.tif", pages[0], save_all=True, append_images=pages[1:])
    assert first_pixel(Preparation(channels=5).read(path)) == (1, 2, 3, 4, 5)
    assert first_pixel(Preparation(channels=1).read(path)) == (1,)


def test_a_tiff_that_pillow_cannot_read_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(GanvasError, match=r"save it as an \.npy array"):
        Preparation(channels=7).read(tiff_of_channels(tmp_path / "x.tif", 4, 7))
    assert Preparation(channels=1).read(tiff_of_channels(tmp_path / "y.tif", 4, 1)).shape == (4, 4, 1)


@pytest.mark.parametrize("limit", [90, 30])  # Pillow warns beyond its limit and refuses beyond twice of it.
def test_decompression_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    path = saved(tmp_path / "x.png", Image.new("L", (10, 10)))
    np.save(tmp_path / "x.npy", np.zeros((10, 10), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    for bomb in (path, tmp_path / "x.npy"):
        with pytest.raises(GanvasError, match=f"more than the {limit} pixels"):
            load_picture(bomb)


@pytest.mark.parametrize("damage", ["missing", "text", "cut"])
def test_damaged_files_are_named_in_one_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "x.png"
    if damage == "text":
        path.write_text("hello")
    elif damage == "cut":
        saved(path, Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)))
        path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(GanvasError, match=r"cannot read picture '.*x\.png'") as error:
        Preparation().read(path)
    assert "\n" not in str(error.value)


def test_other_channels_than_can_be_converted_name_what_was_found() -> None:
    with pytest.raises(GanvasError, match="'x' has 3 channels, expected 4"):
        Preparation(channels=4).from_pil(Image.new("RGB", (2, 2)), name="'x'")


def test_a_picture_in_memory_gives_what_its_file_gives(tmp_path: Path) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (9, 7, 4), np.uint8))
    path = saved(tmp_path / "x.png", image)
    preparation = Preparation(background="#336699")
    from_file = preparation.read(path)
    assert np.array_equal(preparation.from_pil(image), from_file)
    assert np.array_equal(preparation.from_array(np.asarray(image)), from_file)


def test_pictures_are_resized_with_antialiasing_but_for_nearest() -> None:
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)[:, :, None]
    for filter_name in ("bilinear", "bicubic", "lanczos"):
        small = Preparation(channels=1, resize=filter_name).resized(board, 16, 16)
        assert np.abs(small[2:-2, 2:-2].astype(int) - 128).max() <= 8, filter_name
    assert set(np.unique(Preparation(channels=1, resize="nearest").resized(board, 16, 16))) <= {0, 255}


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
def test_resizing_treats_every_channel_alone(channels: int) -> None:
    # As transparency, a fourth channel of zero would wipe out the others.
    pixels = np.zeros((8, 8, channels), np.uint8)
    pixels[:, :, 0] = 200
    done = Preparation(channels=channels).resized(pixels, 5, 6)
    assert done.shape == (5, 6, channels)
    assert (done[:, :, 0] == 200).all()
    assert not done[:, :, 1:].any()


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("shape", [(3, 17), (40, 9), (33, 33), (1, 1)])
def test_no_resize_of_a_label_map_makes_an_id_that_was_not_there(fit: Any, shape: tuple[int, int]) -> None:
    ids = np.random.default_rng(0).choice(np.array([0, 2, 9], np.uint8), (*shape, 1))
    maps = MAPS.model_copy(update={"fit": fit, "resize": "lanczos"})
    done = maps.fitted(ids, 24)
    assert done.shape == (24, 24, 1)
    assert set(np.unique(done)) <= set(np.unique(ids))


def test_fit_stretches_crops_or_pads() -> None:
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels[:, 2:6] = RED
    assert Preparation(fit="stretch", resize="nearest").fitted(pixels, 4)[0, :, 0].tolist() == [0, 255, 255, 0]
    assert (Preparation(fit="crop").fitted(pixels, 4) == np.array(RED)).all()
    padded = Preparation(fit="pad", background="blue").fitted(pixels, 8)
    assert (padded[:2] == np.array(BLUE)).all()
    assert (padded[6:] == np.array(BLUE)).all()
    assert np.array_equal(padded[2:6], pixels)


def test_padding_a_label_map_is_unlabelled_or_goes_on_with_the_edge() -> None:
    ids = np.array([[[1], [2]]], np.uint8)
    unlabelled = MAPS.model_copy(update={"fit": "pad", "ignore": 9}).fitted(ids, 2)
    assert unlabelled[:, :, 0].tolist() == [[1, 2], [9, 9]]
    assert MAPS.model_copy(update={"fit": "pad"}).fitted(ids, 2)[:, :, 0].tolist() == [[1, 2], [1, 2]]


def test_encoding_a_picture_spans_minus_one_to_one_and_leaves_the_batch_as_it_is() -> None:
    batch = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 1, 1, 3)
    encoded = Preparation(channels=1).encode(batch)
    assert torch.allclose(encoded.flatten(), torch.tensor([-1.0, -0.6, 1.0]))
    floats = batch.float()
    Preparation(channels=1).encode(floats)
    assert floats.flatten().tolist() == [0, 51, 255]


def test_encoding_a_label_map_is_one_hot_and_zero_where_ignored() -> None:
    ids = torch.tensor([[0, 1], [2, 2]], dtype=torch.uint8).view(1, 1, 2, 2)
    encoded = MAPS.encode(ids)
    assert encoded.dtype == torch.float32
    assert encoded.shape == (1, MAPS.encoded_channels, 2, 2)
    assert torch.equal(encoded[0].flatten(1), torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]]))
    ignoring = MAPS.model_copy(update={"ignore": 2}).encode(ids)
    assert torch.equal(ignoring.sum(1).flatten(), torch.tensor([1.0, 1, 0, 0]))
    beyond = MAPS.model_copy(update={"ignore": 255}).encode(torch.full((1, 1, 1, 1), 255, dtype=torch.uint8))
    assert not beyond.any()


def test_people_see_label_maps_in_their_colours() -> None:
    shown = MAPS.shown(np.array([0, 2, 255], np.uint8).reshape(1, 1, 3, 1))
    assert shown[0, 0].tolist() == [list(RED), list(BLUE), [0, 0, 0]]
    assert Preparation(channels=7).shown(np.zeros((2, 4, 4, 7), np.uint8)).shape == (2, 4, 4, 3)
    assert Preparation(channels=2).shown(np.zeros((2, 4, 4, 2), np.uint8)).shape == (2, 4, 4, 3)


def test_a_preparation_survives_json_and_refuses_nonsense() -> None:
    assert Preparation.model_validate_json(MAPS.model_dump_json()) == MAPS
    for wrong in ({"background": "no colour"}, {"channels": 0}, {"kind": "labels"}, {"colours": ((1, 2, 3),)}):
        with pytest.raises(ValueError, match="validation error"):
            Preparation.model_validate(wrong)


IDS = np.array([[0, 1, 2, 2]], np.uint8).repeat(3, axis=0)


@pytest.mark.parametrize("form", ["L", "P", "I;16", "npy", "RGB", "shuffled palette", "ids as RGB"])
def test_every_form_of_label_map_gives_the_same_ids(tmp_path: Path, form: str) -> None:
    path = tmp_path / "x.png"
    table = np.array(COLOURS, np.uint8)
    if form == "npy":
        path = tmp_path / "x.npy"
        np.save(path, IDS.astype(np.int64))
    elif form == "RGB":
        saved(path, Image.fromarray(table[IDS]))
    elif form == "ids as RGB":
        saved(path, Image.fromarray(IDS[:, :, None].repeat(3, axis=2)))
    elif form == "I;16":
        saved(path, Image.fromarray(IDS.astype(np.uint16)))
    else:
        # A palette of its own says nothing; one of the classes' colours in another order does.
        order = np.array([2, 0, 1]) if form == "shuffled palette" else np.arange(3)
        image = Image.fromarray(np.argsort(order).astype(np.uint8)[IDS])
        if form != "L":
            image = image.convert("L")
            image.putpalette((table[order] if form == "shuffled palette" else table // 3 + 70).flatten().tolist())
        saved(path, image)
    assert np.array_equal(MAPS.read(path)[:, :, 0], IDS)


def test_black_and_white_masks_are_taken_by_their_colours(tmp_path: Path) -> None:
    masks = MAPS.model_copy(update={"class_names": ("black", "white"), "colours": ((0, 0, 0), (255, 255, 255))})
    path = saved(tmp_path / "x.png", Image.fromarray(np.array([[255, 0]], np.uint8)))
    assert masks.read(path)[0, :, 0].tolist() == [1, 0]


def test_noisy_colours_of_jpeg_are_snapped_to_the_nearest(tmp_path: Path) -> None:
    palette = open_palette("camvid")
    table = np.array(palette.colours, np.uint8)
    ids = np.random.default_rng(0).integers(0, 12, (8, 8)).repeat(16, axis=0).repeat(16, axis=1)
    path = saved(tmp_path / "x.jpg", Image.fromarray(table[ids]), quality=80)
    noisy = np.asarray(Image.open(path).convert("RGB"))
    assert (noisy != table[ids]).mean() > 0.2, "the JPEG must be noisy for the test to mean anything"
    maps = Preparation(kind="labels", channels=1, class_names=palette.class_names, colours=palette.colours)
    found = maps.read(path)[:, :, 0]
    assert (found == ids).mean() > 0.95
    # Every pixel, by the plain definition.
    distances = ((noisy[:, :, None].astype(int) - table.astype(int)) ** 2).sum(-1)
    assert np.array_equal(found, distances.argmin(-1))


def test_a_photo_taken_for_a_label_map_is_far_from_the_palette() -> None:
    palette = open_palette("camvid")
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8))
    assert label_ids(photo, palette.colours, -1, "x").far_share > 0.3
    assert label_ids(photo.convert("RGB"), ((0, 0, 0), (255, 255, 255)), -1, "x").far_share > 0.3


@pytest.mark.parametrize("form", ["png", "npy"])
def test_reading_a_photo_as_a_label_map_is_refused_by_name(tmp_path: Path, form: str) -> None:
    names, colours = zip(*CAMVID, strict=True)
    maps = Preparation(kind="labels", channels=1, class_names=names, colours=colours)
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    path = tmp_path / f"x.{form}"
    if form == "npy":
        np.save(path, pixels)
    else:
        saved(path, Image.fromarray(pixels))
    with pytest.raises(GanvasError, match=r"label map '.*x\..*' looks like a photo: \d\d% of its pixels") as error:
        maps.read(path)
    assert "\n" not in str(error.value)


def test_snapping_a_large_map_takes_little_memory() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (400, 400, 3), np.uint8)
    colours = [(index, 255 - index, 7) for index in range(255)]
    image = Image.fromarray(pixels)
    tracemalloc.start()
    try:
        found = label_ids(image, colours, -1, "x")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 80e6, "all pixels times all colours at once would be 160 MB"
    assert np.array_equal(found.ids[0], snapped(pixels[0], colours)[0])


def test_ids_without_a_class_are_counted(tmp_path: Path) -> None:
    ids = np.zeros((4, 4), np.uint8)
    ids[0, :3], ids[1, 0] = 7, 200
    path = saved(tmp_path / "x.png", Image.fromarray(ids))
    with pytest.raises(GanvasError, match=r"x\.png' holds ids 7 \(3 pixels\), 200 \(1 pixels\), expected 0\.\.2"):
        MAPS.read(path)
    with pytest.raises(GanvasError, match=r"holds ids 7 \(3 pixels\), expected"):
        MAPS.model_copy(update={"ignore": 200}).read(path)


@pytest.mark.parametrize("array", [np.zeros((2, 2)), np.zeros((2, 2, 2), np.uint8)])
def test_what_is_no_label_map_says_so(array: npt.NDArray[Any]) -> None:
    with pytest.raises(GanvasError, match=r"label map the array is .*expected whole class ids"):
        MAPS.from_array(array)


def test_the_palette_of_camvid_has_its_twelve_classes() -> None:
    assert len(CAMVID) == 12
    assert open_palette("camvid").class_names[8] == "Car"
    assert open_palette("camvid").colours[4] == (60, 40, 222)


def test_a_palette_from_a_csv_keeps_the_order_of_its_ids(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("\ufeffname,red,green,blue\nwall,0,0,170\n창문,0,85,255\n", encoding="utf-8")
    palette = open_palette(str(path))
    assert palette.class_names == ("wall", "창문")
    assert palette.colours == ((0, 0, 170), (0, 85, 255))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,r,g,b\na,1,2,3\n", "has the columns name,r,g,b, expected name,red,green,blue"),
        ("", "columns nothing"),
        ("name,red,green,blue\n", "has 0 classes"),
        ("name,red,green,blue\na,1,2,256\n", "line 2: found 'a,1,2,256'"),
        ("name,red,green,blue\na,1,2\n", "line 2"),
        ("name,red,green,blue\na,1,2,3\na,4,5,6\n", "names class 'a' twice"),
    ],
)
def test_a_damaged_palette_names_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(GanvasError, match=said):
        open_palette(str(tmp_path / "p.csv"))


def test_an_unknown_palette_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="Did you mean 'camvid'"):
        open_palette("canvid")
