"""ganvas: train, measure and serve conditional image generators.

    >>> import ganvas
    >>> sevens = ganvas.load("digits-cgan").sample(labels=[7] * 10, seed=0)     # list[PIL.Image]
    >>> run = ganvas.train("digits-cgan", out="runs/mine")                      # iterate it: a record a tick

Importing ganvas imports nothing else; torch is loaded when it is needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ganvas.api import Run as Run
    from ganvas.api import compare as compare
    from ganvas.api import evaluate as evaluate
    from ganvas.api import export as export
    from ganvas.api import load as load
    from ganvas.api import recipes as recipes
    from ganvas.api import study as study
    from ganvas.api import train as train
    from ganvas.errors import GanvasError as GanvasError
    from ganvas.errors import UsageError as UsageError
    from ganvas.evaluation import Evaluation as Evaluation
    from ganvas.inference import Model as Model
    from ganvas.training.signals import Interrupted as Interrupted
    from ganvas.training.stats import Progress as Progress

_HOME = {
    "compare": "ganvas.api",
    "evaluate": "ganvas.api",
    "export": "ganvas.api",
    "load": "ganvas.api",
    "recipes": "ganvas.api",
    "study": "ganvas.api",
    "train": "ganvas.api",
    "GanvasError": "ganvas.errors",
    "UsageError": "ganvas.errors",
    "Evaluation": "ganvas.evaluation",
    "Model": "ganvas.inference",
    "Run": "ganvas.api",
    "Interrupted": "ganvas.training.signals",
    "Progress": "ganvas.training.stats",
}
__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ganvas' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
