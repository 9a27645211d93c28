"""Features of an Inception with made-up weights, as torch-fidelity computes them: what ganvas's network is held to.

The weights follow from a seed, since the published ones are nobody's to ship; the layers, the pooling and the resizing
are what is compared. To make `golden/inception_torch_fidelity.json` again, with torch-fidelity 0.4 unpacked in FOLDER:

    pip download --no-deps torch-fidelity==0.4.0 && unzip torch_fidelity-0.4.0-*.whl -d FOLDER
    python tests/reference_inception.py FOLDER
"""

from __future__ import annotations

import json
import sys
import tempfile
import types
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

GOLDEN = Path(__file__).parent / "golden" / "inception_torch_fidelity.json"
SHAPES = ((1, 3, 70, 90), (1, 1, 320, 299))  # a picture that is enlarged, and a grey one that shrinks
KEPT = slice(0, 2048, 64)  # of the features


def made_up(shapes: Mapping[str, torch.Size]) -> dict[str, Tensor]:
    """Weights of these names and shapes, in the order of the names, under which features are neither 0 nor huge."""
    random = np.random.RandomState(0)  # a generator that never changes
    found = {}
    for name in sorted(shapes):
        shape = tuple(shapes[name])
        if name.endswith("num_batches_tracked"):
            continue
        if len(shape) > 1:
            values = random.standard_normal(shape) * (2 / np.prod(shape[1:])) ** 0.5
        elif name.endswith(("running_var", "bn.weight")):
            values = random.uniform(0.5, 1.5, shape)
        else:
            values = random.standard_normal(shape) * 0.2
        found[name] = torch.from_numpy(values.astype(np.float32))
    return found


def pictures() -> list[Tensor]:
    """One uint8 picture of each shape."""
    random = np.random.RandomState(1)
    return [torch.from_numpy(random.randint(0, 256, shape).astype(np.uint8)) for shape in SHAPES]


def main() -> None:
    # The package itself imports torchvision, this one module does not.
    package = types.ModuleType("torch_fidelity")
    package.__path__ = [str(Path(sys.argv[1]) / "torch_fidelity")]
    sys.modules["torch_fidelity"] = package
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3  # type: ignore

    from ganvas.metrics.inception import Inception

    with tempfile.NamedTemporaryFile(suffix=".pth") as file:
        torch.save(made_up({name: each.shape for name, each in Inception().state_dict().items()}), file.name)
        network = FeatureExtractorInceptionV3("reference", ["2048"], feature_extractor_weights_path=file.name)
    found = [network(picture.expand(-1, 3, -1, -1))[0][0, KEPT] for picture in pictures()]
    features = [[round(value, 7) for value in each.tolist()] for each in found]
    GOLDEN.write_text(json.dumps({"torch_fidelity": "0.4.0", "features": features}, indent=1) + "\n")


if __name__ == "__main__":
    main()
