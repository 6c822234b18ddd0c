"""Max pooling, a row of the output at a time: all windows of a row look at the same tap together."""

import numpy as np

from .engine.arrays import plain
from .engine.compilation import compiled
from .engine.team import parallel, take
from .operands.lowering import settled
from .operands.products import U, fill

BLOCK = 8  # windows; the loop over a constant number becomes vector instructions without a remainder
SHARE = 1 << 14  # outputs for a part; fewer are one thread's work


def max_pool2d(x, g):
    x, g = plain(x), settled(g)
    output = np.empty((g.N, g.C, g.OH, g.OW), x.dtype)
    indices = np.empty(output.shape, np.int64)
    parts = _parts(g)
    loops = (
        _pairs_loops if g[6:14] == (2, 2, 2, 2, 0, 0, 1, 1) and 2 * g.OH <= g.H and 2 * g.OW <= g.W else _windows_loops
    )
    parallel(loops, parts, x.reshape(-1), output.reshape(-1), indices.reshape(-1), tuple(g))
    return output, indices


def max_pool2d_grad(grad_output, indices, g):
    grad_output, indices = plain(grad_output), plain(indices)
    grad_input = np.empty((g.N, g.C, g.H, g.W), grad_output.dtype)
    planes = g.N * g.C
    small, large = (planes, g.OH * g.OW), (planes, g.H * g.W)
    flat = grad_output.reshape(small), indices.reshape(small), grad_input.reshape(large)
    parallel(_max_pool2d_grad_loops, _parts(g), *flat)
    return grad_input


def _parts(g):
    return max(1, min(g.N * g.C, g.N * g.C * g.OH * g.OW // SHARE))


@compiled(error_model="numpy")
def _windows_loops(team, parts, x, output, indices, g):
    """Any window. `where` is -1 until a window has met the image: the first element wins, be it -inf."""
    N, C, H, W, _, _, KH, KW, SH, SW, PH, PW, DH, DW, OH, OW = g
    planes = N * C
    best, where = np.zeros(OW, x.dtype), np.empty(OW, np.int32)
    firsts, counts = np.empty(KW, np.int64), np.empty(KW, np.int64)
    for kw in range(KW):  # the outputs whose tap kw lies inside the image
        w = kw * DW - PW
        firsts[kw] = max(0, (-w + SW - 1) // SW)
        counts[kw] = min(OW, (W - 1 - w) // SW + 1) - firsts[kw]
    k = take(team)
    while k < parts:
        for plane in range(k * planes // parts, (k + 1) * planes // parts):
            for i in range(OH):
                fill(where, 0, OW, -1)
                for kh in range(KH):
                    h = i * SH - PH + kh * DH
                    for kw in range(KW if 0 <= h < H else 0):
                        place = h * W + firsts[kw] * SW + kw * DW - PW
                        _tap_loops(best, where, firsts[kw], counts[kw], x, plane * H * W, place, SW)
                at = U((plane * OH + i) * OW)
                for j in range(U(OW)):
                    output[at + j], indices[at + j] = best[j], where[j]
        k = take(team)


@compiled()
def _tap_loops(best, where, first, count, x, plane, place, SW):
    """One tap of `count` windows. By eight, the last eight once more where they do not divide it: that changes nothing."""
    for j0 in range(0, count, BLOCK):
        j0 = max(min(j0, count - BLOCK), 0)
        b, s, p = U(first + j0), U(plane + place + j0 * SW), np.int32(place + j0 * SW)
        if count >= BLOCK:
            for j in range(U(BLOCK)):
                value = x[s + j * U(SW)]
                wins = (value > best[b + j]) | (value != value) | (where[b + j] < 0)
                best[b + j] = value if wins else best[b + j]
                where[b + j] = p + np.int32(j) * np.int32(SW) if wins else where[b + j]
        else:
            for j in range(U(count)):
                value = x[s + j * U(SW)]
                if (value > best[b + j]) | (value != value) | (where[b + j] < 0):
                    best[b + j] = value
                    where[b + j] = p + np.int32(j) * np.int32(SW)


@compiled()
def _pairs_loops(team, parts, x, output, indices, g):
    """Windows of 2 x 2 side by side. The four taps of a whole plane are laid out first, then compared in one long loop:
    rows of 14 are too short for vector instructions. The notebook's first pooling takes 0.64 ms on one thread, and 4.6 in the
    general loops above."""
    N, C, H, W, _, _, _, _, _, _, _, _, _, _, OH, OW = g
    planes, count = N * C, OH * OW
    first, second = np.empty(count, x.dtype), np.empty(count, x.dtype)
    third, fourth = np.empty(count, x.dtype), np.empty(count, x.dtype)
    here = np.empty(count, np.int32)
    for p in range(count):
        here[p] = p // OW * 2 * W + p % OW * 2
    k = take(team)
    while k < parts:
        for plane in range(k * planes // parts, (k + 1) * planes // parts):
            for i in range(OH):
                p, above, below = U(i * OW), U((plane * H + 2 * i) * W), U((plane * H + 2 * i + 1) * W)
                for j in range(U(OW)):
                    first[p + j], second[p + j] = x[above + j + j], x[above + j + j + U(1)]
                    third[p + j], fourth[p + j] = x[below + j + j], x[below + j + j + U(1)]
            at = U(plane * count)
            for p in range(U(count)):
                best, tap = first[p], np.int32(0)
                wins = (second[p] > best) | (second[p] != second[p])
                best, tap = second[p] if wins else best, np.int32(1) if wins else tap
                wins = (third[p] > best) | (third[p] != third[p])
                best, tap = third[p] if wins else best, np.int32(W) if wins else tap
                wins = (fourth[p] > best) | (fourth[p] != fourth[p])
                best, tap = fourth[p] if wins else best, np.int32(W + 1) if wins else tap
                output[at + p], indices[at + p] = best, here[p] + tap
        k = take(team)


@compiled()
def _max_pool2d_grad_loops(team, parts, grad_output, indices, grad_input):
    planes = grad_output.shape[0]
    k = take(team)
    while k < parts:
        for plane in range(k * planes // parts, (k + 1) * planes // parts):
            for q in range(grad_input.shape[1]):
                grad_input[plane, q] = 0
            for q in range(grad_output.shape[1]):
                grad_input[plane, U(indices[plane, q])] += grad_output[plane, q]
        k = take(team)
