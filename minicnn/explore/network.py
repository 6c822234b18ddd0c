"""What an image does in a network: the activation after every layer, and the gradient that comes back to it.

There is no tape to ask. The layers of a chain are walked by hand, forward and backward, and what passes is written down.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from .. import nn
from .ask import Refused


class Step(NamedTuple):
    """One layer, what came out of it, and the gradient of the chosen number with respect to that."""

    name: str
    layer: nn.Module
    output: np.ndarray
    grad: np.ndarray


def chain(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The layers that have no layers inside, in order, with their names."""
    return [(name, layer) for name, layer in model.named_modules() if not any(layer.children())]


def check_chain(model: nn.Module, image_shape: tuple[int, ...]) -> None:
    """A network can be walked through if its layers, one after the other, give what the network gives."""
    x = np.linspace(0, 1, math.prod(image_shape), dtype=np.float32).reshape(1, *image_shape)
    y = x
    for _, layer in chain(model):
        y = layer(y)
    if not np.array_equal(y, model(x), equal_nan=True):
        raise Refused(
            f"{type(model).__name__} is not a chain of layers, which is all that this page can walk through.", 422
        )


def walk(model: nn.Module, x: np.ndarray, grad_of: Any) -> tuple[list[Step], np.ndarray]:
    """Forward through every layer and back again: the steps, and the gradient with respect to the image.

    `grad_of(output)` gives the gradient to start from.
    """
    model.train()
    layers, outputs = chain(model), list[np.ndarray]()
    for _, layer in layers:
        outputs.append(layer(outputs[-1] if outputs else x))
    grad = grad_of(outputs[-1])
    grads = []
    for _, layer in reversed(layers):
        grads.append(grad)
        grad = layer.backward(grad)
    model.zero_grad()
    steps = [Step(*both) for both in zip(*zip(*layers, strict=True), outputs, reversed(grads), strict=True)]
    return steps, grad


def softmax(logits: np.ndarray) -> dict[str, Any]:
    """The probabilities of logits (K,), step by step: shift so that exp cannot overflow, exp, divide by the sum."""
    largest = logits.max()
    shifted = logits - largest
    powers = np.exp(shifted)
    total = powers.sum()
    return {
        "kind": "softmax",
        "logits": logits,
        "largest": largest,
        "shifted": shifted,
        "exp": powers,
        "sum": total,
        "probabilities": powers / total,
    }


def sigmoid(logit: np.ndarray, probability: np.ndarray) -> dict[str, Any]:
    """The same for a network with one output, which ends in a sigmoid."""
    powers = np.exp(-logit)
    return {"kind": "sigmoid", "logits": logit, "exp": powers, "sum": 1 + powers, "probabilities": probability}
