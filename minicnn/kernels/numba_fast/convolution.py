"""Convolution and its gradients. Read `lowering` first: it turns every geometry into offsets into a buffer.

Each image (or band of an image) is lowered by itself into a buffer that stays in the cache, and all channels of the result are
computed from it: lowering the whole batch at once would write and read 20 MB for the notebook's second convolution.
"""

import numpy as np
from numba import njit

from .arrays import plain
from .lowering import lower
from .patches import drain_strips, fill_strips, strips_for
from .products import U, aligned, copy_careless, fill, multiply, multiply_row
from .team import parallel, take
from .vectors import LANES

PARTS = 8  # partial sums of the weights' gradient; fixed, so that their order never changes
DENSE = 0.4  # the share of numbers that are not 0 from which skipping does not pay


def conv2d(x, weight, bias, g):
    output = np.empty((g.N, g.O, g.OH, g.OW), x.dtype)
    if bias is None:
        bias = np.zeros(g.O, x.dtype)
    return _gather(plain(x), plain(weight), plain(bias), output, g, False)


def conv2d_grad_input(grad_output, weight, g):
    grad_input = np.empty((g.N, g.C, g.H, g.W), grad_output.dtype)
    grad_output, weight = plain(grad_output), plain(weight)
    strips, offsets = strips_for(g, True)
    rows, finite = _rows_loops(weight)
    if not finite or strips.OW * strips.STRIP < 2**18 and _worth_skipping(grad_output, g):
        parts = min(g.N, 32)
        parallel(_scatter_loops, parts, grad_output.reshape(-1), rows, finite, grad_input.reshape(-1), strips, offsets)
        return grad_input
    return _gather(grad_output, weight, np.zeros(g.C, grad_output.dtype), grad_input, g, True)


def conv2d_grad_weight(grad_output, x, g):
    grad_output, x = plain(grad_output), plain(x)
    strips, offsets = strips_for(g, False)
    loops = _skipping_loops if _worth_skipping(grad_output, g) else _dense_loops
    parts = min(strips.N * strips.BANDS, PARTS)
    pitch = -(-strips.R // (2 * LANES)) * 2 * LANES
    sums = np.zeros((parts, g.G, -(-strips.O // 8) * 8, pitch), x.dtype)
    parallel(loops, parts, grad_output.reshape(-1), x.reshape(-1), sums, strips, offsets)
    return _add_loops(sums, np.empty((g.O, g.C // g.G, g.KH, g.KW), x.dtype))


def _worth_skipping(grad_output, g):
    """Max pooling sends its gradient to one pixel in four, ReLU stops half of that: 17 % of the numbers are not 0.

    Judged by the first four images, always: the choice changes the order of sums, so nothing else may enter it.
    """
    if g.O // g.G < 4 or g.C // g.G * g.KH * g.KW < 64:
        return False
    return _density_loops(grad_output[:4].reshape(-1)) < DENSE


def _gather(source, weight, bias, target, g, transposed):
    layout, taps = lower(g, transposed)
    rows = _rows_by_target_loops(weight, layout, taps) if transposed else weight.reshape(-1)
    parts = min(layout.N * layout.BANDS, 32)
    parallel(_gather_loops, parts, source.reshape(-1), rows, bias, target.reshape(-1), layout, taps)
    return target


@njit(nogil=True, cache=True)
def _rows_by_target_loops(weight, layout, taps):
    """The weights of the transposed convolution as rows: for each phase and each target channel (source channel, tap)."""
    G, CS, CT = layout.G, layout.CS, layout.CT
    rows, at = np.empty(weight.size, weight.dtype), 0
    for f in range(taps.start.shape[0] - 1):
        for group in range(G):
            for ct in range(CT):
                for cs in range(CS):
                    for t in range(taps.start[f], taps.start[f + 1]):
                        rows[at] = weight[group * CS + cs, ct, taps.kernel[t, 0], taps.kernel[t, 1]]
                        at += 1
    return rows


@njit(nogil=True, cache=True)
def _lower_loops(buffer, x, n, group, first, layout):
    """One group of image n into the buffer; the buffer's first row is row `first` of a phase."""
    CS, HS, WS, SH, SW, Q = layout.CS, layout.HS, layout.WS, layout.SH, layout.SW, layout.Q
    careful = x.size - WS - LANES  # no careless copy may begin behind this place
    for c in range(CS):
        plane = ((n * layout.G + group) * CS + c) * HS * WS
        for a in range(SH):
            for b in range(SW):
                at = c * layout.CHANNEL + (a * SW + b) * layout.PHASE
                fill(buffer, at, layout.LEFT, 0)
                at += layout.LEFT
                width = (WS - b + SW - 1) // SW
                for row in range(layout.ROWS):
                    h = (first + row) * SH + a
                    filled = 0
                    if 0 <= h < HS:
                        start, filled = plane + h * WS + b, width
                        if SW == 1 and start <= careful:
                            copy_careless(buffer, at, x, start, width)
                        else:
                            for w in range(U(width)):
                                buffer[U(at) + w] = x[U(start) + w * U(SW)]
                    fill(buffer, at + filled, Q - filled, 0)
                    at += Q


@njit(nogil=True, cache=True)
def _gather_loops(team, parts, source, rows, bias, target, layout, taps):
    """Part k takes its share of all (image, band)s."""
    G, CS, CT, HT, WT, TH, TW, Q = layout.G, layout.CS, layout.CT, layout.HT, layout.WT, layout.TH, layout.TW, layout.Q
    units = layout.N * layout.BANDS
    buffer = aligned(CS * layout.CHANNEL + 2 * LANES, source.dtype)
    pitch = (layout.CHUNK * Q + 2 * LANES - 1) // (2 * LANES) * 2 * LANES
    tile = aligned((CT + 7) // 8 * 8 * pitch + LANES, source.dtype)
    k = take(team)
    while k < parts:
        for unit in range(k * units // parts, (k + 1) * units // parts):
            n, i0 = unit // layout.BANDS, unit % layout.BANDS * layout.BAND
            for group in range(G):
                _lower_loops(buffer, source, n, group, i0 + layout.FIRST, layout)
                for f in range(TH * TW):
                    a, b = f // TW, f % TW
                    height = min(layout.BAND, (HT - a + TH - 1) // TH - i0)
                    width = (WT - b + TW - 1) // TW
                    first, R = taps.start[f] * CS, (taps.start[f + 1] - taps.start[f]) * CS
                    for i in range(0, height if width > 0 else 0, layout.CHUNK):
                        now = min(layout.CHUNK, height - i)
                        p, P = i * Q, (now - 1) * Q + width
                        for m in range(CT):
                            fill(tile, m * pitch, P, bias[group * CT + m])
                        f0 = first * G * CT + group * CT * R
                        for m in range(0, CT if CT > 2 else 0, 8):
                            at, f, M = m * pitch, f0 + m * R, min(8, CT - m)
                            multiply(tile, at, pitch, P, buffer, p, taps.offsets, first, R, rows, f, R, 1, M)
                        for m in range(CT if CT <= 2 else 0):
                            multiply_row(tile, m * pitch, P, buffer, p, taps.offsets, first, R, rows, f0 + m * R, 1)
                        _raise_loops(target, tile, pitch, n, group, (i0 + i) * TH + a, now, b, width, layout)
        k = take(team)


@njit(nogil=True, cache=True)
def _raise_loops(target, tile, pitch, n, group, h, height, w, width, layout):
    """The tile's rows to rows h, h + TH, ... of the target, leaving out the columns past its width."""
    CT, HT, WT, TH, TW, Q = layout.CT, layout.HT, layout.WT, layout.TH, layout.TW, layout.Q
    for m in range(CT):
        plane = ((n * layout.G + group) * CT + m) * HT * WT
        at, start = plane + h * WT + w, m * pitch
        careless = plane + (h + height) * WT - width - LANES if TH == 1 and TW == 1 else -1
        for _ in range(height):
            if at <= careless:
                copy_careless(target, at, tile, start, width)
            else:
                for j in range(U(width)):
                    target[U(at) + j * U(TW)] = tile[U(start) + j]
            at += TH * WT
            start += Q


# ------------------------------------------------------------------------------------- gradient to the weights


@njit(nogil=True, cache=True)
def _dense_loops(team, parts, grad_output, x, sums, s, offsets):
    """sums[part] (O, R) += grad_output (O, pixels) @ patches (pixels, R): the same product, `r` are now the pixels."""
    size, units, eights = s.OH * s.OW, s.N * s.BANDS, (s.O + 7) // 8
    patches, row = aligned(s.OW * s.STRIP + 3 * LANES, x.dtype), aligned(_row_size(s), x.dtype)
    flat, pitch = sums.reshape(-1), sums.shape[3]
    k = take(team)
    while k < parts:
        for unit in range(k * units // parts, (k + 1) * units // parts):
            n, i0 = unit // s.BANDS, unit % s.BANDS * s.BAND
            count = min(s.BAND, s.OH - i0) * s.OW
            for group in range(s.G):
                fill_strips(patches, row, x, n, group, i0, s)
                for o in range(0, s.O, 8):
                    plane = ((n * s.G + group) * s.O + o) * size + i0 * s.OW
                    at = ((k * s.G + group) * eights * 8 + o) * pitch
                    M = min(8, s.O - o)
                    multiply(flat, at, pitch, s.R, patches, 0, offsets, 0, count, grad_output, plane, size, 1, M)
        k = take(team)


@njit(nogil=True, cache=True)
def _skipping_loops(team, parts, grad_output, x, sums, s, offsets):
    """The same, row by row, with those pixels only whose gradient is not 0; all, where 0 meets an infinity or NaN in x."""
    pixels, units, eights = s.BAND * s.OW, s.N * s.BANDS, (s.O + 7) // 8
    patches, row = aligned(s.OW * s.STRIP + 3 * LANES, x.dtype), aligned(_row_size(s), x.dtype)
    places, factors = np.zeros(pixels + 1, np.int64), np.zeros(pixels + 1, x.dtype)
    flat = sums.reshape(-1)
    k = take(team)
    while k < parts:
        for unit in range(k * units // parts, (k + 1) * units // parts):
            n, i0 = unit // s.BANDS, unit % s.BANDS * s.BAND
            count = min(s.BAND, s.OH - i0) * s.OW
            for group in range(s.G):
                everything = not fill_strips(patches, row, x, n, group, i0, s)
                for o in range(s.O):
                    plane = ((n * s.G + group) * s.O + o) * s.OH * s.OW + i0 * s.OW
                    kept = 0
                    for p in range(count):  # writes every pixel, steps on only if it is kept: no branch to mispredict
                        value = grad_output[U(plane + p)]
                        places[U(kept)], factors[U(kept)] = offsets[p], value
                        kept += (value != 0) | everything
                    at = ((k * s.G + group) * eights * 8 + o) * sums.shape[3]
                    multiply_row(flat, at, s.R, patches, 0, places, 0, kept, factors, 0, 1)
        k = take(team)


@njit(nogil=True, cache=True)
def _row_size(s):
    return max(s.COLUMNS, s.W + s.PW) * s.C + 2 * LANES


@njit(nogil=True, cache=True)
def _add_loops(sums, grad_weight):
    """The parts' sums, always in the same order, and back from channels last."""
    O, C, KH, KW = grad_weight.shape
    per_group = O // sums.shape[1]
    for o in range(O):
        group, m = o // per_group, o % per_group
        for c in range(C):
            for kh in range(KH):
                for kw in range(KW):
                    total = sums.dtype.type(0)
                    for k in range(sums.shape[0]):
                        total += sums[k, group, m, (kh * KW + kw) * C + c]
                    grad_weight[o, c, kh, kw] = total
    return grad_weight


# ------------------------------------------------------------------- gradient to the input, where most of it is 0


@njit(nogil=True, cache=True)
def _density_loops(numbers):
    count = 0
    for q in range(numbers.size):
        count += numbers[q] != 0
    return count / max(numbers.size, 1)


@njit(nogil=True, cache=True)
def _rows_loops(weight):
    """The weights as one patch for each output channel, channels last; and whether all are finite."""
    O, C, KH, KW = weight.shape
    rows, check, at = aligned(weight.size + 2 * LANES, weight.dtype), weight.dtype.type(0), 0
    for o in range(O):
        for kh in range(KH):
            for kw in range(KW):
                for c in range(C):
                    rows[at] = weight[o, c, kh, kw]
                    check += rows[at] * 0
                    at += 1
    return rows, check == 0


@njit(nogil=True, cache=True)
def _scatter_loops(team, parts, grad_output, rows, finite, grad_input, s, offsets):
    """To the patch of every pixel goes the sum of the rows whose gradient is not 0 there; then the patches are added up."""
    pixels = s.OH * s.OW
    patches, row = aligned(s.OW * s.STRIP + 3 * LANES, rows.dtype), aligned(_row_size(s), rows.dtype)
    kept = np.empty(pixels, np.int64)
    places, factors = np.empty(pixels * s.O + 1, np.int64), np.empty(pixels * s.O + 1, rows.dtype)
    everything = not finite
    k = take(team)
    while k < parts:
        for n in range(k * s.N // parts, (k + 1) * s.N // parts):
            for group in range(s.G):
                plane = (n * s.G + group) * s.O * pixels
                fill(patches, 0, patches.size, 0)
                for p in range(U(pixels)):  # without a branch, as above
                    to, o = p * U(s.O), U(group * s.O)
                    for q in range(U(plane) + p, U(plane + s.O * pixels), U(pixels)):
                        places[to], factors[to] = o * U(s.R), grad_output[q]
                        to += U((grad_output[q] != 0) | everything)
                        o += U(1)
                    kept[p] = to - p * U(s.O)
                for j in range(s.OW):  # strip by strip, each stays in the first-level cache: 15 % less than row by row
                    for p in range(j, pixels, s.OW):
                        multiply_row(patches, offsets[p], s.R, rows, 0, places, p * s.O, kept[p], factors, p * s.O, 1)
                drain_strips(grad_input, row, patches, n, group, s)
        k = take(team)


# -------------------------------------------------------------------------------------------- gradient to the bias


def bias_grad(grad_output):
    if grad_output.ndim != 4 or grad_output.size < 1 << 15:
        return grad_output.sum(axis=(0, *range(2, grad_output.ndim)), dtype=grad_output.dtype)
    N, O, OH, OW = grad_output.shape
    sums = np.empty(O, grad_output.dtype)
    parallel(_bias_loops, O, plain(grad_output).reshape(N, O, OH * OW), sums)
    return sums


@njit(nogil=True, cache=True, fastmath={"reassoc", "nsz"})
def _bias_loops(team, parts, grad_output, sums):
    """Part k is channel k: NumPy's sum over three axes takes three times as long on one thread."""
    k = take(team)
    while k < parts:
        total = grad_output.dtype.type(0)
        for n in range(grad_output.shape[0]):
            plane = grad_output.dtype.type(0)
            for p in range(np.uint64(grad_output.shape[2])):
                plane += grad_output[n, k, p]
            total += plane
        sums[k] = total
        k = take(team)
