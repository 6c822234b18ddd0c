"""Models for other programs, in the ONNX format: `minicnn.onnx.export`.

A model can be exported if it is a chain: each layer works on what the one before it gave.
To find out, it is run once on random numbers and watched (`nn.watch`). So whatever a
model calls its parts, and however it nests them, only what it does counts.

What runtimes do otherwise with the same file (seen with ONNX Runtime 1.32, OpenVINO 2026.4,
OpenCV 4.12 and 5.0, tract 0.23, MNN 3.6):

    ONNX Runtime    Sigmoid is 0 from -18 on, and 17 % off at -15: use logits
    OpenVINO        bfloat16 where the processor has it; INFERENCE_PRECISION_HINT f32 ends it
    OpenVINO, tract refuse circular padding
    OpenCV 4, MNN   ignore the dilation of a pooling, silently
    OpenCV 5        wrong numbers in float64, silently
    all             NaN and -infinity do not survive their pooling
"""

import copy
import math
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

import minicnn

from .. import geometry, nn
from ..nn.watch import Call, chain
from ..saved.files import write_whole

OPSET = 13  # old enough for all runtimes in use
WRAPPING = 19  # the first in which Pad can wrap around, for circular padding alone


def export(
    model: nn.Module, path: str | Path, batch_shape: Sequence[int], dtype: type | np.dtype | str | None = None
) -> None:
    """Write `model` to an ONNX file; `batch_shape` is the shape of one batch, such as
    (1, 1, 28, 28).

    It is (1, *input_shape) for what `summary` and the models call input_shape, the shape
    of one example. The batch may have any size later. Input and output are called "input"
    and "output"; weights have their names in `state_dict()`, and its layouts. A last
    MaxPool2d with return_indices gives "indices" too, numbered as minicnn does it, within
    each plane. Needs the extra `onnx`.

    `dtype` is that of the file, by default the model's if that is float32. Few runtimes
    compute in float64, so a model of float64 is refused until dtype says what to write:
    np.float32 rounds its weights, np.float64 keeps them.
    """
    onnx = _onnx()
    shape = _checked_shape(batch_shape)
    arrays = model.state_dict()
    others = [
        f"{name} is a {type(array).__name__}" for name, array in arrays.items() if not isinstance(array, np.ndarray)
    ]
    if others:
        raise TypeError(f'onnx.export: takes models of NumPy arrays, but {others[0]}: call model.to("numpy") first.')
    found = next((array.dtype for array in arrays.values()), np.dtype(np.float32))
    kind = _checked_dtype(found, dtype)
    x = np.random.default_rng(0).standard_normal(shape).astype(kind)
    model = copy.deepcopy(model).eval()
    if kind != found:
        floats = {name: array for name, array in arrays.items() if array.dtype.kind == "f"}
        model.load_state_dict({name: array.astype(kind) for name, array in floats.items()}, strict=False)
    try:
        calls, result = chain(model, x)
    except ValueError as error:
        raise ValueError(f"onnx.export: {error}") from error
    graph = _Graph(onnx)
    for call in calls:
        if type(call.module) not in NODES:
            known = ", ".join(kind.__name__ for kind in NODES)
            raise ValueError(f"onnx.export: {call} has no counterpart in ONNX that is known here; these have: {known}.")
        graph.begin(call)
        NODES[type(call.module)](graph, call)
    content = graph.finish(x, result).SerializeToString()
    write_whole(Path(path), content)


def _checked_shape(batch_shape: Sequence[int]) -> tuple[int, ...]:
    shape = tuple(batch_shape)
    if len(shape) < 2 or any(isinstance(n, bool) or not hasattr(n, "__index__") or n < 1 for n in shape):
        raise ValueError(
            f"onnx.export: batch_shape must be the shape of a batch, sizes of at least 1 with the batch's first, "
            f"such as (1, 1, 28, 28), got {batch_shape!r}."
        )
    return shape


def _checked_dtype(found: np.dtype, wanted: type | np.dtype | str | None) -> np.dtype:
    if wanted is None and found == np.float64:
        raise ValueError(
            "onnx.export: the model is float64, which few runtimes compute: pass dtype=np.float32 to round "
            "its weights, or dtype=np.float64 to keep them."
        )
    chosen = found if wanted is None else np.dtype(wanted)
    if chosen.name not in ("float32", "float64"):
        raise ValueError(f"onnx.export: dtype must be float32 or float64, got {chosen}.")
    return chosen


def _onnx() -> Any:
    try:
        import_module("onnx.checker")
        return import_module("onnx")
    except ImportError as error:
        raise ImportError("ONNX files are written with the package onnx: pip install 'minicnn[onnx]'.") from error


# ------------------------------------------------------------------------ layers as nodes


class _Graph:
    """Collects nodes and arrays; each node takes what the last one gave."""

    def __init__(self, onnx: Any):
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.arrays: dict[str, np.ndarray] = {}
        self.latest, self.name = "input", ""
        self.indices: str | None = None

    def begin(self, call: Call) -> None:
        self.name, self.indices = call.name or type(call.module).__name__, None

    def constant(self, *numbers: int) -> str:
        """The name of a list of integers."""
        name = f"{self.name}/constant_{len(self.arrays)}"
        self.arrays[name] = np.array(numbers)
        return name

    def number(self, value: float, call: Call) -> str:
        """The name of one number of the input's dtype."""
        name = f"{self.name}/number_{len(self.arrays)}"
        self.arrays[name] = np.array(value, call.inputs[0].dtype)
        return name

    def parameters(self, call: Call) -> list[str]:
        """Weight, and bias if there is one, under their own names."""
        prefix = f"{call.name}." if call.name else ""
        found = {f"{prefix}{name}": parameter.data for name, parameter in call.module.named_parameters()}
        self.arrays |= found
        return list(found)

    def node(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        """One more node, by default on the latest result, and its result the latest from
        now on.
        """
        number = len(self.nodes)
        names = [f"{self.name}/{op}_{number}" + f"_{k}" * (k > 0) for k in range(outputs)]
        made = self.onnx.helper.make_node(
            op, inputs or [self.latest], names, f"{self.name}/{op}_{number}", **attributes
        )
        self.nodes.append(made)
        self.latest = names[0]
        return names

    def finish(self, x: np.ndarray, results: tuple[np.ndarray, ...]) -> Any:
        helper = self.onnx.helper

        def declared(name: str, array: np.ndarray) -> Any:
            batch = "N" if array.ndim and array.shape[0] == x.shape[0] else None
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            return helper.make_tensor_value_info(name, kind, [batch, *array.shape[1:]][: array.ndim])

        named = {"output": self.latest} | ({"indices": self.indices} if self.indices and len(results) > 1 else {})
        for name, inner in named.items():
            self.nodes.append(helper.make_node("Identity", [inner], [name]))
        outputs = [declared(*pair) for pair in zip(named, results, strict=True)]
        arrays = [self.onnx.numpy_helper.from_array(array, name) for name, array in self.arrays.items()]
        graph = helper.make_graph(self.nodes, "minicnn", [declared("input", x)], outputs, arrays)
        wraps = any(node.op_type == "Pad" and any(a.s == b"wrap" for a in node.attribute) for node in self.nodes)
        opset = [helper.make_opsetid("", WRAPPING if wraps else OPSET)]
        made = helper.make_model(
            graph, opset_imports=opset, producer_name="minicnn", producer_version=minicnn.__version__
        )
        made.ir_version = helper.find_min_ir_version_for(opset)
        self.onnx.checker.check_model(made, full_check=True)
        return made


def _window(layer: Any) -> dict[str, Any]:
    """The attributes that all sliding windows share."""
    pairs = {"kernel_shape": layer.kernel_size, "strides": layer.stride, "dilations": layer.dilation}
    return {name: list(geometry.pair(value, name, 1, "onnx.export")) for name, value in pairs.items()}


def _demand_batch(call: Call) -> None:
    if call.inputs[0].ndim != 4:
        raise ValueError(
            f"onnx.export: {call} gets {call.inputs[0].shape}; in ONNX it takes batches only, (N, C, H, W)."
        )


def _conv2d(graph: _Graph, call: Call) -> None:
    _demand_batch(call)
    layer: Any = call.module
    (PT, PB), (PL, PR) = geometry.conv_padding(layer.padding, layer.kernel_size, layer.stride, layer.dilation, "Conv2d")
    pads = [PT, PL, PB, PR]
    if layer.padding_mode != "zeros":
        mode = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[layer.padding_mode]
        graph.node("Pad", graph.latest, graph.constant(0, 0, PT, PL, 0, 0, PB, PR), mode=mode)
        pads = [0, 0, 0, 0]
    graph.node("Conv", graph.latest, *graph.parameters(call), pads=pads, group=layer.groups, **_window(layer))


def _conv_transpose2d(graph: _Graph, call: Call) -> None:
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


def _max_pool2d(graph: _Graph, call: Call) -> None:
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


def _linear(graph: _Graph, call: Call) -> None:
    weight, *bias = graph.parameters(call)
    if call.inputs[0].ndim == 2:
        graph.node("Gemm", graph.latest, weight, *bias, transB=1)
        return
    x = graph.latest
    graph.node("MatMul", x, *graph.node("Transpose", weight, perm=[1, 0]))
    if bias:
        graph.node("Add", graph.latest, *bias)


def _reshape(graph: _Graph, batch: int, sizes: Sequence[int]) -> None:
    """To (batch, *sizes); a batch of 0 stays as it is, of -1 takes what is left."""
    graph.node("Reshape", graph.latest, graph.constant(batch, *sizes))


def _flatten(graph: _Graph, call: Call) -> None:
    layer: Any = call.module
    if (layer.start_dim % call.inputs[0].ndim, layer.end_dim % call.inputs[0].ndim) == (1, call.inputs[0].ndim - 1):
        graph.node("Flatten", axis=1)
        return
    _reshape(graph, -1 if layer.start_dim % call.inputs[0].ndim == 0 else 0, call.outputs[0].shape[1:])


def _unflatten(graph: _Graph, call: Call) -> None:
    layer: Any = call.module
    splits_batch = layer.dim % call.inputs[0].ndim == 0
    if splits_batch and layer.unflattened_size[0] != -1:
        raise ValueError(f"onnx.export: {call} fixes the size of the batch; write -1 for its first size.")
    _reshape(graph, -1 if splits_batch else 0, call.outputs[0].shape[1:])


def _batch_norm2d(graph: _Graph, call: Call) -> None:
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


def _layer_norm(graph: _Graph, call: Call) -> None:
    """Step by step: the node LayerNormalization came with opset 17."""
    layer: Any = call.module
    x, last = graph.latest, list(range(-len(layer.normalized_shape), 0))
    (mean,) = graph.node("ReduceMean", x, axes=last)
    (deviation,) = graph.node("Sub", x, mean)
    (square,) = graph.node("Mul", deviation, deviation)
    (var,) = graph.node("ReduceMean", square, axes=last)
    (root,) = graph.node("Sqrt", *graph.node("Add", var, graph.number(layer.eps, call)))
    graph.node("Div", deviation, root)
    parameters = graph.parameters(call)
    for op, parameter in zip(("Mul", "Add") if layer.weight is not None else ("Add",), parameters, strict=False):
        graph.node(op, graph.latest, parameter)


def _pointwise(op: str) -> Callable[[_Graph, Call], None]:
    def add(graph: _Graph, call: Call) -> None:
        graph.node(op)

    return add


NODES: dict[type, Callable[[_Graph, Call], None]] = {
    nn.Conv2d: _conv2d,
    nn.ConvTranspose2d: _conv_transpose2d,
    nn.MaxPool2d: _max_pool2d,
    nn.BatchNorm2d: _batch_norm2d,
    nn.LayerNorm: _layer_norm,
    nn.Linear: _linear,
    nn.Flatten: _flatten,
    nn.Unflatten: _unflatten,
    nn.ReLU: _pointwise("Relu"),
    nn.Sigmoid: _pointwise("Sigmoid"),
    nn.Tanh: _pointwise("Tanh"),
}
