"""Street photos small enough to learn in a second, for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = np.array([0, 1, 3, 5])  # of the palette camvid: sky, building, road, tree
COLOURS = np.array([(200, 220, 255), (150, 60, 40), (90, 90, 90), (60, 120, 40)])
IGNORE = 11
# Of the recipe labels2street: networks that a test has time for.
SMALL = ("data.size=32", "generator.width=4", "discriminator.receptive_field=16", "discriminator.width=4")


def make_streets(root: Path) -> Path:
    """Photos of 40 pixels, laid as CamVid is; their colours tell the class but for noise, the top is unlabelled."""
    random = np.random.default_rng(0)
    for split, count in (("train", 16), ("val", 4), ("test", 4)):
        for number in range(count):
            which = np.zeros((40, 40), dtype=int)
            which[14:] = 2
            left, height = random.integers(0, 30), random.integers(4, 12)
            which[14 - height : 14, left : left + 10] = 1
            which[10:18, 30 - left : 36 - left] = 3
            photo = (COLOURS[which] + random.normal(0, 12, (40, 40, 3))).clip(0, 255).astype(np.uint8)
            ids = CLASSES[which].astype(np.uint8)
            ids[:2] = IGNORE
            for folder, pixels in ((split, photo), (f"{split}annot", ids)):
                (root / folder).mkdir(exist_ok=True)
                Image.fromarray(pixels).save(root / folder / f"{number}.png")
    return root
