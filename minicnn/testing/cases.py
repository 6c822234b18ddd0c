"""Hypothesis strategies for tests of layers: geometries built from their output, values
drawn by a seed, arrays in every memory layout.

Each strategy draws a Case: legal by construction, so that none is thrown away.
"""

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from minicnn.agree import backwards

FLOATS = ("float32", "float64")
SMALL_INTEGERS = ("int32", "int16", "int8", "uint8")

batches = st.sampled_from([2, 1, 3, 0, None])  # None: one image without a batch dimension
seeds = st.integers(0, 2**32 - 1)


class Case(NamedTuple):
    """The shapes that one call takes and gives, its keyword arguments, and the seed of
    its values.
    """

    input: tuple[int, ...]
    weight: tuple[int, ...] | None
    bias: tuple[int, ...] | None
    output: tuple[int, ...]
    arguments: dict[str, Any]
    dtype: str
    seed: int

    def arrays(self, values, dtype=None):
        """Input, weight, bias (None where the case has none), grad_output."""
        rng = np.random.default_rng(self.seed)
        shapes = (self.input, self.weight, self.bias, self.output)
        return [None if shape is None else np.array(values(rng, shape), dtype or self.dtype) for shape in shapes]


# ------------------------------------------------------------------------------- values


def integers(rng, shape):
    """So small that every sum of products is exact, even in float32."""
    return rng.integers(-4, 5, shape)


def reals(rng, shape):
    """Normal numbers, each array on a scale of its own."""
    return rng.standard_normal(shape) * 10 ** rng.uniform(-3, 3)


def specials(rng, shape):
    """Mostly NaN, infinities, zeros of both signs and ties."""
    return rng.choice(
        [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 2.0], shape, p=[0.1, 0.1, 0.3, 0.1, 0.1, 0.1, 0.1, 0.1]
    )


# ----------------------------------------------------------------------- memory layouts


def _with_gaps(a):
    wide = np.full([2 * size for size in a.shape], 99, a.dtype)
    gaps = (slice(None, None, 2),) * a.ndim
    wide[gaps] = a
    return wide[gaps]


def _backwards(a):
    turn = (slice(None, None, -1),) * a.ndim
    return a[turn].copy()[turn]


def _read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


LAYOUTS: dict[str, Any] = {
    "plain": np.copy,
    "gaps": _with_gaps,
    "backwards": _backwards,
    "fortran": lambda a: np.array(a, order="F"),
    "read-only": _read_only,
    "byteswapped": lambda a: a.astype(a.dtype.newbyteorder()),
}
layouts = st.lists(st.sampled_from(list(LAYOUTS)), min_size=4, max_size=4)  # one for each array of a case


def lay_out(arrays, names):
    """The same values in other memory layouts."""
    return [a if a is None else LAYOUTS[name](a) for a, name in zip(arrays, names, strict=False)]


# ------------------------------------------------------------------------------ windows


def pairs(low, high):
    """(height, width), seldom equal."""
    return st.tuples(st.integers(low, high), st.integers(low, high))


def mostly(usual, others):
    """`usual` three times in four, else one of the others."""
    return st.integers(0, 3).flatmap(lambda n: others if n == 3 else st.just(usual))


wild_pairs = st.one_of(pairs(0, 4), st.sampled_from([0, 2, 3, -1, (2, -1), (1, 1, 1), (), True, 1.0]))


def spelled(draw, pair):
    """A pair as a user may write it: an int where both are equal, a tuple or a list."""
    ways = [pair, list(pair)] if pair[0] != pair[1] else [pair[0], pair, list(pair)]
    return draw(st.sampled_from(ways))


def window(draw, K, S, D, padding, least=1):
    """One axis: (output size, slack, padding, input size); `padding` is the most there
    may be.
    """
    return backwards.window(lambda low, high: draw(st.integers(low, high)), K, S, D, padding, least)


def channels(draw):
    """(G, C, O): groups and the channels on both sides."""
    return backwards.channels(lambda low, high: draw(st.integers(low, high)))


def batched(N, *shape):
    return shape if N is None else (N, *shape)


@st.composite
def conv2d_cases(draw, paddings=("numbers", "same", "valid"), grouped=True):
    """conv2d with every argument, and every dtype that torch takes."""
    N, (G, C, O) = draw(batches), channels(draw)
    if not grouped:
        G = 1
    (KH, KW), (DH, DW), kind = draw(pairs(1, 4)), draw(pairs(1, 3)), draw(st.sampled_from(paddings))
    SH, SW = (1, 1) if kind == "same" else draw(pairs(1, 3))
    if kind == "same":
        OH, OW = H, W = draw(pairs(1, 6))
    else:
        OH, _, PH, H = window(draw, KH, SH, DH, 4 if kind == "numbers" else 0)
        OW, _, PW, W = window(draw, KW, SW, DW, 4 if kind == "numbers" else 0)
    arguments = {
        "stride": spelled(draw, (SH, SW)),
        "padding": spelled(draw, (PH, PW)) if kind == "numbers" else kind,
        "dilation": spelled(draw, (DH, DW)),
        "groups": G,
    }
    dtypes = (*FLOATS, "int64", *(SMALL_INTEGERS if (DH, DW) == (1, 1) else ()))
    bias = draw(st.sampled_from([(O,), None]))
    shapes = (batched(N, C, H, W), (O, C // G, KH, KW), bias, batched(N, O, OH, OW))
    return Case(*shapes, arguments, draw(st.sampled_from(dtypes)), draw(seeds))


@st.composite
def conv_transpose2d_cases(draw):
    """conv_transpose2d with every argument; the padding cuts away less than the whole
    output.
    """
    N, (G, C, O) = draw(batches), channels(draw)
    sizes, K, S, D = draw(pairs(1, 4)), draw(pairs(1, 4)), draw(pairs(1, 3)), draw(pairs(1, 3))
    OP = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(S, D, strict=True))
    full = [(size - 1) * s + d * (k - 1) + op + 1 for size, k, s, d, op in zip(sizes, K, S, D, OP, strict=True)]
    P = tuple(draw(st.integers(0, min(4, (size - 1) // 2))) for size in full)
    named = {"stride": S, "padding": P, "output_padding": OP, "dilation": D}
    arguments = {name: spelled(draw, pair) for name, pair in named.items()} | {"groups": G}
    bias = draw(st.sampled_from([(O,), None]))
    OH, OW = (size - 2 * p for size, p in zip(full, P, strict=True))
    shapes = (batched(N, C, *sizes), (C, O // G, *K), bias, batched(N, O, OH, OW))
    return Case(*shapes, arguments, draw(st.sampled_from((*FLOATS, "int64"))), draw(seeds))


def sees_nothing(size, K, S, P, D, out):
    """Whether one of the windows lies left and right of the image but never on it, by
    looking at each.
    """
    return any(all(not 0 <= o * S - P + k * D < size for k in range(K)) for o in range(out))


@st.composite
def max_pool2d_cases(draw, dtypes=(*FLOATS, "int64", *SMALL_INTEGERS), dilation=3):
    """max_pool2d with every argument, `dilation` the largest; no window without a pixel."""
    N, C, ceil_mode = draw(batches), draw(st.integers(1, 4)), draw(st.booleans())
    K, D = draw(pairs(1, 4)), draw(pairs(1, dilation))
    S = draw(st.one_of(st.just(K), pairs(1, 4)))
    P, sizes, outs = [], [], []
    for k, s, d in zip(K, S, D, strict=True):
        out, slack, p, size = window(draw, k, s, d, k // 2)
        rounded_up = ceil_mode and slack > 0 and out * s < size + p
        if sees_nothing(size, k, s, p, d, out + rounded_up):
            p, size = 0, size + 2 * p
            rounded_up = ceil_mode and slack > 0 and out * s < size
        if draw(st.booleans()) and rounded_up and size - s > 0 and out == 1 and p == 0:
            out, size = 0, size - s  # a single window, larger than the image
        P.append(p)
        sizes.append(size)
        outs.append(out + rounded_up)
    named = {"kernel_size": K, "stride": S, "padding": tuple(P), "dilation": D}
    arguments = {name: spelled(draw, pair) for name, pair in named.items()} | {"ceil_mode": ceil_mode}
    if S == K and draw(st.booleans()):
        arguments["stride"] = None
    shapes = (batched(N, C, *sizes), None, None, batched(N, C, *outs))
    return Case(*shapes, arguments, draw(st.sampled_from(dtypes)), draw(seeds))


# ----------------------------------------------------------------- what needs no window


@st.composite
def linear_cases(draw):
    """linear with any leading dimensions, also none or empty ones."""
    leading = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
    features, outputs = draw(pairs(1, 6))
    bias = draw(st.sampled_from([(outputs,), None]))
    shapes = ((*leading, features), (outputs, features), bias, (*leading, outputs))
    return Case(*shapes, {}, draw(st.sampled_from((*FLOATS, "int64", *SMALL_INTEGERS))), draw(seeds))
