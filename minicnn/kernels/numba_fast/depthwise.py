"""Depthwise convolution: each channel by itself, under one filter. No lowering, no product.

With one channel in and one out a row of the patch matrix serves one row of the result, so
nothing is gained by laying it out. Here a padded plane is kept in the cache, and a stretch
of a row of the result stays in registers while all taps are added to it. The general loops
take 1.5 to 6 times as long (3 x 3 taps, 112 x 112 to 7 x 7 pixels): they copy each tile, and
lay out patches of one channel.

Two sums are enough:

- The output, and the gradient to the input, which is the output of the filter turned round
  on grad_output; with a stride its pixels stand SH and SW apart, zeros between them.
- The gradient to the weights: grad_output times the plane as each tap sees it.

For the first, rows that fill half a register at most are taken all at once, with the zeros
between them: a plane of 7 x 7 under 3 x 3 is then one line of 61 numbers, four registers and
not seven.

`g` is the Geometry (`minicnn.geometry`) of the convolution: all sizes of this call.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .engine.arrays import contiguous
from .engine.compilation import compiled
from .engine.team import next_part, parallel
from .engine.vectors import FOUR, LANES, ONE, PAIR, add_lanes, load, multiply_add, store
from .operands.products import U, copy, fill, share

LARGEST = 2**18  # numbers in a padded plane, 1 MB of float32; larger ones go the general way in bands
TOGETHER = 8  # small planes at a time
TAPS = 5  # sums of the weights' gradient in registers at a time


class Plane(NamedTuple):
    """How a plane is read: the sizes of the padded one, and those of the result."""

    N: int
    C: int
    H: int  # of the plane as it comes
    W: int
    UPH: int  # its pixels stand UPH rows and UPW columns apart
    UPW: int
    TOP: int  # zeros above it and left of it
    LEFT: int
    ROWS: int  # of the padded plane
    SH: int  # the next output reads SH rows and SW columns further on
    SW: int
    Q: int  # of every SW columns the first, then of every SW the second ...: Q numbers each
    OH: int  # of the result
    OW: int
    R: int  # taps


def is_depthwise(g):
    """One channel in and out for each of several groups, and a plane that fits the cache."""
    return g.G == g.C == g.O > 1 and all(fits(plane) for plane, _ in (planes_of_input(g), planes_of_grad(g)))


def fits(plane):
    return plane.TOP >= 0 and plane.LEFT >= 0 and plane.ROWS * plane.SW * plane.Q <= LARGEST


@lru_cache(maxsize=256)
def planes_of_input(g):
    """The Plane of the output, and where in it each tap is read."""
    return _plane(g, g.H, g.W, g.OH, g.OW, up=(1, 1), padding=(g.PH, g.PW), stride=(g.SH, g.SW))


@lru_cache(maxsize=256)
def planes_of_grad(g):
    """The same of the gradient to the input: a plane of grad_output."""
    padding = (g.KH - 1) * g.DH - g.PH, (g.KW - 1) * g.DW - g.PW
    return _plane(g, g.OH, g.OW, g.H, g.W, up=(g.SH, g.SW), padding=padding, stride=(1, 1))


def _plane(g, H, W, OH, OW, up, padding, stride):
    SH, SW = stride
    plane = Plane(
        N=g.N,
        C=g.C,
        H=H,
        W=W,
        UPH=up[0],
        UPW=up[1],
        TOP=padding[0],
        LEFT=padding[1],
        ROWS=(OH - 1) * SH + (g.KH - 1) * g.DH + 1,
        SH=SH,
        SW=SW,
        Q=-(-((OW - 1) * SW + (g.KW - 1) * g.DW + 1) // SW),
        OH=OH,
        OW=OW,
        R=g.KH * g.KW,
    )
    row = np.arange(g.KH)[:, None] * g.DH  # (KH, 1)
    column = np.arange(g.KW) * g.DW  # (KW)
    offsets = (row * SW + column % SW) * plane.Q + column // SW  # (KH, KW)
    return plane, offsets.reshape(-1)


def depthwise_conv2d(x, weight, bias, g):
    output = np.empty(g.output_shape, x.dtype)  # (N, C, OH, OW)
    _depthwise(x, weight, bias, output, *planes_of_input(g))
    return output


def depthwise_grad_input(grad_output, weight, g):
    """For finite weights: a zero between two pixels times an infinity would be NaN."""
    turned = contiguous(weight[:, :, ::-1, ::-1])  # (C, 1, KH, KW)
    no_bias = np.zeros(g.C, weight.dtype)
    grad_input = np.empty(g.input_shape, grad_output.dtype)  # (N, C, H, W)
    _depthwise(grad_output, turned, no_bias, grad_input, *planes_of_grad(g))
    return grad_input


def depthwise_grad_weight(grad_output, x, g):
    """Behind each row of grad_output stand zeros, which meet pixels of other columns: 0 times
    an infinity would be NaN where nothing is. So whoever finds a number that is not finite
    asks the general loops.
    """
    plane, offsets = planes_of_input(g)
    grad_weight = np.empty(g.weight_shape, x.dtype)  # (C, 1, KH, KW)
    flat = grad_weight.reshape(-1)
    parallel(_depthwise_grad_weight_loops, g.C, grad_output.reshape(-1), x.reshape(-1), flat, plane, offsets)
    return grad_weight


def _depthwise(x, weight, bias, target, plane, offsets):
    """Fills the target."""
    parts = max(1, min(plane.N * plane.C, 32))
    small = plane.SH == plane.SW == 1 and plane.OW <= LANES // 2 and plane.Q <= LANES
    loops = _depthwise_small_loops if small else _depthwise_loops
    parallel(loops, parts, x.reshape(-1), weight.reshape(-1), bias, target.reshape(-1), plane, offsets)


@compiled(error_model="numpy")
def _depthwise_loops(team, parts, x, weight, bias, target, plane, offsets):
    padded = np.zeros(plane.ROWS * plane.SW * plane.Q + 4 * LANES, x.dtype)  # (ROWS, SW, Q)
    row = np.zeros(plane.OW + 4 * LANES, x.dtype)  # the last rows, which nothing may overrun
    start = np.zeros(4 * LANES, x.dtype)
    size = plane.OH * plane.OW
    reach = (plane.OW // (4 * LANES) * 4 + 4) * LANES  # what a row of the result may touch
    if plane.OW <= 2 * LANES:
        reach = (plane.OW + LANES - 1) // LANES * LANES
    k = next_part(team)
    while k < parts:
        for unit in share(k, parts, plane.N * plane.C):
            _fill_plane(padded, x, unit * plane.H * plane.W, plane)
            channel = unit % plane.C
            fill(start, 0, 4 * LANES, bias[channel])
            for i in range(plane.OH):
                at = unit * size + i * plane.OW
                above = i * plane.SH * plane.SW * plane.Q
                if at + reach <= (unit + 1) * size:
                    _add_taps(target, at, padded, above, weight, channel * plane.R, start, offsets, plane.OW)
                else:
                    _add_taps(row, 0, padded, above, weight, channel * plane.R, start, offsets, plane.OW)
                    copy(target, at, row, 0, plane.OW)
        k = next_part(team)


@compiled(error_model="numpy")
def _depthwise_small_loops(team, parts, x, weight, bias, target, plane, offsets):
    """The same for small planes, each in one line.

    What has just been written number by number cannot be read by registers at once. So
    several planes are written first, then read: 2.5 instead of 3.7 ms for 1,024 channels of
    7 x 7 in 32 images, and 4.5 row by row.
    """
    line = (plane.OH - 1) * plane.Q + plane.OW
    size = plane.ROWS * plane.Q
    pitch = line + 4 * LANES
    padded = np.zeros(TOGETHER * size + 4 * LANES, x.dtype)  # (TOGETHER, ROWS, Q)
    lines = np.zeros(TOGETHER * pitch, x.dtype)  # (TOGETHER, pitch)
    start = np.zeros(4 * LANES, x.dtype)
    width = max(0, min(plane.W, (plane.Q - 1 - plane.LEFT) // plane.UPW + 1))
    height = min(plane.H, (plane.ROWS - 1 - plane.TOP) // plane.UPH + 1)
    k = next_part(team)
    while k < parts:
        mine = share(k, parts, plane.N * plane.C)
        for unit in range(mine.start, mine.stop, TOGETHER):
            count = min(TOGETHER, mine.stop - unit)
            for p in range(count):
                for h in range(height):
                    at = U(p * size + (plane.TOP + h * plane.UPH) * plane.Q + plane.LEFT)
                    pixel = U(((unit + p) * plane.H + h) * plane.W)
                    for w in range(U(width)):
                        padded[at + w * U(plane.UPW)] = x[pixel + w]
            for p in range(count):
                channel = (unit + p) % plane.C
                fill(start, 0, 4 * LANES, bias[channel])
                _add_taps(lines, p * pitch, padded, p * size, weight, channel * plane.R, start, offsets, line)
            for p in range(count):
                for i in range(plane.OH):
                    at = ((unit + p) * plane.OH + i) * plane.OW
                    copy(target, at, lines, p * pitch + i * plane.Q, plane.OW)
        k = next_part(team)


@compiled(error_model="numpy")
def _fill_plane(padded, x, start, plane):
    """The pixels of a plane to their places; the zeros around them stay."""
    SW = plane.SW
    width = max(0, min(plane.W, (SW * plane.Q - 1 - plane.LEFT) // plane.UPW + 1))
    height = min(plane.H, (plane.ROWS - 1 - plane.TOP) // plane.UPH + 1)
    if SW == 2:
        return _fill_halves(padded, x, start, width, height, plane)
    for phase in range(SW):
        first = (phase - plane.LEFT) % SW  # the first pixel of this phase
        count = max(0, (width - first + SW - 1) // SW)
        place = phase * plane.Q + (plane.LEFT + first) // SW
        for h in range(height):
            at = U((plane.TOP + h * plane.UPH) * SW * plane.Q + place)
            s = U(start + h * plane.W + first)
            if SW == 1 and plane.UPW == 1:
                for w in range(U(count)):
                    padded[at + w] = x[s + w]
            else:
                for w in range(U(count)):
                    padded[at + w * U(plane.UPW)] = x[s + w * U(SW)]


@compiled(error_model="numpy")
def _fill_halves(padded, x, start, width, height, plane):
    """Stride 2: even and odd columns in one loop, which reads neighbours as vectors do."""
    odd = plane.LEFT % 2  # the first pixel belongs to the second phase
    half = plane.LEFT // 2
    for h in range(height):
        line = (plane.TOP + h) * 2 * plane.Q
        s = U(start + h * plane.W + odd)
        if odd and width > 0:
            padded[U(line + plane.Q + half)] = x[s - U(1)]
        even = U(line + half + odd)
        other = U(line + plane.Q + half + odd)
        pairs = max(0, width - odd) // 2
        for w in range(U(pairs)):
            padded[even + w] = x[s + w + w]
            padded[other + w] = x[s + w + w + U(1)]
        if width - odd > 2 * pairs:
            padded[even + U(pairs)] = x[s + U(2 * pairs)]


@compiled()
def _add_taps(target, at, padded, above, weight, first, start, offsets, count):
    """A row of the result: the bias, then tap after tap. Touches what `reach` says."""
    j = 0
    while j + 2 * LANES < count:
        _stretch(target, at + j, padded, above + j, weight, first, start, offsets, FOUR)
        j += 4 * LANES
    if j + LANES < count:
        _stretch(target, at + j, padded, above + j, weight, first, start, offsets, PAIR)
    elif j < count:
        _stretch(target, at + j, padded, above + j, weight, first, start, offsets, ONE)


@compiled()
def _stretch(target, at, padded, above, weight, first, start, offsets, width):
    sums = load(start, U(0), width)
    for r in range(U(offsets.size)):
        sums = multiply_add(sums, weight[U(first) + r], load(padded, U(above + offsets[r]), width))
    store(target, U(at), sums)


@compiled(error_model="numpy")
def _depthwise_grad_weight_loops(team, parts, grad_output, x, grad_weight, plane, offsets):
    """Part k is channel k, over all images."""
    padded = np.zeros(plane.ROWS * plane.SW * plane.Q + LANES, x.dtype)  # (ROWS, SW, Q)
    pitch = (plane.OW + LANES - 1) // LANES * LANES
    grad = np.zeros(plane.OH * pitch, x.dtype)  # (OH, pitch), with zeros behind each row
    sums = np.zeros((plane.R + TAPS) * LANES, x.dtype)  # (taps, LANES)
    k = next_part(team)
    while k < parts:
        fill(sums, 0, sums.size, 0)
        for n in range(plane.N):
            unit = n * plane.C + k
            _fill_plane(padded, x, unit * plane.H * plane.W, plane)
            for i in range(plane.OH):
                s = U((unit * plane.OH + i) * plane.OW)
                at = U(i * pitch)
                for j in range(U(plane.OW)):
                    grad[at + j] = grad_output[s + j]
            for r in range(0, plane.R, TAPS):
                _add_products(sums, r, grad, pitch, padded, offsets, plane)
        for r in range(plane.R):
            grad_weight[U(k * plane.R + r)] = add_lanes(load(sums, U(r * LANES), ONE))
        k = next_part(team)


@compiled()
def _add_products(sums, r, grad, pitch, padded, offsets, plane):
    """Five taps from r on, so that a register of grad_output is read once for five products.

    Behind the last tap the others are copies of it.
    """
    last = plane.R - 1
    o0 = offsets[r]
    o1 = offsets[min(r + 1, last)]
    o2 = offsets[min(r + 2, last)]
    o3 = offsets[min(r + 3, last)]
    o4 = offsets[min(r + 4, last)]
    at = U(r * LANES)
    s0 = load(sums, at, ONE)
    s1 = load(sums, at + U(LANES), ONE)
    s2 = load(sums, at + U(2 * LANES), ONE)
    s3 = load(sums, at + U(3 * LANES), ONE)
    s4 = load(sums, at + U(4 * LANES), ONE)
    for i in range(plane.OH):
        above = i * plane.SH * plane.SW * plane.Q
        for j in range(0, pitch, LANES):
            factors = load(grad, U(i * pitch + j), ONE)
            s0 = multiply_add(s0, factors, load(padded, U(above + o0 + j), ONE))
            s1 = multiply_add(s1, factors, load(padded, U(above + o1 + j), ONE))
            s2 = multiply_add(s2, factors, load(padded, U(above + o2 + j), ONE))
            s3 = multiply_add(s3, factors, load(padded, U(above + o3 + j), ONE))
            s4 = multiply_add(s4, factors, load(padded, U(above + o4 + j), ONE))
    store(sums, at, s0)
    store(sums, at + U(LANES), s1)
    store(sums, at + U(2 * LANES), s2)
    store(sums, at + U(3 * LANES), s3)
    store(sums, at + U(4 * LANES), s4)
