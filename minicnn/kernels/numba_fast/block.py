"""Convolution, ReLU and max pooling image by image: what lies between stays in the cache.

One image of the notebook's first convolution is 50 KB, a batch of 64 is 3.2 MB. One kernel
after the other writes and reads the batch three times forward and five times backward.

The bits are those of the kernels one after the other. Each number is the same sum in the
same order, made by the same inner loops; only the place where it waits is another.

Windows must be 2 x 2 side by side. Then three in four of the numbers that reach the
convolution are 0 at least, and nobody has to count them to know that skipping pays. For
other windows, and where a convolution has a way of its own (`scattered`, `depthwise`), one
kernel is called after the other.

`g` is the Geometry of the convolution, `pooling` that of the windows (`minicnn.geometry`).
"""

from functools import lru_cache

import numpy as np

from ...geometry import Geometry
from .convolution import (
    PARTS,
    add_parts,
    conv2d,
    conv2d_grad_input,
    conv2d_grad_weight,
    convolve_phase,
    grad_bias,
    lower_image,
)
from .depthwise import is_depthwise
from .engine.arrays import contiguous
from .engine.compilation import compiled
from .engine.team import next_part, parallel, plain
from .engine.vectors import LANES
from .operands.lowering import Taps, lower, named_layout, without_idle_strides
from .operands.patches import add_patches, named_strips, strip_row, strips_for, strips_of_band
from .operands.products import U, aligned, fill, share
from .operands.skipping import (
    add_to_input,
    add_to_weights,
    band_of_image,
    finite,
    input_row,
    marks_for,
    named_runs,
    patches_of_band,
    rows_of_runs,
    runs_for,
)
from .operands.sums import add_up
from .pointwise import relu, relu_grad
from .pooling import max_pool2d, max_pool2d_grad, pair_places, pool_pairs, side_by_side
from .ways import scatters_grad_input, scatters_grad_weight, scatters_output, worth_skipping

WHOLE = 1 << 15  # numbers from which `grad_bias` adds up plane by plane


def conv_block(x, weight, bias, g, pooling):
    tables = _forward_tables(g, pooling)
    if tables is None:
        return max_pool2d(relu(conv2d(x, weight, bias, g)), pooling)
    if bias is None:
        bias = np.zeros(g.O, x.dtype)
    output = np.empty(pooling.output_shape, x.dtype)  # (N, O, OH, OW)
    indices = np.empty(pooling.output_shape, np.int32)  # (N, O, OH, OW)
    parallel(
        _conv_block_loops,
        min(g.N, 32),
        contiguous(x).reshape(-1),
        contiguous(weight).reshape(-1),
        contiguous(bias),
        output.reshape(-1),
        indices.reshape(-1),
        *tables,
    )
    return output, indices


@lru_cache(maxsize=256)
def _forward_tables(g, pooling):
    """The pooling, the Layout and the Taps as plain tuples; or None where one kernel is called
    after the other.
    """
    g = without_idle_strides(g)
    other = is_depthwise(g) or scatters_output(g)
    if g.N == 0 or other or not side_by_side(pooling):
        return None
    layout, taps = lower(g, transposed=False)
    return (plain(pooling), plain(layout), tuple(taps)) if layout.BANDS == 1 else None


def conv_block_grad(
    grad_output, output, indices, x, weight, g, pooling, needs_input_grad, needs_weight_grad, needs_bias_grad
):
    tables = _backward_tables(g, pooling, needs_input_grad) if needs_weight_grad else None
    if tables is None or (needs_input_grad and not finite(contiguous(weight).reshape(-1), 0, weight.size)):
        indices = indices.astype(np.int64, copy=False)
        grad = max_pool2d_grad(relu_grad(grad_output, output), indices, pooling)  # (N, O, OH, OW)
        grad_input = conv2d_grad_input(grad, weight, g) if needs_input_grad else None
        grad_weight = conv2d_grad_weight(grad, x, g) if needs_weight_grad else None
        return grad_input, grad_weight, grad_bias(grad) if needs_bias_grad else None
    sparse, line, row, sizes, *rest = tables
    loops = _skipping_grad_loops if sparse else _dense_grad_loops
    parts = min(g.N, PARTS)
    eights = -(-sizes.OG // 8) * 8
    sums = np.zeros((parts, g.G, eights, row), x.dtype)  # (parts, G, O/G in eights, row)
    planes = np.empty((g.N, g.O), x.dtype)  # (N, O): the sum of each
    grad_input = np.empty(g.input_shape if needs_input_grad else 0, x.dtype)  # (N, C, H, W)
    parallel(
        loops,
        parts,
        contiguous(grad_output).reshape(-1),
        contiguous(output).reshape(-1),
        contiguous(indices).reshape(-1),
        contiguous(x).reshape(-1),
        rows_of_runs(contiguous(weight), sizes) if needs_input_grad else sums.reshape(-1),
        sums,
        planes,
        grad_input.reshape(-1),
        plain(pooling),
        plain(sizes),
        *rest,
    )
    grad_weight = np.empty(g.weight_shape, x.dtype)  # (O, C/G, KH, KW)
    add_parts(sums, line, grad_weight)
    sums_of_planes = np.empty(g.O, x.dtype)  # (O)
    _add_planes(planes, sums_of_planes)
    return grad_input if needs_input_grad else None, grad_weight, sums_of_planes if needs_bias_grad else None


@lru_cache(maxsize=256)
def _backward_tables(g, pooling, needs_input_grad):
    """Whether skipping pays; how far apart the runs are in a row of sums, and the rows; the
    sizes and tables of the loops. None where one kernel is called after the other.
    """
    g = without_idle_strides(g)
    sparse = worth_skipping(g)  # pooling sends its gradient to one pixel in four
    scattered = scatters_grad_weight(g, sparse) or (needs_input_grad and scatters_grad_input(g, sparse))
    if scattered or is_depthwise(g) or not side_by_side(pooling) or g.N * g.O * g.OH * g.OW < WHOLE:
        return None
    if sparse:
        sizes, *tables = runs_for(g)
        line = sizes.PIECES * sizes.PIECE
        found = sparse, line, g.KH * line, sizes, *tables
    elif needs_input_grad:
        return None
    else:
        sizes, *tables = strips_for(g)
        found = sparse, sizes.RUN, -(-sizes.R // (2 * LANES)) * 2 * LANES, sizes, *tables
    return found if sizes.BANDS == 1 else None


# -------------------------------------------------------------------------------- the output


@compiled()
def _conv_block_loops(team, parts, x, rows, bias, output, indices, pooling, layout, taps):
    """Part k takes its share of the images."""
    pooling = Geometry(*pooling)
    layout = named_layout(layout)
    taps = Taps(*taps)
    CT = layout.target.C
    O = layout.G * CT
    pitch = (layout.CHUNK * layout.Q + 2 * LANES - 1) // (2 * LANES) * 2 * LANES
    buffer = aligned(layout.source.C * layout.CHANNEL + 2 * LANES, x.dtype)  # (CS, VH VW, PHASE)
    tile = aligned((CT + 7) // 8 * 8 * pitch + LANES, x.dtype)  # (CT in eights, pitch)
    pixels = pooling.H * pooling.W
    windows = pooling.OH * pooling.OW
    image = aligned(O * pixels, x.dtype)  # (O, OH, OW), as the convolution gives it
    four = np.empty(4 * windows, x.dtype)
    here = pair_places(indices, pooling)
    zero = x.dtype.type(0)
    k = next_part(team)
    while k < parts:
        for n in share(k, parts, layout.N):
            for group in range(layout.G):
                lower_image(
                    buffer=buffer,
                    x=x,
                    n=n,
                    group=group,
                    first=layout.FIRST,
                    layout=layout,
                    rows=taps.source_rows,
                    columns=taps.source_columns,
                )
                convolve_phase(
                    tile=tile,
                    pitch=pitch,
                    buffer=buffer,
                    rows=rows,
                    bias=bias,
                    target=image,
                    n=0,
                    group=group,
                    row=0,
                    f=0,
                    layout=layout,
                    taps=taps,
                )
            for q in range(U(image.size)):
                image[q] = zero if image[q] < zero else image[q]
            for o in range(O):
                pool_pairs(
                    x=image,
                    start=o * pixels,
                    output=output,
                    indices=indices,
                    at=(n * O + o) * windows,
                    taps=four,
                    here=here,
                    g=pooling,
                )
        k = next_part(team)


# ---------------------------------------------------------------------------------- gradient


@compiled()
def _route(image, grad_output, output, indices, planes, n, pooling):
    """The gradient of image n before ReLU, and the sum of each of its planes."""
    O = pooling.C
    pixels = pooling.H * pooling.W
    windows = pooling.OH * pooling.OW
    zero = image.dtype.type(0)
    fill(image, 0, image.size, zero)
    for o in range(O):
        at = U((n * O + o) * windows)
        start = U(o * pixels)
        for p in range(at, at + U(windows)):
            image[start + U(indices[p])] = zero if output[p] <= zero else grad_output[p]
        planes[n, o] = add_up(image, o * pixels, pixels)


@compiled()
def _skipping_grad_loops(
    team, parts, grad_output, output, indices, x, rows, sums, planes, grad_input, pooling, runs, columns, begins, width
):
    """Part k takes its share of the images."""
    pooling = Geometry(*pooling)
    runs = named_runs(runs)
    g = runs.g
    gradient = aligned(g.O * g.OH * g.OW, x.dtype)  # (O, OH, OW)
    group = runs.OG * g.OH * g.OW  # of them
    image = band_of_image(runs, x)
    patches = patches_of_band(runs, begins)
    kept = np.empty(patches.size + 1, np.int64)
    row = input_row(runs, x)
    marks = marks_for(runs)
    flat = sums.reshape(-1)
    k = next_part(team)
    while k < parts:
        for n in share(k, parts, g.N):
            _route(gradient, grad_output, output, indices, planes, n, pooling)
            for b in range(g.G):
                add_to_weights(
                    flat=flat,
                    row=(k * g.G + b) * sums.shape[2] * sums.shape[3],
                    pitch=sums.shape[3],
                    x=x,
                    unit=n * g.G + b,
                    grad_output=gradient,
                    start=b * group,
                    i0=0,
                    image=image,
                    patches=patches,
                    kept=kept,
                    runs=runs,
                    columns=columns,
                    width=width,
                )
            for b in range(g.G if grad_input.size else 0):
                add_to_input(
                    grad_input=grad_input,
                    unit=n * g.G + b,
                    grad_output=gradient,
                    start=b * group,
                    rows=rows,
                    everything=False,
                    row=row,
                    marks=marks,
                    runs=runs,
                    columns=columns,
                    begins=begins,
                    width=width,
                )
        k = next_part(team)


@compiled()
def _dense_grad_loops(
    team, parts, grad_output, output, indices, x, rows, sums, planes, grad_input, pooling, strips, offsets
):
    """The same without the gradient to the input, where skipping does not pay."""
    pooling = Geometry(*pooling)
    strips = named_strips(strips)
    g = strips.g
    gradient = aligned(g.O * g.OH * g.OW, x.dtype)  # (O, OH, OW)
    patches = strips_of_band(strips, x)
    row = strip_row(strips, x)
    flat = sums.reshape(-1)
    k = next_part(team)
    while k < parts:
        for n in share(k, parts, g.N):
            _route(gradient, grad_output, output, indices, planes, n, pooling)
            for b in range(g.G):
                add_patches(
                    flat=flat,
                    row_of_sums=(k * g.G + b) * sums.shape[2] * sums.shape[3],
                    pitch=sums.shape[3],
                    x=x,
                    n=n,
                    group=b,
                    grad_output=gradient,
                    start=b * strips.OG * g.OH * g.OW,
                    i0=0,
                    patches=patches,
                    row=row,
                    strips=strips,
                    offsets=offsets,
                )
        k = next_part(team)


@compiled()
def _add_planes(planes, sums):
    """Over the images, always in the same order."""
    N, O = planes.shape
    for o in range(O):
        total = planes.dtype.type(0)
        for n in range(N):
            total += planes[n, o]
        sums[o] = total
