"""Max pooling: the largest element under each window, and where it stood.

The gradient of a maximum is 1 for the element that won and 0 for the others. So forward remembers the winner's place
in the plane, h * W + w, and backward adds each gradient there; where windows overlap, one element can win several.
"""

import numpy as np

from .convolution import im2col


def max_pool2d(x, g):
    """(N, C, H, W) -> the maxima (N, C, OH, OW) and their places (N, C, OH, OW).

    The first maximum wins, unless a NaN follows: it replaces whatever was best (torch's rule). Padding never wins.
    """
    one_plane = g._replace(N=1, C=1)
    pixels = np.arange(1, g.H * g.W + 1).reshape(one_plane.input_shape)
    places = im2col(pixels, one_plane).reshape(g.KH * g.KW, g.OH, g.OW) - 1  # padding reads as -1
    values = im2col(x, g).reshape(g.N, g.C, g.KH * g.KW, g.OH, g.OW)
    best, where = values[:, :, 0], np.broadcast_to(places[0], g.output_shape)
    for tap in range(1, g.KH * g.KW):
        value, place = values[:, :, tap], places[tap]
        with np.errstate(invalid="ignore"):
            wins = (place >= 0) & ((value > best) | np.isnan(value) | (where < 0))
        best, where = np.where(wins, value, best), np.where(wins, place, where)
    return np.ascontiguousarray(best), np.array(where, np.int64)


def max_pool2d_grad(grad_output, indices, g):
    """grad_input[n, c, indices[n, c, i, j]] += grad_output[n, c, i, j]."""
    grad_input = np.zeros((g.N * g.C, g.H * g.W), grad_output.dtype)
    planes = np.arange(g.N * g.C)[:, None]
    windows = (g.N * g.C, g.OH * g.OW)
    np.add.at(grad_input, (planes, indices.reshape(windows)), grad_output.reshape(windows))
    return grad_input.reshape(g.input_shape)
