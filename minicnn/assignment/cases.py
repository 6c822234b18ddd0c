"""The requirements of an assignment, each with cases that show it and, as far as can be,
nothing else.

A mistake should cost its own line and not the whole function. So the cases of a line are
blind to the other lines: the kernels are symmetric but where flipping is asked for, there
is one image and one channel but where these are, windows do not overlap but where a
gradient must add up. The line `all` of each function has everything at once.

The numbers are small integers in float64; the right answers are the textbook set's.
"""

from typing import Any, NamedTuple

import numpy as np

ARGUMENTS = ("stride", "padding", "dilation", "groups")
GRADS = ("grad_input", "grad_weight", "grad_bias")


class Case(NamedTuple):
    """One call: its arguments in their order, the keywords, and the right results; None
    stands for a result that this line does not look at.
    """

    arguments: dict[str, Any]
    options: dict[str, Any]
    results: dict[str, np.ndarray | None]


class Requirement(NamedTuple):
    """One line of the points. `check`: values, dtype, unchanged or again."""

    function: str
    name: str
    points: int
    cases: list[Case]
    check: str = "values"

    @property
    def id(self) -> str:
        return f"{self.function}.{self.name}"


def integers(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """1 to 5 with either sign: no zeros, which would hide what they are multiplied with."""
    return rng.integers(1, 6, shape) * rng.choice([-1.0, 1.0], shape)


def distinct(rng: np.random.Generator, *shape: int, low: int = 1) -> np.ndarray:
    """Different whole numbers from `low` on, so that a maximum is never a tie."""
    return rng.permutation(int(np.prod(shape))).reshape(shape) + float(low)
