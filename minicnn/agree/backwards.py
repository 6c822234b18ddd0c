"""Geometry built backwards: the output size is drawn, and the input size follows. So
every draw is legal.

`integer(low, high)` draws a whole number, both ends included: from a generator, from
Hypothesis, or from memory.
"""

from collections.abc import Callable

Integer = Callable[[int, int], int]


def window(
    integer: Integer, K: int, S: int, D: int, padding: int, least: int = 1, largest: int = 4
) -> tuple[int, int, int, int]:
    """One axis: (output size, slack, padding, input size).

    `padding` is the most that there may be; the slack is the pixels past the last window.
    """
    out = integer(least, largest)
    slack = integer(0, S - 1)
    covered = max((out - 1) * S + D * (K - 1) + 1, 1) + slack
    P = integer(0, min(padding, (covered - 1) // 2))
    return out, slack, P, covered - 2 * P


def channels(integer: Integer, most: int = 3, groups: int = 3) -> tuple[int, int, int]:
    """(G, C, O): groups and the channels on both sides."""
    G = integer(1, groups)
    CG = integer(1, most)
    OG = integer(1, most)
    return G, G * CG, G * OG
