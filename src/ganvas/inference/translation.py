"""From a picture to a picture: preparing it as in training, the one forward pass, and back to the picture's size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor, nn

from ganvas.config import HINT_CHANNELS
from ganvas.data.decoding import load_picture
from ganvas.data.hints import hints_from_rgba, hints_of_another_hue
from ganvas.data.label_maps import snapped
from ganvas.data.preparation import Preparation
from ganvas.errors import GanvasError, UsageError
from ganvas.inference.labels import Label, class_index, listed, whole
from ganvas.inference.onnx_file import OnnxGenerator
from ganvas.inference.tiles import blended
from ganvas.model_file import TranslateHeader
from ganvas.pictures import Pixels, to_uint8

Picture = str | Path | Image.Image | npt.NDArray[Any]
Scale = Literal["fit", "native"]
Precision = Literal["auto", "fp32", "bf16"]
# Up to so many pixels a picture goes through the network whole: a network of the usual width then takes 1 to 1.3 GB.
# A tile's side is a multiple of the side of every network's training pictures, so that nothing is spent on padding.
WHOLE = 1024 * 1024
TILE = 1024
OVERLAP = 256
VARIED_DABS = 6  # on as many pixels as a training picture has
GOLDEN = (math.sqrt(5) - 1) / 2  # multiples of it, modulo 1, are far from each other, however many there are
MOST_SNAPPED = 1 << 22  # distances between pixels and colours in memory at a time


@dataclass(frozen=True)
class Prepared:
    """A picture as the model gets it.

    Attributes:
        pixels: uint8 (h, w, C) at the size the model works at.
        hints: float32 (4, h, w); None without hints.
        label: the class's index; None for a model that takes none.
        size: (height, width) of the picture and of the result.
    """

    pixels: Pixels
    hints: Tensor | None
    label: int | None
    size: tuple[int, int]


class Translator:
    """Draws with the generator of a picture -> picture model; the public face is :class:`ganvas.Model`."""

    def __init__(
        self,
        name: str,
        header: TranslateHeader,
        generator: nn.Module,
        device: torch.device,
        precision: Literal["fp32", "bf16"] = "fp32",
    ) -> None:
        self.name = name
        self.header = header
        self._dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self._generator = generator.to(dtype=self._dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = device
        self._back = enlarging(header.target)

    def check(self, *, hints: Picture | None, label: Label | None, scale: Scale) -> None:
        """Raise the UsageError for what this model cannot be asked, before any picture is read."""
        self._label(label)
        if hints is not None and not self.header.hints:
            raise UsageError(
                f"model '{self.name}' takes no hints: it was trained without. Leave the hints out.",
                "takes-no-hints",
                {"model": self.name},
            )
        if scale not in ("fit", "native"):
            raise UsageError(f"scale is {scale!r}: expected fit or native")

    def check_varies(self, count: int, seed: int, *, recolour: bool = True) -> tuple[int, int]:
        """``count`` and ``seed`` as ints.

        Raises:
            UsageError: they are no such numbers, or the model has nothing to vary.
        """
        if isinstance(self._generator, OnnxGenerator):
            raise UsageError(
                f"model '{self.name}' has nothing to vary: an export always draws the same. Use its model file."
            )
        if not (self.header.generator.varies or (recolour and self.header.hints)):
            known = "" if self.header.hints else ", and takes no hints"
            raise UsageError(
                f"model '{self.name}' has nothing to vary: it has neither dropout nor noise{known}. "
                "Leave the variations out.",
                "nothing-to-vary",
                {"model": self.name},
            )
        return whole("variations", count, 1), whole("seed", seed, 0)

    def prepare(
        self, picture: Picture, *, hints: Picture | None = None, label: Label | None = None, scale: Scale = "fit"
    ) -> Prepared:
        """Read a picture and bring it to the size to work at.

        Raises:
            UsageError: a missing or unknown label, hints that the model does not take or of another size.
            GanvasError: the picture or the hints cannot be read.
        """
        self.check(hints=hints, label=label, scale=scale)
        source, side = self.header.source, self.header.size
        pixels = self._pixels(picture)
        height, width = pixels.shape[:2]
        size = (height, width) if scale == "native" else working_size(height, width, source.fit, side)
        dabs = None
        if hints is not None:
            dabs = resized_hints(_read_hints(hints, called(picture, "the picture"), height, width), *size)
        return Prepared(source.resized(pixels, *size), dabs, self._label(label), (height, width))

    def draw(self, prepared: Prepared) -> Pixels:
        """The translation, uint8 (H, W, C), in the size of the picture that was prepared."""
        return self._back.resized(self._drawn(prepared), *prepared.size)

    def _drawn(self, prepared: Prepared) -> Pixels:
        """The same in the size that the model works at."""
        height, width = prepared.pixels.shape[:2]
        region = partial(self._region, prepared)
        if self._network_pixels(height, width) <= WHOLE:
            drawn = to_uint8(region(slice(0, height), slice(0, width)))
        else:
            drawn = np.empty((height, width, self.header.target.channels), dtype=np.uint8)
            for rows, values in blended(height, width, region, tile=TILE, overlap=OVERLAP):
                drawn[rows] = to_uint8(values)
        if self.header.target.colours:
            drawn = in_colours(drawn, self.header.target.colours)
        return drawn

    def vary(self, prepared: Prepared, seed: int, count: int, *, recolour: bool = True) -> Iterator[Pixels]:
        """``draw`` with dropout, fresh noise and dabs of other hues; the i-th depends on ``seed`` and i alone."""
        steady = self._drawn(prepared) if recolour and self.header.hints else None
        for index in range(count):
            varied = prepared if steady is None else self._recoloured(prepared, steady, seed, index)
            own = np.random.SeedSequence(seed, spawn_key=(index,)).generate_state(1, np.uint64)[0]
            yield self._back.resized(self._varied(varied, int(own)), *prepared.size)

    def _varied(self, prepared: Prepared, seed: int) -> Pixels:
        devices = [self._device] if self._device.type == "cuda" else []
        self._generator.varying = True
        try:
            with torch.random.fork_rng(devices):
                torch.manual_seed(seed)
                return self._drawn(prepared)
        finally:
            self._generator.varying = False

    def _recoloured(self, prepared: Prepared, steady: Pixels, seed: int, index: int) -> Prepared:
        """With dabs of what is drawn ``steady``, in another hue: what follows dabs hardly varies otherwise."""
        count = max(1, round(VARIED_DABS * steady.shape[0] * steady.shape[1] / self.header.size**2))
        # Successive variations, and the first ones of successive seeds, are far apart and none is near the steady one.
        turn = 0.1 + 0.8 * ((seed + index + 1) % 2**32 * GOLDEN % 1)
        rng = np.random.default_rng([seed, index])
        return replace(prepared, hints=hints_of_another_hue(steady, turn, count, rng, prepared.hints))

    def _network_pixels(self, height: int, width: int) -> int:
        """What the network works on: it widens a picture to a multiple of a side, a strip of few pixels many times."""
        multiple = int(self._generator.multiple)
        return math.ceil(height / multiple) * math.ceil(width / multiple) * multiple**2

    def _run(self, x: Tensor, label: int | None) -> Tensor:
        """The one forward pass: an encoded source (1, in, h, w) -> a picture (1, out, h, w), float32 in [-1, 1]."""
        labels = None if label is None else torch.tensor([label], device=self._device)
        x = x.to(self._dtype, memory_format=torch.channels_last)
        drawn: Tensor = self._generator(x, labels)
        return drawn.float()

    @torch.inference_mode()
    def _region(self, prepared: Prepared, rows: slice, columns: slice) -> npt.NDArray[np.float32]:
        """The translation (rows, columns, C) of a part of the prepared picture."""
        # A copy, as arrays that people hand in may be read-only, which torch warns of.
        part = torch.from_numpy(np.moveaxis(prepared.pixels[rows, columns], 2, 0)[None].copy())
        x = self.header.source.encode(part.to(self._device))
        if self.header.hints:
            none = x.new_zeros(HINT_CHANNELS, *x.shape[2:])
            dabs = none if prepared.hints is None else prepared.hints[:, rows, columns].to(x)
            x = torch.cat([x, dabs[None]], dim=1)
        return self._run(x, prepared.label)[0].permute(1, 2, 0).cpu().numpy()

    def _pixels(self, picture: Picture) -> Pixels:
        source = self.header.source
        if isinstance(picture, Image.Image):
            return source.from_pil(_upright(picture))
        if isinstance(picture, np.ndarray):
            return source.from_array(picture)
        return source.read(Path(picture))

    def _label(self, label: Label | None) -> int | None:
        names = self.header.class_names
        if label is not None:
            return class_index(self.name, names, label)
        if names:
            raise UsageError(
                f"model '{self.name}' draws for a class: give one with --label: {listed(names)}",
                "label-needed",
                {"model": self.name, "known": listed(names)},
            )
        return None


def working_size(height: int, width: int, fit: Literal["stretch", "crop", "pad"], side: int) -> tuple[int, int]:
    """What (height, width) becomes for a model that was trained on squares of ``side`` pixels made by ``fit``.

    As in training, but that the whole picture comes back: for "crop", which trained on the middle, the shorter side
    is brought to ``side``, for "pad" the longer one.
    """
    if fit == "stretch":
        return side, side
    ratio = side / (min(height, width) if fit == "crop" else max(height, width))
    # A strip of a few pixels is not enlarged to something that does not fit into memory.
    ratio = min(ratio, max(1.0, math.sqrt(WHOLE / (height * width))))
    return max(1, round(height * ratio)), max(1, round(width * ratio))


def enlarging(target: Preparation) -> Preparation:
    """What brings a drawing to the size of its picture."""
    # Blends of a label map's colours are colours of no class, or of another one.
    resize: Literal["nearest", "lanczos"] = "nearest" if target.colours else "lanczos"
    return target.model_copy(update={"kind": "picture", "resize": resize})


def in_colours(pixels: Pixels, colours: Sequence[tuple[int, int, int]]) -> Pixels:
    """(H, W, 3) with every pixel in the nearest of ``colours``, as a label map has them."""
    table = np.array(colours, dtype=np.uint8)
    done = np.empty_like(pixels)
    for row in range(0, len(pixels), rows := max(1, MOST_SNAPPED // (pixels.shape[1] * len(colours)))):
        piece = pixels[row : row + rows]
        done[row : row + rows] = table[snapped(piece.reshape(-1, 3), colours)[0]].reshape(piece.shape)
    return done


def resized_hints(hints: Tensor, height: int, width: int) -> Tensor:
    """Hints (4, H, W) as (4, height, width): a pixel has the mean colour of the dabbed ones it stands for.

    However small a dab and however large the picture, something of it is left.
    """
    if hints.shape[1:] == (height, width):
        return hints
    # The windows of adaptive pooling cover every pixel, which nearest neighbours do not.
    means = F.adaptive_avg_pool2d(hints[None], (height, width))[0]
    dabbed = means[3:] > 0
    colours = torch.where(dabbed, means[:3] / means[3:].clamp_min(1e-12), 0.0)
    return torch.cat([colours, dabbed.to(colours.dtype)])


def _read_hints(hints: Picture, picture: str, height: int, width: int) -> Tensor:
    """A transparent picture as hints (4, height, width), the size of the ``picture`` to translate."""
    name = called(hints, "the hints")
    loaded = load_picture(Path(hints)) if isinstance(hints, str | Path) else hints
    if isinstance(loaded, Image.Image):
        loaded = _upright(loaded)
        found = f"mode {loaded.mode}"
        loaded = np.array(loaded.convert("RGBA" if loaded.has_transparency_data else "RGB"))
    else:
        found = f"{loaded.dtype} of shape {loaded.shape}"
    if loaded.dtype != np.uint8 or loaded.ndim != 3 or loaded.shape[2] != 4:
        raise UsageError(
            f"{name} has no transparency ({found}): expected RGBA, colour where a dab is and transparent elsewhere",
            "hints-opaque",
        )
    if loaded.shape[:2] != (height, width):
        raise UsageError(
            f"{name} has {loaded.shape[1]} x {loaded.shape[0]} pixels, {picture} has {width} x {height}: "
            "draw the dabs on a transparent picture of the same size",
            "hints-size",
        )
    return torch.as_tensor(hints_from_rgba(loaded))


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:
        # As files do: decoders fail with almost any type on damaged data, which Pillow reads only now.
        raise GanvasError(f"the picture cannot be decoded: {error}", "damaged-picture") from error


def called(picture: Picture, otherwise: str) -> str:
    """The picture's file in quotes, or ``otherwise`` where it is none."""
    return f"'{picture}'" if isinstance(picture, str | Path) else otherwise
