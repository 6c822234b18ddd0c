"""Who does the work.

Each contender turns a work into a Task: the same data, the same weights, its own way.
"""

from typing import Protocol

from minicnn import kernels

from .exported import runtimes
from .ours import Minicnn
from .task import Task
from .work import Work


class Contender(Protocol):
    name: str

    def task(self, work: Work) -> Task | None:
        """None: it does not take part, as it would do the same as another contender."""


def contenders(compiled: bool = False) -> list[Contender]:
    """torch eager first, to which all are compared; then what runs an exported network, as
    far as it is installed; then minicnn's kernel sets for the CPU.
    """
    from .theirs import Torch  # here, so that `--help` answers without torch

    theirs: list[Contender] = [Torch(), Torch(tuned=True)]
    if compiled:
        theirs.append(Torch(compiled=True))
    return theirs + runtimes() + [Minicnn(backend) for backend in ("numpy", "numba") if offered(backend)]


def offered(backend: str) -> bool:
    """Whether minicnn has this kernel set."""
    try:
        with kernels.use_backend(backend):
            return True
    except ValueError:
        return False


def judged_set() -> str:
    """The kernel set that the bars are about; the textbook where there is no other."""
    return "numba" if offered("numba") else "numpy"
