"""The product of convolution, written with vector registers; and the copying of rows."""

import numpy as np

from ..engine.compilation import compiled
from ..engine.vectors import EIGHT, LANES, ONE, PAIR, load, multiply_add, store

U = np.uint64  # an index that cannot be negative: no wrap-around to consider


@compiled()
def share(k, parts, units):
    """The units that belong to part k."""
    return range(k * units // parts, (k + 1) * units // parts)


@compiled()
def multiply(
    tile,
    tile_start,
    tile_pitch,
    P,
    buffer,
    shift,
    offsets,
    first,
    R,
    factors,
    factors_start,
    factors_row,
    factors_step,
    M,
):
    """tile[m, p] += sum over r < R of factors[m, r] * buffer[shift + offsets[first + r] + p].

    The heart of all three products of a convolution, for m < M <= 8 and p < P. All arrays
    are flat: row m of the tile begins at tile_start + m tile_pitch, and factors[m, r]
    stands at factors_start + m factors_row + r factors_step. The tile has eight rows;
    those from M on are nobody's.

    The sums stay in registers while r runs. AVX-512 has 32 registers, and 8 rows x 2 vectors
    of pixels reach 94 of the 102 GFLOP/s that OpenBLAS gets from a core with conv2. (4 x 4
    and 4 x 3 waste more at the edge of an image: 8 and 11 % of the speed.) Where there are
    16 registers, so many sums would leave no room for pixels and factors; there the rows
    come by fours, 117 instead of 70 GFLOP/s with AVX2 (in float64, where a vector is two
    registers long, 39 instead of 46).

    Reads and writes whole pairs of vectors: up to 2 LANES - 1 numbers past P.
    """
    arguments = tile_start, tile_pitch, P, shift, first, R, factors_start, factors_row, factors_step, M
    if LANES == 16:
        _multiply_eight(tile, buffer, offsets, factors, *arguments)
    else:
        _multiply_fours(tile, buffer, offsets, factors, *arguments)


@compiled()
def _multiply_eight(
    tile,
    buffer,
    offsets,
    factors,
    tile_start,
    tile_pitch,
    P,
    shift,
    first,
    R,
    factors_start,
    factors_row,
    factors_step,
    M,
):
    """All rows at once. Those from M on come out as copies of row M - 1."""
    line = U(tile_pitch)
    row = U(factors_row)
    last = U(M - 1)
    f1 = min(U(1), last) * row
    f2 = min(U(2), last) * row
    f3 = min(U(3), last) * row
    f4 = min(U(4), last) * row
    f5 = min(U(5), last) * row
    f6 = min(U(6), last) * row
    f7 = min(U(7), last) * row
    for p in range(U(0), U(P), U(2 * LANES)):
        t0 = U(tile_start) + p
        t1 = t0 + line
        t2 = t1 + line
        t3 = t2 + line
        t4 = t3 + line
        t5 = t4 + line
        t6 = t5 + line
        t7 = t6 + line
        s0 = load(tile, t0, PAIR)
        s1 = load(tile, t1, PAIR)
        s2 = load(tile, t2, PAIR)
        s3 = load(tile, t3, PAIR)
        s4 = load(tile, t4, PAIR)
        s5 = load(tile, t5, PAIR)
        s6 = load(tile, t6, PAIR)
        s7 = load(tile, t7, PAIR)
        f = U(factors_start)
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
            f += U(factors_step)
        store(tile, t0, s0)
        store(tile, t1, s1)
        store(tile, t2, s2)
        store(tile, t3, s3)
        store(tile, t4, s4)
        store(tile, t5, s5)
        store(tile, t6, s6)
        store(tile, t7, s7)


@compiled()
def _multiply_fours(
    tile,
    buffer,
    offsets,
    factors,
    tile_start,
    tile_pitch,
    P,
    shift,
    first,
    R,
    factors_start,
    factors_row,
    factors_step,
    M,
):
    """Four rows at a time; copies of row M - 1 fill the last four up."""
    line = U(tile_pitch)
    row = U(factors_row)
    last = U(M - 1)
    for m in range(U(0), U(M), U(4)):
        f0 = m * row
        f1 = min(m + U(1), last) * row
        f2 = min(m + U(2), last) * row
        f3 = min(m + U(3), last) * row
        for p in range(U(0), U(P), U(2 * LANES)):
            t0 = U(tile_start) + m * line + p
            t1 = t0 + line
            t2 = t1 + line
            t3 = t2 + line
            s0 = load(tile, t0, PAIR)
            s1 = load(tile, t1, PAIR)
            s2 = load(tile, t2, PAIR)
            s3 = load(tile, t3, PAIR)
            f = U(factors_start)
            for r in range(U(first), U(first + R)):
                pixels = load(buffer, U(offsets[r] + shift) + p, PAIR)
                s0 = multiply_add(s0, factors[f + f0], pixels)
                s1 = multiply_add(s1, factors[f + f1], pixels)
                s2 = multiply_add(s2, factors[f + f2], pixels)
                s3 = multiply_add(s3, factors[f + f3], pixels)
                f += U(factors_step)
            store(tile, t0, s0)
            store(tile, t1, s1)
            store(tile, t2, s2)
            store(tile, t3, s3)


@compiled()
def multiply_row(tile, tile_start, P, buffer, shift, offsets, first, R, factors, factors_start):
    """The same for one row. It touches no number past P.

    The factors stand side by side. Reading the buffer is what takes the time here, so it
    runs at half the speed of eight rows.
    """
    t = U(tile_start)
    f = U(factors_start)
    p = U(0)
    end = U(P)
    while p + U(8 * LANES) <= end:
        eight = load(tile, t + p, EIGHT)
        for r in range(U(R)):
            at = U(offsets[U(first) + r] + shift) + p
            pixels = load(buffer, at, EIGHT)
            eight = multiply_add(eight, factors[f + r], pixels)
        store(tile, t + p, eight)
        p += U(8 * LANES)
    while p + U(LANES) <= end:
        one = load(tile, t + p, ONE)
        for r in range(U(R)):
            at = U(offsets[U(first) + r] + shift) + p
            pixels = load(buffer, at, ONE)
            one = multiply_add(one, factors[f + r], pixels)
        store(tile, t + p, one)
        p += U(LANES)
    for rest in range(p, end):
        total = tile[t + rest]
        for r in range(U(R)):
            at = U(offsets[U(first) + r] + shift) + rest
            total += factors[f + r] * buffer[at]
        tile[t + rest] = total


@compiled()
def copy_and_overrun(target, at, source, start, count):
    """Copies whole vectors, so up to LANES - 1 numbers too many.

    For rows that are followed by others yet to be written. Rows are short, 14 numbers: an
    exact copy takes 20 ns for each, this one 2.
    """
    for j in range(U(0), U(count), U(LANES)):
        store(target, U(at) + j, load(source, U(start) + j, ONE))


@compiled()
def copy(target, at, source, start, count):
    """Not one number too many: whole vectors, then the rest one by one."""
    whole = count // LANES * LANES
    copy_and_overrun(target, at, source, start, whole)
    for j in range(U(whole), U(count)):
        target[U(at) + j] = source[U(start) + j]


@compiled()
def fill(array, at, count, value):
    """array[at : at + count] = value.

    A loop compiles in a tenth of the time that Numba takes for a slice.
    """
    for q in range(U(at), U(at + count)):
        array[q] = value


@compiled()
def aligned(size, dtype):
    """Zeros that begin with a cache line, so that a vector lies in one line and not in two.

    conv2's gradient to the weights, with zeros skipped, takes 1.6 instead of 2.3 ms on
    one thread.
    """
    array = np.zeros(size + 64, dtype)
    skip = -array.ctypes.data % 64 // array.itemsize
    return array[skip : skip + size]
