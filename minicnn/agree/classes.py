"""Somebody else's layers: classes that are called, with `backward(grad_output)`.

A class with torch's name (Conv2d, Linear, ReLU, MSELoss ...) becomes the two functions that
are judged. Each call makes a new layer and puts the weights in; gradients are taken from
what backward returns, or from attributes (`grad_weight`, `dW`, `weight.grad` ...).
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

CLASSES = {
    "Conv2d": "conv2d",
    "ConvTranspose2d": "conv_transpose2d",
    "Linear": "linear",
    "MaxPool2d": "max_pool2d",
    "ReLU": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "CrossEntropyLoss": "cross_entropy",
    "MSELoss": "mse_loss",
    "BCELoss": "binary_cross_entropy",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
}
KEPT = {"weight": ("weight", "W", "w", "kernel", "filters", "weights"), "bias": ("bias", "b", "biases")}
GRADS = {
    "grad_weight": ("grad_weight", "weight_grad", "dW", "dw", "d_weight", "dweight", "grad_w", "grad_W"),
    "grad_bias": ("grad_bias", "bias_grad", "db", "d_bias", "dbias", "grad_b"),
}
WEIGHTED = ("conv2d", "conv_transpose2d", "linear")
# What a constructor of torch's takes first, and which axes of the weight these are.
SIZES = {"conv2d": (1, 0), "conv_transpose2d": (0, 1), "linear": (1, 0)}


class Unusable(Exception):
    """A class that cannot be used; the text says why."""


def functions(name: str, layer: type, options: tuple[str, ...], aliases: dict[str, str]) -> dict[str, Callable]:
    """{"conv2d": ..., "conv2d_backward": ...} for a class `Conv2d`.

    Raises Unusable: its constructor cannot be read, or it has no `backward`.
    """
    operation = CLASSES[name]
    if not callable(getattr(layer, "backward", None)):
        raise Unusable(f"{name} has no method backward(grad_output).")
    try:
        parameters = list(inspect.signature(layer).parameters.values())
    except (TypeError, ValueError) as error:
        raise Unusable(f"the arguments of {name} cannot be read; give it an __init__.") from error
    own = {p.name: p.name for p in parameters}
    known = {option: o for option in options for o in (option, *aliases.get(option, "").split()) if o in own}
    names = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]

    def made(values: dict[str, Any]) -> Any:
        given = {known[option]: values[option] for option in known if option in values and option != "bias"}
        if operation not in WEIGHTED:
            size = [values["kernel_size"]] if "kernel_size" in values else []
            return layer(*size, **given)
        weight, bias = values["weight"], values.get("bias")
        if names[:1] and names[0] in KEPT["weight"]:  # it takes the weights themselves
            return layer(weight, bias, **given)
        groups = given.get(known.get("groups", ""), 1)
        sizes = [weight.shape[axis] for axis in SIZES[operation]]
        if operation != "linear":
            sizes[0 if operation == "conv2d" else 1] *= groups
            sizes.append(weight.shape[2:] if weight.shape[2] != weight.shape[3] else weight.shape[2])
        if bias is None and "bias" in known:
            given[known["bias"]] = False
        module = layer(*sizes, **given)
        _put(module, "weight", weight)
        if bias is not None:
            _put(module, "bias", bias)
        return module

    def forward(values: dict[str, Any]) -> tuple[Any, Any]:
        module = made(values)
        run = module if callable(module) else module.forward
        inputs = (values["input"], values["target"]) if "target" in values else (values["input"],)
        return module, run(*inputs)

    def backward(values: dict[str, Any]) -> Any:
        module, _ = forward(values)
        takes = inspect.signature(module.backward).parameters
        if not takes:  # a loss's own, for a grad_output of 1
            return values["grad_output"] * module.backward()
        grads = module.backward(values["grad_output"])
        if operation not in WEIGHTED or isinstance(grads, (tuple, list, dict)):
            return grads
        found = {name: _grad(module, name) for name in GRADS if with_bias or name != "grad_bias"}
        return {"grad_input": grads} | {name: value for name, value in found.items() if value is not None}

    with_bias = operation in WEIGHTED and _has_bias(made, operation)
    offered = [option for option in options if (with_bias if option == "bias" else option in known)]
    first = _first(operation)
    return {
        operation: _spelled(name, lambda values: forward(values)[1], first, offered),
        f"{operation}_backward": _spelled(name, backward, ("grad_output", *first), offered),
    }


def _first(operation: str) -> tuple[str, ...]:
    if operation in WEIGHTED:
        return ("input", "weight")
    if operation == "max_pool2d":
        return ("input", "kernel_size")
    return ("input", "target") if operation.endswith(("loss", "entropy", "logits")) else ("input",)


def _spelled(name: str, compute: Callable, first: tuple[str, ...], options: list[str]) -> Callable:
    """A function whose signature can be read as if it had been written with def."""

    def function(**values: Any) -> Any:
        return compute(values)

    kind = inspect.Parameter.KEYWORD_ONLY
    required = [inspect.Parameter(argument, kind) for argument in first]
    rest = [inspect.Parameter(option, kind, default=None) for option in options]
    function.__signature__ = inspect.Signature([*required, *rest])  # type: ignore[attr-defined]
    function.of_class = name  # type: ignore[attr-defined]
    return function


def _has_bias(made: Callable, operation: str) -> bool:
    """Whether a small layer has one; one that fails is judged, and says why itself."""
    shape = (1, 1) if operation == "linear" else (1, 1, 1, 1)
    try:
        module = made({"weight": np.ones(shape), "bias": np.ones(1)})
    except AttributeError:
        return False
    except Exception:  # noqa: BLE001 - whatever somebody's constructor raises
        return True
    return any(getattr(module, own, None) is not None for own in KEPT["bias"])


def _put(module: Any, name: str, value: Any) -> None:
    """Into the array, or into the parameter's `data`."""
    for own in KEPT[name]:
        if hasattr(module, own):
            kept = getattr(module, own)
            if hasattr(kept, "grad") and hasattr(kept, "data"):
                kept.data = value.copy()
            else:
                setattr(module, own, value.copy())
            return
    raise AttributeError(f"the layer has none of the attributes {', '.join(KEPT[name])}; name its {name} so")


def _grad(module: Any, name: str) -> Any:
    for own in GRADS[name]:
        if getattr(module, own, None) is not None:
            return getattr(module, own)
    kept = next((getattr(module, own) for own in KEPT[name.removeprefix("grad_")] if hasattr(module, own)), None)
    return getattr(kept, "grad", None)
