"""Normalisation channel by channel, while the channel is in the cache.

NumPy's sums over two axes of three, and its passes over the whole batch, take several times
as long. As there, all is computed in float64: the numbers of one image are widened before they
are added up.
"""

import numpy as np

from .engine.arrays import contiguous
from .engine.compilation import compiled
from .engine.team import next_part, parallel
from .operands.products import U, share
from .operands.sums import add_up, dot

SHARE = 1 << 14  # numbers for a part; fewer are one thread's work


def normalize(x, eps):
    _, C, _ = x.shape
    x = contiguous(x)
    output = np.empty_like(x)  # (N, C, L)
    mean, var, s = np.empty((3, C), x.dtype)
    parallel(_normalize_loops, _parts(x), x, output.reshape(-1), mean, var, s, eps)
    return output, mean, var, s


def normalize_grad(grad_output, output, s, weight):
    grad_output = contiguous(grad_output)
    output = contiguous(output).reshape(-1)
    grad_input = np.empty(grad_output.shape, s.dtype)  # (N, C, L)
    along, total = np.empty((2, len(s)), s.dtype)
    scale = (1.0 if weight is None else weight.astype(np.float64)) / s.astype(np.float64)  # (C,)
    results = grad_input.reshape(-1), along, total
    parallel(_normalize_grad_loops, _parts(grad_output), grad_output, output, scale, *results)
    return grad_input, along, total


def _parts(x):
    return max(1, min(x.shape[1], x.size // SHARE))


@compiled(error_model="numpy")
def _normalize_loops(team, parts, x, output, mean, var, s, eps):
    N, C, L = x.shape
    flat = x.reshape(-1)
    row = np.empty(L, np.float64)
    k = next_part(team)
    while k < parts:
        for c in share(k, parts, C):
            total = 0.0
            for n in range(N):
                _widen(flat, (n * C + c) * L, 0.0, row)
                total += add_up(row, 0, L)
            centre = total / (N * L)
            squares = 0.0
            for n in range(N):
                _widen(flat, (n * C + c) * L, centre, row)
                squares += dot(row, 0, row, 0, L)
            variance = squares / (N * L)
            deviation = np.sqrt(variance + eps)
            mean[c] = centre
            var[c] = variance
            s[c] = deviation
            scale = 1 / deviation
            for n in range(N):
                start = (n * C + c) * L
                for q in range(U(start), U(start + L)):
                    output[q] = (flat[q] - centre) * scale
        k = next_part(team)


@compiled(error_model="numpy")
def _normalize_grad_loops(team, parts, grad_output, output, scale, grad_input, along, total):
    N, C, L = grad_output.shape
    flat = grad_output.reshape(-1)
    g = np.empty(L, np.float64)
    y = np.empty(L, np.float64)
    k = next_part(team)
    while k < parts:
        for c in share(k, parts, C):
            products = 0.0
            grads = 0.0
            for n in range(N):
                start = (n * C + c) * L
                _widen(flat, start, 0.0, g)
                _widen(output, start, 0.0, y)
                products += dot(g, 0, y, 0, L)
                grads += add_up(g, 0, L)
            along[c] = products
            total[c] = grads
            slope = products / (N * L)
            mean = grads / (N * L)
            for n in range(N):
                start = (n * C + c) * L
                for q in range(U(start), U(start + L)):
                    grad_input[q] = (flat[q] - mean - output[q] * slope) * scale[c]
        k = next_part(team)


@compiled()
def _widen(numbers, start, centre, row):
    """row becomes the numbers from `start` on, minus the centre, in float64."""
    for q in range(U(len(row))):
        row[q] = numbers[U(start) + q] - centre
