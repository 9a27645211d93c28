"""Reading one pair: both sides decoded, of one size, and a sketch drawn where there is none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ganvas.config import PairData
from ganvas.data.decoding import Half, Loaded, halved, load_picture
from ganvas.data.label_maps import open_palette
from ganvas.data.pairs.listed import Layout, Pair
from ganvas.data.preparation import Preparation
from ganvas.errors import UsageError
from ganvas.pictures import Pixels


@dataclass(frozen=True)
class PairPreparations:
    """How both sides of pairs are read, and what the model is told about the target.

    Attributes:
        source: reads the sources' files, and is the model's.
        target_file: reads the targets' files.
        target: the model's; a label map is trained as a picture in its palette's colours.
    """

    source: Preparation
    target_file: Preparation
    target: Preparation


def preparations(data: PairData) -> PairPreparations:
    """How the settings read both sides.

    Raises:
        UsageError: an unknown colour or palette, or none where label maps need one.
        GanvasError: the palette's file is damaged.
    """
    try:
        plain = Preparation(fit=data.fit, resize=data.resize, background=data.background)
    except ValueError as error:
        raise UsageError(
            f"data.background is '{data.background}', expected a colour's name or #rrggbb; set another."
        ) from error
    maps = plain
    if "labels" in (data.source, data.target):
        if not data.palette:
            raise UsageError(
                "label maps need data.palette: set it to camvid, cityscapes, or to a CSV of name,red,green,blue."
            )
        palette = open_palette(data.palette)
        names = {"class_names": palette.class_names, "colours": palette.colours, "ignore": data.ignore}
        maps = plain.model_copy(update={"kind": "labels", "channels": 1, **names})
    source = maps if data.source == "labels" else plain.model_copy(update={"channels": data.source_channels})
    if data.target == "picture":
        target = plain.model_copy(update={"channels": data.target_channels})
        return PairPreparations(source, target, target)
    painted = maps.model_copy(update={"kind": "picture", "channels": 3, "resize": "nearest"})
    return PairPreparations(source, maps, painted)


class PairReader:
    """Reads pairs as squares of one side.

    Args:
        data: the settings.
        layout: how the pairs lie; of "pictures" the sketch is drawn.
        side: of the squares in pixels.
    """

    def __init__(self, data: PairData, layout: Layout, side: int) -> None:
        self.preparations = preparations(data)
        self._data = data
        self._drawn = layout == "pictures"
        self._side = side
        if self._drawn and "labels" in (data.source, data.target):
            raise UsageError(
                "data.layout is pictures, which draws sketches, but data.source or data.target is labels: "
                "a label map cannot be drawn; give pairs, or set both to picture."
            )

    @property
    def channels(self) -> tuple[int, int]:
        """Of a source and of a target as :meth:`read` gives them."""
        return self.preparations.source.channels, self.preparations.target.channels

    def read(self, pair: Pair) -> tuple[Pixels, Pixels]:
        """Source and target, uint8 (side, side, C) each.

        Raises:
            GanvasError: a file cannot be read as the settings say.
        """
        if self._drawn:
            return self._read_drawn(pair)
        source, target = load_sides(pair, self.preparations)
        both = self.preparations
        left = both.source.fitted(
            both.source.from_loaded(source, "whole", named(pair.source, pair.source_half)), self._side
        )
        name = named(pair.target, pair.target_half)
        right = both.target_file.fitted(both.target_file.from_loaded(target, "whole", name), self._side)
        return left, both.target_file.shown(right[None])[0] if both.target_file.kind == "labels" else right

    def _read_drawn(self, pair: Pair) -> tuple[Pixels, Pixels]:
        from ganvas.data.sketches import draw_sketch  # Here, since it needs torch, which other layouts do not.

        both = self.preparations
        colours = both.target.model_copy(update={"channels": 3})
        picture = colours.fitted(colours.read(pair.target), self._side)
        sketch = draw_sketch(picture, self._data.sketch)
        source, target = (sketch, picture) if self._data.direction == "left-to-right" else (picture, sketch)
        name = named(pair.target, "whole")
        return both.source.from_array(source, name=name), both.target.from_array(target, name=name)


def load_sides(pair: Pair, both: PairPreparations) -> tuple[Loaded, Loaded]:
    """Both sides decoded, of their own size and mode; a file that holds both is decoded once.

    Raises:
        GanvasError: a file cannot be decoded.
    """
    first = load_picture(pair.source, pages=both.source.pages)
    second = first if pair.target == pair.source else load_picture(pair.target, pages=both.target_file.pages)
    source = halved(first, pair.source_half, named(pair.source, "whole"))
    return source, halved(second, pair.target_half, named(pair.target, "whole"))


def named(path: Path, half: Half) -> str:
    """``'1.jpg'``, or ``'1.jpg' (left half)``, for messages."""
    return f"'{path}'" if half == "whole" else f"'{path}' ({half} half)"
