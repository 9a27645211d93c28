"""Draw the studio's examples: four line drawings, and four street scenes as label maps in the palette of CamVid.

Made for ganvas and under its licence. Run again only to change them: python tools/studio_examples.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import cos, pi, sin
from pathlib import Path

from PIL import Image, ImageDraw

from ganvas.data.label_maps import CAMVID
from ganvas.pictures import save_png

FOLDER = Path(__file__).parents[1] / "src" / "ganvas" / "studio" / "examples"
SIDE, FINE = 256, 4  # pixels of a drawing, and what one is drawn of before it is made smaller
WEIGHT = 4
MAP = (256, 192)
COLOURS = dict(CAMVID)
Point = tuple[float, float]


class Pen:
    """Draws lines and closed shapes in coordinates of 0..256; shapes are paper inside, so that they cover."""

    def __init__(self) -> None:
        self.image = Image.new("L", (SIDE * FINE, SIDE * FINE), 255)
        self._draw = ImageDraw.Draw(self.image)

    def line(self, points: Sequence[Point], weight: float = WEIGHT, ink: int = 0) -> None:
        fine = [(x * FINE, y * FINE) for x, y in points]
        self._draw.line(fine, fill=ink, width=round(weight * FINE), joint="curve")
        reach = weight * FINE / 2
        for x, y in (fine[0], fine[-1]):
            self._draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=ink)

    def shape(self, points: Sequence[Point], weight: float = WEIGHT) -> None:
        self._draw.polygon([(x * FINE, y * FINE) for x, y in points], fill=255)
        self.line([*points, points[0]], weight)

    def ellipse(self, x: float, y: float, across: float, down: float, ink: int = 255) -> None:
        box = tuple(value * FINE for value in (x - across, y - down, x + across, y + down))
        self._draw.ellipse(box, fill=ink, outline=0, width=WEIGHT * FINE)

    def done(self) -> Image.Image:
        return self.image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def arc(x: float, y: float, across: float, down: float, start: float, end: float, steps: int = 40) -> list[Point]:
    """Points on an ellipse from one angle to another, in degrees, clockwise from the right."""
    angles = [(start + (end - start) * step / steps) * pi / 180 for step in range(steps + 1)]
    return [(x + across * cos(angle), y + down * sin(angle)) for angle in angles]


def house(pen: Pen) -> None:
    pen.line([(20, 222), (236, 222)])
    pen.shape([(56, 120), (200, 120), (200, 222), (56, 222)])
    pen.shape([(160, 50), (182, 50), (182, 100), (160, 100)])
    pen.shape([(38, 122), (128, 42), (218, 122)])
    pen.shape([(112, 162), (146, 162), (146, 222), (112, 222)])
    pen.ellipse(139, 194, 2, 2, 0)
    for left in (70, 160):
        pen.shape([(left, 142), (left + 28, 142), (left + 28, 170), (left, 170)])
        pen.line([(left + 14, 142), (left + 14, 170)], 3)
        pen.line([(left, 156), (left + 28, 156)], 3)


def cat(pen: Pen) -> None:
    for weight, ink in ((18, 0), (18 - 2 * WEIGHT, 255)):
        pen.line([*arc(184, 194, 34, 30, 90, -70), (190, 140)], weight, ink)
    pen.shape(arc(128, 190, 58, 52, 0, 360))
    pen.shape([(72, 96), (76, 26), (118, 60)])
    pen.shape([(184, 96), (180, 26), (138, 60)])
    pen.shape(arc(128, 98, 62, 52, 0, 360))
    for side in (-1, 1):
        pen.ellipse(128 + side * 26, 92, 7, 10, 0)
        pen.ellipse(128 + side * 24, 232, 22, 12)
        pen.line([(128 + side * 20, 120), (128 + side * 74, 108)], 2)
        pen.line([(128 + side * 20, 124), (128 + side * 76, 126)], 2)
        pen.line(arc(128 + side * 9, 122, 9, 9, 0, 180))
    pen.shape([(120, 110), (136, 110), (128, 120)])


def flower(pen: Pen) -> None:
    pen.line([(128, 130), (126, 180), (130, 244)], 6)
    pen.shape([*arc(96, 196, 36, 20, 20, 180), *arc(96, 196, 36, 26, 180, 380)])
    pen.shape([*arc(164, 176, 34, 18, 160, 0), *arc(164, 176, 34, 24, 0, -200)])
    for petal in range(8):
        angle = petal * pi / 4
        pen.ellipse(128 + 46 * cos(angle), 84 + 46 * sin(angle), 25, 25)
    pen.ellipse(128, 84, 30, 30)


def car(pen: Pen) -> None:
    pen.line([(12, 204), (244, 204)])
    pen.shape([(22, 186), (22, 146), (62, 134), (92, 88), (172, 88), (208, 134), (236, 148), (236, 186)])
    pen.shape([(78, 132), (102, 98), (126, 98), (126, 132)])
    pen.shape([(138, 132), (138, 98), (166, 98), (190, 132)])
    pen.line([(132, 98), (132, 184)], 3)
    pen.line([(146, 148), (160, 148)])
    pen.ellipse(30, 156, 6, 8)
    for x in (74, 186):
        pen.ellipse(x, 186, 25, 25)
        pen.ellipse(x, 186, 10, 10)


def street(image: ImageDraw.ImageDraw, seed: int) -> None:
    """A road to the horizon between buildings and trees; ``seed`` 0 to 3 moves things about."""
    wide, high = MAP
    horizon, middle = 84 + 6 * (seed % 2), 128 + 18 * (seed - 1.5)

    def paint(name: str, *points: Point) -> None:
        image.polygon(points, fill=COLOURS[name])

    def box(name: str, left: float, top: float, right: float, bottom: float) -> None:
        image.rectangle((left, top, right, bottom), fill=COLOURS[name])

    box("Sky", 0, 0, wide, high)
    box("Building", 0, 20 + 12 * seed, middle - 34, horizon + 20)
    box("Building", middle + 30, 52 - 10 * seed, wide, horizon + 20)
    box("Tree", middle - 34, horizon - 14, middle + 30, horizon + 4)
    image.ellipse((middle - 78, 30, middle - 26, 92), fill=COLOURS["Tree"])
    if seed % 2:
        image.ellipse((middle + 34, 22, middle + 92, 96), fill=COLOURS["Tree"])
        box("Fence", wide - 60, horizon + 4, wide, horizon + 24)
    paint("Pavement", (0, horizon + 14), (middle, horizon), (wide, horizon + 14), (wide, high), (0, high))
    paint("Road", (middle - 6, horizon), (middle + 6, horizon), (wide - 30, high), (16, high))
    pole = middle + 62
    box("Pole", pole, 34, pole + 3, horizon + 34)
    box("SignSymbol", pole - 7, 40, pole + 10, 56)
    size = 20 + 8 * seed
    left, ground = middle - 10 - size, horizon + 34 + 8 * seed
    box("Car", left, ground - size * 0.5, left + size * 1.7, ground)
    box("Car", left + size * 0.3, ground - size * 0.9, left + size * 1.4, ground - size * 0.5)
    if seed != 1:
        box("Pedestrian", 30 + 6 * seed, horizon + 8, 40 + 6 * seed, horizon + 50)
        image.ellipse((30 + 6 * seed, horizon - 4, 40 + 6 * seed, horizon + 8), fill=COLOURS["Pedestrian"])
    if seed > 1:
        box("Bicyclist", middle + 40, horizon + 12, middle + 52, horizon + 52)


def main() -> None:
    drawings: list[Callable[[Pen], None]] = [house, cat, flower, car]
    for number, subject in enumerate(drawings):
        pen = Pen()
        subject(pen)
        save_png(pen.done(), FOLDER / "drawings" / f"{number}-{subject.__name__}.png")
    for seed in range(4):
        label_map = Image.new("RGB", MAP)
        street(ImageDraw.Draw(label_map), seed)
        save_png(label_map, FOLDER / "camvid" / f"{seed}-street.png")


if __name__ == "__main__":
    main()
