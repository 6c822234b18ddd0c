"""What is asked for: the setting of one run, read from JSON, checked and bounded."""

import math
from typing import Any, NamedTuple

from .. import ask
from ..ask import Refused
from ..say import say

MOST_IMAGES = 5000  # the bundled training images
TASKS = ("digits", "parity")  # those that name a class
OPTIMIZERS = ("Adam", "SGD", "momentum")
BACKENDS = ("numba", "numpy")


class Setting(NamedTuple):
    """One run. The defaults are those of `python -m minicnn.train`."""

    task: str = "digits"
    images: int = 5000  # the first ones of the bundled training images
    optimizer: str = "Adam"
    lr: float = 1e-3
    momentum: float = 0.9  # of SGD with momentum alone
    batch_size: int = 64
    seed: int = 0
    weights: str = "seed"  # or "zeros"
    relu: bool = True  # without: each ReLU passes what it is given
    labels: str = "true"  # or "shuffled"
    backend: str = "numba"


def read(body: Any) -> Setting:
    """The setting in a request. Refused says which field will not do."""
    return Setting(
        task=ask.choice(body, "task", TASKS),
        images=ask.integer(body, "images", 1, MOST_IMAGES),
        optimizer=ask.choice(body, "optimizer", OPTIMIZERS),
        lr=rate(body),
        momentum=between(body, "momentum", 0, 0.999),
        batch_size=ask.integer(body, "batch_size", 1, 1000),
        seed=ask.integer(body, "seed", 0, 2**31 - 1),
        weights=ask.choice(body, "weights", ("seed", "zeros")),
        relu=ask.flag(body, "relu"),
        labels=ask.choice(body, "labels", ("true", "shuffled")),
        backend=ask.choice(body, "backend", BACKENDS),
    )


def rate(body: Any) -> float:
    """The learning rate in a request, above 0."""
    value = between(body, "lr", 0, 1000)
    if value == 0:
        raise Refused(say("train.refused.rate"))
    return value


def between(body: Any, name: str, low: float, high: float) -> float:
    value = ask.number(ask.field(body, name), name)
    if not (math.isfinite(value) and low <= value <= high):
        raise Refused(say("train.refused.between", name=name, low=low, high=high, value=value))
    return value
