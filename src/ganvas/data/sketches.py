"""Clean line sketches from colour pictures, so that pictures alone are enough to train sketch -> colour.

Two known methods, compared with the line art of real illustrators in ``docs/sketches.md``:

- "xdog": the flow-guided, extended difference of Gaussians (Winnemoeller, Kyprianidis & Olsen, "XDoG: an eXtended
  difference-of-Gaussians compendium", Computers & Graphics 36, 2012; flow after Kang, Lee & Chui 2007). A pixel is ink
  where it is darker than what lies around it across the line: an outline stays one line, black stays black.
- "gradient": the thinned gradient (Canny 1986, on colours after Di Zenzo 1986), with the two edges of an outline merged
  and the middle redrawn. A pixel is ink where colours meet, be they equally bright or not.

Both look at the picture at 128 to 256 pixels (the side of a square of its area) and draw in its own size: the width of
the lines is a share of the picture, as a pen's is of the sheet.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from ganvas.pictures import Pixels

Method = Literal["xdog", "gradient", "luminance"]
_Mask = npt.NDArray[np.bool_]

_SMALLEST, _LARGEST = 128, 256  # side of the picture that lines are looked for in

# All lengths are pixels of a picture of 128.
# XDoG, in the paper's letters. On emoji a wide range of these does equally well; what photographs need decided.
_SIGMA, _K = 0.7, 1.6  # narrow Gaussian across the line, and how much wider the other one is
_P = 50.0  # how much the difference of the two counts beside the tone
_EPSILON, _PHI = 0.2, 20.0  # what is less is ink, and how steeply
_SIGMA_FLOW, _SIGMA_ALONG = 2.0, 2.0  # of the structure tensor, and of the average along a line
_SIGMA_AROUND = 12.0  # of what is around: tone and contrast are measured by it
_BLACK, _DIM = 0.03, 0.3  # brightness that nobody tells from black; under which contrast no longer grows
_MOST_SAMPLES, _LARGEST_SAMPLED = 3, 2048  # responses a pixel in each direction; side beyond which they would cost much

_SIGMA_GRADIENT = 0.8
_WEAK, _STRONG = 0.05, 0.12  # hysteresis; a sharp edge from black to white measures about 0.3
_MERGED = 5.0  # edges so near are the two sides of one line
_PEN = 3.0  # width of a line


def draw_sketch(picture: Pixels, method: Method) -> Pixels:
    """Draw the lines of a picture.

    Args:
        picture: (H, W, 3) uint8 on an opaque background, any size.
        method: "xdog", "gradient", or "luminance": the picture itself in grey (ITU-R 601), to colour photographs.

    Returns:
        (H, W, 1) uint8, black lines on white; the same picture gives the same sketch.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(f"expected a uint8 array (H, W, 3), found {picture.dtype} {picture.shape}")
    if method == "luminance":
        weights = np.array([0.299, 0.587, 0.114], dtype=np.float32)
        grey: Pixels = np.rint(picture.astype(np.float32) @ weights).astype(np.uint8)
        return grey[:, :, None]
    with torch.inference_mode():
        colours = torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1)[None] / 255
        height, width = colours.shape[2:]
        if method == "xdog":
            light = _xdog(*_working_size(colours, _SMALLEST), (height, width))
        else:
            # Its middle lines are whole pixels, which are too much of a small picture.
            light = _gradient(*_working_size(colours, _LARGEST), (height, width))
        pixels: Pixels = (light * 255).round().to(torch.uint8)[0, 0, :, :, None].numpy()
    return pixels


def _working_size(colours: Tensor, smallest: int) -> tuple[Tensor, float]:
    """The picture with an area of ``smallest`` to 256 pixels squared, and the side of that square in units of 128."""
    height, width = colours.shape[2:]
    side = math.sqrt(height * width)
    worked = min(max(side, smallest), _LARGEST)
    if worked != side:
        colours = _resized(colours, tuple(max(1, round(length * worked / side)) for length in (height, width)))
    return colours, worked / _SMALLEST


def _xdog(colours: Tensor, scale: float, size: tuple[int, int]) -> Tensor:
    """Brightness (1, 1, *size) in [0, 1] of the sketch."""
    light = _lightness(colours)
    flow = _flow(colours, scale)
    across = 0.5 * torch.atan2(flow[:, 1], flow[:, 0])
    step = torch.stack((across.cos(), across.sin()), dim=1)
    grid = _pixel_grid(light)
    sigma = _SIGMA * scale
    reach = math.ceil(2.5 * sigma * _K)
    narrow, wide = torch.zeros_like(light), torch.zeros_like(light)
    narrow_weights, wide_weights = _gaussian(sigma, reach), _gaussian(sigma * _K, reach)
    for offset in range(-reach, reach + 1):
        seen = _sample(light, grid + offset * step)
        narrow += narrow_weights[offset + reach] * seen
        wide += wide_weights[offset + reach] * seen
    # The paper adds the brightness itself, so that black stays black, which fills all that is dark in a photograph.
    # Against what is around, a pupil is black and a night is not.
    around = _blurred(light, _SIGMA_AROUND * scale)
    tone = (narrow + _BLACK) / (around + _BLACK)
    contrast = (narrow - wide) / (around + _DIM)
    response = _along_flow(tone + _P * contrast, flow, _SIGMA_ALONG * scale)
    # The response holds nothing finer than its Gaussians, so it is enlarged first and made into lines last: crisp ones,
    # smooth at their edges because several of its values make one pixel.
    finer = max(1, min(_MOST_SAMPLES, _LARGEST_SAMPLED // min(size)))
    response = _resized(response, (size[0] * finer, size[1] * finer))
    light = torch.where(response >= _EPSILON, 1.0, 1 + torch.tanh(_PHI * (response - _EPSILON)))
    return F.avg_pool2d(light, finer).clamp(0, 1)


def _flow(colours: Tensor, scale: float) -> Tensor:
    """The direction across the lines (1, 2, H, W) as cosine and sine of its doubled angle, longer where it is surer.

    Doubled angles have no sign to disagree about, so they can be averaged and interpolated.
    """
    across, down = _derivatives(colours)
    tensor = torch.cat(
        (across.square().sum(1, True) - down.square().sum(1, True), 2 * (across * down).sum(1, True)), dim=1
    )
    return _blurred(tensor, _SIGMA_FLOW * scale)


def _along_flow(response: Tensor, flow: Tensor, sigma: float) -> Tensor:
    """Average the response along the lines, both ways from every pixel: gaps close, speckles fade."""
    reach = math.ceil(2 * sigma)
    weights = _gaussian(sigma, reach)
    total = response * weights[reach]
    field = torch.cat((response, flow), dim=1)
    angle = 0.5 * torch.atan2(flow[:, 1], flow[:, 0])
    tangent = torch.stack((-angle.sin(), angle.cos()), dim=1)
    for sign in (1.0, -1.0):
        place, step = _pixel_grid(response), tangent * sign
        for offset in range(1, reach + 1):
            place = place + step
            here = _sample(field, place)
            total = total + weights[reach + offset] * here[:, :1]
            angle = 0.5 * torch.atan2(here[:, 2], here[:, 1])
            turned = torch.stack((-angle.sin(), angle.cos()), dim=1)
            step = torch.where((turned * step).sum(1, keepdim=True) < 0, -turned, turned)
    return total


def _gradient(colours: Tensor, scale: float, size: tuple[int, int]) -> Tensor:
    """Brightness (1, 1, *size) in [0, 1] of the sketch."""
    smooth = _blurred(colours, _SIGMA_GRADIENT * scale)
    across, down = _derivatives(smooth)
    strength = (across.square() + down.square()).sqrt()
    strongest = strength.argmax(dim=1, keepdim=True)
    strength = strength.gather(1, strongest)
    normal = torch.cat((across.gather(1, strongest), down.gather(1, strongest)), dim=1) / strength.clamp(min=1e-6)
    grid = _pixel_grid(strength)
    ridge = (strength > _sample(strength, grid + normal)) & (strength >= _sample(strength, grid - normal))
    edges = _connected(ridge & (strength > _WEAK / scale), ridge & (strength > _STRONG / scale))
    middle = _thinned(_filled(edges, normal, round(_MERGED * scale)))
    # Distance to the middle, so that lines are round and crisp in any size.
    radius = _PEN * scale / 2
    distance = _resized(_blurred(_distance(middle, radius + 2), scale), size)
    factor = min(size) / min(colours.shape[2:])
    return ((distance - radius) * factor + 0.5).clamp(0, 1)


def _connected(weak: Tensor, strong: Tensor) -> Tensor:
    """The weak pixels (1, 1, H, W) that hang together with a strong one."""
    grown = strong
    while True:
        larger = (F.max_pool2d(grown.float(), 3, 1, 1) > 0) & weak
        if torch.equal(larger, grown):
            return grown
        grown = larger


def _filled(edges: Tensor, normal: Tensor, most: int) -> Tensor:
    """Fill the dark between two edges that face each other at most ``most`` pixels apart: they are one line's sides.

    The brightness rises along ``normal``, so the way from an edge into its line is the way back along it. What is
    bright between two edges is a gap between two lines and stays open.
    """
    height, width = edges.shape[2:]
    rows, columns = torch.nonzero(edges[0, 0], as_tuple=True)
    rise = normal[0][:, rows, columns]  # (x, y)
    way = torch.arange(1, most + 1).view(-1, 1)
    y = (rows - way * rise[1]).round().long().clamp(0, height - 1)
    x = (columns - way * rise[0]).round().long().clamp(0, width - 1)
    facing = (normal[0, 0, y, x] * rise[0] + normal[0, 1, y, x] * rise[1]) < -0.5
    met = edges[0, 0, y, x] & facing
    # Up to the first edge that faces this one.
    inside = (met.int().cumsum(0) - met.int() == 0) & met.any(dim=0)
    lines = edges.clone()
    lines[0, 0, y[inside], x[inside]] = True
    # Steps are rounded to pixels: close the pinholes that leaves, of which thinning would make rings.
    grown = F.max_pool2d(F.pad(lines.float(), (1, 1, 1, 1)), 3, 1)
    return lines | (-F.max_pool2d(-F.pad(grown, (1, 1, 1, 1), value=1.0), 3, 1) > 0)


def _distance(mask: Tensor, most: float) -> Tensor:
    """Euclidean distance (1, 1, H, W) to the nearest pixel of the mask, at most ``most``."""
    reach = math.ceil(most)
    padded = F.pad(mask, (reach,) * 4)
    height, width = mask.shape[2:]
    result = torch.full(mask.shape, float(most))
    for down in range(-reach, reach + 1):
        for across in range(-reach, reach + 1):
            length = math.hypot(down, across)
            if length < most:
                there = padded[..., reach + down : reach + down + height, reach + across : reach + across + width]
                result = torch.where(there & (result > length), length, result)
    return result


def _thinned(lines: Tensor) -> Tensor:
    """The middle of every line, one pixel wide and connected as before (Zhang & Suen 1984)."""
    image = np.pad(lines[0, 0].numpy(), 1)
    while True:
        before = image.copy()
        for first in (True, False):
            image[1:-1, 1:-1] &= ~_removable(image, first)
        if np.array_equal(before, image):
            return torch.from_numpy(image[1:-1, 1:-1].copy())[None, None]


def _removable(image: _Mask, first: bool) -> _Mask:
    """Which pixels one half of a thinning step takes away; the image has a border of one pixel more."""
    north, east, south, west = image[:-2, 1:-1], image[1:-1, 2:], image[2:, 1:-1], image[1:-1, :-2]
    ring = np.stack((north, image[:-2, 2:], east, image[2:, 2:], south, image[2:, :-2], west, image[:-2, :-2]))
    neighbours = ring.sum(axis=0)
    begins = (~ring & np.roll(ring, -1, axis=0)).sum(axis=0)
    if first:
        side = ~(north & east & south) & ~(east & south & west)
    else:
        side = ~(north & east & west) & ~(north & south & west)
    removable: _Mask = image[1:-1, 1:-1] & (neighbours >= 2) & (neighbours <= 6) & (begins == 1) & side
    return removable


def _lightness(colours: Tensor) -> Tensor:
    """Luma (1, 1, H, W) in [0, 1]."""
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    return (colours * weights).sum(dim=1, keepdim=True)


def _derivatives(colours: Tensor) -> tuple[Tensor, Tensor]:
    """Across and down, each (1, C, H, W), by Sobel's filter; a step from black to white measures up to 0.5."""
    channels = colours.shape[1]
    sobel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
    kernels = torch.stack((sobel, sobel.T))[:, None].repeat(channels, 1, 1, 1)
    both = F.conv2d(F.pad(colours, (1, 1, 1, 1), mode="replicate"), kernels, groups=channels)
    return both[:, 0::2], both[:, 1::2]


def _blurred(values: Tensor, sigma: float) -> Tensor:
    reach = math.ceil(3 * sigma)
    weights, channels = _gaussian(sigma, reach), values.shape[1]
    padded = F.pad(values, (reach,) * 4, mode="replicate")
    rows = F.conv2d(padded, weights.view(1, 1, 1, -1).repeat(channels, 1, 1, 1), groups=channels)
    return F.conv2d(rows, weights.view(1, 1, -1, 1).repeat(channels, 1, 1, 1), groups=channels)


def _gaussian(sigma: float, reach: int) -> Tensor:
    weights = torch.exp(-torch.arange(-reach, reach + 1).square() / (2 * sigma**2))
    return weights / weights.sum()


def _pixel_grid(values: Tensor) -> Tensor:
    """Coordinates (1, 2, H, W) of the pixels, x first."""
    down, across = torch.meshgrid(
        *(torch.arange(side, dtype=torch.float32) for side in values.shape[2:]), indexing="ij"
    )
    return torch.stack((across, down))[None]


def _sample(values: Tensor, places: Tensor) -> Tensor:
    """Values between the pixels, bilinear, the border repeated."""
    height, width = values.shape[2:]
    size = torch.tensor([width, height], dtype=torch.float32).view(1, 2, 1, 1)
    grid = ((places + 0.5) * (2 / size) - 1).permute(0, 2, 3, 1)
    return F.grid_sample(values, grid, padding_mode="border", align_corners=False)


def _resized(values: Tensor, size: tuple[int, ...]) -> Tensor:
    if tuple(values.shape[2:]) == tuple(size):
        return values
    return F.interpolate(values, size=list(size), mode="bicubic", antialias=True)
