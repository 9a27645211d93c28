"""The metrics of whole sets of translations that `ganvas evaluate` asks; a new one is a line here."""

from __future__ import annotations

from ganvas.metrics.diversity import diversity_metric
from ganvas.metrics.segmentation import drawn_map_metric
from ganvas.metrics.sets import Factory
from ganvas.metrics.sliced_wasserstein import sliced_wasserstein_metric

SET_METRICS: tuple[Factory, ...] = (sliced_wasserstein_metric, diversity_metric, drawn_map_metric)
