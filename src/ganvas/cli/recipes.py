"""``ganvas recipes``."""

from __future__ import annotations

from typing import Annotated

import typer


def recipes(
    name: Annotated[
        str | None, typer.Argument(help="Print this recipe with every key spelled out.", show_default=False)
    ] = None,
) -> None:
    """List the shipped recipes, or print one as TOML to start a recipe of your own from.

    Example: ganvas recipes digits-cgan
    """
    from ganvas.config import load_recipe, recipe_names, to_toml

    if name is not None:
        typer.echo(to_toml(load_recipe(name)), nl=False)
        return
    for known in recipe_names():
        typer.echo(f"{known:<20} {load_recipe(known).description}")
