"""Progress records as TensorBoard event files; stats.jsonl is written in any case."""

from __future__ import annotations

from pathlib import Path

from ganvas.errors import UsageError
from ganvas.training.stats import Progress


class TensorBoard:
    """Writes records into ``folder``, over those behind ``images_seen``; needs the extra ``tensorboard``.

    Raises:
        UsageError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, images_seen: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise UsageError("TensorBoard is not installed: pip install 'ganvas[tensorboard]'") from None
        self._writer = SummaryWriter(str(folder), purge_step=images_seen or None)

    def add(self, progress: Progress) -> None:
        """Write one record; the step axis is images seen."""
        groups = {
            "loss": progress.losses,
            "gradient_norm": progress.gradient_norms,
            "metric": progress.metrics,
            "sign": progress.signs,
        }
        for group, values in groups.items():
            for name, value in values.items():
                self._writer.add_scalar(f"{group}/{name}", value, progress.images)
        for name, accuracy in (("real", progress.accuracy_real), ("fake", progress.accuracy_fake)):
            if accuracy is not None:
                self._writer.add_scalar(f"discriminator_accuracy/{name}", accuracy, progress.images)
        self._writer.add_scalar("images_per_second", progress.images_per_second, progress.images)

    def close(self) -> None:
        """Write what is still buffered."""
        self._writer.close()
