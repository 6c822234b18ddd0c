"""What a contender makes of a work: something to run, and what it gave."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from .agreement import Results


@dataclass
class Task:
    """The passes, one after the other, do the work once, and are all that is timed.

    `results()` are the arrays of the latest run, which `forget()` lets go.
    """

    passes: tuple[Callable[[], None], ...]  # forward and backward of a layer; else one
    results: Callable[[], Results]
    forget: Callable[[], None] = lambda: None  # of a layer
    inside: Callable[[], AbstractContextManager] = nullcontext  # entered around a turn, outside the clock

    def run(self) -> None:
        for one in self.passes:
            one()
