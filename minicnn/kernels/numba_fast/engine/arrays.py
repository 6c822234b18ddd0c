"""The arrays that compiled loops take, and where their memory comes from."""

import numpy as np


def contiguous(x):
    """Whole, writeable, aligned arrays. Any other kind would be compiled for once more."""
    return x if x.flags.carray else np.array(x, order="C")


def keep_memory():
    """Ask for 32 MB once and give it back, unused: from then on the C library (glibc)
    keeps large blocks that are freed.

    Before, it hands them back to the system, and each new array pays for its pages
    again, at the first touch: a training step, which makes 25 MB of arrays, takes 8.4
    instead of 11.6 ms.
    """
    np.empty((32 << 20) - (64 << 10), np.uint8)


keep_memory()
