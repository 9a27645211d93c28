"""Sparse dabs of colour that tell the model what a person wants where.

After Zhang et al., "Real-time user-guided image colorization with learned deep priors" (2017), section 3.1: the
number of dabs is geometric, their places are normal about the picture's centre, their sides uniform, and each shows the
colour of the target under it. Two deviations, as drawings are mostly paper and outlines, and people dab areas: three
dabs of four look for a place that is not white in its middle and holds no black, in up to six draws; and the colour is
the median where theirs is the mean, so that a dab across a line is of the area's colour and not a muddy one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ganvas.config import Hints
from ganvas.errors import UsageError
from ganvas.pictures import Pixels, to_uint8

_DRAWS = 6
_ANYWHERE_SHARE = 0.25
_WHITE, _BLACK = 0.94, -0.8  # of [-1, 1]: the darkest channel of paper, the brightest of an outline
_CHROMATIC = 0.3  # from the least to the largest channel of a colour that can be told from grey
_SAME = 0.25  # how far off the way from black to a colour its shades may lie
_BRIGHTER = 1.15  # than the colour itself, and still a shade of it
_LEVELS = 16  # of red, green and blue, by which two colours are about the same when up to two apart


def random_hints(targets: Tensor, settings: Hints) -> Tensor:
    """Dabs as training draws them, from torch's global random numbers.

    Args:
        targets: (N, 3, H, W) in [-1, 1].
        settings: how many pictures get none, how many dabs the others get, and how large.

    Returns:
        (N, 4, H, W): the colour where a dab is and 0 elsewhere, then the mask 1 or 0.
    """
    count, device = len(targets), targets.device
    # The length of a run of successes of probability q is geometric: P(n) = (1 - q) q^n. As its inverse:
    uniform = torch.rand(count, device=device).clamp(min=1e-7)
    keep_on = torch.tensor(max(settings.continue_share, 1e-9), device=device)
    counts = torch.floor(uniform.log() / keep_on.log()).long()
    counts = torch.where(torch.rand(count, device=device) < settings.none_share, 0, counts)
    return _dabbed(targets, counts, settings)


def recoloured(targets: Tensor, hints: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Pictures, and their dabs, in some of which the colour under a dab has become any other.

    Where colours can be guessed, a model learns to guess them and to overlook the dabs, until they contradict. One dab
    of a chosen picture is taken, and every pixel of its colour or of a darker shade of it, wherever it lies, goes the
    same share of the way from black to a colour that is uniform in the cube; so do the dabs of that colour. Dabs of
    greys stay, as paper and outlines are shades of grey. Draws from torch's global random numbers.

    Args:
        targets: (N, 3, H, W) in [-1, 1], whose brightness the sources do not show.
        hints: (N, 4, H, W), theirs.
        share: of the pictures with dabs that are chosen.

    Returns:
        Both, of the same shapes.
    """
    count = len(targets)
    mask, device = hints[:, 3:], targets.device
    # A dabbed pixel at random, so that large dabs are taken more often.
    at = (torch.rand(count, hints[0, 0].numel(), device=device) * mask.flatten(1)).argmax(1)
    old = hints[:, :3].flatten(2).gather(2, at[:, None, None].expand(-1, 3, 1))[..., None]
    new = torch.rand(count, 3, 1, 1, device=device).to(old) * 2 - 1
    chosen = torch.rand(count, device=device) < share
    chosen &= (mask.amax((1, 2, 3)) > 0) & ((old.amax(1) - old.amin(1)) > _CHROMATIC)[:, 0, 0]

    def moved(colours: Tensor) -> Tensor:
        part = ((colours + 1) * (old + 1)).sum(1, keepdim=True) / (old + 1).square().sum(1, keepdim=True).clamp(min=0.1)
        off = (colours + 1 - part * (old + 1)).abs().amax(1, keepdim=True)
        taken = chosen[:, None, None, None] & (off < _SAME) & (part < _BRIGHTER)
        return torch.where(taken, (colours + part * (new - old)).clamp(-1, 1), colours)

    return moved(targets), torch.cat((torch.where(mask > 0, moved(hints[:, :3]), 0.0), mask), dim=1)


def hints_at(targets: Tensor, count: int, settings: Hints) -> Tensor:
    """The same with exactly ``count`` dabs on each picture, to measure what dabs do; later ones lie on earlier ones."""
    return _dabbed(targets, torch.full((len(targets),), count, device=targets.device), settings)


def hints_of_another_hue(
    drawn: Pixels, turn: float, count: int, rng: np.random.Generator, given: Tensor | None = None
) -> Tensor:
    """Dabs for a variation of a drawing: its colours at random places, turned around the circle of hues (of HSV).

    They lie where there is colour, as a turned grey is the same grey. Dabs that a person gave stay, and what is drawn
    in their colours, or in those that the model made of them, gets no other, wherever it lies: a model takes a dab's
    colour for other areas too, and dabs in these would turn the person's own area along.

    Args:
        drawn: (H, W, 3) uint8, as the model draws it with the dabs that were given.
        turn: the share of the circle, in [0, 1).
        count: how many dabs; those that would lie in a person's colours are left out.
        rng: draws the places.
        given: (4, H, W); None where there are none.

    Returns:
        (4, H, W).
    """
    height, width = drawn.shape[:2]
    hints = torch.zeros(4, height, width) if given is None else given.clone()
    coloured = np.flatnonzero(np.ptp(drawn, axis=2) > 127.5 * _CHROMATIC)
    if not len(coloured):
        return hints
    rows, columns = np.divmod(rng.choice(coloured, count), width)
    colours = drawn[rows, columns]
    if given is not None and (own := given[3].numpy() > 0).any():
        theirs = to_uint8(given[:3].numpy()[:, own].T)
        free = ~_about(colours, np.concatenate((theirs, drawn[own])))
        rows, columns, colours = rows[free], columns[free], colours[free]
    turned = torch.from_numpy(_turned(colours, turn).astype(np.float32) / 127.5 - 1)
    reach = Hints().most_pixels // 2
    for row, column, old, new in zip(rows.tolist(), columns.tolist(), colours, turned, strict=True):
        there = (slice(max(0, row - reach), row + reach + 1), slice(max(0, column - reach), column + reach + 1))
        # Neither lines nor paper, nor what lies on their other side.
        alike = torch.from_numpy(np.abs(drawn[there].astype(np.int16) - old).max(2) < 127.5 * _SAME)
        dab = hints[:, *there]
        dab[:, alike] = torch.cat((new, torch.ones(1)))[:, None]
    return hints if given is None else torch.where(given[3] > 0, given, hints)


def hints_from_rgba(pixels: Pixels) -> npt.NDArray[np.float32]:
    """A person's dabs: (H, W, 4) uint8, transparent where there is none, as (4, H, W).

    Raises:
        UsageError: nothing is transparent, so every pixel would be a dab.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 4:
        raise ValueError(f"expected an array (H, W, 4), found {pixels.shape}")
    # The soft rim of a brush has the brush's colour, so half-transparent pixels count whole or not at all.
    mask = pixels[:, :, 3:] >= 128
    if mask.all():
        raise UsageError(
            "the hints are opaque everywhere, expected dabs of colour on a transparent ground: "
            "paint them on a layer of their own and save that as a PNG with transparency.",
            "hints-opaque",
        )
    colours = np.where(mask, pixels[:, :, :3].astype(np.float32) / 127.5 - 1, 0)
    return np.ascontiguousarray(np.concatenate((colours, mask), axis=2, dtype=np.float32).transpose(2, 0, 1))


def _turned(colours: Pixels, turn: float) -> Pixels:
    """Colours (n, 3) by that share of the circle of hues further on."""
    hue, saturation, value = Image.fromarray(colours[None]).convert("HSV").split()
    hue = hue.point([(level + round(turn * 256)) % 256 for level in range(256)])
    turned: Pixels = np.array(Image.merge("HSV", (hue, saturation, value)).convert("RGB"))[0]
    return turned


def _about(colours: Pixels, others: Pixels) -> npt.NDArray[np.bool_]:
    """Which of the colours (n, 3) are about the same as one of the others (m, 3)."""
    table = torch.zeros((_LEVELS,) * 3)
    table[tuple(torch.from_numpy(others).long().mul(_LEVELS).div(256, rounding_mode="floor").T)] = 1
    near = F.max_pool3d(table[None, None], 5, stride=1, padding=2)[0, 0].numpy()
    found: npt.NDArray[np.bool_] = near[tuple((colours.astype(np.int64) * _LEVELS // 256).T)] > 0
    return found


def _dabbed(targets: Tensor, counts: Tensor, settings: Hints) -> Tensor:
    """Put ``counts`` (N,) dabs on pictures (N, 3, H, W)."""
    number, channels, height, width = targets.shape
    most = int(counts.max()) if number else 0
    hints = targets.new_zeros(number, channels + 1, height, width)
    if most == 0:
        return hints
    flat = targets.flatten(2)
    top, left, side = _places(flat, most, height, width, settings)
    reach = torch.arange(int(side.max()), device=targets.device)
    # Every pixel of every dab: (N, dabs, rows, columns), those beyond a dab's side or a picture's number not taken.
    y = (top[..., None] + reach).clamp(max=height - 1)
    x = (left[..., None] + reach).clamp(max=width - 1)
    pixel = y[..., :, None] * width + x[..., None, :]
    within = reach < side[..., None]
    there = torch.arange(most, device=targets.device) < counts[:, None]
    taken = within[..., :, None] & within[..., None, :] & there[..., None, None]

    seen = flat.gather(2, pixel.flatten(1)[:, None].expand(-1, channels, -1)).view(number, channels, *pixel.shape[1:])
    untaken = ~taken[:, None].expand_as(seen)
    colours = seen.masked_fill(untaken, torch.nan).flatten(3).nanmedian(3).values.nan_to_num(0.0)
    # Which dab a pixel shows, counted from 1: the last that covers it.
    numbered = torch.where(taken, torch.arange(1, most + 1, device=targets.device)[:, None, None], 0)
    shown = torch.zeros(number, height * width, dtype=torch.long, device=targets.device)
    shown.scatter_reduce_(1, pixel.flatten(1), numbered.flatten(1), "amax")
    values = torch.cat((colours, torch.ones_like(colours[:, :1])), dim=1)
    values = torch.cat((torch.zeros_like(values[:, :, :1]), values), dim=2)
    return values.gather(2, shown[:, None].expand(-1, channels + 1, -1)).view_as(hints)


def _places(flat: Tensor, most: int, height: int, width: int, settings: Hints) -> tuple[Tensor, Tensor, Tensor]:
    """Top, left and side (N, most) of dabs in pictures (N, 3, H * W), each wholly inside."""
    number, device = len(flat), flat.device
    largest = min(settings.most_pixels, height, width)
    side = torch.randint(1, largest + 1, (number, most, 1), device=device)
    room = torch.stack((height - side, width - side))  # where the first row and column may lie: 0..room
    draws = torch.randn(2, number, most, _DRAWS, device=device)
    corner = ((room + 1) * (0.5 + 0.25 * draws)).floor().clamp(min=0).minimum(room.expand_as(draws)).long()
    # The middle and the corners of each square, (N, most, draws, 5).
    near, middle, far = corner, corner + side // 2, corner + side - 1
    rows = torch.stack((middle[0], near[0], near[0], far[0], far[0]), dim=-1)
    columns = torch.stack((middle[1], near[1], far[1], near[1], far[1]), dim=-1)
    probes = rows * width + columns
    colour = flat.gather(2, probes.flatten(1)[:, None].expand(-1, flat.shape[1], -1))
    colour = colour.view(number, -1, most, _DRAWS, 5)
    painted = (colour[..., 0].amin(1) < _WHITE) & (colour.amax(1) > _BLACK).all(-1)
    # argmax is the first painted draw, and the first of all where none is.
    chosen = painted.int().argmax(-1, keepdim=True)
    chosen = torch.where(torch.rand(number, most, 1, device=device) < _ANYWHERE_SHARE, 0, chosen)
    top, left = corner.gather(3, chosen.expand(2, -1, -1, -1))[..., 0]
    return top, left, side[..., 0]
