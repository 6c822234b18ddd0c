"""All requirements of an assignment."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import minicnn

from .cases import Case, Requirement
from .lines import convolution, linear, losses, optimizers, pointwise, pooling

_MADE: dict[str, Callable[[np.random.Generator, list[str]], Iterator[Requirement]]] = {
    "conv2d": convolution.conv2d,
    "conv2d_backward": convolution.conv2d_backward,
    "max_pool2d": pooling.max_pool2d,
    "max_pool2d_backward": pooling.max_pool2d_backward,
    "linear": linear.linear,
    "linear_backward": linear.linear_backward,
    **{
        f"{name}{end}": made(name)
        for name in ("relu", "sigmoid", "tanh")
        for end, made in (("", pointwise.pointwise), ("_backward", pointwise.pointwise_backward))
    },
    "cross_entropy": losses.cross_entropy,
    "cross_entropy_backward": losses.cross_entropy_backward,
    "mse_loss": losses.mse_loss,
    "mse_loss_backward": losses.mse_loss_backward,
    "adam": optimizers.adam,
    "sgd": optimizers.sgd,
}
FUNCTIONS = tuple(_MADE)
OPERATIONS = tuple(name for name in FUNCTIONS if not name.endswith("_backward"))


def requirements(functions: list[str], arguments: list[str], seed: int) -> list[Requirement]:
    """Those of the functions, in their order; the seed decides on the numbers alone."""
    found = []
    with minicnn.use_backend("numpy"):
        for name in functions:
            rng = np.random.default_rng((seed, FUNCTIONS.index(name)))
            made = list(_MADE[name](rng, arguments))
            found += [*made, *_formal(name, made[-1].cases[0], name.endswith("_backward"))]
    return found


def _formal(function: str, case: Case, gradient: bool) -> Iterator[Requirement]:
    """What every function must do, shown by one case of the line `all`."""
    single = {name: _in_float32(value) for name, value in case.arguments.items()}
    results = {name: None if value is None else value.astype(np.float32) for name, value in case.results.items()}
    if all(np.ndim(value) for value in case.results.values() if value is not None):
        yield Requirement(function, "dtype", 1, [case._replace(arguments=single, results=results)], "dtype")
    yield Requirement(function, "unchanged", 1, [case], "unchanged")
    if gradient:
        yield Requirement(function, "again", 1, [case], "again")


def _in_float32(value: Any) -> Any:
    return value.astype(np.float32) if isinstance(value, np.ndarray) and value.dtype == np.float64 else value
