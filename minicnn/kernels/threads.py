"""How many threads the arithmetic may use: one number for all kernel sets."""

import os
import sys

from threadpoolctl import threadpool_limits

MOST = 1024  # more are surely a mistake


def cores() -> int:
    """Those that this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_at_first() -> int:
    """NUMBA_NUM_THREADS, or else OMP_NUM_THREADS, or else one for each core.

    As in torch, a variable that holds no usable number is ignored. Of OMP_NUM_THREADS=4,2 (a
    number for each level of nesting) the first counts.
    """
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        first = os.environ.get(name, "").partition(",")[0].strip()
        if first.isdecimal() and 1 <= int(first) <= MOST:
            return int(first)
    return cores()


_threads = threads_at_first()


def set_num_threads(n: int) -> None:
    """Use `n` threads, the calling one included: in the Numba kernels, in the matrix
    products of NumPy's BLAS, and in torch where it is loaded.

    More than the machine has cores are allowed, and no faster. The Numba kernels'
    results do not depend on `n`.
    """
    global _threads
    if isinstance(n, bool) or not hasattr(n, "__index__") or not 1 <= n <= MOST:
        raise ValueError(f"set_num_threads: the number of threads must be an int from 1 to {MOST}, got {n!r}.")
    threadpool_limits(limits=int(n), user_api="blas")
    if hasattr(sys.modules.get("torch"), "set_num_threads"):
        sys.modules["torch"].set_num_threads(int(n))
    _threads = int(n)


def get_num_threads() -> int:
    """The number of threads in use.

    At first NUMBA_NUM_THREADS or OMP_NUM_THREADS, where the environment has one of them;
    otherwise one for each core that this process may run on.
    """
    return _threads
