"""Studies: what a file may say, which runs are trained and which are skipped, and the tables made of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import ganvas
from ganvas.cli.main import _run
from ganvas.config import TranslateRecipe, load_recipe, load_study, study_names
from ganvas.data.pairs import open_pairs
from ganvas.errors import GanvasError, UsageError
from ganvas.inference.segmentation import PhotoReader
from ganvas.metrics.segmentation import measure_real, segmentation_intervals, segmentation_score
from ganvas.report.study import StudyRuns
from ganvas.training.run import TrainingRun
from streets import make_streets

STUDY = """
recipe = "labels2street-classic"
seeds = 2
set = ["data.size=32", "data.resize=nearest", "generator.width=4", "discriminator.width=4",
  "discriminator.receptive_field=16", "train.total_images=8", "train.batch_size=4", "train.checkpoint_images=4",
  "train.tick_images=4", "validation.every_images=8", "validation.samples=2"]

[rows]
base = []
l1 = ["objective.kind=l1"]

[published.objective]
l1 = "0.42 / 0.11"
true-pictures = "0.80 / 0.21"

[tables]
objective = { l1 = "L1", base = "L1 + cGAN" }
alone = { l1 = "only L1" }
"""


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_streets(tmp_path_factory.mktemp("streets"))


@pytest.fixture(scope="module")
def segmenter(streets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = ["data.size=32", "generator.width=4", "train.total_images=8", "train.batch_size=4"]
    recipe = load_recipe("street-segmenter", [*settings, f"data.path='{streets}'"])
    return TrainingRun(recipe, tmp_path_factory.mktemp("runs") / "segmenter", device="cpu").finish().folder


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "orders.toml"
    path.write_text(STUDY)
    return path


# The file


@pytest.mark.parametrize("name", study_names())
def test_shipped_study_has_recipes_that_are_right_and_rows_that_differ(name: str) -> None:
    study = load_study(name)
    assert study.description
    recipes = [study.recipe_of(row, 0) for row in study.rows]
    assert len({recipe.model_dump_json() for recipe in recipes}) == len(recipes)
    assert set(study.rows) == {row for titles in study.tables.values() for row in titles}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('base = "L1 + cGAN"', 'bsae = "L1 + cGAN"', r"row 'bsae'.*Did you mean 'base'\?"),
        ('base = "L1 + cGAN"', 'base = "L1"', "two rows one title"),
        ("objective.kind=l1", "objective.kin=l1", r"row 'l1'.*unknown key 'objective.kin'"),
        ("seeds = 2", "seed = 2", r"unknown key 'seed'\. Did you mean 'seeds'\?"),
        ("seeds = 2", "seeds = 0", "seeds: .*greater than or equal to 1"),
        ("labels2street-classic", "labels3street", "no recipe 'labels3street'"),
        ("[rows]", "[rows", "not valid TOML"),
        ("true-pictures =", "truth =", "names 'truth', which is no row of tables.objective"),
    ],
)
def test_mistake_in_a_study_is_named_before_anything_is_trained(
    study: Path, tmp_path: Path, old: str, new: str, words: str
) -> None:
    study.write_text(STUDY.replace(old, new))
    with pytest.raises(UsageError, match=words):
        StudyRuns(study)
    assert list(tmp_path.iterdir()) == [study]


def test_segmenters_are_refused_before_any_is_trained_as_no_table_compares_them(study: Path, tmp_path: Path) -> None:
    study.write_text('recipe = "street-segmenter"\nseeds = 1\n[rows]\nbase = []\n[tables]\none = { base = "4" }\n')
    with pytest.raises(UsageError, match="recipe 'street-segmenter' is of a segmenter"):
        StudyRuns(study)
    assert list(tmp_path.iterdir()) == [study]


def test_unknown_study_row_and_segmenter_are_named(study: Path, tmp_path: Path, segmenter: Path) -> None:
    with pytest.raises(UsageError, match=r"no study 'cuorse'.*Did you mean 'course'\?"):
        StudyRuns("cuorse")
    with pytest.raises(UsageError, match=r"has no row 'basis', only base, l1"):
        StudyRuns(study, only=["basis"])
    with pytest.raises(UsageError, match=r"judged by a segmenter: no model 'judge'.*--set data\.size=32 --out judge"):
        StudyRuns(study, segmenter="judge")
    with pytest.raises(UsageError, match="does not draw from label maps"):
        StudyRuns("course", segmenter=segmenter)
    with pytest.raises(UsageError, match="--segmenter judges what stands in tables"):
        StudyRuns(study, only=["l1"], segmenter=segmenter)
    assert list(tmp_path.iterdir()) == [study]


def test_segmenter_of_other_classes_is_refused_before_anything_is_trained(
    study: Path, tmp_path: Path, segmenter: Path
) -> None:
    study.write_text(STUDY.replace('"data.size=32"', '"data.size=32", "data.ignore=-1"'))
    with pytest.raises(GanvasError, match=r"knows 12 classes \(ignored id 11\)"):
        StudyRuns(study, segmenter=segmenter)
    assert list(tmp_path.iterdir()) == [study]


# Training and tables


def test_study_trains_what_is_missing_and_tables_it(
    study: Path, streets: Path, segmenter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, reported = [], []
    monkeypatch.setattr("ganvas.report.study.write_report", lambda folder: reported.append(folder.name))

    def train(run: TrainingRun) -> None:
        trained.append(run.folder.name)
        run.finish()

    StudyRuns(study, data=streets, only=["l1"], device="cpu", train=train).finish()
    assert trained == ["l1-0", "l1-1"]
    runs = StudyRuns(study, data=streets, segmenter=segmenter, device="cpu", train=train)
    assert len(runs) == 4
    assert [(done.row, done.seed) for done in runs] == [(row, seed) for seed in (0, 1) for row in ("base", "l1")]
    # Every row once before the second seed; finished runs are skipped.
    assert trained[2:] == ["base-0", "base-1"]
    assert reported == trained
    names = [path.name for path in runs.write_tables("results", "pictures")]
    assert names == [f"orders-{table}{end}" for table in ("objective", "alone") for end in (".json", ".md", ".png")]
    found = json.loads(Path("results/orders-objective.json").read_text())
    assert [row["name"] for row in found["rows"]] == ["L1", "L1 + cGAN"]
    assert [row["seeds"] for row in found["rows"]] == [[0, 1], [0, 1]]
    assert found["command"] == f"ganvas study {study} --runs runs/orders --data {streets} --segmenter {segmenter}"

    # The segmentation score of each run is that of its own confusion, the rows' the means over seeds.
    for row in found["rows"]:
        scores = [found["segmentation"]["runs"][run["given"]] for run in row["runs"]]
        assert row["scores"]["mean_iou"]["mean"] == pytest.approx(sum(score["mean_iou"] for score in scores) / 2)
        assert row["scores"]["mean_iou"]["low"] <= row["scores"]["mean_iou"]["high"]
        for score in scores:
            again = segmentation_score([score["confusion"]])
            assert (again.pixel_accuracy, again.mean_iou) == pytest.approx((score["pixel_accuracy"], score["mean_iou"]))
    recipe = load_recipe("labels2street-classic", [f"data.path='{streets}'", "data.resize=nearest"], of=TranslateRecipe)
    real = segmentation_intervals(measure_real(PhotoReader(segmenter).find, open_pairs(recipe.data, "test", side=32)))
    told = found["true_pictures"]["pixel_accuracy"]
    assert (told["mean"], told["low"]) == pytest.approx((real["pixel_accuracy"].mean, real["pixel_accuracy"].low))
    text = Path("results/orders-objective.md").read_text()
    assert "| Mean IoU ↑ |" in text.splitlines()[0]
    assert "trained on real photos at 32 pixels" in text
    assert [line.split(" | ")[-1] for line in text.splitlines()[:5]] == [
        "published |", "---: |", "0.42 / 0.11 |", " |", "0.80 / 0.21 |"
    ]  # fmt: skip
    assert found["published"]["rows"]["l1"] == "0.42 / 0.11"
    assert "published" not in Path("results/orders-alone.md").read_text()


def test_stopped_study_goes_on_where_it_stopped(study: Path, streets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.report.study.write_report", lambda folder: None)
    study.write_text(STUDY.replace("seeds = 2", "seeds = 1"))
    StudyRuns(study, "whole", data=streets, only=["base"], device="cpu").finish()
    for _ in TrainingRun(load_study(study).recipe_of("base", 0, str(streets)), Path("parts/base-0"), device="cpu"):
        break
    StudyRuns(study, "parts", data=streets, only=["base"], device="cpu").finish()
    one, other = (Path(folder, "base-0", "model.safetensors").read_bytes() for folder in ("whole", "parts"))
    assert one == other


def test_command_lists_plans_and_makes_the_tables(
    study: Path, streets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(["study"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == study_names()
    study.write_text(STUDY.replace("seeds = 2", "seeds = 1"))
    arguments = ["study", str(study), "--data", str(streets), "--device", "cpu"]
    assert _run([*arguments, "--only", "l1"]) == 0
    assert not Path("runs/orders/tables").exists()
    assert _run([*arguments, "--only", "l1", "--results", "tables"]) == 2
    with pytest.raises(UsageError, match="tables compare all rows"):
        StudyRuns(study, only=["l1"], device="cpu").write_tables()
    capsys.readouterr()
    assert _run([*arguments, "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "runs/orders/base-0  not begun of 8 images",
        "runs/orders/l1-0  8 images seen of 8 images  objective.kind=l1",
    ]
    assert _run(arguments) == 0
    done = capsys.readouterr()
    assert Path("runs/orders/base-0/report.html").exists()
    assert "wrote runs/orders/tables/orders-alone.png" in done.err
    assert "| L1 + cGAN |" in done.out
    assert "Mean IoU" not in done.out


def test_a_study_from_python_counts_the_runs_of_the_rows_asked_for(study: Path, streets: Path) -> None:
    runs = ganvas.study(study, data=streets, only=["l1"], device="cpu")
    assert len(runs) == 2
    assert [folder.as_posix() for _, _, folder in runs.places] == ["runs/orders/l1-0", "runs/orders/l1-1"]


def test_models_that_draw_from_labels_are_compared_by_what_training_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # `compare` takes no data for them; what a study is given to train on must not be handed on.
    path = tmp_path / "digits.toml"
    path.write_text('recipe = "digits-cgan"\nseeds = 1\n[rows]\nbase = []\n[tables]\none = { base = "digits-cgan" }\n')
    asked = []

    def stub(models: list[str], **options: object) -> None:
        asked.append((models, options["data"]))
        raise GanvasError("far enough")

    monkeypatch.setattr("ganvas.report.study.compare", stub)
    with pytest.raises(GanvasError, match="far enough"):
        next(StudyRuns(path, tmp_path / "runs", data=tmp_path).tables())
    assert asked == [([str(tmp_path / "runs" / "base-0")], None)]
