"""Whole patches side by side in memory, for the products that run along a patch instead of along the pixels.

For each column j of the output a strip: the image, KW pixels wide, channels innermost. In it the patch of every output pixel
(i, j) is one contiguous run of R = KH KW C numbers, that of i + 1 begins SH rows further on. An image is copied KW times,
not KH KW times as in the patch matrix. With a dilation, rows DH apart become neighbours.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..engine.compilation import compiled
from ..engine.vectors import LANES
from .products import U, copy_careless, fill


class Strips(NamedTuple):
    """Sizes for a band of BAND output rows of one group."""

    N: int
    G: int
    C: int  # channels of a group: of the input
    O: int
    H: int
    W: int
    OH: int
    OW: int
    KW: int
    SH: int
    SW: int
    PH: int
    PW: int
    DH: int
    DW: int
    BAND: int
    BANDS: int
    ROWS: int  # input rows that a band reads
    SLOTS: int  # rows DH apart that stand together
    RUN: int  # numbers in a row of a strip: KW C
    STRIP: int  # numbers from strip to strip
    COLUMNS: int  # columns of the padded image
    R: int  # numbers in a patch


@lru_cache(maxsize=256)
def strips_for(g):
    """The Strips, and where the patch of each pixel (i, j) of a band begins."""
    C = g.C // g.G
    height = (g.KH - 1) * g.DH + 1
    per_row = g.OW * g.KW * C
    BAND = max(1, min(g.OH, (2**17 // max(per_row, 1) - height) // g.SH + 1))  # 512 KB of float32
    BANDS = -(-g.OH // BAND)
    ROWS = (BAND - 1) * g.SH + height
    SLOTS = -(-ROWS // g.DH)
    RUN = g.KW * C
    STRIP = SLOTS * g.DH * RUN + LANES  # room for the last row's careless copy
    COLUMNS = (g.OW - 1) * g.SW + (g.KW - 1) * g.DW + 1
    sizes = (g.N, g.G, C, g.O // g.G, g.H, g.W, g.OH, g.OW, g.KW, g.SH, g.SW, g.PH, g.PW, g.DH, g.DW)
    strips = Strips(*sizes, BAND, BANDS, ROWS, SLOTS, RUN, STRIP, COLUMNS, g.KH * RUN)
    i, j = np.arange(BAND)[:, None] * g.SH, np.arange(g.OW)
    return strips, (j * STRIP + (i % g.DH * SLOTS + i // g.DH) * RUN).reshape(-1)


@compiled()
def fill_strips(buffer, row, x, n, group, i0, s):
    """One group of image n, from output row i0 on."""
    C, H, W, RUN = s.C, s.H, s.W, s.RUN
    for k in range(s.DH * s.SLOTS):
        h = i0 * s.SH - s.PH + k // s.SLOTS + k % s.SLOTS * s.DH
        slot = k * RUN
        if not 0 <= h < H:
            for j in range(s.OW):
                fill(buffer, j * s.STRIP + slot, RUN, 0)
            continue
        w0, w1 = max(0, -s.PW), min(W, s.COLUMNS - s.PW)
        for c in range(C):
            start, at = ((n * s.G * C + group * C + c) * H + h) * W, s.PW * C + c
            for w in range(w0, w1):
                row[U(at + w * C)] = x[U(start + w)]
        for j in range(s.OW):
            at = j * s.STRIP + slot
            if s.DW == 1:
                copy_careless(buffer, at, row, j * s.SW * C, RUN)
            else:
                for kw in range(s.KW):
                    for c in range(C):
                        buffer[at + kw * C + c] = row[(j * s.SW + kw * s.DW) * C + c]
