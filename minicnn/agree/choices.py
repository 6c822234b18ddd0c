"""Random whole numbers that are remembered, so that what was drawn from them can be drawn
again, smaller.

A configuration that shows a fault is a list of numbers; each stands for how far above its
smallest value a choice
was. Lower numbers and a shorter list give a smaller configuration (the idea of
Hypothesis' engine; MacIver and
Donaldson, "Test-Case Reduction via Test-Case Generation", 2020).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


class Choices:
    """Draws from `rng`, or repeats `made`; whatever is missing there is the smallest
    possible.
    """

    def __init__(self, rng: np.random.Generator | None = None, made: Sequence[int] = ()):
        self.rng = rng
        self.given = made
        self.made: list[int] = []

    def integer(self, low: int, high: int) -> int:
        """From low to high, both included."""
        if self.rng is not None:
            above = int(self.rng.integers(0, high - low, endpoint=True))
        elif len(self.made) < len(self.given):
            above = min(self.given[len(self.made)], high - low)
        else:
            above = 0
        self.made.append(above)
        return low + above

    def pair(self, low: int, high: int) -> tuple[int, int]:
        first = self.integer(low, high)
        return first, self.integer(low, high)

    def pick(self, *values: Any) -> Any:
        """One of the values; the first is the simplest."""
        return values[self.integer(0, len(values) - 1)]


def shrink(made: list[int], fails: Callable[[list[int]], bool], tries: int = 300) -> list[int]:
    """The smallest list found within `tries` that still fails: numbers become 0, half
    or one less, the end is cut off.
    """
    changed = True
    while changed and tries > 0:
        changed = False
        for i, number in enumerate(made):
            for smaller in dict.fromkeys((0, number // 2, number - 1)):
                candidate = [*made[:i], smaller, *made[i + 1 :]]
                if number == 0 or candidate[i] >= number or tries <= 0:
                    continue
                tries -= 1
                if fails(candidate):
                    made = candidate
                    changed = True
                    break
    return made
