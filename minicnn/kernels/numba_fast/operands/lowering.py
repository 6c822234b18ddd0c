"""Where a convolution finds its operands: a table of offsets into a buffer.

Stride, padding, dilation and transposition all become such a table. The rows of the patch
matrix are the image itself, read from different places. Copy an image into a buffer with
zeros around it, every row Q numbers long; then output pixel (i, j) finds its tap (kh, kw)
at

    buffer[offset[kh, kw] + i Q + j]

for every i and j at once: no im2col, one contiguous run for each tap. Three things make
it cheap and general:

- The zeros right of a row are at the same time the zeros left of the next: Q is W + PW
  instead of W + 2 PW. Columns j >= OW are computed and thrown away: 14 % of the work of
  the notebook's second convolution, 29 % without the sharing.
- With a stride S, pixels S apart become neighbours: the buffer holds smaller images
  ("phases"), up to S x S of them, and each tap reads one. A phase that no tap reads is
  not there.
- The gradient to the input is the same sum read backwards: input pixel h = SH m + a gets
  what output rows i = m + (a + PH - kh DH) / SH send it, for those kh that leave no
  remainder. So it is a convolution over grad_output, with one list of taps for each phase
  of the *target*.

`g` is the Geometry of the convolution (`minicnn.geometry`): all sizes of this call.
"""

from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np

from ..engine.compilation import compiled

PIXELS = 512  # of a chunk; 256 is as fast on the notebook's shapes, but computes 11 % more on 56 x 56


class Side(NamedTuple):
    """What the convolution reads, or what it writes."""

    C: int  # channels of a group
    H: int
    W: int
    SH: int  # pixels SH rows and SW columns apart belong to one phase
    SW: int


class Layout(NamedTuple):
    """Both sides, and the sizes of the buffer for a band of BAND target rows."""

    N: int
    G: int
    source: Side
    target: Side
    BAND: int
    BANDS: int
    FIRST: int  # the buffer's first source row (of a phase), relative to the band's first target row
    ROWS: int  # rows of a phase in the buffer
    LEFT: int  # zeros in front of a phase
    Q: int
    CHUNK: int  # rows that are computed for all target channels before they are copied out
    PHASE: int  # numbers from phase to phase
    CHANNEL: int  # numbers from channel to channel


@compiled()
def named_layout(plain):
    """A Layout again, from plain tuples (`team.plain`)."""
    return Layout(plain[0], plain[1], Side(*plain[2]), Side(*plain[3]), *plain[4:])


class Taps(NamedTuple):
    """Which phases there are, and where each tap is read."""

    source_rows: np.ndarray  # (VH): the first row of each phase that the buffer holds
    source_columns: np.ndarray  # (VW): its first column
    target: np.ndarray  # (phases, 2): the first row and column of each phase of the target
    start: np.ndarray  # (phases + 1): phase f sums the taps start[f] ... start[f + 1] - 1
    kernel: np.ndarray  # (taps, 2): kh, kw
    offsets: np.ndarray  # for each phase: (source.C, its taps), flat


class Tap(NamedTuple):
    """One position k of the kernel, along one axis."""

    k: int
    phase: int  # of the source
    shift: int  # target row m meets source row m + shift of that phase


def _forward_axis(K, S, P, D):
    """The taps of each phase of the target: here it has one."""
    return {0: [Tap(k, phase=(k * D - P) % S, shift=(k * D - P) // S) for k in range(K)]}


def transposed_axis(K, S, P, D, size):
    """The taps of each phase of a target of `size` rows, if it has any."""
    phases = {}
    for k in range(K):
        a = (k * D - P) % S
        if a < size:
            phases.setdefault(a, []).append(Tap(k, phase=0, shift=(a + P - k * D) // S))
    return dict(sorted(phases.items()))


def shifts(axis):
    """The least and the greatest shift of an axis."""
    shifts = [tap.shift for taps in axis.values() for tap in taps]
    return min(shifts, default=0), max(shifts, default=0)


def _source_phases(axis):
    return sorted({tap.phase for taps in axis.values() for tap in taps})


@lru_cache(maxsize=256)
def without_idle_strides(g):
    """A stride with one window, or a dilation with one tap, moves nothing: 1 then.

    With the number given, an unused stride of a million would make tables of a million
    entries.
    """
    return g._replace(
        SH=g.SH if g.OH > 1 else 1,
        SW=g.SW if g.OW > 1 else 1,
        DH=g.DH if g.KH > 1 else 1,
        DW=g.DW if g.KW > 1 else 1,
    )


@lru_cache(maxsize=256)
def lower(g, transposed):
    """The Layout and the Taps of conv2d, or of its gradient to the input."""
    image = Side(C=g.C // g.G, H=g.H, W=g.W, SH=g.SH, SW=g.SW)
    output = Side(C=g.O // g.G, H=g.OH, W=g.OW, SH=1, SW=1)
    if transposed:
        source = output
        target = image
        rows = transposed_axis(g.KH, g.SH, g.PH, g.DH, g.H)
        columns = transposed_axis(g.KW, g.SW, g.PW, g.DW, g.W)
    else:
        source = image
        target = output
        rows = _forward_axis(g.KH, g.SH, g.PH, g.DH)
        columns = _forward_axis(g.KW, g.SW, g.PW, g.DW)
    layout = _layout(g, source, target, rows, columns)
    return layout, _taps(layout, rows, columns)


def _layout(g, source, target, rows, columns):
    top, bottom = shifts(rows)
    left, right = shifts(columns)
    height = -(-target.H // target.SH)
    width = -(-target.W // target.SW)
    LEFT = max(0, -left)
    Q = max(-(-source.W // source.SW) + LEFT, right + width, width)
    phases = len(_source_phases(rows)) * len(_source_phases(columns))
    size = source.C * phases * (height + bottom - top) * Q  # of a buffer for a whole image
    BAND = -(-height // _bands(g, height, size))
    ROWS = BAND + bottom - top
    PHASE = LEFT + ROWS * Q
    return Layout(
        N=g.N,
        G=g.G,
        source=source,
        target=target,
        BAND=BAND,
        BANDS=-(-height // BAND),
        FIRST=top,
        ROWS=ROWS,
        LEFT=LEFT,
        Q=Q,
        CHUNK=max(1, PIXELS // Q),
        PHASE=PHASE,
        CHANNEL=PHASE * phases,
    )


def _bands(g, height, size):
    """A few parts for each thread, and at most 1 MB of float32 in a buffer.

    A small job is one thread's.
    """
    work = 2 * g.N * g.OH * g.OW * g.O * g.KH * g.KW * (g.C // g.G)
    bands = -(-16 // max(g.N, 1)) if work > 8e6 else 1
    return min(height, max(bands, size // 2**18))


def _taps(layout, rows, columns):
    source_rows = _source_phases(rows)
    source_columns = _source_phases(columns)
    target = []
    start = [0]
    kernel = []
    offsets = []
    for (a, row_taps), (b, column_taps) in product(rows.items(), columns.items()):
        places = []
        for row, column in product(row_taps, column_taps):
            phase = source_rows.index(row.phase) * len(source_columns) + source_columns.index(column.phase)
            pixel = (row.shift - layout.FIRST) * layout.Q + column.shift
            places.append(phase * layout.PHASE + layout.LEFT + pixel)
            kernel.append((row.k, column.k))
        target.append((a, b))
        start.append(len(kernel))
        offsets += [c * layout.CHANNEL + place for c in range(layout.source.C) for place in places]
    return Taps(
        source_rows=np.array(source_rows, np.int64),
        source_columns=np.array(source_columns, np.int64),
        target=np.array(target, np.int64).reshape(-1, 2),
        start=np.array(start, np.int64),
        kernel=np.array(kernel, np.int64).reshape(-1, 2),
        offsets=np.array(offsets, np.int64),
    )
