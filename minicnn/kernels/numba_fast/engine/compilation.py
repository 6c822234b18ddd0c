"""Compilation happens once for each machine, when a kernel is first used; afterwards the code is read from files.

Numba's own cache forgets two things. The index of a function's files is written as a whole: of two processes that compile at
once, for different dtypes, one may leave an index that names the other's file, and from then on float32 is added up as if it
were int32. And a callee is compiled into its caller, but only the caller's file is looked at: after an update the old callee
would run on. So here a file is named by all that its code depends on, and there is no index.
"""

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path

import numba
from numba import config, njit
from numba.core import event
from numba.core.caching import FunctionCache, IndexDataCacheFile


def digest_of(folder: Path) -> str:
    """Of Numba's version and of all sources in a folder and in the folders below."""
    sources = b"".join(path.read_bytes() for path in sorted(folder.rglob("*.py")))
    return hashlib.sha256(numba.__version__.encode() + sources).hexdigest()[:16]


def discard_stale_cache(folder: Path, digest: str) -> None:
    """Delete what was compiled from other sources; it would never be read again."""
    for path in folder.rglob("__pycache__/*.nb[ic]*"):
        if digest not in path.name:
            with contextlib.suppress(OSError):
                path.unlink()


FOLDER = Path(__file__).parents[1]  # numba_fast, with engine and operands
SOURCES = digest_of(FOLDER)
discard_stale_cache(FOLDER, SOURCES)


class Files(IndexDataCacheFile):
    """The compiled code of one function: a file for each key (signature, processor and bytecode), its SHA-256 at the end."""

    def name(self, key) -> str:
        digest = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
        return f"{self._index_name.removesuffix('.nbi')}.{SOURCES}.{digest}.nbc"

    def save(self, key, data):
        self._save_data(self.name(key), data)  # written beside it and renamed: whole, or not there

    def _dump(self, obj) -> bytes:
        code = super()._dump(obj)
        return code + hashlib.sha256(code).digest()

    def load(self, key):
        """None: not there, or not what was written. Machine code with a wrong bit must not run."""
        try:
            content = Path(self._data_path(self.name(key))).read_bytes()
            whole = hashlib.sha256(content[:-32]).digest() == content[-32:]
            return self._load_data(self.name(key)) if whole else None
        except Exception:  # noqa: BLE001 - unpickling what another installation wrote fails in many ways: compile
            return None


class Cache(FunctionCache):
    def __init__(self, function):
        super().__init__(function)
        self._cache_file = Files(self._cache_path, self._impl.filename_base, None)

    def save_overload(self, sig, data):
        with contextlib.suppress(OSError):  # a full disk: the next process compiles again
            super().save_overload(sig, data)


def compiled(**options):
    """njit that lets other threads run, with that cache."""

    def decorate(function):
        dispatcher = njit(nogil=True, **options)(function)
        if not config.DISABLE_JIT:
            with contextlib.suppress(RuntimeError):  # no folder that may be written, not even the user's
                dispatcher._cache = Cache(function)
        return dispatcher

    return decorate


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
