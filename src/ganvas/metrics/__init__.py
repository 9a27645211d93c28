"""What a generator is judged by: distances between features, and whether it drew what was asked."""

from __future__ import annotations

from ganvas.metrics.asked import AskedAccuracy as AskedAccuracy
from ganvas.metrics.asked import accuracy_from_logits as accuracy_from_logits
from ganvas.metrics.digit_classifier import DigitClassifier as DigitClassifier
from ganvas.metrics.digit_classifier import load_digit_classifier as load_digit_classifier
from ganvas.metrics.distances import FeatureStatistics as FeatureStatistics
from ganvas.metrics.distances import frechet_distance as frechet_distance
