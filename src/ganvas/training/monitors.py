"""Monitors: what commonly goes wrong with training, seen in its own records, in one line each with what to try.

They read the records of :mod:`ganvas.training.stats` and nothing else, so that a resumed run sees what a run that was
never stopped sees, and nothing that they do can change what is learned. docs/monitors.md tells when each of them
speaks, and why it is silent until then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from ganvas.training.stats import Progress

LONG = 0.1  # share of the run's images over which something must hold before it is worth a warning
LEAST_TICKS = 5
LEAST_MEASURED = 3
SURE = 0.995  # accuracy of D on either side; healthy runs pass 0.99 in their first tenth
CATCHING_UP = 0.02  # how much of its loss G loses meanwhile if it is
COLLAPSED = 0.1  # diversity of what is drawn over that of the data; the shipped models lie between 0.75 and 1.05
WORSE, BETTER = 1.1, 0.9  # of the errors on held-out and on training pictures, since the best measurement
STILL = 0.1  # of 255 levels: mean difference of the fixed samples to those of the untrained network
UNMOVED = 1e-3  # relative range of a metric over the whole run
GREY = 0.5  # chroma of what is drawn over that of the targets; the shipped sketch2color is above 1
LESS_IS_BETTER = ("digit_frechet", "l1", "colour_distance")

# For tasks that have no more to say on it.
ADVICE: Mapping[str, str] = MappingProxyType(
    {"no learning": "a higher optimiser.generator.lr, or a later fall of it (train.lr_decay_start_images)"}
)


def goodness(metric: str, value: float) -> float:
    """A metric's value as a number of which more is better."""
    return -value if metric in LESS_IS_BETTER else value


class Monitors:
    """All monitors of one run.

    Args:
        total_images: how long the run is.
        advice: what to try, by monitor, where the task knows more than :data:`ADVICE`.
        history: the records so far, of an earlier part of the run.
    """

    def __init__(self, total_images: int, advice: Mapping[str, str], history: Sequence[Progress] = ()) -> None:
        self._total = total_images
        self._advice = {**ADVICE, **advice}
        self._history = list(history)

    def look(self, progress: Progress) -> dict[str, str]:
        """What there is to warn of after ``progress``: sentences by monitor, none in a healthy run."""
        self._history.append(progress)
        if progress.images < LONG * self._total:
            return {}
        seen: dict[str, Callable[[], str]] = {
            "D too strong": self._discriminator_too_strong,
            "G collapsed": self._collapsed,
            "overfitting": self._overfitting,
            "no learning": self._no_learning,
            "grey output": self._grey,
        }
        told = {name: look() for name, look in seen.items()}
        if told["no learning"]:
            # A network as it was made draws one grey picture: nothing that it does on its own.
            del told["G collapsed"], told["grey output"]
        return {
            name: f"{what}. Try this: {self._advice[name]}." if name in self._advice else f"{what}."
            for name, what in told.items()
            if what
        }

    def _discriminator_too_strong(self) -> str:
        now = self._history[-1].images
        recent = [record for record in self._history if record.images > now - LONG * self._total]
        if len(recent) < LEAST_TICKS:
            recent = self._history[-LEAST_TICKS:]
        games = [
            (record.accuracy_real, record.accuracy_fake, record.losses["generator"])
            for record in recent
            if record.accuracy_real is not None and record.accuracy_fake is not None and "generator" in record.losses
        ]
        if len(games) < LEAST_TICKS or min(min(real, fake) for real, fake, _ in games) < SURE:
            return ""
        # A D that is always right does no harm as long as G catches up: early in training, and where a penalty keeps
        # D's slopes gentle.
        half = len(games) // 2
        before, after = (_mean([loss for _, _, loss in part]) for part in (games[:half], games[half:]))
        if after < before - CATCHING_UP * abs(before):
            return ""
        real, fake = (_mean([game[side] for game in games]) for side in (0, 1))
        since = now - recent[0].images
        return (
            f"D is right on {_share(real)} of real and {_share(fake)} of drawn pictures, for {since:,} images now, "
            "and G does not catch up"
        )

    def _collapsed(self) -> str:
        shares = self._last_signs("diversity")
        if not shares or max(shares) >= COLLAPSED:
            return ""
        return (
            f"what G draws differs from picture to picture by {_share(shares[-1])} of what the data do, "
            f"in {len(shares)} measurements in a row"
        )

    def _overfitting(self) -> str:
        measured = [
            (record.images, metric, _error(metric, value), _error(metric, record.signs[f"train_{metric}"]))
            for record in self._history
            for metric, value in record.metrics.items()
            if f"train_{metric}" in record.signs
        ]
        if len(measured) <= LEAST_MEASURED:
            return ""
        best_images, _, best, learned_then = min(measured, key=lambda each: each[2])
        last = measured[-LEAST_MEASURED:]
        if best == 0 or any(
            held_out < WORSE * best or training >= BETTER * learned_then for _, _, held_out, training in last
        ):
            return ""
        _, metric, held_out, training = last[-1]
        return (
            f"by {metric}, held-out pictures are {held_out / best - 1:.0%} worse than after {best_images:,} images, "
            f"while training pictures are {1 - training / learned_then:.0%} better"
        )

    def _no_learning(self) -> str:
        moved = [record.signs["moved"] for record in self._history if "moved" in record.signs]
        if len(moved) >= 2 and moved[-1] < STILL:
            return "the fixed samples look as they did before training"
        measured = [record.metrics for record in self._history if record.metrics]
        if len(measured) > LEAST_MEASURED and all(
            _is_still([metrics[name] for metrics in measured if name in metrics]) for name in measured[-1]
        ):
            return f"{' and '.join(measured[-1])} stayed the same in all {len(measured)} measurements"
        return ""

    def _grey(self) -> str:
        shares = self._last_signs("chroma")
        if not shares or max(shares) >= GREY:
            return ""
        return (
            f"the drawn colours' mean chroma is {_share(shares[-1])} of the targets', "
            f"in {len(shares)} measurements in a row"
        )

    def _last_signs(self, name: str) -> list[float]:
        """The last few values of a sign, or none as long as there are fewer."""
        found = [record.signs[name] for record in self._history if name in record.signs]
        return found[-LEAST_MEASURED:] if len(found) >= LEAST_MEASURED else []


def _error(metric: str, value: float) -> float:
    """A metric's value as an error: 0 is perfect, less is better, and ratios mean something."""
    if metric in LESS_IS_BETTER:
        return value
    return 10 ** (-value / 20) if metric == "psnr" else 1 - value


def _is_still(values: Sequence[float]) -> bool:
    return max(values) - min(values) <= UNMOVED * max(abs(value) for value in values)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _share(value: float) -> str:
    return f"{value:.1%}"
