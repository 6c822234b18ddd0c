"""The product of two matrices that are scattered in memory, by panels that are copied once.

Number (r, c) of a scattered matrix stands at numbers[rows[r] + columns[c]]. With such a
pair of tables each of convolution's three products is one of matrices, and so are those
of a linear layer (`scattered` makes the tables):

    patches (C KH KW, N OH OW)   rows: c, kh, kw    columns: n, i, j   of padded images
    weights (O, C KH KW)         rows: o            columns: c, kh, kw
    output  (O, N OH OW)         rows: o            columns: n, i, j

The columns run over all images. So images of four pixels share a pass over the weights,
where an image that is multiplied by itself needs one of its own: 3.3 instead of 19 ms for
512 channels, 3 x 3, on 32 images of 2 x 2.

The right matrix is copied into panels, WIDE columns wide, and `multiply` reads them one
number after the other. Each sum is cut into blocks of DEEP numbers: so a panel's block
stays in the first-level cache while the rows of the left matrix pass by. What has been
summed waits in a tile, so a sum runs over the rows of the right matrix in their order,
whatever the blocks are, and begins with the bias.

Tables of places are the "block scatter" of Matthews, "High-performance tensor contraction
without transposition", https://arxiv.org/abs/1607.00291; panels and blocks are those of
Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008.
"""

from typing import NamedTuple

import numpy as np

from ..engine.compilation import compiled
from ..engine.team import next_part, parallel
from ..engine.vectors import LANES
from .products import U, aligned, copy, copy_and_overrun, fill, multiply, share

WIDE = 2 * LANES  # columns of a panel: what `multiply` computes side by side
TILE = 8 * WIDE  # the sums of eight rows and one panel
DEEP = 256  # numbers of a sum in a block: 32 KB of a panel, of the first-level cache's 48
TALL = 64  # rows of a part
BROAD = 16  # panels of a part, at most: their blocks stay in the second-level cache, 512 KB of float32
MOST = 1 << 21  # numbers in all panels: 8 MB of float32
RUNS = 8  # of neighbours in a panel; where there are more, each number is copied by itself
SMALL = 1 << 20  # multiply-adds that one thread does in about 10 us, which is what sharing them costs


class Scattered(NamedTuple):
    """A matrix whose number (r, c) stands at numbers[rows[r] + columns[c]].

    Compiled loops are handed a plain tuple, and name its parts themselves (`team.plain`).
    """

    numbers: np.ndarray  # flat
    rows: np.ndarray
    columns: np.ndarray
    down: int  # from row to row, if that is always the same; otherwise 0
    across: int  # from column to column, likewise


def multiply_scattered(left, right, bias, target):
    """target (M, P) = left (M, K) @ right (K, P) + bias (M, 1), the matrices Scattered.

    A part packs the panels that it needs by itself, a block at a time. With many rows or few
    panels that would be done again and again; then all panels are packed first, by all threads.
    """
    M = left.rows.size
    K = right.rows.size
    panels = -(-right.columns.size // WIDE)
    if not M * panels:
        return
    tall = -(-M // TALL)
    small = M * K * panels * WIDE < SMALL
    few = TALL if left.down == 0 or left.across == 0 else 4 * TALL  # rows that are read where they are cost nothing
    if small or (M <= few and panels >= 8):
        wide = min(panels, max(8, -(-panels * tall // BROAD)))
        parts = 1 if small else wide
        nothing = np.empty(0, right.numbers.dtype)
        parallel(_multiply_loops, parts, tuple(left), tuple(right), nothing, bias, tuple(target), 0, panels, wide, M)
        return
    blocks = -(-K // DEEP)
    at_once = max(1, min(panels, MOST // max(K * WIDE, 1)))
    packed = aligned(at_once * K * WIDE, right.numbers.dtype)  # (panels, K, WIDE)
    for first in range(0, panels, at_once):
        count = min(at_once, panels - first)
        wide = min(count, max(-(-count // BROAD), -(-8 // tall)))  # eight parts, if there are so many panels
        parallel(_pack_loops, min(32, count * blocks), tuple(right), packed, first, count)
        matrices = tuple(left), tuple(right), packed, bias, tuple(target)
        parallel(_multiply_loops, tall * wide, *matrices, first, count, wide, TALL)


@compiled()
def _pack_loops(team, parts, right, packed, first, count):
    """Panels `first` to `first + count`, whole. The unit is a block of one panel."""
    right = Scattered(*right)
    K = right.rows.size
    blocks = (K + DEEP - 1) // DEEP
    k = next_part(team)
    while k < parts:
        for unit in share(k, parts, count * blocks):
            panel = unit // blocks
            r = unit % blocks * DEEP
            at = (panel * K + r) * WIDE
            _pack_right(packed, at, right, first + panel, r, min(DEEP, K - r))
        k = next_part(team)


@compiled()
def _pack_right(packed, start, right, panel, r, deep):
    """A block of a panel: `deep` rows of the right matrix from row r on.

    Where its columns make a few runs of neighbours, as the pixels of an image do, each run is
    copied by whole vectors.
    """
    numbers = right.numbers
    rows = right.rows
    columns = right.columns
    p = panel * WIDE
    width = min(WIDE, columns.size - p)
    begins = np.empty(RUNS + 1, np.int64)  # the first column of each run, and the end
    begins[0] = 0
    begins[1] = width
    runs = 1 if right.across == 1 else _find_runs(begins, columns, p, width)
    furthest = columns[p]
    for run in range(runs if runs <= RUNS else 0):
        furthest = max(furthest, columns[p + begins[run]])
    last = numbers.size - WIDE - furthest  # the last row whose runs may be copied with what follows them
    at = start
    for k in range(r, r + deep):
        row = rows[k]
        if runs <= RUNS and k < r + deep - 1 and row <= last:
            for run in range(runs):
                q = begins[run]
                copy_and_overrun(packed, at + q, numbers, row + columns[p + q], begins[run + 1] - q)
        else:
            for q in range(U(width)):
                packed[U(at) + q] = numbers[U(row + columns[U(p) + q])]
        fill(packed, at + width, WIDE - width, 0)
        at += WIDE


@compiled()
def _find_runs(begins, columns, p, width):
    """The number of runs of neighbours; RUNS + 1 if there are more than RUNS."""
    runs = 0
    for q in range(width):
        if q == 0 or columns[p + q] != columns[p + q - 1] + 1:
            if runs == RUNS:
                return RUNS + 1
            begins[runs] = q
            runs += 1
    begins[runs] = width
    return runs


@compiled()
def _multiply_loops(team, parts, left, right, packed, bias, target, first, count, wide, tall):
    """Panels `first` to `first + count`: those that are packed, or else packed here.

    The unit is `tall` rows of the target, and one of `wide` shares of the panels.
    """
    left = Scattered(*left)
    right = Scattered(*right)
    target = Scattered(*target)
    numbers = left.numbers
    rows = left.rows
    columns = left.columns
    M = rows.size
    K = columns.size
    regular = left.down > 0 and left.across > 0  # its numbers can be read where they are
    most = (count + wide - 1) // wide  # panels
    eights = (min(M, tall) + 7) // 8
    tiles = aligned(eights * most * TILE, packed.dtype)  # (rows/8, panels, 8, WIDE)
    block = aligned(0 if regular else eights * 8 * DEEP, packed.dtype)  # (rows/8, DEEP, 8)
    factors = numbers if regular else block
    own = packed.size == 0
    high = 16 if right.across == 1 else DEEP  # rows of side by side numbers are read through all panels
    pitch = (DEEP if own else K) * WIDE  # numbers from panel to panel
    panels = aligned(most * pitch, packed.dtype) if own else packed
    offsets = np.arange(K) * WIDE  # (K): where each row of a panel begins
    k = next_part(team)
    while k < parts:
        for unit in share(k, parts, (M + tall - 1) // tall * wide):
            m0 = unit // wide * tall
            m1 = min(m0 + tall, M)
            mine = share(unit % wide, wide, count)
            start = mine.start * pitch if own else 0  # of the panels here
            _begin_tiles(tiles, bias, m0, m1, len(mine))
            for r in range(0, K, DEEP):
                deep = min(DEEP, K - r)
                if own:
                    for q in range(0, deep, high):
                        for panel in mine:
                            at = panel * pitch - start + q * WIDE
                            _pack_right(panels, at, right, first + panel, r + q, min(high, deep - q))
                if not regular:
                    _pack_left(block, numbers, rows, m0, m1, columns, r, deep)
                at = 0
                for m in range(m0, m1, 8):
                    for panel in mine:
                        multiply(
                            tile=tiles,
                            tile_start=at,
                            tile_pitch=WIDE,
                            P=WIDE,
                            buffer=panels,
                            shift=panel * pitch - start,
                            offsets=offsets,
                            first=0 if own else r,
                            R=deep,
                            factors=factors,
                            factors_start=rows[m] + columns[r] if regular else (m - m0) * DEEP,
                            factors_row=left.down if regular else 1,
                            factors_step=left.across if regular else 8,
                            M=min(8, m1 - m),
                        )
                        at += TILE
            _store_tiles(target, tiles, m0, m1, (first + mine.start) * WIDE, len(mine))
        k = next_part(team)


@compiled()
def _begin_tiles(tiles, bias, m0, m1, panels):
    at = 0
    for m in range(m0, m1, 8):
        for _ in range(panels):
            for row in range(min(8, m1 - m)):
                fill(tiles, at + row * WIDE, WIDE, bias[m + row])
            at += TILE


@compiled()
def _pack_left(block, numbers, rows, m0, m1, columns, r, deep):
    """A block of the left matrix: eight numbers of a column side by side, those of eight rows.

    The last row stands for rows that are missing. Written out, because the eight places then
    stay in registers.
    """
    last = rows.size - 1
    for m in range(m0, m1, 8):
        row0 = rows[m]
        row1 = rows[min(m + 1, last)]
        row2 = rows[min(m + 2, last)]
        row3 = rows[min(m + 3, last)]
        row4 = rows[min(m + 4, last)]
        row5 = rows[min(m + 5, last)]
        row6 = rows[min(m + 6, last)]
        row7 = rows[min(m + 7, last)]
        at = U((m - m0) * DEEP)
        for q in range(U(r), U(r + deep)):
            column = columns[q]
            block[at] = numbers[U(row0 + column)]
            block[at + U(1)] = numbers[U(row1 + column)]
            block[at + U(2)] = numbers[U(row2 + column)]
            block[at + U(3)] = numbers[U(row3 + column)]
            block[at + U(4)] = numbers[U(row4 + column)]
            block[at + U(5)] = numbers[U(row5 + column)]
            block[at + U(6)] = numbers[U(row6 + column)]
            block[at + U(7)] = numbers[U(row7 + column)]
            at += U(8)


@compiled()
def _store_tiles(target, tiles, m0, m1, p0, panels):
    """Rows m0 to m1 of the target, and the columns of some panels from column p0 on."""
    numbers = target.numbers
    rows = target.rows
    columns = target.columns
    begins = np.empty(RUNS + 1, np.int64)
    for panel in range(panels):
        p = p0 + panel * WIDE
        width = min(WIDE, columns.size - p)
        if target.down == 1:  # what stands side by side is written together
            for q in range(width):
                column = U(rows[m0] + columns[p + q])
                for m in range(U(m1 - m0)):
                    at = (m // U(8) * U(panels) + U(panel)) * U(TILE) + m % U(8) * U(WIDE)
                    numbers[column + m] = tiles[at + U(q)]
        else:
            neighbours = _find_runs(begins, columns, p, width) == 1
            for m in range(m0, m1):
                at = ((m - m0) // 8 * panels + panel) * TILE + (m - m0) % 8 * WIDE
                if neighbours:
                    copy(numbers, rows[m] + columns[p], tiles, at, width)
                else:
                    for q in range(U(width)):
                        numbers[U(rows[m] + columns[U(p) + q])] = tiles[U(at) + q]
