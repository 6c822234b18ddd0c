"""Convolution and its gradients. Read `lowering` first.

It turns every geometry into offsets into a buffer. Each image (or band of an image) is
lowered by itself into a buffer that stays in the cache, and all channels of the result
are computed from it: lowering the whole batch at once would write and read 20 MB for the
notebook's second convolution.

Images of few pixels and many channels are multiplied side by side instead (`scattered`).
With one channel in each group nothing is lowered: `depthwise` has its own loops. `ways` says
when.

`g` is the Geometry (`minicnn.geometry`): all sizes of this call.
"""

import numpy as np

from .depthwise import depthwise_conv2d, depthwise_grad_input, depthwise_grad_weight, is_depthwise
from .engine.arrays import contiguous
from .engine.compilation import compiled
from .engine.team import next_part, parallel, plain
from .engine.vectors import LANES
from .operands.lowering import Taps, lower, named_layout, without_idle_strides
from .operands.patches import dense_weight_loops, strips_for
from .operands.products import U, aligned, copy_and_overrun, fill, multiply, multiply_row, share
from .operands.scattered import scattered_conv2d, scattered_grad_input, scattered_grad_weight
from .operands.skipping import finite, rows_of_runs, runs_for, skipping_input_loops, skipping_weight_loops
from .operands.sums import add_up
from .ways import (
    DENSE_INPUT,
    DENSE_WEIGHT,
    scatters_grad_input,
    scatters_grad_weight,
    scatters_output,
    skips,
)

PARTS = 8  # partial sums of the weights' gradient; fixed, so that their order never changes


def conv2d(x, weight, bias, g):
    g = without_idle_strides(g)
    if bias is None:
        bias = np.zeros(g.O, x.dtype)
    x = contiguous(x)
    weight = contiguous(weight)
    bias = contiguous(bias)
    if is_depthwise(g):
        return depthwise_conv2d(x, weight, bias, g)
    if scatters_output(g):
        return scattered_conv2d(x, weight, bias, g)
    layout, taps = lower(g, transposed=False)
    output = np.empty(g.output_shape, x.dtype)  # (N, O, OH, OW)
    _convolve(
        source=x,
        rows=weight.reshape(-1),
        bias=bias,
        target=output,
        layout=layout,
        taps=taps,
    )
    return output


def conv2d_grad_input(grad_output, weight, g):
    g = without_idle_strides(g)
    grad_output = contiguous(grad_output)
    weight = contiguous(weight)
    everything = not finite(weight.reshape(-1), 0, weight.size)
    if not everything and is_depthwise(g):
        return depthwise_grad_input(grad_output, weight, g)
    sparse = skips(grad_output, g, DENSE_INPUT)
    if not everything and scatters_grad_input(g, sparse):
        return scattered_grad_input(grad_output, weight, g)
    if everything or sparse:
        return _skipping_grad_input(grad_output, weight, g, everything)
    layout, taps = lower(g, transposed=True)
    grad_input = np.empty(g.input_shape, grad_output.dtype)  # (N, C, H, W)
    if len(taps.target) < min(g.SH, g.H) * min(g.SW, g.W):
        grad_input.fill(0)  # a stride larger than the kernel leaves pixels that no tap reaches
    _convolve(
        source=grad_output,
        rows=_rows_by_target(weight, layout, taps),
        bias=np.zeros(g.C, weight.dtype),
        target=grad_input,
        layout=layout,
        taps=taps,
    )
    return grad_input


def _skipping_grad_input(grad_output, weight, g, everything):
    runs, *tables = runs_for(g)
    rows = rows_of_runs(weight, runs)  # (O, KH, PIECES PIECE), flat
    grad_input = np.empty(g.input_shape, grad_output.dtype)  # (N, C, H, W)
    parts = min(g.N * g.G, 32)
    flat = grad_input.reshape(-1)
    parallel(skipping_input_loops, parts, grad_output.reshape(-1), rows, everything, flat, plain(runs), *tables)
    return grad_input


def conv2d_grad_weight(grad_output, x, g):
    g = without_idle_strides(g)
    grad_output = contiguous(grad_output)
    x = contiguous(x)
    if is_depthwise(g):
        grad_weight = depthwise_grad_weight(grad_output, x, g)
        if finite(grad_weight.reshape(-1), 0, grad_weight.size):
            return grad_weight
    sparse = skips(grad_output, g, DENSE_WEIGHT)
    if scatters_grad_weight(g, sparse):
        return scattered_grad_weight(grad_output, x, g)
    if sparse:
        loops = skipping_weight_loops
        sizes, *tables = runs_for(g)
        line = sizes.PIECES * sizes.PIECE
        row = g.KH * line
    else:
        loops = dense_weight_loops
        sizes, *tables = strips_for(g)
        line = sizes.RUN
        row = -(-sizes.R // (2 * LANES)) * 2 * LANES
    parts = max(1, min(g.N * sizes.BANDS, PARTS))  # without an image a sum of nothing
    eights = -(-sizes.OG // 8) * 8
    sums = np.zeros((parts, g.G, eights, row), x.dtype)  # (parts, G, O/G in eights, row)
    parallel(loops, parts, grad_output.reshape(-1), x.reshape(-1), sums, plain(sizes), *tables)
    grad_weight = np.empty(g.weight_shape, x.dtype)  # (O, C/G, KH, KW)
    add_parts(sums, line, grad_weight)
    return grad_weight


# --------------------------------------------------------------------- the output, and the grad


def _convolve(source, rows, bias, target, layout, taps):
    """Fills the target.

    `rows` are the weights, flat: for each target channel (source channel, tap).
    """
    parts = min(layout.N * layout.BANDS, 32)
    parallel(_convolve_loops, parts, source.reshape(-1), rows, bias, target.reshape(-1), plain(layout), tuple(taps))


@compiled()
def _rows_by_target(weight, layout, taps):
    """The weights of the transposed convolution as rows, flat.

    For each phase of the target and each target channel (source channel, tap).
    """
    CS = layout.source.C
    CT = layout.target.C
    rows = np.empty(weight.size, weight.dtype)
    at = 0
    for f in range(taps.start.size - 1):
        for group in range(layout.G):
            for ct in range(CT):
                for cs in range(CS):
                    for t in range(taps.start[f], taps.start[f + 1]):
                        kh = taps.kernel[t, 0]
                        kw = taps.kernel[t, 1]
                        rows[at] = weight[group * CS + cs, ct, kh, kw]
                        at += 1
    return rows


@compiled()
def _convolve_loops(team, parts, source, rows, bias, target, layout, taps):
    """Part k takes its share of all (image, band)s."""
    layout = named_layout(layout)
    taps = Taps(*taps)
    CT = layout.target.C
    pitch = (layout.CHUNK * layout.Q + 2 * LANES - 1) // (2 * LANES) * 2 * LANES
    buffer = aligned(layout.source.C * layout.CHANNEL + 2 * LANES, source.dtype)  # (CS, VH VW, PHASE)
    tile = aligned((CT + 7) // 8 * 8 * pitch + LANES, source.dtype)  # (CT in eights, pitch)
    units = layout.N * layout.BANDS
    k = next_part(team)
    while k < parts:
        for unit in share(k, parts, units):
            n = unit // layout.BANDS
            row = unit % layout.BANDS * layout.BAND
            for group in range(layout.G):
                lower_image(
                    buffer=buffer,
                    x=source,
                    n=n,
                    group=group,
                    first=row + layout.FIRST,
                    layout=layout,
                    rows=taps.source_rows,
                    columns=taps.source_columns,
                )
                for f in range(taps.start.size - 1):
                    convolve_phase(
                        tile=tile,
                        pitch=pitch,
                        buffer=buffer,
                        rows=rows,
                        bias=bias,
                        target=target,
                        n=n,
                        group=group,
                        row=row,
                        f=f,
                        layout=layout,
                        taps=taps,
                    )
        k = next_part(team)


@compiled()
def lower_image(buffer, x, n, group, first, layout, rows, columns):
    """One group of image n into the buffer, from row `first` of each phase on.

    The phases begin at these rows and columns.
    """
    source = layout.source
    SW = source.SW
    last = x.size - source.W - LANES  # the last place from which a row may be copied that overruns
    at = 0
    for c in range(source.C):
        channel = (n * layout.G + group) * source.C + c
        plane = channel * source.H * source.W
        for a in rows:
            for b in columns:
                fill(buffer, at, layout.LEFT, 0)
                at += layout.LEFT
                width = (source.W - b + SW - 1) // SW
                for row in range(layout.ROWS):
                    h = (first + row) * source.SH + a
                    filled = 0
                    if 0 <= h < source.H:
                        filled = width
                        start = plane + h * source.W + b
                        if SW == 1 and start <= last:
                            copy_and_overrun(buffer, at, x, start, width)
                        else:
                            for w in range(U(width)):
                                buffer[U(at) + w] = x[U(start) + w * U(SW)]
                    fill(buffer, at + filled, layout.Q - filled, 0)
                    at += layout.Q


@compiled()
def convolve_phase(tile, pitch, buffer, rows, bias, target, n, group, row, f, layout, taps):
    """Phase f of one group of image n, from row `row` of the phase on.

    All target channels, chunk by chunk.
    """
    offsets = taps.offsets
    CT = layout.target.C
    TH = layout.target.SH
    TW = layout.target.SW
    a = taps.target[f, 0]
    b = taps.target[f, 1]
    rows_left = (layout.target.H - a + TH - 1) // TH - row
    height = min(layout.BAND, rows_left)
    width = (layout.target.W - b + TW - 1) // TW
    first = taps.start[f] * layout.source.C
    R = (taps.start[f + 1] - taps.start[f]) * layout.source.C
    weights = (first * layout.G + group * R) * CT  # where the group's rows begin
    for i in range(0, height, layout.CHUNK):
        now = min(layout.CHUNK, height - i)
        P = (now - 1) * layout.Q + width
        for m in range(CT):
            fill(tile, m * pitch, P, bias[group * CT + m])
        for m in range(0, CT if CT > 2 else 0, 8):
            multiply(
                tile=tile,
                tile_start=m * pitch,
                tile_pitch=pitch,
                P=P,
                buffer=buffer,
                shift=i * layout.Q,
                offsets=offsets,
                first=first,
                R=R,
                factors=rows,
                factors_start=weights + m * R,
                factors_row=R,
                factors_step=1,
                M=min(8, CT - m),
            )
        for m in range(CT if CT <= 2 else 0):
            multiply_row(
                tile=tile,
                tile_start=m * pitch,
                P=P,
                buffer=buffer,
                shift=i * layout.Q,
                offsets=offsets,
                first=first,
                R=R,
                factors=rows,
                factors_start=weights + m * R,
            )
        _store_tile(
            target=target,
            tile=tile,
            pitch=pitch,
            n=n,
            group=group,
            h=(row + i) * TH + a,
            height=now,
            w=b,
            width=width,
            layout=layout,
        )


@compiled()
def _store_tile(target, tile, pitch, n, group, h, height, w, width, layout):
    """The tile's rows to rows h, h + TH, ... of the target, up to its width."""
    side = layout.target
    for m in range(side.C):
        channel = (n * layout.G + group) * side.C + m
        plane = channel * side.H * side.W
        at = plane + h * side.W + w
        start = m * pitch
        last = -1  # the last place to which a row may be copied that overruns
        if side.SH == 1 and side.SW == 1:
            last = plane + (h + height) * side.W - width - LANES
        for _ in range(height):
            if at <= last:
                copy_and_overrun(target, at, tile, start, width)
            else:
                for j in range(U(width)):
                    target[U(at) + j * U(side.SW)] = tile[U(start) + j]
            at += side.SH * side.W
            start += layout.Q


# ------------------------------------------------------------------------------------- gradient


@compiled()
def add_parts(sums, line, grad_weight):
    """The parts' sums, always in the same order, and back from channels last.

    The runs of a row are `line` apart.
    """
    O, C, KH, KW = grad_weight.shape
    parts = sums.shape[0]
    flat = sums.reshape(parts, -1)
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


# -------------------------------------------------------------------------------------------- g


def grad_bias(grad_output):
    if grad_output.ndim != 4 or grad_output.size < 1 << 15:
        axes = (0, *range(2, grad_output.ndim))
        return grad_output.sum(axis=axes, dtype=grad_output.dtype)  # (O)
    N, O, OH, OW = grad_output.shape
    planes = contiguous(grad_output).reshape(N, O, OH * OW)
    sums = np.empty(O, grad_output.dtype)  # (O)
    parallel(_grad_bias_loops, O, planes, sums)
    return sums


@compiled()
def _grad_bias_loops(team, parts, grad_output, sums):
    """Part k is channel k.

    NumPy's sum over three axes takes three times as long on one thread.
    """
    N, O, pixels = grad_output.shape
    flat = grad_output.reshape(-1)
    k = next_part(team)
    while k < parts:
        total = grad_output.dtype.type(0)
        for n in range(N):
            total += add_up(flat, (n * O + k) * pixels, pixels)
        sums[k] = total
        k = next_part(team)
