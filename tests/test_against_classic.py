"""The benchmark of ours against classic: both train for the same time, and the table claims what intervals tell."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ganvas
from ganvas.config import load_recipe
from ganvas.metrics.intervals import mean_interval
from ganvas.training.run import TrainingRun
from streets import SMALL, make_streets

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import against_classic

# A training of so many seconds for each second of the clock that the run's folder is told of; asked to stop, it saves.
TRAINING = """
import json, pathlib, signal, sys, time
asked = []
signal.signal(signal.SIGINT, lambda *_: asked.append(1))
*_, until, code, out = (word for word in sys.argv if word != "--out")
run = pathlib.Path(out)
run.mkdir(exist_ok=True)
record = run / "stats.jsonl"
seconds = json.loads(record.read_text().splitlines()[-1])["seconds"] if record.exists() else 0
while seconds < int(until) and not asked:
    seconds += 1
    with record.open("a") as file:
        file.write(json.dumps({"seconds": seconds, "images": seconds, "total_images": int(until)}) + "\\n")
    time.sleep(0.02)
time.sleep(0.1)
(run / "requests").write_text(str(len(asked)))
sys.exit(int(code) or (130 if asked else 0))
"""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(against_classic, "GANVAS", [sys.executable, "-c", TRAINING])
    monkeypatch.setattr(against_classic, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(against_classic, "TICK_IMAGES", 5)


def train(runs: Path, ours: tuple[int, int], classic: tuple[int, int]) -> None:
    """Both trainings, each given how long it takes and how it ends."""
    commands = [[str(number) for number in each] for each in (ours, classic)]
    against_classic.train_both(commands[0], runs / "ours", commands[1], runs / "classic")


def test_classic_is_asked_once_to_stop_when_it_has_had_as_much_time(tmp_path: Path) -> None:
    train(tmp_path, (10, 0), (10_000, 0))
    assert against_classic.done(tmp_path / "ours")
    assert 10 <= against_classic.seconds(tmp_path / "classic") < 10_000
    assert (tmp_path / "classic" / "requests").read_text() == "1"


@pytest.mark.parametrize("failing", ["ours", "classic"])
def test_one_that_fails_ends_both_and_is_named(tmp_path: Path, failing: str) -> None:
    endings = {"ours": (10_000, 0), "classic": (10_000, 0)} | {failing: (3, 1)}
    with pytest.raises(SystemExit, match=rf"{failing} ended with 1; see .*{failing}\.log"):
        train(tmp_path, endings["ours"], endings["classic"])


def test_classic_that_ends_before_it_has_had_as_much_time_is_not_compared(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="classic had seen all its images after 3 seconds"):
        train(tmp_path, (20, 0), (3, 0))


def test_classic_is_looked_at_again_after_some_more_pictures_and_stays_as_it_was(tmp_path: Path) -> None:
    train(tmp_path, (10, 0), (10_000, 0))
    classic = tmp_path / "classic"
    record = (classic / "stats.jsonl").read_bytes()
    looks = against_classic.looked_at(classic, ["10000", "0"], 3)
    seen = [against_classic.last_record(look)["images"] for look in looks]
    assert seen[1] >= seen[0] + 5
    assert seen[2] >= seen[1] + 5
    assert (classic / "stats.jsonl").read_bytes() == record
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"ours", "classic"}


@pytest.mark.parametrize(("until", "code"), [("11", "0"), ("13", "1"), ("10000", "1")])
def test_a_look_without_more_pictures_or_of_a_run_that_failed_is_none(tmp_path: Path, until: str, code: str) -> None:
    train(tmp_path, (10, 0), (11, 0))
    looks = against_classic.looked_at(tmp_path / "classic", [until, code], 2)
    next(looks)
    with pytest.raises(SystemExit, match=r"saw no 5 pictures more, or was not saved") as found:
        next(looks)
    assert Path(str(found.value).rpartition("see ")[2]).is_file()


def test_one_look_is_the_least() -> None:
    command = [sys.executable, against_classic.__file__, "sketch2color", "--runs", "nowhere", "--looks", "0"]
    found = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert found.returncode == 2
    assert "--looks: expected a whole number from 1, found 0" in found.stderr


def test_runs_are_held_against_each_other_on_the_same_pictures(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    streets = make_streets(tmp_path_factory.mktemp("streets"))
    settings = (*SMALL, f"data.path='{streets}'", "train.total_images=8")
    runs = [tmp_path / name for name in ("ours", "classic")]
    for run, width in zip(runs, (4, 8), strict=True):
        recipe = load_recipe("labels2street", [*settings, f"generator.width={width}"])
        TrainingRun(recipe, run, device="cpu").finish()
    compared = ganvas.compare(runs, out=tmp_path / "compared.html", pictures=1)
    found = against_classic.over_pictures(runs[0], runs[1], None)
    assert found.keys() == compared.rows[0].values.keys()
    for name, sign in (("l1", 1), ("psnr", -1)):  # of PSNR more is better
        mine, other = (row.values[name][0] for row in compared.rows)
        paired = mean_interval(sign * (other - mine))
        assert found[name] == pytest.approx((paired.low, paired.high))
    truth = compared.reference["chroma"].mean
    mine, other = (abs(row.values["chroma"].mean() - truth) for row in compared.rows)
    assert found["chroma"][0] <= other - mine <= found["chroma"][1]


@pytest.mark.parametrize(
    ("ahead", "pictures", "left"),
    [
        ([2.0], (1.0, 3.0), ["ours"]),
        ([2.0], (-0.1, 4.1), ["ours", "classic"]),
        ([-2.0], (-3.0, -1.0), ["classic"]),
        # Looks that agree leave what pictures tell; those that scatter do not, however narrow that is.
        ([2.0, 2.0, 2.0], (1.0, 3.0), ["ours"]),
        ([2.0, -1.0, 5.0], (1.9, 2.1), ["ours", "classic"]),
        # By the first look alone classic would be ahead.
        ([-2.0, 2.5, 1.5, 2.0], (-3.0, -1.0), ["ours", "classic"]),
    ],
)
def test_who_is_not_surely_behind_by_looks_and_pictures(
    ahead: list[float], pictures: tuple[float, float], left: list[str]
) -> None:
    assert against_classic.undefeated(ahead, pictures) == left


@pytest.mark.parametrize(
    ("name", "mine", "looks"), [("l1", 1.0, (2.0, 4.0)), ("psnr", 5.0, (4.0, 2.0)), ("chroma", 1.5, (-0.5, 4.5))]
)
def test_the_first_look_alone_may_tell_more_than_all(name: str, mine: float, looks: tuple[float, float]) -> None:
    ours, *others = ({name: metric("", value, None, None)} for value in (mine, *looks))
    found = against_classic.verdicts(ours, others, {name: (0.5, 1.5)})
    assert found["not_surely_behind_at_first"] == {name: ["ours"]}
    assert found["not_surely_behind"] == {name: ["ours", "classic"]}


def test_figures_of_several_looks_are_means_with_intervals_over_looks_and_pictures() -> None:
    looks = [
        {"it": metric("lower", *each), "bare": metric("lower", each[0], None, None)}
        for each in ((1.0, 0.7, 1.2), (2.0, 1.7, 2.2))
    ]
    found = against_classic.over_looks(looks)
    over = 12.706 * 0.5  # Student's t of one degree of freedom, from a printed table, by the standard error
    ends = (1.5, 1.5 - math.hypot(over, 0.3), 1.5 + math.hypot(over, 0.2))
    assert told_of(found["it"]) == pytest.approx(ends, rel=1e-4)
    assert told_of(found["bare"]) == (1.5, None, None)
    assert told_of(against_classic.over_looks(looks[:1])["it"]) == pytest.approx((1.0, 0.7, 1.2))


def told_of(figure: dict[str, Any]) -> tuple[float, float | None, float | None]:
    return figure["value"], figure["low"], figure["high"]


def metric(better: str, value: float, low: float | None, high: float | None, truth: float = 1.0) -> dict[str, Any]:
    told = {"title": "it", "better": better, "decimals": 2, "real": {"value": truth}}
    return told | {"value": value, "low": low, "high": high}


@pytest.mark.parametrize(
    ("better", "mine", "other", "who"),
    [
        ("lower", (1.0, 0.9, 1.1), (1.3, 1.2, 1.4), "ours"),
        ("lower", (1.0, 0.9, 1.2), (1.3, 1.1, 1.4), "(ours)"),
        ("lower", (1.0, None, None), (9.0, 8.0, 9.5), "(ours)"),
        ("higher", (1.0, 0.9, 1.1), (1.3, 1.2, 1.4), "classic"),
        ("higher", (1.4, 1.3, 1.5), (1.3, 1.2, 1.35), "(ours)"),
        # Intervals far from each other, on the two sides of the truth: nobody knows who is nearer.
        ("truth", (0.8, 0.7, 0.9), (1.21, 1.1, 1.3), "(ours)"),
        ("truth", (0.9, 0.85, 0.95), (1.3, 1.2, 1.4), "ours"),
        ("truth", (1.3, 1.2, 1.4), (1.02, 0.95, 1.1), "classic"),
        ("neither", (1.0, 0.9, 1.1), (1.3, 1.2, 1.4), ""),
    ],
)
def test_ahead_stands_in_brackets_where_chance_may_have_decided(
    better: str, mine: tuple[float, ...], other: tuple[float, ...], who: str
) -> None:
    run = {"seconds": 60.0, "images_seen": 5}
    runs = {
        "ours": run | {"metrics": {"it": metric(better, *mine)}},
        "classic": run | {"metrics": {"it": metric(better, *other)}},
    }
    result = {"recipe": "r", "size": 64, "runs": runs, "not_surely_behind": {}}
    assert told(result) == who


@pytest.mark.parametrize(
    ("undefeated", "who"), [(["ours"], "ours"), (["classic"], "classic"), (["ours", "classic"], "(ours)")]
)
def test_who_is_ahead_on_the_same_pictures_is_taken_from_the_comparison(undefeated: list[str], who: str) -> None:
    ours, classic = (1.0, 1.3) if "ours" in undefeated else (1.3, 1.0)
    run = {"seconds": 60.0, "images_seen": 5}
    runs = {
        "ours": run | {"metrics": {"it": metric("lower", ours, 0.5, 2.0)}},
        "classic": run | {"metrics": {"it": metric("lower", classic, 0.5, 2.0)}},
    }
    result = {"recipe": "r", "size": 64, "runs": runs, "not_surely_behind": {"it": undefeated}}
    assert told(result) == who


def told(result: dict[str, Any]) -> str:
    """What the last row of the table says of who is ahead."""
    return against_classic.table(json.loads(json.dumps(result))).splitlines()[-1].split("|")[-2].strip()
