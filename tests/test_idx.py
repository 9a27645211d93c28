"""IDX files are read exactly or refused in one line."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ganvas.data import known, open_labelled
from ganvas.data.idx import Part, read_idx, read_idx_folder
from ganvas.errors import GanvasError
from idx_files import idx_bytes, write_set

same_folder = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
pictures = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=7))


def one_line(error: pytest.ExceptionInfo[GanvasError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def outcome(path: Path, part: Part) -> str:
    """Whether a file is read with the right number of dimensions or refused in one line that names it."""
    try:
        array = read_idx(path, part)
    except GanvasError as error:
        return "refused" if str(path) in str(error) and "\n" not in str(error) else f"refused badly: {error}"
    return "read" if array.ndim == (3 if part == "images" else 1) else f"read badly: {array.shape}"


@same_folder
@given(array=pictures, packed=st.booleans())
def test_what_was_written_is_read_back(tmp_path: Path, array: np.ndarray, packed: bool) -> None:
    contents = idx_bytes(array)
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(contents) if packed else contents)
    assert np.array_equal(read_idx(path, "images"), array)


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_cut_at_any_byte_is_refused(tmp_path: Path, packed: bool) -> None:
    whole = idx_bytes(np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5))
    whole = gzip.compress(whole) if packed else whole
    path = tmp_path / "train-images-idx3-ubyte"
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(GanvasError, match="train-images-idx3-ubyte") as error:
            read_idx(path, "images")
        one_line(error)


@same_folder
@given(at=st.integers(0, 200), value=st.integers(0, 255), packed=st.booleans())
def test_one_damaged_byte_never_gives_a_traceback(tmp_path: Path, at: int, value: int, packed: bool) -> None:
    whole = bytearray(idx_bytes(np.arange(60, dtype=np.uint8).reshape(3, 4, 5)))
    whole = bytearray(gzip.compress(bytes(whole), mtime=0)) if packed else whole
    whole[at % len(whole)] = value
    path = tmp_path / "images"
    path.write_bytes(whole)
    assert outcome(path, "images") in ("read", "refused")


@same_folder
@given(junk=st.binary(max_size=64))
def test_any_bytes_at_all_give_an_array_or_a_message(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "labels"
    path.write_bytes(junk)
    assert outcome(path, "labels") in ("read", "refused")


@pytest.mark.parametrize("packed", [False, True])
def test_trailing_bytes_are_refused(tmp_path: Path, packed: bool) -> None:
    contents = idx_bytes(np.zeros((2, 3, 3), np.uint8)) + b"!"
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(contents) if packed else contents)
    with pytest.raises(GanvasError, match=r"2 x 3 x 3 = 18 values, found more"):
        read_idx(path, "images")


def test_a_damaged_size_reserves_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(b"\0\0\x08\x03" + b"\xff" * 12 + b"abc")
    with pytest.raises(GanvasError, match="no more than fit in memory"):
        read_idx(path, "images")
    path.write_bytes(b"\0\0\x08\x03" + b"\0\0\x0f\xff" * 3 + b"abc")
    with pytest.raises(GanvasError, match="found 3"):
        read_idx(path, "images")


@pytest.mark.parametrize(
    ("part", "contents", "said"),
    [
        ("images", idx_bytes(np.zeros(5, np.uint8)), "starts with 0x00000801, expected 0x00000803.*swapped"),
        ("labels", idx_bytes(np.zeros((1, 2, 2), np.uint8)), "starts with 0x00000803.*0x00000801.*swapped"),
        ("images", idx_bytes(np.zeros((1, 2, 2), np.uint8), code=0x0D), "type 0x0d; convert.*unsigned bytes"),
        ("images", b"<html>no such page</html>", "starts with 0x3c68746d.*not an IDX file"),
        ("images", idx_bytes(np.zeros((0, 2, 2), np.uint8)), "announces 0 x 2 x 2 values"),
        ("labels", b"", r"ends within its header \(0 bytes\)"),
    ],
)
def test_a_wrong_header_names_what_was_found_and_expected(
    tmp_path: Path, part: Part, contents: bytes, said: str
) -> None:
    path = tmp_path / "some-file"
    path.write_bytes(contents)
    with pytest.raises(GanvasError, match=said) as error:
        read_idx(path, part)
    assert str(path) in one_line(error)


@pytest.mark.parametrize("spelling", ["{}-{}-idx{}-ubyte", "{}-{}.idx{}-ubyte", "{}-{}-idx{}-ubyte.gz"])
def test_every_spelling_of_the_file_names_is_found(tmp_path: Path, spelling: str) -> None:
    source = write_set(tmp_path / "set")
    target = tmp_path / "renamed"
    target.mkdir()
    for file in source.iterdir():
        prefix, part, dimensions = re.fullmatch(r"(\w+)-(\w+)-idx(\d)-ubyte", file.name).groups()  # type: ignore[union-attr]
        name = spelling.format(prefix, part, dimensions)
        # Also where the name says .gz and the contents are plain: browsers unpack on the way.
        (target / name).write_bytes(file.read_bytes())
    found = open_labelled(target, size=6, channels=1, split="test")
    assert found.images.shape == (4, 6, 6, 1)
    assert found.fingerprint == open_labelled(source, size=6, channels=1, split="test").fingerprint


def test_counts_that_differ_are_refused(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(11, np.uint8)))
    with pytest.raises(GanvasError, match="12 images but 'train-labels-idx1-ubyte' 11 labels"):
        read_idx_folder(folder, "train")


def test_a_label_out_of_range_is_named_with_its_place(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    labels = np.zeros(12, np.uint8)
    labels[7] = 10
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    with pytest.raises(GanvasError, match=r"label 10 at position 7.*0\.\.9.*classes\.txt"):
        read_idx_folder(folder, "train")
    (folder / "classes.txt").write_text("".join(f"class {index}\n" for index in range(11)))
    assert read_idx_folder(folder, "train").class_names[10] == "class 10"


def test_class_names_and_licence_come_from_the_texts_beside(tmp_path: Path) -> None:
    folder = write_set(tmp_path, packed=True)
    assert read_idx_folder(folder, "train").class_names == tuple("0123456789")
    assert read_idx_folder(folder, "train").licence == "unknown"
    (folder / "classes.txt").write_text("고양이\r\ndog\n\nfish\nbird\n", encoding="utf-8")
    (folder / "licence.txt").write_text("CC0\nmore\n")
    data = read_idx_folder(folder, "train")
    assert data.class_names == ("고양이", "dog", "fish", "bird")
    assert data.licence == "CC0"


def test_a_known_set_is_recognised_by_its_labels_and_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_set(tmp_path)
    sums = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
    small = replace(known.MNIST, title="Small", licence="CC0", class_names=tuple("abcdefghij"), sha256=sums)
    monkeypatch.setattr(known, "KNOWN_SETS", (known.MNIST, small))
    data = read_idx_folder(folder, "train")
    assert (data.source, data.licence, data.class_names) == ("Small (train)", "CC0", tuple("abcdefghij"))
    # Corrupted pictures under the same labels, as in MNIST-C, are another set.
    images = folder / "train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-1] + b"\x5a")
    data = read_idx_folder(folder, "train")
    assert (data.licence, data.class_names) == ("unknown", tuple("0123456789"))
    assert "Small" not in data.source


@pytest.mark.parametrize(("text", "said"), [(b"a\na\n", "'a' twice"), (b"\xff\xfe\x00", "UTF-8")])
def test_a_bad_classes_file_is_named(tmp_path: Path, text: bytes, said: str) -> None:
    folder = write_set(tmp_path)
    (folder / "classes.txt").write_bytes(text)
    with pytest.raises(GanvasError, match=rf"classes\.txt.*{said}"):
        read_idx_folder(folder, "train")


def test_a_missing_half_says_what_was_looked_for(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    (folder / "t10k-images-idx3-ubyte").unlink()
    assert len(open_labelled(folder, size=6, channels=1, split="train")) == 12
    with pytest.raises(GanvasError, match="looked for t10k-images-idx3-ubyte"):
        open_labelled(folder, size=6, channels=1, split="test")


def test_a_place_without_data_says_what_would_do(tmp_path: Path) -> None:
    file = tmp_path / "file.zip"
    file.write_bytes(b"")
    (tmp_path / "empty").mkdir()
    for path, said in (
        (tmp_path / "nowhere", "nothing is there"),
        (file, "found a file"),
        (tmp_path / "empty", "neither"),
    ):
        with pytest.raises(GanvasError, match=rf"{said}.*train-images-idx3-ubyte.*cats/1\.png"):
            open_labelled(path, size=28, channels=1, split="train")


def test_pictures_are_resized_and_coloured_on_request(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    data = open_labelled(folder, size=9, channels=3, split="train")
    assert data.images.shape == (12, 9, 9, 3)
    assert np.array_equal(data.images[..., 0], data.images[..., 2])
    with pytest.raises(GanvasError, match="2 channels"):
        open_labelled(folder, size=9, channels=2, split="train")


def test_the_arrays_can_be_written_to(tmp_path: Path) -> None:
    data = read_idx_folder(write_set(tmp_path), "train")
    assert data.images.flags.writeable
    assert data.labels.flags.writeable
