"""Where and with what a result was measured, and the matrix-product peak to hold it against."""

import os
import platform
import sys
import time
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

import minicnn

PACKAGES = ("minicnn", "numpy", "numba", "llvmlite", "torch", "threadpoolctl")


def describe(threads: int, command: list[str]) -> dict[str, Any]:
    return {
        "cpu": cpu_name(),
        "cores": available_cores(),
        "load": load(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version(), **{name: found(name) for name in PACKAGES}},
        "threads": threads,
        "command": " ".join(["python -m benchmarks", *command]),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def available_cores() -> int:
    """Those that this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load() -> float | None:
    """How many processes want a core, the last minute's average: above 1 others disturb."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def found(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return getattr(sys.modules.get(package), "__version__", "not installed")


def set_threads(n: int) -> None:
    """The same number for everybody, before each work."""
    torch.set_num_threads(n)
    minicnn.set_num_threads(n)


def matrix_product_peak(size: int = 1536, repeats: int = 12) -> float:
    """float32 multiply-adds per second of the best of `repeats` products of square matrices, NumPy's or torch's.

    The best, not the median: a peak is what the machine can do when nobody disturbs it.
    """
    a, b = np.random.default_rng(0).standard_normal((2, size, size), np.float32)
    ta, tb = torch.from_numpy(a), torch.from_numpy(b)
    best = min(clock(product) for product in (lambda: a @ b, lambda: ta @ tb) for _ in range(repeats))
    return size**3 / best


def clock(run) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
