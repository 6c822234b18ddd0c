"""From the canvas to the network: a drawing becomes what the digits of MNIST look like."""

import numpy as np

from ..data.mnist import to_float


def to_digit(drawing: np.ndarray) -> np.ndarray:
    """uint8 (H, W), bright strokes on black -> (28, 28) float32 in [0, 1], as MNIST was made: the ink shrunk into 20 x 20,
    its proportions kept, and its centre of mass moved to the middle. A blank drawing stays blank.
    """
    rows, columns = np.flatnonzero(drawing.any(axis=1)), np.flatnonzero(drawing.any(axis=0))
    digit = np.zeros((28, 28))
    if rows.size:
        ink = drawing[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(float)
        h, w = (max(1, round(20 * side / max(ink.shape))) for side in ink.shape)
        small = shares(ink.shape[0], h) @ ink @ shares(ink.shape[1], w).T  # (h, w)
        top, left = (_start(small.sum(axis=1 - axis)) for axis in (0, 1))
        digit[top : top + h, left : left + w] = small
    return to_float(np.rint(digit).astype(np.uint8))[0]


def shares(size: int, parts: int) -> np.ndarray:
    """(parts, size): row i averages the i-th of `parts` equal stretches of `size` pixels, cut ones by their share."""
    edges = np.linspace(0, size, parts + 1)
    low, high = np.maximum(edges[:-1, None], np.arange(size)), np.minimum(edges[1:, None], np.arange(1, size + 1))
    return np.clip(high - low, 0, None) * parts / size


def _start(mass: np.ndarray) -> int:
    """Where to put a stretch of pixels with this mass so that its centre lies in the middle of 28, all inside."""
    centre = (mass * (np.arange(mass.size) + 0.5)).sum() / mass.sum() if mass.sum() else mass.size / 2
    return int(np.clip(round(14 - centre), 0, 28 - mass.size))
