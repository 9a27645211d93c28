"""``ganvas study``: the runs of a study, trained one after the other, and the tables that compare them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ganvas.config import Study, TranslateRecipe, check_rows, load_study
from ganvas.config.study import TRUE_PICTURES
from ganvas.errors import UsageError
from ganvas.files import atomic_write
from ganvas.pictures import png_bytes
from ganvas.report.compare import compare
from ganvas.report.compare_sheet import sheet
from ganvas.report.compare_text import to_json, to_markdown
from ganvas.report.compared import Compared
from ganvas.report.html import write_report
from ganvas.report.study_segmentation import SegmentationColumn
from ganvas.training.run import TrainingRun

SHOWN = 8
Train = Callable[[TrainingRun], object]


@dataclass(frozen=True)
class StudyRun:
    """One run of a study, trained to its end."""

    row: str
    seed: int
    run: TrainingRun

    @property
    def seconds(self) -> float:
        """Training time; 0 of a run without a record."""
        stats = self.run.stats
        return float(stats[-1]["seconds"]) if stats else 0.0


class StudyRuns:
    """Iterate to train: each run that is not finished is trained, or goes on, and is handed out when it is.

    Every row is trained once before the second seed begins, so that an unfinished study is a balanced one. The run
    folders are ``ROW-SEED`` under ``runs``. ``len`` is the number of runs.

    Args:
        study: a shipped study's name or a TOML file.
        runs: the folder of the runs, by default ``runs/NAME``.
        data: what to train and to measure on, instead of the recipe's ``data.path``.
        only: rows to train; the tables, which need all rows, cannot be written then. Empty: all.
        segmenter: a segmenter in the place of the study's own, a run folder or a model file.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        train: what trains an opened run to its end.

    Raises:
        UsageError: no such study, row or segmenter, or a recipe that is wrong; nothing has been trained then.
        GanvasError: the segmenter does not know the classes of the study's label maps.
    """

    def __init__(
        self,
        study: str | Path,
        runs: str | Path | None = None,
        *,
        data: str | Path | None = None,
        only: Sequence[str] = (),
        segmenter: str | Path | None = None,
        device: str = "auto",
        train: Train = TrainingRun.finish,
    ) -> None:
        self.study: Study = load_study(study)
        check_rows(self.study, only)
        if only and segmenter:
            raise UsageError("--segmenter judges what stands in tables, of which --only writes none: leave one out")
        self.folder = Path(runs) if runs is not None else Path("runs") / self.study.name
        self._command = ["ganvas", "study", str(study), "--runs", self.folder.as_posix()]
        self._command += [] if data is None else ["--data", str(data)]
        self._command += [] if segmenter is None else ["--segmenter", str(segmenter)]
        # Absolute, so that the runs' recipes say it wherever they are read.
        self._data = None if data is None else str(Path(data).absolute())
        self._only = tuple(only)
        self._device = device
        self._train = train
        judge = self.study.segmenter if segmenter is None else segmenter
        self._segmentation = None
        if judge and not only:
            self._segmentation = SegmentationColumn(self.study, judge, self._data, device)

    @property
    def rows(self) -> tuple[str, ...]:
        """The rows to train, in the study's order."""
        return tuple(row for row in self.study.rows if not self._only or row in self._only)

    @property
    def places(self) -> list[tuple[str, int, Path]]:
        """(row, seed, run folder) of every run, in the order of training."""
        return [(row, seed, self.folder / f"{row}-{seed}") for seed in range(self.study.seeds) for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows) * self.study.seeds

    def __iter__(self) -> Iterator[StudyRun]:
        for row, seed, folder in self.places:
            run = TrainingRun(self.study.recipe_of(row, seed, self._data), folder, device=self._device)
            if not run.complete:
                self._train(run)
                write_report(run.folder)
            yield StudyRun(row, seed, run)

    def finish(self) -> StudyRuns:
        """Train every run to its end and return these runs."""
        for _ in self:
            pass
        return self

    def tables(self, watch: Callable[[str], None] = lambda line: None) -> Iterator[tuple[str, Compared]]:
        """Every table by name, and what it holds; all runs must be finished.

        Raises:
            UsageError: a run has no model yet, or only some rows were asked for.
            GanvasError: data that cannot be read.
        """
        if self._only:
            raise UsageError("tables compare all rows of a study: open it without the rows to train alone (only)")
        # Models that draw from labels are compared by what was measured while they trained, on whatever data.
        pairs = isinstance(self.study.recipe_of(self.rows[0], 0), TranslateRecipe)
        data = self._data if pairs else None
        for table, titles in self.study.tables.items():
            given = {
                str(self.folder / f"{row}-{seed}"): title
                for row, title in titles.items()
                for seed in range(self.study.seeds)
            }
            compared = compare(list(given), titles=given, data=data, pictures=SHOWN, device=self._device, watch=watch)
            if self._segmentation is not None:
                compared = self._segmentation.added_to(compared, watch)
            yield table, replace(compared, command=shlex.join(self._command))

    def write_tables(
        self,
        results: str | Path | None = None,
        pictures: str | Path | None = None,
        watch: Callable[[str], None] = lambda line: None,
    ) -> list[Path]:
        """Write each table as STUDY-TABLE.json and .md, and its picture sheet as .png; returns the paths.

        Args:
            results: folder of the tables, by default ``tables`` in the folder of the runs.
            pictures: folder of the sheets, by default that of the tables.
            watch: called with a line for people at each step.

        Raises:
            UsageError: a run has no model yet, or only some rows were asked for.
            GanvasError: data that cannot be read, a file that cannot be written.
        """
        texts = Path(results) if results is not None else self.folder / "tables"
        sheets = Path(pictures) if pictures is not None else texts
        written = []
        for table, compared in self.tables(watch):
            name = f"{self.study.name}-{table}"
            contents = {
                texts / f"{name}.json": self._json(table, compared).encode("utf-8", "backslashreplace"),
                texts / f"{name}.md": self._markdown(table, compared).encode("utf-8", "backslashreplace"),
                sheets / f"{name}.png": png_bytes(sheet(compared)),
            }
            for path, content in contents.items():
                atomic_write(path, content)
                written.append(path)
        return written

    def _markdown(self, table: str, compared: Compared) -> str:
        """As of ``ganvas compare``, with what is published as a last column."""
        text = to_markdown(compared)
        published = self.study.published.get(table)
        if published is None:
            return text
        cells = ["published", "---:", *(published.get(row, "") for row in self.study.tables[table])]
        cells += [published.get(TRUE_PICTURES, "")] if compared.reference else []
        lines = text.splitlines()
        lines[: len(cells)] = [f"{line} {cell} |" for line, cell in zip(lines, cells, strict=False)]
        source = f"- published: {self.study.published_source}\n" if self.study.published_source else ""
        return "\n".join(lines) + "\n" + source

    def _json(self, table: str, compared: Compared) -> str:
        whole = json.loads(to_json(compared))
        if self._segmentation is not None:
            whole["segmentation"] = self._segmentation.to_table(compared)
        if table in self.study.published:
            whole["published"] = {"source": self.study.published_source, "rows": self.study.published[table]}
        return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
