"""One digit, drawn or picked, on its way through the network of a run and back."""

import base64
import binascii
import math
from typing import Any

import numpy as np

from .. import nn
from . import ask
from .answer import shades
from .ask import Refused
from .drawing import to_digit
from .network import Step, sigmoid, softmax, walk
from .runs import RunFolder

CANVAS = 280


def image_of(run: RunFolder, body: Any) -> tuple[np.ndarray, int | None]:
    """(28, 28) float32 and the label: from a canvas (CANVAS x CANVAS bytes in base64), or a test image's index."""
    digit = ask.field(body, "digit")
    if isinstance(digit, dict) and "index" in digit:
        index = ask.integer(digit, "index", 0, len(run.test) - 1)
        image, _ = run.test[index]
        return image[0], int(run.labels()[index])
    pixels = ask.field(digit, "pixels")
    try:
        drawn = base64.b64decode(pixels, validate=True) if isinstance(pixels, str) else b""
    except (binascii.Error, ValueError):
        drawn = b""
    if len(drawn) != CANVAS * CANVAS:
        raise Refused(f"pixels must be {CANVAS} x {CANVAS} bytes in base64, got {len(drawn)} bytes.")
    return to_digit(np.frombuffer(drawn, np.uint8).reshape(CANVAS, CANVAS)), None


class Walk:
    """The walk of one digit, and the class whose gradient is asked for: the predicted one unless another is chosen."""

    def __init__(self, run: RunFolder, body: Any):
        self.image, self.label = image_of(run, body)
        self.classes = run.classes()
        self.of = ask.choice(body, "of", ("logit", "loss"))
        self.chosen = None if body.get("target") is None else ask.integer(body, "target", 0, len(self.classes) - 1)
        self.loss = None
        with run.lock:
            self.steps, self.grad_image = walk(run.model(), self.image[None, None], self._start)

    def _start(self, output: np.ndarray) -> np.ndarray:
        """The gradient at the network's end: of the chosen class's logit, or of the loss if it were the truth."""
        scores = output[0] if output.shape[1] > 1 else np.array([1 - output[0, 0], output[0, 0]])
        self.predicted = int(scores.argmax())
        if self.chosen is None:
            self.chosen = self.predicted
        if output.shape[1] == 1:  # a probability of "odd"; that of "even" is 1 minus it
            criterion: Any = nn.BCELoss()
            target = np.full_like(output, self.chosen)
            plain_start = np.full_like(output, 1 if self.chosen else -1)
        else:
            criterion = nn.CrossEntropyLoss()
            target = np.array([self.chosen])
            plain_start = np.zeros_like(output)
            plain_start[0, self.chosen] = 1
        self.loss = criterion(output, target)
        return criterion.backward() if self.of == "loss" else plain_start

    def probabilities(self) -> dict[str, Any]:
        output = self.steps[-1].output[0]
        if len(output) == 1:
            return sigmoid(self.steps[-2].output[0], output)
        return softmax(output)


def planes(array: np.ndarray) -> np.ndarray:
    """One image's numbers as planes (C, H, W): a vector becomes one plane, as square as it can be."""
    if array.ndim == 4:
        return array[0]
    size = array[0].size
    height = next(h for h in range(math.isqrt(size), 0, -1) if size % h == 0) if size > 16 else 1
    return array.reshape(1, height, -1)


def shown(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "layer": repr(step.layer),
        "shape": step.output.shape[1:],
        "activation": shades(planes(step.output), signed=bool(step.output.min() < 0)),
        "gradient": shades(planes(step.grad), signed=True),
    }


def answer(run: RunFolder, body: Any) -> dict[str, Any]:
    """POST /api/run/digit: everything about one digit, maps as bytes to draw; their numbers are fetched plane by plane."""
    walked = Walk(run, body)
    return {
        "image": shades(walked.image[None], signed=False),
        "image_gradient": shades(planes(walked.grad_image), signed=True),
        "label": walked.label,
        "predicted": walked.predicted,
        "target": walked.chosen,
        "classes": walked.classes,
        "blank": not walked.image.any(),
        "loss": walked.loss,
        "steps": walked.probabilities(),
        "layers": [shown(step) for step in walked.steps],
    }


def plane(run: RunFolder, body: Any) -> dict[str, Any]:
    """POST /api/run/plane: the numbers of one map. Layer -1 is the image itself."""
    walked = Walk(run, body)
    layer = ask.integer(body, "layer", -1, len(walked.steps) - 1)
    what = ask.choice(body, "what", ("activation", "gradient"))
    if layer < 0:
        array = walked.image[None, None] if what == "activation" else walked.grad_image
    else:
        array = walked.steps[layer].output if what == "activation" else walked.steps[layer].grad
    values = planes(array)
    channel = ask.integer(body, "channel", 0, len(values) - 1)
    return {"values": values[channel], "channel": channel, "layer": layer, "what": what}
