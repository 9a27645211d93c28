"""How long a U-Net takes for one picture of 256 pixels: eager PyTorch beside what could replace it.

    python benchmarks/translate_speed.py [--rounds 15] [--only TEXT] [--json FILE]

The network is that of pix2pix_step.py at full width, its averages of batch norm taken over a few random pictures, in
float32, NCHW, evaluation mode. "own statistics": batch norm by the picture's own statistics, as pix2pix translates, so
that it can't be folded into the convolutions; the others use the averages of training. "ganvas" is the network of
`ganvas translate` with the same weights, with bf16 as `--precision bf16` has it. Every candidate is a process of its
own; they are measured in turns (see `_contestant.py`). The difference is the largest of any pixel from eager PyTorch
with the same statistics, in units of [-1, 1] (a step of 8 bits is 0.0078). Candidates that need onnxruntime or openvino
are left out where those are not installed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from _contestant import (
    ContestantError,
    chosen,
    machine,
    options,
    remarks,
    serve,
    shown_speed,
    started,
    take_turns,
    write_json,
)
from _usual_pix2pix_worker import UNet, initialise
from ganvas.config import UnetGenerator
from ganvas.models import build_translator

SIDE = 256
BASELINES = {"running": "eager fp32 NCHW", "own": "eager fp32 NCHW, own statistics"}
Draw = Callable[[Tensor], Tensor]
# name: (statistics, precision, channels_last, how it runs)
CANDIDATES: dict[str, tuple[str, str, bool, str]] = {
    BASELINES["running"]: ("running", "fp32", False, "eager"),
    "BN folded": ("folded", "fp32", False, "eager"),
    "BN folded, channels_last": ("folded", "fp32", True, "eager"),
    "BN folded, channels_last, bf16": ("folded", "bf16", True, "eager"),
    "compile + freezing": ("folded", "fp32", False, "compile"),
    "compile + freezing, channels_last": ("folded", "fp32", True, "compile"),
    "compile + freezing, channels_last, bf16": ("folded", "bf16", True, "compile"),
    "onnxruntime": ("folded", "fp32", False, "onnxruntime"),
    "openvino": ("folded", "fp32", False, "openvino"),
    "openvino, bf16": ("folded", "bf16", False, "openvino"),
    BASELINES["own"]: ("own", "fp32", False, "eager"),
    "ganvas": ("own", "fp32", True, "ganvas"),
    "ganvas, bf16": ("own", "bf16", True, "ganvas"),
    "ganvas, averages of training": ("running", "fp32", True, "ganvas"),
    "ganvas, averages of training, bf16": ("running", "bf16", True, "ganvas"),
    "channels_last, own statistics": ("own", "fp32", True, "eager"),
    "channels_last, bf16, own statistics": ("own", "bf16", True, "eager"),
    "compile + freezing, channels_last, own statistics": ("own", "fp32", True, "compile"),
    "compile + freezing, channels_last, bf16, own statistics": ("own", "bf16", True, "compile"),
    "onnxruntime, own statistics": ("own", "fp32", False, "onnxruntime"),
    "openvino, own statistics": ("own", "fp32", False, "openvino"),
    "openvino, bf16, own statistics": ("own", "bf16", False, "openvino"),
}


def network(statistics: str) -> UNet:
    """The U-Net in evaluation mode; `folded`: batch norm is in the weights; `own`: it takes a picture's statistics."""
    torch.manual_seed(0)
    unet = UNet(SIDE)
    unet.apply(initialise)
    norms = [module for module in unet.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the plain average: no trace of the initial ones is left
    with torch.no_grad():
        unet(pictures(4))
    unet.eval()
    if statistics == "folded":
        for layers in [*unet.down, *unet.up]:
            fold(layers)
    if statistics == "own":
        for norm in norms:
            norm.track_running_stats = False
            norm.running_mean = norm.running_var = None
    return unet


def pictures(count: int) -> Tensor:
    """Random pictures (N, 3, S, S) in [-1, 1] with coarse and fine structure."""
    coarse = functional.interpolate(torch.randn(count, 3, 8, 8), SIDE, mode="bilinear")
    return torch.tanh(coarse + 0.3 * torch.randn(count, 3, SIDE, SIDE))


def fold(layers: nn.Module) -> None:
    """Put a layer's batch norm into its convolution, in place."""
    if not isinstance(layers, nn.Sequential):
        raise TypeError(f"a layer of the U-Net is a {type(layers).__name__}")
    for position, module in enumerate(layers):
        if isinstance(module, nn.BatchNorm2d):
            convolution: Any = layers[position - 1]
            transposed = isinstance(convolution, nn.ConvTranspose2d)
            layers[position - 1] = fuse_conv_bn_eval(convolution, module, transpose=transposed)
            layers[position] = nn.Identity()


def candidate(name: str) -> Draw:
    """What draws a picture (1, 3, S, S) in the way of that name."""
    statistics, precision, channels_last, runs = CANDIDATES[name]
    unet: Any = network(statistics)
    if runs == "onnxruntime":
        return by_onnxruntime(exported(unet))
    if runs == "openvino":
        return by_openvino(exported(unet), precision)
    if runs == "ganvas":
        unet = as_ganvas(unet, "instance" if statistics == "own" else "running")
    if precision == "bf16":
        unet = unet.bfloat16()
    layout = torch.channels_last if channels_last else torch.contiguous_format
    unet = unet.to(memory_format=layout)
    if runs == "compile":
        import torch._inductor.config as inductor

        inductor.freezing = True
        unet = torch.compile(unet)

    @torch.no_grad()
    def draw(picture: Tensor) -> Tensor:
        x = picture.to(torch.bfloat16 if precision == "bf16" else torch.float32)
        drawn: Tensor = unet(x.contiguous(memory_format=layout))
        return drawn.float()

    return draw


def as_ganvas(unet: UNet, norm_statistics: Literal["instance", "running"]) -> nn.Module:
    """The generator of ganvas with these weights: the order of their tensors is the same."""
    settings = UnetGenerator(norm_statistics=norm_statistics, dropout_layers="2-4", skip_order="skip-first")
    translator = build_translator(settings, in_channels=3, out_channels=3, size=SIDE).eval()
    for ours, theirs in ((translator.parameters(), unet.parameters()), (translator.buffers(), unet.buffers())):
        for kept, value in zip(ours, theirs, strict=norm_statistics == "running"):
            kept.data.copy_(value.data)
    return translator


def exported(unet: UNet) -> bytes:
    """The network as ONNX."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        file = Path(folder) / "unet.onnx"
        torch.onnx.export(unet, (torch.zeros(1, 3, SIDE, SIDE),), file, external_data=False)
        return file.read_bytes()


def by_onnxruntime(model: bytes) -> Draw:
    """onnxruntime with its own defaults, on as many threads as torch."""
    onnxruntime: Any = importlib.import_module("onnxruntime")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    (name,) = (put.name for put in session.get_inputs())
    return lambda picture: torch.from_numpy(session.run(None, {name: picture.numpy()})[0])


def by_openvino(model: bytes, precision: str) -> Draw:
    """OpenVINO for one request at a time."""
    openvino: Any = importlib.import_module("openvino")
    core = openvino.Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }  # fmt: skip
    compiled = core.compile_model(core.read_model(io.BytesIO(model)), "CPU", settings)
    return lambda picture: torch.from_numpy(compiled(picture.numpy())[0])


def take_part(name: str) -> None:
    """Be one candidate: build it, compare it with eager PyTorch, serve rounds."""
    torch.manual_seed(1)
    picture = pictures(1)
    begin = time.perf_counter()
    draw = candidate(name)
    first = draw(picture)
    seconds = time.perf_counter() - begin
    statistics = "own" if CANDIDATES[name][0] == "own" else "running"
    with torch.no_grad():
        eager = network(statistics)(picture)
    difference = (first - eager).abs()
    described = {
        "precision": CANDIDATES[name][1], "torch": torch.__version__, "threads": torch.get_num_threads(),
        "ready_seconds": seconds, "max_difference": difference.max().item(),
        "mean_difference": difference.mean().item(), "statistics": statistics,
        "deviation_of_pixels": eager.std().item(),
    }  # fmt: skip
    serve(lambda: draw(picture), described, warm_up=5)


def run(asked: argparse.Namespace, commands: dict[str, list[str]]) -> dict[str, Any]:
    """Starts everybody, goes through the rounds, and returns all that was measured."""
    with started(commands, asked.threads) as (contestants, skipped):
        take_turns(contestants, asked)
    by_name = {c.name: c for c in contestants}
    rows = []
    for contestant in contestants:
        baseline = by_name.get(BASELINES.get(contestant.description.get("statistics", "running"), ""))
        rows.append({
            "name": contestant.name, "median_ms": contestant.median_ms, "min_ms": min(map(min, contestant.rounds)),
            "speed": contestant.speed(baseline) if baseline else None, "peak_mb": contestant.peak_mb,
            "idle_cpu_share": contestant.idle_cpu_share, "description": contestant.description,
            "rounds_ms": contestant.rounds,
        })  # fmt: skip
    return {
        "rows": rows, "skipped": skipped, "machine": machine(), "rounds": asked.rounds, "steps": asked.steps,
        "threads": asked.threads,
    }  # fmt: skip


def printed(result: dict[str, Any]) -> str:
    """The table and what has to be said below it."""
    lines = [
        f"| a picture of {SIDE} pixels | median ms | speed, eager with the same statistics = 1 (10%-90%) "
        "| largest difference | ready after s | peak MB |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in result["rows"]:
        told = row["description"]
        figures = f"{told.get('max_difference', float('nan')):.1e} | {told.get('ready_seconds', float('nan')):.1f}"
        times = f"{row['median_ms']:.1f} | {shown_speed(row['speed'])}"
        lines.append(f"| {row['name']} | {times} | {figures} | {row['peak_mb']:.0f} |")
    measured_on = result["machine"]
    lines += ["", f"{measured_on['processor']}, {measured_on['cores']} cores, {result['rounds']} rounds."]
    return "\n".join([*lines, *remarks(result["rows"], result["skipped"])])


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the options, measures and prints; or is one candidate."""
    parser = options(__doc__, rounds=15, steps=5, unmeasured=2)
    parser.add_argument("--candidate", choices=list(CANDIDATES), help="be this one, for the process that measures")
    asked = parser.parse_args(arguments)
    if asked.candidate:
        return take_part(asked.candidate)
    commands = {name: [sys.executable, str(Path(__file__)), "--candidate", name] for name in CANDIDATES}
    try:
        result = run(asked, chosen(parser, asked, commands))
    except ContestantError as error:
        sys.exit(f"translate_speed: {error}")
    print(printed(result))
    write_json(asked.json, result)


if __name__ == "__main__":
    main()
