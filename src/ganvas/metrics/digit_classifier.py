"""The network that reads generated digits: it has seen real MNIST digits alone, never a generated one.

``benchmarks/train_digit_classifier.py`` trains it; the weights file's header tells on what, with which seed
and how well it reads the 10,000 test digits.
"""

from __future__ import annotations

from importlib import resources

import torch
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn

from ganvas.errors import GanvasError

FEATURES = 128
WEIGHTS = "digit-classifier.safetensors"


class DigitClassifier(nn.Module):
    """Four convolutions with batch norm, global average pooling and one linear layer; 187,050 parameters.

    The features are the 128 channel means that enter the last linear layer, after the last ReLU.
    """

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *_convolution(1, 32, kernel=5, stride=2),
            *_convolution(32, 64),
            *_convolution(64, 96, stride=2),
            *_convolution(96, FEATURES),
        )
        self.last = nn.Linear(FEATURES, 10)

    def features(self, images: Tensor) -> Tensor:
        """Penultimate features (N, 128), not negative, of ``images`` (N, 1, 28, 28) in [-1, 1]."""
        # The layout in which a processor's convolutions are fastest at these widths.
        channels_last = images.contiguous(memory_format=torch.channels_last)
        maps: Tensor = self.convolutions(channels_last)
        return maps.mean(dim=(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, 10) of ``images`` (N, 1, 28, 28) in [-1, 1]."""
        logits: Tensor = self.last(self.features(images))
        return logits

    @torch.no_grad()
    def logits_and_features(self, images: Tensor, batch_size: int = 500) -> tuple[Tensor, Tensor]:
        """Logits (N, 10) and features (N, 128), both float32, of any number of digits.

        Args:
            images: float (N, 1, 28, 28) in [-1, 1], white strokes on black.
            batch_size: how many digits are read at a time; it bounds the memory and changes nothing else.

        Raises:
            GanvasError: the pictures have another shape.
        """
        if images.ndim != 4 or images.shape[1:] != (1, 28, 28):
            found = "x".join(str(side) for side in images.shape)
            raise GanvasError(f"the digit classifier reads pictures of shape Nx1x28x28, found {found}.")
        if self.training:
            raise RuntimeError("call eval() first: batch norm must not depend on the batch being judged")
        device = self.last.weight.device
        features = [self.features(part.to(device, torch.float32)) for part in torch.split(images, batch_size)]
        if not features:
            return torch.zeros(0, 10), torch.zeros(0, FEATURES)
        all_features = torch.cat(features)
        return self.last(all_features), all_features


def load_digit_classifier() -> DigitClassifier:
    """The shipped classifier, in float32 and evaluation mode.

    Raises:
        GanvasError: the weights file is missing or does not fit, so the installation is damaged.
    """
    try:
        data = (resources.files("ganvas.metrics") / WEIGHTS).read_bytes()
    except OSError as error:
        raise GanvasError(f"the shipped weights '{WEIGHTS}' are missing. Install ganvas again.") from error
    classifier = DigitClassifier()
    try:
        classifier.load_state_dict(load_safetensors(data))
    except (RuntimeError, ValueError) as error:
        raise GanvasError(f"the shipped weights '{WEIGHTS}' do not fit. Install ganvas again.") from error
    classifier.eval().requires_grad_(False)
    return classifier


def _convolution(before: int, after: int, kernel: int = 3, stride: int = 1) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, bias=False)
    return convolution, nn.BatchNorm2d(after), nn.ReLU()
