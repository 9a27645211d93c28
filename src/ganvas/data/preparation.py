"""How a file becomes numbers: the one object that prepares training pictures and a picture at inference.

Channels: a picture that has as many as asked for keeps them. Otherwise grey becomes colour by repetition, colour grey
by luminance (ITU-R 601), transparency is laid on the background colour; anything else is an error. 16 bits are
rounded to 8. A label map is read as class ids, from an index picture or by the nearest colour of its palette.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ganvas.data.decoding import MOST_CHANNELS, Half, channels_of, halved, load_picture
from ganvas.data.label_maps import MOST_CLASSES, check_map, label_ids
from ganvas.pictures import Pixels

if TYPE_CHECKING:
    from torch import Tensor

_Value = Annotated[int, Field(ge=0, le=255)]
_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
}


class Preparation(BaseModel):
    """How one side of a pair is read, sized and encoded; stored as JSON in the model file.

    Attributes:
        kind: a picture, or a label map.
        channels: of the prepared pixels: those of a picture; 1 of a label map, which holds class ids.
        fit: how a rectangle becomes a square: stretched, its centre cut out, or with a border (of the background
            colour; in a label map of the ignored id, or else of the ids at the edge).
        resize: the filter for pictures, with antialiasing but for "nearest"; label maps always go by nearest.
        background: the colour laid under transparent pictures, a name or #rrggbb.
        class_names: of a label map (or of a picture painted in a label map's colours), in the order of the ids.
        colours: their colours, (red, green, blue).
        ignore: the id that means unlabelled; -1: none does.
    """

    # Not forbid: a later 0.x may add keys to model files without raising their format version.
    model_config = ConfigDict(frozen=True)

    kind: Literal["picture", "labels"] = "picture"
    channels: int = Field(3, ge=1, le=MOST_CHANNELS)
    fit: Literal["stretch", "crop", "pad"] = "stretch"
    resize: Literal["bilinear", "bicubic", "lanczos", "nearest"] = "bilinear"
    background: str = "white"
    class_names: tuple[str, ...] = ()
    colours: tuple[tuple[_Value, _Value, _Value], ...] = ()
    ignore: int = Field(-1, ge=-1, le=255)

    @field_validator("background")
    @classmethod
    def _is_a_colour(cls, background: str) -> str:
        ImageColor.getrgb(background)
        return background

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(self.class_names) != len(self.colours) or len(self.colours) > MOST_CLASSES:
            raise ValueError(f"expected a colour for each of up to {MOST_CLASSES} classes")
        if self.kind == "labels" and (not self.class_names or self.channels != 1):
            raise ValueError("a label map has one channel, of class ids, and a palette")
        return self

    @property
    def encoded_channels(self) -> int:
        """Channels of :meth:`encode`'s result: those of a picture, one a class of a label map."""
        return len(self.class_names) if self.kind == "labels" else self.channels

    def read(self, path: Path, half: Half = "whole") -> Pixels:
        """Read a file (or half of a side-by-side one): uint8 (H, W, channels), upright; a label map's ids (H, W, 1).

        Raises:
            GanvasError: missing, damaged or too large; other channels than can be converted; ids without a class;
                a photo where a label map is expected.
        """
        return self.from_loaded(load_picture(path, pages=self.pages), half, f"'{path}'")

    def from_pil(self, image: Image.Image, half: Half = "whole", name: str = "the picture") -> Pixels:
        """The same for an upright picture in memory, of any mode; ``name`` stands in messages."""
        return self.from_loaded(image, half, name)

    def from_array(self, array: npt.NDArray[Any], half: Half = "whole", name: str = "the array") -> Pixels:
        """The same for an array (H, W) or (H, W, C): uint8, uint16, or floats in [0, 1]."""
        return self.from_loaded(array, half, name)

    def from_loaded(self, loaded: Image.Image | npt.NDArray[Any], half: Half, name: str) -> Pixels:
        """The same for what :func:`ganvas.data.decoding.load_picture` gave."""
        part = halved(loaded, half, name)
        if self.kind == "picture":
            return channels_of(part, self.channels, self.background, name)
        found = label_ids(part, self.colours, self.ignore, name)
        check_map(found, self.class_names, self.ignore, name)
        return found.ids.astype(np.uint8)[:, :, None]

    @property
    def pages(self) -> int:
        """How many grey pages of a TIFF are taken for channels."""
        return self.channels if self.kind == "picture" else 1

    def resized(self, pixels: Pixels, height: int, width: int) -> Pixels:
        """(H, W, C) to (height, width, C); pixels of that size come back as they are."""
        if pixels.shape[:2] == (height, width):
            return pixels
        chosen = _FILTERS["nearest" if self.kind == "labels" else self.resize]
        # Channel by channel where there are not 1 or 3: Pillow would take a fourth one for transparency.
        parts = [pixels] if pixels.shape[2] in (1, 3) else np.split(pixels, pixels.shape[2], axis=2)
        done = []
        for part in parts:
            image = Image.fromarray(np.ascontiguousarray(part[:, :, 0] if part.shape[2] == 1 else part))
            done.append(np.asarray(image.resize((width, height), chosen)).reshape(height, width, part.shape[2]))
        return np.concatenate(done, axis=2)

    def fitted(self, pixels: Pixels, side: int) -> Pixels:
        """(H, W, C) to the square (side, side, C), as :attr:`fit` says."""
        height, width = pixels.shape[:2]
        if self.fit == "stretch" or height == width:
            return self.resized(pixels, side, side)
        if self.fit == "crop":
            least = min(height, width)
            top, left = (height - least) // 2, (width - least) // 2
            return self.resized(pixels[top : top + least, left : left + least], side, side)
        scale = side / max(height, width)
        inner = self.resized(pixels, max(1, round(height * scale)), max(1, round(width * scale)))
        top, left = (side - inner.shape[0]) // 2, (side - inner.shape[1]) // 2
        border = ((top, side - inner.shape[0] - top), (left, side - inner.shape[1] - left), (0, 0))
        if self.kind == "labels" and self.ignore < 0:
            return np.pad(inner, border, mode="edge")
        square = np.empty((side, side, inner.shape[2]), dtype=np.uint8)
        square[:] = self._border_values(inner.shape[2])
        square[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
        return square

    def _border_values(self, channels: int) -> npt.NDArray[np.uint8]:
        if self.kind == "labels":
            return np.full(channels, self.ignore, dtype=np.uint8)
        paper = Image.new("RGB", (1, 1), ImageColor.getrgb(self.background)[:3])
        if channels in (3, 4):
            return np.array([*paper.getpixel((0, 0)), 255][:channels], dtype=np.uint8)  # type: ignore[misc]
        return np.full(channels, paper.convert("L").getpixel((0, 0)), dtype=np.uint8)

    def encode(self, batch: Tensor) -> Tensor:
        """uint8 (N, C, H, W) to float32 (N, encoded_channels, H, W).

        A picture is in [-1, 1]; a label map is one-hot (0 or 1), all zeros where ignored.
        """
        import torch  # Here, since reading and checking files need no torch.

        if self.kind == "picture":
            return batch.to(torch.float32) / 127.5 - 1.0
        classes = torch.arange(len(self.class_names), device=batch.device)
        if 0 <= self.ignore < len(classes):
            classes[self.ignore] = -1
        return (batch == classes.view(1, -1, 1, 1)).to(torch.float32)

    def shown(self, pixels: Pixels) -> Pixels:
        """(N, H, W, C) as people can look at it, (N, H, W, 3): ids in their colours, a picture's first 3 channels.

        Of a picture of 1 or 2 channels the first in grey. Ids without a class are black.
        """
        if self.kind == "picture":
            return pixels[..., :3] if pixels.shape[-1] >= 3 else pixels[..., :1].repeat(3, axis=-1)
        table = np.zeros((256, 3), dtype=np.uint8)
        table[: len(self.colours)] = self.colours
        return table[pixels[..., 0]]
