"""What is asked of the functions of one number and of their gradients."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minicnn.nn import functional as F

from ..cases import Case, Requirement, integers


def pointwise(name: str) -> Callable[[np.random.Generator, list[str]], Iterator[Requirement]]:
    function = getattr(F, name)

    def made(rng: np.random.Generator, arguments: list[str]) -> Iterator[Requirement]:
        def line(which: str, points: int, x: np.ndarray) -> Requirement:
            return Requirement(name, which, points, [Case({"input": x}, {}, {"output": function(x)})])

        yield line("plain", 1, integers(rng, 3, 4) / 2)
        if name == "sigmoid":
            yield line("far", 1, np.array([[-800.0, 800.0, 0.0]]))
        yield line("all", 1, integers(rng, 2, 2, 3, 2) / 4)

    return made


def pointwise_backward(name: str) -> Callable[[np.random.Generator, list[str]], Iterator[Requirement]]:
    function, backward = getattr(F, name), getattr(F, f"{name}_backward")

    def made(rng: np.random.Generator, arguments: list[str]) -> Iterator[Requirement]:
        def line(which: str, points: int, x: np.ndarray) -> Requirement:
            given: dict[str, Any] = {"grad_output": integers(rng, *x.shape), "output": function(x)}
            return Requirement(
                f"{name}_backward", which, points, [Case(given, {}, {"grad_input": backward(*given.values())})]
            )

        x = integers(rng, 3, 4) / 2
        yield line("plain", 1, np.abs(x) if name == "relu" else x)
        if name == "relu":
            yield line("zero", 1, np.zeros((2, 3)))
        yield line("all", 1, integers(rng, 2, 2, 3, 2) / 4)

    return made
