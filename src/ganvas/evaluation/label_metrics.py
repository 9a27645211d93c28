"""How the numbers of a model that draws from labels are called and read, in the order to show them in."""

from __future__ import annotations

from ganvas.metrics.pictures import PictureMetric
from ganvas.report.compared import DIGIT_METRICS

LABEL_METRICS = {
    "asked_accuracy": DIGIT_METRICS["asked_accuracy"],
    "asked_accuracy_worst_class": PictureMetric(
        "Worst class met", "higher", 3, "the same of the class met least often"
    ),
    "digit_frechet": DIGIT_METRICS["digit_frechet"],
    "digit_kernel_distance": PictureMetric(
        "Digit kernel distance", "lower", 4, "squared MMD of the cubic kernel in the classifier's features, unbiased"
    ),
    "digit_precision": PictureMetric(
        "Digit precision", "higher", 3, "share of drawn digits that lie among real ones in those features"
    ),
    "digit_recall": PictureMetric("Digit recall", "higher", 3, "share of real digits that lie among drawn ones"),
    "digit_density": PictureMetric(
        "Digit density", "higher", 3, "in how many real neighbourhoods a drawn digit lies, about 1 where alike"
    ),
    "digit_coverage": PictureMetric(
        "Digit coverage", "higher", 3, "share of real digits that have a drawn one in their neighbourhood"
    ),
    "parzen_log_likelihood": PictureMetric(
        "Parzen log-likelihood", "higher", 1, "of test pictures in nats, under Gaussian windows on drawn ones"
    ),
    "nearest_training": PictureMetric(
        "Distance to training",
        "truth",
        4,
        "from the nearest training picture, root mean square of pixels in [0, 1]; real: of test pictures",
    ),
    "memorised": PictureMetric(
        "Memorised",
        "truth",
        4,
        "share nearer to a training picture than 99% of test pictures are; real: of test pictures",
    ),
}
