"""What the tasks share: two networks, their optimisers, the average of the generator, the state of it all."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.config import Recipe
from ganvas.tasks.optimisers import Clock, apply_schedule, as_stored, build_optimiser, shaped_state, stored_state

GATHERED_BYTES = 32 * 2**20  # of gradients, before they are applied within a backward pass


class Task:
    """Binds generator, discriminator, objective and optimisers; subclasses add the step and the drawing.

    Args:
        recipe: a resolved recipe.
        generator: freshly initialised.
        discriminator: freshly initialised, or None for objectives without one.
        device: where the networks are to live.

    Attributes:
        watched: whether the steps that follow leave :attr:`gradient_norms`.
        gradient_norms: the Euclidean norm of the last watched step's gradient, by network.
    """

    def __init__(
        self, recipe: Recipe, generator: nn.Module, discriminator: nn.Module | None, device: torch.device
    ) -> None:
        self.device = device
        self.generator = _on(device, generator)
        self.average = copy.deepcopy(self.generator).eval() if recipe.train.ema_half_life_images else None
        self.networks: dict[str, nn.Module] = {"generator": self.generator}
        if discriminator is not None:
            self.networks["discriminator"] = _on(device, discriminator)
        self._parameters = {name: list(network.parameters()) for name, network in self.networks.items()}
        self._stored = {name: [as_stored(p.detach(), p) for p in own] for name, own in self._parameters.items()}
        self.optimisers = {
            name: build_optimiser(getattr(recipe.optimiser, name), own) for name, own in self._stored.items()
        }
        self.steps = 0
        self.watched = False
        self.gradient_norms: dict[str, Tensor] = {}
        self._train = recipe.train
        self._optimiser_settings = recipe.optimiser

    @property
    def discriminator(self) -> nn.Module:
        """The discriminator; the tasks whose objective has none do not ask for it."""
        return self.networks["discriminator"]

    @property
    def drawing_generator(self) -> nn.Module:
        """The generator that samples are drawn with: the averaged one where the recipe averages."""
        return self.average if self.average is not None else self.generator

    def update(self, name: str, gradients: Sequence[Tensor], images_seen: int) -> None:
        """One optimiser step of the network ``name`` with a gradient for each of its parameters."""
        for parameter, stored, gradient in zip(self._parameters[name], self._stored[name], gradients, strict=True):
            parameter.grad = _laid_out_like(parameter, gradient)
            stored.grad = as_stored(parameter.grad, parameter)
        if self.watched:
            self.gradient_norms[name] = torch.nn.utils.get_total_norm(gradients)
        self._optimiser(name, images_seen).step()
        self._drop_gradients(name)

    def update_in_backward(self, name: str, output: Tensor, upstream: Tensor | None, images_seen: int) -> None:
        """The backward pass from ``output`` and, while it runs, one optimiser step of the network ``name``.

        All gradients at once are what a step's memory peaks at; here a weight moves soon after its gradient is known,
        and the gradient is let go. The weights end with the bits that :meth:`update` gives them; where the pass fails,
        some have moved.

        Args:
            name: of the network, each of whose parameters the pass has to reach.
            output: where the pass begins.
            upstream: the gradient with respect to it; None where it is a scalar loss.
            images_seen: before this step.
        """
        optimiser = self._optimiser(name, images_seen)
        arrived: list[Tensor] = []  # gradients, since the last ones were applied
        norms: list[Tensor] = []  # of each gradient
        awaited = len(self._parameters[name])

        def apply() -> None:
            if self.watched:
                norms.extend(torch.linalg.vector_norm(gradient) for gradient in arrived)
            optimiser.step()
            self._drop_gradients(name)
            arrived.clear()

        def gather(stored: Tensor, parameter: Tensor) -> None:
            nonlocal awaited
            assert parameter.grad is not None
            stored.grad = as_stored(parameter.grad, parameter)
            arrived.append(parameter.grad)
            awaited -= 1
            if not awaited or sum(gradient.nbytes for gradient in arrived) >= GATHERED_BYTES:
                apply()

        hooks = [
            parameter.register_post_accumulate_grad_hook(partial(gather, stored))  # type: ignore[no-untyped-call]
            for parameter, stored in zip(self._parameters[name], self._stored[name], strict=True)
        ]
        try:
            torch.autograd.backward(output, upstream)
        finally:
            for hook in hooks:
                hook.remove()
            self._drop_gradients(name)
        if awaited:
            raise RuntimeError(f"the backward pass did not reach {awaited} parameters of the {name}")
        if self.watched:
            self.gradient_norms[name] = torch.linalg.vector_norm(torch.stack(norms))

    def _optimiser(self, name: str, images_seen: int) -> torch.optim.Optimizer:
        """That of the network ``name``, with the settings of the step at hand."""
        settings = getattr(self._optimiser_settings, name)
        apply_schedule(self.optimisers[name], settings, self._train, Clock(self.steps, images_seen))
        return self.optimisers[name]

    def _drop_gradients(self, name: str) -> None:
        for tensor in (*self._parameters[name], *self._stored[name]):
            tensor.grad = None

    def end_step(self, images_seen: int, batch: int) -> None:
        """Count the step and move the average; ``images_seen`` is what had been seen before it."""
        self.steps += 1
        self._update_average(images_seen + batch, batch)

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """The precision of the recipe for what runs inside."""
        if self._train.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    @torch.no_grad()
    def _update_average(self, images_seen: int, batch: int) -> None:
        if self.average is None:
            return
        # A tenth of what was seen at most, so that the first, poor weights are soon forgotten
        # (Karras et al. 2020, "EMA ramp-up").
        half_life = min(self._train.ema_half_life_images, 0.1 * images_seen)
        weight = 1 - 0.5 ** (batch / half_life)
        averages: list[Tensor] = list(self.average.parameters())
        weights: list[Tensor] = list(self.generator.parameters())
        torch._foreach_lerp_(averages, weights, weight)
        for kept, buffer in zip(self.average.buffers(), self.generator.buffers(), strict=True):
            kept.copy_(buffer)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed task needs: tensors and plain numbers only."""
        state: dict[str, Any] = {name: network.state_dict() for name, network in self.networks.items()}
        for name, optimiser in self.optimisers.items():
            state[f"{name}_optimiser"] = shaped_state(optimiser.state_dict(), self._parameters[name])
        state["steps"] = self.steps
        if self.average is not None:
            state["average"] = self.average.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The reverse of :meth:`state_dict`."""
        for name, network in self.networks.items():
            network.load_state_dict(state[name])
            moments = stored_state(state[f"{name}_optimiser"], self._parameters[name])
            self.optimisers[name].load_state_dict(moments)
        self.steps = state["steps"]
        if self.average is not None:
            self.average.load_state_dict(state["average"])


def _on(device: torch.device, network: nn.Module) -> nn.Module:
    # channels_last is the layout in which the processor's convolutions are fastest; dense layers are untouched by it.
    moved: nn.Module = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def _laid_out_like(parameter: Tensor, gradient: Tensor) -> Tensor:
    """The gradient in its parameter's memory layout: the fused optimisers pair the two as they lie in memory."""
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)
