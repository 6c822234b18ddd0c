"""Who does the work. Each contender turns a work into a Task: the same data, the same weights, its own way."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from minicnn import kernels

from .agreement import Results
from .work import Work


@dataclass
class Task:
    """`run()` does the work once, and is all that is timed; `results()` are the arrays of the latest run."""

    run: Callable[[], None]
    results: Callable[[], Results]
    inside: Callable[[], AbstractContextManager] = nullcontext  # entered around a turn, outside the clock


class Contender(Protocol):
    name: str

    def task(self, work: Work) -> Task | None:
        """None: it does not take part, because it would do nothing different here from another contender."""


def contenders(compiled: bool = False) -> list[Contender]:
    """torch eager first, which all are compared with; of minicnn's CPU kernel sets those that there are."""
    from .ours import Minicnn
    from .theirs import Torch

    theirs: list[Contender] = [Torch(), Torch(tuned=True)] + [Torch(compiled=True)] * compiled
    return theirs + [Minicnn(backend) for backend in ("numpy", "numba") if offered(backend)]


def offered(backend: str) -> bool:
    """Whether minicnn has this kernel set."""
    try:
        with kernels.use_backend(backend):
            return True
    except ValueError:
        return False
