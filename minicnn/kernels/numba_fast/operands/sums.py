"""Sums over numbers side by side in memory, always in the same order.

A compiler that may reorder a sum chooses the order by the processor's name and by its own
version. Here it is written down: four registers take the numbers in turn and become one number
(`vectors.add_lanes`). What does not fill four follows in one register, then number by number.
So the bits of a sum depend on the vector length alone.
"""

from ..engine.compilation import compiled
from ..engine.vectors import FOUR, LANES, ONE, add_lanes, beginning_with, load, multiply_add
from .products import U


@compiled()
def add_up(numbers, start, count):
    """The sum of numbers[start : start + count]."""
    one = numbers.dtype.type(1)
    q = U(start)
    end = U(start + count)
    four = beginning_with(numbers.dtype.type(0), FOUR)
    while q + U(4 * LANES) <= end:
        four = multiply_add(four, one, load(numbers, q, FOUR))
        q += U(4 * LANES)
    total = add_lanes(four)
    if q + U(LANES) <= end:
        rest = beginning_with(total, ONE)
        while q + U(LANES) <= end:
            rest = multiply_add(rest, one, load(numbers, q, ONE))
            q += U(LANES)
        total = add_lanes(rest)
    for p in range(q, end):
        total += numbers[p]
    return total


@compiled()
def dot(a, a_start, b, b_start, count):
    """The sum of a[a_start + q] * b[b_start + q] over q < count, in that order too."""
    s = U(a_start)
    t = U(b_start)
    q = U(0)
    end = U(count)
    four = beginning_with(a.dtype.type(0), FOUR)
    while q + U(4 * LANES) <= end:
        four = multiply_add(four, load(a, s + q, FOUR), load(b, t + q, FOUR))
        q += U(4 * LANES)
    total = add_lanes(four)
    if q + U(LANES) <= end:
        rest = beginning_with(total, ONE)
        while q + U(LANES) <= end:
            rest = multiply_add(rest, load(a, s + q, ONE), load(b, t + q, ONE))
            q += U(LANES)
        total = add_lanes(rest)
    for p in range(q, end):
        total += a[s + p] * b[t + p]
    return total
