"""``ganvas data check`` and ``preview`` of pairs: every problem in one table, before training would meet it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from ganvas.cli.data import app
from ganvas.config import PairData
from ganvas.data.findings import CheckReport
from ganvas.data.label_maps import CAMVID
from ganvas.data.pairs import open_pairs
from ganvas.data.pairs.check import check_pairs
from ganvas.data.pairs.listing import looks_like_pairs
from ganvas.errors import GanvasError, UsageError

MAPS: dict[str, Any] = {"source": "labels", "palette": "camvid", "ignore": 11, "direction": "right-to-left"}
TABLE = np.array([colour for _, colour in CAMVID], np.uint8)


def run(*arguments: str | Path | int) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def checked(path: Path, **choices: Any) -> CheckReport:
    return check_pairs(path, PairData(path=str(path), **choices))


def found(report: CheckReport, severity: str) -> dict[str, str]:
    return {problem.file: problem.what for problem in report.problems if problem.severity == severity}


def noise(seed: int, shape: tuple[int, ...] = (12, 12, 3)) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def sketch(seed: int, side: int = 12) -> np.ndarray[Any, Any]:
    lines = np.random.default_rng(seed).random((side, side)) < 0.1
    return np.where(lines, 0, 255).astype(np.uint8)[:, :, None].repeat(3, axis=2)


def sketch_pairs(root: Path, count: int = 4) -> Path:
    """Sketches left, pictures in colour right, in train/ and test/."""
    for split, first in (("train", 0), ("test", 100)):
        (root / split).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            both = np.concatenate([sketch(first + number), noise(first + number)], axis=1)
            Image.fromarray(both).save(root / split / f"{number}.png")
    return root


def street_pairs(root: Path, *, index: bool = True) -> Path:
    """Photos in train/ and test/, their label maps in trainannot/ and testannot/."""
    for split, first in (("train", 0), ("test", 100)):
        for number in range(3):
            ids = np.random.default_rng(first + number).integers(0, 12, (4, 4), np.uint8)
            ids = ids.repeat(8, axis=0).repeat(8, axis=1)
            for folder, pixels in ((split, noise(first + number, (32, 32, 3))), (f"{split}annot", ids)):
                (root / folder).mkdir(parents=True, exist_ok=True)
                shown = TABLE[pixels] if folder.endswith("annot") and not index else pixels
                Image.fromarray(shown).save(root / folder / f"{number}.png")
    return root


def test_good_pairs_pass_and_are_counted(tmp_path: Path) -> None:
    result = run("check", sketch_pairs(tmp_path))
    assert result.exit_code == 0, result.stdout
    assert "pairs: side-by-side, 4 train, 0 val, 4 test" in result.stdout
    assert "sizes: 12 x 12" in result.stdout
    assert "ready to train" in result.stdout
    report = json.loads(run("check", tmp_path, "--json").stdout)
    assert report["ok"]
    assert report["kind"] == "pairs: side-by-side"
    assert report["counts"] == {"pairs": {"train": 4, "val": 0, "test": 4}}
    assert report["problems"] == []


def test_every_problem_is_in_one_table_and_the_exit_code_is_one(tmp_path: Path) -> None:
    for number in range(8):
        for folder, pixels in (("trainA", sketch(number)), ("trainB", noise(number))):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    a, b = tmp_path / "trainA", tmp_path / "trainB"
    (b / "1.png").unlink()
    (a / "2.png").write_bytes(b"broken")
    Image.fromarray(noise(3, (30, 12, 3))).save(b / "3.png")
    for side in (a, b):
        (side / "4.png").write_bytes((side / "5.png").read_bytes())
    (a / "6.png").write_bytes((b / "6.png").read_bytes())
    Image.fromarray(sketch(6)).save(b / "6.png")
    (b / "notes.txt").write_text("x")
    result = run("check", tmp_path)
    assert result.exit_code == 1
    for said in (
        "trainA/1.png  has no partner in 'trainB'",
        "trainA/2.png  cannot be read: not a picture in a known format",
        "trainA/3.png  source 12 x 12, target 12 x 30: different shapes",
        "trainA/5.png  the same pair as trainA/4.png",
        "trainA/6.png  its sides look exchanged",
        "trainB/notes.txt  no picture, not read",
        "training would fail",
    ):
        assert " ".join(said.split()) in " ".join(result.stdout.split()), said


def test_check_fails_exactly_when_opening_would(tmp_path: Path) -> None:
    bad: dict[str, np.ndarray[Any, Any]] = {
        "range": np.full((32, 32), 99, np.uint8),
        "kind": np.zeros((32, 32), np.float32),
    }

    def damage(root: Path, kind: str) -> None:
        file = root / "trainannot" / "1.png"
        if kind == "corrupt":
            (root / "train" / "1.png").write_bytes(b"x")
        elif kind == "photo":
            Image.fromarray(noise(5, (32, 32, 3))).save(file)
        elif kind != "good":
            file.unlink()
        if kind in bad:
            np.save(file.with_suffix(".npy"), bad[kind])

    for name in ("good", "corrupt", "photo", "unlabelled", *bad):
        root = street_pairs(tmp_path / name)
        damage(root, name)
        settings = PairData(path=str(root), **MAPS)
        try:
            open_pairs(settings, "train", side=16)
            opens = True
        except GanvasError:
            opens = False
        assert opens == (name == "good")
        assert check_pairs(root, settings).ok == opens, name


def test_ids_out_of_range_are_reported_with_file_and_count(tmp_path: Path) -> None:
    root = street_pairs(tmp_path)
    ids = np.zeros((32, 32), np.uint8)
    ids[0, :5] = 60
    Image.fromarray(ids).save(root / "trainannot" / "2.png")
    assert found(checked(root, **MAPS), "error") == {"trainannot/2.png": "holds ids 60 (5 pixels), expected 0..11"}


def test_the_share_of_unlabelled_pixels_is_reported(tmp_path: Path) -> None:
    root = street_pairs(tmp_path)
    Image.fromarray(np.full((32, 32), 11, np.uint8)).save(root / "trainannot" / "2.png")
    report = checked(root, **MAPS)
    assert found(report, "warning") == {"trainannot/2.png": "100% of its pixels are unlabelled (id 11)"}
    (note,) = found(report, "note").values()
    maps = [np.asarray(Image.open(path)) for path in root.glob("*annot/*.png")]
    assert note.startswith(f"{np.mean([ids == 11 for ids in maps]):.1%} of all pixels")


@pytest.mark.parametrize("index", [True, False])
def test_exchanged_sides_of_label_maps_are_one_warning(tmp_path: Path, index: bool) -> None:
    root = street_pairs(tmp_path, index=index)
    assert not found(checked(root, **MAPS), "warning")
    report = checked(root, **{**MAPS, "direction": "left-to-right"})
    warnings = found(report, "warning")
    assert list(warnings) == [str(root)]
    assert "the sides of 6 of 6 pairs look exchanged" in warnings[str(root)]
    errors = found(report, "error")
    assert list(errors) == [str(root)]
    assert "6 of 6 label maps look like photos" in errors[str(root)]
    remedies = " ".join(problem.remedy for problem in report.problems)
    assert "--direction" in remedies
    assert "--source" in remedies


def test_exchanged_sides_of_sketches_are_one_warning(tmp_path: Path) -> None:
    warnings = found(checked(sketch_pairs(tmp_path), direction="right-to-left"), "warning")
    assert warnings == {str(tmp_path): "the sides of 8 of 8 pairs look exchanged"}


def test_a_single_photo_among_label_maps_is_named(tmp_path: Path) -> None:
    root = street_pairs(tmp_path, index=False)
    Image.fromarray(noise(7, (32, 32, 3))).save(root / "trainannot" / "1.png")
    (error,) = found(checked(root, **MAPS), "error").items()
    assert error[0] == "trainannot/1.png"
    assert "looks like a photo" in error[1]
    assert "far from every colour of the palette" in error[1]


def test_a_map_with_some_foreign_colours_is_warned_about_and_no_photo(tmp_path: Path) -> None:
    root = street_pairs(tmp_path, index=False)
    with Image.open(root / "trainannot" / "1.png") as opened:
        partly = opened.convert("RGB")
    partly.paste((255, 255, 255), (0, 0, 32, 8))
    partly.save(root / "trainannot" / "1.png")
    report = checked(root, **MAPS)
    assert report.ok
    assert found(report, "warning") == {
        "trainannot/1.png": "25% of its pixels are far from every colour of the palette"
    }


def test_a_label_map_in_place_of_a_photo_is_named(tmp_path: Path) -> None:
    root = street_pairs(tmp_path)
    ids = np.random.default_rng(9).integers(0, 12, (32, 32))
    Image.fromarray(TABLE[ids]).save(root / "train" / "2.png")
    what = "looks like a label map, where a photo is expected"
    assert found(checked(root, **MAPS), "warning") == {"train/2.png": what}


def photo(seed: int, width: int, height: int) -> Image.Image:
    """Something with colours that change over all of it, as in a photo."""
    return Image.fromarray(noise(seed, (3, 6, 3))).resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("width", [64, 65])
def test_single_pictures_twice_as_wide_as_high_are_not_taken_for_pairs_in_silence(tmp_path: Path, width: int) -> None:
    for number in range(6):
        photo(number, width, 32).save(tmp_path / f"{number}.png")
    report = checked(tmp_path)
    assert report.kind == "pairs: side-by-side"
    (what,) = (what for file, what in found(report, "warning").items() if file == str(tmp_path))
    assert "6 of 6 pictures go on across their middle" in what
    assert any("--layout pictures" in problem.remedy for problem in report.problems)
    for told in ({"layout": "side-by-side"}, {"layout": "pictures"}):
        assert not found(checked(tmp_path, **told), "warning")
    (tmp_path / "layout.txt").write_text("pictures")
    assert checked(tmp_path).kind == "pairs: pictures"


def test_colour_pairs_side_by_side_are_no_single_pictures(tmp_path: Path) -> None:
    for number in range(6):
        both = Image.new("RGB", (64, 32))
        both.paste(photo(number, 32, 32), (0, 0))
        both.paste(photo(number, 32, 32).rotate(5).point(lambda value: value // 2), (32, 0))
        both.save(tmp_path / f"{number}.png")
        # Drawings on white: where they meet nothing is to be seen.
        (tmp_path / "white").mkdir(exist_ok=True)
        sheet = Image.new("RGB", (64, 32), "white")
        for left in (8, 40):
            sheet.paste(photo(number + left, 16, 16), (left, 8))
        sheet.save(tmp_path / "white" / f"{number}.png")
    report = checked(tmp_path, test_share=0.5)
    assert not found(report, "warning")
    assert "no half looks like a sketch of the other" in found(report, "note")[str(tmp_path)]


def test_pictures_that_no_row_of_a_table_names_are_noted(tmp_path: Path) -> None:
    for number in range(4):
        Image.fromarray(noise(number)).save(tmp_path / f"{number}.png")
    (tmp_path / "pairs.csv").write_text("source,target,split\n0.png,./1.png,train\n1.png,0.png,test\n")
    assert found(checked(tmp_path), "note") == {
        str(tmp_path): "2 pictures beside the table are in no pair, first 2.png"
    }


def test_duplicates_across_splits_spoil_the_test(tmp_path: Path) -> None:
    root = sketch_pairs(tmp_path)
    (root / "test" / "1.png").write_bytes((root / "train" / "1.png").read_bytes())
    warnings = found(checked(root), "warning")
    assert warnings == {"test/1.png": "the same pair as train/1.png, in the other split"}


def test_equal_shapes_of_other_size_are_only_noted_and_blank_sides_warned_about(tmp_path: Path) -> None:
    for folder, size in (("A", (12, 12)), ("B", (24, 24))):
        (tmp_path / folder).mkdir()
        for number in range(3):
            Image.fromarray(noise(number, (*size, 3))).save(tmp_path / folder / f"{number}.png")
    Image.new("RGB", (24, 24), "red").save(tmp_path / "B" / "2.png")
    report = checked(tmp_path, test_share=0.5)
    assert report.ok
    assert found(report, "note")["A/0.png"] == "source 12 x 12, target 24 x 24"
    assert found(report, "warning")["B/2.png"] == "the picture is of one single value"


def test_no_pairs_to_train_on_or_to_test_with_are_told_apart(tmp_path: Path) -> None:
    root = sketch_pairs(tmp_path)
    for file in (root / "test").iterdir():
        file.unlink()
    assert "there are no test pairs" in found(checked(root, test_share=0.0), "warning").values()
    (root / "train").rename(root / "val")
    assert "there are no train pairs" in found(checked(root), "error").values()


def test_classes_are_counted_and_those_without_training_pairs_warned_about(tmp_path: Path) -> None:
    for place in ("train/day/1", "train/night/1", "test/day/2", "test/dusk/3"):
        path = tmp_path / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.concatenate([sketch(len(place)), noise(len(place))], axis=1)).save(path)
    result = run("check", tmp_path, "--labels", "folder")
    assert "3 classes, 2 train, 0 val, 2 test" in result.stdout
    assert "dusk" in result.stdout
    assert "the class has no train pairs" in result.stdout
    assert result.exit_code == 0


def test_pictures_alone_are_checked_as_such(tmp_path: Path) -> None:
    for number in range(4):
        Image.fromarray(noise(number % 3)).save(tmp_path / f"{number}.png")
    report = checked(tmp_path, test_share=0.5)
    assert report.kind == "pairs: pictures"
    assert report.sizes == {"12 x 12": 4}
    duplicate = {**found(report, "note"), **found(report, "warning")}["3.png"]
    assert duplicate.startswith("the same picture as 0.png")


def test_small_pictures_are_noted_for_a_size(tmp_path: Path) -> None:
    result = run("check", sketch_pairs(tmp_path), "--size", "64")
    assert "16 pictures are smaller than 64" in result.stdout


@pytest.mark.parametrize(
    ("files", "pairs"),
    [
        (("A/1.png", "B/1.png"), True),
        (("A/1.png", "B/1.png", "C/1.png"), False),
        (("trainA/1.png", "trainB/1.png"), True),
        (("train/1.png", "test/1.png"), True),
        (("train/1.png", "trainannot/1.png"), True),
        (("archive/train/1.png",), True),
        (("cats/1.png", "dogs/1.png"), False),
        (("train/cats/1.png", "test/cats/1.png"), False),
        (("pets/1.png",), False),
        (("1.png", "2.png"), True),
        (("pairs.csv", "cats/1.png"), True),
    ],
)
def test_folders_are_told_apart_from_classes(tmp_path: Path, files: tuple[str, ...], pairs: bool) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 2)).save(tmp_path / name, format="PNG")
    assert looks_like_pairs(tmp_path) == pairs


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("1.png", ["--labels", "group"], "(--labels) is group"),
        ("pairs.csv", ["--labels", "folder"], "(--labels) is folder"),
        ("1.png", ["--source", "labels", "--palette", "camvid"], "(--layout)"),
    ],
)
def test_messages_name_the_option_of_the_command_too(
    tmp_path: Path, name: str, arguments: list[str], said: str
) -> None:
    Image.fromarray(noise(1)).save(tmp_path / "1.png")
    if name == "pairs.csv":
        (tmp_path / name).write_text("source,target\n1.png,1.png\n")
    error = run("check", tmp_path, *arguments).exception
    assert isinstance(error, GanvasError)
    assert said in str(error)


def test_options_for_pairs_decide_over_what_is_there(tmp_path: Path) -> None:
    for name in ("cats/1.png", "dogs/1.png"):
        (tmp_path / name).parent.mkdir()
        Image.fromarray(noise(len(name))).save(tmp_path / name)
    assert "class folders, 2 classes" in run("check", tmp_path).stdout
    assert "pairs: pictures, 2 classes" in run("check", tmp_path, "--layout", "pictures", "--labels", "folder").stdout


def test_channels_of_pairs_have_options_of_their_own(tmp_path: Path) -> None:
    for folder, channels in (("A", 5), ("B", 1)):
        (tmp_path / folder).mkdir()
        for number in range(2):
            np.save(tmp_path / folder / f"{number}.npy", noise(number, (8, 8, channels)))
    assert "has 5 channels, expected 3" in run("check", tmp_path).stdout
    assert run("check", tmp_path, "--source-channels", "5", "--target-channels", "1").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "--direction", "right-to-left"], "give the PATH"),
        (["check", "PAIRS", "--channels", "3"], "--source-channels"),
        (["check", "PAIRS", "--direction", "up"], "--direction"),
        (["check", "PAIRS", "--layout", "heap"], "--layout"),
        (["preview", "PAIRS", "--out", "x.png", "--source", "photo"], "--source"),
    ],
)
def test_wrong_options_are_wrong_usage(tmp_path: Path, arguments: list[str], said: str) -> None:
    root = str(sketch_pairs(tmp_path))
    result = run(*[root if argument == "PAIRS" else argument for argument in arguments])
    assert result.exit_code == 2
    assert said in result.output


def test_preview_shows_source_and_target_beside_each_other(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for number in range(3):
        image = Image.new("RGB", (200, 100), "black")
        image.paste((255, 0, 0), (100, 0, 200, 100))
        (root / "train").mkdir(parents=True, exist_ok=True)
        image.save(root / "train" / f"{number}.png")
    (root / "test").mkdir()
    image.save(root / "test" / "9.png")
    result = run("preview", root, "--out", tmp_path / "a.png", "--count", "2", "--size", "96")
    assert result.exit_code == 0, result.output
    assert "2 of 3 pairs" in result.stderr
    assert result.stdout.strip() == str(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as sheet:
        row = np.asarray(sheet.convert("RGB"))[40].tolist()
    assert row.index([0, 0, 0]) < row.index([255, 0, 0])
    turned = run("preview", root, "--out", tmp_path / "b.png", "--direction", "right-to-left", "--test")
    assert "1 of 1 pairs" in turned.stderr
    with Image.open(tmp_path / "b.png") as sheet:
        row = np.asarray(sheet.convert("RGB"))[40].tolist()
    assert row.index([255, 0, 0]) < row.index([0, 0, 0])


def test_what_is_read_and_shown_follows_the_options_of_a_recipe(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    for number in range(8):
        image = Image.new("RGBA", (60, 30), (0, 0, 0, 0))
        image.paste((255, 0, 0, 255), (20, 5, 40, 25))
        image.putpixel((number, 0), (9, 9, 9, 255))
        image.save(root / f"{number}.png")

    def colours(*options: str) -> set[tuple[int, ...]]:
        out = tmp_path / "sheet.png"
        result = run("preview", root, "--out", out, "--layout", "pictures", "--size", "96", "--count", 1, *options)
        assert result.exit_code == 0, result.output
        with Image.open(out) as sheet:
            return {tuple(colour) for colour in np.asarray(sheet.convert("RGB")).reshape(-1, 3).tolist()}

    assert (0, 0, 255) in colours("--background", "#0000ff") - colours()
    assert (76, 76, 76) in colours("--sketch", "luminance") - colours()  # 0.299 * 255
    assert len({frozenset(colours("--resize", resize)) for resize in ("nearest", "bilinear", "bicubic")}) == 3
    assert "each is fitted" not in run("check", root, "--fit", "crop").stdout
    shares = [run("check", root, "--layout", "pictures", "--test-share", share).stdout for share in ("0", "0.99")]
    assert "8 train, 0 val, 0 test" in shares[0]
    assert "8 train" not in shares[1]
    assert run("check", root, "--test-share", "1").exit_code == 2
    assert isinstance(run("check", root, "--background", "whitish").exception, UsageError)


def test_preview_shows_label_maps_in_their_colours(tmp_path: Path) -> None:
    root = street_pairs(tmp_path / "data")
    for name in ("train", "test"):
        for file in (root / f"{name}annot").iterdir():
            Image.fromarray(np.full((32, 32), 3, np.uint8)).save(file)
    options = ["--source", "labels", "--palette", "camvid", "--direction", "right-to-left"]
    result = run("preview", root, "--out", tmp_path / "x.png", *options)
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "x.png") as sheet:
        assert [128, 64, 128] in np.asarray(sheet.convert("RGB"))[40].tolist()


def test_preview_of_an_empty_split_points_to_the_check(tmp_path: Path) -> None:
    root = sketch_pairs(tmp_path)
    for file in (root / "test").iterdir():
        file.unlink()
    (root / "val").mkdir()
    (root / "train" / "1.png").rename(root / "val" / "1.png")
    error = run("preview", root, "--out", tmp_path / "x.png", "--test").exception
    assert isinstance(error, GanvasError)
    assert "no test pairs" in str(error)
    assert f"ganvas data check {root}" in str(error)
