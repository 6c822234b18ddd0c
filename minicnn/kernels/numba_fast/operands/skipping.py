"""The two gradients of a convolution where most of grad_output is 0: only what is not 0 is multiplied.

Max pooling sends its gradient to one pixel in four, ReLU stops a part of that: in the notebook's training 17 to 24 % of the
numbers are not 0. The price: one row of sums at a time, not eight, so each number that is read serves one multiplication.

The image lies in memory channels last, padding included. Then the patch of an output pixel is KH runs of KW C neighbours, and
nothing need be copied for it: the notebook's second convolution works on 20 KB, which stay in the first-level cache. Its two
gradients take 1.4 and 1.5 ms on one thread (1.9 and 1.9 from KW copies of the image, 82 KB; 3.5 and 3.3 without skipping).
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..engine.compilation import compiled
from ..engine.machine import trailing_zeros
from ..engine.team import take
from ..engine.vectors import LANES, load, multiply_add, store
from .products import U, aligned, fill

CHANNELS = 32  # whose zeros one word tells
WORD = np.uint32
MOST = 8  # registers for a piece of a run; more than 4 hide that a sum comes back after 4 cycles


class Runs(NamedTuple):
    """Sizes for one group, and for a band of BAND output rows."""

    N: int
    G: int
    C: int  # channels of a group: of the input
    O: int
    H: int
    W: int
    OH: int
    OW: int
    KH: int
    SH: int
    PH: int
    DH: int
    BAND: int
    BANDS: int
    ROWS: int  # input rows that a band reads
    ROW: int  # numbers in a row of the image, its padding included
    RUN: int  # numbers in a run: KW C
    PIECES: int  # a run is so many pieces
    PIECE: int  # of so many numbers, the last one too long


@lru_cache(maxsize=256)
def runs_for(g):
    """The Runs; where each column of the image stands in its row; where the runs of each output column begin; the width of a
    piece as a tuple.

    With a dilation, columns DW apart become neighbours.
    """
    C, WP = g.C // g.G, g.padded_size[1]
    together = -(-WP // g.DW)

    def place(w):
        return (w % g.DW * together + w // g.DW) * C

    RUN, ROW = g.KW * C, -(-g.DW * together * C // LANES) * LANES
    registers = -(-RUN // LANES)
    PIECES = -(-registers // MOST)
    width = (0,) * -(-registers // PIECES)
    height = (g.KH - 1) * g.DH + 1
    BAND = max(1, min(g.OH, (2**17 // ROW - height) // g.SH + 1))  # 512 KB of float32
    ROWS = (BAND - 1) * g.SH + height
    sizes = (g.N, g.G, C, g.O // g.G, g.H, g.W, g.OH, g.OW, g.KH, g.SH, g.PH, g.DH)
    runs = Runs(*sizes, BAND, -(-g.OH // BAND), ROWS, ROW, RUN, PIECES, len(width) * LANES)
    return runs, place(np.arange(g.W) + g.PW), place(np.arange(g.OW) * g.SW), width


@compiled(fastmath={"reassoc", "nsz"})
def finite(numbers, start, count):
    """Nothing but numbers times 0 is 0. `reassoc` lets sixteen sums go on side by side:
    one sum alone waits 4 cycles for each number, 0.1 ms for conv2's images."""
    check = numbers.dtype.type(0)
    for q in range(U(count)):
        check += numbers[U(start) + q] * 0
    return check == 0


# ------------------------------------------------------------------------------------------- gradient to the input


@compiled()
def rows_loops(weight, s):
    """The weights in runs (O, KH, KW C), whole pieces each."""
    O, C, KH, KW = weight.shape
    line = s.PIECES * s.PIECE
    rows = aligned(O * KH * line, weight.dtype)
    for o in range(O):
        for c in range(C):
            for kh in range(KH):
                for kw in range(KW):
                    rows[(o * KH + kh) * line + kw * C + c] = weight[o, c, kh, kw]
    return rows


@compiled()
def skipping_input_loops(team, parts, grad_output, rows, everything, grad_input, s, columns, begins, width):
    """A row of the image at a time: to it come KH rows of grad_output, from each pixel the sum of the weights' runs times what
    is not 0 in its channels."""
    pixels, line, words = s.OH * s.OW, s.PIECES * s.PIECE, -(-s.O // CHANNELS)
    row, marks = aligned(s.ROW + line + s.PIECE, rows.dtype), np.empty(words * pixels, WORD)
    k = take(team)
    while k < parts:
        for unit in range(k * s.N * s.G // parts, (k + 1) * s.N * s.G // parts):
            group = unit % s.G
            plane = unit * s.O * pixels
            _mark_loops(marks, grad_output, plane, pixels, s.O, everything)
            for h in range(s.H):
                fill(row, 0, row.size, 0)
                for kh in range(s.KH):  # outside the columns: 10 KB of weights at a time, 10 % less than all the 51
                    i, rest = divmod(h + s.PH - kh * s.DH, s.SH)
                    for word in range(words if rest == 0 and 0 <= i < s.OH else 0):
                        p = word * pixels + i * s.OW
                        q = plane + word * CHANNELS * pixels + i * s.OW
                        f = ((group * s.O + word * CHANNELS) * s.KH + kh) * line
                        for piece in range(0, line, s.PIECE):
                            _row_loops(row, piece, begins, marks, p, grad_output, q, pixels, rows, f + piece, s, width)
                for c in range(s.C):
                    at = ((unit * s.C + c) * s.H + h) * s.W
                    for w in range(U(s.W)):
                        grad_input[U(at) + w] = row[U(columns[w] + c)]
        k = take(team)


@compiled()
def _mark_loops(marks, grad_output, plane, pixels, O, everything):
    """Bit o of a pixel's word: its channel o is not 0. Made 16 pixels at a time: 0.05 ms for
    conv2, where a list of the channels of each pixel took 0.30."""
    for o in range(O):
        p, bit, q = U(o // CHANNELS * pixels), WORD(o % CHANNELS), U(plane + o * pixels)
        if bit == 0:
            fill(marks, p, pixels, 0)
        for j in range(U(pixels)):
            marks[p + j] |= WORD((grad_output[q + j] != 0) | everything) << bit


@compiled()
def _row_loops(row, piece, begins, marks, p, grad_output, q, pixels, rows, f, s, width):
    """One piece of the runs of all pixels of an output row."""
    spills = piece + s.PIECE > s.RUN
    for j in range(U(begins.size)):
        at, end = U(begins[j] + piece), U(begins[j] + s.RUN)
        sums, behind = load(row, at, width), load(row, end, width)
        mark = marks[U(p) + j]
        while mark != 0:
            o = trailing_zeros(mark)
            factor = grad_output[U(q) + o * U(pixels) + j]
            sums = multiply_add(sums, factor, load(rows, U(f) + o * U(s.KH * s.PIECES * s.PIECE), width))
            mark &= mark - WORD(1)
        store(row, at, sums)
        if spills:  # what stands behind the run is not ours: 0 times infinity would spoil it
            store(row, end, behind)


# ----------------------------------------------------------------------------------------- gradient to the weights


@compiled()
def skipping_weight_loops(team, parts, grad_output, x, sums, s, columns, begins, width):
    """sums[part, group, o] += the patches of those pixels whose gradient is not 0; of all, where it meets an infinity or NaN."""
    size, pixels, line = s.OH * s.OW, s.BAND * s.OW, s.PIECES * s.PIECE
    image, kept = aligned(s.ROWS * s.ROW + line + s.PIECE, x.dtype), np.empty(pixels + 1, np.int64)
    patches, flat, units = np.empty(pixels, np.int64), sums.reshape(-1), s.N * s.BANDS
    for p in range(pixels):
        patches[p] = p // s.OW * s.SH * s.ROW + begins[p % s.OW]
    k = take(team)
    while k < parts:
        for band in range(k * units // parts, (k + 1) * units // parts):
            n, i0 = band // s.BANDS, band % s.BANDS * s.BAND
            count = min(s.BAND, s.OH - i0) * s.OW
            for group in range(s.G):
                unit = n * s.G + group
                everything = not finite(x, unit * s.C * s.H * s.W, s.C * s.H * s.W)
                _image_loops(image, x, unit, i0 * s.SH - s.PH, s, columns)
                for o in range(s.O):
                    q, number = (unit * s.O + o) * size + i0 * s.OW, 0
                    # Writes every pixel, steps on only if it is kept: no branch to mispredict.
                    for p in range(U(count)):
                        kept[U(number)] = p
                        number += (grad_output[U(q) + p] != 0) | everything
                    at = ((k * s.G + group) * s.O + o) * s.KH * line
                    for kh in range(s.KH):
                        for piece in range(0, line, s.PIECE):
                            total = load(flat, U(at + kh * line + piece), width)
                            shift = U(kh * s.DH * s.ROW + piece)
                            for r in range(U(number)):
                                p = U(kept[r])
                                vectors = load(image, U(patches[p]) + shift, width)
                                total = multiply_add(total, grad_output[U(q) + p], vectors)
                            store(flat, U(at + kh * line + piece), total)
        k = take(team)


@compiled()
def _image_loops(image, x, unit, h0, s, columns):
    """The rows from h0 on of one group of an image, channels last."""
    fill(image, 0, image.size, 0)
    for row in range(max(0, -h0), min(s.ROWS, s.H - h0)):
        for c in range(s.C):
            at, to = ((unit * s.C + c) * s.H + h0 + row) * s.W, row * s.ROW + c
            for w in range(U(s.W)):
                image[U(to + columns[w])] = x[U(at) + w]
