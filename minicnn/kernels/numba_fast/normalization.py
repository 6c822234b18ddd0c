"""Normalisation channel by channel, while the channel is in the cache.

NumPy's sums over two axes of three, and its passes over the whole batch, take several times
as long.
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
    mean = np.empty(C, x.dtype)
    var = np.empty(C, x.dtype)
    parallel(_normalize_loops, _parts(x), x, output.reshape(-1), mean, var, x.dtype.type(eps))
    return output, mean, var


def normalize_grad(grad_output, output, var, eps):
    grad_output = contiguous(grad_output)
    output = contiguous(output).reshape(-1)
    grad_input = np.empty_like(grad_output)  # (N, C, L)
    scale = 1 / np.sqrt(var + var.dtype.type(eps))  # (C,)
    parallel(_normalize_grad_loops, _parts(grad_output), grad_output, output, scale, grad_input.reshape(-1))
    return grad_input


def _parts(x):
    return max(1, min(x.shape[1], x.size // SHARE))


@compiled(error_model="numpy")
def _normalize_loops(team, parts, x, output, mean, var, eps):
    N, C, L = x.shape
    flat = x.reshape(-1)
    count = x.dtype.type(N * L)
    one = x.dtype.type(1)
    k = next_part(team)
    while k < parts:
        for c in share(k, parts, C):
            total = x.dtype.type(0)
            for n in range(N):
                total += add_up(flat, (n * C + c) * L, L)
            centre = total / count
            squares = x.dtype.type(0)
            for n in range(N):
                start = (n * C + c) * L
                for q in range(U(start), U(start + L)):
                    output[q] = flat[q] - centre
                squares += dot(output, start, output, start, L)
            mean[c] = centre
            var[c] = squares / count
            scale = one / np.sqrt(var[c] + eps)
            for n in range(N):
                start = (n * C + c) * L
                for q in range(U(start), U(start + L)):
                    output[q] *= scale
        k = next_part(team)


@compiled(error_model="numpy")
def _normalize_grad_loops(team, parts, grad_output, output, scale, grad_input):
    N, C, L = grad_output.shape
    flat = grad_output.reshape(-1)
    count = grad_output.dtype.type(N * L)
    k = next_part(team)
    while k < parts:
        for c in share(k, parts, C):
            total = grad_output.dtype.type(0)
            along = grad_output.dtype.type(0)
            for n in range(N):
                start = (n * C + c) * L
                total += add_up(flat, start, L)
                along += dot(flat, start, output, start, L)
            mean = total / count
            along /= count
            for n in range(N):
                start = (n * C + c) * L
                for q in range(U(start), U(start + L)):
                    grad_input[q] = (flat[q] - mean - output[q] * along) * scale[c]
        k = next_part(team)
