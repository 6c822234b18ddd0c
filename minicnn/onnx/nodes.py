"""What each layer becomes in the ONNX format: a node, or several where ONNX has none such."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import geometry, nn
from ..nn.functional.average_pooling import divisor_of
from ..nn.functional.resizing import Tap, grid, sizes
from ..nn.watch import Call

if TYPE_CHECKING:
    from .writing import Graph


def _window(layer: Any) -> dict[str, Any]:
    """The attributes that all sliding windows share."""
    pairs = {"kernel_shape": layer.kernel_size, "strides": layer.stride, "dilations": layer.dilation}
    return {name: list(geometry.pair(value, name, 1, "onnx.export")) for name, value in pairs.items()}


def _demand_batch(call: Call) -> None:
    if call.inputs[0].ndim != 4:
        raise ValueError(
            f"onnx.export: {call} gets {call.inputs[0].shape}; in ONNX it takes batches only, (N, C, H, W)."
        )


def _conv2d(graph: "Graph", call: Call) -> None:
    _demand_batch(call)
    layer: Any = call.module
    (PT, PB), (PL, PR) = geometry.conv_padding(layer.padding, layer.kernel_size, layer.stride, layer.dilation, "Conv2d")
    pads = [PT, PL, PB, PR]
    if layer.padding_mode != "zeros":
        mode = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[layer.padding_mode]
        graph.node("Pad", graph.latest, graph.constant(0, 0, PT, PL, 0, 0, PB, PR), mode=mode)
        pads = [0, 0, 0, 0]
    graph.node("Conv", graph.latest, *graph.parameters(call), pads=pads, group=layer.groups, **_window(layer))


def _conv_transpose2d(graph: "Graph", call: Call) -> None:
    _demand_batch(call)
    layer: Any = call.module
    output_padding = layer.output_padding
    if len(call.inputs) > 1 and call.inputs[1] is not None:  # forward(x, output_size)
        sizes = (call.inputs[0].shape, layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        output_padding = geometry.output_padding_for(call.inputs[1], *sizes, "ConvTranspose2d")
    weight, *bias = graph.parameters(call)
    options = {"group": layer.groups, **_window(layer)}
    if all(np.less(output_padding, layer.stride)):
        pads = [*layer.padding] * 2  # ONNX lists all beginnings, then all ends
        graph.node(
            "ConvTranspose", graph.latest, weight, *bias, pads=pads, output_padding=list(output_padding), **options
        )
        return
    # Less than the dilation is enough for torch, but not for all that read ONNX: so step
    # by step, as it is defined.
    (PH, PW), (OH, OW) = layer.padding, call.outputs[0].shape[2:]
    graph.node("ConvTranspose", graph.latest, weight, **options)
    graph.node("Pad", graph.latest, graph.constant(0, 0, 0, 0, 0, 0, *output_padding))
    frame = graph.constant(PH, PW), graph.constant(PH + OH, PW + OW), graph.constant(2, 3)
    graph.node("Slice", graph.latest, *frame)
    if bias:
        x = graph.latest
        graph.node("Add", x, *graph.node("Reshape", *bias, graph.constant(-1, 1, 1)))


def _last_window(n: int, K: int, S: int, P: int, D: int, out: int) -> str:
    """Where the last window of an axis ends: inside the padded image, beyond it, or
    beyond it and so dropped.

    With ceil_mode torch drops a window that would begin in the padding behind the image.
    Up to opset 21 ONNX says that such a window counts, so ceil_mode=1 must not be written
    for it.
    """
    slack = (n + 2 * P - D * (K - 1) - 1) % S
    floor = (n + 2 * P - D * (K - 1) - 1) // S + 1
    if not slack:
        return "inside"
    return "dropped" if out == floor else "beyond"


def _max_pool2d(graph: "Graph", call: Call) -> None:
    _demand_batch(call)
    layer: Any = call.module
    g = geometry.max_pool2d(call.inputs[0].shape, *layer.window)
    last = [_last_window(*axis) for axis in ((g.H, g.KH, g.SH, g.PH, g.DH, g.OH), (g.W, g.KW, g.SW, g.PW, g.DW, g.OW))]
    pads, ceil_mode = [g.PH, g.PW, g.PH, g.PW], 0
    if "dropped" not in last:
        ceil_mode = int("beyond" in last)
    elif "beyond" in last:  # no ceil_mode says both: padding that gives OH x OW exactly
        pads[2] = max(g.PH, g.padded_size[0] - g.PH - g.H)
        pads[3] = max(g.PW, g.padded_size[1] - g.PW - g.W)
    if pads[2] >= g.KH or pads[3] >= g.KW:  # more than runtimes accept: a step of its own
        if len(call.outputs) > 1:
            raise ValueError(f"onnx.export: {call} needs padding that ONNX's MaxPool cannot give with indices.")
        name = f"{graph.name}/lowest"
        graph.arrays[name] = np.array(-np.inf, call.inputs[0].dtype)
        around = graph.constant(0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3])
        graph.node("Pad", graph.latest, around, name)
        pads, ceil_mode = [0, 0, 0, 0], 0
    options = {"ceil_mode": ceil_mode} if ceil_mode else {}
    output, *indices = graph.node("MaxPool", outputs=len(call.outputs), pads=pads, **options, **_window(layer))
    if indices:  # ONNX numbers the elements of the whole tensor, torch those of a plane
        (graph.indices,) = graph.node("Mod", *indices, graph.constant(math.prod(call.inputs[0].shape[2:])))
        graph.latest = output


def _avg_pool2d(graph: "Graph", call: Call) -> None:
    """A node of its own where it means the same; else a convolution, as it is defined.

    ONNX has no divisor of one's choice, and what a window reaches behind the padding counts
    there in one version and not in the next.
    """
    _demand_batch(call)
    layer: Any = call.module
    g = geometry.max_pool2d(call.inputs[0].shape, layer.kernel_size, layer.stride, layer.padding, 1, layer.ceil_mode)
    HP, WP = g.padded_size
    window: dict[str, Any] = {"kernel_shape": [g.KH, g.KW], "strides": [g.SH, g.SW]}
    inside = HP <= g.H + 2 * g.PH and WP <= g.W + 2 * g.PW
    if inside and layer.divisor_override is None:
        pads = [g.PH, g.PW, g.PH, g.PW]
        graph.node("AveragePool", **window, pads=pads, count_include_pad=int(layer.count_include_pad))
        return
    ends = [max(HP - g.PH - g.H, 0), max(WP - g.PW - g.W, 0)]
    x = call.inputs[0]
    graph.node("Pad", graph.latest, graph.constant(0, 0, g.PH, g.PW, 0, 0, *ends))
    ones = graph.array(np.ones((g.C, 1, g.KH, g.KW), x.dtype))
    graph.node("Conv", graph.latest, ones, **window, group=g.C)
    divisor = divisor_of(g, layer.count_include_pad, layer.divisor_override, x)
    graph.node("Div", graph.latest, graph.array(divisor))


def _adaptive_avg_pool2d(graph: "Graph", call: Call) -> None:
    """To one pixel, or with windows side by side: others have no node."""
    _demand_batch(call)
    (H, W), (OH, OW) = call.inputs[0].shape[2:], call.outputs[0].shape[2:]
    if (OH, OW) == (1, 1):
        graph.node("GlobalAveragePool")
        return
    if not OH or not OW or H % OH or W % OW:
        raise ValueError(
            f"onnx.export: {call} makes {OH} x {OW} pixels of {H} x {W}; in ONNX each size must divide the input's."
        )
    kernel = [H // OH, W // OW]
    graph.node("AveragePool", kernel_shape=kernel, strides=kernel)


def _identity(graph: "Graph", call: Call) -> None:
    """No node: what comes next takes what came before."""


def _linear(graph: "Graph", call: Call) -> None:
    weight, *bias = graph.parameters(call)
    if call.inputs[0].ndim == 2:
        graph.node("Gemm", graph.latest, weight, *bias, transB=1)
        return
    x = graph.latest
    graph.node("MatMul", x, *graph.node("Transpose", weight, perm=[1, 0]))
    if bias:
        graph.node("Add", graph.latest, *bias)


def _reshape(graph: "Graph", batch: int, sizes: Sequence[int]) -> None:
    """To (batch, *sizes); a batch of 0 stays as it is, of -1 takes what is left."""
    graph.node("Reshape", graph.latest, graph.constant(batch, *sizes))


def _flatten(graph: "Graph", call: Call) -> None:
    layer: Any = call.module
    if (layer.start_dim % call.inputs[0].ndim, layer.end_dim % call.inputs[0].ndim) == (1, call.inputs[0].ndim - 1):
        graph.node("Flatten", axis=1)
        return
    _reshape(graph, -1 if layer.start_dim % call.inputs[0].ndim == 0 else 0, call.outputs[0].shape[1:])


def _unflatten(graph: "Graph", call: Call) -> None:
    layer: Any = call.module
    splits_batch = layer.dim % call.inputs[0].ndim == 0
    if splits_batch and layer.unflattened_size[0] != -1:
        raise ValueError(f"onnx.export: {call} fixes the size of the batch; write -1 for its first size.")
    _reshape(graph, -1 if splits_batch else 0, call.outputs[0].shape[1:])


def _batch_norm2d(graph: "Graph", call: Call) -> None:
    """With the running numbers; where the layer has no scale or shift, 1 and 0 are written."""
    layer: Any = call.module
    if layer.running_mean is None:
        raise ValueError(f"onnx.export: {call} has no running statistics, so an image depends on its batch.")
    prefix = f"{call.name}." if call.name else ""
    given = {"weight": layer.weight, "bias": layer.bias}
    arrays = {name: np.ones_like(layer.running_mean) * (name == "weight") for name in given}
    arrays |= {name: parameter.data for name, parameter in given.items() if parameter is not None}
    arrays |= {"running_mean": layer.running_mean, "running_var": layer.running_var}
    graph.arrays |= {prefix + name: array for name, array in arrays.items()}
    graph.node("BatchNormalization", graph.latest, *(prefix + name for name in arrays), epsilon=layer.eps)


def _layer_norm(graph: "Graph", call: Call) -> None:
    """Step by step: the node LayerNormalization came with opset 17."""
    layer: Any = call.module
    x, last = graph.latest, list(range(-len(layer.normalized_shape), 0))
    (mean,) = graph.node("ReduceMean", x, axes=last)
    (deviation,) = graph.node("Sub", x, mean)
    (square,) = graph.node("Mul", deviation, deviation)
    (var,) = graph.node("ReduceMean", square, axes=last)
    (root,) = graph.node("Sqrt", *graph.node("Add", var, graph.array(np.array(layer.eps, call.inputs[0].dtype))))
    graph.node("Div", deviation, root)
    parameters = graph.parameters(call)
    for op, parameter in zip(("Mul", "Add") if layer.weight is not None else ("Add",), parameters, strict=False):
        graph.node(op, graph.latest, parameter)


def _pointwise(op: str) -> Callable[["Graph", Call], None]:
    def add(graph: "Graph", call: Call) -> None:
        graph.node(op)

    return add


def _upsample(graph: "Graph", call: Call) -> None:
    """Resize, where each pixel becomes several; else as it is defined.

    Resize takes factors, and which pixels are read then depends on how they are rounded.
    Indices for each axis, or a matrix, leave nothing to rounding.
    """
    layer: Any = call.module
    x = call.inputs[0]
    rows, columns = grid(x.shape, layer.options, x, "onnx.export")
    (H, W), (OH, OW) = x.shape[2:], call.outputs[0].shape[2:]
    _, steps = sizes(x.shape, layer.size, layer.scale_factor, layer.recompute_scale_factor, "onnx.export")
    if OH % H == OW % W == 0 and steps == (H / OH, W / OW) and layer.mode != "nearest-exact":
        options: dict[str, Any] = {
            "mode": "nearest",
            "coordinate_transformation_mode": "asymmetric",
            "nearest_mode": "floor",
        }
        if layer.mode == "bilinear":
            places = "align_corners" if layer.align_corners else "half_pixel"
            options = {"mode": "linear", "coordinate_transformation_mode": places}
        factors = graph.array(np.array([1, 1, OH // H, OW // W], np.float32))
        graph.node("Resize", graph.latest, "", factors, **options)
    elif layer.mode == "bilinear":
        graph.node("MatMul", graph.array(_matrix(rows, H)), graph.latest)
        graph.node("MatMul", graph.latest, graph.array(_matrix(columns, W).T.copy()))
    else:
        graph.node("Gather", graph.latest, graph.array(rows[0].pixel), axis=2)
        graph.node("Gather", graph.latest, graph.array(columns[0].pixel), axis=3)


def _matrix(taps: Sequence[Tap], size: int) -> np.ndarray:
    """(outputs, pixels): the share of each pixel of an axis in each output."""
    matrix = np.zeros((len(taps[0].pixel), size), taps[0].share.dtype)
    for tap in taps:
        matrix[np.arange(len(tap.pixel)), tap.pixel] += tap.share
    return matrix


def _leaky_relu(graph: "Graph", call: Call) -> None:
    layer: Any = call.module
    graph.node("LeakyRelu", alpha=float(layer.negative_slope))


def _gelu(graph: "Graph", call: Call) -> None:
    """Step by step: the node Gelu came with opset 20."""
    layer: Any = call.module
    x = graph.latest

    def number(value: float) -> str:
        return graph.array(np.array(value, call.inputs[0].dtype))

    if layer.approximate == "tanh":
        (square,) = graph.node("Mul", x, x)
        (cubic,) = graph.node("Mul", square, number(0.044715))
        (sum_,) = graph.node("Add", cubic, number(1.0))
        (inner,) = graph.node("Mul", sum_, x)
        graph.node("Tanh", *graph.node("Mul", inner, number(math.sqrt(2 / math.pi))))
    else:
        graph.node("Erf", *graph.node("Mul", x, number(math.sqrt(0.5))))
    (share,) = graph.node("Add", graph.latest, number(1.0))
    graph.node("Mul", *graph.node("Mul", x, share), number(0.5))


def _softmax(op: str) -> Callable[["Graph", Call], None]:
    def add(graph: "Graph", call: Call) -> None:
        layer: Any = call.module
        dim = layer.dim
        if dim is None:
            dim = 0 if call.inputs[0].ndim in (0, 1, 3) else 1
        if dim % call.inputs[0].ndim == 0:
            raise ValueError(f"onnx.export: {call} adds up over the batch, so an example depends on the others.")
        graph.node(op, axis=dim)

    return add


def _add(graph: "Graph", call: Call, ends: Sequence[str]) -> None:
    graph.node("Add", *ends)


def _concat(graph: "Graph", call: Call, ends: Sequence[str]) -> None:
    layer: Any = call.module
    graph.node("Concat", *ends, axis=layer.dim % call.inputs[0].ndim)


# By their forward, which a class made of them has too.
JOINS: dict[Any, Callable[["Graph", Call, Sequence[str]], None]] = {
    nn.Residual.forward: _add,
    nn.Concat.forward: _concat,
}

NODES: dict[type, Callable[["Graph", Call], None]] = {
    nn.Conv2d: _conv2d,
    nn.ConvTranspose2d: _conv_transpose2d,
    nn.MaxPool2d: _max_pool2d,
    nn.AvgPool2d: _avg_pool2d,
    nn.AdaptiveAvgPool2d: _adaptive_avg_pool2d,
    nn.Identity: _identity,
    nn.Dropout: _identity,
    nn.Dropout2d: _identity,
    nn.BatchNorm2d: _batch_norm2d,
    nn.LayerNorm: _layer_norm,
    nn.Linear: _linear,
    nn.Flatten: _flatten,
    nn.Unflatten: _unflatten,
    nn.ReLU: _pointwise("Relu"),
    nn.Upsample: _upsample,
    nn.LeakyReLU: _leaky_relu,
    nn.GELU: _gelu,
    nn.Softmax: _softmax("Softmax"),
    nn.LogSoftmax: _softmax("LogSoftmax"),
    nn.Sigmoid: _pointwise("Sigmoid"),
    nn.Tanh: _pointwise("Tanh"),
}
