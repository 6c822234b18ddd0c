"""Max pooling, in three ways that give the same bits.

    pairs      windows of 2 x 2 side by side: a plane's four taps are laid out, then compared
    columns    rows of many windows: the maxima of columns first, then of these a window's
    windows    few windows, or far apart: one after the other

A maximum is a rule about order: of equal elements the first in the window wins, row by
row, and the last NaN wins over everything. A maximum of maxima obeys it too, if each
carries its place along.

`g` is the Geometry (`minicnn.geometry`) of the windows: all sizes of this call; here O =
G = C.
"""

import numpy as np

from ...geometry import Geometry
from .engine.arrays import contiguous
from .engine.compilation import compiled
from .engine.team import next_part, parallel, plain
from .operands.lowering import without_idle_strides
from .operands.products import U, fill, share

BLOCK = 8  # windows; the loop over a constant number becomes vector instructions without a remainder
SHARE = 1 << 14  # outputs, or four times as many pixels, for a part; fewer are one thread's work
# Pixels of a plane whose places 32 bits hold: twice as many in a register as 64. The loops
# learn the type from an array: a type itself costs 8 us of each call.
PLACES = 1 << 31


def max_pool2d(x, g):
    g = without_idle_strides(g)
    output = np.empty(g.output_shape, x.dtype)  # (N, C, OH, OW)
    indices = np.empty(g.output_shape, np.int64)  # (N, C, OH, OW)
    loops = _loops_for(g)
    x = contiguous(x).reshape(-1)
    parallel(loops, _parts(g), x, output.reshape(-1), indices.reshape(-1), _places(g), plain(g))
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
    return max(1, min(planes, planes * max(g.OH * g.OW, g.H * g.W // 4) // SHARE))


def _places(g):
    """An empty array of the type of a place."""
    return np.empty(0, np.int32 if g.H * g.W <= PLACES else np.int64)


def _loops_for(g):
    """The way, from the geometry alone.

    Columns take 0.5 of the time of windows where these overlap (3 x 3 at stride 1 and 2, 13 x
    13 at 1), 0.7 where they stand side by side (3 x 3, 4 x 4), 0.93 for 10 x 10 at stride 6,
    but 1.18 at stride 8: nearly all columns are then read by one window. They work on eight
    neighbours at once, so an output of seven columns has none.
    """
    if side_by_side(g):
        return _max_pool2d_pairs_loops
    if min(g.W, g.OW) >= BLOCK and g.SW <= 6:
        return _max_pool2d_columns_loops
    return _max_pool2d_windows_loops


def side_by_side(g):
    """Windows of 2 x 2 that neither overlap nor reach past the image."""
    return (
        g.KH == g.KW == g.SH == g.SW == 2
        and g.PH == g.PW == 0
        and g.DH == g.DW == 1
        and 2 * g.OH <= g.H
        and 2 * g.OW <= g.W
    )


@compiled(error_model="numpy")
def _max_pool2d_windows_loops(team, parts, x, output, indices, places, g):
    """Any window.

    An element that is not larger takes one comparison, and few are: ln(n) of n, on the
    average. So a plain loop is faster than vectors that carry a place for each lane:
    MaxPool2d(14) on 14 x 14 takes a tenth of the time.
    """
    g = Geometry(*g)
    planes = g.N * g.C
    k = next_part(team)
    while k < parts:
        for plane in share(k, parts, planes):
            start = plane * g.H * g.W
            at = plane * g.OH * g.OW
            for i in range(g.OH):
                top = _first_inside(i * g.SH - g.PH, g.DH)
                bottom = min(g.H, i * g.SH - g.PH + (g.KH - 1) * g.DH + 1)
                for j in range(g.OW):
                    left = _first_inside(j * g.SW - g.PW, g.DW)
                    right = min(g.W, j * g.SW - g.PW + (g.KW - 1) * g.DW + 1)
                    where = top * g.W + left
                    best = x[U(start + where)]
                    for h in range(top, bottom, g.DH):
                        for pixel in range(h * g.W + left, h * g.W + right, g.DW):
                            value = x[U(start + pixel)]
                            # Larger, or one of the two is NaN; which, is asked only then.
                            if not value <= best and ((value > best) | (value != value)):
                                best = value
                                where = pixel
                    output[U(at)] = best
                    indices[U(at)] = where
                    at += 1
        k = next_part(team)


@compiled(error_model="numpy")
def _first_inside(place, step):
    """The first of place, place + step ... that is not negative."""
    return place if place >= 0 else place + (-place + step - 1) // step * step


@compiled(error_model="numpy")
def _max_pool2d_columns_loops(team, parts, x, output, indices, places, g):
    """For each row of the output the maximum of each column under it, then of these.

    KH + KW comparisons for a window instead of KH KW, all of them on neighbours. `where` is
    -1 until a window has met the image: the first element wins, be it -inf.
    """
    g = Geometry(*g)
    place = places.dtype.type
    planes = g.N * g.C
    column_best = np.zeros(g.W, x.dtype)  # (W)
    column_where = np.empty(g.W, place)  # (W)
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
                fill(column_where, 0, g.W, -1)
                for kh in range(g.KH):
                    h = i * g.SH - g.PH + kh * g.DH
                    if 0 <= h < g.H:
                        _compare_row(
                            best=column_best,
                            where=column_where,
                            place=place,
                            x=x,
                            plane=plane * g.H * g.W,
                            pixel=h * g.W,
                        )
                fill(where, 0, g.OW, -1)
                for kw in range(g.KW):
                    _compare_columns(
                        best=best,
                        where=where,
                        first=firsts[kw],
                        count=counts[kw],
                        column_best=column_best,
                        column_where=column_where,
                        start=firsts[kw] * g.SW + kw * g.DW - g.PW,
                        SW=g.SW,
                    )
                at = U((plane * g.OH + i) * g.OW)
                for j in range(U(g.OW)):
                    output[at + j] = best[j]
                    indices[at + j] = where[j]
        k = next_part(team)


@compiled()
def _compare_row(best, where, place, x, plane, pixel):
    """The row that begins at `pixel`, each element with the best of its column so far.

    By eight, the last eight once more where eight does not divide the width: that changes
    nothing. Each array is read once: read again in the condition, it takes twice as long.
    """
    for w0 in range(0, best.size, BLOCK):
        b = U(min(w0, best.size - BLOCK))
        s = U(plane + pixel) + b
        p = place(pixel + b)
        for w in range(U(BLOCK)):
            value = x[s + w]
            old = best[b + w]
            there = where[b + w]
            wins = (value > old) | (value != value) | (there < 0)
            best[b + w] = value if wins else old
            where[b + w] = p + place(w) if wins else there


@compiled()
def _compare_columns(best, where, first, count, column_best, column_where, start, SW):
    """One column of each of `count` windows, from window `first` on; the first one reads
    column `start`. By eight, as above.
    """
    for j0 in range(0, count, BLOCK):
        j0 = max(min(j0, count - BLOCK), 0)
        b = U(first + j0)
        s = U(start + j0 * SW)
        if count >= BLOCK:
            for j in range(U(BLOCK)):
                value = column_best[s + j * U(SW)]
                at = column_where[s + j * U(SW)]
                old = best[b + j]
                there = where[b + j]
                wins = _beats(value, at, old, there)
                best[b + j] = value if wins else old
                where[b + j] = at if wins else there
        else:
            for j in range(U(count)):
                value = column_best[s + j * U(SW)]
                at = column_where[s + j * U(SW)]
                if _beats(value, at, best[b + j], where[b + j]):
                    best[b + j] = value
                    where[b + j] = at


@compiled()
def _beats(value, at, best, where):
    """Whether the element at `at` wins over the best so far, which stands at `where`.

    Columns do not come in the order of a window's rows, so places decide: the first of
    equal elements, the last NaN.
    """
    equal = (value == best) & (at < where)
    last_nan = (value != value) & ((best == best) | (at > where))
    return (value > best) | equal | last_nan | (where < 0)


@compiled()
def _max_pool2d_pairs_loops(team, parts, x, output, indices, places, g):
    """Windows of 2 x 2 side by side.

    The four taps of a whole plane are laid out first, then compared in one long loop:
    rows of 14 are too short for vector instructions. The notebook's first pooling takes
    0.64 ms on one thread, and 4.6 in the general loops above.
    """
    g = Geometry(*g)
    planes = g.N * g.C
    count = g.OH * g.OW
    here = pair_places(places, g)
    taps = np.empty(4 * count, x.dtype)
    k = next_part(team)
    while k < parts:
        for plane in share(k, parts, planes):
            pool_pairs(
                x=x,
                start=plane * g.H * g.W,
                output=output,
                indices=indices,
                at=plane * count,
                taps=taps,
                here=here,
                g=g,
            )
        k = next_part(team)


@compiled()
def pair_places(places, g):
    """Where each window of a plane begins, (OH OW), in the type of `places`."""
    here = np.empty(g.OH * g.OW, places.dtype)
    for p in range(here.size):
        here[p] = 2 * (p // g.OW) * g.W + 2 * (p % g.OW)
    return here


@compiled()
def pool_pairs(x, start, output, indices, at, taps, here, g):
    """One plane, which begins at `start` in x. `taps` has room for four numbers a window."""
    place = here.dtype.type
    count = here.size
    first = taps[:count]
    second = taps[count : 2 * count]
    third = taps[2 * count : 3 * count]
    fourth = taps[3 * count :]
    for i in range(g.OH):
        p = U(i * g.OW)
        above = U(start + 2 * i * g.W)
        below = U(start + (2 * i + 1) * g.W)
        for j in range(U(g.OW)):
            first[p + j] = x[above + j + j]
            second[p + j] = x[above + j + j + U(1)]
            third[p + j] = x[below + j + j]
            fourth[p + j] = x[below + j + j + U(1)]
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
        output[U(at) + p] = best
        indices[U(at) + p] = here[p] + tap


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
