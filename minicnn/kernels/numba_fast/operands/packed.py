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

Each part packs what it needs by itself. Packing all panels first, once, took longer: they
come back from memory then (13 % for 512 channels, 3 x 3, on 32 images of 7 x 7).

Tables of places are the "block scatter" of Matthews, "High-performance tensor contraction
without transposition", https://arxiv.org/abs/1607.00291; panels and blocks are those of
Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008.
"""

from typing import NamedTuple

import numpy as np

from ..engine.compilation import compiled
from ..engine.team import next_part, parallel
from ..engine.vectors import LANES, ONE, load, load_some, store_some
from .products import U, aligned, fill, multiply, share

WIDE = 2 * LANES  # columns of a panel: what `multiply` computes side by side
DEEP = 256  # numbers of a sum in a block: 32 KB of a panel, of the first-level cache's 48
TALL = 1024  # rows of a part, at most
BROAD = 16  # panels of a part, at most: its sums are 2 MB of float32
RUNS = 12  # of neighbours in a panel; where there are more, each number is copied by itself
SMALL = 1 << 20  # multiply-adds that one thread does in about 10 us, which is what sharing them costs
PARTS = 4  # at least, of a product that is shared: each packs its rows and panels by itself
MOST = 32  # and at most


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
    """target (M, P) = left (M, K) @ right (K, P) + bias (M, 1), the matrices Scattered."""
    M = left.rows.size
    K = right.rows.size
    panels = -(-right.columns.size // WIDE)
    if not M * panels:
        return
    parts = 1
    wide = -(-panels // BROAD)
    tall = -(-M // TALL)  # shares of the rows, and `wide` of the panels
    if M * K * panels * WIDE >= SMALL:
        wide = max(wide, min(panels, PARTS))
        tall = max(tall, min(-(-M // 8), -(-PARTS // wide)))
        parts = min(wide * tall, MOST)
    parallel(_multiply_loops, parts, tuple(left), tuple(right), bias, tuple(target), panels, wide, tall)


@compiled()
def _pack_right(packed, right, panel, r, deep):
    """A block of a panel: `deep` rows of the right matrix from row r on.

    Where its columns make a few runs of neighbours, as the pixels of an image do, each run is
    copied by vectors.
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
    for run in range(runs if runs <= RUNS else 0):
        for q in range(begins[run], begins[run + 1], LANES):
            count = begins[run + 1] - q
            column = columns[p + q]
            for k in range(U(deep)):
                store_some(packed, k * U(WIDE) + U(q), load_some(numbers, U(rows[U(r) + k] + column), count), count)
    if runs > RUNS:
        for k in range(U(deep)):
            row = rows[U(r) + k]
            for q in range(U(width)):
                packed[k * U(WIDE) + q] = numbers[U(row + columns[U(p) + q])]


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
def _multiply_loops(team, parts, left, right, bias, target, panels, wide, tall):
    """The unit is one of `tall` shares of the rows of the target, and one of `wide` shares of
    the panels.
    """
    left = Scattered(*left)
    right = Scattered(*right)
    target = Scattered(*target)
    numbers = left.numbers
    rows = left.rows
    columns = left.columns
    M = rows.size
    K = columns.size
    eights = (M + 7) // 8
    regular = left.down > 0 and left.across > 0  # its numbers can be read where they are
    high = (eights + tall - 1) // tall * 8  # rows of a part, at most
    broad = (panels + wide - 1) // wide  # panels of a part, at most
    tiles = aligned(broad * high * WIDE + LANES, right.numbers.dtype)  # (panels, rows, WIDE)
    block = aligned(0 if regular else high * DEEP, right.numbers.dtype)  # (rows/8, DEEP, 8)
    factors = numbers if regular else block
    packed = aligned(DEEP * WIDE, right.numbers.dtype)  # (DEEP, WIDE)
    offsets = np.arange(DEEP) * WIDE  # (DEEP)
    k = next_part(team)
    while k < parts:
        for unit in share(k, parts, tall * wide):
            rows_of_eight = share(unit // wide, tall, eights)
            m0 = rows_of_eight.start * 8
            m1 = min(rows_of_eight.stop * 8, M)
            mine = share(unit % wide, wide, panels)
            _begin_tiles(tiles, bias, m0, m1, len(mine))
            for r in range(0, K, DEEP):
                deep = min(DEEP, K - r)
                if not regular:
                    _pack_left(block, numbers, rows, m0, m1, columns, r, deep)
                at = 0  # of the tile
                for panel in mine:
                    _pack_right(packed, right, panel, r, deep)
                    for m in range(m0, m1, 8):
                        multiply(
                            tile=tiles,
                            tile_start=at,
                            tile_pitch=WIDE,
                            P=WIDE,
                            buffer=packed,
                            shift=0,
                            offsets=offsets,
                            first=0,
                            R=deep,
                            factors=factors,
                            factors_start=rows[m] + columns[r] if regular else (m - m0) * DEEP,
                            factors_row=left.down if regular else 1,
                            factors_step=left.across if regular else 8,
                            M=min(8, m1 - m),
                        )
                        at += 8 * WIDE
            _store_tiles(target, tiles, m0, m1, mine.start * WIDE, len(mine))
        k = next_part(team)


@compiled()
def _begin_tiles(tiles, bias, m0, m1, panels):
    at = 0
    for _ in range(panels):
        for m in range(m0, m1):
            fill(tiles, at, WIDE, bias[m])
            at += WIDE
        at += (m0 - m1) % 8 * WIDE


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
    tall = (m1 - m0 + 7) // 8 * 8
    for panel in range(panels):
        p = p0 + panel * WIDE
        width = min(WIDE, columns.size - p)
        if target.down == 1:  # what stands side by side is written together
            for q in range(width):
                column = U(rows[m0] + columns[p + q])
                at = U(panel * tall * WIDE + q)
                for m in range(U(m1 - m0)):
                    numbers[column + m] = tiles[at + m * U(WIDE)]
        else:
            runs = _find_runs(begins, columns, p, width)
            for m in range(m0, m1):
                at = (panel * tall + m - m0) * WIDE
                if runs <= RUNS:
                    for run in range(runs):
                        q = begins[run]
                        for lane in range(0, begins[run + 1] - q, LANES):
                            place = U(rows[m] + columns[p + q] + lane)
                            count = begins[run + 1] - q - lane
                            store_some(numbers, place, load(tiles, U(at + q + lane), ONE), count)
                else:
                    for q in range(U(width)):
                        numbers[U(rows[m] + columns[U(p) + q])] = tiles[U(at) + q]
