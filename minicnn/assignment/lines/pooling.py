"""What is asked of max_pool2d and of its gradient."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minicnn.nn import functional as F

from ..cases import ARGUMENTS, Case, Requirement, distinct, integers
from .convolution import pair


def _pool_sizes(K, out, stride=None, padding=0) -> tuple[int, ...]:
    each = zip(out, pair(K), pair(K if stride is None else stride), pair(padding), strict=True)
    return tuple((o - 1) * s + k - 2 * p + min(s - 1, 1) for o, k, s, p in each)


def _pool_options(arguments: list[str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The lines in which windows may overlap."""
    if "stride" in arguments:
        yield "stride", [{"K": 3, "stride": 2}, {"K": 2, "stride": 3}]
        yield "stride_pair", [{"K": 3, "stride": (2, 1)}, {"K": 3, "stride": (1, 3)}]
    if "padding" in arguments:
        yield "padding", [{"K": 3, "padding": 1}, {"K": 2, "padding": 1}]
        yield "padding_pair", [{"K": (3, 2), "padding": (1, 0)}, {"K": (2, 3), "padding": (0, 1)}]
        yield "negative", [{"K": 3, "padding": 1, "low": -90}, {"K": 2, "padding": 1, "low": -90}]


def _pool_everything(arguments: list[str]) -> list[dict[str, Any]]:
    several = [
        {"K": (3, 2), "stride": 1, "padding": 1},
        {"K": 3, "stride": (2, 1), "padding": (1, 0)},
        {"K": (2, 3), "stride": 2, "padding": (1, 1)},
    ]
    kept = ("K", *arguments)
    return [{name: value for name, value in given.items() if name in kept} for given in several]


def max_pool2d(rng: np.random.Generator, arguments: list[str]) -> Iterator[Requirement]:
    def line(name: str, points: int, *settings: dict[str, Any]) -> Requirement:
        cases = []
        for each in settings:
            options = {key: value for key, value in each.items() if key in ARGUMENTS}
            size = _pool_sizes(each["K"], each.get("out", (2, 3)), **options)
            x = distinct(rng, *each.get("NC", (1, 1)), *size, low=each.get("low", 1))
            right = F.max_pool2d(x, each["K"], **options)
            cases.append(Case({"input": x, "kernel_size": each["K"]}, options, {"output": right}))
        return Requirement("max_pool2d", name, points, cases)

    yield line("plain", 2, {"K": 2}, {"K": 3})
    yield line("kernel_pair", 1, {"K": (2, 3)}, {"K": (3, 1)})
    yield line("channels", 1, {"K": 2, "NC": (1, 3)}, {"K": 2, "NC": (2, 3)})
    for name, given in _pool_options(arguments):
        yield line(name, 1, *given)
    yield line("all", 2, *({**given, "NC": (2, 3), "low": -60} for given in _pool_everything(arguments)))


def max_pool2d_backward(rng: np.random.Generator, arguments: list[str]) -> Iterator[Requirement]:
    def line(name: str, points: int, *settings: dict[str, Any]) -> Requirement:
        cases = []
        for each in settings:
            options = {key: value for key, value in each.items() if key in ARGUMENTS}
            size = _pool_sizes(each["K"], each.get("out", (2, 3)), **options)
            shape = (*each.get("NC", (1, 1)), *size)
            x = np.full(shape, 4.0) if each.get("ties") else distinct(rng, *shape, low=each.get("low", 1))
            output, places = F.max_pool2d(x, each["K"], return_indices=True, **options)
            grad = integers(rng, *output.shape)
            right = F.max_pool2d_backward(grad, places, x.shape, each["K"], **options)
            given: dict[str, Any] = {"grad_output": grad, "input": x, "kernel_size": each["K"]}
            cases.append(Case(given, options, {"grad_input": right}))
        return Requirement("max_pool2d_backward", name, points, cases)

    yield line("plain", 2, {"K": 2}, {"K": 3})
    yield line("ties", 1, {"K": 2, "ties": True}, {"K": 3, "ties": True})
    yield line("channels", 1, {"K": 2, "NC": (1, 3)}, {"K": 2, "NC": (2, 3)})
    if "stride" in arguments:
        yield line("overlap", 1, {"K": 3, "stride": 1}, {"K": 3, "stride": 2})
    if "padding" in arguments:
        yield line("padding", 1, {"K": 3, "padding": 1}, {"K": 2, "padding": 1})
    yield line("all", 2, *({**given, "NC": (2, 3), "low": -60} for given in _pool_everything(arguments)))
