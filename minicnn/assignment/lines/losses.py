"""What is asked of the losses and of their gradients."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minicnn.nn import functional as F

from ..cases import Case, Requirement, integers


def cross_entropy(rng: np.random.Generator, arguments: list[str]) -> Iterator[Requirement]:
    def line(name: str, points: int, N: int, shift: int = 0) -> Requirement:
        cases = []
        for classes in (3, 5):
            given: dict[str, Any] = {
                "logits": integers(rng, N, classes) / 2 + shift,
                "target": rng.integers(0, classes, N),
            }
            cases.append(Case(given, {}, {"loss": np.asarray(F.cross_entropy(*given.values()))}))
        return Requirement("cross_entropy", name, points, cases)

    yield line("plain", 2, 1)
    yield line("mean", 1, 3)
    yield line("large", 1, 1, 1000)
    yield line("all", 1, 4, 1000)


def cross_entropy_backward(rng: np.random.Generator, arguments: list[str]) -> Iterator[Requirement]:
    def line(name: str, points: int, N: int, shift: int = 0, grad: float = 1.0) -> Requirement:
        cases = []
        for classes in (3, 5):
            logits, target = integers(rng, N, classes) / 2 + shift, rng.integers(0, classes, N)
            given: dict[str, Any] = {"grad_output": grad, "logits": logits, "target": target}
            right = F.cross_entropy_backward(np.float64(grad), logits, target)
            cases.append(Case(given, {}, {"grad_input": right}))
        return Requirement("cross_entropy_backward", name, points, cases)

    yield line("plain", 2, 1)
    yield line("mean", 1, 3)
    yield line("chain", 1, 1, 0, 3.0)
    yield line("large", 1, 1, 1000)
    yield line("all", 1, 4, 1000, -2.0)


def mse_loss(rng: np.random.Generator, arguments: list[str]) -> Iterator[Requirement]:
    def line(name: str, points: int, *shapes: tuple[int, ...]) -> Requirement:
        cases = []
        for shape in shapes:
            given: dict[str, Any] = {"input": integers(rng, *shape), "target": 6 + integers(rng, *shape)}
            cases.append(Case(given, {}, {"loss": np.asarray(F.mse_loss(*given.values()))}))
        return Requirement("mse_loss", name, points, cases)

    yield line("plain", 1, (1,), (1, 1))
    yield line("mean", 1, (3,), (2, 3))
    yield line("all", 1, (2, 3, 2))


def mse_loss_backward(rng: np.random.Generator, arguments: list[str]) -> Iterator[Requirement]:
    def line(name: str, points: int, grad: float, *shapes: tuple[int, ...]) -> Requirement:
        cases = []
        for shape in shapes:
            x, target = integers(rng, *shape), 6 + integers(rng, *shape)
            right = F.mse_loss_backward(np.float64(grad), x, target)
            cases.append(Case({"grad_output": grad, "input": x, "target": target}, {}, {"grad_input": right}))
        return Requirement("mse_loss_backward", name, points, cases)

    yield line("plain", 1, 1.0, (1,), (1, 1))
    yield line("mean", 1, 1.0, (3,), (2, 3))
    yield line("chain", 1, 3.0, (1,), (1, 1))
    yield line("all", 1, -2.0, (2, 3, 2))
