"""Recipes: every shipped one is valid, and what a user gets wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganvas.config import (
    EncoderDecoderGenerator,
    LabelRecipe,
    TranslateRecipe,
    difference,
    load_recipe,
    recipe_names,
    to_toml,
)
from ganvas.errors import UsageError


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipe_is_valid_and_survives_being_written(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    file = tmp_path / "recipe.toml"
    file.write_text(to_toml(recipe), "utf-8")
    assert recipe.name == name
    assert recipe.description
    assert load_recipe(file) == recipe


def test_setting_changes_one_key() -> None:
    before, after = load_recipe("digits-cgan"), load_recipe("digits-cgan", ["train.batch_size=64"])
    assert difference(before, after) == ["train.batch_size: 128 -> 64"]


def test_whole_numbers_do_for_fractions() -> None:
    assert load_recipe("digits-cgan", ["objective.r1=2"], of=LabelRecipe).objective.r1 == 2.0


def test_another_description_is_no_difference() -> None:
    assert difference(load_recipe("digits-cgan"), load_recipe("digits-cgan", ["description=mine"])) == []


def test_epochs_replace_total_images_and_back() -> None:
    recipe = load_recipe("digits-cgan", ["train.epochs=3"])
    assert (recipe.train.epochs, recipe.train.total_images) == (3, 0)
    again = load_recipe("digits-gan", ["train.total_images=500"])
    assert (again.train.epochs, again.train.total_images) == (0, 500)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("train.batchsize=64", ["train.batchsize", "Did you mean 'train.batch_size'?"]),
        ("trian.batch_size=64", ["trian", "Did you mean 'train'?"]),
        ("generator.latnt=64", ["generator.latnt", "Did you mean 'generator.latent'?"]),
        ("train.batch_size=many", ["train.batch_size", "'many'"]),
        ("train.batch_size=0", ["train.batch_size", "0"]),
        ("train.batch_size=true", ["train.batch_size", "integer", "True"]),
        ("train.batch_size=64.0", ["train.batch_size", "integer", "64.0"]),
        ("train.compile=1", ["train.compile", "boolean", "1"]),
        ("optimiser.generator.lr=inf", ["optimiser.generator.lr", "finite", "inf"]),
        ("objective.r1=nan", ["objective.r1", "finite", "nan"]),
        ("generator={network='conv', width=30}", ["generator.width", "multiple of 4", "30"]),
        ("discriminator={network='conv', width=6}", ["discriminator.width", "multiple of 4", "6"]),
        ("name='../else where'", ["name", "'../else where'", "folder"]),
        ("name='..'", ["name", "'..'", "folder"]),
        ("name=''", ["name", "''", "folder"]),
        ("train.precision=fp8", ["train.precision", "fp8", "bf16"]),
        ("generator.network=unet", ["generator", "unet", "dense-conditional"]),
        ("discriminator.network=dense", ["discriminator.activation", "does not belong"]),
        ("discriminator={network='dense'}", ["do not fit together"]),
        ("objective.adversarial=wgan", ["objective.adversarial", "wgan", "hinge"]),
        ("validation={patience_images=1000}", ["validation", "patience_images", "name one as validation.metric"]),
        ("train.seed", ["KEY=VALUE"]),
        ("name.x=3", ["'name' is a value"]),
    ],
)
def test_wrong_setting_is_named_with_what_was_expected(setting: str, words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        load_recipe("digits-cgan", [setting])
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_another_network_needs_nothing_left_out_of_the_recipe() -> None:
    for name in ("sketch2color", "labels2street"):
        generator = load_recipe(name, ["generator.network=encoder-decoder"], of=TranslateRecipe).generator
        assert isinstance(generator, EncoderDecoderGenerator)
        assert generator.width == load_recipe(name, of=TranslateRecipe).generator.width
    with pytest.raises(UsageError, match=r"'generator.source_skip' does not belong"):
        load_recipe("sketch2color", ["generator.network=encoder-decoder", "generator.source_skip=true"])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("2", r"generator\.residual_blocks: expected a list, in square brackets \(found 2\)"),
        ("[1, 1, 1, 1, 1]", r"expected at most 4 values \(found \[1, 1, 1, 1, 1\]\)"),
        ("[1, -1]", r"generator\.residual_blocks\.1: Input should be greater than or equal to 0 \(found -1\)"),
    ],
)
def test_a_list_that_is_none_says_what_was_expected(value: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load_recipe("sketch2color", [f"generator.residual_blocks={value}"])


@pytest.mark.parametrize(
    ("recipe", "setting", "words"),
    [
        ("digits-gan", "validation.metric=asked_accuracy", "needs networks that take a label"),
        ("sketch2color-classic", "validation.patience_images=10", "name one as validation.metric"),
    ],
)
def test_validation_that_cannot_be_is_refused(recipe: str, setting: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load_recipe(recipe, [setting])


def test_colours_are_not_compared_where_there_are_none() -> None:
    with pytest.raises(UsageError, match="targets of 3 channels"):
        load_recipe("sketch2color-classic", ["validation.metric=colour_distance", "data.target_channels=1"])


@pytest.mark.parametrize(
    ("recipe", "key"),
    [("labels2street", "vary_lines"), ("labels2street", "open_outlines"), ("photo2labels", "open_outlines")],
)
def test_lines_of_a_label_map_are_not_changed(recipe: str, key: str) -> None:
    with pytest.raises(UsageError, match="the first needs a source picture, the second a source and a target picture"):
        load_recipe(recipe, [f"data.{key}=true"])


def test_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'digits-cgan'"):
        load_recipe("digit-cgan")


def test_broken_toml_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("name = [", "utf-8")
    with pytest.raises(UsageError, match="not valid TOML"):
        load_recipe(file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read as text"):
        load_recipe(file)
