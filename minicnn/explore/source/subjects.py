"""What can be walked through: which program runs, and which of its functions is opened.

Each program is an ordinary one (a layer's forward, its backward, an optimizer's step) on
the layer bench's numbers. The walk begins where the chosen function is called in it. So
the function is given what the layer gives it, and nothing is set up for show.
"""

from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from ... import nn, optim
from ...kernels import numpy_textbook as textbook
from .. import ask
from ..layer_bench import Bench

Program = Callable[[], Any]


class Subject(NamedTuple):
    """`prepare(bench)` does what comes before, and gives the program to be recorded."""

    name: str
    group: str
    layer: str  # the layer on the bench; "" where any will do
    root: CodeType
    prepare: Callable[[Bench], Program]


def code_of(function: Any) -> CodeType:
    """Of a decorated function too."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function.__code__


# ------------------------------------------------------------------------- the programs


def forward(bench: Bench) -> Program:
    return lambda: bench.forward(bench.x)


def backward(bench: Bench) -> Program:
    bench.layer.zero_grad()
    bench.forward(bench.x)
    return lambda: bench.layer.backward(bench.grad_output)


def _relu(bench: Bench) -> tuple[nn.Module, tuple, np.ndarray]:
    """ReLU on what the layer gives."""
    return nn.ReLU(), (bench.output,), bench.grad_output


def rows(bench: Bench) -> np.ndarray:
    """(C H, W): each row of the bench's input as one example with W features."""
    return bench.x.reshape(-1, bench.x.shape[-1])


def _fill(layer: nn.Module, seed: int, dtype: Any) -> None:
    """Small integers for its parameters, as on the bench."""
    for offset, parameter in enumerate(layer.parameters()):
        parameter.data = ask.filled(None, parameter.shape, seed + offset, -2, 2).astype(dtype)


def _linear(bench: Bench) -> tuple[nn.Module, tuple, np.ndarray]:
    """Linear on the rows, as many features out as the bench has output channels."""
    x = rows(bench)
    seed = bench.setting.seed
    layer = nn.Linear(x.shape[1], bench.output_shape[0], dtype=bench.dtype)
    _fill(layer, seed + 1, bench.dtype)
    grad_output = ask.filled(None, (len(x), bench.output_shape[0]), seed + 3).astype(bench.dtype)
    return layer, (x,), grad_output


def _cross_entropy(bench: Bench) -> tuple[nn.Module, tuple, Any]:
    """The rows as logits: W classes; the true ones are drawn."""
    logits = rows(bench)
    target = ask.filled(None, (len(logits),), bench.setting.seed + 4, 0, logits.shape[1] - 1).astype(np.int64)
    return nn.CrossEntropyLoss(), (logits, target), bench.dtype(1)


def _of(make: Callable[[Bench], tuple[nn.Module, tuple, Any]], backwards: bool) -> Callable[[Bench], Program]:
    def prepare(bench: Bench) -> Program:
        layer, inputs, grad_output = make(bench)
        if not backwards:
            return lambda: layer(*inputs)
        layer(*inputs)
        return lambda: layer.backward(grad_output)

    return prepare


def _second_step(make: Callable[[Any], optim.Optimizer]) -> Callable[[Bench], Program]:
    """An optimizer's second step on the kernel, with the gradient that backward gives:
    in the first the averages are still empty.
    """

    def prepare(bench: Bench) -> Program:
        backward(bench)()
        optimizer = make([bench.layer.weight])
        optimizer.step()
        return optimizer.step

    return prepare


def _chain(backwards: bool) -> Callable[[Bench], Program]:
    def prepare(bench: Bench) -> Program:
        model, x = chain(bench)
        if not backwards:
            return lambda: model(x)
        output = model(x)
        grad_output = ask.filled(None, output.shape, bench.setting.seed + 3).astype(bench.dtype)
        return lambda: model.backward(grad_output)

    return prepare


def chain(bench: Bench) -> tuple[nn.Sequential, np.ndarray]:
    """The bench's layer with ReLU, Flatten and Linear behind it, and one image for it."""
    seed = bench.setting.seed
    last = nn.Linear(int(np.prod(bench.output_shape)), 2, dtype=bench.dtype)
    _fill(last, seed + 5, bench.dtype)
    if bench.pooling:
        bench.layer.return_indices = False
    return nn.Sequential(bench.layer, nn.ReLU(), nn.Flatten(), last), bench.x[None]


# ------------------------------------------------------------------------- the subjects


def _subjects() -> dict[str, Subject]:
    found = []

    def add(group: str, layer: str, prepare: Any, *functions: Any) -> None:
        for function in functions:
            name = function.__qualname__ if "." in function.__qualname__ else function.__name__
            found.append(Subject(name, group, layer, code_of(function), prepare))

    add("convolution", "Conv2d", forward, textbook.im2col, textbook.conv2d)
    add("convolution", "Conv2d", backward, textbook.conv2d_grad_input, textbook.col2im, textbook.conv2d_grad_weight)
    add("convolution", "Conv2d", backward, textbook.grad_bias)
    add("pooling", "MaxPool2d", forward, textbook.max_pool2d)
    add("pooling", "MaxPool2d", backward, textbook.max_pool2d_grad)
    add("linear", "Conv2d", _of(_linear, False), textbook.linear)
    add("linear", "Conv2d", _of(_linear, True), textbook.linear_grad_input, textbook.linear_grad_weight)
    add("pointwise", "Conv2d", _of(_relu, False), textbook.relu)
    add("pointwise", "Conv2d", _of(_relu, True), textbook.relu_grad)
    add("loss", "Conv2d", _of(_cross_entropy, False), textbook.cross_entropy)
    add("loss", "Conv2d", _of(_cross_entropy, True), textbook.cross_entropy_grad)
    add("optimizer", "Conv2d", _second_step(lambda params: optim.Adam(params, lr=0.1)), textbook.adam)
    add("optimizer", "Conv2d", _second_step(lambda params: optim.SGD(params, lr=0.1, momentum=0.9)), textbook.sgd)
    for layer in (nn.Conv2d, nn.MaxPool2d, nn.ConvTranspose2d):
        add("layers", layer.__name__, forward, layer.forward)
        add("layers", layer.__name__, backward, layer.backward)
    made: Any
    for made, make in ((nn.Linear, _linear), (nn.ReLU, _relu), (nn.CrossEntropyLoss, _cross_entropy)):
        add("layers", "Conv2d", _of(make, False), made.forward)
        add("layers", "Conv2d", _of(make, True), made.backward)
    add("chain", "", _chain(False), nn.Sequential.forward)
    add("chain", "", _chain(True), nn.Sequential.backward)
    return {subject.name: subject for subject in found}


SUBJECTS = _subjects()


def _files() -> frozenset[str]:
    """The textbook, the layers, and what lies between them. Left out: the checks, and the
    housekeeping of modules, which compute nothing.
    """
    folders = (Path(textbook.__file__).parent, Path(nn.__file__).parent)
    quiet = {"checks.py", "init.py", "module.py", "parameter.py", "passes.py", "watch.py"}
    found = [path for folder in folders for path in sorted(folder.glob("*.py"))]
    found += sorted((Path(nn.__file__).parent / "functional").glob("*.py"))
    return frozenset(str(path) for path in found if path.name not in quiet)


FILES = _files()
