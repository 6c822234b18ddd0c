"""Run a module and say what it took: `python -m benchmarks.peak_memory FILE MODULE
[ARGUMENTS]`.

The high-water mark is read from inside, at the end: the one that a parent is told of a
child (ru_maxrss) begins at the parent's own size, because a child starts as its copy.
"""

import resource
import runpy
import sys
from pathlib import Path


def high_water_mb() -> float:
    """The most memory that this process has ever held, in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


if __name__ == "__main__":
    answer, module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        Path(answer).write_text(f"{high_water_mb():.1f}")
