"""The inner products of convolution, written with vector registers; and the copying of rows."""

import numpy as np

from ..engine.compilation import compiled
from ..engine.vectors import EIGHT, LANES, ONE, PAIR, load, multiply_add, store

U = np.uint64  # an index that cannot be negative: no wrap-around to consider


@compiled()
def multiply(tile, at, pitch, P, buffer, shift, offsets, first, R, factors, f0, row, step, M):
    """tile[m, p] += sum over r < R of factors[m, r] * buffer[shift + offsets[r] + p] for m < M <= 8, p < P.

    The heart of all three products of a convolution. `at`, `first`, `f0` say where tile, offsets and factors begin;
    factors[m, r] is found at f0 + m row + r step. The tile has eight rows; those from M on come out as copies of row M - 1.

    Sixteen vectors of sums, 8 rows x 2 vectors of pixels, stay in registers while r runs: conv2 reaches 94 of the 102 GFLOP/s
    that OpenBLAS gets from a core. 4 x 4 and 4 x 3 waste more at the edge of an image: 8 and 11 % of the speed.
    Reads and writes whole pairs of vectors: up to 2 LANES - 1 numbers past P.
    """
    line, last = U(pitch), U(M - 1)
    f1, f2, f3 = min(U(1), last) * U(row), min(U(2), last) * U(row), min(U(3), last) * U(row)
    f4, f5, f6 = min(U(4), last) * U(row), min(U(5), last) * U(row), min(U(6), last) * U(row)
    f7 = min(U(7), last) * U(row)
    for p in range(U(0), U(P), U(2 * LANES)):
        t = U(at) + p
        s0, s1 = load(tile, t, PAIR), load(tile, t + line, PAIR)
        s2, s3 = load(tile, t + line * U(2), PAIR), load(tile, t + line * U(3), PAIR)
        s4, s5 = load(tile, t + line * U(4), PAIR), load(tile, t + line * U(5), PAIR)
        s6, s7 = load(tile, t + line * U(6), PAIR), load(tile, t + line * U(7), PAIR)
        f = U(f0)
        for r in range(U(first), U(first + R)):
            pixels = load(buffer, U(offsets[r] + shift) + p, PAIR)
            s0 = multiply_add(s0, factors[f], pixels)
            s1 = multiply_add(s1, factors[f + f1], pixels)
            s2 = multiply_add(s2, factors[f + f2], pixels)
            s3 = multiply_add(s3, factors[f + f3], pixels)
            s4 = multiply_add(s4, factors[f + f4], pixels)
            s5 = multiply_add(s5, factors[f + f5], pixels)
            s6 = multiply_add(s6, factors[f + f6], pixels)
            s7 = multiply_add(s7, factors[f + f7], pixels)
            f += U(step)
        store(tile, t, s0), store(tile, t + line, s1)
        store(tile, t + line * U(2), s2), store(tile, t + line * U(3), s3)
        store(tile, t + line * U(4), s4), store(tile, t + line * U(5), s5)
        store(tile, t + line * U(6), s6), store(tile, t + line * U(7), s7)


@compiled()
def multiply_row(tile, at, P, buffer, shift, offsets, first, R, factors, f0, step):
    """The same for one row, whose factors are `step` apart, and without touching a number past P.

    Bound by reading the buffer, so at half the speed of eight rows; but here every r may be left out by itself.
    """
    t, p, end = U(at), U(0), U(P)
    while p + U(8 * LANES) <= end:
        sums = load(tile, t + p, EIGHT)
        for r in range(U(R)):
            o = U(offsets[U(first) + r] + shift) + p
            sums = multiply_add(sums, factors[U(f0) + r * U(step)], load(buffer, o, EIGHT))
        store(tile, t + p, sums)
        p += U(8 * LANES)
    while p + U(LANES) <= end:
        one = load(tile, t + p, ONE)
        for r in range(U(R)):
            o = U(offsets[U(first) + r] + shift) + p
            one = multiply_add(one, factors[U(f0) + r * U(step)], load(buffer, o, ONE))
        store(tile, t + p, one)
        p += U(LANES)
    for rest in range(p, end):
        total = tile[t + rest]
        for r in range(U(R)):
            total += factors[U(f0) + r * U(step)] * buffer[U(offsets[U(first) + r] + shift) + rest]
        tile[t + rest] = total


@compiled()
def copy_careless(target, at, source, start, count):
    """Copies whole vectors, up to LANES - 1 numbers too many: for rows that are followed by others yet to be written.

    Rows are short, 14 numbers: an exact copy takes 20 ns for each, this one 2.
    """
    for j in range(U(0), U(count), U(LANES)):
        store(target, U(at) + j, load(source, U(start) + j, ONE))


@compiled()
def copy(target, at, source, start, count):
    """Not one number too many: whole vectors, then the rest one by one."""
    whole = count // LANES * LANES
    copy_careless(target, at, source, start, whole)
    for j in range(U(whole), U(count)):
        target[U(at) + j] = source[U(start) + j]


@compiled()
def fill(array, at, count, value):
    """array[at : at + count] = value; a loop compiles in a tenth of the time that Numba takes for a slice."""
    for q in range(U(at), U(at + count)):
        array[q] = value


@compiled()
def aligned(size, dtype):
    """Zeros that begin with a cache line, so that a vector lies in one line and not in two:
    conv2's gradient to the weights, with zeros skipped, takes 1.6 instead of 2.3 ms on one thread."""
    array = np.zeros(size + 64, dtype)
    skip = -array.ctypes.data % 64 // array.itemsize
    return array[skip : skip + size]
