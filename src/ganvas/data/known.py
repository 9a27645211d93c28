"""The public sets ganvas knows by name: where they are, what their files hold, under which licence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ganvas.errors import UsageError, nearest

IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@dataclass(frozen=True)
class KnownSet:
    """One public set of four IDX files.

    ``sha256`` is of each file's *unpacked* bytes, by its name without ``.gz``: mirrors compress differently.
    """

    name: str
    title: str
    licence: str
    class_names: tuple[str, ...]
    mirrors: tuple[str, ...]
    sha256: Mapping[str, str]


MNIST = KnownSet(
    name="mnist",
    title="MNIST",
    licence="MNIST by Yann LeCun, Corinna Cortes and Christopher J.C. Burges, commonly given as CC BY-SA 3.0",
    class_names=tuple("0123456789"),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    sha256={
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
)
FASHION_MNIST = KnownSet(
    name="fashion-mnist",
    title="Fashion-MNIST",
    licence="Fashion-MNIST, copyright 2017 Zalando SE, MIT",
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
    sha256={
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
)
KNOWN_SETS = (MNIST, FASHION_MNIST)


def known_set(name: str) -> KnownSet:
    """The set of that name.

    Raises:
        UsageError: no such set; the message names the nearest.
    """
    for known in KNOWN_SETS:
        if known.name == name.lower():
            return known
    names = [known.name for known in KNOWN_SETS]
    raise UsageError(f"unknown data set '{name}', expected one of {', '.join(names)}.{nearest(name, names)}")


def recognise(*sha256: str) -> KnownSet | None:
    """The set whose files have all these checksums (unpacked), or None."""
    return next((known for known in KNOWN_SETS if set(sha256) <= set(known.sha256.values())), None)
