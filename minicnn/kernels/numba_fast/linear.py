"""The linear layer's three products, by the same eight rows and two vectors as convolution's.

Not NumPy's matrix product: its threads and ours would take the cores from each other (each waits for work by spinning), and
its sums could depend on their number.
"""

import numpy as np

from .engine.arrays import plain
from .engine.compilation import compiled
from .engine.team import parallel, take
from .engine.vectors import LANES
from .operands.products import U, aligned, copy, multiply

FEW = 8  # rows of x below which the weights are not worth packing
SMALL = 1 << 20  # multiply-adds that one thread does in about 10 us, which is what sharing them costs


def linear(x, weight, bias):
    (M, K), O = x.shape, weight.shape[0]
    if bias is None:
        bias = np.zeros(O, x.dtype)
    if M < FEW:
        output = np.empty((M, O), x.dtype)
        parallel(_few_loops, 8 if M * K * O > SMALL else 1, plain(x), plain(weight), plain(bias), output)
        return output
    return _product(plain(x), (K, 1), plain(weight), (1, K), plain(bias), M, K, O)


def linear_grad_input(grad_output, weight):
    (M, O), I = grad_output.shape, weight.shape[1]
    return _product(plain(grad_output), (O, 1), plain(weight), (I, 1), np.zeros(I, weight.dtype), M, O, I)


def linear_grad_weight(grad_output, x):
    (M, O), I = grad_output.shape, x.shape[1]
    return _product(plain(grad_output), (1, O), plain(x), (I, 1), np.zeros(I, x.dtype), O, M, I)


def _product(a, a_strides, b, b_strides, bias, M, K, P):
    """a (M, K) @ b (K, P) + bias (P), both operands flat with the strides given."""
    output = np.empty((M, P), a.dtype)
    panels = -(-P // (2 * LANES))
    parts = min(panels, 16) if M * K * P > SMALL else 1
    parallel(
        _product_loops, parts, a.reshape(-1), a_strides, b.reshape(-1), b_strides, bias, output.reshape(-1), M, K, P
    )
    return output


@compiled()
def _product_loops(team, parts, a, a_strides, b, b_strides, bias, output, M, K, P):
    """Part k computes its share of the panels, each two vectors of columns wide."""
    WIDE = 2 * LANES
    panels = (P + WIDE - 1) // WIDE
    tile, packed, offsets = aligned(8 * WIDE, a.dtype), aligned(K * WIDE, a.dtype), np.arange(K) * WIDE
    k = take(team)
    while k < parts:
        for p in range(k * panels // parts * WIDE, (k + 1) * panels // parts * WIDE, WIDE):
            width = min(WIDE, P - p)
            _pack_loops(packed, b, p * b_strides[1], b_strides, K, width)
            for m in range(0, M, 8):
                rows, f0 = min(8, M - m), m * a_strides[0]
                whole = rows == 8 and width == WIDE
                to, at, pitch = (output, m * P + p, P) if whole else (tile, 0, WIDE)
                for row in range(rows):
                    copy(to, at + row * pitch, bias, p, width)
                multiply(to, at, pitch, WIDE, packed, 0, offsets, 0, K, a, f0, a_strides[0], a_strides[1], rows)
                for row in range(0 if whole else rows):
                    copy(output, (m + row) * P + p, tile, row * WIDE, width)
        k = take(team)


@compiled()
def _pack_loops(packed, b, start, strides, K, width):
    """The panel's columns side by side, so that all M rows read it from the first-level cache.

    By 64 rows: a column of 1568 numbers written down in one go would miss the
    cache at every step: 0.31 instead of 0.58 ms for the notebook's first linear layer on one thread.
    """
    WIDE = 2 * LANES
    for r0 in range(0, K, 64):
        r1 = min(r0 + 64, K)
        if strides[1] == 1:
            for r in range(r0, r1):
                copy(packed, r * WIDE, b, start + r * strides[0], width)
        else:
            for q in range(width):
                for r in range(U(r0), U(r1)):
                    packed[r * U(WIDE) + U(q)] = b[U(start + q * strides[1]) + r * U(strides[0])]


@compiled(fastmath={"contract", "reassoc", "nsz"})
def _few_loops(team, parts, x, weight, bias, output):
    """For a few rows x: each weight is used once or twice, so do not copy it; one sum of products for each output."""
    M, K = x.shape
    O = weight.shape[0]
    k = take(team)
    while k < parts:
        for o in range(k * O // parts, (k + 1) * O // parts):
            for m in range(M):
                total = x.dtype.type(0)
                for r in range(np.uint64(K)):
                    total += x[m, r] * weight[o, r]
                output[m, o] = total + bias[o]
        k = take(team)
