"""The gradient to the weights: whole patches lie side by side in memory.

So the product runs along a patch, and sums over the pixels.

For each column j of the output a strip: the image, KW pixels wide, channels innermost. In
it the patch of every output pixel (i, j) is one contiguous run of R = KH KW C numbers,
that of i + 1 begins SH rows further on. An image is copied KW times, not KH KW times as
in the patch matrix. With a dilation, rows DH apart become neighbours.

`g` is the Geometry (`minicnn.geometry`): all sizes of this call.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ....geometry import Geometry
from ..engine.compilation import compiled
from ..engine.team import next_part
from ..engine.vectors import LANES
from .products import U, aligned, copy_and_overrun, fill, multiply, share


class Strips(NamedTuple):
    """The geometry, and sizes for a band of BAND output rows of one group."""

    g: Geometry
    CG: int  # channels of a group: of the input
    OG: int  # of the output
    BAND: int
    BANDS: int
    ROWS: int  # input rows that a band reads
    SLOTS: int  # rows DH apart that stand together
    RUN: int  # numbers in a row of a strip: KW CG
    STRIP: int  # numbers from strip to strip
    COLUMNS: int  # columns of the padded image
    R: int  # numbers in a patch


@compiled()
def named_strips(plain):
    """Strips again, from plain tuples (`team.plain`)."""
    return Strips(Geometry(*plain[0]), *plain[1:])


@lru_cache(maxsize=256)
def strips_for(g):
    """The Strips, and where the patch of each pixel (i, j) of a band begins."""
    CG = g.C // g.G
    RUN = g.KW * CG
    height = (g.KH - 1) * g.DH + 1
    BAND = max(1, min(g.OH, (2**17 // max(g.OW * RUN, 1) - height) // g.SH + 1))  # 512 KB of float32
    ROWS = (BAND - 1) * g.SH + height
    SLOTS = -(-ROWS // g.DH)
    STRIP = SLOTS * g.DH * RUN + LANES  # room for the last row's overrun
    strips = Strips(
        g=g,
        CG=CG,
        OG=g.O // g.G,
        BAND=BAND,
        BANDS=-(-g.OH // BAND),
        ROWS=ROWS,
        SLOTS=SLOTS,
        RUN=RUN,
        STRIP=STRIP,
        COLUMNS=(g.OW - 1) * g.SW + (g.KW - 1) * g.DW + 1,
        R=g.KH * RUN,
    )
    row = np.arange(BAND)[:, None] * g.SH  # (BAND, 1)
    slot = row % g.DH * SLOTS + row // g.DH  # (BAND, 1)
    offsets = np.arange(g.OW) * STRIP + slot * RUN  # (BAND, OW)
    return strips, offsets.reshape(-1)


@compiled()
def dense_weight_loops(team, parts, grad_output, x, sums, strips, offsets):
    """sums[part, group] (O, R) += grad_output (O, pixels) @ patches (pixels, R).

    `multiply` sums over the pixels.
    """
    strips = named_strips(strips)
    g = strips.g
    patches = strips_of_band(strips, x)
    row = strip_row(strips, x)
    flat = sums.reshape(-1)
    k = next_part(team)
    while k < parts:
        for unit in share(k, parts, g.N * strips.BANDS):
            n = unit // strips.BANDS
            i0 = unit % strips.BANDS * strips.BAND
            for group in range(g.G):
                add_patches(
                    flat=flat,
                    row_of_sums=(k * g.G + group) * sums.shape[2] * sums.shape[3],
                    pitch=sums.shape[3],
                    x=x,
                    n=n,
                    group=group,
                    grad_output=grad_output,
                    start=(n * g.G + group) * strips.OG * g.OH * g.OW,
                    i0=i0,
                    patches=patches,
                    row=row,
                    strips=strips,
                    offsets=offsets,
                )
        k = next_part(team)


@compiled()
def strips_of_band(strips, x):
    """Room for the strips, (OW, STRIP)."""
    return aligned(strips.g.OW * strips.STRIP + 3 * LANES, x.dtype)


@compiled()
def strip_row(strips, x):
    """Room for a row of the image, (COLUMNS, CG)."""
    g = strips.g
    return aligned(max(strips.COLUMNS, g.W + g.PW) * strips.CG + 2 * LANES, x.dtype)


@compiled()
def add_patches(flat, row_of_sums, pitch, x, n, group, grad_output, start, i0, patches, row, strips, offsets):
    """One group of image n, from output row i0 on.

    Its gradient begins at `start`, its first row of sums at `row_of_sums`.
    """
    g = strips.g
    _fill_strips(
        patches=patches,
        row=row,
        x=x,
        n=n,
        group=group,
        i0=i0,
        strips=strips,
    )
    size = g.OH * g.OW
    for o in range(0, strips.OG, 8):
        multiply(
            tile=flat,
            tile_start=row_of_sums + o * pitch,
            tile_pitch=pitch,
            P=strips.R,
            buffer=patches,
            shift=0,
            offsets=offsets,
            first=0,
            R=min(strips.BAND, g.OH - i0) * g.OW,
            factors=grad_output,
            factors_start=start + o * size + i0 * g.OW,
            factors_row=size,
            factors_step=1,
            M=min(8, strips.OG - o),
        )


@compiled()
def _fill_strips(patches, row, x, n, group, i0, strips):
    """One group of image n, from output row i0 on."""
    g = strips.g
    for k in range(g.DH * strips.SLOTS):
        below = k // strips.SLOTS + k % strips.SLOTS * g.DH  # the band's first row
        h = i0 * g.SH - g.PH + below
        slot = k * strips.RUN
        if 0 <= h < g.H:
            _channels_last(
                row=row,
                x=x,
                n=n,
                group=group,
                h=h,
                strips=strips,
            )
        for j in range(g.OW):
            at = j * strips.STRIP + slot
            if not 0 <= h < g.H:
                fill(patches, at, strips.RUN, 0)
            elif g.DW == 1:
                copy_and_overrun(patches, at, row, j * g.SW * strips.CG, strips.RUN)
            else:
                for kw in range(g.KW):
                    column = (j * g.SW + kw * g.DW) * strips.CG
                    for c in range(strips.CG):
                        patches[at + c] = row[column + c]
                    at += strips.CG


@compiled()
def _channels_last(row, x, n, group, h, strips):
    """Row h of one group of image n, behind the padding that `row` keeps."""
    g = strips.g
    CG = strips.CG
    width = min(g.W, strips.COLUMNS - g.PW)
    for c in range(CG):
        channel = (n * g.G + group) * CG + c
        start = (channel * g.H + h) * g.W
        at = g.PW * CG + c
        for w in range(width):
            row[U(at + w * CG)] = x[U(start + w)]
