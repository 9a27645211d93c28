"""The runs folder: what lies in it, which runs are under way, and starting, stopping and resuming them.

A run is trained by a process of its own, ``ganvas train``, which the studio starts and never waits for, so that it
goes on when the studio ends. A studio finds it again by a lock: each process it starts inherits one, which the system
frees when the process is gone, however it went. Runs that were started elsewhere are known by the lock that training
itself holds (Linux lists the holders).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal

import tomli_w
from pydantic import BaseModel, Field

from ganvas.config import load_recipe
from ganvas.files import atomic_write
from ganvas.studio.catalogue import children
from ganvas.studio.paths import check_paths
from ganvas.studio.problems import ProblemError, Reason
from ganvas.training.folder import ENVIRONMENT, RECIPE, STATS

RunState = Literal["running", "stopped", "complete", "failed"]
OWN = ".studio"  # beside the runs: what the studio keeps of those it started
NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"
TAIL = 1 << 16
_PREFIX = "ganvas: "
_STOPPED = "stopped at "
# The log gets a line now and then, the stats at every tick: so much younger they may be.
QUIET_SECONDS = 120


class RunInfo(Reason):
    """A run and how far it is."""

    name: str
    recipe: str = Field(description="the recipe's name; empty where the run has not written it yet")
    state: RunState
    images: int = Field(description="real images seen at the last tick")
    total_images: int | None = Field(description="null until the run knows")
    images_per_second: float | None
    message: str = Field(description="why a run failed, by the last line of its log; empty of others")


class Started(BaseModel):
    """What is remembered of a process that was started."""

    pid: int
    recipe: str
    arguments: list[str]


class Runs:
    """The runs of one folder.

    Args:
        folder: of the runs.
        data_folders: others that the data of a new run may lie in.
    """

    def __init__(self, folder: Path, data_folders: Sequence[Path] = ()) -> None:
        self.folder = folder
        self._data_folders = data_folders
        self._lock = threading.Lock()
        self._locks = threading.Lock()  # around those of files, so that looking at one is never in the way of taking it
        # Of this studio's own processes; asking them lets the system forget the ended ones.
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._asked: dict[str, int] = {}  # the process of each run that was asked to stop last

    def names(self) -> list[str]:
        """Runs in the folder, and those that were started and have written nothing yet."""
        there = {path.name for path in children(self.folder) if _is_run(path)}
        started = {path.stem for path in (self.folder / OWN).glob("*.json") if re.match(NAME, path.stem)}
        return sorted(there | {name for name in started - there if self._has_just_begun(name)})

    def all(self) -> list[RunInfo]:
        """Every run."""
        return [self._info(name) for name in self.names()]

    def find(self, name: str) -> RunInfo:
        """The run of that name.

        Raises:
            ProblemError: there is none.
        """
        return self._info(self._known(name))

    def path(self, name: str) -> Path:
        """The folder of the run of that name, which need not exist yet.

        Raises:
            ProblemError: there is no such run.
        """
        return self.folder / self._known(name)

    def start(self, name: str, recipe: str, settings: Mapping[str, Any], data: str | None) -> RunInfo:
        """Begin a run, after checking all of its settings by the recipe's schema.

        Args:
            name: of the run's folder, which must not exist.
            recipe: a shipped recipe's name.
            settings: keys such as ``train.total_images`` with their values.
            data: where the data lie; None keeps the recipe's.

        Raises:
            UsageError: an unknown key or a wrong value.
            ProblemError: a name that is taken or is none, data that are not there, a path that leads elsewhere than a
                page may.
        """
        if not re.fullmatch(NAME, name):
            raise ProblemError("run-name", {"run": name})
        changes = [f"{key}={_toml(value)}" for key, value in settings.items()]
        if data is not None:
            changes.append(f"data.path={_toml(data)}")
        check_paths(load_recipe(recipe, changes), self.folder, self._data_folders)
        arguments = [recipe, *(word for change in changes for word in ("--set", change))]
        with self._lock:
            # A run that failed before it wrote anything leaves its name.
            if (self.folder / name).exists() or self._process(name) is not None:
                raise ProblemError("name-taken", {"run": name})
            self._launch(name, Started(pid=0, recipe=recipe, arguments=arguments))
        return self._info(name)

    def stop(self, name: str) -> RunInfo:
        """Ask a run to finish its step, save and end; it does so soon, not at once, however often it is asked.

        Raises:
            ProblemError: there is no such run, it is not under way, or its process is not known here.
        """
        info = self.find(name)
        if info.state != "running":
            raise ProblemError("run-not-running", {"run": name, "state": info.state})
        pid = self._process(name)
        if pid is None:
            raise ProblemError("run-elsewhere", {"run": name})
        # A second signal would end it at once, with nothing saved.
        with self._lock:
            if self._asked.get(name) != pid:
                self._asked[name] = pid
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
        return self._info(name)

    def resume(self, name: str) -> RunInfo:
        """Go on with a run that was stopped or has failed.

        Raises:
            ProblemError: there is no such run, it is under way, or complete.
        """
        with self._lock:
            info = self.find(name)
            if info.state in ("running", "complete"):
                raise ProblemError(f"run-{info.state}", {"run": name})
            own = self.folder / name / RECIPE
            started = self._started(name)
            # The run's own recipe says all; a run that ended before it was written begins anew.
            if own.is_file():
                started = Started(pid=0, recipe=info.recipe, arguments=[str(own.absolute())])
            elif started is None:
                raise ProblemError("run-without-recipe", {"run": name})
            self._launch(name, started)
        return self._info(name)

    def _known(self, name: str) -> str:
        if name not in self.names():
            raise ProblemError("no-run", {"run": name})
        return name

    def _launch(self, name: str, started: Started) -> None:
        """Start ``ganvas train``, holding the run's lock, apart from this process and behind whoever draws."""
        if sys.platform == "win32":
            raise ProblemError("no-training")
        own = self.folder / OWN
        own.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "ganvas", "train", *started.arguments]
        command += ["--out", str((self.folder / name).absolute())]
        if (nice := shutil.which("nice")) is not None:
            command = [nice, "-n", "10", *command]
        with self._locks, (own / f"{name}.lock").open("wb") as lock:
            if not _is_free(lock, exclusive=True):
                raise ProblemError("run-running", {"run": name})
            # Emptied under the lock alone: it may be the log of a process that another studio has just started.
            with (own / f"{name}.log").open("wb") as log:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[lock.fileno()],
                    start_new_session=True,
                )
            self._asked.pop(name, None)
        self._processes[name] = process
        remembered = started.model_copy(update={"pid": process.pid})
        atomic_write(own / f"{name}.json", remembered.model_dump_json().encode())

    def _started(self, name: str) -> Started | None:
        try:
            return Started.model_validate_json((self.folder / OWN / f"{name}.json").read_bytes())
        except (OSError, ValueError):
            return None

    def _process(self, name: str) -> int | None:
        """The process that trains the run, where one does and it is known."""
        if (process := self._processes.get(name)) is not None:
            if process.poll() is None:
                return process.pid
            self._processes.pop(name, None)
        started = self._started(name)
        if started is not None and self._is_held(name):
            return started.pid
        return _holder(self.folder / name / ENVIRONMENT)

    def _is_held(self, name: str) -> bool:
        """Whether a process that a studio started is alive."""
        with self._locks, contextlib.suppress(OSError), (self.folder / OWN / f"{name}.lock").open("rb") as lock:
            return not _is_free(lock, exclusive=False)
        return False

    def _has_just_begun(self, name: str) -> bool:
        """Whether a started run without a folder is still to be told of: under way, failed, or ended without a word.

        One that had a folder has said something else, and the folder was deleted.
        """
        log = self.folder / OWN / f"{name}.log"
        said = _last_words(log)
        return self._process(name) is not None or not _tail(log) or (bool(said) and not said.startswith(_STOPPED))

    def _info(self, name: str) -> RunInfo:
        folder = self.folder / name
        # Asked first: what the files say afterwards is then no older than that.
        running = self._process(name) is not None
        recipe = _recipe(folder)
        total = recipe.get("train", {}).get("total_images") or None
        last = _last_record(folder / STATS)
        images = int(last.get("images", 0))
        started = self._started(name)
        state: RunState = "running"
        why: str | ProblemError = ""
        if not running:
            # A run may also end early, when patience with its metric runs out.
            complete = bool(last.get("finished")) or (total is not None and images >= total)
            log = self.folder / OWN / f"{name}.log"
            why = "" if complete else self._why_failed(log, folder / STATS, asked=name in self._asked)
            state = "complete" if complete else "failed" if why else "stopped"
        speed = last.get("images_per_second")
        return RunInfo(
            name=name,
            recipe=str(recipe.get("name", started.recipe if started is not None else "")),
            state=state,
            images=images,
            total_images=total,
            images_per_second=speed if isinstance(speed, int | float) else None,
            message=str(why),
            **(dict(why.reason) if isinstance(why, ProblemError) else {}),
        )

    def _why_failed(self, log: Path, stats: Path, *, asked: bool) -> str | ProblemError:
        """Why a run of a studio's that has ended did not end well; empty where it was stopped, or nothing is known.

        One that is ``asked`` to stop before it listens for that ends at once and says nothing.
        """
        try:
            # Trained on elsewhere since: how that ended stands in no log.
            if stats.is_file() and stats.stat().st_mtime > log.stat().st_mtime + QUIET_SECONDS:
                return ""
        except OSError:
            return ""
        # As people see the runs here: by their names, not by where they lie.
        here = f"{self.folder.absolute()}{os.sep}"
        if said := _last_words(log):
            return "" if said.startswith(_STOPPED) else said.replace(here, "")
        if asked:
            return ""
        lines = [line.strip() for line in _tail(log) if line.strip()]
        if not lines:
            return ProblemError("run-killed-mute")
        return ProblemError("run-killed", {"line": lines[-1].replace(here, "")})


def _is_run(path: Path) -> bool:
    return path.is_dir() and any((path / part).is_file() for part in (RECIPE, ENVIRONMENT, STATS))


def _toml(value: Any) -> str:
    return tomli_w.dumps({"value": value}).partition("=")[2].strip()


def _is_free(lock: IO[bytes], *, exclusive: bool) -> bool:
    """Whether the lock could be taken, which it then is until the file is closed here and in all who inherited it."""
    import fcntl

    try:
        fcntl.flock(lock, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _holder(path: Path) -> int | None:
    """The process that holds a file's lock, by the system's list, as trying would get in the way of one that starts."""
    try:
        found = path.stat()
        lines = Path("/proc/locks").read_text("ascii").splitlines()
    except OSError:
        return None
    where = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in lines:
        words = line.split()
        if "FLOCK" in words and "->" not in words and words[words.index("FLOCK") + 4] == where:
            pid = int(words[words.index("FLOCK") + 3])
            return pid if pid > 0 else None  # a process elsewhere has no number here; signals take others for groups
    return None


def _recipe(folder: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((folder / RECIPE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def _tail(path: Path) -> Sequence[str]:
    """The whole lines at the end of a file."""
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - TAIL)
            file.seek(start)
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return []
    return lines[1 if start else 0 : -1]


def _last_record(path: Path) -> dict[str, Any]:
    for line in reversed(_tail(path)):
        with contextlib.suppress(ValueError):
            record = json.loads(line)
            if isinstance(record, dict) and isinstance(record.get("images"), int):
                return record
    return {}


def _last_words(log: Path) -> str:
    """What a trainer said at its end, which is one line; empty where it ended well or without a word."""
    lines = [line for line in _tail(log) if line.strip()]
    if not lines:
        return ""
    if lines[-1].startswith(_PREFIX):
        said = lines[-1].removeprefix(_PREFIX)
        return "" if said.startswith(("INFO: ", "WARNING: ")) else said
    return lines[-1] if any(line.startswith("Traceback ") for line in lines) else ""
