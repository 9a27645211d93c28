"""Listing, opening and batching pairs: every layout that people have, and what goes wrong with it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.config import PairData
from ganvas.data.label_maps import CITYSCAPES
from ganvas.data.pairs import PairBatches, PairImages, list_pairs, load_side, open_pairs
from ganvas.data.pairs.listed import held_out
from ganvas.errors import GanvasError, UsageError

LEFT, RIGHT = (10, 20, 30), (200, 100, 50)


def picture(path: Path, colour: tuple[int, ...] = LEFT, size: tuple[int, int] = (8, 8)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB" if len(colour) == 3 else "L", size, colour if len(colour) == 3 else colour[0]).save(path)
    return path


def side_by_side(path: Path, left: tuple[int, ...] = LEFT, right: tuple[int, ...] = RIGHT, side: int = 8) -> Path:
    image = Image.new("RGB", (2 * side, side), left)
    image.paste(right, (side, 0, 2 * side, side))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=100, subsampling=0)  # of JPEG alone
    return path


def settings(path: Path | str, **choices: Any) -> PairData:
    return PairData(path=str(path), **choices)


def opened(path: Path, split: Any = "train", side: int = 8, cache: Path | None = None, **choices: Any) -> PairImages:
    return open_pairs(settings(path, **{"test_share": 0.0, **choices}), split, side=side, cache=cache)


def names(path: Path, split: Any = "train", **choices: Any) -> list[str]:
    return [pair.name for pair in list_pairs(path, settings(path, **choices)).of(split)]


def assert_sides(images: PairImages, source: tuple[int, ...], target: tuple[int, ...], tolerance: int = 0) -> None:
    for side, colour in ((images.sources, source), (images.targets, target)):
        assert np.abs(side.astype(int) - np.array(colour).reshape(1, 3, 1, 1)).max() <= tolerance


def refused(path: Path, **choices: Any) -> str:
    with pytest.raises(GanvasError) as error:
        opened(path, **choices)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("above", ["", "pokemon_pix2pix_dataset", "archive/pokemon_pix2pix_dataset"])
def test_sketch2pokemon_is_read_as_it_is_also_from_a_folder_above(tmp_path: Path, above: str) -> None:
    for number in (1, 2, 10):
        side_by_side(tmp_path / above / "train" / f"{number}.jpg", side=16)
    side_by_side(tmp_path / above / "test" / "3.jpg", side=16)
    assert list_pairs(tmp_path, settings(tmp_path)).layout == "side-by-side"
    assert names(tmp_path) == ["1", "2", "10"]
    assert names(tmp_path, "test") == ["3"]
    assert names(tmp_path, "val") == []
    assert_sides(opened(tmp_path), LEFT, RIGHT, tolerance=8)
    assert_sides(opened(tmp_path, direction="right-to-left"), RIGHT, LEFT, tolerance=8)


def test_what_training_leaves_out_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for side in ("A", "B"):
        (tmp_path / side).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / side / "1.png")
        (tmp_path / side / "notes.txt").write_text("")
    opened(tmp_path, split="test")
    assert caplog.messages == []
    opened(tmp_path)
    (told,) = caplog.messages
    assert told.startswith("left out of training: 'A/notes.txt' and 1 more (no picture, not read).")
    assert "ganvas data check" in told


def test_the_archive_of_cityscapes_is_read_by_its_noisy_colours(tmp_path: Path) -> None:
    """Photo left, colours of the classes right, in one JPEG, whose colours come out near the palette's."""
    ids = np.repeat(np.repeat(np.array([[0, 10], [13, 8]]), 32, axis=0), 32, axis=1)
    colours = np.array([colour for _, colour in CITYSCAPES], dtype=np.uint8)
    photo = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    (tmp_path / "train").mkdir()
    pair = Image.fromarray(np.concatenate([photo, colours[ids]], axis=1))
    pair.save(tmp_path / "train" / "1.jpg", quality=90)
    read = opened(tmp_path, side=64, direction="right-to-left", source="labels", palette="cityscapes", ignore=28)
    away = np.abs(np.arange(64) % 32 - 15.5) < 8  # from the borders, where JPEG blends
    assert np.array_equal(read.sources[0, 0][np.ix_(away, away)], ids[np.ix_(away, away)])
    assert read.source_preparation.class_names[13] == "car"


def test_the_archives_of_pix2pix_have_three_splits(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        side_by_side(tmp_path / split / f"{split}1.jpg")
    assert [names(tmp_path, split) for split in ("train", "val", "test")] == [["train1"], ["val1"], ["test1"]]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("A/{}.png", "B/{}.png"),
        ("a/{}.png", "b/{}.jpg"),
        ("source/{}.png", "target/{}.png"),
        ("A/train/{}.png", "B/train/{}.png"),
        ("train/A/{}.png", "train/B/{}.png"),
        ("trainA/{}_A.png", "trainB/{}_B.png"),
        ("trainA/{}.png", "trainB/{}.png"),
        ("train/{}.png", "trainannot/{}.png"),
    ],
)
def test_two_folders_are_matched_by_name_stem_or_mark(tmp_path: Path, left: str, right: str) -> None:
    for number in (9, 10):
        picture(tmp_path / left.format(number))
        picture(tmp_path / right.format(number), RIGHT)
    listing = list_pairs(tmp_path, settings(tmp_path, test_share=0.0))
    assert listing.layout == "folders"
    assert [pair.name for pair in listing.pairs] == ["9", "10"]
    assert not listing.problems
    images = opened(tmp_path, test_share=0.0)
    assert images.names == ("9", "10")
    assert_sides(images, LEFT, RIGHT, tolerance=1)
    assert_sides(opened(tmp_path, direction="right-to-left"), RIGHT, LEFT, tolerance=1)


@pytest.mark.parametrize("form", ["{0}A {0}B", "A/{0} B/{0}", "{0} {0}annot", "{0}/A {0}/B"])
def test_splits_of_two_folders_come_from_their_names(tmp_path: Path, form: str) -> None:
    for split in ("train", "val", "test"):
        for folder in form.format(split).split():
            picture(tmp_path / folder / f"{split}.png")
    assert [names(tmp_path, split) for split in ("train", "val", "test")] == [["train"], ["val"], ["test"]]


def test_names_that_end_in_a_mark_by_themselves_stay_whole(tmp_path: Path) -> None:
    for side in "AB":
        picture(tmp_path / side / "vitamin_a.png")
        picture(tmp_path / side / "vitamin_b.png")
    assert names(tmp_path, test_share=0.0) == ["vitamin_a", "vitamin_b"]


def test_a_table_is_relative_to_itself_and_names_splits_and_classes(tmp_path: Path) -> None:
    for name in ("s/1.png", "s/2.png"):
        picture(tmp_path / name)
        picture(tmp_path / name.replace("s/", "t/"), RIGHT)
    (tmp_path / "pairs.csv").write_text(
        "source,target,split,label\ns/1.png,t/1.png,train,night\ns/2.png,t/2.png,val,day\n\n", encoding="utf-8-sig"
    )
    for given in (tmp_path, tmp_path / "pairs.csv"):
        images = opened(given, labels="group")
        assert images.names == ("s/1",)
        assert images.class_names == ("day", "night")
        assert images.labels.tolist() == [1]
        assert_sides(images, LEFT, RIGHT)
        assert names(given, "val") == ["s/2"]
    assert_sides(opened(tmp_path, direction="right-to-left"), RIGHT, LEFT)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("from,to\n1,2\n", "no column source (found from,to)"),
        ("", "found nothing"),
        ("source,target\n1.png,no.png\n", "line 2' names 'no.png', which is not there"),
        ("source,target\n1.png,\n", "line 2' has no target"),
        ("source,target,split\n1.png,1.png,learn\n", "has split 'learn', expected train, val, test"),
        ("source,target\n", "no pairs of pictures"),
    ],
)
def test_a_wrong_table_names_its_line(tmp_path: Path, text: str, said: str) -> None:
    picture(tmp_path / "1.png")
    (tmp_path / "pairs.csv").write_text(text)
    assert said in refused(tmp_path)


def test_a_row_without_the_label_asked_for_names_its_line(tmp_path: Path) -> None:
    picture(tmp_path / "1.png")
    (tmp_path / "pairs.csv").write_text("source,target,label\n1.png,1.png,day\n1.png,1.png,\n")
    assert "'pairs.csv, line 3' has no label; fill it in or delete the line" in refused(tmp_path, labels="group")


def test_colour_pictures_alone_get_their_sketches_drawn(tmp_path: Path) -> None:
    for number in range(3):
        image = Image.new("RGB", (40, 36), "white")
        image.paste((220, 30, 40), (12, 10, 28, 26))
        (tmp_path / "train").mkdir(exist_ok=True)
        image.save(tmp_path / "train" / f"{number}.png")
    picture(tmp_path / "test" / "9.png", size=(40, 36))
    listing = list_pairs(tmp_path, settings(tmp_path))
    assert listing.layout == "pictures"
    assert len(listing.of("test")) == 1
    images = opened(tmp_path, side=36, source_channels=1)
    assert images.sources.shape == (3, 1, 36, 36)
    assert images.sources.min() < 128 < images.sources.max()
    assert images.targets[0, :, 18, 18].tolist() == [220, 30, 40]
    grey = opened(tmp_path, side=36, sketch="luminance")
    assert grey.sources[0, :, 18, 18].tolist() == [88, 88, 88]  # 0.299 * 220 + 0.587 * 30 + 0.114 * 40
    turned = opened(tmp_path, side=36, direction="right-to-left", target_channels=1)
    assert np.array_equal(turned.sources, images.targets)
    assert np.array_equal(turned.targets, images.sources)


def test_classes_come_from_sub_folders_of_either_layout(tmp_path: Path) -> None:
    for when in ("night", "day"):
        side_by_side(tmp_path / "one" / "train" / when / "1.png")
        for side in ("trainA", "trainB"):
            picture(tmp_path / "two" / side / when / "1.png")
    for root in (tmp_path / "one", tmp_path / "two"):
        images = opened(root, labels="folder", test_share=0.0)
        assert images.class_names == ("day", "night")
        assert images.names == ("day/1", "night/1")
        assert images.labels.tolist() == [0, 1]
        assert opened(root, test_share=0.0).class_names == ()


def test_a_pair_without_its_class_is_refused(tmp_path: Path) -> None:
    side_by_side(tmp_path / "train" / "day" / "1.png")
    side_by_side(tmp_path / "train" / "2.png")
    assert "'train/2.png' has no class" in refused(tmp_path, labels="folder")
    with pytest.raises(UsageError, match="which a table of pairs has"):
        opened(tmp_path, labels="group")


def test_adding_pairs_moves_none_between_splits_and_a_larger_share_only_adds(tmp_path: Path) -> None:
    for number in range(60):
        side_by_side(tmp_path / f"{number}.png", side=4)
    before = {split: set(names(tmp_path, split)) for split in ("train", "test")}
    assert before["test"]
    for number in range(60, 120):
        side_by_side(tmp_path / f"{number}.png", side=4)
    after = {split: set(names(tmp_path, split)) for split in ("train", "test")}
    assert before["train"] <= after["train"]
    assert before["test"] <= after["test"]
    assert after["test"] <= set(names(tmp_path, "test", test_share=0.5))


@pytest.mark.parametrize("make", [side_by_side, picture])
def test_a_second_folder_moves_no_pair_and_the_first_alone_is_a_class(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    for number in range(40):
        make(tmp_path / "cats" / f"{number}.png")
    (tmp_path / "cats" / "licence.txt").write_text("CC0")
    before = {split: names(tmp_path, split) for split in ("train", "test")}
    assert before["test"]
    assert before["train"][0].startswith("cats/")
    alone = opened(tmp_path, labels="folder")
    assert (alone.class_names, alone.licence) == (("cats",), "CC0")
    make(tmp_path / "dogs" / "1.png")
    for split in ("train", "test"):
        assert set(before[split]) <= set(names(tmp_path, split))


def test_two_pictures_of_one_folder_are_a_pair_by_their_marks(tmp_path: Path) -> None:
    for number in (9, 10):
        picture(tmp_path / f"{number}_A.jpg", size=(16, 8))  # as wide as a sheet of two, which it is not
        picture(tmp_path / f"{number}_B.jpg", RIGHT, size=(16, 8))
    listing = list_pairs(tmp_path, settings(tmp_path, test_share=0.0))
    assert (listing.layout, [pair.name for pair in listing.pairs]) == ("folders", ["9", "10"])
    assert not listing.problems
    assert_sides(opened(tmp_path), LEFT, RIGHT, tolerance=1)
    assert_sides(opened(tmp_path, direction="right-to-left", layout="folders"), RIGHT, LEFT, tolerance=1)
    picture(tmp_path / "11_A.jpg")
    assert "'11_A.jpg' has no partner" in refused(tmp_path)


def test_marks_decide_in_each_split_and_not_where_few_names_have_them(tmp_path: Path) -> None:
    for split in ("train", "test"):
        picture(tmp_path / "pairs" / split / "1_A.png")
        picture(tmp_path / "pairs" / split / "1_B.png", RIGHT)
    assert names(tmp_path / "pairs") == names(tmp_path / "pairs", "test") == ["1"]
    for name in ("vitamin_a", "vitamin_b", "1", "2", "3"):
        picture(tmp_path / "alone" / f"{name}.png")
    assert list_pairs(tmp_path / "alone", settings(tmp_path)).layout == "pictures"


@pytest.mark.parametrize("layout", ["side-by-side", "pictures"])
def test_a_layout_file_decides_over_shapes_and_a_setting_over_it(tmp_path: Path, layout: Any) -> None:
    for number, size in enumerate([(20, 10), (20, 15), (10, 30)]):
        picture(tmp_path / "archive" / f"{number}.png", size=size)
    (tmp_path / "archive" / "layout.txt").write_text(f"{layout}\n")
    listing = list_pairs(tmp_path, settings(tmp_path))
    assert (listing.layout, listing.guessed, listing.problems) == (layout, False, ())
    assert {pair.name for pair in listing.pairs} == {"0", "1", "2"}
    other = "pictures" if layout == "side-by-side" else "side-by-side"
    assert list_pairs(tmp_path, settings(tmp_path, layout=other)).layout == other
    (tmp_path / "archive" / "layout.txt").write_text("heap")
    assert "layout.txt' says 'heap', expected side-by-side, folders, table, pictures" in refused(tmp_path)


def test_a_photo_is_no_label_map_whichever_side_is_asked_for(tmp_path: Path) -> None:
    camvid_like(tmp_path)
    rng = np.random.default_rng(0)
    for file in tmp_path.glob("t*/*.png"):
        if not file.parent.name.endswith("annot"):
            Image.fromarray(rng.integers(0, 256, (16, 20, 3), np.uint8)).save(file)
    said = refused(tmp_path, source="labels", **MAPS)
    assert "0.png' looks like a photo" in said
    assert "data.direction" in said
    assert opened(tmp_path, source="labels", direction="right-to-left", **MAPS).sources.shape == (3, 1, 8, 8)


def test_the_share_of_the_hash_is_the_share_asked_for() -> None:
    held = sum(held_out(f"{number}", 0.25) == "test" for number in range(4000))
    assert 920 < held < 1080
    # A name written in composed or in decomposed letters is the same name.
    assert all(held_out(f"é{n}", 0.5) == held_out(f"e\u0301{n}", 0.5) for n in range(20))


def test_a_picture_without_a_partner_is_refused_with_the_command_that_lists_all(tmp_path: Path) -> None:
    for name in ("1.png", "2.png", "3.png"):
        picture(tmp_path / "A" / name)
    picture(tmp_path / "B" / "1.png")
    said = refused(tmp_path, direction="right-to-left")
    assert "'A/2.png' has no partner in 'B' (1 more problems)" in said
    assert f"`ganvas data check {tmp_path} --direction right-to-left --test-share 0.0` lists everything at once" in said


def test_several_partners_are_refused_unless_whole_names_decide(tmp_path: Path) -> None:
    for name in ("A/1.png", "A/1.bmp", "B/1.png", "B/1.bmp"):
        picture(tmp_path / name)
    assert names(tmp_path, test_share=0.0) == ["1", "1"]
    (tmp_path / "B" / "1.bmp").rename(tmp_path / "B" / "1.gif")
    assert "no partner" in refused(tmp_path) or "several partners" in refused(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_links_that_lead_back_are_not_followed_for_ever(tmp_path: Path) -> None:
    for side in "AB":
        picture(tmp_path / side / "1.png")
        (tmp_path / side / "again").symlink_to(tmp_path / side)
    assert names(tmp_path, test_share=0.0) == ["1"]


def test_a_split_with_one_side_is_refused(tmp_path: Path) -> None:
    for folder in ("trainA", "trainB", "valA"):
        picture(tmp_path / folder / "1.png")
    assert "'valA' a folder of pictures without its other side" in refused(tmp_path)


def test_a_corrupt_picture_is_refused_by_name(tmp_path: Path) -> None:
    side_by_side(tmp_path / "train" / "1.png")
    (tmp_path / "train" / "2.png").write_bytes(b"no picture")
    side_by_side(tmp_path / "test" / "1.png")
    said = refused(tmp_path)
    assert "2.png" in said
    assert "ganvas data check" in said


def test_what_is_found_is_said_where_the_layout_cannot_be_told(tmp_path: Path) -> None:
    assert "nothing is there" in refused(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert "the folder is empty" in refused(tmp_path / "empty")
    for folder in ("A", "B", "source", "target"):
        picture(tmp_path / "both" / folder / "1.png")
    assert "in several ways (a/ b/ and source/ target/)" in refused(tmp_path / "both")
    side_by_side(tmp_path / "mixed" / "1.png")
    picture(tmp_path / "mixed" / "2.png", size=(10, 9))
    assert "first '2.png' 10 x 9" in refused(tmp_path / "mixed")
    picture(tmp_path / "single" / "1.png")
    maps = {"source": "labels", "palette": "camvid"}
    assert "expected pairs with label maps" in refused(tmp_path / "single", **maps)
    assert "a label map cannot be drawn" in refused(tmp_path / "single", layout="pictures", **maps)
    assert "no two folders of pictures" in refused(tmp_path / "single", layout="folders")
    (tmp_path / "text.txt").write_text("x")
    assert "found a file" in refused(tmp_path / "text.txt")


def test_the_layout_asked_for_is_taken_where_auto_would_choose_another(tmp_path: Path) -> None:
    side_by_side(tmp_path / "1.png")
    assert list_pairs(tmp_path, settings(tmp_path, layout="pictures")).layout == "pictures"
    picture(tmp_path / "wide" / "1.png", size=(12, 10))
    images = opened(tmp_path / "wide", layout="side-by-side")
    assert images.sources.shape == (1, 3, 8, 8)


def test_nothing_to_train_on_is_an_error_and_nothing_to_test_is_not(tmp_path: Path) -> None:
    side_by_side(tmp_path / "val" / "1.png")
    assert "no train pairs" in refused(tmp_path)
    assert "found 1 val and 0 test" in refused(tmp_path)
    empty = opened(tmp_path, "test")
    assert len(empty) == 0
    assert empty.sources.shape == (0, 3, 8, 8)


def test_sizes_and_shapes_may_differ_within_and_between_pairs(tmp_path: Path) -> None:
    for number, (a, b) in enumerate([((9, 9), (30, 31)), ((100, 20), (5, 50))]):
        picture(tmp_path / "A" / f"{number}.png", size=a)
        picture(tmp_path / "B" / f"{number}.png", RIGHT, size=b)
    for fit in ("stretch", "crop", "pad"):
        images = opened(tmp_path, fit=fit, test_share=0.0)
        assert images.sources.shape == images.targets.shape == (2, 3, 8, 8)


def test_channels_of_both_sides_are_those_asked_for(tmp_path: Path) -> None:
    (tmp_path / "A").mkdir()
    np.save(tmp_path / "A" / "1.npy", np.full((6, 6, 5), 9, np.uint8))
    picture(tmp_path / "B" / "1.png", RIGHT)
    images = opened(tmp_path, source_channels=5, target_channels=1)
    assert images.sources.shape == (1, 5, 8, 8)
    assert images.targets[0, :, 0, 0].tolist() == [124]  # 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    assert "5 channels, expected 3" in refused(tmp_path, test_share=0.0)


def camvid_like(root: Path) -> Path:
    """Photos and index maps of 12 classes, as CamVid lies there."""
    rng = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        for number in range(3):
            picture(root / split / f"{number}.png", (number, 2, 3), size=(20, 16))
            (root / f"{split}annot").mkdir(exist_ok=True)
            ids = rng.integers(0, 12, (4, 5), np.uint8).repeat(4, axis=0).repeat(4, axis=1)
            Image.fromarray(ids).save(root / f"{split}annot" / f"{number}.png")
    return root


MAPS: dict[str, Any] = {"palette": "camvid", "ignore": 11}


def test_label_maps_are_ids_as_source_and_colours_as_target(tmp_path: Path) -> None:
    camvid_like(tmp_path)
    sources = opened(tmp_path, side=16, direction="right-to-left", source="labels", **MAPS)
    assert sources.sources.shape == (3, 1, 16, 16)
    assert sources.sources.max() <= 11
    assert sources.source_preparation.kind == "labels"
    assert sources.source_preparation.encoded_channels == 12
    targets = opened(tmp_path, side=16, target="labels", **MAPS)
    assert targets.targets.shape == (3, 3, 16, 16)
    assert targets.target_preparation.kind == "picture"
    assert targets.target_preparation.channels == 3
    shown = sources.source_preparation.shown(np.moveaxis(sources.sources, 1, 3))
    assert np.array_equal(np.moveaxis(shown, 3, 1), targets.targets)


def test_ids_without_a_class_are_refused_with_the_file(tmp_path: Path) -> None:
    camvid_like(tmp_path)
    Image.fromarray(np.full((16, 20), 30, np.uint8)).save(tmp_path / "trainannot" / "1.png")
    said = refused(tmp_path, target="labels", **MAPS)
    assert "1.png' holds ids 30 (320 pixels), expected 0..11" in said
    assert "--target labels --palette camvid --ignore 11 --test-share 0.0` lists everything" in said


def test_label_maps_need_a_palette_and_colours_a_name(tmp_path: Path) -> None:
    side_by_side(tmp_path / "1.png")
    with pytest.raises(UsageError, match=r"need data\.palette"):
        opened(tmp_path, source="labels")
    with pytest.raises(UsageError, match=r"data\.background is 'whitish'"):
        opened(tmp_path, background="whitish")


def noisy_pairs(root: Path, count: int = 5, side: int = 12) -> Path:
    rng = np.random.default_rng(1)
    (root / "train").mkdir(parents=True)
    for number in range(count):
        pixels = rng.integers(0, 255, (side, side, 3), np.uint8)
        # Both sides hold the same, so that a batch shows whether both were cut alike.
        Image.fromarray(np.concatenate([pixels, pixels], axis=1)).save(root / "train" / f"{number}.png")
    return root


def test_pairs_beyond_the_budget_lie_in_a_file_that_is_used_again(tmp_path: Path) -> None:
    root, cache = noisy_pairs(tmp_path / "data"), tmp_path / "cache"
    in_memory = opened(root, side=12)
    mapped = opened(root, side=12, cache_mb=0, cache=cache)
    assert isinstance(mapped.sources, np.memmap)
    assert mapped.fingerprint == in_memory.fingerprint
    assert np.array_equal(mapped.targets, in_memory.targets)
    (file,) = cache.iterdir()
    written = file.stat()
    # The file is used and not the pictures: these are unreadable now, with the size and time they had.
    victim = root / "train" / "3.png"
    stat = victim.stat()
    victim.write_bytes(b"x" * stat.st_size)
    os.utime(victim, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    again = opened(root, side=12, cache_mb=0, cache=cache)
    assert again.fingerprint == in_memory.fingerprint
    assert file.stat().st_mtime_ns == written.st_mtime_ns


@pytest.mark.parametrize("damage", ["cut", "bit", "other", "empty"])
def test_a_damaged_cache_file_is_made_anew(tmp_path: Path, damage: str) -> None:
    root, cache = noisy_pairs(tmp_path / "data"), tmp_path / "cache"
    fingerprint = opened(root, side=12, cache_mb=0, cache=cache).fingerprint
    (file,) = cache.iterdir()
    data = bytearray(file.read_bytes())
    if damage == "bit":
        data[-2000] ^= 4
    damaged: dict[str, bytes] = {"cut": bytes(data[:-600]), "bit": bytes(data), "other": b"hello" * 9, "empty": b""}
    file.write_bytes(damaged[damage])
    assert opened(root, side=12, cache_mb=0, cache=cache).fingerprint == fingerprint
    assert [entry.name for entry in cache.iterdir()] == [file.name]


def test_changed_pictures_or_settings_make_another_cache_file(tmp_path: Path) -> None:
    root, cache = noisy_pairs(tmp_path / "data"), tmp_path / "cache"
    opened(root, side=12, cache_mb=0, cache=cache)
    opened(root, side=12, cache_mb=0, cache=cache, jitter=False)
    assert len(list(cache.iterdir())) == 1
    os.utime(root / "train" / "1.png", ns=(1, 1))
    opened(root, side=12, cache_mb=0, cache=cache)
    opened(root, side=12, cache_mb=0, cache=cache, resize="lanczos")
    opened(root, side=10, cache_mb=0, cache=cache)
    opened(root, side=12, cache_mb=0, cache=cache, source_channels=1)
    assert len(list(cache.iterdir())) == 5


def test_a_failure_while_caching_leaves_nothing_behind(tmp_path: Path) -> None:
    root, cache = noisy_pairs(tmp_path / "data"), tmp_path / "cache"
    (root / "train" / "4.png").write_bytes(b"broken")
    assert "4.png" in refused(root, side=12, cache_mb=0, cache=cache)
    assert list(cache.iterdir()) == []


def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    root = noisy_pairs(tmp_path / "data")
    (tmp_path / "file").touch()
    assert "cannot write" in refused(root, side=12, cache_mb=0, cache=tmp_path / "file" / "cache")


def test_the_fingerprint_changes_with_pixels_names_and_order(tmp_path: Path) -> None:
    root = noisy_pairs(tmp_path / "data")
    first = opened(root).fingerprint
    assert len(first) == 16
    assert opened(root).fingerprint == first
    shutil.move(root / "train" / "0.png", root / "train" / "7.png")
    assert opened(root).fingerprint != first


def batches_of(images: PairImages, batch_size: int = 4, seed: int = 0, **choices: Any) -> PairBatches:
    return PairBatches(images, PairData(size=32, **choices), batch_size, seed, torch.device("cpu"))


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> PairImages:
    """Five pairs of 36 pixels, both sides the same noise."""
    return opened(noisy_pairs(tmp_path_factory.mktemp("alike") / "data", side=36), side=36)


def test_training_opens_pairs_286_to_256_larger() -> None:
    sizes = [load_side(PairData(size=size)) for size in (32, 64, 128, 256)]
    assert sizes == [36, 72, 143, 286]
    assert load_side(PairData(size=128, jitter=False)) == 128


@pytest.mark.parametrize("mapped", [False, True])
def test_jitter_is_the_same_for_both_sides_and_another_for_every_pair(
    alike: PairImages, tmp_path: Path, mapped: bool
) -> None:
    if mapped:
        root = noisy_pairs(tmp_path / "data", side=36)
        alike = opened(root, side=36, cache_mb=0, cache=tmp_path / "cache")
    torch.manual_seed(0)
    seen: set[tuple[int, int, bool]] = set()
    for step in range(30):
        sources, targets, labels = batches_of(alike).batch(0)
        assert sources.dtype == torch.uint8
        assert sources.shape == (4, 3, 32, 32)
        assert labels.tolist() == [0, 0, 0, 0]
        assert torch.equal(sources, targets)
        seen |= {places(alike, batch) for batch in sources} if step < 8 else set()
    assert {top for top, _, _ in seen} == {left for _, left, _ in seen} == {0, 1, 2, 3, 4}
    assert {mirrored for _, _, mirrored in seen} == {False, True}


def places(alike: PairImages, square: torch.Tensor) -> tuple[int, int, bool]:
    """Where a square was cut out of one of the pictures, and whether it is mirrored, by trying all."""
    pictures = torch.from_numpy(np.asarray(alike.sources))
    for mirrored in (False, True):
        upright = square.flip(2) if mirrored else square
        for top in range(5):
            for left in range(5):
                if (pictures[:, :, top : top + 32, left : left + 32] == upright).flatten(1).all(1).any():
                    return top, left, mirrored
    raise AssertionError("the square is of no picture")


def test_without_jitter_and_flip_the_pictures_come_whole_and_all_once_an_epoch(alike: PairImages) -> None:
    whole = PairBatches(alike, PairData(size=36, flip=False), 2, 0, torch.device("cpu"))
    parts = [whole.batch(seen)[0] for seen in (0, 2, 4)]
    assert [len(part) for part in parts] == [2, 2, 1]
    assert {part.numpy().tobytes() for batch in parts for part in batch} == {one.tobytes() for one in alike.sources}


def test_batches_are_a_function_of_seed_images_seen_and_the_global_generator(alike: PairImages) -> None:
    def batch(seen: int, seed: int = 0, torch_seed: int = 5) -> bytes:
        batches = batches_of(alike, seed=seed)
        batches.batch(20)  # what came before must not matter
        torch.manual_seed(torch_seed)
        return batches.batch(seen)[0].numpy().tobytes()

    assert batch(5) == batch(5)
    assert len({batch(5), batch(0), batch(5, seed=1), batch(5, torch_seed=6)}) == 4


def test_the_order_is_that_of_labelled_batches(alike: PairImages) -> None:
    from ganvas.data.batches import LabelledBatches
    from ganvas.data.images import LabelledImages

    numbered = np.arange(5, dtype=np.int64)
    pixels = np.ascontiguousarray(np.moveaxis(alike.sources, 1, 3))
    labelled = LabelledImages(pixels, numbered, tuple("abcde"), "", "")
    pairs = PairImages(
        **{name: getattr(alike, name) for name in ("sources", "targets", "names", "source", "licence")},
        source_preparation=alike.source_preparation,
        target_preparation=alike.target_preparation,
        labels=numbered,
        class_names=tuple("abcde"),
    )
    cpu = torch.device("cpu")
    for seen in (0, 2, 5, 9):
        one = LabelledBatches(labelled, 2, 3, cpu).batch(seen)[1]
        assert torch.equal(one, batches_of(pairs, batch_size=2, seed=3).batch(seen)[2])


def test_the_emoji_stand_where_no_path_is_given(monkeypatch: pytest.MonkeyPatch, alike: PairImages) -> None:
    from ganvas.data import emoji

    asked: list[tuple[str, int]] = []

    def open_emoji(data: PairData, split: str, side: int) -> PairImages:
        asked.append((split, side))
        return alike

    monkeypatch.setattr(emoji, "open_emoji", open_emoji)
    assert open_pairs(PairData(size=64), "test") is alike
    assert asked == [("test", 64)]
