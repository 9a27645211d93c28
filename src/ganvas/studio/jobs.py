"""Many pictures at once: uploaded into a folder of their own, translated one by one, fetched as a ZIP.

Between two pictures of a job whoever draws on a page has their turn. Everything lies in one temporary folder, which
goes when the studio ends; a finished job goes after a while, or when it is deleted.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
import threading
import time
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import Field

from ganvas.errors import GanvasError
from ganvas.inference import Model, Translated, Translations
from ganvas.studio.problems import ProblemError, Reason
from ganvas.studio.settings import Limits
from ganvas.studio.workers import Pool

JobState = Literal["running", "done", "failed"]
RESULT = "result.zip"
# Of a stored name: file systems take 255, and ends are added to it (a number, .png, that of a file half written).
NAME_BYTES = 200
BUSY_SECONDS = 0.5


class FailedFile(Reason):
    """A picture that could not be translated."""

    name: str
    reason: str = Field(description="one line for people")


class JobProgress(Reason):
    """How far a job is."""

    id: str
    state: JobState
    done: int = Field(ge=0, description="pictures dealt with, also those that failed")
    total: int = Field(ge=1)
    failed: list[FailedFile]
    message: str = Field("", description="what ended a failed job")


@dataclass
class Job:
    """One job; its thread alone changes it, by whole new values."""

    id: str
    folder: Path
    total: int
    state: JobState = "running"
    done: int = 0
    failed: tuple[FailedFile, ...] = ()
    message: str = ""
    why: Reason = field(default_factory=Reason)
    ended: float | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def progress(self) -> JobProgress:
        """As a page sees it."""
        return JobProgress(
            id=self.id,
            state=self.state,
            done=self.done,
            total=self.total,
            failed=list(self.failed),
            message=self.message,
            **dict(self.why),
        )

    @property
    def result(self) -> Path:
        """The ZIP, there when the state is done."""
        return self.folder / RESULT


class Jobs:
    """All jobs of a studio."""

    def __init__(self, pool: Pool, limits: Limits) -> None:
        self._pool = pool
        self._limits = limits
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._root: Path | None = None

    def open(self) -> Path:
        """A new folder to put pictures into, for :meth:`start` or :meth:`abandon`.

        Raises:
            ProblemError: "busy" where as many jobs are kept as may be.
        """
        with self._lock:
            self._expire()
            if self._root is None:
                self._root = Path(tempfile.mkdtemp(prefix="ganvas-studio-"))
            if len(list(self._root.iterdir())) >= self._limits.jobs:
                raise ProblemError("jobs-full", {"count": self._limits.jobs})
            folder = self._root / secrets.token_hex(16)
            (folder / "in").mkdir(parents=True)
            return folder

    def start(
        self, folder: Path, model: Path, names: dict[str, str], label: str | None, refused: Sequence[FailedFile] = ()
    ) -> Job:
        """Begin to translate what lies in ``folder``.

        Args:
            folder: of :meth:`open`.
            model: the model file.
            names: the files' own names by those they have in the folder.
            label: the class, where the model takes one.
            refused: files that were none and count as failed.
        """
        job = Job(folder.name, folder, len(names) + len(refused), done=len(refused), failed=tuple(refused))
        with self._lock:
            self._jobs[job.id] = job
        arguments = (job, model, names, label)
        threading.Thread(target=self._run, args=arguments, name=f"job {job.id}", daemon=True).start()
        return job

    def abandon(self, folder: Path) -> None:
        """Delete a folder that no job came of."""
        shutil.rmtree(folder, ignore_errors=True)

    def find(self, id: str) -> Job:
        """The job of that id.

        Raises:
            ProblemError: there is none, or it has expired.
        """
        with self._lock:
            self._expire()
            if id not in self._jobs:
                raise ProblemError("no-job", {"job": id})
            return self._jobs[id]

    def delete(self, id: str) -> None:
        """Stop the job and delete what it made."""
        job = self.find(id)
        with self._lock:
            self._jobs.pop(id, None)
        job.cancelled.set()
        # A running one deletes its folder itself, after the picture at hand.
        if job.state != "running":
            self.abandon(job.folder)

    def close(self) -> None:
        """Stop all jobs and delete everything."""
        with self._lock:
            for job in self._jobs.values():
                job.cancelled.set()
            self._jobs.clear()
            if self._root is not None:
                shutil.rmtree(self._root, ignore_errors=True)
                self._root = None

    def _expire(self) -> None:
        now = time.monotonic()
        for job in list(self._jobs.values()):
            if job.ended is not None and now - job.ended > self._limits.job_seconds:
                del self._jobs[job.id]
                self.abandon(job.folder)

    def _run(self, job: Job, model: Path, names: dict[str, str], label: str | None) -> None:
        try:
            for done in self._translated(job, model, len(names), label):
                if done.refusal is not None:
                    name = names.get(done.picture.name, done.picture.name)
                    told = _told(done.refusal, str(done.picture), name)
                    job.failed = (*job.failed, FailedFile(name=name, reason=told.detail, **dict(told.reason)))
                job.done += 1
            if not job.cancelled.is_set():
                _pack(job.folder / "out", job.result)
                job.state = "done"
        except (GanvasError, ProblemError, OSError) as error:
            told = error if isinstance(error, ProblemError) else _told(error, f"{job.folder}{os.sep}", "")
            job.message, job.why = told.detail, told.reason
            job.state = "failed"
        finally:
            if job.state == "running":
                job.message, job.state = job.message or "stopped", "failed"
            job.ended = time.monotonic()
            for part in ("in", "out"):
                shutil.rmtree(job.folder / part, ignore_errors=True)
            if job.cancelled.is_set():
                self.abandon(job.folder)

    def _translated(self, job: Job, path: Path, count: int, label: str | None) -> Iterator[Translated]:
        """Each picture in the model's thread, as a drawing among those of the pages."""
        steps: list[Iterator[Translated]] = []

        def begin(model: Model) -> Translations:
            translations = model.translate_files([job.folder / "in"], job.folder / "out", label=label)
            steps.append(iter(translations))
            return translations

        def one(model: Model) -> Translated | None:
            return next(steps[0], None)

        for work in (begin, *[one] * count):
            while not job.cancelled.is_set():
                try:
                    found = self._pool.submit(path, work, page=f"job {job.id}").result()
                except CancelledError:
                    job.cancelled.set()
                    break
                except ProblemError as problem:
                    # Pages draw a lot at the moment; a job has time.
                    if problem.kind != "busy":
                        raise
                    job.cancelled.wait(BUSY_SECONDS)
                    continue
                if isinstance(found, Translated):
                    yield found
                break


def _told(error: GanvasError | OSError, place: str, name: str) -> ProblemError:
    """The error without where the files lie here, which is nobody's concern."""
    known = error if isinstance(error, GanvasError) else GanvasError(str(error))
    return ProblemError.of(GanvasError(str(known).replace(place, name), known.code, known.parameters))


def stored_name(name: str, ending: str, taken: dict[str, str]) -> str:
    """A name for an uploaded picture that no other one has, and that is a name and nothing else.

    Args:
        name: as it was sent.
        ending: of the kind of picture it is.
        taken: names that are taken.
    """
    last = re.split(r"[/\\]", name)[-1]
    # Composed, as some systems spell letters in parts that others take for another name.
    plain = re.sub(r"[^\w. ()+-]", "_", unicodedata.normalize("NFC", last)).strip(" .")[-100:]
    plain = plain.encode()[-NAME_BYTES:].decode(errors="ignore").strip(" .") or "picture"
    known = Path(plain).suffix.lower() in (ending, ".jpeg" if ending == ".jpg" else ending)
    stem, suffix = (Path(plain).stem, Path(plain).suffix) if known else (plain, ending)
    candidate, number = f"{stem}{suffix}", 1
    folded = {other.casefold() for other in taken}
    while candidate.casefold() in folded:
        number += 1
        candidate = f"{stem}-{number}{suffix}"
    return candidate


def _pack(folder: Path, target: Path) -> None:
    """All files of ``folder`` as a ZIP; pictures are packed already."""
    with zipfile.ZipFile(target.with_suffix(".partial"), "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    target.with_suffix(".partial").replace(target)
