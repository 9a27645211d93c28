"""The generators as ONNX graphs: the same arithmetic, in the forms that suit a runtime best.

Written out instead of traced, as PyTorch's exporters fix what is to stay open: the batch, the height and width with the
padding to a multiple, and the bottleneck that may or may not be a single pixel. That both say the same is measured
with every export (:mod:`ganvas.exporting.agreement`). Dropout is off, but for the paper's, which is part of
the noise, and a translator's noise is the stored one.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
from onnx import GraphProto, TensorProto, helper
from torch import Tensor, nn

from ganvas.errors import GanvasError
from ganvas.exporting.graph import Graph
from ganvas.models import ConvGenerator, DenseConditionalGenerator, DenseGenerator, PaperGenerator, Translator
from ganvas.models.conv import SLOPE as CONV_SLOPE
from ganvas.models.dense import LabelDense
from ganvas.models.norms import EPSILON, BatchNorm, Film, InstanceNorm, Spade
from ganvas.models.pix2pix import SLOPE, ResizeConvolution, SubPixelConvolution
from ganvas.models.spread import GAIN, LEAST_CONFIDENCE, Spread

END = np.iinfo(np.int64).max
# What three weights add up to where they meet doubled pixels: rows are the four places of single ones.
TIES = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], dtype=np.float32)


@singledispatch
def written(network: nn.Module, graph: Graph) -> str:
    """Write ``network`` into ``graph`` and give back the name of its output.

    Inputs are ``noise`` (batch, noise_length), or ``source`` (batch, channels, height, width) of any height and width,
    and where the network takes a class ``labels`` (batch,) int64.

    Raises:
        GanvasError: no generator, or one that cannot be exported yet.
    """
    raise GanvasError(f"a {type(network).__name__} cannot be exported to ONNX yet")


# From noise and labels


@written.register
def _(network: DenseGenerator, graph: Graph) -> str:
    h = graph.input("noise", ["batch", network.latent])
    for number, layer in enumerate(network.hidden):
        h = graph.add("Relu", _dense(graph, f"hidden.{number}", layer, h))
    drawn = graph.add("Tanh", _dense(graph, "output", network.output, h))
    return _reshaped(graph, drawn, -1, *network.picture_shape)


@written.register
def _(network: DenseConditionalGenerator, graph: Graph) -> str:
    both = _both(network, graph, graph.input("noise", ["batch", network.latent]))
    h = graph.add("Relu", _dense(graph, "joint", network.joint, both))
    drawn = graph.add("Tanh", _dense(graph, "output", network.output, h))
    return _reshaped(graph, drawn, -1, *network.picture_shape)


@written.register
def _(network: PaperGenerator, graph: Graph) -> str:
    lengths = network.noise_lengths
    noise = graph.input("noise", ["batch", sum(lengths)])
    chances: list[str] = []
    if network.dropout:
        noise, *chances = graph.add_many("Split", len(lengths), noise, graph.integers(*lengths), axis=1)
    both = _dropped(graph, network.dropout, _both(network, graph, noise), *chances[:1])
    h = graph.add("Relu", _dense(graph, "joint", network.joint, both))
    h = _dropped(graph, network.dropout, h, *chances[1:])
    drawn = graph.add("Sigmoid", _dense(graph, "output", network.output, h))
    return _reshaped(graph, drawn, -1, *network.picture_shape)


@written.register
def _(network: ConvGenerator, graph: Graph) -> str:
    hidden = _dense(graph, "noise", network.noise, graph.input("noise", ["batch", network.latent]))
    labels = graph.input("labels", ["batch"], TensorProto.INT64)
    hidden = graph.add("Add", hidden, graph.add("Gather", graph.weight("label.weight", network.label.weight), labels))
    hidden = _leaky(graph, _dense(graph, "mix", network.mix, _leaky(graph, hidden, CONV_SLOPE)), CONV_SLOPE)
    h = _reshaped(graph, _dense(graph, "spread", network.spread, hidden), -1, *network.coarse_shape)
    side = network.coarse_shape[1]
    block: Any
    for number, block in enumerate(network.blocks):
        if number:
            h, side = _up_twice(graph, f"ups.{number - 1}", network.ups[number - 1], h), 2 * side
        update = _modulated(graph, f"blocks.{number}.modulated", block.modulated, h, hidden, side)
        h = graph.add("Add", h, _convolution(graph, f"blocks.{number}.conv", block.conv, update))
    painted = _convolution(graph, "paint", network.paint, _modulated(graph, "last", network.last, h, hidden, side))
    return graph.add("Tanh", _pixels_from_channels(graph, painted))


def _both(network: DenseConditionalGenerator | PaperGenerator, graph: Graph, noise: str) -> str:
    """What the joint layer gets: hidden units of the noise, and of the label."""
    noise = _dense(graph, "noise", network.noise, noise)
    layer: LabelDense = network.label
    table = graph.weight("label.weight", layer.weight.t(), axis=1)
    looked_up = graph.add("Gather", table, graph.input("labels", ["batch"], TensorProto.INT64))
    label = graph.add("Add", looked_up, graph.weight("label.bias", layer.bias))
    return graph.add("Concat", graph.add("Relu", noise), graph.add("Relu", label), axis=1)


def _dropped(graph: Graph, dropout: float, h: str, chances: str | None = None) -> str:
    if chances is None:
        return h
    kept = graph.add("GreaterOrEqual", chances, graph.floats("dropout", np.array(dropout)))
    scaled = graph.add("Mul", h, graph.floats("dropout.scale", np.array(1 / (1 - dropout))))
    return graph.add("Mul", scaled, graph.add("Cast", kept, to=TensorProto.FLOAT))


def _modulated(graph: Graph, name: str, layer: Any, h: str, hidden: str, side: int) -> str:
    """Group norm within each picture, scaled and shifted by the hidden vector, then LeakyReLU; maps of ``side``²."""
    groups, channels = layer.norm.num_groups, layer.norm.num_channels
    normalised = _normalised(graph, _reshaped(graph, h, 0, groups, -1), groups, layer.norm.eps)
    normalised = _reshaped(graph, normalised, 0, channels, side, side)
    style = _per_channel(graph, _dense(graph, f"{name}.style", layer.style, hidden))
    return _leaky(graph, _scaled_and_shifted(graph, normalised, style), CONV_SLOPE)


# From picture to picture


@written.register
def _(network: Translator, graph: Graph) -> str:
    h, features, shown = _finished(network, graph)
    pictures = graph.add("Tanh", graph.add("Slice", h, *shown))
    if network.spread is None:
        return pictures
    return _spread(graph, network.spread, pictures, graph.add("Slice", features, *shown))


def _finished(network: Translator, graph: Graph) -> tuple[str, str, tuple[str, ...]]:
    """The last layer's output, what a spread reads, and which part of both is the picture, as a Slice is told it."""
    # Of a module's attributes torch's types know next to nothing.
    down: Any = network.encoder[0]
    up: Any
    channels = down.conv.in_channels - (0 if network.noise is None else len(network.noise))
    source = graph.input("source", ["batch", channels, "height", "width"])
    labels = graph.input("labels", ["batch"], TensorProto.INT64) if network.classes else None
    size = graph.add("Shape", source, start=2)
    padded, before = _padded(graph, source, size, network.multiple)
    if network.noise is not None:
        padded = graph.add("Concat", padded, _noise_beside(graph, network.noise, padded), axis=1)
    maps, h = [], padded
    levels = len(network.encoder)
    for level, down in enumerate(network.encoder):
        if down.activation:
            h = _leaky(graph, h, SLOPE)
        maps.append(h)
        h = _convolution(graph, f"encoder.{level}.conv", down.conv, h)
        if down.norm is not None:
            h = _norm(graph, f"encoder.{level}.norm", down.norm, h, innermost=level == levels - 1)
    for layer, up in enumerate(network.decoder):
        if network.skips and layer:
            skip = maps[levels - layer]
            h = graph.add("Concat", *([skip, h] if network.skip_first else [h, skip]), axis=1)
        h = _up_twice(graph, f"decoder.{layer}.conv", up.conv, graph.add("Relu", h))
        step = 2 ** (levels - 1 - layer)  # of the map's pixels, which h has fewer of
        if up.norm is not None:
            h = _decoder_norm(graph, f"decoder.{layer}.norm", up.norm, h, padded, step)
        if up.film is not None:
            assert labels is not None
            h = _film(graph, f"decoder.{layer}.film", up.film, h, labels)
        blocks: Any = network.blocks[layer] if layer < len(network.blocks) else ()
        for number, block in enumerate(blocks):
            name = f"blocks.{layer}.{number}"
            seen = graph.add("Relu", graph.add("Concat", h, maps[levels - 1 - layer], axis=1))
            change = _convolution(graph, f"{name}.first", block.first, seen)
            change = _decoder_norm(graph, f"{name}.norm", block.norm, change, padded, step)
            h = graph.add("Add", h, _convolution(graph, f"{name}.second", block.second, graph.add("Relu", change)))
    features = h
    if network.finish is not None:
        features = graph.add("Concat", graph.add("Relu", h), padded, axis=1)
        h = _convolution(graph, "finish", network.finish, features)
    return h, features, (before, graph.add("Add", before, size), graph.integers(2, 3))


def _padded(graph: Graph, source: str, size: str, multiple: int) -> tuple[str, str]:
    """The picture in the middle of the next larger multiple, its border repeated, and (top, left) of it there."""
    missing = graph.add("Mod", graph.add("Neg", size), graph.integers(multiple))
    before = graph.add("Div", missing, graph.integers(2))
    pads = graph.add("Concat", before, graph.add("Sub", missing, before), axis=0)
    return graph.add("Pad", source, pads, "", graph.integers(2, 3), mode="edge"), before


def _noise_beside(graph: Graph, stored: Tensor, padded: str) -> str:
    """The network's noise, repeated over the padded picture and for each of the batch."""
    planes = graph.floats("noise", stored[None].cpu().numpy())
    tiles = graph.add("Div", graph.add("Shape", padded, start=2), graph.integers(*stored.shape[1:]))
    noise = graph.add("Tile", planes, graph.add("Concat", graph.integers(1, 1), tiles, axis=0))
    count = graph.add("Shape", padded, start=0, end=1)
    return graph.add("Expand", noise, graph.add("Concat", count, graph.integers(1, 1, 1), axis=0))


def _norm(graph: Graph, name: str, norm: Any, x: str, *, innermost: bool = False) -> str:
    gain, shift = graph.weight(f"{name}.weight", norm.weight), graph.weight(f"{name}.bias", norm.bias)
    if isinstance(norm, BatchNorm) and norm.statistics == "running":
        averages = [graph.weight(f"{name}.{part}", getattr(norm, part)) for part in ("running_mean", "running_var")]
        return graph.add("BatchNormalization", x, gain, shift, *averages, epsilon=norm.eps)
    normalised = graph.add("InstanceNormalization", x, gain, shift, epsilon=EPSILON)
    if not (innermost and isinstance(norm, InstanceNorm)):
        return normalised
    # The layer leaves a single pixel as it is; only the innermost map can be one.
    columns = [
        graph.floats(f"{name}.{part}.column", value.detach().cpu().numpy()[:, None, None])
        for part, value in (("weight", norm.weight), ("bias", norm.bias))
    ]
    plain = graph.add("Add", graph.add("Mul", x, columns[0]), columns[1])
    pixels = graph.add("ReduceProd", graph.add("Shape", x, start=2))
    return graph.add("Where", graph.add("Equal", pixels, graph.integers(1)), plain, normalised)


def _decoder_norm(graph: Graph, name: str, norm: Any, x: str, label_map: str, step: int) -> str:
    return _spade(graph, name, norm, x, label_map, step) if isinstance(norm, Spade) else _norm(graph, name, norm, x)


def _spade(graph: Graph, name: str, spade: Spade, x: str, label_map: str, step: int) -> str:
    """``label_map`` is ``step`` times as large as ``x``, and the middle of every ``step``-th cell is looked at."""
    middle = graph.integers(step // 2, step // 2)
    resized = graph.add(
        "Slice", label_map, middle, graph.integers(END, END), graph.integers(2, 3), graph.integers(step, step)
    )
    hidden = graph.add("Relu", _convolution(graph, f"{name}.shared", spade.shared, resized))
    modulation = _convolution(graph, f"{name}.modulation", spade.modulation, hidden)
    normalised = _normalised(graph, x, spade.modulation.out_channels // 2, EPSILON)
    return _scaled_and_shifted(graph, normalised, modulation)


def _film(graph: Graph, name: str, film: Film, x: str, labels: str) -> str:
    table = graph.weight(f"{name}.modulation.weight", film.modulation.weight)
    return _scaled_and_shifted(graph, x, _per_channel(graph, graph.add("Gather", table, labels)))


def _spread(graph: Graph, spread: Spread, pictures: str, features: str) -> str:
    logits = _convolution(graph, "spread.conv", spread.conv, features)
    # Not the Sigmoid, which onnxruntime has to 1e-8 at best: six times as far from PyTorch for a trained model, whose
    # gates on outlines are smaller.
    inverse = graph.add("Exp", graph.add("Mul", logits, graph.floats("gain", np.array(-GAIN))))
    chances = graph.add("Reciprocal", graph.add("Add", inverse, graph.floats("one", np.ones(()))))
    confidence, gates = graph.add_many("Split", 2, chances, axis=1, num_outputs=2)
    confidence = graph.add("Add", confidence, graph.floats("least", np.array(LEAST_CONFIDENCE)))
    sums = graph.add("Concat", graph.add("Mul", pictures, confidence), confidence, axis=1)
    for _ in range(spread.rounds):
        for axis in (3, 2):
            sums = _swept(graph, sums, gates, axis)
    return _over_the_last(graph, sums)


def _swept(graph: Graph, own: str, gates: str, axis: int) -> str:
    """``own`` as means of what comes from both sides along ``axis`` through ``gates``."""
    nothing = graph.add("Mul", gates, graph.floats("zero", np.zeros(())))
    own = graph.add("Concat", own, graph.add("Add", nothing, graph.floats("one", np.ones(()))), axis=1)
    start, end, along = graph.integers(0), graph.integers(END), graph.integers(axis)
    passing = graph.add(
        "Mul",
        graph.add("Slice", gates, graph.integers(1), end, along),
        graph.add("Slice", gates, start, graph.integers(-1), along),
    )
    # Nothing comes to the first line of either way; a Scan wants as many of everything.
    none = graph.add("Slice", nothing, start, graph.integers(1), along)
    first = graph.add("Slice", own, start, graph.integers(1), along)
    before = graph.add("Mul", graph.add("Squeeze", first, along), graph.floats("zero", np.zeros(())))
    ways = [
        graph.add_many(
            "Scan",
            2,
            *(before, own, graph.add("Concat", *([passing, none] if backwards else [none, passing]), axis=axis)),
            body=_let_in(),
            num_scan_inputs=2,
            scan_input_axes=[axis] * 2,
            scan_input_directions=[backwards] * 2,
            scan_output_axes=[axis],
            scan_output_directions=[backwards],
        )[1]
        for backwards in (0, 1)
    ]
    return _over_the_last(graph, graph.add("Sub", graph.add("Add", *ways), own))


def _over_the_last(graph: Graph, x: str) -> str:
    """All channels but the last, divided by that one."""
    start, last, end, channels = graph.integers(0), graph.integers(-1), graph.integers(END), graph.integers(1)
    return graph.add("Div", graph.add("Slice", x, start, last, channels), graph.add("Slice", x, last, end, channels))


def _let_in() -> GraphProto:
    """One step of a sweep: what is a line's own, and what passes of the line before."""
    nodes = [
        helper.make_node("Mul", ["before", "passing"], ["let_in"]),
        helper.make_node("Add", ["own", "let_in"], ["after"]),
        helper.make_node("Identity", ["after"], ["swept"]),
    ]
    inputs, outputs = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
        for names in (("before", "own", "passing"), ("after", "swept"))
    )
    return helper.make_graph(nodes, "let_in", inputs, outputs)


# Layers


def _dense(graph: Graph, name: str, layer: Any, x: str) -> str:
    weight, bias = graph.weight(f"{name}.weight", layer.weight), graph.weight(f"{name}.bias", layer.bias)
    return graph.add("Gemm", x, weight, bias, transB=1)


def _convolution(graph: Graph, name: str, layer: Any, x: str) -> str:
    weight = graph.weight(f"{name}.weight", layer.weight)
    pads = [int(padding) for padding in layer.padding] * 2
    return graph.add("Conv", x, weight, *_bias(graph, name, layer.bias), pads=pads, strides=list(layer.stride))


def _up_twice(graph: Graph, name: str, layer: Any, x: str) -> str:
    """Any of the layers that double a map's sides."""
    match layer:
        case SubPixelConvolution():
            return _pixels_from_channels(graph, _convolution(graph, name, layer, x))
        case ResizeConvolution():
            # As the transposed convolution that it equals, its weights tied by the runtime as it loads them: the file
            # has nine numbers for sixteen.
            raw = graph.weight(f"{name}.weight", layer.weight)
            rows = graph.add("MatMul", graph.floats("ties", TIES), raw)
            tied = graph.add("MatMul", rows, graph.floats("ties.transposed", TIES.T))
            weight = graph.add("Transpose", tied, perm=[1, 0, 2, 3])
        case nn.ConvTranspose2d():
            weight = graph.weight(f"{name}.weight", layer.weight, axis=1)
        case _:
            raise GanvasError(f"a {type(layer).__name__} cannot be exported to ONNX yet")
    return graph.add(
        "ConvTranspose", x, weight, *_bias(graph, name, layer.bias), kernel_shape=[4, 4], pads=[1] * 4, strides=[2, 2]
    )


def _bias(graph: Graph, name: str, bias: Tensor | None) -> list[str]:
    return [] if bias is None else [graph.weight(f"{name}.bias", bias)]


def _pixels_from_channels(graph: Graph, x: str) -> str:
    return graph.add("DepthToSpace", x, blocksize=2, mode="CRD")


def _normalised(graph: Graph, x: str, channels: int, epsilon: float) -> str:
    """Each channel of each picture to mean 0 and variance 1."""
    ones = graph.floats(f"ones.{channels}", np.ones(channels))
    zeros = graph.floats(f"zeros.{channels}", np.zeros(channels))
    return graph.add("InstanceNormalization", x, ones, zeros, epsilon=epsilon)


def _scaled_and_shifted(graph: Graph, x: str, modulation: str) -> str:
    """x (N, C, ...) * (1 + gamma) + beta, of ``modulation`` (N, 2C, ...) the first half being gamma."""
    gamma, beta = graph.add_many("Split", 2, modulation, axis=1, num_outputs=2)
    return graph.add("Add", graph.add("Mul", x, graph.add("Add", gamma, graph.floats("one", np.ones(())))), beta)


def _per_channel(graph: Graph, vector: str) -> str:
    """(N, C) as (N, C, 1, 1)."""
    return graph.add("Unsqueeze", vector, graph.integers(2, 3))


def _reshaped(graph: Graph, x: str, *shape: int) -> str:
    return graph.add("Reshape", x, graph.integers(*shape))


def _leaky(graph: Graph, x: str, slope: float) -> str:
    return graph.add("LeakyRelu", x, alpha=slope)
