"""The files of compiled code: one for each function, signature, and everything else
that the code depends on.

Numba's own cache forgets three things. The index of a function's files is written as a
whole: when two processes compile at once, for different dtypes, one may leave an index
that names the other's file, and from then on float32 is added up as if it were int32. A
callee is compiled into its caller, but only the caller's file is looked at, so after an
update the old callee would run on. And NUMBA_OPT, NUMBA_DEBUGINFO and NUMBA_BOUNDSCHECK
change the code, but not the file. So here a file is named by all that its code depends
on, and there is no index.

Two machines may share the files (a home folder in a classroom): each finds its own, because the
processor and the vector length are in the name as well.

This file relies on private names of Numba's, which may change with any version. Without
one of them `find_cache` raises AttributeError, or the import fails, and `compiled` goes
on without files.
"""

import contextlib
import hashlib
from importlib import resources
from pathlib import Path

import llvmlite
import numba
from numba import config
from numba.core.caching import FunctionCache, IndexDataCacheFile

from .vectors import LANES

SETTINGS = (
    *("OPT", "DEBUGINFO_DEFAULT", "BOUNDSCHECK", "LOOP_VECTORIZE", "SLP_VECTORIZE", "USING_SVML"),
    *("CPU_NAME", "CPU_FEATURES", "ENABLE_AVX"),
)


def sources_of(folder) -> list[bytes]:
    """The Python files of a folder and of those below it, in the order of their names.

    The folder is a Path, or what importlib finds: then it may lie in a zip file.
    """
    sources = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".py"):
            sources.append(entry.read_bytes())
        elif entry.is_dir():
            sources += sources_of(entry)
    return sources


def digest_of(folder) -> str:
    """Of all sources in a folder; empty if it has none, because only compiled modules
    were delivered.
    """
    sources = sources_of(folder)
    return hashlib.sha256(b"".join(sources)).hexdigest()[:16] if sources else ""


def surroundings() -> tuple:
    """What the code depends on beside sources, signature and processor, all of which
    have their own place.
    """
    settings = [(name, str(getattr(config, name, None))) for name in SETTINGS]
    return (numba.__version__, llvmlite.__version__, LANES, *settings)


def discard_stale_cache(folder: Path, digest: str) -> None:
    """Delete what was compiled from other sources; it would never be read again."""
    for path in folder.rglob("__pycache__/*.nb[ic]*"):
        if digest not in path.name:
            with contextlib.suppress(OSError):
                path.unlink()


FOLDER = resources.files(__package__.rpartition(".")[0])  # numba_fast, with engine and operands
SOURCES = digest_of(FOLDER)
if SOURCES and isinstance(FOLDER, Path):
    discard_stale_cache(FOLDER, SOURCES)


class Files(IndexDataCacheFile):
    """The compiled code of one function: a file for each key, with its SHA-256 at the end.

    The key is Numba's: signature, processor (its name and features, as compiled for)
    and bytecode.
    """

    def name(self, key) -> str:
        digest = hashlib.sha256(repr((surroundings(), key)).encode()).hexdigest()[:16]
        return f"{self._index_name.removesuffix('.nbi')}.{SOURCES}.{digest}.nbc"

    def save(self, key, data):
        self._save_data(self.name(key), data)  # written beside it and renamed: whole, or not there

    def _dump(self, obj) -> bytes:
        code = super()._dump(obj)
        return code + hashlib.sha256(code).digest()

    def load(self, key):
        """None: not there, or not what was written. Machine code with a wrong bit must
        not run.
        """
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
        for name in ("_save_data", "_load_data", "_data_path", "_index_name"):
            getattr(self._cache_file, name)  # AttributeError now rather than in the middle of a training

    def save_overload(self, sig, data):
        with contextlib.suppress(OSError):  # a full disk: the next process compiles again
            super().save_overload(sig, data)


def find_cache(function) -> Cache | None:
    """Where the compiled code of a function is kept; None where it cannot be.

    It cannot where the sources are not to be read, nor where no folder may be written,
    not even the user's.
    """
    if not SOURCES:
        return None
    with contextlib.suppress(RuntimeError):
        return Cache(function)
    return None
