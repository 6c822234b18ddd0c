"""Padding with copies of the image: each padded row and column copies one of the image.

    size 4, two on each side        reflect      2 1  0 1 2 3  2 1
                                    replicate    0 0  0 1 2 3  3 3
                                    circular     2 3  0 1 2 3  0 1

Padding is a copy, so its gradient adds what was copied back to where it came from.
"""

from typing import Any

import numpy as np

_NUMPY_MODE: dict[str, Any] = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(x, left, right, top, bottom, mode):
    """(N, C, H, W) -> (N, C, top + H + bottom, left + W + right)."""
    _, _, H, W = x.shape
    rows = sources(H, top, bottom, mode)  # (top + H + bottom,)
    columns = sources(W, left, right, mode)  # (left + W + right,)
    return x[:, :, rows[:, None], columns]


def pad_grad(grad_output, left, right, top, bottom, mode):
    """The transpose of pad: every source collects the gradients of its copies."""
    N, C, HP, WP = grad_output.shape
    H = HP - top - bottom
    W = WP - left - right
    rows = sources(H, top, bottom, mode)  # (HP,)
    columns = sources(W, left, right, mode)  # (WP,)
    places = rows[:, None] * W + columns  # (HP, WP), the place h W + w of each source
    grad_input = np.zeros((H * W, N * C), grad_output.dtype)
    grad = grad_output.reshape(N * C, HP * WP)
    np.add.at(grad_input, places.ravel(), grad.T)
    return grad_input.T.reshape(N, C, H, W)


def sources(size, before, after, mode):
    """(before + size + after,): the row or column of the image that stands at each place."""
    return np.pad(np.arange(size), (before, after), _NUMPY_MODE[mode])
