"""The metrics measured while training, on the same noise and labels every time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ganvas.data.batches import stream_seed
from ganvas.data.labelled import LabelledImages
from ganvas.metrics.asked import accuracy_from_logits
from ganvas.metrics.digit_classifier import FEATURES, DigitClassifier, load_digit_classifier
from ganvas.metrics.distances import FeatureStatistics, frechet_distance
from ganvas.tasks import LabelTask

# The classifier knows data on which it is right at least this often; on other 28x28 sets it is near chance.
KNOWS_DATA = 0.9
BATCH = 250


class DigitProbe:
    """Asked-class accuracy and Fréchet distance of a label task's drawings, by the shipped digit classifier.

    Build it with :meth:`for_data`, which tells when the classifier has nothing to say about the data.
    """

    def __init__(
        self, classifier: DigitClassifier, reference: FeatureStatistics, task: LabelTask, labels: Tensor
    ) -> None:
        self._classifier = classifier
        self._reference = reference
        self._task = task
        torch.manual_seed(stream_seed(task.recipe.train.seed, "validation", 0))
        self._noise = task.draw_noise(len(labels))
        self._labels = labels

    @classmethod
    def for_data(cls, data: LabelledImages, task: LabelTask) -> DigitProbe | None:
        """The probe, or None where ``data`` are not digits as the classifier knows them."""
        if data.images.shape[1:] != (28, 28, 1) or len(data.class_names) != 10:
            return None
        classifier = load_digit_classifier().to(task.device)
        # As many real as drawn pictures and the same labels: the distance depends on the number and on the mix.
        samples = task.recipe.validation.samples
        chosen = np.random.default_rng(0).permutation(len(data))[:samples]
        pictures = torch.from_numpy(data.images[chosen, :, :, 0]).unsqueeze(1).to(task.device)
        labels = torch.from_numpy(data.labels[chosen]).to(task.device)
        logits, features = classifier.logits_and_features(pictures.float() / 127.5 - 1)
        if accuracy_from_logits(logits, labels).overall < KNOWS_DATA:
            return None
        reference = FeatureStatistics(FEATURES)
        reference.update(features)
        return cls(classifier, reference, task, labels)

    def measure(self) -> dict[str, float]:
        """``digit_frechet``, and ``asked_accuracy`` where the generator takes a label."""
        drawn = FeatureStatistics(FEATURES)
        answers: list[Tensor] = []
        for start in range(0, len(self._labels), BATCH):
            part = slice(start, start + BATCH)
            pictures = self._task.draw(self._noise[part], self._labels[part])
            logits, features = self._classifier.logits_and_features(pictures)
            drawn.update(features)
            answers.append(logits)
        metrics = {"digit_frechet": frechet_distance(drawn, self._reference)}
        if self._task.recipe.conditional:
            metrics["asked_accuracy"] = accuracy_from_logits(torch.cat(answers), self._labels).overall
        return metrics
