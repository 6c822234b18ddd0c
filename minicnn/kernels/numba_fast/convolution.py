"""Convolution and its gradients. Read `lowering` first: it turns every geometry into offsets into a buffer.

Each image (or band of an image) is lowered by itself into a buffer that stays in the cache, and all channels of the result are
computed from it: lowering the whole batch at once would write and read 20 MB for the notebook's second convolution.
"""

import numpy as np

from .engine.arrays import plain
from .engine.compilation import compiled
from .engine.team import parallel, take
from .engine.vectors import LANES
from .operands.lowering import lower, settled
from .operands.patches import fill_strips, strips_for
from .operands.products import U, aligned, copy_careless, fill, multiply, multiply_row
from .operands.skipping import finite, rows_loops, runs_for, skipping_input_loops, skipping_weight_loops

PARTS = 8  # partial sums of the weights' gradient; fixed, so that their order never changes
DENSE_INPUT, DENSE_WEIGHT = 0.6, 0.4  # the shares of numbers that are not 0 from which skipping does not pay


def conv2d(x, weight, bias, g):
    g = settled(g)
    output = np.empty((g.N, g.O, g.OH, g.OW), x.dtype)
    if bias is None:
        bias = np.zeros(g.O, x.dtype)
    return _gather(plain(x), plain(weight), plain(bias), output, g, False)


def conv2d_grad_input(grad_output, weight, g):
    g = settled(g)
    grad_input = np.empty((g.N, g.C, g.H, g.W), grad_output.dtype)
    grad_output, weight = plain(grad_output), plain(weight)
    everything = not finite(weight.reshape(-1), 0, weight.size)
    if not everything and not _worth_skipping(grad_output, g, DENSE_INPUT):
        return _gather(grad_output, weight, np.zeros(g.C, grad_output.dtype), grad_input, g, True)
    runs, *tables = runs_for(g)
    flat = grad_output.reshape(-1), rows_loops(weight, runs), everything, grad_input.reshape(-1)
    parallel(skipping_input_loops, min(g.N * g.G, 32), *flat, runs, *tables)
    return grad_input


def conv2d_grad_weight(grad_output, x, g):
    g = settled(g)
    grad_output, x = plain(grad_output), plain(x)
    if _worth_skipping(grad_output, g, DENSE_WEIGHT):
        loops, (sizes, *tables) = skipping_weight_loops, runs_for(g)
        line = sizes.PIECES * sizes.PIECE
        rows, pitch = sizes.O, g.KH * line
    else:
        loops, (sizes, *tables) = _dense_loops, strips_for(g)
        line = sizes.RUN
        rows, pitch = -(-sizes.O // 8) * 8, -(-sizes.R // (2 * LANES)) * 2 * LANES
    parts = max(1, min(sizes.N * sizes.BANDS, PARTS))  # without an image a sum of nothing
    sums = np.zeros((parts, g.G, rows, pitch), x.dtype)
    parallel(loops, parts, grad_output.reshape(-1), x.reshape(-1), sums, sizes, *tables)
    return _add_loops(sums, line, np.empty((g.O, g.C // g.G, g.KH, g.KW), x.dtype))


def _worth_skipping(grad_output, g, dense):
    """Judged by the first four images, always: the choice changes the order of sums, so nothing else may enter it."""
    if g.O // g.G < 4 or g.C // g.G * g.KH * g.KW < 64:
        return False
    return _density_loops(grad_output[:4].reshape(-1)) < dense


@compiled()
def _density_loops(numbers):
    count = 0
    for q in range(numbers.size):
        count += numbers[q] != 0
    return count / max(numbers.size, 1)


def _gather(source, weight, bias, target, g, transposed):
    layout, taps = lower(g, transposed)
    rows = _rows_by_target_loops(weight, layout, taps) if transposed else weight.reshape(-1)
    parts = min(layout.N * layout.BANDS, 32)
    parallel(_gather_loops, parts, source.reshape(-1), rows, bias, target.reshape(-1), layout, taps)
    return target


@compiled()
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


@compiled()
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


@compiled()
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


@compiled()
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


@compiled()
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


@compiled()
def _row_size(s):
    return max(s.COLUMNS, s.W + s.PW) * s.C + 2 * LANES


@compiled()
def _add_loops(sums, line, grad_weight):
    """The parts' sums, always in the same order, and back from channels last; the runs of a row are `line` apart."""
    O, C, KH, KW = grad_weight.shape
    parts, flat = sums.shape[0], sums.reshape(sums.shape[0], -1)
    for k in range(1, parts):
        for q in range(U(flat.shape[1])):
            flat[0, q] += flat[k, q]
    per_group = O // sums.shape[1]
    for o in range(O):
        row = sums[0, o // per_group, o % per_group]
        for c in range(C):
            for kh in range(KH):
                for kw in range(KW):
                    grad_weight[o, c, kh, kw] = row[kh * line + kw * C + c]
    return grad_weight


# -------------------------------------------------------------------------------------------- gradient to the bias


def grad_bias(grad_output):
    if grad_output.ndim != 4 or grad_output.size < 1 << 15:
        return grad_output.sum(axis=(0, *range(2, grad_output.ndim)), dtype=grad_output.dtype)
    N, O, OH, OW = grad_output.shape
    sums = np.empty(O, grad_output.dtype)
    parallel(_bias_loops, O, plain(grad_output).reshape(N, O, OH * OW), sums)
    return sums


@compiled(fastmath={"reassoc", "nsz"})
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
