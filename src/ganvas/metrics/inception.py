"""The Inception network of 2015-12-05, whose features FID and KID are defined on; its weights are the user's own file.

Ganvas ships no weights of it and downloads none. The published file is a state dict of 95.6 MB, which pytorch-fid
calls ``pt_inception-2015-12-05-6726825d.pth`` and torch-fidelity ``weights-inception-2015-12-05-6726825d.pth``: the
weights of TensorFlow's graph, under the names that the layers have here. Another network, or other weights, give
numbers that are no FID, so another file is refused by its SHA-256.

The layers are those of Szegedy et al. (2016), "Rethinking the Inception architecture for computer vision", with the
pooling of TensorFlow's graph: averages leave the border out, and the last block takes maxima.
"""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganvas.errors import GanvasError, UsageError

FEATURES = 2048
SIDE = 299
PUBLISHED = "pt_inception-2015-12-05-6726825d.pth"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"

Side = tuple[int, int]
Layer = tuple[str, int, Side, int]  # name, output channels, kernel, stride


class Inception(nn.Module):
    """Inception v3 up to its last pooling (``pool3``), and the classifier behind it, which is loaded and not used."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Convolution(3, 32, (3, 3), stride=2)
        self.Conv2d_2a_3x3 = _Convolution(32, 32, (3, 3), padding=(0, 0))
        self.Conv2d_2b_3x3 = _Convolution(32, 64, (3, 3))
        self.Conv2d_3b_1x1 = _Convolution(64, 80, (1, 1))
        self.Conv2d_4a_3x3 = _Convolution(80, 192, (3, 3), padding=(0, 0))
        self.Mixed_5b = _mixed_5(192, 32)
        self.Mixed_5c = _mixed_5(256, 64)
        self.Mixed_5d = _mixed_5(288, 64)
        self.Mixed_6a = _mixed_6a(288)
        self.Mixed_6b = _mixed_6(128)
        self.Mixed_6c = _mixed_6(160)
        self.Mixed_6d = _mixed_6(160)
        self.Mixed_6e = _mixed_6(192)
        self.Mixed_7a = _mixed_7a(768)
        self.Mixed_7b = _mixed_7(1280, "average")
        self.Mixed_7c = _mixed_7(2048, "maximum")
        self.fc = nn.Linear(FEATURES, 1008)

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> Tensor:
        """Features (N, 2048) float32 of uint8 pictures (N, C, H, W), RGB or grey, which counts three times."""
        rgb = pictures.expand(-1, 3, -1, -1).to(self.fc.weight)
        x = (resized(rgb) - 128) / 128
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = F.max_pool2d(x, 3, stride=2)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = F.max_pool2d(x, 3, stride=2)
        for name, block in self.named_children():
            if name.startswith("Mixed"):
                x = block(x)
        return x.mean(dim=(2, 3)).float()


def load_inception(path: str | Path, device: torch.device) -> Inception:
    """The network with the published weights, in evaluation mode.

    Raises:
        UsageError: there is no such file.
        GanvasError: it is another file than the published one, or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"--fid-weights {path}: no such file; expected {PUBLISHED}, as pytorch-fid publishes it")
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != SHA256:
            raise GanvasError(
                f"'{path}' is not the published {PUBLISHED} (SHA-256 {found[:8]}..., expected {SHA256[:8]}...), and "
                "numbers by other weights are no FID: give --fid-weights that file"
            )
        with torch.device("meta"):
            network = Inception()
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), assign=True)
    except (OSError, RuntimeError, TypeError, AttributeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise GanvasError(f"cannot read Inception's weights '{path}' ({reason}): expected {PUBLISHED}") from error
    return network.eval().requires_grad_(False).to(device)


def resized(pictures: Tensor) -> Tensor:
    """Float pictures (N, C, H, W) at 299 pixels a side, as the graph of 2015 resizes them.

    Bilinear with the corner of a pixel in the place of its middle, and without a filter before pictures shrink:
    ``tf.image.resize_bilinear`` of TensorFlow 1. Pictures resized otherwise have another FID (Parmar et al. 2022).
    """
    for dimension in (3, 2):
        side = pictures.shape[dimension]
        # In single precision, as there.
        places = torch.arange(SIDE, dtype=torch.float32) * torch.tensor(side / SIDE, dtype=torch.float32)
        before = places.long().clamp(max=side - 1)
        after = (before + 1).clamp(max=side - 1)
        shape = [1, 1, 1, 1]
        shape[dimension] = SIDE
        share = (places - before).view(shape).to(pictures)
        low, high = (pictures.index_select(dimension, index.to(pictures.device)) for index in (before, after))
        pictures = low + (high - low) * share
    return pictures


class _Convolution(nn.Module):
    """Convolution, batch norm and ReLU; with stride 1 the side stays, unless ``padding`` says otherwise."""

    def __init__(self, before: int, after: int, kernel: Side, *, stride: int = 1, padding: Side | None = None) -> None:
        super().__init__()
        around = (0, 0) if stride > 1 else (kernel[0] // 2, kernel[1] // 2)
        self.conv = nn.Conv2d(before, after, kernel, stride, around if padding is None else padding, bias=False)
        self.bn = nn.BatchNorm2d(after, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


class _Mixed(nn.Module):
    """Branches side by side: chains of layers, whose last link may be two layers with one input, and pooling.

    Args:
        before: input channels.
        chains: of each branch its links, each of them one layer or two.
        pooling: ``average`` or ``maximum`` over 3x3 pixels, in the last branch; ``halving`` also takes every other one.
        pooled: output channels of the layer ``branch_pool`` behind the pooling; 0: there is none.
    """

    def __init__(self, before: int, chains: list[list[list[Layer]]], pooling: str, pooled: int = 0) -> None:
        super().__init__()
        self._names = [[[layer[0] for layer in link] for link in chain] for chain in chains]
        self._pooling = pooling
        for chain in chains:
            channels = before
            for link in chain:
                for name, after, kernel, stride in link:
                    self.add_module(name, _Convolution(channels, after, kernel, stride=stride))
                channels = sum(layer[1] for layer in link)
        self.branch_pool = _Convolution(before, pooled, (1, 1)) if pooled else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        branches = []
        for chain in self._names:
            y = x
            for link in chain:
                y = torch.cat([self.get_submodule(name)(y) for name in link], dim=1)
            branches.append(y)
        return torch.cat([*branches, self.branch_pool(self._pooled(x))], dim=1)

    def _pooled(self, x: Tensor) -> Tensor:
        match self._pooling:
            case "average":
                return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
            case "maximum":
                return F.max_pool2d(x, 3, stride=1, padding=1)
            case _:
                return F.max_pool2d(x, 3, stride=2)


def _chain(name: str, *layers: tuple[int, int, int] | tuple[int, int, int, int]) -> list[list[Layer]]:
    """Layers (channels, kernel height and width, perhaps stride) called ``name_1``, ``name_2``, ...; one: ``name``."""
    names = [name] if len(layers) == 1 else [f"{name}_{number}" for number in range(1, len(layers) + 1)]
    return [
        [(each, after, (height, width), stride[0] if stride else 1)]
        for each, (after, height, width, *stride) in zip(names, layers, strict=True)
    ]


def _mixed_5(before: int, pooled: int) -> _Mixed:
    chains = [
        _chain("branch1x1", (64, 1, 1)),
        _chain("branch5x5", (48, 1, 1), (64, 5, 5)),
        _chain("branch3x3dbl", (64, 1, 1), (96, 3, 3), (96, 3, 3)),
    ]
    return _Mixed(before, chains, "average", pooled)


def _mixed_6a(before: int) -> _Mixed:
    chains = [
        _chain("branch3x3", (384, 3, 3, 2)),
        _chain("branch3x3dbl", (64, 1, 1), (96, 3, 3), (96, 3, 3, 2)),
    ]
    return _Mixed(before, chains, "halving")


def _mixed_6(inner: int) -> _Mixed:
    long = [(inner, 1, 1), (inner, 7, 1), (inner, 1, 7), (inner, 7, 1), (192, 1, 7)]
    chains = [
        _chain("branch1x1", (192, 1, 1)),
        _chain("branch7x7", (inner, 1, 1), (inner, 1, 7), (192, 7, 1)),
        _chain("branch7x7dbl", *long),
    ]
    return _Mixed(768, chains, "average", 192)


def _mixed_7a(before: int) -> _Mixed:
    chains = [
        _chain("branch3x3", (192, 1, 1), (320, 3, 3, 2)),
        _chain("branch7x7x3", (192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3, 2)),
    ]
    return _Mixed(before, chains, "halving")


def _mixed_7(before: int, pooling: str) -> _Mixed:
    def fork(name: str) -> list[Layer]:
        return [(f"{name}a", 384, (1, 3), 1), (f"{name}b", 384, (3, 1), 1)]

    chains = [
        _chain("branch1x1", (320, 1, 1)),
        [[("branch3x3_1", 384, (1, 1), 1)], fork("branch3x3_2")],
        [*_chain("branch3x3dbl", (448, 1, 1), (384, 3, 3)), fork("branch3x3dbl_3")],
    ]
    return _Mixed(before, chains, pooling, 192)
