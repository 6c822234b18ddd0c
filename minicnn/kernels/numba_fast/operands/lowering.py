"""Where a convolution finds its operands: stride, padding, dilation and transposition become a table of offsets.

The rows of the patch matrix are the image itself, read from different places. Copy an image into a buffer with zeros
around it, every row Q numbers long; then output pixel (i, j) finds its tap (kh, kw) at

    buffer[offset[kh, kw] + i Q + j]

for every i and j at once: no im2col, one contiguous run for each tap. Three things make it cheap and general:

- The zeros right of a row are at the same time the zeros left of the next: Q is W + PW instead of W + 2 PW. Columns j >= OW
  are computed and thrown away: 14 % of the work of the notebook's second convolution, 29 % without the sharing.
- With a stride S, pixels S apart become neighbours: the buffer holds S x S smaller images ("phases"), each tap reads one.
- The gradient to the input is the same sum read backwards: input pixel h = SH m + a gets what output rows
  i = m + (a + PH - kh DH) / SH send it, for those kh that leave no remainder. So it is a convolution over grad_output, with one
  list of taps for each of the S x S phases of the *target*.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

PIXELS = 512  # of a chunk; 256 is as fast on the notebook's shapes, but computes 11 % more on 56 x 56


class Layout(NamedTuple):
    """Sizes of source and target, and of the buffer for a band of BAND target rows."""

    N: int
    G: int
    CS: int  # source channels of a group, their rows and columns, and the source's stride
    HS: int
    WS: int
    SH: int
    SW: int
    CT: int  # the target's
    HT: int
    WT: int
    TH: int
    TW: int
    BAND: int
    BANDS: int
    FIRST: int  # source row (of a phase) that the buffer begins with, relative to the band's first row
    ROWS: int  # rows of a phase in the buffer
    LEFT: int  # zeros in front of it
    Q: int
    CHUNK: int  # rows that are computed for all target channels before they are copied out
    PHASE: int  # numbers from phase to phase, from channel to channel
    CHANNEL: int


class Taps(NamedTuple):
    """Phase f of the target sums the taps start[f] ... start[f + 1] - 1."""

    start: np.ndarray  # (phases + 1)
    kernel: np.ndarray  # (taps, 2): kh, kw
    offsets: np.ndarray  # for each phase: (CS, its taps), flat


def _axis_forward(K, S, P, D):
    """For the one phase of the target: (k, phase of the source, shift) of every tap."""
    return [[(k, (k * D - P) % S, (k * D - P) // S) for k in range(K)]]


def _axis_transposed(K, S, P, D):
    return [[(k, 0, (a + P - k * D) // S) for k in range(K) if (a + P - k * D) % S == 0] for a in range(S)]


@lru_cache(maxsize=256)
def settled(g):
    """A single window has no stride and a single tap no dilation: 1 then, lest a large one make long tables for nothing."""
    (SH, SW), (DH, DW) = (g.SH, g.SW), (g.DH, g.DW)
    return g._replace(
        SH=SH if g.OH > 1 else 1, SW=SW if g.OW > 1 else 1, DH=DH if g.KH > 1 else 1, DW=DW if g.KW > 1 else 1
    )


@lru_cache(maxsize=256)
def lower(g, transposed, whole=False):
    """The Layout and the Taps of conv2d, or of its gradient to the input; with `whole`, one band for each image."""
    if transposed:
        source, target, channels = (g.OH, g.OW, 1, 1), (g.H, g.W, g.SH, g.SW), (g.O // g.G, g.C // g.G)
        rows, columns = _axis_transposed(g.KH, g.SH, g.PH, g.DH), _axis_transposed(g.KW, g.SW, g.PW, g.DW)
    else:
        source, target, channels = (g.H, g.W, g.SH, g.SW), (g.OH, g.OW, 1, 1), (g.C // g.G, g.O // g.G)
        rows, columns = _axis_forward(g.KH, g.SH, g.PH, g.DH), _axis_forward(g.KW, g.SW, g.PW, g.DW)
    (HS, WS, SH, SW), (HT, WT, TH, TW), (CS, CT) = source, target, channels
    down = [shift for taps in rows for _, _, shift in taps] or [0]
    right = [shift for taps in columns for _, _, shift in taps] or [0]
    LEFT = max(0, -min(right))
    Q = max(-(-WS // SW) + LEFT, max(right) + -(-WT // TW), -(-WT // TW))
    height = -(-HT // TH)
    work = 2 * g.N * g.OH * g.OW * g.O * g.KH * g.KW * (g.C // g.G)
    bands = -(-16 // max(g.N, 1)) if work > 8e6 else 1  # a few parts for each thread; a small job is one thread's
    size = CS * SH * SW * (height + max(down) - min(down)) * Q
    bands = 1 if whole else min(height, max(bands, size // 2**18))  # at most 1 MB of float32
    BAND = -(-height // bands)
    BANDS = -(-height // BAND)
    ROWS = BAND + max(down) - min(down)
    PHASE = LEFT + ROWS * Q
    layout = Layout(
        g.N,
        g.G,
        CS,
        HS,
        WS,
        SH,
        SW,
        CT,
        HT,
        WT,
        TH,
        TW,
        BAND,
        BANDS,
        min(down),
        ROWS,
        LEFT,
        Q,
        max(1, PIXELS // Q),
        PHASE,
        PHASE * SH * SW,
    )
    start, kernel, offsets = [0], [], []
    for taps_h in rows:
        for taps_w in columns:
            taps = [(h, w) for h in taps_h for w in taps_w]
            kernel += [(h[0], w[0]) for h, w in taps]
            start.append(len(kernel))
            at = [(h[1] * SW + w[1]) * PHASE + LEFT + (h[2] - min(down)) * Q + w[2] for h, w in taps]
            offsets += [c * layout.CHANNEL + place for c in range(CS) for place in at]
    tables = np.array(start), np.array(kernel, np.int64).reshape(-1, 2), np.array(offsets, np.int64)
    return layout, Taps(*tables)
