"""The two gradients of a convolution where most of grad_output is 0.

Only what is not 0 is multiplied. Max pooling sends its gradient to one pixel in four, and
ReLU stops a part of that: in the notebook's training 17 to 24 % of the numbers are not 0.
The price is that one row of sums is computed at a time and not eight, so each number that
is read serves one multiplication.

The image lies in memory channels last, padding included. Then the patch of an output
pixel is KH runs of KW C neighbours, and nothing need be copied for it: the notebook's
second convolution works on 20 KB, which stay in the first-level cache. Its two gradients
take 1.4 and 1.5 ms on one thread (1.9 and 1.9 from KW copies of the image, 82 KB; 3.5 and
3.3 without skipping).

`g` is the Geometry (`minicnn.geometry`): all sizes of this call.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ....geometry import Geometry
from ..engine.compilation import compiled
from ..engine.machine import trailing_zeros
from ..engine.team import next_part
from ..engine.vectors import LANES, load, multiply_add, store
from .products import U, aligned, fill, share

CHANNELS = 32  # one word holds a mark for each
WORD = np.uint32

# Registers per piece. A multiply-add takes 4 cycles; with more than 4 independent sums the
# processor never waits for one.
MOST = 8


class Runs(NamedTuple):
    """The geometry, and sizes for one group and for a band of BAND output rows."""

    g: Geometry
    CG: int  # channels of a group: of the input
    OG: int  # of the output
    BAND: int
    BANDS: int
    ROWS: int  # input rows that a band reads
    ROW: int  # numbers in a row of the image, its padding included
    RUN: int  # numbers in a run: KW CG
    PIECES: int  # a run is so many pieces
    PIECE: int  # of so many numbers, the last one too long


@compiled()
def named_runs(plain):
    """Runs again, from plain tuples (`team.plain`)."""
    return Runs(Geometry(*plain[0]), *plain[1:])


@lru_cache(maxsize=256)
def runs_for(g):
    """The Runs, `columns`, `begins` and `width`.

    Column w of the image stands at columns[w] in its row; the runs of output column j
    begin at begins[j]; `width` is that of a piece, as a tuple (see `vectors`). With a
    dilation, columns DW apart become neighbours.
    """
    CG = g.C // g.G
    WP = g.padded_size[1]
    together = -(-WP // g.DW)  # columns that stand together

    def place(w):
        return (w % g.DW * together + w // g.DW) * CG

    RUN = g.KW * CG
    ROW = -(-g.DW * together * CG // LANES) * LANES
    registers = -(-RUN // LANES)
    PIECES = -(-registers // MOST)
    width = (0,) * -(-registers // PIECES)
    height = (g.KH - 1) * g.DH + 1
    BAND = max(1, min(g.OH, (2**17 // ROW - height) // g.SH + 1))  # 512 KB of float32
    runs = Runs(
        g=g,
        CG=CG,
        OG=g.O // g.G,
        BAND=BAND,
        BANDS=-(-g.OH // BAND),
        ROWS=(BAND - 1) * g.SH + height,
        ROW=ROW,
        RUN=RUN,
        PIECES=PIECES,
        PIECE=len(width) * LANES,
    )
    columns = place(np.arange(g.W) + g.PW)  # (W)
    begins = place(np.arange(g.OW) * g.SW)  # (OW)
    return runs, columns, begins, width


@compiled()
def density(numbers):
    """The share of numbers that are not 0."""
    count = 0
    for q in range(numbers.size):
        count += numbers[q] != 0
    return count / max(numbers.size, 1)


@compiled(fastmath={"reassoc", "nsz"})
def finite(numbers, start, count):
    """True if no number is NaN or infinite: only finite numbers give 0 when multiplied by 0.

    `reassoc` lets sixteen sums of zeros go on side by side; a single one would wait 4
    cycles for each number, 0.1 ms for conv2's images.
    """
    check = numbers.dtype.type(0)
    for q in range(U(count)):
        check += numbers[U(start) + q] * 0
    return check == 0


# ------------------------------------------------------------------------------------------- gr


@compiled()
def rows_of_runs(weight, runs):
    """The weights in runs (O, KH, KW C), whole pieces each."""
    O, C, KH, KW = weight.shape
    line = runs.PIECES * runs.PIECE
    rows = aligned(O * KH * line, weight.dtype)  # (O, KH, line)
    for o in range(O):
        for c in range(C):
            for kh in range(KH):
                for kw in range(KW):
                    at = (o * KH + kh) * line + kw * C + c
                    rows[at] = weight[o, c, kh, kw]
    return rows


@compiled()
def skipping_input_loops(team, parts, grad_output, rows, everything, grad_input, runs, columns, begins, width):
    """One row of grad_input at a time.

    KH rows of grad_output contribute to it. Each of their pixels adds, for every channel
    whose gradient is not 0, that gradient times the channel's run of weights.
    """
    runs = named_runs(runs)
    g = runs.g
    group = runs.OG * g.OH * g.OW  # numbers of grad_output
    row = input_row(runs, rows)
    marks = marks_for(runs)
    k = next_part(team)
    while k < parts:
        for unit in share(k, parts, g.N * g.G):
            add_to_input(
                grad_input=grad_input,
                unit=unit,
                grad_output=grad_output,
                start=unit * group,
                rows=rows,
                everything=everything,
                row=row,
                marks=marks,
                runs=runs,
                columns=columns,
                begins=begins,
                width=width,
            )
        k = next_part(team)


@compiled()
def input_row(runs, rows):
    """Room for a row of grad_input, (WP, CG), and an overrun."""
    return aligned(runs.ROW + (runs.PIECES + 1) * runs.PIECE, rows.dtype)


@compiled()
def marks_for(runs):
    """Room for the marks of a group, (words, OH, OW)."""
    words = -(-runs.OG // CHANNELS)
    return np.empty(words * runs.g.OH * runs.g.OW, WORD)


@compiled()
def add_to_input(grad_input, unit, grad_output, start, rows, everything, row, marks, runs, columns, begins, width):
    """One group of one image: number `unit` of grad_input. Its gradient begins at `start`."""
    g = runs.g
    pixels = g.OH * g.OW
    words = -(-runs.OG // CHANNELS)
    line = runs.PIECES * runs.PIECE
    _mark(
        marks=marks,
        grad_output=grad_output,
        plane=start,
        pixels=pixels,
        O=runs.OG,
        everything=everything,
    )
    for h in range(g.H):
        fill(row, 0, row.size, 0)
        # kh outside the columns: 10 KB of weights at a time, 10 % faster than with 51.
        for kh in range(g.KH):
            i, rest = divmod(h + g.PH - kh * g.DH, g.SH)
            for word in range(words if rest == 0 and 0 <= i < g.OH else 0):
                o = word * CHANNELS  # the word's first channel
                first = unit % g.G * runs.OG + o
                for piece in range(0, line, runs.PIECE):
                    _add_piece(
                        row=row,
                        piece=piece,
                        begins=begins,
                        marks=marks,
                        p=word * pixels + i * g.OW,
                        grad_output=grad_output,
                        q=start + o * pixels + i * g.OW,
                        pixels=pixels,
                        rows=rows,
                        f=(first * g.KH + kh) * line + piece,
                        channel=g.KH * line,
                        RUN=runs.RUN,
                        spills=piece + runs.PIECE > runs.RUN,
                        width=width,
                    )
        for c in range(runs.CG):
            plane = unit * runs.CG + c
            at = (plane * g.H + h) * g.W
            for w in range(U(g.W)):
                grad_input[U(at) + w] = row[U(columns[w] + c)]


@compiled()
def _mark(marks, grad_output, plane, pixels, O, everything):
    """Bit o of a pixel's word: its channel o is not 0.

    Made 16 pixels at a time: 0.05 ms for conv2, where a list of the channels of each
    pixel took 0.30.
    """
    for o in range(O):
        p = U(o // CHANNELS * pixels)
        q = U(plane + o * pixels)
        bit = WORD(o % CHANNELS)
        if bit == 0:
            fill(marks, p, pixels, 0)
        for j in range(U(pixels)):
            marks[p + j] |= WORD((grad_output[q + j] != 0) | everything) << bit


@compiled()
def _add_piece(row, piece, begins, marks, p, grad_output, q, pixels, rows, f, channel, RUN, spills, width):
    """One piece of the runs of all pixels of an output row."""
    for j in range(U(begins.size)):
        at = U(begins[j] + piece)
        end = U(begins[j] + RUN)
        sums = load(row, at, width)
        behind = load(row, end, width)
        mark = marks[U(p) + j]
        while mark != 0:
            o = trailing_zeros(mark)
            factor = grad_output[U(q) + o * U(pixels) + j]
            weights = load(rows, U(f) + o * U(channel), width)
            sums = multiply_add(sums, factor, weights)
            mark &= mark - WORD(1)
        store(row, at, sums)
        if spills:  # what stands behind the run is not ours: 0 times infinity would spoil it
            store(row, end, behind)


# ----------------------------------------------------------------------------------------- grad


@compiled()
def skipping_weight_loops(team, parts, grad_output, x, sums, runs, columns, begins, width):
    """sums[part, group, o] += the patches, each times its pixel's gradient, if that is not 0.

    All pixels count where the image holds an infinity or NaN.
    """
    runs = named_runs(runs)
    g = runs.g
    size = g.OH * g.OW
    image = band_of_image(runs, x)
    patches = patches_of_band(runs, begins)
    flat = sums.reshape(-1)
    kept = np.empty(patches.size + 1, np.int64)
    k = next_part(team)
    while k < parts:
        for band in share(k, parts, g.N * runs.BANDS):
            n = band // runs.BANDS
            i0 = band % runs.BANDS * runs.BAND
            for group in range(g.G):
                unit = n * g.G + group
                add_to_weights(
                    flat=flat,
                    row=(k * g.G + group) * sums.shape[2] * sums.shape[3],
                    pitch=sums.shape[3],
                    x=x,
                    unit=unit,
                    grad_output=grad_output,
                    start=unit * runs.OG * size,
                    i0=i0,
                    image=image,
                    patches=patches,
                    kept=kept,
                    runs=runs,
                    columns=columns,
                    width=width,
                )
        k = next_part(team)


@compiled()
def band_of_image(runs, x):
    """Room for the rows that a band reads, (ROWS, WP, CG), and an overrun."""
    return aligned(runs.ROWS * runs.ROW + (runs.PIECES + 1) * runs.PIECE, x.dtype)


@compiled()
def patches_of_band(runs, begins):
    """Where each patch of a band begins, (BAND, OW)."""
    patches = np.empty(runs.BAND * runs.g.OW, np.int64)
    for p in range(patches.size):
        i = p // runs.g.OW
        patches[p] = i * runs.g.SH * runs.ROW + begins[p % runs.g.OW]
    return patches


@compiled()
def add_to_weights(flat, row, pitch, x, unit, grad_output, start, i0, image, patches, kept, runs, columns, width):
    """One group of one image, number `unit` of x, from output row i0 on.

    Its gradient begins at `start`, its first row of sums at `row`.
    """
    g = runs.g
    numbers = runs.CG * g.H * g.W
    everything = not finite(x, unit * numbers, numbers)
    _fill_image(
        image=image,
        x=x,
        unit=unit,
        h0=i0 * g.SH - g.PH,
        runs=runs,
        columns=columns,
    )
    pixels = min(runs.BAND, g.OH - i0) * g.OW
    for o in range(runs.OG):
        q = start + (o * g.OH + i0) * g.OW
        number = _keep(kept, grad_output, q, pixels, everything)
        _add_patches(
            flat=flat,
            row=row + o * pitch,
            image=image,
            patches=patches,
            kept=kept,
            number=number,
            grad_output=grad_output,
            q=q,
            runs=runs,
            width=width,
        )


@compiled()
def _fill_image(image, x, unit, h0, runs, columns):
    """The rows from h0 on of one group of an image, channels last."""
    g = runs.g
    fill(image, 0, image.size, 0)
    for row in range(max(0, -h0), min(runs.ROWS, g.H - h0)):
        for c in range(runs.CG):
            plane = unit * runs.CG + c
            start = (plane * g.H + h0 + row) * g.W
            at = row * runs.ROW + c
            for w in range(U(g.W)):
                image[U(at + columns[w])] = x[U(start) + w]


@compiled()
def _keep(kept, grad_output, q, pixels, everything):
    """Lists the pixels whose gradient is not 0, and returns their number."""
    number = 0
    # Writes every pixel, steps on only if it is kept: no branch to mispredict.
    for p in range(U(pixels)):
        kept[U(number)] = p
        number += (grad_output[U(q) + p] != 0) | everything
    return number


@compiled()
def _add_patches(flat, row, image, patches, kept, number, grad_output, q, runs, width):
    """The kept pixels' patches, each times its gradient, to one row of sums."""
    line = runs.PIECES * runs.PIECE
    for kh in range(runs.g.KH):
        for piece in range(0, line, runs.PIECE):
            at = U(row + kh * line + piece)
            shift = U(kh * runs.g.DH * runs.ROW + piece)
            total = load(flat, at, width)
            for r in range(U(number)):
                p = U(kept[r])
                vectors = load(image, U(patches[p]) + shift, width)
                total = multiply_add(total, grad_output[U(q) + p], vectors)
            store(flat, at, total)
