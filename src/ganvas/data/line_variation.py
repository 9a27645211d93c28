"""Sketches as different hands draw them: thicker and thinner, broken, wavering, in a softer pencil."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_UNTOUCHED_SHARE = 0.5
# Lengths are pixels of a picture of 128, and grow with the side.
_WOBBLE_PIXELS = 1.2  # largest root mean square of the displacement
_WOBBLE_LIMIT = 2.5  # no point moves farther: the lines stay where the colours end
_WOBBLE_PERIOD = 16  # distance of the points that move on their own
_GAP_PERIOD = 4  # about a gap's width
_GAP_SHARE = 0.04  # largest share of the picture that gaps cover
_THINNEST, _THICKEST = 0.6, 1.0  # how far towards a line one pixel narrower, or wider, on each side
_OPENINGS = 3
_OPENING_PIXELS = (4.0, 16.0)  # half the axes of the ellipses in which lines are left out
_LINE_REACH = 3  # half the width of the widest lines
_LEAST_INK = 0.1  # of [-1, 1]: darker than the paper by more is a line
_FAINTEST = 0.55  # intensity of the ink, 1 being untouched


def vary_lines(sketches: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Vary line weight, gaps, wobble and intensity, each sketch in its own way and half of them not at all.

    A picture wavers with its sketch: colours are to end where the line was drawn, not where it should have been.
    Random numbers come from torch's global generator.

    Args:
        sketches: float (N, C, H, W) in [-1, 1], dark lines on white (1), any C.
        pictures: what is to be drawn from them, (N, D, H, W) of the same type, any D.

    Returns:
        Both in the same shapes and ranges; what moves, moves by at most 2.5 pixels of 128.
    """
    number, device = len(sketches), sketches.device
    scale = min(sketches.shape[2:]) / 128
    pixels = torch.rand(number, device=device) * _WOBBLE_PIXELS * scale
    moved = _wobbled(torch.cat([sketches, pictures], dim=1), pixels, scale)
    lines, wavering = moved[:, : sketches.shape[1]], moved[:, sketches.shape[1] :]
    varied = _weighted(lines, torch.rand(number, device=device) * 2 - 1, scale)
    varied = _gapped(varied, torch.rand(number, device=device) * _GAP_SHARE, scale)
    intensity = _for_each(_FAINTEST + (1 - _FAINTEST) * torch.rand(number, device=device))
    varied.mul_(intensity).add_(1 - intensity)
    touched = _for_each(torch.rand(number, device=device) >= _UNTOUCHED_SHARE)
    return torch.where(touched, varied, sketches), torch.where(touched, wavering, pictures)


def open_outlines(sketches: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Leave stretches of the lines out of half the sketches, each in other places; a picture loses the same lines.

    What was drawn without a whole outline, a coat that is open below, is coloured up to where its line would be: in the
    picture the darker of the colours beside a line takes its place. What is too wide for a line stays on both sides.
    Random numbers come from torch's global generator.

    Args:
        sketches: float (N, C, H, W) in [-1, 1], dark lines on white (1), any C.
        pictures: what is to be drawn from them, (N, D, H, W) of the same type, any D.

    Returns:
        Both in the same shapes and ranges. Too wide is what holds a square of about seven pixels of 128.
    """
    scale = min(sketches.shape[2:]) / 128
    reach = max(1, round(_LINE_REACH * scale))
    ink = sketches.mean(dim=1, keepdim=True)
    paper = -_largest_around(-_largest_around(ink, reach), reach)
    # With the pixels around them, which belong to a line's soft edges in the picture.
    lines = _ellipses(sketches, scale) & (_largest_around(paper - ink, 1) > _LEAST_INK)
    return torch.where(lines, 1.0, sketches), torch.where(lines, _without_lines(pictures, reach), pictures)


def _without_lines(pictures: Tensor, reach: int) -> Tensor:
    """A morphological closing of the brightness that moves whole pixels: channel by channel it would mix colours."""
    # Pooling is slow (see _largest_around), but tells where a value came from.
    side = 2 * reach + 1
    brightness = pictures.mean(dim=1, keepdim=True)
    widened, brightest = F.max_pool2d(brightness, side, 1, reach, return_indices=True)
    _, darkest = F.max_pool2d(-widened, side, 1, reach, return_indices=True)
    origin = brightest.flatten(2).gather(2, darkest.flatten(2)).expand(-1, pictures.shape[1], -1)
    return pictures.flatten(2).gather(2, origin).view(pictures.shape)


def _ellipses(like: Tensor, scale: float) -> Tensor:
    """Where to leave lines out: (N, 1, H, W), true in a few ellipses of half the pictures."""
    number, _, height, width = like.shape
    device = like.device
    rows, columns = (torch.arange(side, device=device) for side in (height, width))

    def drawn(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(number, _OPENINGS, 1, 1, device=device)

    down = (rows[:, None] - drawn(0, height)) / (drawn(*_OPENING_PIXELS) * scale)
    across = (columns - drawn(0, width)) / (drawn(*_OPENING_PIXELS) * scale)
    inside = (down.square() + across.square() < 1).any(dim=1, keepdim=True)
    return inside & _for_each(torch.rand(number, device=device) >= _UNTOUCHED_SHARE)


def _for_each(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


def _wobbled(pictures: Tensor, pixels: Tensor, scale: float) -> Tensor:
    """Displace along a smooth random field of ``pixels`` (N,) root mean square."""
    number, _, height, width = pictures.shape
    coarse = [max(2, round(side / (_WOBBLE_PERIOD * scale)) + 1) for side in (height, width)]
    field = torch.randn(number, 2, *coarse, device=pictures.device) * _for_each(pixels)
    limit = _WOBBLE_LIMIT * scale
    field = _enlarged(field, height, width).clamp(-limit, limit)
    shift = field.permute(0, 2, 3, 1) * (2 / torch.tensor([width, height], device=pictures.device))
    rows, columns = (((torch.arange(side, device=pictures.device) * 2 + 1) / side - 1) for side in (height, width))
    still = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
    return F.grid_sample(pictures, (still + shift).to(pictures.dtype), padding_mode="border", align_corners=False)


def _weighted(sketches: Tensor, weight: Tensor, scale: float) -> Tensor:
    """Lines thinner (``weight`` (N,) towards -1) or thicker (towards 1)."""
    reach = max(1, round(scale))
    # A pixel is much of a thin line: small pictures get a part of it.
    weight = _for_each(weight) * min(1.0, scale)
    # Turned over, thicker is thinner: each picture needs one of the two only.
    sign = torch.where(weight > 0, -1.0, 1.0)
    turned = sketches * sign
    amount = torch.where(weight > 0, weight * _THICKEST, -weight * _THINNEST)
    return turned.lerp_(_largest_around(turned, reach), amount).mul_(sign)


def _gapped(sketches: Tensor, share: Tensor, scale: float) -> Tensor:
    """Erase, in place, small round spots that cover about ``share`` (N,) of each picture."""
    number, _, height, width = sketches.shape
    coarse = [max(2, round(side / (_GAP_PERIOD * scale))) for side in (height, width)]
    spots = (torch.rand(number, 1, *coarse, device=sketches.device) < _for_each(share)).to(sketches.dtype)
    # Steeper than the interpolation's slope, so that a gap has ends, not a fade.
    erased = (_enlarged(spots, height, width) * 3 - 0.75).clamp(0, 1)
    return sketches.mul_(1 - erased).add_(erased)


def _largest_around(values: Tensor, reach: int) -> Tensor:
    """The largest value of each square of 2 * reach + 1: max pooling, which takes torch ten times as long on a CPU."""
    for dim in (2, 3):
        length = values.shape[dim]
        pad = (0, 0, reach, reach) if dim == 2 else (reach, reach, 0, 0)
        padded = F.pad(values, pad, mode="replicate")
        for offset in range(2 * reach + 1):
            if offset != reach:
                values = torch.maximum(values, padded.narrow(dim, offset, length))
    return values


def _enlarged(coarse: Tensor, height: int, width: int) -> Tensor:
    """(N, C, h, w) to (N, C, height, width), bicubic, the corners staying corners: as two small products, for speed."""
    down, across = (_interpolation(n, side, coarse) for n, side in zip(coarse.shape[2:], (height, width), strict=True))
    return down.T @ coarse @ across


def _interpolation(few: int, many: int, like: Tensor) -> Tensor:
    """The weights (few, many) of bicubic interpolation along one side."""
    unit = torch.eye(few, device=like.device, dtype=like.dtype)[None, None]
    return F.interpolate(unit, (few, many), mode="bicubic", align_corners=True)[0, 0]
