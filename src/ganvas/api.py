"""The Python API: what the command line does, as functions; they print nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, overload

from ganvas.config import Recipe, load_recipe, recipe_names
from ganvas.data.pairs import PairSplit
from ganvas.errors import GanvasError, UsageError
from ganvas.evaluation import Evaluation, recording
from ganvas.evaluation import evaluate as evaluate_model
from ganvas.exporting import OPSET, Exported, ExportedPage, export_onnx, export_web
from ganvas.inference import Model
from ganvas.report import write_report
from ganvas.report.compare import check_out, write_comparison
from ganvas.report.compare import compare as compare_models
from ganvas.report.compared import Compared
from ganvas.report.study import StudyRuns
from ganvas.training.folder import TENSORBOARD
from ganvas.training.run import TrainingRun
from ganvas.training.stats import Progress
from ganvas.training.tensorboard import TensorBoard


class Run(TrainingRun):
    """A training run that also writes ``report.html`` when iteration ends, however it ends."""

    def __init__(
        self,
        recipe: Recipe,
        out: Path | None = None,
        *,
        device: str = "auto",
        fresh: bool = False,
        tensorboard: bool = False,
    ) -> None:
        super().__init__(recipe, out, device=device, fresh=fresh)
        self._tensorboard = tensorboard

    def __iter__(self) -> Iterator[Progress]:
        board = TensorBoard(self.folder / TENSORBOARD, self.images_seen) if self._tensorboard else None
        try:
            for progress in super().__iter__():
                if board is not None:
                    board.add(progress)
                yield progress
        except BaseException:
            # What went wrong with training matters more than a report that cannot be written either.
            with contextlib.suppress(GanvasError):
                self.report()
            raise
        finally:
            if board is not None:
                board.close()
        self.report()

    def report(self) -> Path:
        """Write ``report.html`` from what the run folder holds, and return its path."""
        return write_report(self.folder)

    @property
    def model(self) -> Model:
        """The run's model, ready to draw; trains to the end first if need be."""
        if not self.complete:
            self.finish()
        return Model(self.model_path)


def load(model: str | Path, *, device: str = "cpu", precision: Literal["auto", "fp32", "bf16"] = "fp32") -> Model:
    """A trained model: a ``.safetensors`` file, a run folder, or the name of a shipped model.

    Args:
        model: which one.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        precision: ``bf16`` translates in half the bits, faster where the processor has units for it; ``auto``: there.

    Raises:
        UsageError: there is no such model (the nearest name is given), or it draws in the one precision only.
    """
    return Model(model, device=device, precision=precision)


def recipes() -> list[str]:
    """Names of the shipped recipes."""
    return recipe_names()


def train(
    recipe: str | Path,
    *,
    data: str | Path | None = None,
    out: str | Path | None = None,
    settings: Sequence[str] = (),
    device: str = "auto",
    fresh: bool = False,
    tensorboard: bool = False,
) -> Run:
    """Open a training run; iterate it to train, or call ``finish()``.

    Args:
        recipe: a shipped recipe's name or a TOML file.
        data: a folder of IDX files, of class folders or of pairs, or a CSV of pairs; None keeps the recipe's
            ``data.path``.
        out: the run folder, by default ``runs/<recipe name>``; an unfinished run of the same recipe continues.
        settings: ``KEY=VALUE`` changes to the recipe, such as ``"train.batch_size=64"``.
        device: ``auto`` (cuda where there is one, else cpu), ``cpu``, ``cuda`` or ``mps``.
        fresh: start over in a new folder instead of continuing.
        tensorboard: also write TensorBoard event files (extra ``tensorboard``).

    Raises:
        UsageError: an unknown recipe, key or value, or a folder that belongs to another run.
        GanvasError: the data or the device cannot be used.
    """
    where = [] if data is None else [f"data.path={json.dumps(str(data), ensure_ascii=False)}"]
    chosen = load_recipe(recipe, [*settings, *where])
    folder = Path(out) if out is not None else None
    return Run(chosen, folder, device=device, fresh=fresh, tensorboard=tensorboard)


def evaluate(
    model: str | Path,
    *,
    data: str | Path | None = None,
    split: PairSplit = "test",
    count: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    segmenter: str | Path | None = None,
    fid_weights: str | Path | None = None,
    few_pictures: bool = False,
) -> Evaluation:
    """Measure a model on held-out pictures, and put the numbers down in its file, its card and its run's report.

    A shipped model is left as it is, and so is one that was measured on training pictures.

    Args:
        model: a run folder, a ``.safetensors`` file, or the name of a shipped model.
        data: pictures to measure on instead of those that the model's recipe held out.
        split: which of the pictures; labelled ones have no "val".
        count: pictures to draw; by default as many as there are, of digits at most 10,000.
        seed: the same seed gives the same digits.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        segmenter: a segmenter that judges photos drawn from label maps.
        fid_weights: the published file of Inception's weights, by which FID and KID are told too (docs/metrics.md).
        few_pictures: FID and KID also of fewer than 2,048 pictures.

    Raises:
        UsageError: no such model or weights, data that are not of its kind, or too few pictures for an FID.
        GanvasError: data that cannot be read, a file that cannot be written.
    """
    where = None if data is None else str(data)
    found = evaluate_model(
        str(model),
        data=where,
        split=split,
        count=count,
        seed=seed,
        device=device,
        segmenter=None if segmenter is None else str(segmenter),
        fid_weights=None if fid_weights is None else str(fid_weights),
        few_pictures=few_pictures,
    )
    recording.record(found)
    return found


def compare(
    models: Sequence[str | Path],
    *,
    out: str | Path = "compare.html",
    data: str | Path | None = None,
    split: PairSplit = "test",
    pictures: int = 8,
    device: str = "cpu",
) -> Compared:
    """Measure models on the same held-out pictures; write the page, and next to it .md, .json and .png.

    Args:
        models: run folders, model files or shipped names, of one task and one set of data; runs that differ only in
            ``train.seed`` share a row.
        out: the page, ``FILE.html``.
        data: pairs to measure on instead of the ones that the runs held out.
        split: which of the pairs.
        pictures: how many to show.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        UsageError: no such model, models of different tasks, another ending than .html.
        GanvasError: models of different data, data that cannot be read, a file that cannot be written.
    """
    check_out(Path(out))
    compared = compare_models(
        [str(model) for model in models],
        data=None if data is None else str(data),
        split=split,
        pictures=pictures,
        device=device,
    )
    write_comparison(compared, Path(out))
    return compared


@overload
def export(
    model: str | Path,
    out: str | Path,
    *,
    to: Literal["onnx"] = "onnx",
    precision: str | None = None,
    opset: int | None = None,
) -> Exported: ...


@overload
def export(
    model: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    to: Literal["web"],
    precision: str | None = None,
    opset: int | None = None,
) -> ExportedPage: ...


def export(
    model: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    to: str = "onnx",
    precision: str | None = None,
    opset: int | None = None,
) -> Exported | ExportedPage:
    """Write a model for other programs, or a page that draws with models by itself.

    Args:
        model: a run folder, a model file or a shipped name; for ``web`` several, if you like.
        out: the file, ``FILE.onnx``, which :func:`load` takes too; for ``web`` a folder, which may hold an earlier
            page and nothing else.
        to: ``onnx``, or ``web``: the studio's page with the models run in the browser, for any static host.
        precision: of the stored weights: ``fp32``, ``fp16`` or ``int8`` (a scale for each output channel). The
            arithmetic is always float32. None takes fp32, for ``web`` fp16.
        opset: of the ONNX operators, from 18 on; None takes 21.

    Returns:
        What was written, how far onnxruntime is from PyTorch, and what rounding the weights costs.

    Raises:
        UsageError: no such model, an argument that is none of these, or the extra ``onnx`` is not installed.
        GanvasError: the export and the model differ by more than 1e-3, the page has not been built, or something
            cannot be written; nothing is left of it.
    """
    opset = OPSET if opset is None else opset
    several = [model] if isinstance(model, str | Path) else list(model)
    if to == "web":
        return export_web(several, out, precision=precision or "fp16", opset=opset)
    if to != "onnx":
        raise UsageError(f"cannot export to {to!r}: expected onnx or web")
    if len(several) != 1:
        raise UsageError(f"an .onnx file holds one model, found {len(several)}: export them one by one, or to web")
    return export_onnx(several[0], out, precision=precision or "fp32", opset=opset)


def study(
    study: str | Path,
    *,
    runs: str | Path | None = None,
    data: str | Path | None = None,
    only: Sequence[str] = (),
    segmenter: str | Path | None = None,
    device: str = "auto",
) -> StudyRuns:
    """Open a study: iterate it to train its runs, or call ``finish()``; then ``write_tables()`` compares them.

    Args:
        study: a shipped study's name or a TOML file.
        runs: the folder of the runs, by default ``runs/NAME``; finished runs are skipped, stopped ones go on.
        data: what to train and to measure on, instead of the recipe's ``data.path``.
        only: rows to train; empty: all.
        segmenter: a segmenter in the place of the study's own, by which drawn street photos are judged.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        UsageError: no such study, row or segmenter, or a recipe that is wrong.
        GanvasError: the segmenter does not know the classes of the study's label maps.
    """
    return StudyRuns(study, runs, data=data, only=only, segmenter=segmenter, device=device)
