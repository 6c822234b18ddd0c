"""Max pooling: the largest element under each window, and where it stood.

The gradient of a maximum is 1 for the element that won and 0 for the others. So forward
remembers the winner's place in its plane (one channel of one image), h W + w, and backward
adds each gradient there. Where windows overlap, one element can win several.

`g` is the Geometry of this call (`minicnn.geometry`). Each channel is pooled by itself.
"""

import numpy as np

from ...geometry import Geometry
from .convolution import im2col


def plain_max_pool2d(x, K):
    """The plain case, K x K windows side by side: (N, C, H, W) -> (N, C, H / K, W / K).

    K divides H and W. For reading: tests hold it against `max_pool2d`.
    """
    N, C, H, W = x.shape
    windows = x.reshape(N, C, H // K, K, W // K, K)
    return windows.max(axis=(3, 5))


def max_pool2d(x, g: Geometry):
    """(N, C, H, W) -> the maxima (N, C, OH, OW) and their places (N, C, OH, OW).

    The first maximum wins, unless a NaN follows: it replaces whatever was best (torch's
    rule). Padding never wins.
    """
    places = _places(g)  # (KH KW, OH, OW)
    patches = im2col(x, g)  # (N, C KH KW, OH OW)
    values = patches.reshape(g.N, g.C, g.KH * g.KW, g.OH, g.OW)
    best = values[:, :, 0]  # (N, C, OH, OW)
    where = np.broadcast_to(places[0], g.output_shape)  # (N, C, OH, OW)
    for tap in range(1, g.KH * g.KW):
        value = values[:, :, tap]  # (N, C, OH, OW)
        place = places[tap]  # (OH, OW)
        # where < 0: this tap is the first one not in the padding.
        with np.errstate(invalid="ignore"):  # some versions of NumPy warn where they compare NaN
            larger = (value > best) | np.isnan(value)
            wins = (place >= 0) & (larger | (where < 0))
        best = np.where(wins, value, best)
        where = np.where(wins, place, where)
    return np.ascontiguousarray(best), np.array(where, np.int64)


def _places(g: Geometry):
    """(KH KW, OH, OW): the place h W + w of what each tap reads in its plane, padding -1.

    im2col pads with 0, which is also the first pixel's place. So the pixels are numbered
    from 1, and 1 is taken off.
    """
    one_plane = g._replace(N=1, C=1)
    pixels = np.arange(1, g.H * g.W + 1)
    pixels = pixels.reshape(one_plane.input_shape)  # (1, 1, H, W)
    patches = im2col(pixels, one_plane)  # (1, KH KW, OH OW)
    return patches.reshape(g.KH * g.KW, g.OH, g.OW) - 1


def max_pool2d_grad(grad_output, indices, g: Geometry):
    """grad_input[n, c, indices[n, c, i, j]] += grad_output[n, c, i, j], for places h W + w."""
    grad_input = np.zeros((g.N * g.C, g.H * g.W), grad_output.dtype)
    planes = np.arange(g.N * g.C)[:, None]  # (N C, 1)
    places = indices.reshape(g.N * g.C, g.OH * g.OW)
    grad = grad_output.reshape(g.N * g.C, g.OH * g.OW)
    np.add.at(grad_input, (planes, places), grad)  # unlike [...] += it adds twice where a place occurs twice
    return grad_input.reshape(g.input_shape)  # (N, C, H, W)
