"""What an image does in a network: the activation after every layer, and the gradient
that comes back to it.

There is no tape to ask. The network runs once and is watched, then the gradient walks
back through its layers by hand.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from .. import nn
from ..nn.watch import chain
from .ask import Refused
from .say import say


class Step(NamedTuple):
    """One layer, what came out of it, and the gradient of the chosen number with
    respect to that.
    """

    name: str
    layer: nn.Module
    output: np.ndarray
    grad: np.ndarray


def layers(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The layers that have no layers inside, in order, with their names."""
    return [(name, layer) for name, layer in model.named_modules() if not any(layer.children())]


def check_chain(model: nn.Module, image_shape: tuple[int, ...]) -> None:
    """A network can be walked through if each layer works on what the one before it gave."""
    try:
        chain(model, np.linspace(0, 1, math.prod(image_shape), dtype=np.float32).reshape(1, *image_shape))
    except ValueError as error:
        raise Refused(say("run.chain", why=error), 422) from error


def walk(model: nn.Module, x: np.ndarray, grad_of: Any) -> tuple[list[Step], np.ndarray]:
    """Forward through every layer and back again: the steps, and the gradient with
    respect to the image.

    `grad_of(output)` gives the gradient to start from.
    """
    calls, (output, *_) = chain(model.train(), x)
    grad = grad_of(output)
    steps = []
    for call in reversed(calls):
        steps.append(Step(call.name, call.module, call.outputs[0], grad))
        grad = call.module.backward(grad)
    model.zero_grad()
    return steps[::-1], grad


def softmax(logits: np.ndarray) -> dict[str, Any]:
    """The probabilities of logits (K,), step by step: shift so that exp cannot
    overflow, exp, divide by the sum.
    """
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
