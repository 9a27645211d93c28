"""Putting an evaluation down where the model is: in its file's header, its card and its run's report."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from importlib import resources
from pathlib import Path

from ganvas.errors import GanvasError
from ganvas.evaluation.found import Evaluation
from ganvas.evaluation.text import to_markdown
from ganvas.files import atomic_path, atomic_write
from ganvas.inference import is_export, resolve_model
from ganvas.model_file import HEADER_KEY, read_header
from ganvas.report import write_report
from ganvas.training.folder import ENVIRONMENT, only_process

_SECTION = re.compile(r"<!-- evaluation -->\n.*?<!-- end -->\n", re.DOTALL)
_LENGTH = 8  # bytes of a safetensors file that tell how long its header is


def record(evaluation: Evaluation) -> tuple[list[Path], str]:
    """Write the numbers into the model's file, its card where one lies beside it, and its run's report.

    Returns:
        The files written, and a sentence that says why there are none, or "".

    Raises:
        GanvasError: a file cannot be written; each is as it was, or whole.
    """
    path = resolve_model(evaluation.model).resolve()
    with contextlib.ExitStack() as held:
        if (path.parent / ENVIRONMENT).is_file():
            try:
                held.enter_context(only_process(path.parent))
            except GanvasError:
                # Training replaces the file too: whoever came last would undo what the other wrote.
                return [], f"'{evaluation.model}' is being trained: the numbers are not recorded in its file."
        if reason := _kept(evaluation, path):
            return [], reason
        return _written(evaluation, path), ""


def _written(evaluation: Evaluation, path: Path) -> list[Path]:
    table = evaluation.to_table()
    rewrite_header(path, {"metrics": evaluation.values, "evaluation": table})
    written = [path]
    card = path.with_suffix(".md")
    if card.is_file():
        atomic_write(card, _with_section(card, to_markdown(evaluation)).encode())
        written.append(card)
    if path.name == "model.safetensors" and (path.parent / "recipe.toml").is_file():
        written.append(write_report(path.parent))
    return written


def rewrite_header(path: Path, changes: dict[str, object]) -> None:
    """Set keys of a model file's header; every other key and every bit of the weights stay as they are.

    Raises:
        GanvasError: no model file, or it cannot be written.
    """
    read_header(path)
    with path.open("rb") as file, atomic_path(path) as temporary:
        header = json.loads(file.read(int.from_bytes(file.read(_LENGTH), "little")))
        own = json.loads(header["__metadata__"][HEADER_KEY])
        header["__metadata__"][HEADER_KEY] = json.dumps(own | changes, ensure_ascii=False, allow_nan=False)
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        # The weights begin at a multiple of eight bytes, as the format's own writer leaves them.
        text += b" " * (-len(text) % _LENGTH)
        with temporary.open("wb") as rewritten:
            rewritten.write(len(text).to_bytes(_LENGTH, "little") + text)
            shutil.copyfileobj(file, rewritten)


def _kept(evaluation: Evaluation, path: Path) -> str:
    """Why a model's file is left as it is."""
    if is_export(path):
        return f"'{evaluation.model}' is an exported model: its file is left as it is."
    shipped = Path(str(resources.files("ganvas"))).resolve()
    if path.is_relative_to(shipped):
        return f"'{evaluation.model}' is a shipped model: its file is left as it is."
    if evaluation.protocol.split == "train":
        return "Numbers on training pictures are not recorded in the model's file: they tell nothing of others."
    if not os.access(path.parent, os.W_OK):
        return f"'{path.parent}' cannot be written: the numbers are not recorded in the model's file."
    if (now := read_header(path).images_seen) != evaluation.images_seen:
        return (
            f"'{evaluation.model}' has been trained on since it was measured ({evaluation.images_seen:,} images seen, "
            f"now {now:,}): the numbers are not recorded in its file."
        )
    return ""


def _with_section(card: Path, markdown: str) -> str:
    """The card's text with the evaluation in the place of an earlier one, or at its end."""
    try:
        text = card.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise GanvasError(f"cannot read the model's card '{card}' ({error}): expected text in UTF-8") from error
    section = f"<!-- evaluation -->\n{markdown}<!-- end -->\n"
    if _SECTION.search(text):
        return _SECTION.sub(lambda _: section, text, count=1)
    return f"{text.rstrip()}\n\n{section}"
