"""Reading photos with a segmenter: the classes of their pixels, in whatever size they are asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from ganvas.data.preparation import Preparation
from ganvas.device import torch_device
from ganvas.errors import GanvasError, UsageError
from ganvas.inference.model import model_name, resolve_model
from ganvas.model_file import SegmentHeader, load_model, read_header
from ganvas.models import Segmenter
from ganvas.pictures import Pixels


class PhotoReader:
    """A segmenter as the segmentation score uses it.

    Args:
        model: a ``.safetensors`` file or a run folder of a recipe of task ``segment``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        UsageError: there is no such model, or it is of another task.
        GanvasError: the file is damaged, or of a newer format.
    """

    def __init__(self, model: str | Path, *, device: str = "cpu") -> None:
        path = resolve_model(model)
        self.name = model_name(path)
        header = read_header(path)
        if not isinstance(header, SegmentHeader):
            raise UsageError(
                f"'{model}' is a model of task '{header.task}', expected a segmenter, such as "
                "`ganvas train street-segmenter --data PATH` trains."
            )
        self.header = header
        network, _ = load_model(path)
        assert isinstance(network, Segmenter)
        self._device = torch_device(device)
        self._network = network.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def check_reads(self, maps: Preparation, photo: Preparation, source: str) -> None:
        """Refuse label maps of other classes than the segmenter has learned, and pictures that are no such photos.

        Raises:
            GanvasError: the classes, the ignored id or the channels differ.
        """
        ours = self.header.target
        if (maps.class_names, maps.ignore) != (ours.class_names, ours.ignore):
            raise GanvasError(
                f"segmenter '{self.name}' knows {len(ours.class_names)} classes (ignored id {ours.ignore}), the label "
                f"maps of {source} have {len(maps.class_names)} or others (ignored id {maps.ignore}): train a "
                "segmenter with the same data.palette and data.ignore"
            )
        if photo.channels != self.header.source.channels:
            raise GanvasError(
                f"segmenter '{self.name}' reads pictures of {self.header.source.channels} channels, those of {source} "
                f"have {photo.channels}: train a segmenter with data.source_channels={photo.channels}"
            )

    @torch.inference_mode()
    def find(self, photos: Pixels, size: tuple[int, int]) -> npt.NDArray[np.int64]:
        """Class ids (N, height, width) of square photos uint8 (N, S, S, C).

        The photos are brought to the side that the segmenter was trained at, and its logits to ``size``.
        """
        side, photo = self.header.size, self.header.source
        fitted = np.stack([photo.resized(pixels, side, side) for pixels in photos])
        batch = torch.from_numpy(np.ascontiguousarray(np.moveaxis(fitted, 3, 1))).to(self._device)
        logits = self._network.logits(photo.encode(batch).contiguous(memory_format=torch.channels_last))
        if logits.shape[2:] != size:
            logits = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
        ids: npt.NDArray[np.int64] = self._network.found(logits).cpu().numpy()
        return ids
