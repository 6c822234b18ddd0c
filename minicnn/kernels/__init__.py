"""How it is computed: arrays in, arrays out. A kernel set keeps nothing and checks nothing.

All sets have the functions of `vocabulary`, with the same arguments and the same results.
`nn.functional` calls the set in use for NumPy arrays, and the torch set for torch tensors.
"""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from .arrays import is_tensor
from .vocabulary import KernelSet

SETS = {"numpy": "numpy_textbook", "numba": "numba_fast", "torch": "torch_gpu"}  # names and their modules
_default = "numba"
_override: ContextVar[str | None] = ContextVar("minicnn_backend", default=None)


def _check(name: str) -> str:
    if name not in tuple(SETS):
        raise ValueError(f"backend must be one of {', '.join(map(repr, SETS))}, got {name!r}.")
    return name


def set_backend(name: str) -> None:
    """Use the kernel set `name` for NumPy arrays from now on, in every thread."""
    global _default
    _load(_check(name))
    _default = name


def get_backend() -> str:
    """The name of the kernel set in use here."""
    return _override.get() or _default


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Use the kernel set `name` inside a `with` block, in this thread alone."""
    token = _override.set(_check(name))
    try:
        yield
    finally:
        _override.reset(token)


def announce_compilation(say: Callable[[], None]) -> None:
    """Call say() once if the kernel set in use has to be compiled, just before it is."""
    announce = getattr(current(), "announce_compilation", None)
    if announce is not None:
        announce(say)


def current() -> KernelSet:
    """The kernel set in use."""
    return _load(get_backend())


def kernels_for(x: Any) -> KernelSet:
    """The kernel set for x: the one in use for a NumPy array, always torch's for a tensor."""
    return _load("torch") if is_tensor(x) else current()


@cache
def _load(name: str) -> Any:
    """Imported when first needed, so that `import minicnn` is quick."""
    return importlib.import_module(f"{__name__}.{SETS[name]}")
