"""A contestant of cgan_step.py: the course's cGAN as the usual PyTorch loop writes it.

Eager, one optimiser step after the other: D on real and on detached fake pictures, then the fake batch
through D once more for the generator; `torch.optim.Adam` as it comes. No route, layout or fusion is chosen.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from _contestant import serve

BATCH, PIXELS, LATENT, CLASSES = 128, 784, 100, 10


class Maxout(nn.Module):
    """(N, features) to (N, units): one Linear with ReLU, maximum over `pieces`."""

    def __init__(self, features: int, units: int, pieces: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, units * pieces)
        self.units, self.pieces = units, pieces

    def forward(self, x: Tensor) -> Tensor:
        """The maxima, (N, units)."""
        return functional.relu(self.linear(x)).view(-1, self.pieces, self.units).max(dim=1).values


class Generator(nn.Module):
    """z (N, 100), one-hot y (N, 10) to images (N, 784) in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.noise, self.label = nn.Linear(LATENT, 256), nn.Linear(CLASSES, 256)
        self.joint, self.output = nn.Linear(512, 512), nn.Linear(512, PIXELS)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """The images."""
        h = torch.cat([functional.relu(self.noise(z)), functional.relu(self.label(y))], dim=1)
        return torch.tanh(self.output(functional.relu(self.joint(h))))


class Discriminator(nn.Module):
    """x (N, 784), one-hot y (N, 10) to logits (N, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.image, self.label = Maxout(PIXELS, 240, 5), Maxout(CLASSES, 50, 5)
        self.joint, self.output = Maxout(290, 240, 4), nn.Linear(240, 1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = self.output(self.joint(torch.cat([self.image(x), self.label(y)], dim=1)))
        return logits


def usual_step() -> Callable[[], object]:
    """One step on the next of 64 prepared batches with fresh noise."""
    torch.manual_seed(0)
    generator, discriminator = Generator(), Discriminator()
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=1e-4)
    d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=1e-4)
    entropy = nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)
    images = (torch.rand(64, BATCH, PIXELS) * 2 - 1).unbind()
    labels = functional.one_hot(torch.randint(0, CLASSES, (64, BATCH)), CLASSES).float().unbind()
    count = 0

    def step() -> object:
        nonlocal count
        count += 1
        x, y = images[count % 64], labels[count % 64]
        fake = generator(torch.randn(BATCH, LATENT), y)
        d_optimizer.zero_grad()
        d_loss = entropy(discriminator(x, y), ones) + entropy(discriminator(fake.detach(), y), zeros)
        d_loss.backward()
        d_optimizer.step()
        g_optimizer.zero_grad()
        g_loss = entropy(discriminator(fake, y), ones)
        g_loss.backward()
        g_optimizer.step()
        return g_loss.item()

    return step


if __name__ == "__main__":
    serve(usual_step(), {"precision": "fp32", "torch": torch.__version__, "threads": torch.get_num_threads()})
