"""A folder with the studio's page and models that the browser runs itself: any static host serves it."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

import ganvas
from ganvas.errors import GanvasError, UsageError
from ganvas.exporting.description import described, examples_for, sampling, translating
from ganvas.exporting.onnx_export import OPSET, Checked, Exported, checked
from ganvas.files import cannot_write
from ganvas.inference import model_name, resolve_model, shipped_models
from ganvas.inference.onnx_file import OnnxGenerator
from ganvas.model_file import TranslateHeader

PAGE = Path(ganvas.__file__).parent / "studio" / "static"
MANIFEST = "models.json"
FORMAT = 1
PROBED = 32
NEWEST_OPSET = 26  # that onnxruntime-web 1.30, the page's runtime, loads
# The page's own files and requests only. Frames cannot be forbidden here: that takes a header of the host.
CSP = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; style-src 'self'; base-uri 'none'; form-action 'none'"
)
NO_PAGE = "the studio's page has not been built: run `make web` in the source checkout, which needs Node"


@dataclass(frozen=True)
class ExportedPage:
    """A page that was written.

    Attributes:
        path: the folder.
        bytes: of all its files.
        models: its models, in the order given.
    """

    path: Path
    bytes: int
    models: tuple[Exported, ...]


def export_web(
    models: Sequence[str | Path], out: str | Path, *, precision: str = "fp16", opset: int = OPSET
) -> ExportedPage:
    """Write a page with ``models`` as the folder ``out``; see :func:`ganvas.export`."""
    folder = Path(out)
    if not models:
        raise UsageError("no models given: expected at least one")
    if opset > NEWEST_OPSET:
        raise UsageError(f"opset is {opset}: the page runs models of {NEWEST_OPSET} and older")
    names = [model_name(resolve_model(model)) for model in models]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two models are called '{name}': rename a file or its run folder")
    check_folder(folder)
    if not (PAGE / "index.html").is_file() or not (PAGE / "runtime").is_dir():
        raise GanvasError(NO_PAGE)
    found = [checked(model, precision=precision, opset=opset) for model in models]
    for name, one in zip(names, found, strict=True):
        _check_channels(name, one)
    with _new_folder(folder) as new:
        shutil.copytree(PAGE, new, dirs_exist_ok=True)
        page = (new / "index.html").read_text("utf-8")
        (new / "index.html").write_text(_exported(page), "utf-8")
        written, infos = [], []
        for name, model, one in zip(names, models, found, strict=True):
            file = _model_file(name, one.data)
            # The page unpacks what begins as a gzip file does, whatever the host says of it.
            packed = gzip.compress(one.data, mtime=0)
            _write(new / file, packed)
            written.append(replace(one.written(folder / file), bytes=len(packed)))
            infos.append(_info(name, model, one, file, new))
        (new / MANIFEST).write_text(json.dumps({"format": FORMAT, "models": infos}, ensure_ascii=False), "utf-8")
        size = sum(path.stat().st_size for path in new.rglob("*") if path.is_file())
    return ExportedPage(folder, size, tuple(written))


def check_folder(folder: Path) -> None:
    """Raise the UsageError for a place that holds anything but an earlier page."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"cannot export to '{folder}': it is a file, expected a folder")
    if not folder.is_dir():
        return
    try:
        own = {path.name for path in PAGE.iterdir()} if PAGE.is_dir() else set()
        held = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise GanvasError(f"cannot read folder '{folder}': {error.strerror or error}") from error
    others = [name for name in held if name not in own | {MANIFEST, "models", "examples"}]
    if held and (others or not _is_manifest(folder / MANIFEST)):
        raise UsageError(
            f"folder '{folder}' holds other things ({', '.join((others or held)[:3])}): choose another one, "
            "or empty it; only an earlier export is replaced"
        )


def _is_manifest(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_text("utf-8"))["format"], int)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _check_channels(name: str, one: Checked) -> None:
    header = one.header
    if isinstance(header, TranslateHeader):
        for side, channels in (("takes", header.source.channels), ("draws", header.target.channels)):
            if channels not in (1, 3):
                raise UsageError(f"model '{name}' {side} {channels} channels: a page has pictures of grey or colour")


def _info(name: str, model: str | Path, one: Checked, file: str, folder: Path) -> dict[str, Any]:
    """What the page is told of a model; its examples are copied into ``folder``."""
    examples = []
    for example in examples_for(one.header):
        target = folder / "examples" / example.parent.name / example.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(example, target)
        examples.append(target.relative_to(folder).as_posix())
    origin = "run" if Path(model).is_dir() else "file"
    return described(one.header) | {
        "name": name,
        "title": name,
        "origin": "shipped" if str(model) in shipped_models() else origin,
        # An export of a model that translates has no dropout and one noise, and gets no dabs of other hues.
        "variations": not isinstance(one.header, TranslateHeader),
        "examples": len(examples),
        "example_files": examples,
        "file": file,
        "translating": _translating(name, one),
        "sampling": sampling(one.header),
    }


def _translating(name: str, one: Checked) -> dict[str, Any] | None:
    found = translating(one.header)
    return None if found is None else found | {"probe": _probe(name, one)}


def _probe(name: str, one: Checked) -> dict[str, Any]:
    """What the export draws of input that a browser can make again, by which it knows whether its runtime is right."""
    header = one.header
    assert isinstance(header, TranslateHeader)
    shape = (1, header.in_channels, header.size, header.size)
    x = (torch.arange(math.prod(shape)) * 7919 % 255).float().reshape(shape) / 127.5 - 1
    labels = torch.tensor([0]) if header.class_names else None
    drawn = OnnxGenerator(one.data, header, f"the export of '{name}'")(x, labels).flatten()
    indices = torch.arange(PROBED) * (len(drawn) // PROBED)
    return {"shape": shape, "indices": indices.tolist(), "values": drawn[indices].tolist()}


def _model_file(name: str, data: bytes) -> str:
    """Named by its content too, so that no browser takes an older one that it kept for it."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    return f"models/{plain}-{hashlib.sha256(data).hexdigest()[:8]}.onnx.gz"


def _exported(page: str) -> str:
    """The page's HTML with what makes it run by itself."""
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{CSP}" />',
        f'<meta name="ganvas-models" content="./{MANIFEST}" />',
    )
    charset = '<meta charset="utf-8" />'
    if page.count(charset) != 1:
        raise GanvasError(f"'{PAGE / 'index.html'}' is not the studio's page: run `make web`")
    return page.replace(charset, "\n    ".join((charset, *head)))


@contextlib.contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``folder``; on success it takes the place of ``folder``, else it is deleted.

    Raises:
        GanvasError: something cannot be written; ``folder`` is as it was.
    """
    # Of a link the folder it leads to; and of "." a name.
    place = folder.resolve()
    new = place.with_name(f".{place.name}.{os.getpid()}.partial")
    old = place.with_name(f".{place.name}.{os.getpid()}.old.partial")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        new.mkdir()
        yield new
        if place.exists():
            place.rename(old)
        try:
            new.rename(place)
        except OSError:
            if old.exists():
                old.rename(place)
            raise
    except OSError as error:
        raise GanvasError(cannot_write(folder, error)) from error
    finally:
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
