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

import minicnn
from minicnn.kernels.threads import cores

PACKAGES = ("minicnn", "numpy", "numba", "llvmlite", "torch", "threadpoolctl")


def describe(threads: int, command: list[str]) -> dict[str, Any]:
    return {
        "cpu": cpu_name(),
        "cores": cores(),
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


def load() -> float | None:
    """How many processes wanted a core, the average of the last minute before the run."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


class Others:
    """How much of this process's cores others use from now on; known on Linux alone."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.before = self.seconds()

    @staticmethod
    def seconds() -> float | None:
        """CPU time that went to others so far, hypervisors and the system included."""
        try:
            lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
        except OSError:
            return None
        mine = os.sched_getaffinity(0)
        busy = 0
        for line in lines:
            name, *ticks = line.split()
            if name[:3] == "cpu" and name[3:].isdigit() and int(name[3:]) in mine:
                user, nice, system, _idle, _waiting, *others = map(int, ticks[:8])
                busy += user + nice + system + sum(others)  # interrupts, and what a hypervisor took
        return busy / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])

    def used(self) -> float | None:
        """The average number of cores that others kept busy since the start."""
        now = self.seconds()
        if now is None or self.before is None:
            return None
        return max(0.0, now - self.before) / (time.perf_counter() - self.started)


def found(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return getattr(sys.modules.get(package), "__version__", "not installed")


def set_threads(n: int) -> None:
    """The same number for everybody, before each work."""
    import torch

    torch.set_num_threads(n)
    minicnn.set_num_threads(n)


def matrix_product_peak(size: int = 1536, repeats: int = 12) -> float:
    """float32 multiply-adds per second of the best of `repeats` products of square
    matrices, NumPy's or torch's.

    The best, not the median: a peak is what the machine can do when nobody disturbs it.
    """
    import torch

    a, b = np.random.default_rng(0).standard_normal((2, size, size), np.float32)
    ta, tb = torch.from_numpy(a), torch.from_numpy(b)
    best = min(clock(product) for product in (lambda: a @ b, lambda: ta @ tb) for _ in range(repeats))
    return size**3 / best


def clock(run) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
