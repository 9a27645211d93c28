"""``ganvas evaluate``: how good a model is, by numbers with protocol, intervals and real pictures' values."""

from __future__ import annotations

from ganvas.evaluation.found import Evaluation as Evaluation
from ganvas.evaluation.protocol import evaluate as evaluate
