"""The extra memory of one call, forward and backward: what the process holds at its
fullest moment, less what it held before.

The kernel keeps that high-water mark, and sets it back when 5 is written to
/proc/self/clear_refs (Linux alone). A first call has been made before, so compiled code
and whatever a library keeps for good is there and does not count. Freed memory goes back
to the system first (malloc_trim): otherwise a call could take what an earlier one left,
and seem to need nothing. What the call returns counts: an output and the gradients, for
both the same.
"""

import ctypes
import gc
from pathlib import Path

from ..task import Task

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
CALLS = 3  # the least of so many: whatever else the process does only adds
GRAIN = 1.0  # MB; two equal calls differ by some hundred KB, the pages of allocators and stacks


def extra_mb(task: Task) -> float | None:
    """None where the system does not tell."""
    return min(found) if None not in (found := [_of_one_call(task) for _ in range(CALLS)]) else None


def _of_one_call(task: Task) -> float | None:
    task.forget()
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
        CLEAR.write_text("5")
        before = _status("VmRSS")
        with task.inside():
            task.run()
        return _status("VmHWM") - before
    except (AttributeError, OSError, StopIteration):
        return None


def _status(name: str) -> float:
    """MB."""
    lines = STATUS.read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024
