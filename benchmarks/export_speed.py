"""How long an export takes for one picture, beside PyTorch as ganvas translates with it.

    python benchmarks/export_speed.py [MODEL] [--sides 128 256] [--rounds 21] [--threads 1]

MODEL translates pictures (default: sketch2color). All get the same random source and give an array back; they take
turns, and the time is that of the processor, summed over threads, so that other programs disturb little. Medians.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

from ganvas.exporting import export_onnx
from ganvas.inference import resolve_model
from ganvas.inference.onnx_file import load_onnx
from ganvas.model_file import TranslateHeader, load_model


def main() -> None:
    """Measure and print a line for each side."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("model", nargs="?", default="sketch2color")
    arguments.add_argument("--sides", type=int, nargs="+", default=[128, 256])
    arguments.add_argument("--rounds", type=int, default=21)
    arguments.add_argument("--threads", type=int, default=1)
    chosen = arguments.parse_args()
    torch.set_num_threads(chosen.threads)
    generator, header = load_model(resolve_model(chosen.model))
    if not isinstance(header, TranslateHeader):
        arguments.error(f"{chosen.model} does not translate pictures")
    networks: dict[str, nn.Module] = {"PyTorch": generator.to(memory_format=torch.channels_last)}  # type: ignore[call-overload]
    with tempfile.TemporaryDirectory() as folder:
        for precision in ("fp32", "fp16", "int8"):
            path = Path(folder) / f"{precision}.onnx"
            export_onnx(chosen.model, path, precision=precision)
            networks[f"onnxruntime {precision}"] = load_onnx(path)[0]
    labels = torch.zeros(1, dtype=torch.int64) if header.class_names else None
    for side in chosen.sides:
        source = torch.rand(1, header.in_channels, side, side).contiguous(memory_format=torch.channels_last)
        found = times(networks, source, labels, chosen.rounds)
        print(f"{side} x {side}:", ", ".join(f"{name} {1000 * seconds:.1f} ms" for name, seconds in found.items()))


@torch.inference_mode()
def times(
    networks: dict[str, nn.Module], source: torch.Tensor, labels: torch.Tensor | None, rounds: int
) -> dict[str, float]:
    """The median processor time of each network in seconds, after one call that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in networks}
    for number in range(rounds + 1):
        for name, network in networks.items():
            start = time.process_time()
            network(source.clone(memory_format=torch.preserve_format), labels).numpy()
            if number:
                seconds[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


if __name__ == "__main__":
    main()
