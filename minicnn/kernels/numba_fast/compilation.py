"""Compilation happens once for each machine, when a kernel is first used; afterwards Numba reads its cache beside the source."""

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from numba import config, njit
from numba.core import event


def discard_stale_cache(folder: Path) -> None:
    """Forget what was compiled from other sources.

    A callee is compiled into its caller, but Numba compares the date of the caller's file alone: after an update it would go
    on with the old callee. So the cache carries the digest of all sources.
    """
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))).hexdigest()
    stamp = folder / "__pycache__" / "sources.sha256"
    try:
        stamp.parent.mkdir(exist_ok=True)
        if not stamp.exists() or stamp.read_text() != digest:
            for compiled in stamp.parent.glob("*.nb[ic]"):
                compiled.unlink(missing_ok=True)
            stamp.write_text(digest)
    except OSError:
        pass  # where nothing can be written there is no cache either; Numba's other folder is new for each installation


def find_cache() -> None:
    """Where neither the sources' folder nor the user's own can be written, the cache is for this process alone.

    Numba would refuse to compile at all.
    """
    try:
        njit(cache=True)(find_cache)  # looks for a folder; compiles nothing
    except RuntimeError:
        config.CACHE_DIR = tempfile.mkdtemp(prefix="minicnn-")
        atexit.register(shutil.rmtree, config.CACHE_DIR, ignore_errors=True)


class _Announcement(event.Listener):
    def __init__(self, say: Callable[[], None]):
        self.say: Callable[[], None] | None = say

    def on_start(self, event):  # comes for what is compiled, not for what the cache holds
        if self.say is not None:
            say, self.say = self.say, None
            say()

    def on_end(self, event):
        pass


def announce_compilation(say: Callable[[], None]) -> None:
    """Call say() when the first kernel is about to be compiled."""
    event.register("numba:compile", _Announcement(say))
