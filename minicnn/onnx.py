"""Models for other programs, in the ONNX format: `minicnn.onnx.export`, or `python -m
minicnn.onnx RUN model.onnx`.

A model can be exported if it is a chain: each layer works on what the one before it
gave. To find out, it is run once on random numbers and watched (`nn.watch`). So
whatever a model calls its parts, and however it nests them, only what it does counts.
"""

import argparse
import copy
import math
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

import minicnn

from . import geometry, nn
from .command import check_new, start
from .nn.watch import Call, chain
from .saved.files import write_whole
from .trained import Trained

OPSET = 19  # the first in which Pad can wrap around


def export(model: nn.Module, path: str | Path, input_shape: Sequence[int]) -> None:
    """Write `model` to an ONNX file; `input_shape` is that of one batch, such as (1, 1,
    28, 28).

    The first dimension, the batch, may have any size later. Input and output are called
    "input" and "output"; weights have their names in `state_dict()`, and its layouts. A
    last MaxPool2d with return_indices gives "indices" too, numbered as minicnn does it,
    within each plane. Needs the extra `onnx`.
    """
    onnx = _onnx()
    shape = _checked_shape(input_shape)
    arrays = model.state_dict()
    others = [
        f"{name} is a {type(array).__name__}" for name, array in arrays.items() if not isinstance(array, np.ndarray)
    ]
    if others:
        raise TypeError(f'onnx.export: takes models of NumPy arrays, but {others[0]}: call model.to("numpy") first.')
    dtype = next((array.dtype for array in arrays.values()), np.dtype(np.float32))
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    try:
        calls, result = chain(copy.deepcopy(model).eval(), x)
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


def _checked_shape(input_shape: Sequence[int]) -> tuple[int, ...]:
    shape = tuple(input_shape)
    if len(shape) < 2 or any(isinstance(n, bool) or not hasattr(n, "__index__") or n < 1 for n in shape):
        raise ValueError(
            "onnx.export: input_shape must be the shape of a batch, sizes of at least 1 with the batch's "
            "first, such as "
            f"(1, 1, 28, 28), got {input_shape!r}."
        )
    return shape


def _onnx() -> Any:
    try:
        import_module("onnx.checker")
        return import_module("onnx")
    except ImportError as error:
        raise ImportError("ONNX files are written with the package onnx: pip install 'minicnn[onnx]'.") from error


# ---------------------------------------------------------------------- layers as nodes


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

    def parameters(self, call: Call) -> list[str]:
        """Weight, and bias if there is one, under their own names."""
        prefix = f"{call.name}." if call.name else ""
        found = {f"{prefix}{name}": parameter.data for name, parameter in call.module.named_parameters()}
        self.arrays |= found
        return list(found)

    def node(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        """One more node, by default on the latest result, and its result the latest
        from now on.
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
        opset = [helper.make_opsetid("", OPSET)]
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
    # Less than the dilation is enough for torch, but not for all that read ONNX: so
    # step by step, as it is defined.
    (PH, PW), (OH, OW) = layer.padding, call.outputs[0].shape[2:]
    graph.node("ConvTranspose", graph.latest, weight, **options)
    graph.node("Pad", graph.latest, graph.constant(0, 0, 0, 0, 0, 0, *output_padding))
    frame = graph.constant(PH, PW), graph.constant(PH + OH, PW + OW), graph.constant(2, 3)
    graph.node("Slice", graph.latest, *frame)
    if bias:
        x = graph.latest
        graph.node("Add", x, *graph.node("Reshape", *bias, graph.constant(-1, 1, 1)))


def _max_pool2d(graph: _Graph, call: Call) -> None:
    _demand_batch(call)
    layer: Any = call.module
    # With ceil_mode, programs differ on a last window that starts beyond the image:
    # padding that gives OH x OW exactly does not.
    g = geometry.max_pool2d(call.inputs[0].shape, *layer.window)
    pads = [g.PH, g.PW, max(g.PH, g.padded_size[0] - g.PH - g.H), max(g.PW, g.padded_size[1] - g.PW - g.W)]
    output, *indices = graph.node("MaxPool", outputs=len(call.outputs), pads=pads, **_window(layer))
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


def _pointwise(op: str) -> Callable[[_Graph, Call], None]:
    def add(graph: _Graph, call: Call) -> None:
        graph.node(op)

    return add


NODES: dict[type, Callable[[_Graph, Call], None]] = {
    nn.Conv2d: _conv2d,
    nn.ConvTranspose2d: _conv_transpose2d,
    nn.MaxPool2d: _max_pool2d,
    nn.Linear: _linear,
    nn.Flatten: _flatten,
    nn.Unflatten: _unflatten,
    nn.ReLU: _pointwise("Relu"),
    nn.Sigmoid: _pointwise("Sigmoid"),
    nn.Tanh: _pointwise("Tanh"),
}


# --------------------------------------------------------------------- the command line


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m minicnn.onnx",
        description="Export what a training run learnt to an ONNX file, for any batch size.",
        allow_abbrev=False,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder, such as runs/simplecnn-seed0")
    parser.add_argument("target", type=Path, metavar="FILE", help="the file to write, such as model.onnx")
    parser.add_argument("--force", action="store_true", help="overwrite FILE")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status."""
    parser = make_parser()
    args = parser.parse_args(arguments)
    try:
        check_new(args.target, args.force)
        model = Trained(args.run).model
        export(model, args.target, (1, *model.input_shape))
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        parser.error(str(error))
    sizes = ", ".join(map(str, model.input_shape))
    print(
        f"{args.target}: {type(model).__name__}, input (N, {sizes}), {args.target.stat().st_size:,} "
        f"bytes, opset {OPSET}"
    )
    return 0


if __name__ == "__main__":
    start(main)
