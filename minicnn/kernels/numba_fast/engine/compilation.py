"""Compilation happens once for each machine, when a kernel is first used; afterwards
the code is read from files.

The files are written by `cache`, which stands on names that are private to Numba. If a
later Numba renames one of them, the kernels are right all the same: they are compiled
anew in each process, which takes about half a minute, and one line says so.
"""

import functools
import logging
from collections.abc import Callable

import numba
from numba import config, njit
from numba.core import event

log = logging.getLogger("minicnn")

try:
    from .cache import find_cache
except (ImportError, AttributeError) as error:
    MISSING = str(error)

    def find_cache(function):
        raise AttributeError(MISSING)


@functools.cache
def warn_once(sentence: str) -> None:
    log.warning(sentence)


if config.DISABLE_JIT:
    warn_once(
        "NUMBA_DISABLE_JIT=1 is set: nothing is compiled, and a training step takes half a minute "
        "instead of milliseconds. Unset it, or use the NumPy kernels: minicnn.set_backend('numpy')."
    )


def compiled(**options):
    """njit that lets other threads run, and keeps the code in files."""

    def decorate(function):
        dispatcher = njit(nogil=True, **options)(function)
        if config.DISABLE_JIT:
            return dispatcher
        try:
            cache = find_cache(function)
            dispatcher._cache  # noqa: B018 - AttributeError, before a name is set that nobody reads
        except (AttributeError, TypeError) as error:
            warn_once(
                f"minicnn does not know Numba {numba.__version__} yet ({error}): compiled code is not kept, and every "
                "process compiles anew. An older Numba avoids that: pip install 'numba<=0.68'."
            )
        else:
            if cache is not None:
                dispatcher._cache = cache
        return dispatcher

    return decorate


class _Announcement(event.Listener):
    def __init__(self, say: Callable[[], None]):
        self.say: Callable[[], None] | None = say

    def on_start(self, event):  # comes for what is compiled, not for what the cache holds
        if self.say is not None:
            say = self.say
            self.say = None
            say()

    def on_end(self, event):
        pass


def announce_compilation(say: Callable[[], None]) -> None:
    """Call say() when the first kernel is about to be compiled."""
    event.register("numba:compile", _Announcement(say))
