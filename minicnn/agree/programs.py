"""A configuration of an operation as the text of a small program, which is run, and printed
when a result is wrong: what you paste is what was tried.
"""

from typing import Any, NamedTuple

from .bounds import OPTIMISERS

IMPORTS = """import numpy as np
import torch

import minicnn
from minicnn.nn import Parameter
from minicnn.nn import functional as F

"""
HEAD = f"""{IMPORTS}
def double(array):
    return torch.tensor(np.asarray(array, np.float64 if array.dtype.kind == "f" else None))

"""


class Trial(NamedTuple):
    """One configuration of one operation."""

    operation: str
    arrays: dict[str, str]  # name -> the expression that draws it; `rng` is the generator
    options: dict[str, Any]  # keyword arguments that are no arrays
    keywords: tuple[str, ...] = ()  # arrays that are passed by name
    leaves: tuple[str, ...] = ("input",)  # arrays whose gradients are compared
    terms: tuple[int, ...] = ()  # the largest number of products in a sum: of the output, then of each gradient
    kept: str = ""  # what the gradient takes behind grad_output, where that is not what forward took

    def call(self, double: str = "{}") -> str:
        """The keyword arguments as text."""
        given = [f"{name}={value!r}" for name, value in self.options.items()]
        for name in self.keywords:
            given.append(f"{name}={name if name in self.leaves else double.format(name)}")
        return "".join(f", {text}" for text in given)

    def draws(self, dtype: str) -> list[str]:
        """The arrays as text, a line for each."""
        return [f"{name} = {text.replace('DTYPE', repr(dtype))}" for name, text in self.arrays.items()]

    def program(self, backend: str, dtype: str, seed: int) -> str:
        """Computes `results` here and `expected` by torch in float64, both {name: array}."""
        lines = [f"minicnn.set_backend({backend!r})", f"rng = np.random.default_rng({seed})", *self.draws(dtype), ""]
        body = _optimiser if self.operation in OPTIMISERS else _function
        return HEAD + "\n".join([*lines, *body(self), ""])


def _inputs(trial: Trial) -> list[str]:
    """The arrays that are passed by place."""
    return [array for array in trial.arrays if array not in (*trial.keywords, "grad_output")]


def forward_and_backward(trial: Trial) -> list[str]:
    """An operation in `functional` as the body of a function; its gradients take what each
    kind of operation keeps.
    """
    name, call = trial.operation, trial.call()
    inputs = _inputs(trial)
    taken = ", ".join(inputs)
    grads = ", ".join(f"grad_{leaf}" for leaf in trial.leaves)
    if name == "max_pool2d":
        forward = f"output, indices = F.{name}({taken}{call}, return_indices=True)"
        backward = f"F.{name}_backward(grad_output, indices, input.shape{call})"
    elif name in ("dropout", "dropout2d"):
        forward = f"minicnn.manual_seed(0)\noutput, mask = F.{name}({taken}{call}, return_mask=True)"
        backward = f"F.{name}_backward(grad_output, mask)"
    else:
        forward = f"output = F.{name}({taken}{call})"
        kept = {"relu": "output", "sigmoid": "output", "tanh": "output"}.get(name, ", ".join(inputs[:2]))
        backward = f"F.{name}_backward(grad_output, {trial.kept or kept + call})"
    several = f"{grads}, *_" if len(trial.leaves) > 1 else grads
    results = ", ".join(f'"{result}": {result}' for result in ("output", *grads.split(", ")))
    return [*forward.split("\n"), f"{several} = {backward}", f"return {{{results}}}"]


def _function(trial: Trial) -> list[str]:
    """Forward and backward here, and by torch."""
    *ours, results = forward_and_backward(trial)
    theirs = ", ".join(array if array in trial.leaves else f"double({array})" for array in _inputs(trial))
    by_torch = f"torch.nn.functional.{trial.operation}({theirs}{trial.call('double({})')})"
    if trial.operation in ("dropout", "dropout2d"):
        by_torch = "input * double(mask)"  # its random numbers are others
    return [
        *ours,
        results.replace("return", "results =", 1),
        "",
        "",
        f"def theirs({', '.join(trial.leaves)}):",
        f"    return {by_torch}",
        "",
        "",
        f"leaves = [double(array).requires_grad_() for array in [{', '.join(trial.leaves)}]]",
        "output = theirs(*leaves)",
        "grads = torch.autograd.grad(output, leaves, double(grad_output))",
        "expected = dict(zip(results, [output.detach().numpy(), *(grad.numpy() for grad in grads)]))",
    ]


def steps(trial: Trial) -> list[str]:
    """An optimiser's steps as the body of a function."""
    return [
        "parameter = Parameter(start)",
        f"optimizer = minicnn.optim.{trial.operation}([parameter]{trial.call()})",
        "for grad in grads:",
        "    parameter.grad = grad",
        "    optimizer.step()",
        'return {"param": parameter.data}',
    ]


def _optimiser(trial: Trial) -> list[str]:
    name, call = trial.operation, trial.call()
    return [
        "ours, theirs = Parameter(start.copy()), torch.nn.Parameter(double(start))",
        f"steps = minicnn.optim.{name}([ours]{call}), torch.optim.{name}([theirs]{call})",
        "for grad in grads:",
        "    ours.grad, theirs.grad = grad, double(grad)",
        "    for optimizer in steps:",
        "        optimizer.step()",
        'results, expected = {"param": ours.data}, {"param": theirs.detach().numpy()}',
    ]
