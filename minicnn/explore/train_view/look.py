"""What the page sees of one run: sizes, dead units, filters, activations of a digit."""

import time
from typing import Any

import numpy as np

from ... import nn
from ...nn.watch import Call, watch
from ...training.prepare import first_convolution
from .. import ask
from ..answer import shades
from ..digits import planes
from ..say import say
from .hints import hints
from .learner import Learner
from .update import update_of

PROBE = 100  # validation images, by which dead units and equal answers are noticed
AGE = 0.5  # seconds that a probe is good for while the training goes on


def rms(array: np.ndarray | None) -> float | None:
    """The root mean square: the size of one number of an array, however many it has."""
    return None if array is None else float(np.sqrt(np.mean(np.square(array, dtype=np.float64))))


def sizes(learner: Learner) -> list[dict[str, Any]]:
    """Per parameter: the size of a weight, of its gradient and of its latest update."""
    rows = []
    for name, parameter in learner.model.named_parameters():
        weight = rms(parameter.data)
        update = rms(parameter.data - learner.before.weights[name]) if learner.steps else None
        rows.append(
            {
                "name": name,
                "shape": parameter.shape,
                "weight": weight,
                "gradient": rms(parameter.grad),
                "update": update,
                "ratio": update / weight if update is not None and weight else None,
            }
        )
    return rows


def dead_units(calls: list[Call]) -> list[dict[str, Any]]:
    """Per ReLU: how many units give 0 for every image of the probe.

    A unit of a convolution is a channel: it is dead if it gives 0 everywhere.
    """
    rows = []
    for call in calls:
        if isinstance(call.module, nn.ReLU):
            output = call.outputs[0]  # (N, C, H, W) or (N, features)
            alive = (output > 0).any(axis=tuple(axis for axis in range(output.ndim) if axis != 1))
            rows.append({"name": call.name, "units": len(alive), "dead": int((~alive).sum())})
    return rows


class Probe:
    """The first validation images on their way through: dead units, and what is answered."""

    def __init__(self, learner: Learner):
        images, labels = learner.val_images.batch(range(min(PROBE, len(learner.val_images))))
        layers, output = through(learner, images)
        self.steps = learner.steps
        self.made = time.monotonic()
        self.dead = dead_units(layers)
        self.answers = learner.task.probabilities(output).argmax(axis=1)
        self.truth = learner.task.truth(labels)


def probe_of(learner: Learner, exact: bool) -> Probe:
    """A new probe only where steps were taken since; unless `exact`, not more often than
    every AGE seconds.
    """
    old = learner.probe
    if old is None or (old.steps != learner.steps and (exact or time.monotonic() - old.made > AGE)):
        learner.probe = Probe(learner)
    return learner.probe


def through(learner: Learner, images: np.ndarray) -> tuple[list[Call], np.ndarray]:
    """The calls of the layers, and what the network gives."""
    calls: list[Call] = []
    learner.model.eval()
    (output,) = watch(learner.model, images, leaving=calls.append)
    return [call for call in calls if not any(call.module.children())], output


class Look:
    """One look at a run: the chosen digit goes through the network."""

    def __init__(self, learner: Learner, digit: int, exact: bool):
        self.learner = learner
        images, labels = learner.val_images.batch([digit])
        self.probe = probe_of(learner, exact)
        self.layers, output = through(learner, images)
        self.image = images[0]
        self.label = int(learner.task.truth(labels)[0])
        self.probabilities = learner.task.probabilities(output)[0]

    def activations(self) -> list[dict[str, Any]]:
        """The chosen digit after each layer, as bytes to draw."""
        rows = []
        for call in self.layers:
            maps = planes(call.outputs[0])
            negative = bool((maps < 0).any())
            layer = type(call.module).__name__
            rows.append({"name": call.name, "layer": layer, "maps": shades(maps, signed=negative), "signed": negative})
        return rows

    def answer(self, parameter: str, place: list[int]) -> dict[str, Any]:
        learner = self.learner
        dead = self.probe.dead
        measured = sizes(learner)
        filters = first_convolution(learner.model).weight
        return {
            "setting": learner.setting._asdict(),
            "lr": learner.lr,
            "steps": learner.steps,
            "epoch_steps": learner.epoch_steps,
            "epochs": len(learner.history),
            "seen": learner.seen,
            "ended": learner.ended,
            "error": learner.error,
            "curve": learner.curve.drawn(learner.setting.images),
            "history": [row._asdict() for row in learner.history],
            "sizes": measured,
            "dead": dead,
            "filters": flat(filters.data),
            "filter_gradients": None if filters.grad is None else flat(filters.grad),
            "image": shades(self.image, signed=False),
            "label": self.label,
            "classes": learner.task.classes,
            "probabilities": self.probabilities,
            "activations": self.activations(),
            "update": update_of(learner, parameter, place),
            "hints": hints(learner, measured, dead, self.probe.answers, self.probe.truth),
        }


def flat(filters: np.ndarray) -> dict[str, Any]:
    """Filters (O, C, KH, KW) as planes, the channels one below the other."""
    O, C, KH, KW = filters.shape
    return shades(filters.reshape(O, C * KH, KW), signed=True)


def question(learner: Learner, body: Any) -> tuple[int, str, list[int]]:
    """Which digit and which weight a request is about."""
    digit = ask.integer(body, "digit", 0, len(learner.val_images) - 1)
    parameters = dict(learner.model.named_parameters())
    parameter = ask.choice(body, "parameter", parameters)
    shape = parameters[parameter].shape
    given = ask.field(body, "place")
    if not isinstance(given, list) or len(given) != len(shape):
        raise ask.Refused(say("train.refused.place", count=len(shape), name=parameter, shape=shape))
    named = dict(enumerate(given))
    place = [ask.integer({"place": named[axis]}, "place", 0, size - 1) for axis, size in enumerate(shape)]
    return digit, parameter, place


def look(learner: Learner, body: Any, exact: bool) -> dict[str, Any]:
    """The answer to a look at one run."""
    digit, parameter, place = question(learner, body)
    return Look(learner, digit, exact).answer(parameter, place)
