"""What compiled loops take: whole, writeable, aligned arrays. Any other kind would be compiled for once more."""

import numpy as np


def plain(x):
    return x if x.flags.carray else np.array(x, order="C")
