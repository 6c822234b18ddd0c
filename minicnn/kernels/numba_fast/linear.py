"""The linear layer's three products, by the same eight rows and two vectors as convolution's.

Not NumPy's matrix product: its threads and ours would take the cores from each other
(each waits for work by spinning), and its sums could depend on their number.
"""

from typing import NamedTuple

import numpy as np

from .engine.arrays import contiguous
from .engine.compilation import compiled
from .engine.team import next_part, parallel
from .engine.vectors import LANES
from .operands.products import U, aligned, copy, multiply, share
from .operands.sums import dot

FEW = 8  # rows of x below which the weights are not worth packing
SMALL = 1 << 20  # multiply-adds that one thread does in about 10 us, which is what sharing them costs
WIDE = 2 * LANES  # columns of a panel: what `multiply` computes side by side


class Matrix(NamedTuple):
    """An array as it lies in memory, read as a matrix."""

    numbers: np.ndarray  # flat
    rows: int
    columns: int
    down: int  # numbers from row to row
    across: int  # numbers from column to column


def _matrix(x):
    rows, columns = x.shape
    return Matrix(contiguous(x).reshape(-1), rows, columns, down=columns, across=1)


def _transposed(x):
    columns, rows = x.shape
    return Matrix(contiguous(x).reshape(-1), rows, columns, down=1, across=rows)


def linear(x, weight, bias):
    M, K = x.shape
    O = weight.shape[0]
    if bias is None:
        bias = np.zeros(O, x.dtype)
    if M >= FEW:
        return _product(_matrix(x), _transposed(weight), contiguous(bias))
    output = np.empty((M, O), x.dtype)  # (M, out)
    parts = 8 if M * K * O > SMALL else 1
    parallel(_linear_few_loops, parts, contiguous(x), contiguous(weight), contiguous(bias), output)
    return output


def linear_grad_input(grad_output, weight):
    no_bias = np.zeros(weight.shape[1], weight.dtype)
    return _product(_matrix(grad_output), _matrix(weight), no_bias)  # (M, in)


def linear_grad_weight(grad_output, x):
    no_bias = np.zeros(x.shape[1], x.dtype)
    return _product(_transposed(grad_output), _matrix(x), no_bias)  # (out, in)


def _product(a, b, bias):
    """a (M, K) @ b (K, P) + bias (P)."""
    output = np.empty((a.rows, b.columns), a.numbers.dtype)  # (M, P)
    panels = -(-b.columns // WIDE)
    parts = min(panels, 16) if a.rows * a.columns * b.columns > SMALL else 1
    parallel(_product_loops, parts, a, b, bias, output.reshape(-1))
    return output


@compiled()
def _product_loops(team, parts, a, b, bias, output):
    """Part k computes its share of the panels, each two vectors of columns wide."""
    factors = a.numbers
    M = a.rows
    K = a.columns
    P = b.columns
    panels = (P + WIDE - 1) // WIDE
    packed = aligned(K * WIDE, output.dtype)  # (K, WIDE)
    offsets = np.arange(K) * WIDE  # (K)
    tile = aligned(8 * WIDE, output.dtype)  # (8, WIDE)
    k = next_part(team)
    while k < parts:
        for panel in share(k, parts, panels):
            p = panel * WIDE
            width = min(WIDE, P - p)
            _pack(packed, b, p, width)
            for m in range(0, M, 8):
                rows = min(8, M - m)
                whole = rows == 8 and width == WIDE  # then the sums can stand in the output itself
                target = output if whole else tile
                start = m * P + p if whole else 0
                pitch = P if whole else WIDE
                for row in range(rows):
                    copy(target, start + row * pitch, bias, p, width)
                multiply(
                    tile=target,
                    tile_start=start,
                    tile_pitch=pitch,
                    P=WIDE,
                    buffer=packed,
                    shift=0,
                    offsets=offsets,
                    first=0,
                    R=K,
                    factors=factors,
                    factors_start=m * a.down,
                    factors_row=a.down,
                    factors_step=a.across,
                    M=rows,
                )
                for row in range(0 if whole else rows):
                    copy(output, (m + row) * P + p, tile, row * WIDE, width)
        k = next_part(team)


@compiled()
def _pack(packed, b, p, width):
    """The panel's columns side by side, so that all M rows read it from the first-level cache.

    By 64 rows: a column of 1568 numbers written down in one go would miss the cache at
    every step, 0.58 instead of 0.31 ms for the notebook's first linear layer on one
    thread.
    """
    numbers = b.numbers  # once: each look at an array in a tuple counts its references
    for r0 in range(0, b.rows, 64):
        r1 = min(r0 + 64, b.rows)
        if b.across == 1:
            for r in range(r0, r1):
                copy(packed, r * WIDE, numbers, p + r * b.down, width)
        else:
            for q in range(width):
                start = U((p + q) * b.across)
                for r in range(U(r0), U(r1)):
                    number = numbers[start + r * U(b.down)]
                    packed[r * U(WIDE) + U(q)] = number


@compiled()
def _linear_few_loops(team, parts, x, weight, bias, output):
    """For a few rows x: one sum of products for each output.

    Each weight is used once or twice, so copying it first would not pay.
    """
    M, K = x.shape
    O = weight.shape[0]
    rows = x.reshape(-1)
    weights = weight.reshape(-1)
    k = next_part(team)
    while k < parts:
        for o in share(k, parts, O):
            for m in range(M):
                output[m, o] = dot(rows, m * K, weights, o * K, K) + bias[o]
        k = next_part(team)
