"""``ganvas studio``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ganvas.errors import GanvasError


def studio(
    runs: Annotated[Path, typer.Option(help="The folder of the runs to show, and where new ones are written.")] = Path(
        "runs"
    ),
    data: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help="A folder whose data the page may train on, beside those in the runs folder; repeatable.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen at; others than this machine's need --token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8765,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="GANVAS_STUDIO_TOKEN",
            help="What a browser has to know to be let in, at least 16 characters.",
            show_default=False,
        ),
    ] = None,
    precision: Annotated[
        Literal["auto", "fp32"],
        typer.Option(help="auto: draws in bfloat16 where the processor has units for it; pictures differ by a shade."),
    ] = "auto",
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address and open nothing.")] = False,
) -> None:
    """Open the studio: draw in a browser and see it become a picture, translate files, train. Ctrl-C ends it.

    Training that was started goes on, and is found again. Needs the extra "studio".

    Example: ganvas studio --runs runs --no-browser
    """
    try:
        from ganvas.studio.server import serve
        from ganvas.studio.settings import Settings
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("fastapi", "uvicorn", "starlette"):
            raise
        raise GanvasError(f"the studio needs {error.name}: pip install 'ganvas[studio]'") from error

    settings = Settings(runs=runs, data=tuple(data or ()), host=host, port=port, token=token, precision=precision)
    serve(settings, browser=not no_browser, tell=lambda address: typer.echo(f"studio  {address}"))
