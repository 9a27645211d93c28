"""The translate task's step against a reference written from the papers, and what only the package's own step has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import reference_pix2pix as reference
from ganvas.config import TranslateRecipe, parse_recipe
from ganvas.data.preparation import Preparation
from ganvas.models import winograd
from ganvas.objectives import gradient_matching
from ganvas.tasks import TranslateTask

CPU = torch.device("cpu")
STEPS = 3
SIDE = 32
VARIANTS = {"torch": reference.TORCH, "pytorch": reference.PYTORCH}
PLAIN = Preparation(kind="picture", channels=3)
MAP = Preparation(
    kind="labels", channels=1, class_names=("sky", "road"), colours=((0, 0, 255), (90, 90, 90)), ignore=255
)


@pytest.fixture
def _float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def make_recipe(preset: str = "torch", **tables: Any) -> TranslateRecipe:
    table: dict[str, Any] = {
        "name": "tiny",
        "task": "translate",
        "preset": preset,
        "data": {"size": SIDE},
        "generator": {"network": "unet", "width": 4, "dropout": 0.0},
        "discriminator": {"receptive_field": 34, "width": 4},
        "train": {"total_images": 1_000, "batch_size": 2},
    }
    for name, changes in tables.items():
        table[name] = {**table.get(name, {}), **changes} if isinstance(changes, dict) else changes
    recipe = parse_recipe(table, "tiny")
    assert isinstance(recipe, TranslateRecipe)
    return recipe


def make_task(recipe: TranslateRecipe, source: Preparation = PLAIN, names: tuple[str, ...] = ()) -> TranslateTask:
    torch.manual_seed(0)
    return TranslateTask(recipe, source, PLAIN, names, CPU)


def make_batch(count: int = 2, channels: int = 3, step: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(step)
    sources = torch.randint(0, 256 if channels == 3 else 2, (count, channels, SIDE, SIDE), generator=random)
    targets = torch.randint(0, 256, (count, 3, SIDE, SIDE), generator=random)
    return sources.to(torch.uint8), targets.to(torch.uint8), torch.arange(count) % 2


def watch_gradients(task: TranslateTask) -> dict[Tensor, Tensor]:
    """Of each parameter, as the last step applied it."""
    gradients: dict[Tensor, Tensor] = {}
    for name, optimiser in task.optimisers.items():

        def keep(*_: Any, parameters: list[Tensor] = list(task.networks[name].parameters())) -> None:  # noqa: B006, B008
            gradients.update({each: each.grad.clone() for each in parameters if each.grad is not None})

        optimiser.register_step_pre_hook(keep)
    return gradients


def scaled(pictures: Tensor) -> Tensor:
    # By way of float32, as the pictures are encoded: its rounding would show in gradients near zero.
    return (pictures.float() / 127.5 - 1).double()


CASES = [
    *[
        (preset, kind, "bce", 34, "unet")
        for preset in VARIANTS
        for kind in ("l1", "l2", "gan", "cgan", "l1+gan", "l1+cgan")
    ],
    *[(preset, "l1+cgan", loss, 34, "unet") for preset in VARIANTS for loss in ("lsgan", "hinge", "relativistic")],
    *[("torch", "l1+cgan", "bce", field, "unet") for field in (1, 16, 70)],
    ("torch", "l1+cgan", "bce", 34, "encoder-decoder"),
]


@pytest.mark.usefixtures("_float64")
@pytest.mark.parametrize(("preset", "kind", "loss", "field", "network"), CASES)
def test_step_agrees_with_the_reference(preset: str, kind: Any, loss: Any, field: Any, network: Any) -> None:
    recipe = make_recipe(
        preset,
        generator={"network": network},
        objective={"kind": kind, "adversarial": loss},
        discriminator={"receptive_field": field},
    )
    task = make_task(recipe)
    variant = replace(VARIANTS[preset], network=network, kind=kind, adversarial=loss)
    shapes = reference.generator_shapes(network, side=SIDE, width=4)
    state = reference.State(reference.load_layers(shapes, task.generator.named_parameters()))
    if variant.has_discriminator:
        judges = reference.discriminator_shapes(field, in_channels=6 if variant.conditional else 3, width=4)
        state = replace(state, discriminator=reference.load_layers(judges, task.discriminator.named_parameters()))
    found = watch_gradients(task)
    for step in range(STEPS):
        sources, targets, labels = make_batch(step=step)
        losses = task.step(sources, targets, labels, 2 * step)
        done = reference.pix2pix_step(variant, state, scaled(sources), scaled(targets))
        state = done.state
        expected = done.losses
        names = {
            "discriminator": "discriminator",
            "generator": "generator_adversarial",
            kind[:2]: "generator_reconstruction",
        }
        for mine, theirs in names.items():
            assert (mine in losses) == (theirs in expected)
            if theirs in expected:
                assert float(losses[mine]) == pytest.approx(float(expected[theirs]), rel=1e-9)
        # Adam hides the scale of a gradient, so the gradients are compared beside the weights.
        for gradients, layers, network_name in (
            (done.generator_gradients, state.generator, "generator"),
            (done.discriminator_gradients, state.discriminator, "discriminator"),
        ):
            if network_name not in task.networks:
                assert not layers
                continue
            parameters = list(task.networks[network_name].parameters())
            for parameter, gradient, weight in zip(parameters, gradients, reference.trained(layers), strict=True):
                torch.testing.assert_close(
                    found[parameter], gradient, rtol=1e-6, atol=1e-9 * float(gradient.abs().max())
                )
                torch.testing.assert_close(parameter.detach(), weight, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("preset", VARIANTS)
@pytest.mark.parametrize("winograds_form", [False, True])
def test_step_of_float32_stays_near_the_one_of_float64(
    preset: str, winograds_form: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    if winograds_form:
        monkeypatch.setattr(winograd, "pays", lambda *_: not taken.append(1))  # type: ignore[func-returns-value]
    steps = {}
    for dtype in (torch.float32, torch.float64):
        torch.set_default_dtype(dtype)
        try:
            # Epsilon above the smallest gradients, whose sign float32 does not know.
            adam = {"kind": "adam", "eps": 1e-3}
            task = make_task(make_recipe(preset, optimiser={"generator": adam, "discriminator": adam}))
            weights = torch.Generator().manual_seed(1)
            for network in task.networks.values():
                for parameter in network.parameters():
                    drawn = torch.randn(parameter.shape, generator=weights, dtype=torch.float64)
                    parameter.data.copy_(0.1 * drawn + float(parameter.dim() == 1))
            losses = [task.step(*make_batch(step=step), 2 * step) for step in range(STEPS)]
            steps[dtype] = (losses, [p.detach().double() for n in task.networks.values() for p in n.parameters()])
        finally:
            torch.set_default_dtype(torch.float32)
    assert bool(taken) == winograds_form
    for single, double in zip(steps[torch.float32][0], steps[torch.float64][0], strict=True):
        for name, value in double.items():
            assert float(single[name]) == pytest.approx(float(value), rel=1e-4)
    for mine, theirs in zip(steps[torch.float32][1], steps[torch.float64][1], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


EXTRAS: dict[str, dict[str, Any]] = {
    "hints": {"hints": {"enabled": True}},
    "varied lines": {"data": {"vary_lines": True}},
    "open outlines": {"data": {"open_outlines": True}},
    "turned and zoomed": {"data": {"turn": 30.0, "zoom": 0.5}},
    "feature matching at two scales": {"discriminator": {"scales": 2}, "objective": {"feature_matching": 10.0}},
    "gradient matching": {"objective": {"gradient_matching": 50.0}},
    "r1": {"discriminator": {"norm": "none"}, "objective": {"r1": 1.0, "penalty_interval": 1}},
    "augment": {"objective": {"augment": True}},
    "average": {"train": {"ema_half_life_images": 100}},
    "bf16": {"train": {"precision": "bf16"}},
    "instance norm": {"generator": {"norm": "instance"}, "discriminator": {"norm": "instance"}},
    "pixel shuffle": {"generator": {"upsampling": "pixel-shuffle"}},
    "resize": {"generator": {"upsampling": "resize"}},
    "source skip": {"generator": {"source_skip": True}},
    "spread": {"generator": {"source_skip": True, "spread": 2}},
    "noise": {"generator": {"noise": 2, "norm": "instance"}},
    "residual blocks": {"generator": {"residual_blocks": (1, 2)}},
    "whole picture": {"discriminator": {"receptive_field": "image"}},
}


@pytest.mark.parametrize("extra", EXTRAS)
def test_extras_train_both_networks(extra: str) -> None:
    task = make_task(make_recipe(**EXTRAS[extra]))
    before = {name: [p.detach().clone() for p in network.parameters()] for name, network in task.networks.items()}
    for step in range(2):
        torch.manual_seed(step)
        losses = task.step(*make_batch(step=step), 2 * step)
        assert all(torch.isfinite(value) for value in losses.values())
    for name, network in task.networks.items():
        moved = [not torch.equal(old, new) for old, new in zip(before[name], network.parameters(), strict=True)]
        assert all(moved), f"{name}: {moved}"
    for wanted in ("feature_matching", "gradient_matching", "r1"):
        assert (wanted in losses) == (wanted in extra or wanted.replace("_", " ") in extra)


def test_augmented_features_of_a_picture_are_matched_with_its_own() -> None:
    task = make_task(make_recipe(objective={"augment": True, "feature_matching": 10.0}))
    x, y = task._inputs(*make_batch()[:2])
    torch.manual_seed(0)
    judged = task._judge(x, y, y.clone())
    as_they_are = task._ask(x, y)
    for real, drawn, plain in zip(judged.real, judged.fake, as_they_are, strict=True):
        for one, other, unchanged in zip(real, drawn, plain, strict=True):
            assert torch.equal(one, other)
            assert not torch.equal(one, unchanged)


@pytest.mark.parametrize("setting", [{"turn": 30.0}, {"zoom": 0.5}])
def test_each_of_turn_and_zoom_moves_both_sides_before_dabs_are_laid(setting: dict[str, float]) -> None:
    task = make_task(make_recipe(data=setting, hints={"enabled": True, "none_share": 0.0, "most_pixels": 1}))
    sources, targets, _ = make_batch()
    # Dabs of one pixel have the colour that lies under them: in the pair as it was moved.
    torch.manual_seed(4)
    x, y = task._inputs(sources, targets)
    for moved, still in ((x[:, :3], PLAIN.encode(sources)), (y, PLAIN.encode(targets))):
        assert (moved - still).abs().mean() > 0.1
    dabbed = (x[:, 6:] > 0).expand_as(y)
    assert dabbed.any()
    torch.testing.assert_close(x[:, 3:6][dabbed], y[dabbed])


def test_outlines_are_left_open_on_both_sides_before_dabs_are_laid() -> None:
    recipe = make_recipe(data={"open_outlines": True}, hints={"enabled": True, "none_share": 0.0, "most_pixels": 1})
    task = make_task(recipe)
    lined = torch.full((32, 3, SIDE, SIDE), 255, dtype=torch.uint8)
    lined[..., ::4] = 0
    torch.manual_seed(4)
    x, y = task._inputs(lined, lined)
    assert (x[:, :3] > -1)[..., ::4].any()
    torch.testing.assert_close(x[:, :3], y)
    # The black lines are gone before a dab can have their colour.
    dabbed = (x[:, 6:] > 0).expand_as(y)
    torch.testing.assert_close(x[:, 3:6][dabbed], y[dabbed])


def test_gradient_matching_alone_moves_the_generator() -> None:
    objective = {"kind": "l1", "l1_weight": 0.0}
    for weight, moves in ((0.0, False), (50.0, True)):
        task = make_task(make_recipe(objective=objective | {"gradient_matching": weight}))
        before = [p.detach().clone() for p in task.generator.parameters()]
        task.step(*make_batch(), 0)
        assert any(not torch.equal(a, b) for a, b in zip(before, task.generator.parameters(), strict=True)) == moves


def test_gradient_matching_leaves_pictures_with_dabs_alone() -> None:
    objective = {"kind": "l1", "l1_weight": 0.0, "gradient_matching": 50.0}
    sources, targets, labels = make_batch()
    seen = set()
    for seed in range(20):
        task = make_task(make_recipe(objective=objective, hints={"enabled": True, "none_share": 0.5}))
        torch.manual_seed(seed)
        x, y = task._inputs(sources, targets)
        bare = ~x[:, -1].flatten(1).any(1)
        with torch.no_grad():
            drawn = task.generator(x)
        expected = gradient_matching(drawn[bare], y[bare]) * bare.float().mean() if bare.any() else torch.tensor(0.0)
        torch.manual_seed(seed)
        found = task.step(sources, targets, labels, 0)["gradient_matching"]
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
        seen.add(int(bare.sum()))
    assert seen == {0, 1, 2}


def test_gradient_matching_minds_pictures_with_dabs_in_the_last_share_of_the_run() -> None:
    hints = {"enabled": True, "none_share": 0.0, "continue_share": 0.99, "matched_share": 0.25}
    task = make_task(make_recipe(objective={"kind": "l1", "gradient_matching": 50.0}, hints=hints))
    sources, targets, labels = make_batch()
    torch.manual_seed(0)
    x, _ = task._inputs(sources, targets)
    assert x[:, -1].flatten(1).any(1).all()
    for seen, minded in ((0, False), (748, False), (750, True), (998, True)):
        torch.manual_seed(0)
        assert (task.step(sources, targets, labels, seen)["gradient_matching"] > 0) == minded


def test_the_share_with_dabs_begins_at_a_whole_picture() -> None:
    hints = {"enabled": True, "none_share": 0.0, "continue_share": 0.99, "matched_share": 0.33333}
    recipe = make_recipe(
        objective={"kind": "l1", "gradient_matching": 50.0}, hints=hints, train={"total_images": 60_000}
    )
    task = make_task(recipe)
    for seen, minded in ((39_998, False), (40_000, True)):
        torch.manual_seed(0)
        assert (task.step(*make_batch(), seen)["gradient_matching"] > 0) == minded


@pytest.mark.parametrize("kind", ["gan", "cgan"])
def test_objective_without_a_distance_has_no_gradient_matching(kind: str) -> None:
    task = make_task(make_recipe(objective={"kind": kind, "gradient_matching": 50.0}))
    assert "gradient_matching" not in task.step(*make_batch(), 0)


def test_label_map_trains_spade_blocks() -> None:
    recipe = make_recipe(data={"source": "labels", "palette": "camvid", "ignore": 11}, generator={"norm": "spade"})
    task = make_task(recipe, source=MAP)
    losses = task.step(*make_batch(channels=1), 0)
    assert all(torch.isfinite(value) for value in losses.values())
    assert task.draw(make_batch(channels=1)[0]).shape == (2, 3, SIDE, SIDE)


def test_label_changes_what_is_drawn_once_trained() -> None:
    adam = {name: {"kind": "adam", "lr": 5e-3} for name in ("generator", "discriminator")}
    recipe = make_recipe(
        data={"labels": "group"},
        condition=["picture", "label"],
        generator={"norm": "instance"},
        objective={"kind": "l1"},
        optimiser=adam,
    )
    task = make_task(recipe, names=("day", "night"))
    sources = make_batch()[0][:1].repeat(2, 1, 1, 1)
    targets = torch.stack([torch.full((3, SIDE, SIDE), 255), torch.zeros(3, SIDE, SIDE)]).to(torch.uint8)
    labels = torch.tensor([0, 1])
    for step in range(120):
        task.step(sources, targets, labels, 2 * step)
    day, night = task.draw(sources, labels).mean(dim=(1, 2, 3))
    assert float(day - night) > 0.5


def test_hints_change_what_is_drawn() -> None:
    task = make_task(make_recipe(hints={"enabled": True}))
    sources = make_batch()[0]
    hints = torch.zeros(2, 4, SIDE, SIDE)
    hints[:, :, 4:8, 4:8] = 1
    assert not torch.equal(task.draw(sources), task.draw(sources, hints=hints))


def test_discriminator_of_gan_does_not_see_the_source() -> None:
    torch.manual_seed(0)
    task = make_task(make_recipe(objective={"kind": "gan"}))
    assert next(task.discriminator.parameters()).shape[1] == 3
    assert next(make_task(make_recipe()).discriminator.parameters()).shape[1] == 6


def test_state_does_not_depend_on_how_tensors_lie_in_memory() -> None:
    task = make_task(make_recipe())
    found = watch_gradients(task)
    task.step(*make_batch(), images_seen=0)
    shapes = [parameter.shape for parameter in task.generator.parameters()]
    moments = task.state_dict()["generator_optimiser"]["state"]
    assert [moments[index]["exp_avg"].shape for index in range(len(shapes))] == shapes
    # After one step the first moment is (1 - beta1) times the gradient: each value stands at its own weight.
    beta1 = 0.5
    for parameter, index in zip(task.generator.parameters(), range(len(shapes)), strict=True):
        torch.testing.assert_close(moments[index]["exp_avg"], (1 - beta1) * found[parameter])


@pytest.mark.parametrize("extra", ["average", "bf16", "hints", "instance norm"])
def test_weights_do_not_depend_on_how_many_gradients_are_applied_at_once(
    extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = {}
    for gathered in (1, 2**30):
        monkeypatch.setattr("ganvas.tasks.task.GATHERED_BYTES", gathered)
        torch.manual_seed(0)
        tasks[gathered] = task = make_task(make_recipe(**EXTRAS[extra]))
        found = watch_gradients(task)
        task.watched = True
        applied: list[int] = []
        task.optimisers["generator"].register_step_post_hook(lambda *_, applied=applied: applied.append(1))
        for step in range(STEPS):
            task.step(*make_batch(step=step), 2 * step)
        own = list(task.generator.parameters())
        assert all(parameter.grad is None for parameter in own)
        norm = torch.stack([found[parameter].square().sum() for parameter in own]).sum().sqrt()
        torch.testing.assert_close(task.gradient_norms["generator"], norm)
        assert len(applied) == STEPS * (len(own) if gathered == 1 else 1)
    each, all_at_once = (list(task.generator.parameters()) for task in tasks.values())
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(each, all_at_once, strict=True))


def test_state_goes_round() -> None:
    recipe = make_recipe(train={"ema_half_life_images": 100}, generator={"dropout": 0.5})
    whole, halves = make_task(recipe), make_task(recipe)
    for step in range(4):
        for task in (whole, halves):
            torch.manual_seed(step)
            task.step(*make_batch(step=step), 2 * step)
        if step == 1:
            fresh = make_task(recipe)
            fresh.load_state_dict(halves.state_dict())
            halves = fresh
    for a, b in zip(whole.drawing_generator.parameters(), halves.drawing_generator.parameters(), strict=True):
        assert torch.equal(a, b)
