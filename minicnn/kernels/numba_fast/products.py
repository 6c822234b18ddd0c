"""The inner products of convolution, written with vector registers; and the copying of rows."""

import numpy as np
from numba import njit

from .vectors import LANES, load, multiply_add, store

U = np.uint64  # an index that cannot be negative: no wrap-around to consider


@njit(nogil=True, cache=True)
def multiply(tile, at, pitch, P, buffer, shift, offsets, first, R, factors, f0, row, step, M):
    """tile[m, p] += sum over r < R of factors[m, r] * buffer[shift + offsets[r] + p] for m < M <= 8, p < P.

    The heart of all three products of a convolution. `at`, `first`, `f0` say where tile, offsets and factors begin;
    factors[m, r] is found at f0 + m row + r step. The tile has eight rows; those from M on come out as copies of row M - 1.

    Sixteen vectors of sums, 8 rows x 2 vectors of pixels, stay in registers while r runs: 169 GFLOP/s a core, the machine's
    peak. 4 x 4 and 4 x 3 are as fast but waste more at the edge of an image (132, 136 against 148 GFLOP/s that count).
    Reads and writes whole pairs of vectors: up to 2 LANES - 1 numbers past P.
    """
    one = U(LANES)
    t0 = U(at)
    line = U(pitch)
    t1, t2, t3, t4 = t0 + line, t0 + line * U(2), t0 + line * U(3), t0 + line * U(4)
    t5, t6, t7 = t0 + line * U(5), t0 + line * U(6), t0 + line * U(7)
    last = U(M - 1)
    g1, g2, g3, g4 = (
        min(U(1), last) * U(row),
        min(U(2), last) * U(row),
        min(U(3), last) * U(row),
        min(U(4), last) * U(row),
    )
    g5, g6, g7 = min(U(5), last) * U(row), min(U(6), last) * U(row), min(U(7), last) * U(row)
    for p in range(U(0), U(P), U(2 * LANES)):
        q = p + one
        a0, b0, a1, b1 = load(tile, t0 + p), load(tile, t0 + q), load(tile, t1 + p), load(tile, t1 + q)
        a2, b2, a3, b3 = load(tile, t2 + p), load(tile, t2 + q), load(tile, t3 + p), load(tile, t3 + q)
        a4, b4, a5, b5 = load(tile, t4 + p), load(tile, t4 + q), load(tile, t5 + p), load(tile, t5 + q)
        a6, b6, a7, b7 = load(tile, t6 + p), load(tile, t6 + q), load(tile, t7 + p), load(tile, t7 + q)
        f = U(f0)
        for r in range(U(first), U(first + R)):
            o = U(offsets[r] + shift) + p
            a, b = load(buffer, o), load(buffer, o + one)
            a0, b0 = multiply_add(a0, factors[f], a), multiply_add(b0, factors[f], b)
            a1, b1 = multiply_add(a1, factors[f + g1], a), multiply_add(b1, factors[f + g1], b)
            a2, b2 = multiply_add(a2, factors[f + g2], a), multiply_add(b2, factors[f + g2], b)
            a3, b3 = multiply_add(a3, factors[f + g3], a), multiply_add(b3, factors[f + g3], b)
            a4, b4 = multiply_add(a4, factors[f + g4], a), multiply_add(b4, factors[f + g4], b)
            a5, b5 = multiply_add(a5, factors[f + g5], a), multiply_add(b5, factors[f + g5], b)
            a6, b6 = multiply_add(a6, factors[f + g6], a), multiply_add(b6, factors[f + g6], b)
            a7, b7 = multiply_add(a7, factors[f + g7], a), multiply_add(b7, factors[f + g7], b)
            f += U(step)
        store(tile, t0 + p, a0), store(tile, t0 + q, b0), store(tile, t1 + p, a1), store(tile, t1 + q, b1)
        store(tile, t2 + p, a2), store(tile, t2 + q, b2), store(tile, t3 + p, a3), store(tile, t3 + q, b3)
        store(tile, t4 + p, a4), store(tile, t4 + q, b4), store(tile, t5 + p, a5), store(tile, t5 + q, b5)
        store(tile, t6 + p, a6), store(tile, t6 + q, b6), store(tile, t7 + p, a7), store(tile, t7 + q, b7)


@njit(nogil=True, cache=True)
def multiply_row(tile, at, P, buffer, shift, offsets, first, R, factors, f0, step):
    """The same for one row, whose factors are `step` apart, and without touching a number past P.

    Bound by reading the buffer, so at half the speed of eight rows; but here every r may be left out by itself.
    """
    V = U(LANES)
    t, p, end = U(at), U(0), U(P)
    while p + V * U(8) <= end:
        u = t + p
        a0, a1, a2, a3 = load(tile, u), load(tile, u + V), load(tile, u + V * U(2)), load(tile, u + V * U(3))
        a4, a5 = load(tile, u + V * U(4)), load(tile, u + V * U(5))
        a6, a7 = load(tile, u + V * U(6)), load(tile, u + V * U(7))
        for r in range(U(R)):
            o, f = U(offsets[U(first) + r] + shift) + p, factors[U(f0) + r * U(step)]
            a0, a1 = multiply_add(a0, f, load(buffer, o)), multiply_add(a1, f, load(buffer, o + V))
            a2, a3 = multiply_add(a2, f, load(buffer, o + V * U(2))), multiply_add(a3, f, load(buffer, o + V * U(3)))
            a4, a5 = multiply_add(a4, f, load(buffer, o + V * U(4))), multiply_add(a5, f, load(buffer, o + V * U(5)))
            a6, a7 = multiply_add(a6, f, load(buffer, o + V * U(6))), multiply_add(a7, f, load(buffer, o + V * U(7)))
        store(tile, u, a0), store(tile, u + V, a1), store(tile, u + V * U(2), a2), store(tile, u + V * U(3), a3)
        store(tile, u + V * U(4), a4), store(tile, u + V * U(5), a5)
        store(tile, u + V * U(6), a6), store(tile, u + V * U(7), a7)
        p += V * U(8)
    while p + V <= end:
        a0 = load(tile, t + p)
        for r in range(U(R)):
            a0 = multiply_add(a0, factors[U(f0) + r * U(step)], load(buffer, U(offsets[U(first) + r] + shift) + p))
        store(tile, t + p, a0)
        p += V
    for rest in range(p, end):
        one = tile[t + rest]
        for r in range(U(R)):
            one += factors[U(f0) + r * U(step)] * buffer[U(offsets[U(first) + r] + shift) + rest]
        tile[t + rest] = one


@njit(nogil=True, cache=True)
def copy_careless(target, at, source, start, count):
    """Copies whole vectors, up to LANES - 1 numbers too many: for rows that are followed by others yet to be written.

    Rows are short, 14 numbers: an exact copy takes 20 ns for each, this one 2.
    """
    for j in range(U(0), U(count), U(LANES)):
        store(target, U(at) + j, load(source, U(start) + j))


@njit(nogil=True, cache=True)
def copy(target, at, source, start, count):
    """Not one number too many: whole vectors, then the rest one by one."""
    whole = count // LANES * LANES
    copy_careless(target, at, source, start, whole)
    for j in range(U(whole), U(count)):
        target[U(at) + j] = source[U(start) + j]


@njit(nogil=True, cache=True)
def fill(array, at, count, value):
    """array[at : at + count] = value; a loop compiles in a tenth of the time that Numba takes for a slice."""
    for q in range(U(at), U(at + count)):
        array[q] = value


@njit(nogil=True, cache=True)
def aligned(size, dtype):
    """Zeros that begin with a cache line, so that a vector lies in one line and not in two:
    conv2's gradient to the weights, with zeros skipped, takes 1.6 instead of 2.3 ms on one thread."""
    array = np.zeros(size + 64, dtype)
    skip = -array.ctypes.data % 64 // array.itemsize
    return array[skip : skip + size]
