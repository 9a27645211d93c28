"""A contestant of pix2pix_step.py: pix2pix (Isola et al. 2017) as the usual PyTorch code trains it.

Eager, float32, NCHW, one optimiser step after the other: D on the real and on the detached fake pair, half of its
loss, then the fake pair through the updated D once more for the generator; `torch.optim.Adam` as it comes. No route,
layout or fusion is chosen. The U-Net and the loop also serve `pix2pix_loss_curves.py` and `translate_speed.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from _contestant import serve

POOL = 8  # prepared batches
L1_WEIGHT = 100.0


def encoder_widths(side: int) -> list[int]:
    """Channels of the encoder of a picture of `side` = 2^n pixels: n levels, down to one pixel."""
    levels = side.bit_length() - 1
    return [min(64 * 2**level, 512) for level in range(levels)]


class UNet(nn.Module):
    """(N, 3, S, S) to (N, 3, S, S) in [-1, 1]; no batch norm on the innermost layer, a bias in the last one alone.

    Dropout follows three layers of the decoder, from `first_dropout` on: the second in the PyTorch port, the first in
    the paper.
    """

    def __init__(self, side: int, *, first_dropout: int = 2) -> None:
        super().__init__()
        widths = encoder_widths(side)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        inputs = 3
        for level, width in enumerate(widths):
            normed = 0 < level < len(widths) - 1
            layers: list[nn.Module] = [nn.LeakyReLU(0.2)] if level else []
            layers.append(nn.Conv2d(inputs, width, 4, 2, 1, bias=False))
            self.down.append(nn.Sequential(*layers, *([nn.BatchNorm2d(width)] if normed else [])))
            inputs = width
        for number, width in enumerate(reversed(widths[:-1]), start=1):
            layers = [nn.ReLU(), nn.ConvTranspose2d(inputs, width, 4, 2, 1, bias=False), nn.BatchNorm2d(width)]
            dropped = first_dropout <= number < first_dropout + 3
            self.up.append(nn.Sequential(*layers, *([nn.Dropout(0.5)] if dropped else [])))
            inputs = 2 * width
        self.up.append(nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(inputs, 3, 4, 2, 1), nn.Tanh()))

    def forward(self, source: Tensor) -> Tensor:
        """The picture."""
        skips: list[Tensor] = []
        x = source
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        skips.pop()
        for number, layer in enumerate(self.up):
            x = layer(x if number == 0 else torch.cat([skips.pop(), x], dim=1))
        return x


def patch_discriminator() -> nn.Sequential:
    """(N, 6, S, S) to logits (N, 1, S / 8 - 2, S / 8 - 2), receptive field 70."""
    layers: list[nn.Module] = [nn.Conv2d(6, 64, 4, 2, 1), nn.LeakyReLU(0.2)]
    for inputs, width, stride in ((64, 128, 2), (128, 256, 2), (256, 512, 1)):
        layers += [nn.Conv2d(inputs, width, 4, stride, 1, bias=False), nn.BatchNorm2d(width), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(512, 1, 4, 1, 1))


def initialise(module: nn.Module) -> None:
    """Weights N(0, 0.02), batch norm's gain N(1, 0.02), biases 0."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
        nn.init.normal_(module.weight, float(isinstance(module, nn.BatchNorm2d)), 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


@dataclass(frozen=True)
class Losses:
    """Scalars of one step; `generator_before`: of the fake under D before its update, for comparison with code that
    learns from that one."""

    discriminator: float
    generator: float
    generator_before: float
    l1: float


class UsualStep:
    """Both networks, their optimisers and the step."""

    def __init__(self, side: int, *, first_dropout: int = 2) -> None:
        self.generator, self.discriminator = UNet(side, first_dropout=first_dropout), patch_discriminator()
        for network in (self.generator, self.discriminator):
            network.apply(initialise)
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.entropy, self.l1 = nn.BCEWithLogitsLoss(), nn.L1Loss()

    def __call__(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One update of both on pairs (N, 3, S, S) in [-1, 1]: D's summed loss, G's, L1, D's logits on the fake."""
        fake = self.generator(source)
        fake_pair = torch.cat([source, fake], dim=1)
        self.discriminator.requires_grad_(True)
        self.d_optimizer.zero_grad()
        fake_logits = self.discriminator(fake_pair.detach())
        real_logits = self.discriminator(torch.cat([source, target], dim=1))
        d_loss = self.entropy(fake_logits, torch.zeros_like(fake_logits))
        d_loss = d_loss + self.entropy(real_logits, torch.ones_like(real_logits))
        (0.5 * d_loss).backward()
        self.d_optimizer.step()
        self.discriminator.requires_grad_(False)
        self.g_optimizer.zero_grad()
        logits = self.discriminator(fake_pair)
        g_loss, l1 = self.entropy(logits, torch.ones_like(logits)), self.l1(fake, target)
        (g_loss + L1_WEIGHT * l1).backward()
        self.g_optimizer.step()
        return d_loss.detach(), g_loss.detach(), l1.detach(), fake_logits.detach()

    def losses(self, source: Tensor, target: Tensor) -> Losses:
        """The same with its losses as numbers."""
        d_loss, g_loss, l1, fake_logits = self(source, target)
        before = functional.softplus(-fake_logits).mean()
        return Losses(d_loss.item(), g_loss.item(), before.item(), l1.item())


def contestant_step(side: int, batch: int) -> Callable[[], object]:
    """One step on the next of the prepared batches; waits for the losses."""
    torch.manual_seed(0)
    usual = UsualStep(side)
    batches = [torch.rand(2, batch, 3, side, side) * 2 - 1 for _ in range(POOL)]
    count = 0

    def step() -> object:
        nonlocal count
        count += 1
        source, target = batches[count % POOL]
        d_loss, g_loss, l1, _ = usual(source, target)
        return d_loss.item(), g_loss.item(), l1.item()

    return step


def main() -> None:
    """Serves rounds at the asked side and batch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    asked = parser.parse_args()
    described = {"precision": "fp32", "torch": torch.__version__, "threads": torch.get_num_threads()}
    serve(contestant_step(asked.side, asked.batch), described, warm_up=3)


if __name__ == "__main__":
    main()
