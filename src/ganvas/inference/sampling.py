"""Drawing from labels and noise: pictures, sheets and files of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn

from ganvas.errors import UsageError
from ganvas.inference.labels import Label, Labels, class_index, whole
from ganvas.model_file import LabelHeader
from ganvas.models import draw
from ganvas.pictures import Pixels, grid, save_png, to_pil, to_uint8
from ganvas.sample_files import Drawing, write_folder, write_npz

# Pictures are drawn in whole chunks, the last one filled up and cut: a product's last bits may depend on its number
# of rows, and a picture must depend on its seed, place and label alone.
CHUNK = 100
Sheet = Literal["grid", "same-noise", "interpolation"]
Watch = Callable[[Iterator[Drawing]], Iterator[Drawing]]
Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
# A sheet's pictures, at their own size: many viewers and formats end at 65,535 pixels a side, and Pillow warns of a
# picture of more than 89 million. As RGB it takes 240 MB.
SHEET_SIDE = 65_000
SHEET_PIXELS = 80_000_000
GAP = 2


class Sampler:
    """Draws with the generator of a label or noise -> picture model; the public face is :class:`ganvas.Model`."""

    def __init__(self, name: str, header: LabelHeader, generator: nn.Module, device: torch.device) -> None:
        self.name = name
        self.header = header
        self._generator = generator
        self._device = device

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes by index; empty where the model takes no label."""
        return self.header.class_names if self.header.conditional else ()

    def sample(self, labels: Labels = None, *, count: int | None = None, seed: int = 0) -> list[Image.Image]:
        """See :meth:`ganvas.Model.sample`."""
        return [to_pil(image) for drawing in self.draw(labels, count=count, seed=seed) for image in drawing.images]

    def draw(self, labels: Labels = None, *, count: int | None = None, seed: int = 0) -> Iterator[Drawing]:
        """The same pictures as :meth:`sample` as arrays, a chunk at a time, in constant memory."""
        chosen = self._class_indices(labels)
        total = len(chosen) if count is None else whole("count", count, 1)
        return self._draw_chunks(chosen, total, whole("seed", seed, 0))

    def same_noise(self, labels: Labels = None, *, seed: int = 0) -> list[Image.Image]:
        """See :meth:`ganvas.Model.same_noise`."""
        chosen = self._class_indices(labels)
        noise = self._noise(np.random.Generator(np.random.Philox(whole("seed", seed, 0))), 1)
        return self._pictures(np.repeat(noise, len(chosen), axis=0), chosen)

    def walk(self, label: Label | None, steps: int, *, seed: int, to_seed: int) -> list[Image.Image]:
        """See :meth:`ganvas.Model.walk`."""
        chosen = self._class_indices(label)
        start, end = (
            self._noise(np.random.Generator(np.random.Philox(whole("seed", number, 0))), 1)[0]
            for number in (seed, to_seed)
        )
        noise = _interpolate(start, end, whole("steps", steps, 2), straight=self._uniform_noise)
        return self._pictures(noise, chosen[:1] * len(noise))

    def _pictures(self, noise: Floats, labels: Sequence[int]) -> list[Image.Image]:
        return [to_pil(image) for image in self._draw(noise, np.array(labels, dtype=np.int64))]

    def save(
        self,
        path: str | Path,
        labels: Labels = None,
        *,
        count: int | None = None,
        seed: int = 0,
        sheet: Sheet = "grid",
        watch: Watch | None = None,
    ) -> None:
        """See :meth:`ganvas.Model.save`."""
        path = Path(path)
        ending = path.suffix.lower()
        if ending == ".png":
            save_png(self.sheet(sheet, labels, count=count, seed=seed), path)
            return
        if ending not in (".npz", "") or (path.is_file() and not ending):
            raise UsageError(f"cannot draw into '{path}': expected FILE.png, FILE.npz or a folder")
        if sheet != "grid":
            raise UsageError(f"a {sheet} sheet is a picture: expected FILE.png, found '{path}'")
        chosen = self._class_indices(labels)
        total = 10 * len(chosen) if count is None else whole("count", count, 1)
        drawings = self.draw(chosen if self.class_names else None, count=total, seed=seed)
        if watch is not None:
            drawings = watch(drawings)
        if ending == ".npz":
            size = self.header.size
            write_npz(path, drawings, total, (size, size, self.header.channels))
        else:
            write_folder(path, drawings, self.class_names)

    def _class_indices(self, labels: Labels) -> list[int]:
        if labels is None:
            return list(range(len(self.class_names))) or [-1]
        several = labels if isinstance(labels, Iterable) and not isinstance(labels, str) else [labels]
        chosen = [class_index(self.name, self.class_names, label) for label in several]
        if not chosen:
            raise UsageError("labels is empty: expected a class, several, or None for all")
        return chosen

    def _draw_chunks(self, chosen: Sequence[int], total: int, seed: int) -> Iterator[Drawing]:
        random = np.random.Generator(np.random.Philox(seed))
        for start in range(0, total, CHUNK):
            places = np.arange(start, min(start + CHUNK, total))
            labels = np.array(chosen, dtype=np.int64)[places % len(chosen)]
            yield Drawing(self._draw(self._noise(random, CHUNK)[: len(labels)], labels), labels)

    def _noise(self, random: np.random.Generator, count: int) -> Floats:
        shape = (count, self.header.generator.noise_length)
        if self._uniform_noise:
            return random.random(shape, dtype=np.float32)
        return random.standard_normal(shape, dtype=np.float32)

    @property
    def _uniform_noise(self) -> bool:
        return self.header.generator.network == "paper"

    def _draw(self, noise: Floats, labels: Indices) -> Pixels:
        """Pictures (n, H, W, C) uint8 for noise (m, noise_length), over and over, and labels (n,), in whole chunks."""
        chunks = []
        for start in range(0, len(labels), CHUNK):
            part = noise[np.arange(start, min(start + CHUNK, len(labels))) % len(noise)]
            filling = CHUNK - len(part)
            z = torch.from_numpy(np.pad(part, ((0, filling), (0, 0)))).to(self._device)
            y = torch.from_numpy(np.pad(labels[start : start + CHUNK], (0, filling))).to(self._device)
            pictures = draw(self._generator, z, y if self.header.conditional else None)
            chunks.append(to_uint8(np.moveaxis(pictures[: len(part)].cpu().numpy(), 1, 3)))
        return np.concatenate(chunks)

    def sheet(
        self,
        kind: Sheet = "grid",
        labels: Labels = None,
        *,
        count: int | None = None,
        seed: int = 0,
    ) -> Image.Image:
        """See :meth:`ganvas.Model.sheet`."""
        chosen = self._class_indices(labels)
        names = [self.class_names[i] for i in chosen] if self.class_names else None
        seed = whole("seed", seed, 0)
        # One label alone has its grid in rows of ten; every other row is a label's.
        across = 10 if kind == "grid" and len(chosen) == 1 else len(chosen)
        most = _most_cells(across, self.header.size)
        wanted = max(1, min(10, most // len(chosen))) if count is None else whole("count", count, 1)
        cells = wanted if kind == "grid" and count is not None else wanted * len(chosen)
        if cells > most:
            raise UsageError(
                f"a sheet of {cells:,} pictures: {most:,} fit; ask for fewer, "
                "or write more pictures to an .npz file or a folder"
            )
        # Digits are tiny on today's screens; a large sheet stays at its own size.
        scale = 2 if self.header.size <= 32 and cells <= 900 else 1
        if kind == "grid":
            images = np.concatenate([drawing.images for drawing in self._draw_chunks(chosen, cells, seed)])
            return _rows_by_label(images, len(chosen), names, scale)
        columns = cells // len(chosen)
        random = np.random.Generator(np.random.Philox(seed))
        if kind == "same-noise":
            noise = self._noise(random, columns)
        else:
            start, end = self._noise(random, 2)
            noise = _interpolate(start, end, columns, straight=self._uniform_noise)
        images = self._draw(noise, np.repeat(np.array(chosen, dtype=np.int64), columns))
        return grid(images, columns, row_labels=names, scale=scale, gap=GAP)


def _most_cells(across: int, size: int) -> int:
    """How many pictures a sheet holds that is ``across`` of them in one direction."""
    side, area = SHEET_SIDE // (size + GAP), SHEET_PIXELS // (size + GAP) ** 2
    return across * min(side, area // across) if across <= side else side


def _rows_by_label(images: Pixels, classes: int, names: Sequence[str] | None, scale: int) -> Image.Image:
    """Lay out pictures that go round ``classes`` labels: one label a row, or ten a row where there is one label."""
    if classes == 1:
        rows = -(-len(images) // 10)
        return grid(images, 10, row_labels=None if names is None else [names[0], *[""] * (rows - 1)], scale=scale)
    if len(images) < classes:
        return grid(images, 1, row_labels=None if names is None else names[: len(images)], scale=scale)
    columns = -(-len(images) // classes)
    # A last, cut round leaves the last rows one picture short: white cells keep the others in place.
    filled = np.full((columns * classes, *images.shape[1:]), 255, dtype=np.uint8)
    filled[: len(images)] = images
    by_label = filled.reshape(columns, classes, *images.shape[1:]).swapaxes(0, 1)
    return grid(by_label.reshape(filled.shape), columns, row_labels=names, scale=scale)


def _interpolate(start: Floats, end: Floats, steps: int, *, straight: bool) -> Floats:
    """``steps`` noises from ``start`` to ``end``, both (noise_length,).

    Along the great circle (Shoemake 1985), as the middle of a straight line between Gaussian noises is shorter than
    any noise a generator has seen; straight for uniform noise, and between parallel noises, which span no circle.
    Where the noise says which units are dropped, the share of them holds on the way if it is a half.
    """
    share = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    a, b = start.astype(np.float64), end.astype(np.float64)
    cosine = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
    angle = np.float32(np.arccos(np.clip(cosine, -1, 1)))
    if straight or np.sin(angle) < 1e-6:
        return (1 - share) * start + share * end
    path: Floats = (np.sin((1 - share) * angle) * start + np.sin(share * angle) * end) / np.sin(angle)
    return path
