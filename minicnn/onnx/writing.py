"""Models for other programs, in the ONNX format: `minicnn.onnx.export`.

A model can be exported if it is a chain: each layer works on what the one before it gave. A
link may be a Residual or a Concat, whose branches are chains. To find out, the model is run
once on random numbers and watched (`nn.watch`). So whatever it calls its parts, and however it
nests them, only what it does counts.

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
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

import minicnn

from .. import nn
from ..nn.watch import Call, Join, chain_with_joins
from ..saved.files import write_whole
from .nodes import JOINS, NODES

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
        steps, result = chain_with_joins(model, x)
    except ValueError as error:
        raise ValueError(f"onnx.export: {error}") from error
    graph = Graph(onnx)
    graph.write(steps)
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


# -------------------------------------------------------------------- what is collected


class Graph:
    """Collects nodes and arrays; each node takes what the last one gave, each branch of a join
    what came before the join.
    """

    def __init__(self, onnx: Any):
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.arrays: dict[str, np.ndarray] = {}
        self.latest, self.name = "input", ""
        self.indices: str | None = None

    def write(self, steps: Sequence[Call | Join]) -> None:
        for step in steps:
            if isinstance(step, Join):
                ends = []
                start = self.latest
                for branch in step.branches:
                    self.latest = start
                    self.write(branch)
                    ends.append(self.latest)
                self.begin(step.call)
                JOINS[type(step.call.module).forward](self, step.call, ends)
            elif type(step.module) in NODES:
                self.begin(step)
                NODES[type(step.module)](self, step)
            else:
                known = ", ".join(kind.__name__ for kind in NODES)
                raise ValueError(
                    f"onnx.export: {step} has no counterpart in ONNX that is known here; these have: {known}."
                )

    def begin(self, call: Call) -> None:
        self.name, self.indices = call.name or type(call.module).__name__, None

    def constant(self, *numbers: int) -> str:
        """The name of a list of integers."""
        name = f"{self.name}/constant_{len(self.arrays)}"
        self.arrays[name] = np.array(numbers)
        return name

    def array(self, array: np.ndarray) -> str:
        """The name of an array that is no parameter."""
        name = f"{self.name}/array_{len(self.arrays)}"
        self.arrays[name] = array
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
