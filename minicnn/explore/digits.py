"""One digit, drawn or picked, on its way through the network of a run and back."""

import base64
import binascii
import math
from typing import Any

import numpy as np
from PIL import Image

from ..data.images import SIDE, from_ink
from ..data.mnist import to_float
from . import ask
from .answer import shades
from .ask import Refused
from .network import Step, sigmoid, softmax, walk
from .open_run import RunFolder
from .say import say

CANVAS = 280


def image_of(run: RunFolder, body: Any) -> tuple[np.ndarray, int | None]:
    """(C, H, W) float32 and the label: from a canvas (CANVAS x CANVAS bytes in base64),
    or a test image's index.
    """
    digit = ask.field(body, "digit")
    if isinstance(digit, dict) and "index" in digit:
        index = ask.integer(digit, "index", 0, len(run.test) - 1)
        image, _ = run.test[index]
        return image, int(run.truth()[index])
    pixels = ask.field(digit, "pixels")
    try:
        drawn = base64.b64decode(pixels, validate=True) if isinstance(pixels, str) else b""
    except (binascii.Error, ValueError):
        drawn = b""
    if len(drawn) != CANVAS * CANVAS:
        raise Refused(say("digit.bytes", size=CANVAS, count=len(drawn)))
    ink = np.frombuffer(drawn, np.uint8).reshape(CANVAS, CANVAS)
    if run.shape != (1, SIDE, SIDE):
        return to_float(drawn_image(ink, run.shape))[:, 0], None
    return to_float(drawn_digit(ink)), None


def drawn_image(ink: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """A drawing as it is, brought to (C, H, W) uint8, the same in all channels."""
    C, H, W = shape
    small = Image.fromarray(ink).resize((W, H), Image.Resampling.BOX)
    return np.repeat(np.asarray(small)[None], C, axis=0)


def drawn_digit(ink: np.ndarray) -> np.ndarray:
    """A drawing as the digit that the network gets, (28, 28) uint8; a blank one stays blank."""
    if not ink.any():
        return np.zeros((SIDE, SIDE), np.uint8)
    try:
        return from_ink(ink)
    except ValueError as error:
        raise Refused(say("digit.unreadable", why=error), 422) from error


class Walk:
    """The walk of one digit, and the class whose gradient is asked for: the predicted
    one unless another is chosen.
    """

    def __init__(self, run: RunFolder, body: Any):
        self.image, self.label = image_of(run, body)
        trained = run.trained()
        self.task, self.classes = trained.task, trained.task.classes
        self.of = ask.choice(body, "of", ("logit", "loss"))
        self.chosen = None if body.get("target") is None else ask.integer(body, "target", 0, len(self.classes) - 1)
        self.loss = None
        with run.lock:
            self.steps, self.grad_image = walk(trained.model, self.image[None], self._start)

    def _start(self, output: np.ndarray) -> np.ndarray:
        """The gradient at the network's end: of the chosen class's logit, or of the
        loss if it were the truth.
        """
        self.probabilities = self.task.probabilities(output)[0]
        self.predicted = int(self.probabilities.argmax())
        if self.chosen is None:
            self.chosen = self.predicted
        criterion = self.task.criterion()
        # A digit of the chosen class has its number: 0 is even, 1 is odd.
        self.loss = criterion(output, self.task.targets(self.image[None], np.array([self.chosen])))
        if self.of == "loss":
            return criterion.backward()
        if output.shape[1] == 1:  # a probability of "odd"; that of "even" is 1 minus it
            return np.full_like(output, 1 if self.chosen else -1)
        start = np.zeros_like(output)
        start[0, self.chosen] = 1
        return start

    def arithmetic(self) -> dict[str, Any]:
        output = self.steps[-1].output[0]
        if len(output) == 1:
            return sigmoid(self.steps[-2].output[0], output)
        return softmax(output)


def planes(array: np.ndarray) -> np.ndarray:
    """One image's numbers as planes (C, H, W): a vector becomes one plane, as square as
    it can be.
    """
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
    """POST /api/run/digit: everything about one digit, maps as bytes to draw; their
    numbers are fetched plane by plane.
    """
    walked = Walk(run, body)
    return {
        "image": shades(walked.image, signed=False),
        "image_gradient": shades(planes(walked.grad_image), signed=True),
        "label": walked.label,
        "predicted": walked.predicted,
        "target": walked.chosen,
        "classes": walked.classes,
        "blank": not walked.image.any(),
        "loss": walked.loss,
        "probabilities": walked.probabilities,
        "steps": walked.arithmetic(),
        "layers": [shown(step) for step in walked.steps],
    }


def plane(run: RunFolder, body: Any) -> dict[str, Any]:
    """POST /api/run/plane: the numbers of one map. Layer -1 is the image itself."""
    walked = Walk(run, body)
    layer = ask.integer(body, "layer", -1, len(walked.steps) - 1)
    what = ask.choice(body, "what", ("activation", "gradient"))
    if layer < 0:
        array = walked.image[None] if what == "activation" else walked.grad_image
    else:
        array = walked.steps[layer].output if what == "activation" else walked.steps[layer].grad
    values = planes(array)
    channel = ask.integer(body, "channel", 0, len(values) - 1)
    return {"values": values[channel], "channel": channel, "layer": layer, "what": what}
