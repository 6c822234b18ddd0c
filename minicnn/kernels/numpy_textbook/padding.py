"""Padding with copies of the image: every padded row and column is an index of the one that it copies.

    size 4, two on each side:    reflect 2 1 0 1 2 3 2 1    replicate 0 0 0 1 2 3 3 3    circular 2 3 0 1 2 3 0 1

Padding is a copy, so its gradient adds what was copied back to where it came from.
"""

from typing import Any

import numpy as np

_NUMPY_MODE: dict[str, Any] = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _sources(size, before, after, mode):
    return np.pad(np.arange(size), (before, after), _NUMPY_MODE[mode])


def pad(x, left, right, top, bottom, mode):
    """(N, C, H, W) -> (N, C, top + H + bottom, left + W + right)."""
    *_, H, W = x.shape
    return x[:, :, _sources(H, top, bottom, mode)[:, None], _sources(W, left, right, mode)]


def pad_grad(grad_output, left, right, top, bottom, mode):
    """The transpose of pad: every source collects the gradients of its copies."""
    N, C, HP, WP = grad_output.shape
    H, W = HP - top - bottom, WP - left - right
    places = _sources(H, top, bottom, mode)[:, None] * W + _sources(W, left, right, mode)  # (HP, WP)
    grad_input = np.zeros((N * C, H * W), grad_output.dtype)
    np.add.at(grad_input.T, places.ravel(), grad_output.reshape(N * C, HP * WP).T)
    return grad_input.reshape(N, C, H, W)
