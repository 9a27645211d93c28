"""``ganvas``: the verbs, and how failures reach the user."""

from __future__ import annotations

import io
import logging
import sys
from typing import Annotated

import typer

from ganvas import __version__
from ganvas.cli import compare, data, demo, evaluate, export, info, recipes, sample, studio, study, train, translate
from ganvas.errors import GanvasError, UsageError

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="ganvas",
    help="Train, measure and serve conditional image generators.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("train")(train.train)
app.command("sample")(sample.sample)
app.command("translate")(translate.translate)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("study")(study.study)
app.command("studio")(studio.studio)
app.command("export")(export.export)
app.add_typer(data.app, name="data")
app.command("info")(info.info)
app.command("recipes")(recipes.recipes)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ganvas {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    logging.basicConfig(level=logging.WARNING, format="ganvas: %(levelname)s: %(message)s", stream=sys.stderr)
    # What takes a while before any progress shows tells so.
    logging.getLogger("ganvas").setLevel(logging.INFO)
    for stream in (sys.stdout, sys.stderr):
        # A class name may be in a script that the encoding of a pipe or an old console lacks.
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    try:
        result = app(arguments, standalone_mode=False)
    except typer.TyperException as error:
        # Without arguments the help has been printed and the message is empty.
        message = " ".join(error.format_message().split())
        return _fail(f"{message} (--help tells more)", WRONG_USAGE) if message else WRONG_USAGE
    except (typer.Abort, KeyboardInterrupt):
        return _fail("interrupted", INTERRUPTED)
    except UsageError as error:
        return _fail(str(error), WRONG_USAGE)
    except GanvasError as error:
        return _fail(str(error), FAILED)
    except BrokenPipeError:
        # The reader of our output (head, less) has gone; there is nobody to tell.
        sys.stdout = None
        return FAILED
    except OSError as error:
        place = f" '{error.filename}'" if error.filename else ""
        return _fail(f"{error.strerror or error}{place}", FAILED)
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        return _fail("out of memory: ask for less at a time, or close other programs", FAILED)
    return result if isinstance(result, int) else 0


def _out_of_memory(error: Exception) -> bool:
    """Whether memory ran out; torch, which is not imported here, tells so by errors of several kinds."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return any(words in str(error) for words in ("can't allocate memory", "not enough memory", "out of memory"))


def _fail(message: str, code: int) -> int:
    typer.echo(f"ganvas: {message}", err=True)
    return code
