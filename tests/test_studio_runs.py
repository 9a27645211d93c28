"""Runs are found however they were started, go on without the studio, and are stopped and resumed from the page."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ganvas.api import Run
from ganvas.config import load_recipe, recipe_names, to_toml
from ganvas.studio import runs as runs_module
from ganvas.studio.problems import ProblemError
from ganvas.studio.run_stats import MOST, StatsTail, all_records
from ganvas.studio.runs import OWN, Runs, Started
from ganvas.training.folder import only_process
from studio_help import NO_REASON, Studio, events, problem, studio, until

ENDLESS = {
    "train.total_images": 50_000_000,
    "train.batch_size": 50,
    "train.tick_images": 100,
    "train.checkpoint_images": 10_000,
    "train.sample_images": 500,
    "validation.every_images": 1_000_000,
}


def write_run(folder: Path, *images: int, total: int = 1000, **last: Any) -> Path:
    """A run folder with a line of stats for each of ``images``."""
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text(to_toml(load_recipe("digits-cgan", [f"train.total_images={total}"])))
    (folder / "environment.json").write_text("{}")
    with (folder / "stats.jsonl").open("w") as file:
        for count in images:
            record = {"images": count, "total_images": total, "images_per_second": 20.0, "losses": {"d": 0.5}}
            file.write(json.dumps(record | (last if count == images[-1] else {})) + "\n")
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    write_run(folder / "begun", 100, 200)
    write_run(folder / "done", 500, 1000)
    write_run(folder / "early", 500, finished=True)
    write_run(folder / "empty")
    (folder / "no-run").mkdir()
    (folder / "file.txt").write_text("")
    return folder


@pytest.fixture
def client(runs: Path) -> Iterator[Studio]:
    with studio(runs) as client:
        yield client


def log(runs: Path, name: str, text: str) -> None:
    """What the process of a run said, as if a studio had started it."""
    (runs / OWN).mkdir(exist_ok=True)
    (runs / OWN / f"{name}.log").write_text(text)
    started = {"pid": 1, "recipe": "digits-gan", "arguments": ["digits-gan"]}
    (runs / OWN / f"{name}.json").write_text(json.dumps(started))


# What lies in the folder


def test_runs_are_listed_with_how_far_they_are(client: Studio) -> None:
    found = {run["name"]: run for run in client.get("/api/runs").json()}
    assert {name: run["state"] for name, run in found.items()} == {
        "begun": "stopped",
        "done": "complete",
        "early": "complete",
        "empty": "stopped",
    }
    assert found["begun"] == {
        "name": "begun",
        "recipe": "digits-cgan",
        "state": "stopped",
        "images": 200,
        "total_images": 1000,
        "images_per_second": 20.0,
        "message": "",
        **NO_REASON,
    }


@pytest.mark.parametrize(
    ("text", "state", "message"),
    [
        ("images 200/1,000\nganvas: stopped at 200 of 1,000 images\n", "stopped", ""),
        ("ganvas: training diverged: 'd' is no number\n", "failed", "training diverged: 'd' is no number"),
        (
            "images 200/1,000\nganvas: WARNING: it goes on with other threads\n",
            "failed",
            "it ended without saying why, as what is killed does; the last line of its log: "
            "ganvas: WARNING: it goes on with other threads",
        ),
        ("Traceback (most recent call last):\n  File x\nValueError: oh\n", "failed", "ValueError: oh"),
        (
            "images 100/1,000\nimages 200/1,000\n\n",
            "failed",
            "it ended without saying why, as what is killed does; the last line of its log: images 200/1,000",
        ),
        ("", "failed", "it ended without saying why, as what is killed does; its log is empty"),
    ],
)
def test_why_a_run_ended_is_told(client: Studio, runs: Path, text: str, state: str, message: str) -> None:
    log(runs, "begun", text)
    run = client.get("/api/runs/begun").json()
    assert (run["state"], run["message"]) == (state, message)
    killed = message.startswith("it ended without saying why")
    assert bool(run["code"]) == killed, "a trainer's own words have no code"


def test_a_log_tells_nothing_of_how_training_that_went_on_elsewhere_ended(client: Studio, runs: Path) -> None:
    log(runs, "begun", "ganvas: training diverged: 'd' is no number\n")
    stats = runs / "begun" / "stats.jsonl"
    later = stats.stat().st_mtime + 3600
    os.utime(stats, (later, later))
    run = client.get("/api/runs/begun").json()
    assert (run["state"], run["message"]) == ("stopped", "")


def test_a_failed_run_is_told_of_without_where_the_folder_lies(client: Studio, runs: Path) -> None:
    log(runs, "begun", f"ganvas: cannot read '{runs}/begun/recipe.toml', nor '/elsewhere/a.png'\n")
    message = client.get("/api/runs/begun").json()["message"]
    assert message == "cannot read 'begun/recipe.toml', nor '/elsewhere/a.png'"


def test_a_run_that_failed_before_it_wrote_anything_is_told_of(client: Studio, runs: Path) -> None:
    log(runs, "never", "ganvas: 'data' holds no pictures\n")
    log(runs, "deleted", "ganvas: stopped at 200 of 1,000 images\n")
    found = {run["name"]: run for run in client.get("/api/runs").json()}
    assert (found["never"]["state"], found["never"]["recipe"]) == ("failed", "digits-gan")
    assert "deleted" not in found, "its folder was, and so it is gone"


def test_curves_hold_no_nan_and_no_line_twice(client: Studio, runs: Path) -> None:
    write_run(runs / "odd", 100, 200, 150, losses={"d": float("nan")}, gradient_norms={"d": float("inf")})
    with (runs / "odd" / "stats.jsonl").open("a") as file:
        file.write('damaged\n{"images": 300, "total_im')
    answer = client.get("/api/runs/odd")
    assert "NaN" not in answer.text
    stats = answer.json()["stats"]
    assert [record["images"] for record in stats] == [100, 150], "resumed from before 200: what was after is replaced"
    assert stats[-1]["losses"] == {"d": None}
    assert stats[-1]["gradient_norms"] == {"d": None}


def test_long_curves_are_thinned_evenly_and_keep_every_metric(tmp_path: Path) -> None:
    path = tmp_path / "stats.jsonl"
    with path.open("w") as file:
        for images in range(1, 10 * MOST + 1):
            metrics = {"l1": 0.5} if images % 999 == 0 else {}
            file.write(json.dumps({"images": images, "total_images": 10**6, "metrics": metrics}) + "\n")
    records = all_records(path)
    assert MOST <= len(records) <= MOST + 21
    assert records[-1].images == 10 * MOST
    assert sum(bool(record.metrics) for record in records) == 10 * MOST // 999


def test_the_tail_reads_whole_lines_once_and_a_replaced_file_anew(tmp_path: Path) -> None:
    path = tmp_path / "stats.jsonl"
    tail = StatsTail(path)
    assert tail.read() == []
    path.write_text('{"images": 1, "total_images": 9}\n{"images": 2, "to')
    assert [record.images for record in tail.read()] == [1]
    with path.open("a") as file:
        file.write('tal_images": 9}\n')
    assert [record.images for record in tail.read()] == [2]
    assert tail.read() == []
    other = tmp_path / "other"
    other.write_text('{"images": 1, "total_images": 9}\n{"images": 2, "total_images": 9}\n')
    other.replace(path)
    assert [record.images for record in tail.read()] == [1, 2]


def test_samples_are_served_by_images_seen(client: Studio, finished_run: Run, tmp_path: Path) -> None:
    with studio(finished_run.folder.parent) as client:
        name = finished_run.folder.name
        run = client.get(f"/api/runs/{name}").json()
        assert (run["state"], run["samples"]) == ("complete", [0, 300, 600, 900, 1200])
        assert [record["images"] for record in run["stats"]] == list(range(100, 1201, 100))
        sheet = client.get(f"/api/runs/{name}/samples/1200.png")
        assert sheet.content == (finished_run.folder / "samples" / "0000001200.png").read_bytes()
        problem(client.get(f"/api/runs/{name}/samples/7.png"), 404, "not-found")
        problem(client.post(f"/api/runs/{name}/resume"), 409, "conflict")
        problem(client.post(f"/api/runs/{name}/stop"), 409, "conflict")


# Recipes


def test_recipes_come_with_a_schema_to_make_a_form_of(client: Studio) -> None:
    assert [recipe["name"] for recipe in client.get("/api/recipes").json()] == recipe_names()
    for name in ("digits-cgan", "sketch2color"):
        found = client.get(f"/api/recipes/{name}").json()
        assert found["recipe"]["train"] == load_recipe(name).train.model_dump()
        train = found["schema"]["properties"]["train"]["$ref"].rpartition("/")[2]
        assert found["schema"]["$defs"][train]["properties"]["ema_half_life_images"]["description"]
        assert set(found["recipe"]) == set(found["schema"]["properties"])
    problem(client.get("/api/recipes/digits"), 404, "not-found")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"settings": {"train.batchsize": 3}}, "Did you mean 'train.batch_size'"),
        ({"settings": {"train.batch_size": "many"}}, "train.batch_size: Input should be a valid integer"),
        ({"settings": {"train.batch_size": True}}, "train.batch_size"),
        ({"settings": {"train.batch_size": 0}}, "train.batch_size"),
        ({"settings": {"data.size=28\ntrain.seed": 3}}, "settings"),
        ({"settings": {"train": {"seed": 1}}}, "settings"),
        ({"recipe": "digits"}, "Did you mean 'digits-gan'"),
        ({"data": "nowhere/at/all"}, "'nowhere/at/all' is neither in the runs' folder"),
        ({"data": "x" * 4000}, "data.path 'xxx"),
        ({"recipe": "\ud800"}, "no recipe '?'"),
        ({"settings": {"init.model": "/etc"}}, "init.model '/etc' is neither a shipped model nor in the runs' folder"),
        ({"settings": {"init.model": "../other/run"}}, "is neither a shipped model"),
        ({"name": "a b"}, "name"),
        ({"name": ".studio"}, "name"),
        ({"nmae": "x"}, "nmae"),
    ],
)
def test_a_run_that_cannot_be_is_refused_before_anything_starts(
    client: Studio, runs: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("started"))
    before = sorted(runs.rglob("*"))
    # As ASCII: halves of letters are JSON too, and no UTF-8.
    body = json.dumps({"name": "mine", "recipe": "digits-cgan", **changes})
    answer = client.post("/api/runs", content=body, headers={"Content-Type": "application/json"})
    assert said in problem(answer, 422, "invalid")
    assert sorted(runs.rglob("*")) == before


def test_a_name_that_is_taken_is_refused(client: Studio) -> None:
    for name in ("begun", "no-run", "file.txt"):
        problem(client.post("/api/runs", json={"name": name, "recipe": "digits-cgan"}), 409, "conflict")


@pytest.mark.parametrize(
    ("recipe", "settings", "code", "parameters"),
    [
        ("digits-cgan", {"train.batchsize": 3}, "setting-unknown", {"key": "train.batchsize"}),
        ("digits-cgan", {"train.batch_size": "x"}, "setting-whole", {"key": "train.batch_size", "found": "'x'"}),
        ("digits-cgan", {"train.batch_size": 0}, "setting-least", {"key": "train.batch_size", "found": "0", "ge": 1}),
        ("digits-cgan", {"generator.width": 8}, "setting-misplaced", {"key": "generator.width", "parent": "generator"}),
        ("digits-conv", {"data.size": 40}, "unfit-conv-size", {"size": 40}),
        (
            "sketch2color",
            {"data.size": 32, "discriminator.receptive_field": 286},
            "unfit-field",
            {"field": 286, "pixels": 32},
        ),
        ("sketch2color", {"condition": ["label"]}, "unfit-condition", {}),
        ("sketch2color", {"condition": ["picture", 3]}, "setting-choice", None),
    ],
)
def test_wrong_settings_are_told_by_code_with_what_is_wrong(
    client: Studio, recipe: str, settings: dict[str, Any], code: str, parameters: dict[str, Any] | None
) -> None:
    answer = client.post("/api/runs", json={"name": "new", "recipe": recipe, "settings": settings})
    problem(answer, 422, "invalid", code)
    assert parameters in (None, answer.json()["parameters"])


# Processes


def test_values_reach_the_trainer_as_they_are(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands in a value, the command line reads that value and nothing else."""
    commands: list[list[str]] = []

    class Process:
        pid = 1

        def __init__(self, command: list[str], **_: object) -> None:
            commands.append(command)

        def poll(self) -> int:
            return 0

    monkeypatch.setattr(subprocess, "Popen", Process)
    settings = {"train.total_images": 50, "train.seed": 3, "optimiser.generator.lr": 1e-5, "description": 'a "b"\n = 1'}
    Runs(runs).start("new", "digits-cgan", settings, str(runs))
    (command,) = commands
    words = command[command.index("train") + 1 :]
    assert words[0] == "digits-cgan"
    assert words[-2:] == ["--out", str(runs / "new")]
    given = [value for option, value in itertools.pairwise(words) if option == "--set"]
    recipe = load_recipe("digits-cgan", given)
    assert recipe.description == 'a "b"\n = 1'
    assert (recipe.train.total_images, recipe.train.seed) == (50, 3)
    assert recipe == load_recipe(
        "digits-cgan",
        [
            "train.total_images=50",
            "train.seed=3",
            "optimiser.generator.lr=1e-5",
            r'description="a \"b\"\n = 1"',
            f"data.path='{runs}'",
        ],
    )


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="the system does not list who holds locks")
def test_a_run_that_was_started_elsewhere_is_seen_to_run(runs: Path) -> None:
    assert Runs(runs).find("begun").state == "stopped"
    with only_process(runs / "begun"):
        assert Runs(runs).find("begun").state == "running"
        assert Runs(runs).find("empty").state == "stopped"
    assert Runs(runs).find("begun").state == "stopped"


def test_a_process_is_known_by_its_lock_and_not_by_a_number_that_another_has_now(runs: Path) -> None:
    log(runs, "begun", "")
    (runs / OWN / "begun.json").write_text(json.dumps({"pid": os.getpid(), "recipe": "x", "arguments": []}))
    (runs / OWN / "begun.lock").write_bytes(b"")
    assert Runs(runs).find("begun").state == "failed"
    holder = "import fcntl, sys\nfile = open(sys.argv[1]); fcntl.flock(file, fcntl.LOCK_EX)\nprint(flush=True)\ninput()"
    command = [sys.executable, "-c", holder, str(runs / OWN / "begun.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert Runs(runs).find("begun").state == "running"
        process.communicate(b"\n")
    assert Runs(runs).find("begun").state == "failed"


def test_what_another_studios_process_said_is_kept(runs: Path) -> None:
    """Two studios on one folder: the one that comes second starts nothing, and empties no log."""
    fcntl = pytest.importorskip("fcntl")
    log(runs, "begun", "images 300/1,000\n")
    with (runs / OWN / "begun.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ProblemError, match="is running"):
            Runs(runs)._launch("begun", Started(pid=0, recipe="digits-gan", arguments=["digits-gan"]))
    assert (runs / OWN / "begun.log").read_text() == "images 300/1,000\n"


@pytest.mark.parametrize(("number", "found"), [("4711", 4711), ("0", None), ("-1", None)])
def test_only_a_process_has_a_number(
    runs: Path, monkeypatch: pytest.MonkeyPatch, number: str, found: int | None
) -> None:
    """0 and -1 stand for processes that cannot be seen from here; a signal to them would reach many others."""
    path = runs / "begun" / "recipe.toml"
    status = path.stat()
    where = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    monkeypatch.setattr(Path, "read_text", lambda *_: f"1: FLOCK  ADVISORY  WRITE {number} {where} 0 EOF\n")
    assert runs_module._holder(path) == found


def test_a_run_is_started_watched_found_again_stopped_and_resumed(tmp_path: Path) -> None:
    """The whole way with real processes; the studio that finds and stops the run is not the one that started it."""
    runs = tmp_path / "runs"
    process = None
    try:
        with studio(runs) as first:
            body = {"name": "mine", "recipe": "digits-cgan", "settings": ENDLESS}
            answer = first.post("/api/runs", json=body)
            assert answer.status_code == 201, answer.text
            assert answer.json()["state"] == "running"
            process = first.state.runs._processes["mine"]
            problem(first.post("/api/runs", json=body), 409, "conflict")
            problem(first.post("/api/runs/mine/resume"), 409, "conflict")
        assert process.poll() is None, "it goes on without the studio"
        assert os.getsid(process.pid) != os.getsid(0), "and without its terminal"

        with studio(runs) as second:
            state = second.state
            until(lambda: state.runs.find("mine").images >= 500, 120)
            assert state.runs.find("mine").state == "running", "found again"
            heard: dict[str, Any] = {}
            for event, data in _listened(second, "/api/runs/mine/events?after=200"):
                heard.setdefault(event, data)
                if event == "stats":
                    assert data["images"] > 200
                if len(heard) == 3:
                    break
            assert heard["state"]["state"] == "running"
            assert heard["stats"]["losses"]
            assert heard["sample"]["images"] % 500 == 0
            # Who is impatient loses nothing: the trainer would end at once on a second signal.
            for _ in range(3):
                second.post("/api/runs/mine/stop")
            assert process.wait(60) == 130
            run = state.runs.find("mine")
            assert (run.state, run.message) == ("stopped", "")
            told = (runs / OWN / "mine.log").read_text()
            assert f"ganvas: stopped at {run.images:,} of 50,000,000 images, saved" in told

            resumed = second.post("/api/runs/mine/resume")
            assert resumed.json()["state"] == "running"
            process = state.runs._processes["mine"]
            until(lambda: state.runs.find("mine").images > run.images, 120)
            second.post("/api/runs/mine/stop")
            assert process.wait(60) == 130
            told = (runs / OWN / "mine.log").read_text()
            assert told.startswith(f"going on at {run.images:,} of")
    finally:
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()


def test_a_run_that_is_stopped_before_it_listens_has_not_failed(tmp_path: Path) -> None:
    here = Runs(tmp_path / "runs")
    here.start("mine", "digits-cgan", ENDLESS, None)
    process = here._processes["mine"]
    here.stop("mine")
    process.wait(60)
    run = here.find("mine")
    assert (run.state, run.message) == ("stopped", "")


def _listened(client: Studio, path: str) -> Iterator[tuple[str, Any]]:
    """Events of a stream, which is closed from the studio's side as the test client reads streams whole."""
    closing = threading.Timer(3.0, client.state.closing.set)
    closing.start()
    with client.stream("GET", path) as stream:
        yield from list(events(stream.iter_lines()))
    closing.cancel()
    client.state.closing.clear()
