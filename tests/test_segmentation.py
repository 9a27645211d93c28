"""The segmentation score and the segmenter behind it: against scikit-learn, by hand, and trained on tiny streets."""

# mypy: allow-untyped-calls

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from sklearn.metrics import accuracy_score, confusion_matrix, jaccard_score, recall_score

import ganvas
from ganvas.config import SegmentRecipe, TranslateRecipe, load_recipe
from ganvas.data.pairs import PairImages, open_pairs
from ganvas.data.pairs.class_maps import open_class_maps
from ganvas.data.pairs.reading import preparations
from ganvas.errors import GanvasError, UsageError
from ganvas.evaluation import evaluate
from ganvas.inference.segmentation import PhotoReader
from ganvas.metrics import segmentation
from ganvas.metrics.intervals import mean_interval
from ganvas.metrics.segmentation import (
    class_ious,
    confusion,
    drawn_map_metric,
    measure_real,
    measure_segmentation,
    segmentation_intervals,
    segmentation_metric,
    segmentation_score,
)
from ganvas.metrics.sets import Setting
from ganvas.model_file import SegmentHeader, read_header
from ganvas.models import Segmenter
from ganvas.report.compare import compare
from ganvas.tasks import SegmentTask
from ganvas.training.run import TrainingRun
from streets import IGNORE, make_streets

CLASSES = 12
TINY = (
    "data.size=32",
    "generator.width=8",
    "generator.dropout=0.0",
    "train.total_images=192",
    "train.batch_size=8",
    "train.tick_images=32",
    "train.sample_images=96",
    "train.checkpoint_images=64",
    "validation.every_images=64",
)
Ids = npt.NDArray[np.int64]


def some_maps(seed: int = 0, count: int = 5, side: int = 20) -> tuple[Ids, Ids]:
    """Found and true classes that agree in part, with ignored pixels; class 9 is found only, class 10 nowhere."""
    random = np.random.default_rng(seed)
    true = random.integers(0, 9, (count, side, side))
    found = np.where(random.random(true.shape) < 0.5, true, random.integers(0, 10, true.shape))
    true[:, :3] = IGNORE
    return found, true


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_streets(tmp_path_factory.mktemp("streets"))


def segmenter_run(streets: Path, out: Path, *settings: str) -> TrainingRun:
    recipe = load_recipe("street-segmenter", [*TINY, f"data.path='{streets}'", *settings])
    return TrainingRun(recipe, out, device="cpu")


@pytest.fixture(scope="module")
def segmenter(streets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A segmenter that has learned the streets."""
    return segmenter_run(streets, tmp_path_factory.mktemp("runs") / "segmenter").finish().folder


def fresh_task(streets: Path) -> SegmentTask:
    """The same weights every time."""
    recipe = load_recipe("street-segmenter", [*TINY, f"data.path='{streets}'"], of=SegmentRecipe)
    both = preparations(recipe.data)
    torch.manual_seed(0)
    return SegmentTask(recipe, both.source, both.target, torch.device("cpu"))


def street_pairs(streets: Path, side: int = 32) -> PairImages:
    """As a translator from label map to street reads them."""
    recipe = load_recipe("labels2street", [f"data.path='{streets}'"], of=TranslateRecipe)
    return open_pairs(recipe.data, "test", side=side)


# The score


def test_confusion_and_scores_are_scikit_learns() -> None:
    found, true = some_maps()
    labelled = true != IGNORE
    ours = confusion(found, true, CLASSES, IGNORE)
    np.testing.assert_array_equal(
        ours.sum(axis=0), confusion_matrix(true[labelled], found[labelled], labels=range(CLASSES))
    )
    score = segmentation_score(ours)
    there = list(range(9))
    assert score.pixel_accuracy == pytest.approx(accuracy_score(true[labelled], found[labelled]))
    arguments = {"labels": there, "average": "macro"}
    assert score.class_accuracy == pytest.approx(recall_score(true[labelled], found[labelled], **arguments))
    assert score.mean_iou == pytest.approx(jaccard_score(true[labelled], found[labelled], **arguments))
    per_class = jaccard_score(true[labelled], found[labelled], labels=there, average=None)
    np.testing.assert_allclose(class_ious(ours)[:9], per_class)
    assert np.isnan(class_ious(ours)[9:]).all()


def test_scores_by_hand() -> None:
    # 2 of 3 pixels of class 0 and 1 of 1 of class 1 right: 3/4, (2/3 + 1)/2, IoU (2/3 + 1/2)/2.
    counts = confusion(np.array([[[0, 0, 1, 1]]]), np.array([[[0, 0, 0, 1]]]), 2)
    score = segmentation_score(counts)
    assert dataclasses.astuple(score) == pytest.approx((3 / 4, 5 / 6, 7 / 12))


def test_ignored_pixels_count_nowhere_whatever_is_found_there() -> None:
    found, true = some_maps()
    other = np.where(true == IGNORE, (found + 3) % 9, found)
    np.testing.assert_array_equal(confusion(found, true, CLASSES, IGNORE), confusion(other, true, CLASSES, IGNORE))
    with pytest.raises(GanvasError, match="no pixel of the label maps has a class"):
        segmentation_score(confusion(found, np.full_like(true, IGNORE), CLASSES, IGNORE))


def test_counts_of_many_pictures_are_kept_in_groups_that_hold_all_of_them(
    streets: Path, segmenter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs, reader = street_pairs(streets), PhotoReader(segmenter)
    each = measure_real(reader.find, pairs)
    assert len(each) == 4
    monkeypatch.setattr(segmentation, "GROUPS", 3)
    np.testing.assert_array_equal(measure_real(reader.find, pairs, batch_size=3), [each[0] + each[3], *each[1:3]])


def test_an_id_without_a_class_is_refused() -> None:
    found, true = some_maps()
    with pytest.raises(GanvasError, match=r"holds id 11, expected 0\.\.10"):
        confusion(found, true, 11)


def test_interval_over_one_class_is_that_of_the_share_right() -> None:
    # With as many labelled pixels in each picture, pixel accuracy is a mean over pictures: its interval is known.
    found, true = some_maps(count=30)
    counts = confusion(found, true, CLASSES, IGNORE)
    shares = counts.diagonal(axis1=1, axis2=2).sum(axis=1) / counts.sum(axis=(1, 2))
    expected = mean_interval(shares)
    ours = segmentation_intervals(counts)["pixel_accuracy"]
    assert dataclasses.astuple(ours) == pytest.approx(dataclasses.astuple(expected))
    runs = np.stack([counts, confusion(*some_maps(1, count=30), CLASSES, IGNORE)])
    both = segmentation_intervals(runs)
    assert both["mean_iou"].low < segmentation_score(runs[0]).mean_iou < both["mean_iou"].high
    assert both["mean_iou"].mean == pytest.approx(np.mean([segmentation_score(run).mean_iou for run in runs]))


# The segmenter


@pytest.mark.parametrize("direction", ["left-to-right", "right-to-left"])
def test_class_maps_are_the_ids_of_the_files_and_their_photos(streets: Path, tmp_path: Path, direction: str) -> None:
    left, right = ("", "annot") if direction == "left-to-right" else ("annot", "")
    for split in ("train", "test"):
        shutil.copytree(streets / f"{split}{left}", tmp_path / f"{split}A")
        shutil.copytree(streets / f"{split}{right}", tmp_path / f"{split}B")
    settings = [f"data.path='{tmp_path}'", f"data.direction={direction}"]
    recipe = load_recipe("street-segmenter", settings, of=SegmentRecipe)
    maps = open_class_maps(recipe.data, "test", side=40)
    for number in range(4):
        ids = np.asarray(Image.open(streets / "testannot" / f"{number}.png"))
        np.testing.assert_array_equal(maps.sources[number, 0], ids)
        photo = np.asarray(Image.open(streets / "test" / f"{number}.png"))
        np.testing.assert_array_equal(maps.targets[number].transpose(1, 2, 0), photo)


def test_one_step_follows_the_gradient_of_cross_entropy_over_labelled_pixels(streets: Path) -> None:
    task, other = (fresh_task(streets) for _ in range(2))
    maps, photos = torch.randint(0, 11, (2, 1, 32, 32)).byte(), torch.randint(0, 256, (2, 3, 32, 32)).byte()
    maps[0, :, :9] = IGNORE
    found: dict[torch.Tensor, torch.Tensor | None] = {}
    for parameter in task.generator.parameters():
        parameter.register_post_accumulate_grad_hook(lambda each: found.update({each: each.grad}))
    task.watched = True
    losses = task.step(maps, photos, torch.zeros(2), 0)
    assert isinstance(other.generator, Segmenter)
    shares = other.generator.logits(photos.float() / 127.5 - 1).log_softmax(dim=1)
    of_the_truth = shares.gather(1, maps.long())
    loss = -torch.cat([of_the_truth[0, :, 9:].flatten(), of_the_truth[1].flatten()]).mean()
    assert float(losses["cross_entropy"]) == pytest.approx(loss.item(), rel=1e-5)
    expected = torch.autograd.grad(loss, list(other.generator.parameters()))
    for parameter, gradient in zip(task.generator.parameters(), expected, strict=True):
        torch.testing.assert_close(found[parameter], gradient, rtol=1e-3, atol=1e-5)
    norm = torch.stack([gradient.square().sum() for gradient in expected]).sum().sqrt()
    torch.testing.assert_close(task.gradient_norms["generator"], norm, rtol=1e-3, atol=0)


def test_a_backward_pass_that_fails_leaves_no_gradients_to_the_next(streets: Path) -> None:
    task, other = (fresh_task(streets) for _ in range(2))
    first, *_ = task.generator.parameters()
    batch = torch.randint(0, 11, (2, 1, 32, 32)).byte(), torch.randint(0, 256, (2, 3, 32, 32)).byte(), torch.zeros(2)

    def fail(_: torch.Tensor) -> None:
        raise MemoryError

    hook = first.register_post_accumulate_grad_hook(fail)
    with pytest.raises(MemoryError):
        task.step(*batch, 0)
    hook.remove()
    # Adam hides the scale of a gradient, so its norm is compared: what was left would have doubled it.
    task.watched = other.watched = True
    task.step(*batch, 0)
    other.step(*batch, 0)
    torch.testing.assert_close(task.gradient_norms, other.gradient_norms)


def test_a_weight_that_the_backward_pass_does_not_reach_is_told(streets: Path) -> None:
    task = fresh_task(streets)
    reached = next(task.generator.parameters()).sum()
    missed = len(list(task.generator.parameters())) - 1
    with pytest.raises(RuntimeError, match=f"did not reach {missed} parameters of the generator"):
        task.update_in_backward("generator", reached, None, 0)


def test_a_batch_without_a_labelled_pixel_teaches_nothing(streets: Path) -> None:
    task = fresh_task(streets)
    nothing = torch.full((2, 1, 32, 32), IGNORE, dtype=torch.uint8)
    before = [parameter.detach().clone() for parameter in task.generator.parameters()]
    losses = task.step(nothing, torch.zeros(2, 3, 32, 32, dtype=torch.uint8), torch.zeros(2), 0)
    assert float(losses["cross_entropy"]) == 0
    assert all(torch.equal(old, new) for old, new in zip(before, task.generator.parameters(), strict=True))


def test_segmenter_learns_the_streets_and_its_file_tells_of_it(streets: Path, segmenter: Path) -> None:
    header = read_header(segmenter / "model.safetensors")
    assert isinstance(header, SegmentHeader)
    assert header.target.class_names[3] == "Road"
    assert header.metrics["pixel_accuracy"] > 0.9
    reader = PhotoReader(segmenter)
    real = segmentation_score(measure_real(reader.find, street_pairs(streets)))
    assert real.pixel_accuracy > 0.9
    # Read at another size, photos are resized to the segmenter's own.
    assert segmentation_score(measure_real(reader.find, street_pairs(streets, 48))).pixel_accuracy > 0.85
    assert len(list((segmenter / "samples").glob("*.png"))) == 3


def test_unlabelled_is_never_found(streets: Path) -> None:
    task = fresh_task(streets)
    with torch.no_grad():
        bias = list(task.drawing_generator.parameters())[-1]
        bias[IGNORE], bias[7] = 1e6, 1e5
    found = task.find(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))
    assert (found == 7).all()


def test_stopped_segmenter_resumes_to_the_same_bits(streets: Path, tmp_path: Path) -> None:
    settings = ("generator.dropout=0.5", "train.total_images=96")
    whole = segmenter_run(streets, tmp_path / "whole", *settings).finish()
    for tick, _ in enumerate(segmenter_run(streets, tmp_path / "parts", *settings), start=1):
        if tick == 2:
            break
    resumed = segmenter_run(streets, tmp_path / "parts", *settings)
    assert 0 < resumed.images_seen < 96
    resumed.finish()
    assert whole.model_path.read_bytes() == resumed.model_path.read_bytes()


def test_segmenter_that_gets_no_better_stops_when_its_patience_is_over(streets: Path, tmp_path: Path) -> None:
    # Nothing is learned, so the first measurement stays the best.
    settings = ["optimiser.generator.lr=1e-12", "train.ema_half_life_images=0", "validation.every_images=32"]
    run = segmenter_run(streets, tmp_path / "run", *settings, "validation.patience_images=64").finish()
    assert run.complete
    assert run.images_seen == 96
    assert read_header(run.model_path).images_seen == 32


def test_segmenter_paints_maps_as_a_translator(streets: Path, segmenter: Path) -> None:
    photo = Image.open(streets / "test" / "0.png")
    painted = ganvas.load(segmenter).translate(photo)
    assert painted.size == (40, 40)
    colours = {(128, 128, 128), (128, 0, 0), (128, 64, 128), (128, 128, 0)}
    found = np.asarray(painted).reshape(-1, 3).tolist()
    assert np.mean([tuple(pixel) in colours for pixel in found]) > 0.9
    assert tuple(np.asarray(painted)[35, 20]) == (128, 64, 128)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("data.target=picture", "from picture to label map"),
        ("generator.norm=spade", "has to find"),
        ("generator.noise=1", "not for segmenters"),
        ("generator.spread=1", "not for segmenters"),
        ("data.vary_lines=true", "leave them out"),
        ("data.open_outlines=true", "leave them out"),
        ("data.turn=10", "leave them out"),
        ("data.zoom=0.1", "leave them out"),
        ("optimiser.discriminator.lr=1e-3", r"unknown key 'optimiser\.discriminator'"),
        ("validation.metric=l1", "validation.metric"),
    ],
)
def test_recipe_refuses_what_a_segmenter_has_no_use_for(setting: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load_recipe("street-segmenter", [setting])


def test_segmenter_without_data_is_told_to_get_some() -> None:
    with pytest.raises(UsageError, match="give --data"):
        TrainingRun(load_recipe("street-segmenter"), device="cpu")


# Scores of drawn photos


def test_drawn_photos_are_scored_against_the_maps_they_were_drawn_from(streets: Path, segmenter: Path) -> None:
    pairs, reader = street_pairs(streets), PhotoReader(segmenter)
    # Whoever gives the true photos back scores as they do; whoever gives them upside down scores less.
    back = iter(pairs.targets.transpose(0, 2, 3, 1))
    same = measure_segmentation(reader.find, lambda maps, _: np.stack([next(back) for _ in maps]), pairs)
    np.testing.assert_array_equal(same, measure_real(reader.find, pairs))
    turned = iter(pairs.targets[:, :, ::-1].transpose(0, 2, 3, 1))
    worse = measure_segmentation(reader.find, lambda maps, _: np.stack([next(turned) for _ in maps]), pairs)
    assert segmentation_score(worse).mean_iou < segmentation_score(same).mean_iou / 2


def test_evaluation_gets_the_scores_of_drawn_and_true_photos(streets: Path, segmenter: Path) -> None:
    pairs, reader = street_pairs(streets), PhotoReader(segmenter)
    metric = segmentation_metric(reader.find)(Setting(pairs, 0, None))
    assert metric is not None
    for part in (slice(0, 3), slice(3, 4)):
        metric.update(pairs.sources[part], pairs.targets[part, :, ::-1], pairs.targets[part], pairs.labels[part])
    assert metric.reference()["mean_iou"].value == segmentation_score(measure_real(reader.find, pairs)).mean_iou
    assert metric.figures()["mean_iou"].value < metric.reference()["mean_iou"].value
    assert set(metric.figures()) == set(metric.metrics)
    recipe = load_recipe("photo2labels", [f"data.path='{streets}'"], of=TranslateRecipe)
    photos = open_pairs(recipe.data, "test", side=32)
    assert segmentation_metric(reader.find)(Setting(photos, 0, None)) is None


def test_drawn_maps_are_scored_by_their_nearest_colours(streets: Path) -> None:
    recipe = load_recipe("photo2labels", [f"data.path='{streets}'"], of=TranslateRecipe)
    pairs = open_pairs(recipe.data, "test", side=32)
    colours = np.array(pairs.target_preparation.colours)
    ids = street_pairs(streets).sources[:, 0].astype(np.int64)
    moved = np.roll(ids, 3, axis=2)
    # As a network paints: near the colours, not on them. The nearest two of the palette are farther apart than that.
    noise = np.random.default_rng(0).integers(-9, 10, (*ids.shape, 3))
    drawn = np.moveaxis(np.clip(colours[moved] + noise, 0, 255).astype(np.uint8), 3, 1)
    metric = drawn_map_metric(Setting(pairs, 0, None))
    assert metric is not None
    for part in (slice(0, 3), slice(3, 4)):
        metric.update(pairs.sources[part], drawn[part], np.array(pairs.targets[part]), pairs.labels[part])
    labelled = ids != IGNORE
    true, found = ids[labelled], moved[labelled]
    there = np.unique(true)
    values = {name: figure.value for name, figure in metric.figures().items()}
    assert values == pytest.approx(
        {
            "pixel_accuracy": accuracy_score(true, found),
            "class_accuracy": recall_score(true, found, labels=there, average="macro"),
            "mean_iou": jaccard_score(true, found, labels=there, average="macro"),
        }
    )
    assert 0.2 < values["mean_iou"] < 0.95
    assert metric.reference() == {}
    assert drawn_map_metric(Setting(street_pairs(streets), 0, None)) is None


def test_pixels_of_an_ignored_id_without_a_class_count_nowhere_in_drawn_maps(streets: Path) -> None:
    recipe = load_recipe("photo2labels", [f"data.path='{streets}'"], of=TranslateRecipe)
    pairs = open_pairs(recipe.data, "test", side=32)
    # CamVid without its last class, the unlabelled, which is black: so are ids without a class.
    maps = pairs.target_preparation
    cut = {"class_names": maps.class_names[:-1], "colours": maps.colours[:-1], "ignore": 255}
    pairs = dataclasses.replace(pairs, target_preparation=maps.model_copy(update=cut))
    true = np.array(pairs.targets)
    assert (~true.any(axis=1)).any()
    drawn = np.where(true.any(axis=1, keepdims=True), true, 200).astype(np.uint8)
    metric = drawn_map_metric(Setting(pairs, 0, None))
    assert metric is not None
    metric.update(pairs.sources, drawn, true, pairs.labels)
    assert {figure.value for figure in metric.figures().values()} == {1.0}


def test_maps_of_other_classes_are_refused(streets: Path, segmenter: Path) -> None:
    pairs, reader = street_pairs(streets), PhotoReader(segmenter)
    reader.check_reads(pairs.source_preparation, pairs.target_preparation, "these")
    for change in ({"ignore": -1}, {"class_names": tuple("abcdefghijkl")}):
        with pytest.raises(GanvasError, match=r"12 or others"):
            reader.check_reads(pairs.source_preparation.model_copy(update=change), pairs.target_preparation, "these")


def test_models_of_other_tasks_are_no_segmenters_and_segmenters_are_not_compared(segmenter: Path) -> None:
    with pytest.raises(UsageError, match="task 'label', expected a segmenter"):
        PhotoReader("digits-cgan")
    with pytest.raises(UsageError, match="segmenter"):
        compare([str(segmenter)])


def test_evaluating_a_segmenter_reads_the_held_out_photos(streets: Path, segmenter: Path) -> None:
    found = evaluate(str(segmenter), split="test")
    counts = measure_real(PhotoReader(segmenter).find, street_pairs(streets))
    assert found.values == pytest.approx(dataclasses.asdict(segmentation_score(counts)))
    assert found.protocol.pictures == 4
    assert found.pairs.shape == (12, 32, 32, 3)
    with pytest.raises(UsageError, match="--count"):
        evaluate(str(segmenter), count=2)
    for other in (str(segmenter), "sketch2color", "digits-cgan"):
        with pytest.raises(UsageError, match=f"--segmenter judges photos drawn from label maps, which '{other}'"):
            evaluate(other, segmenter=str(segmenter))


def test_evaluating_a_translator_asks_the_segmenter_given(streets: Path, segmenter: Path, tmp_path: Path) -> None:
    settings = ["data.size=32", "generator.width=4", "discriminator.width=4", "discriminator.receptive_field=16"]
    length = ["train.total_images=4", "train.batch_size=4", f"data.path='{streets}'"]
    run = TrainingRun(load_recipe("labels2street-classic", [*settings, *length]), tmp_path / "run", device="cpu")
    found = evaluate(str(run.finish().folder), segmenter=str(segmenter))
    real = segmentation_score(measure_real(PhotoReader(segmenter).find, street_pairs(streets)))
    assert found.reference["mean_iou"].value == pytest.approx(real.mean_iou)
    assert found.values["mean_iou"] < real.mean_iou
    assert {"sliced_wasserstein", "diversity_l1"} <= set(found.values)
