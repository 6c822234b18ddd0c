"""Max pooling, a row of the output at a time.

All windows of a row look at the same tap together.

`g` is the Geometry (`minicnn.geometry`) of the windows: all sizes of this call; here O =
G = C.
"""

import numpy as np

from .engine.arrays import contiguous
from .engine.compilation import compiled
from .engine.team import next_part, parallel
from .operands.lowering import without_idle_strides
from .operands.products import U, fill, share

BLOCK = 8  # windows; the loop over a constant number becomes vector instructions without a remainder
SHARE = 1 << 14  # outputs for a part; fewer are one thread's work
# Pixels of a plane whose places 32 bits hold: twice as many in a register as 64. The loops
# learn the type from an empty array; handing them the type itself costs 8 us a call.
PLACES = 1 << 31


def max_pool2d(x, g):
    g = without_idle_strides(g)
    output = np.empty(g.output_shape, x.dtype)  # (N, C, OH, OW)
    indices = np.empty(g.output_shape, np.int64)  # (N, C, OH, OW)
    loops = _max_pool2d_pairs_loops if _side_by_side(g) else _max_pool2d_loops
    places = np.empty(0, np.int32 if g.H * g.W <= PLACES else np.int64)
    x = contiguous(x).reshape(-1)
    parallel(loops, _parts(g), x, output.reshape(-1), indices.reshape(-1), places, g)
    return output, indices


def max_pool2d_grad(grad_output, indices, g):
    planes = g.N * g.C
    windows = planes, g.OH * g.OW
    grad_input = np.empty(g.input_shape, grad_output.dtype)  # (N, C, H, W)
    parallel(
        _max_pool2d_grad_loops,
        _parts(g),
        contiguous(grad_output).reshape(windows),
        contiguous(indices).reshape(windows),
        grad_input.reshape(planes, g.H * g.W),
    )
    return grad_input


def _parts(g):
    planes = g.N * g.C
    return max(1, min(planes, planes * g.OH * g.OW // SHARE))


def _side_by_side(g):
    """Windows of 2 x 2 that neither overlap nor reach past the image."""
    return (
        g.KH == g.KW == g.SH == g.SW == 2
        and g.PH == g.PW == 0
        and g.DH == g.DW == 1
        and 2 * g.OH <= g.H
        and 2 * g.OW <= g.W
    )


@compiled(error_model="numpy")
def _max_pool2d_loops(team, parts, x, output, indices, places, g):
    """Any window.

    `where` is -1 until a window has met the image: the first element wins, be it -inf.
    """
    place = places.dtype.type
    planes = g.N * g.C
    best = np.zeros(g.OW, x.dtype)  # (OW)
    where = np.empty(g.OW, place)  # (OW)
    firsts = np.empty(g.KW, np.int64)  # (KW): the first output whose tap kw lies inside the image
    counts = np.empty(g.KW, np.int64)  # (KW): how many there are
    for kw in range(g.KW):
        w = kw * g.DW - g.PW
        firsts[kw] = max(0, (-w + g.SW - 1) // g.SW)
        end = min(g.OW, (g.W - 1 - w) // g.SW + 1)
        counts[kw] = end - firsts[kw]
    k = next_part(team)
    while k < parts:
        for plane in share(k, parts, planes):
            for i in range(g.OH):
                fill(where, 0, g.OW, -1)
                for kh in range(g.KH):
                    h = i * g.SH - g.PH + kh * g.DH
                    for kw in range(g.KW if 0 <= h < g.H else 0):
                        w = firsts[kw] * g.SW + kw * g.DW - g.PW
                        _compare_tap(
                            best=best,
                            where=where,
                            place=place,
                            first=firsts[kw],
                            count=counts[kw],
                            x=x,
                            plane=plane * g.H * g.W,
                            pixel=h * g.W + w,
                            SW=g.SW,
                        )
                at = U((plane * g.OH + i) * g.OW)
                for j in range(U(g.OW)):
                    output[at + j] = best[j]
                    indices[at + j] = where[j]
        k = next_part(team)


@compiled()
def _compare_tap(best, where, place, first, count, x, plane, pixel, SW):
    """One tap of `count` windows, from window `first` on, which reads `pixel`.

    `place` is the type of an index.
    By eight, the last eight once more where eight does not divide the number: that
    changes nothing.
    """
    for j0 in range(0, count, BLOCK):
        j0 = max(min(j0, count - BLOCK), 0)
        b = U(first + j0)
        s = U(plane + pixel + j0 * SW)
        p = place(pixel + j0 * SW)
        if count >= BLOCK:
            for j in range(U(BLOCK)):
                value = x[s + j * U(SW)]
                wins = (value > best[b + j]) | (value != value) | (where[b + j] < 0)
                best[b + j] = value if wins else best[b + j]
                at = p + place(j) * place(SW)
                where[b + j] = at if wins else where[b + j]
        else:
            for j in range(U(count)):
                value = x[s + j * U(SW)]
                if (value > best[b + j]) | (value != value) | (where[b + j] < 0):
                    best[b + j] = value
                    where[b + j] = p + place(j) * place(SW)


@compiled()
def _max_pool2d_pairs_loops(team, parts, x, output, indices, places, g):
    """Windows of 2 x 2 side by side.

    The four taps of a whole plane are laid out first, then compared in one long loop:
    rows of 14 are too short for vector instructions. The notebook's first pooling takes
    0.64 ms on one thread, and 4.6 in the general loops above.
    """
    place = places.dtype.type
    planes = g.N * g.C
    count = g.OH * g.OW
    first = np.empty(count, x.dtype)  # (OH OW), as all five
    second = np.empty(count, x.dtype)
    third = np.empty(count, x.dtype)
    fourth = np.empty(count, x.dtype)
    here = np.empty(count, place)
    for p in range(count):
        i = p // g.OW
        j = p % g.OW
        here[p] = 2 * i * g.W + 2 * j
    k = next_part(team)
    while k < parts:
        for plane in share(k, parts, planes):
            for i in range(g.OH):
                p = U(i * g.OW)
                row = plane * g.H + 2 * i
                above = U(row * g.W)
                below = U((row + 1) * g.W)
                for j in range(U(g.OW)):
                    first[p + j] = x[above + j + j]
                    second[p + j] = x[above + j + j + U(1)]
                    third[p + j] = x[below + j + j]
                    fourth[p + j] = x[below + j + j + U(1)]
            at = U(plane * count)
            for p in range(U(count)):
                best = first[p]
                tap = place(0)
                value = second[p]
                wins = (value > best) | (value != value)
                best = value if wins else best
                tap = place(1) if wins else tap
                value = third[p]
                wins = (value > best) | (value != value)
                best = value if wins else best
                tap = place(g.W) if wins else tap
                value = fourth[p]
                wins = (value > best) | (value != value)
                best = value if wins else best
                tap = place(g.W + 1) if wins else tap
                output[at + p] = best
                indices[at + p] = here[p] + tap
        k = next_part(team)


@compiled()
def _max_pool2d_grad_loops(team, parts, grad_output, indices, grad_input):
    planes = grad_output.shape[0]
    k = next_part(team)
    while k < parts:
        for plane in share(k, parts, planes):
            for q in range(grad_input.shape[1]):
                grad_input[plane, q] = 0
            for q in range(grad_output.shape[1]):
                grad_input[plane, U(indices[plane, q])] += grad_output[plane, q]
        k = next_part(team)
