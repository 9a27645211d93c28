"""How near drawn pictures are to the true ones: one float64 number a picture, of batches of any size.

Every function takes two batches of pictures as they are saved, uint8 (N, C, H, W), and returns float64 (N,). None
of them is a perceptual distance of a pretrained network, and none is named like one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ganvas.errors import GanvasError

PEAK = 255.0
MOST_PSNR = 100.0  # dB, what equal pictures count: an infinite one would decide every mean
WINDOW, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03
# Wang, Simoncelli & Bovik (2003), table 1: from the finest scale to the coarsest.
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
STRONG_EDGE = 0.1  # of the step from black to white
UPSAMPLING_PERIODS = (2, 4)  # pixels: the grids of a generator's last and last but one doubling


@dataclass(frozen=True)
class PictureMetric:
    """What a metric is called, and how it is read: ``better`` is "truth" where the true pictures' value is aimed at."""

    title: str
    better: Literal["lower", "higher", "truth"]
    decimals: int
    reading: str


def l1(drawn: Tensor, true: Tensor) -> Tensor:
    """Mean absolute difference of pictures scaled to [-1, 1], so from 0 to 2."""
    a, b = _pair(drawn, true)
    return (a - b).abs().mean(dim=(1, 2, 3)) / 127.5


def psnr(drawn: Tensor, true: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB over all channels, peak 255; equal pictures count ``MOST_PSNR``."""
    a, b = _pair(drawn, true)
    squared = (a - b).square().mean(dim=(1, 2, 3))
    return (10 * torch.log10(PEAK**2 / squared)).clamp(max=MOST_PSNR)


def ssim(drawn: Tensor, true: Tensor) -> Tensor:
    """Structural similarity, up to 1: Wang, Bovik, Sheikh & Simoncelli (2004), "Image quality assessment".

    Gaussian window of 11 pixels and sigma 1.5, variances divided by the window's weight, only windows that lie in the
    picture, each channel for itself and then their mean.

    Raises:
        GanvasError: the pictures are smaller than a window.
    """
    return _ssim_of(_similarities(drawn, true, 1))


def ms_ssim(drawn: Tensor, true: Tensor) -> Tensor:
    """SSIM over scales, 0 to 1: Wang, Simoncelli & Bovik (2003), "Multiscale structural similarity".

    Contrast and structure of each scale, luminance of the coarsest alone, to the published powers; a scale is the one
    before averaged over 2x2 pixels; each channel for itself and then their mean. A negative mean counts as 0, since
    it has no real power. Five scales need 176 pixels: smaller pictures are measured on the finest :func:`scales_of`
    them with the weights divided by their sum, and :func:`ms_ssim_name` calls that by another name.

    Raises:
        GanvasError: the pictures are smaller than a window.
    """
    return _ms_ssim_of(_similarities(drawn, true, scales_of(min(true.shape[2:]))))


def scales_of(side: int) -> int:
    """How many scales of MS-SSIM pictures with this smaller side have room for, at least 1 and at most 5."""
    return max(1, min(len(SCALE_WEIGHTS), int(math.log2(max(side, WINDOW) / WINDOW)) + 1))


def ms_ssim_name(side: int) -> str:
    """``ms_ssim`` where all five scales fit, else ``ms_ssim_4`` and so on: those are other numbers."""
    scales = scales_of(side)
    return "ms_ssim" if scales == len(SCALE_WEIGHTS) else f"ms_ssim_{scales}"


def chroma(pictures: Tensor) -> Tensor:
    """Mean CIELAB chroma of sRGB pictures (N, 3, H, W): 0 is grey, a saturated red about 105 (CIE 15, D65 white)."""
    return _chroma_of(_lab_colours(pictures))


def colour_distance(drawn: Tensor, true: Tensor) -> Tensor:
    """How far apart the colours of two sRGB pictures are, wherever in the picture they lie, in CIELAB units.

    The Wasserstein-1 distance of the pixels' a* values and that of their b* values, averaged: exact, without bins.
    """
    _check(drawn, true)
    return _colour_distance_of(_lab_colours(drawn), _lab_colours(true))


def edge_agreement(drawn: Tensor, reference: Tensor) -> Tensor:
    """F1 of strong edges, 0 to 1: how many of either picture's lie within 1 pixel of one of the other's.

    A strong edge is a pixel whose brightness rises by a tenth of the way from black to white, by Sobel's operator.
    Two pictures without any agree wholly.
    """
    a, b = (_strong_edges(pictures) for pictures in _pair(drawn, reference))
    precision, recall = _share_near(a, b), _share_near(b, a)
    f1 = 2 * precision * recall / (precision + recall).clamp(min=1e-12)
    none = (a.sum(dim=(1, 2, 3)) == 0) & (b.sum(dim=(1, 2, 3)) == 0)
    return torch.where(none, torch.ones_like(f1), f1)


def checkerboard(pictures: Tensor) -> Tensor:
    """Energy at the frequencies of upsampling grids over that of their neighbours, in dB: about 0 without a pattern.

    Learned upsampling leaves a pattern that repeats every 2 or 4 pixels (Odena et al. 2016, "Deconvolution and
    checkerboard artifacts"). In the windowed spectrum of the brightness, at each whole multiple of 1/4 in both
    directions but (0, 0), 3x3 bins are compared with those 4 bins further along the same row and column; the mean of
    the decibels. True pictures with regular textures score above 0 too, so theirs is the value to compare with.
    """
    grey = _brightness(_float(pictures))[:, 0]
    height, width = grey.shape[1:]
    window = torch.outer(
        torch.hann_window(height, dtype=torch.float64), torch.hann_window(width, dtype=torch.float64)
    ).to(grey.device)
    # The window's own spectrum would show around (0, 0): the mean under the window is taken away.
    weighted_mean = (grey * window).sum(dim=(1, 2), keepdim=True) / window.sum()
    power = torch.fft.fft2((grey - weighted_mean) * window).abs().square()
    rounding = window.square().sum() / 12  # energy a bin that rounding to whole values leaves in any picture
    near = F.avg_pool2d(F.pad(power[:, None], (1, 1, 1, 1), mode="circular"), 3, stride=1)[:, 0] + rounding
    decibels = []
    for u, v in _grid_frequencies():
        row, column = round(u * height), round(v * width)
        along_rows = [near[:, (row + step) % height, column] for step in (-4, 4)] if u else []
        along_columns = [near[:, row, (column + step) % width] for step in (-4, 4)] if v else []
        around = torch.stack([*along_rows, *along_columns]).mean(dim=0)
        decibels.append(10 * torch.log10(near[:, row, column] / around))
    return torch.stack(decibels).mean(dim=0)


METRICS = {
    "l1": PictureMetric("L1", "lower", 4, "mean absolute difference, pictures in [-1, 1]"),
    "psnr": PictureMetric("PSNR", "higher", 2, "peak signal-to-noise ratio in dB, peak 255"),
    "ssim": PictureMetric("SSIM", "higher", 3, "structural similarity under a Gaussian window of 11 pixels"),
    "ms_ssim": PictureMetric("MS-SSIM", "higher", 3, "the same over 5 scales"),
    **{
        f"ms_ssim_{scales}": PictureMetric(
            f"MS-SSIM, {scales} scales", "higher", 3, f"SSIM over {scales} scales, as the usual five need 176 pixels"
        )
        for scales in range(1, len(SCALE_WEIGHTS))
    },
    "edge_agreement": PictureMetric("Edges met", "higher", 3, "F1 of strong edges, found again within 1 pixel"),
    "colour_distance": PictureMetric(
        "Colour distance", "lower", 2, "between the pictures' colours wherever they lie, in CIELAB units"
    ),
    "chroma": PictureMetric("Chroma", "truth", 2, "mean CIELAB chroma; far below the true pictures' is greyish"),
    "checkerboard": PictureMetric(
        "Checkerboard", "truth", 2, "energy at the frequencies of upsampling grids over their neighbours', in dB"
    ),
}


def measure_pictures(drawn: Tensor, true: Tensor) -> dict[str, Tensor]:
    """Every metric of a batch by name, float64 (N,) each; those of colour only where there are three channels.

    Raises:
        GanvasError: the batches differ in shape, or the pictures are smaller than SSIM's window.
    """
    side = min(true.shape[2:])
    similarities = _similarities(drawn, true, scales_of(side))
    values = {
        "l1": l1(drawn, true),
        "psnr": psnr(drawn, true),
        "ssim": _ssim_of(similarities),
        ms_ssim_name(side): _ms_ssim_of(similarities),
        "edge_agreement": edge_agreement(drawn, true),
    }
    if true.shape[1] == 3:
        colours = _lab_colours(drawn)
        values["colour_distance"] = _colour_distance_of(colours, _lab_colours(true))
        values["chroma"] = _chroma_of(colours)
    return values | {"checkerboard": checkerboard(drawn)}


def measure_alone(pictures: Tensor) -> dict[str, Tensor]:
    """The metrics that pictures have by themselves: of true ones, the values that drawn ones should come near."""
    values = {"chroma": chroma(pictures)} if pictures.shape[1] == 3 else {}
    return values | {"checkerboard": checkerboard(pictures)}


def _float(pictures: Tensor) -> Tensor:
    return pictures.to(torch.float64)


def _check(drawn: Tensor, true: Tensor) -> None:
    if drawn.shape != true.shape or drawn.ndim != 4:
        found = " and ".join("x".join(str(side) for side in pictures.shape) for pictures in (drawn, true))
        raise GanvasError(f"expected two batches of pictures of one shape NxCxHxW, found {found}.")


def _pair(drawn: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    _check(drawn, true)
    return _float(drawn), _float(true)


def _similarities(drawn: Tensor, true: Tensor, scales: int) -> list[tuple[Tensor, Tensor]]:
    """Mean SSIM and mean contrast-structure term of each scale, (N, C) each, the finest first."""
    a, b = _pair(drawn, true)
    terms = [_similarity(a, b)]
    for _ in range(scales - 1):
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
        terms.append(_similarity(a, b))
    return terms


def _ssim_of(similarities: list[tuple[Tensor, Tensor]]) -> Tensor:
    return similarities[0][0].mean(dim=1)


def _ms_ssim_of(similarities: list[tuple[Tensor, Tensor]]) -> Tensor:
    weights = SCALE_WEIGHTS[: len(similarities)]
    factors = [contrast_structure for _, contrast_structure in similarities[:-1]] + [similarities[-1][0]]
    powers = [factor.clamp(min=0) ** (weight / sum(weights)) for factor, weight in zip(factors, weights, strict=True)]
    return torch.stack(powers).prod(dim=0).mean(dim=1)


def _similarity(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Mean SSIM and mean contrast-structure term, each (N, C)."""
    if min(a.shape[2:]) < WINDOW:
        raise GanvasError(f"SSIM needs pictures of at least {WINDOW} pixels a side, found {min(a.shape[2:])}.")
    mean_a, mean_b = _blurred(a), _blurred(b)
    product, square_a, square_b = mean_a * mean_b, mean_a.square(), mean_b.square()
    variances = _blurred(a * a + b * b) - square_a - square_b
    covariance = _blurred(a * b) - product
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    contrast_structure = (2 * covariance + c2) / (variances + c2)
    whole = (2 * product + c1) / (square_a + square_b + c1) * contrast_structure
    return whole.mean(dim=(2, 3)), contrast_structure.mean(dim=(2, 3))


def _blurred(pictures: Tensor) -> Tensor:
    """Under SSIM's window, where it fits: (N, C, H - 10, W - 10)."""
    taps = [math.exp(-0.5 * ((i - WINDOW // 2) / SIGMA) ** 2) for i in range(WINDOW)]
    for dim in (2, 3):
        length = pictures.shape[dim] - WINDOW + 1
        blurred = torch.zeros_like(pictures.narrow(dim, 0, length))
        # Shifted sums: several times faster in float64 than torch's convolutions, and no larger in memory.
        for i, tap in enumerate(taps):
            blurred.add_(pictures.narrow(dim, i, length), alpha=tap / sum(taps))
        pictures = blurred
    return pictures


def _lab_colours(pictures: Tensor) -> Tensor:
    """a* and b* (N, 2, H, W) of sRGB pictures (N, 3, H, W): IEC 61966-2-1 to XYZ, CIELAB for the D65 white."""
    if pictures.shape[1] != 3:
        raise GanvasError(f"colours need pictures of 3 channels, found {pictures.shape[1]}.")
    # 256 values only: the curve is looked up.
    value = torch.arange(256, dtype=torch.float64) / 255
    table = torch.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).to(pictures.device)
    linear = table[pictures.long()]
    to_xyz = torch.tensor(
        [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]],
        dtype=torch.float64,
        device=pictures.device,
    )
    white = to_xyz.sum(dim=1)
    xyz = torch.einsum("ij,njhw->nihw", to_xyz / white[:, None], linear)
    f = torch.where(xyz > (6 / 29) ** 3, xyz.clamp(min=1e-9) ** (1 / 3), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f.unbind(dim=1)
    return torch.stack([500 * (x - y), 200 * (y - z)], dim=1)


def _chroma_of(colours: Tensor) -> Tensor:
    return colours.square().sum(dim=1).sqrt().mean(dim=(1, 2))


def _colour_distance_of(colours: Tensor, others: Tensor) -> Tensor:
    a, b = (each.flatten(2).sort(dim=2).values for each in (colours, others))
    return (a - b).abs().mean(dim=(1, 2))


def _brightness(pictures: Tensor) -> Tensor:
    """(N, 1, H, W): luma of ITU-R 601 of three channels, else the channels' mean."""
    if pictures.shape[1] != 3:
        return pictures.mean(dim=1, keepdim=True)
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=pictures.dtype, device=pictures.device)
    return torch.einsum("c,nchw->nhw", weights, pictures)[:, None]


def _strong_edges(pictures: Tensor) -> Tensor:
    """1 at strong edges, else 0: (N, 1, H, W)."""
    grey = F.pad(_brightness(pictures), (1, 1, 1, 1), mode="replicate") / PEAK
    rows = grey[:, :, :-2] + 2 * grey[:, :, 1:-1] + grey[:, :, 2:]
    columns = grey[:, :, :, :-2] + 2 * grey[:, :, :, 1:-1] + grey[:, :, :, 2:]
    across, down = rows[..., 2:] - rows[..., :-2], columns[:, :, 2:] - columns[:, :, :-2]
    return (torch.hypot(across, down) / 4 > STRONG_EDGE).to(torch.float64)


def _share_near(edges: Tensor, others: Tensor) -> Tensor:
    """Share of ``edges`` that lie within a pixel of one of ``others``; 0 where there are none."""
    near = F.max_pool2d(others, 3, stride=1, padding=1)
    return (edges * near).sum(dim=(1, 2, 3)) / edges.sum(dim=(1, 2, 3)).clamp(min=1)


def _grid_frequencies() -> list[tuple[float, float]]:
    """Whole multiples of the grids' frequencies, in cycles a pixel, without (0, 0) and one of each mirrored pair."""
    steps = sorted({k / period for period in UPSAMPLING_PERIODS for k in range(period)})
    return [(u, v) for u in steps for v in steps if (u, v) != (0, 0) and (u, v) <= ((1 - u) % 1, (1 - v) % 1)]
