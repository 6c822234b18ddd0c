"""What is asked of conv2d and of its gradient."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minicnn.nn import functional as F

from ..cases import ARGUMENTS, GRADS, Case, Requirement, integers


def _window(rng, N=1, C=1, O=1, K=None, out=None, symmetric=True, last=False, **options):
    """input, weight and grad_output of a convolution whose output has the size `out`.

    `last`: the gradient is 0 but for the last pixel, so that nothing overlaps.
    """
    K = K or tuple(rng.permutation([2, 3]))
    out = out or tuple(rng.permutation([2, 3]))
    pairs = {name: pair(options.get(name, default)) for name, default in _DEFAULTS.items()}
    if pairs["padding"] != (0, 0):  # so that the padded windows have an image between them
        out = tuple(o - -2 * p // s for o, p, s in zip(out, pairs["padding"], pairs["stride"], strict=True))
    H, W = (
        (o - 1) * s + d * (k - 1) + 1 - 2 * p + min(s - 1, 1)  # one pixel is left over where there is a stride
        for o, k, s, p, d in zip(out, K, pairs["stride"], pairs["padding"], pairs["dilation"], strict=True)
    )
    x = integers(rng, N, C, H, W)
    weight = integers(rng, O, C // options.get("groups", 1), *K)
    if symmetric:
        weight = weight + weight[..., ::-1, ::-1]
        weight[weight == 0] = 7
    grad = integers(rng, N, O, *out)
    if last:
        grad = np.where(np.arange(out[0] * out[1]).reshape(out) == out[0] * out[1] - 1, grad, 0)
    return x, weight, grad


_DEFAULTS = {"stride": 1, "padding": 0, "dilation": 1}


def pair(value: Any) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def _options(arguments: list[str]) -> Iterator[tuple[str, list[dict[str, Any]], tuple[int, int]]]:
    """(the line's name, what is given in it, the size of a kernel with which windows of that
    stride do not overlap).
    """
    if "stride" in arguments:
        yield "stride", [{"stride": 2}, {"stride": 3}], (2, 2)
        yield "stride_pair", [{"stride": (2, 3)}, {"stride": (3, 2)}], (2, 2)
    if "padding" in arguments:
        yield "padding", [{"padding": 1}, {"padding": 2}], (3, 3)
        yield "padding_pair", [{"padding": (1, 2)}, {"padding": (2, 0)}], (3, 3)
    if "dilation" in arguments:
        yield "dilation", [{"dilation": 2}, {"dilation": 3}], (2, 2)
        yield "dilation_pair", [{"dilation": (1, 2)}, {"dilation": (3, 1)}], (2, 2)


def _everything(arguments: list[str]) -> list[dict[str, Any]]:
    several: list[dict[str, Any]] = [
        {"stride": 2, "padding": 1, "dilation": 2, "groups": 2},
        {"stride": (1, 2), "padding": (2, 1), "dilation": (2, 1), "groups": 1},
        {"stride": (3, 1), "padding": (0, 1), "dilation": 1, "groups": 2},
    ]
    return [{name: given[name] for name in arguments} for given in several]


def conv2d(rng: np.random.Generator, arguments: list[str]) -> Iterator[Requirement]:
    def case(bias: bool = False, **settings: Any) -> Case:
        options = {name: value for name, value in settings.items() if name in ARGUMENTS}
        x, weight, _ = _window(rng, **settings)
        given: dict[str, Any] = {"input": x, "weight": weight} | ({"bias": integers(rng, len(weight))} if bias else {})
        return Case(given, options, {"output": F.conv2d(*given.values(), **options)})

    def line(name: str, points: int, *settings: dict[str, Any]) -> Requirement:
        return Requirement("conv2d", name, points, [case(**each) for each in settings])

    yield line("plain", 2, {"K": (1, 2)}, {"K": (2, 2)}, {"K": (3, 2)})
    yield line("orientation", 1, {"symmetric": False}, {"symmetric": False})
    yield line("channels", 1, {"C": 3, "O": 2}, {"C": 2, "O": 3})
    yield line("batch", 1, {"N": 2}, {"N": 3})
    yield line("bias", 1, {"bias": True}, {"bias": True, "O": 3, "out": (1, 1)})
    for name, given, K in _options(arguments):
        yield line(name, 1, *({"K": K, **options} for options in given))
    if "groups" in arguments:
        yield line("groups", 1, {"C": 4, "O": 2, "groups": 2}, {"C": 3, "O": 6, "groups": 3})
    whole = {"N": 2, "C": 4, "O": 6, "symmetric": False, "bias": True}
    yield line("all", 2, *({**whole, **options} for options in _everything(arguments)))


def conv2d_backward(rng: np.random.Generator, arguments: list[str]) -> Iterator[Requirement]:
    def line(name: str, points: int, looked_at: tuple[str, ...], *settings: dict[str, Any]) -> Requirement:
        cases = []
        for each in settings:
            options = {key: value for key, value in each.items() if key in ARGUMENTS}
            x, weight, grad = _window(rng, **each)
            made = F.conv2d_backward(grad, x, weight, **options)
            results = dict(zip(GRADS, made, strict=True))
            results = {key: value if key in looked_at else None for key, value in results.items()}
            cases.append(Case({"grad_output": grad, "input": x, "weight": weight}, options, results))
        return Requirement("conv2d_backward", name, points, cases)

    one: dict[str, Any] = {"out": (1, 1)}
    yield line("grad_input", 1, GRADS[:1], {**one, "symmetric": False}, {**one, "symmetric": False})
    yield line("overlap", 2, GRADS[:1], {}, {})
    yield line("input_channels", 1, GRADS[:1], {**one, "C": 3, "O": 2}, {**one, "C": 2, "O": 3})
    yield line("grad_weight", 2, GRADS[1:2], {}, {})
    yield line("weight_channels", 1, GRADS[1:2], {**one, "C": 3, "O": 2}, {**one, "C": 2, "O": 3})
    yield line("weight_batch", 1, GRADS[1:2], {**one, "N": 2}, {**one, "N": 3})
    yield line("grad_bias", 1, GRADS[2:], {"O": 2}, {"O": 3})
    yield line("bias_batch", 1, GRADS[2:], {**one, "N": 3, "O": 2}, {**one, "N": 2})
    for name, given, K in _options(arguments):
        yield line(name, 1, GRADS[:2], *({"K": K, "last": True, **options} for options in given))
    if "groups" in arguments:
        given = [{**one, "C": 4, "O": 2, "groups": 2}, {**one, "C": 3, "O": 6, "groups": 3}]
        yield line("groups", 1, GRADS[:2], *given)
    whole = {"N": 2, "C": 4, "O": 6, "symmetric": False}
    yield line("all", 2, GRADS, *({**whole, **options} for options in _everything(arguments)))
