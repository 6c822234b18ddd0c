"""What a contender makes of a work: something to run, and what it gave."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from .agreement import Results


@dataclass
class Task:
    """`run()` does the work once, and is all that is timed.

    `results()` are the arrays of the latest run.
    """

    run: Callable[[], None]
    results: Callable[[], Results]
    inside: Callable[[], AbstractContextManager] = nullcontext  # entered around a turn, outside the clock
