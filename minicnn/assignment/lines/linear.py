"""What is asked of linear and of its gradient."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minicnn.nn import functional as F

from ..cases import GRADS, Case, Requirement, integers


def linear(rng: np.random.Generator, arguments: list[str]) -> Iterator[Requirement]:
    def line(name: str, points: int, N: int, bias: bool) -> Requirement:
        cases = []
        for features, outputs in ((3, 2), (2, 4)):
            b = integers(rng, outputs) if bias else np.zeros(outputs)
            given: dict[str, Any] = {
                "input": integers(rng, N, features),
                "weight": integers(rng, outputs, features),
                "bias": b,
            }
            cases.append(Case(given, {}, {"output": F.linear(*given.values())}))
        return Requirement("linear", name, points, cases)

    yield line("plain", 2, 1, False)
    yield line("batch", 1, 3, False)
    yield line("bias", 1, 1, True)
    yield line("all", 1, 3, True)


def linear_backward(rng: np.random.Generator, arguments: list[str]) -> Iterator[Requirement]:
    def line(name: str, points: int, N: int, looked_at: tuple[str, ...]) -> Requirement:
        cases = []
        for features, outputs in ((3, 2), (2, 4)):
            shapes = ((N, outputs), (N, features), (outputs, features))
            given: dict[str, Any] = dict(
                zip(("grad_output", "input", "weight"), (integers(rng, *s) for s in shapes), strict=True)
            )
            made = dict(zip(GRADS, F.linear_backward(*given.values()), strict=True))
            cases.append(Case(given, {}, {key: made[key] if key in looked_at else None for key in GRADS}))
        return Requirement("linear_backward", name, points, cases)

    yield line("grad_input", 1, 1, GRADS[:1])
    yield line("grad_weight", 1, 1, GRADS[1:2])
    yield line("grad_bias", 1, 1, GRADS[2:])
    yield line("batch", 1, 3, GRADS[1:])
    yield line("all", 1, 3, GRADS)
