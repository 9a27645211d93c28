"""``evaluate``: any model by its task's protocol, and where the numbers are put down."""

from __future__ import annotations

from collections.abc import Callable

from ganvas.device import torch_device
from ganvas.errors import UsageError
from ganvas.evaluation.found import Evaluation
from ganvas.evaluation.labels import evaluate_labels
from ganvas.evaluation.segmenters import evaluate_segmenter
from ganvas.evaluation.translations import evaluate_translations
from ganvas.inference import Model
from ganvas.inference.labels import whole
from ganvas.inference.segmentation import PhotoReader
from ganvas.metrics.inception import load_inception
from ganvas.metrics.inception_distances import InceptionJudge
from ganvas.model_file import TranslateHeader
from ganvas.report.entries import read_entries

Watch = Callable[[str], None]
SPLITS = ("test", "val", "train")


def evaluate(
    model: str,
    *,
    data: str | None = None,
    split: str = "test",
    count: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    segmenter: str | None = None,
    fid_weights: str | None = None,
    few_pictures: bool = False,
    watch: Watch = lambda line: None,
) -> Evaluation:
    """Measure a model of any task on pictures that were held out; nothing is written.

    Args:
        model: a run folder, a model file or a shipped name.
        data: pictures to measure on instead of those of the model's own recipe; None is the recipe's, or the embedded
            digits for a model of digits without one.
        split: ``test``, ``val`` (pairs alone) or ``train``.
        count: pictures to draw; by default as many as the split holds, of digits at most 10,000.
        seed: of everything random; the same seed gives the same digits.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        segmenter: of photos drawn from label maps: the segmenter that judges them; None asks none.
        fid_weights: the published file of Inception's weights, by which FID and KID are told too; None: they are not.
        few_pictures: FID and KID also of fewer than 2,048 pictures.
        watch: called with a line for people at each step.

    Raises:
        UsageError: no such model, split or weights, a count below 1, data that are not of the model's kind, too few
            pictures for an FID.
        GanvasError: data that cannot be read, a damaged model.
    """
    if split not in SPLITS:
        raise UsageError(f"--split {split}: expected {', '.join(SPLITS)}")
    count, seed = None if count is None else whole("count", count, 1), whole("seed", seed, 0)
    entry = read_entries([model], {})[0]
    header = entry.header
    if segmenter is not None and not (isinstance(header, TranslateHeader) and header.source.kind == "labels"):
        raise UsageError(
            f"--segmenter judges photos drawn from label maps, which '{model}' does not draw: leave it out"
        )
    inception = _inception(fid_weights, few_pictures, header.task, device)
    if header.task == "segment":
        return evaluate_segmenter(entry, data, split, count, seed, device, watch)
    judge = None if segmenter is None else PhotoReader(segmenter, device=device)
    loaded = Model(entry.path, device=device)
    match header.task:
        case "label":
            return evaluate_labels(entry, loaded, data, split, count, seed, watch, inception)
        case "translate":
            return evaluate_translations(entry, loaded, data, split, count, seed, watch, judge, inception)
    raise UsageError(f"'{model}' is a model of task '{header.task}', which has no protocol of evaluation")


def _inception(weights: str | None, few_pictures: bool, task: str, device: str) -> InceptionJudge | None:
    if weights is None:
        if few_pictures:
            raise UsageError("--few-pictures insists on FID and KID, which need --fid-weights FILE")
        return None
    if task == "segment":
        raise UsageError("--fid-weights: a segmenter draws no pictures; leave it out")
    return InceptionJudge(load_inception(weights, torch_device(device)), few_pictures)
