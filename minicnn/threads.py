"""How many threads the arithmetic may use."""

import os

from threadpoolctl import threadpool_info, threadpool_limits


def set_num_threads(n: int) -> None:
    """Use `n` threads in the matrix products of NumPy's BLAS."""
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"set_num_threads: the number of threads must be an int of at least 1, got {n!r}.")
    threadpool_limits(limits=n, user_api="blas")


def get_num_threads() -> int:
    """The number of threads in use."""
    pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return max(pools, default=os.cpu_count() or 1)
