"""Sketches from pictures, their variation in training, and ``ganvas data pairs``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
import typer
from PIL import Image, ImageDraw
from scipy import ndimage

from ganvas.cli.pairs import pairs
from ganvas.data.line_variation import open_outlines, vary_lines
from ganvas.data.sketches import Method, draw_sketch
from ganvas.errors import GanvasError, UsageError
from ganvas.pictures import Pixels, read_picture

LINES: tuple[Method, ...] = ("xdog", "gradient")


def cartoon(side: int = 128, *, width: float = 3.5, fill: str = "#f4aa41") -> Pixels:
    """An outlined disc on white, as illustrators draw: drawn at four times the side and averaged."""
    large = Image.new("RGB", (side * 4, side * 4), "white")
    box = tuple(round(share * side * 4) for share in (0.2, 0.2, 0.8, 0.8))
    pen = round(width * side * 4 / 128)
    ImageDraw.Draw(large).ellipse(box, fill=fill, outline="black", width=pen)
    return np.asarray(large.resize((side, side), Image.Resampling.BOX))


def ink(sketch: Pixels) -> npt.NDArray[np.bool_]:
    assert sketch.shape[2] == 1
    return sketch[:, :, 0] < 128


def coverage(sketch: Pixels, truth: npt.NDArray[np.bool_], tolerance: int = 1) -> tuple[float, float]:
    """Share of the ink that lies on the truth, and of the truth that is ink, each give or take some pixels."""
    drawn = ink(sketch)
    square = np.ones((2 * tolerance + 1,) * 2, dtype=bool)
    precise = (drawn & ndimage.binary_dilation(truth, square)).sum() / max(1, drawn.sum())
    recalled = (truth & ndimage.binary_dilation(drawn, square)).sum() / truth.sum()
    return float(precise), float(recalled)


@pytest.mark.parametrize("method", LINES)
@pytest.mark.parametrize("side", [64, 128, 400])
def test_outline_becomes_one_closed_line_where_it_was(method: Method, side: int) -> None:
    picture = cartoon(side)
    sketch = draw_sketch(picture, method)
    assert sketch.shape == (side, side, 1)
    truth = picture.max(axis=2) < 100
    precision, recall = coverage(sketch, truth, tolerance=max(1, side // 64))
    assert precision > 0.95
    assert recall > 0.95
    # One line, not the two edges of the outline; and closed: it parts the paper in an inside and an outside.
    assert ink(sketch).sum() == pytest.approx(truth.sum(), rel=0.25)
    assert ndimage.label(ink(sketch), np.ones((3, 3)))[1] == 1
    assert ndimage.label(~ink(sketch))[1] == 2


@pytest.mark.parametrize("method", LINES)
def test_flat_colour_and_noise_nobody_sees_are_left_white(method: Method) -> None:
    flat = np.full((90, 130, 3), (40, 90, 200), dtype=np.uint8)
    noisy = flat + np.random.default_rng(0).integers(0, 4, flat.shape, dtype=np.uint8)
    for picture in (flat, noisy, np.zeros_like(flat), np.full_like(flat, 255)):
        assert draw_sketch(picture, method).min() > 250


def test_gradient_finds_the_border_of_colours_of_one_brightness() -> None:
    picture = np.zeros((128, 128, 3), dtype=np.uint8)
    picture[:, :64] = (100, 40, 230)  # luma 79.6, and as much red
    picture[:, 64:] = (100, 80, 24)  # luma 79.6
    assert np.ptp(draw_sketch(picture, "luminance").astype(int)) <= 1
    columns = np.flatnonzero(ink(draw_sketch(picture, "gradient")).mean(axis=0) > 0.9)
    assert len(columns)
    assert 61 <= columns.min() <= columns.max() <= 66


def test_dark_picture_is_drawn_in_lines_not_filled_with_ink() -> None:
    night = (cartoon(fill="#888888") // 6).astype(np.uint8)
    assert night.max() < 50
    sketch = draw_sketch(night, "xdog")
    assert coverage(sketch, night.max(axis=2) < 14)[1] > 0.95
    assert ink(sketch).mean() < 0.15


def test_small_black_shape_stays_black() -> None:
    face = cartoon().copy()
    face[60:68, 60:68] = 0
    assert ink(draw_sketch(face, "xdog"))[61:67, 61:67].all()


@pytest.mark.parametrize("method", LINES)
def test_line_width_is_a_share_of_the_picture(method: Method) -> None:
    shares = [ink(draw_sketch(cartoon(side), method)).mean() for side in (128, 512)]
    assert shares[1] == pytest.approx(shares[0], rel=0.12)


@pytest.mark.parametrize("method", ["xdog", "gradient", "luminance"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (150, 40)])
def test_any_shape_is_drawn_in_its_own_size_and_the_same_twice(method: Method, shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    sketch = draw_sketch(picture, method)
    assert sketch.shape == (*shape, 1)
    assert sketch.dtype == np.uint8
    assert np.array_equal(sketch, draw_sketch(picture, method))


def test_luminance_is_pillows_grey() -> None:
    picture = np.random.default_rng(2).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    grey = np.asarray(Image.fromarray(picture).convert("L")).astype(int)
    assert np.abs(draw_sketch(picture, "luminance")[:, :, 0] - grey).max() <= 1


def test_other_arrays_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(H, W, 3\)"):
        draw_sketch(np.zeros((8, 8, 1), dtype=np.uint8), "xdog")


# Variation of lines


def sketches(count: int, side: int = 64, channels: int = 1) -> torch.Tensor:
    lines = draw_sketch(cartoon(side), "xdog").astype(np.float32) / 127.5 - 1
    return torch.from_numpy(lines).permute(2, 0, 1).repeat(count, channels, 1, 1)


def test_lines_vary_from_picture_to_picture_and_some_stay() -> None:
    torch.manual_seed(0)
    given = sketches(64)
    before = given.clone()
    varied, _ = vary_lines(given, given)
    assert torch.equal(given, before)
    untouched = (varied == given).flatten(1).all(1)
    assert 0.3 < untouched.float().mean() < 0.7
    assert len({picture.numpy().tobytes() for picture in varied[~untouched]}) == int((~untouched).sum())
    amount = (1 - varied[~untouched]).mean((1, 2, 3))
    assert amount.max() > 1.8 * amount.min()


@pytest.mark.parametrize("channels", [1, 3])
def test_varied_lines_keep_range_shape_and_white_paper(channels: int) -> None:
    torch.manual_seed(1)
    given = sketches(16, channels=channels)
    varied, _ = vary_lines(given, given)
    assert varied.shape == (16, channels, 64, 64)
    assert varied.min() >= -1
    assert varied.max() <= 1
    assert torch.allclose(varied, varied[:, :1].expand_as(varied), atol=1e-6)
    white = torch.ones(4, channels, 48, 80)
    assert torch.allclose(vary_lines(white, white)[0], white, atol=1e-5)


@pytest.mark.parametrize("side", [64, 128])
def test_varied_lines_stay_near_the_colours_they_border(side: int) -> None:
    torch.manual_seed(2)
    given = sketches(32, side)
    # 2.5 pixels of 128 of wobble (3.6 across a diagonal) and one of thickness.
    reach = round(3.6 * side / 128) + 1
    near = ndimage.binary_dilation(given[0, 0].numpy() < 0, np.ones((3, 3)), reach)
    far_ink = (1 - vary_lines(given, given)[0][:, 0])[:, torch.from_numpy(~near)]
    assert far_ink.max() < 0.5


def test_pictures_waver_with_their_sketches_and_are_changed_in_no_other_way() -> None:
    torch.manual_seed(4)
    side = 128
    given = sketches(32, side)
    # A ramp of each coordinate tells where a pixel came from, and the sketch itself where the lines went.
    ramp = torch.linspace(-1, 1, side)
    places = torch.stack([ramp.expand(side, side), ramp[:, None].expand(side, side)])
    pictures = torch.cat([places.repeat(32, 1, 1, 1), given], dim=1)
    varied, wavering = vary_lines(given, pictures)
    touched = (varied != given).flatten(1).any(1)
    assert torch.equal(wavering[~touched], pictures[~touched])
    moved = (wavering - pictures)[touched, :2].abs() * (side - 1) / 2
    assert 0.5 < moved.max() < 2.6
    for sketch, lines in zip(varied[touched], wavering[touched, 2], strict=True):
        near = ndimage.binary_dilation(lines.numpy() < 0.99, np.ones((3, 3)))
        assert sketch[0][torch.from_numpy(~near)].min() > 0.98


@pytest.mark.parametrize("change", [vary_lines, open_outlines])
def test_changed_lines_come_from_the_global_generator(
    change: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]],
) -> None:
    given = sketches(8)
    torch.manual_seed(3)
    first, _ = change(given, given)
    second, _ = change(given, given)
    torch.manual_seed(3)
    assert torch.equal(change(given, given)[0], first)
    assert not torch.equal(second, first)


LEFT, RIGHT = (0.6, -0.9, -0.7), (-0.2, 0.4, 0.9)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("side", "width", "stays"), [(64, 3, False), (128, 6, False), (128, 7, True), (128, 20, True)])
def test_where_outlines_are_left_open_colour_takes_the_place_of_a_line(
    side: int, width: int, stays: bool, transposed: bool
) -> None:
    torch.manual_seed(5)
    columns = torch.arange(2 * side)
    # Dark red on the left and light blue on the right, between them a line; the picture alone has a second one.
    line = (columns >= side) & (columns < side + width)
    halves = [torch.where(columns < side, *levels) for levels in zip(LEFT, RIGHT, strict=True)]
    unlined = torch.stack([half.expand(side, 2 * side) for half in halves])
    lined = torch.where(line, -1.0, unlined)
    without = torch.where(columns < side + width, torch.tensor(LEFT)[:, None, None], unlined)
    only_there = (columns >= side // 2) & (columns < side // 2 + width)
    lined, without = (torch.where(only_there, -1.0, picture) for picture in (lined, without))
    sketch = torch.where(line, -1.0, 1.0).expand(1, side, 2 * side)
    if transposed:
        sketch, lined, without = (picture.mT for picture in (sketch, lined, without))
    sketches, pictures = (picture.repeat(64, 1, 1, 1) for picture in (sketch, lined))
    before = sketches.clone(), pictures.clone()
    opened, coloured = open_outlines(sketches, pictures)
    assert torch.equal(sketches, before[0])
    assert torch.equal(pictures, before[1])
    left_out = (opened != sketches).any(dim=1, keepdim=True)
    assert left_out.any() != stays
    assert (opened[left_out] == 1).all()
    assert torch.equal(coloured, torch.where(left_out, without, pictures))


def test_of_a_faint_line_the_soft_edges_go_too() -> None:
    torch.manual_seed(8)
    sketches, pictures = torch.ones(64, 1, 128, 128), torch.ones(64, 3, 128, 128)
    sketches[..., 62:65] = -0.1  # the faintest that varied lines get
    pictures[..., 61:66] = 0.5
    pictures[..., 62:65] = -1.0
    opened, coloured = open_outlines(sketches, pictures)
    gone = (opened == 1)[..., 63]
    assert gone.any()
    # Near the tips of an ellipse an edge may lie outside of it.
    assert (coloured[:, :1, :, 61:66] == 1).all(-1)[gone].float().mean() > 0.8


def test_half_of_the_outlines_are_left_whole() -> None:
    torch.manual_seed(7)
    given = sketches(256)
    opened, _ = open_outlines(given, given)
    assert 0.35 < (opened != given).flatten(1).any(1).float().mean() < 0.55


def test_open_outlines_lie_in_other_places_each_time() -> None:
    # Ink with a dot of paper every three pixels is nowhere too wide for a line.
    given = -torch.ones(256, 1, 64, 96)
    given[..., ::3, ::3] = 1
    torch.manual_seed(6)
    opened, _ = open_outlines(given, given)
    left_out = (opened != given).flatten(1)
    shapes = {picture.numpy().tobytes() for picture in left_out[left_out.any(1)]}
    assert len(shapes) == int(left_out.any(1).sum()) > 80
    # At most three ellipses of half axes up to 8 pixels of 64, everywhere.
    assert left_out.sum(1).max() <= 3 * 3.15 * 8.5**2
    assert left_out.any(0)[given[0].flatten() < 0].float().mean() > 0.9


def test_enlarging_by_products_is_torchs_bicubic() -> None:
    from ganvas.data.line_variation import _enlarged, _largest_around

    coarse = torch.randn(2, 2, 5, 7, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.interpolate(coarse, (33, 40), mode="bicubic", align_corners=True)
    assert torch.allclose(_enlarged(coarse, 33, 40), expected, atol=1e-5)
    assert torch.equal(_largest_around(coarse, 2), torch.nn.functional.max_pool2d(coarse, 5, 1, 2))


# ganvas data pairs


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A train and a test picture of different sizes and kinds."""
    for name, size in (("train/a.jpg", (40, 30)), ("test/b.png", (25, 50))):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(cartoon(64)).resize(size).save(path)
    return tmp_path / "pictures"


def test_pairs_hold_sketch_left_and_picture_right(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = pictures.parent / "pairs"
    pairs(pictures, out)
    assert capsys.readouterr().out.strip() == str(out)
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert files == ["layout.txt", "test/b.png", "train/a.png"]
    both = np.asarray(read_picture(out / "test/b.png"))
    assert both.shape == (50, 50, 3)
    colour = np.asarray(read_picture(pictures / "test/b.png"))
    assert np.array_equal(both[:, 25:], colour)
    assert np.array_equal(both[:, :25], np.repeat(draw_sketch(colour, "xdog"), 3, axis=2))


def test_pairs_as_folders_and_in_another_size(pictures: Path) -> None:
    out = pictures.parent / "pairs"
    pairs(pictures, out, method="gradient", size=20, layout="folders")
    for side in ("A", "B"):
        assert read_picture(out / side / "train/a.png").size == (27, 20)
        assert read_picture(out / side / "test/b.png").size == (20, 40)
    assert len(list(out.rglob("*.png"))) == 4


@pytest.mark.parametrize("layout", ["side-by-side", "folders"])
def test_pairs_can_be_trained_on(pictures: Path, layout: str) -> None:
    from ganvas.config import PairData
    from ganvas.data.pairs import open_pairs

    out = pictures.parent / "pairs"
    pairs(pictures, out, layout=layout)  # type: ignore[arg-type]
    data = open_pairs(PairData(path=str(out), size=32), "test")
    assert data.sources.shape == data.targets.shape == (1, 3, 32, 32)
    assert np.ptp(data.sources, axis=1).max() == 0
    assert np.ptp(data.targets, axis=1).max() > 50


def test_corrupt_picture_is_named_and_the_rest_is_drawn(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pictures / "train/0.png").write_bytes(b"no picture")
    out = pictures.parent / "pairs"
    with pytest.raises(GanvasError, match="1 of 3 pictures"):
        pairs(pictures, out)
    captured = capsys.readouterr()
    assert f"'{pictures / 'train/0.png'}'" in captured.err
    assert captured.out.strip() == str(out)
    assert sorted(path.name for path in out.rglob("*.png")) == ["a.png", "b.png"]


def test_full_disk_or_closed_folder_ends_it(pictures: Path) -> None:
    blocked = pictures.parent / "file"
    blocked.write_text("in the way")
    with pytest.raises(GanvasError, match="cannot write"):
        pairs(pictures, blocked / "pairs")


@pytest.mark.parametrize("place", [".", "pairs", ".."])
def test_pairs_are_not_written_among_the_pictures(pictures: Path, place: str) -> None:
    before = sorted(pictures.rglob("*"))
    with pytest.raises(UsageError, match="--out"):
        pairs(pictures, pictures / place)
    assert sorted(pictures.rglob("*")) == before


def test_pictures_of_one_name_and_two_kinds_are_refused(pictures: Path) -> None:
    Image.new("RGB", (8, 8)).save(pictures / "train/A.png")
    out = pictures.parent / "pairs"
    with pytest.raises(UsageError, match=r"A\.png.*a\.jpg|a\.jpg.*A\.png"):
        pairs(pictures, out)
    assert not out.exists()


def test_nothing_to_draw_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(GanvasError, match="no pictures in"):
        pairs(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(UsageError, match="not a folder"):
        pairs(tmp_path / "absent", tmp_path / "out")


def test_help_of_pairs_has_an_example_and_its_options() -> None:
    app = typer.Typer()
    app.command()(pairs)
    command = typer.main.get_command(app)
    assert "Example: ganvas data pairs" in (command.help or "")
    assert {parameter.name for parameter in command.params} >= {"pictures", "out", "method", "size", "layout"}
