"""What is asked of one step of Adam and of SGD."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minicnn.kernels import numpy_textbook as K

from ..cases import Case, Requirement, integers


def adam(rng: np.random.Generator, arguments: list[str]) -> Iterator[Requirement]:
    late = 1_000_000  # beta^step is 0: nothing is left of the bias

    def line(name: str, points: int, step: int, eps: float, decay: float, looked_at: tuple[str, ...]) -> Requirement:
        cases = []
        for lr, beta1, beta2 in ((0.5, 0.5, 0.75), (0.125, 0.75, 0.5)):
            arrays = integers(rng, 4), integers(rng, 4), integers(rng, 4), np.abs(integers(rng, 4))
            param, grad, m, v = arrays
            given: dict[str, Any] = dict(zip(("param", "grad", "exp_avg", "exp_avg_sq"), arrays, strict=True))
            given |= {"step": step, "lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps, "weight_decay": decay}
            made = {"param": param.copy(), "exp_avg": m.copy(), "exp_avg_sq": v.copy()}
            _adam_step(made, grad, given)
            cases.append(Case(given, {}, {key: made[key] if key in looked_at else None for key in made}))
        return Requirement("adam", name, points, cases)

    every = ("param", "exp_avg", "exp_avg_sq")
    yield line("moments", 1, late, 0.0, 0.0, every[1:])
    yield line("step", 2, late, 0.0, 0.0, every[:1])
    yield line("correction", 1, 2, 0.0, 0.0, every[:1])
    yield line("eps", 1, late, 0.5, 0.0, every[:1])
    yield line("decay", 1, late, 0.0, 0.5, every)
    yield line("all", 1, 3, 0.25, 0.5, every)


def _adam_step(made: dict[str, np.ndarray], grad: np.ndarray, given: dict[str, Any]) -> None:
    """The textbook's step, in place."""
    numbers = {name: given[name] for name in ("step", "lr", "beta1", "beta2", "eps", "weight_decay")}
    options = {"max_exp_avg_sq": None, "maximize": False, "decoupled_weight_decay": False}
    K.adam(grad=grad, **made, **numbers, **options)


def sgd(rng: np.random.Generator, arguments: list[str]) -> Iterator[Requirement]:
    def line(name: str, points: int, momentum: float, looked_at: tuple[str, ...]) -> Requirement:
        cases = []
        for lr in (0.5, 0.125):
            param, grad, buffer = integers(rng, 4), integers(rng, 4), integers(rng, 4)
            given: dict[str, Any] = {
                "param": param,
                "grad": grad,
                "momentum_buffer": buffer,
                "lr": lr,
                "momentum": momentum,
            }
            made = {"param": param.copy(), "momentum_buffer": buffer.copy()}
            if momentum:
                K.sgd(made["param"], grad, made["momentum_buffer"], lr, momentum, 0.0, 0.0, False, False)
            else:
                K.sgd(made["param"], grad, None, lr, 0.0, 0.0, 0.0, False, False)
            cases.append(Case(given, {}, {key: made[key] if key in looked_at else None for key in made}))
        return Requirement("sgd", name, points, cases)

    yield line("plain", 2, 0.0, ("param",))
    yield line("momentum", 1, 0.5, ("momentum_buffer",))
    yield line("all", 1, 0.75, ("param", "momentum_buffer"))
