"""What the tests are run on: geometries built from their output, values drawn by a
seed, arrays in every memory layout.

A window over one axis is built backwards: choose the output size, kernel, stride,
dilation, padding and the slack (pixels past the last window), and the input size
follows. So every draw is legal and none is thrown away.
"""

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

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


LAYOUTS = {
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
    """One axis, backwards: (output size, slack, padding, input size); `padding` is the
    most there may be.
    """
    out, slack = draw(st.integers(least, 4)), draw(st.integers(0, S - 1))
    covered = max((out - 1) * S + D * (K - 1) + 1, 1) + slack
    P = draw(st.integers(0, min(padding, (covered - 1) // 2)))
    return out, slack, P, covered - 2 * P


def channels(draw):
    """(G, C, O): groups and the channels on both sides."""
    G, (CG, OG) = draw(st.integers(1, 3)), draw(pairs(1, 3))
    return G, G * CG, G * OG


def batched(N, *shape):
    return shape if N is None else (N, *shape)


@st.composite
def convolutions(draw, paddings=("numbers", "same", "valid"), grouped=True):
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
def conv_transposes(draw):
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
def pools(draw, dtypes=(*FLOATS, "int64", *SMALL_INTEGERS)):
    """max_pool2d with every argument; no window without a pixel."""
    N, C, ceil_mode = draw(batches), draw(st.integers(1, 4)), draw(st.booleans())
    K, D = draw(pairs(1, 4)), draw(pairs(1, 3))
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
def linears(draw):
    """linear with any leading dimensions, also none or empty ones."""
    leading = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
    features, outputs = draw(pairs(1, 6))
    bias = draw(st.sampled_from([(outputs,), None]))
    shapes = ((*leading, features), (outputs, features), bias, (*leading, outputs))
    return Case(*shapes, {}, draw(st.sampled_from((*FLOATS, "int64", *SMALL_INTEGERS))), draw(seeds))


@st.composite
def pads(draw, modes=("constant", "reflect", "replicate", "circular")):
    """pad with every mode: reflect leaves at least the pixel in the middle, circular
    wraps around once.
    """
    N, C, mode, (H, W) = draw(batches), draw(st.integers(1, 3)), draw(st.sampled_from(modes)), draw(pairs(1, 5))
    most = {"constant": (4, 4), "reflect": (H - 1, W - 1), "replicate": (7, 7), "circular": (H, W)}[mode]
    top, bottom = draw(pairs(0, most[0]))
    left, right = draw(pairs(0, most[1]))
    shapes = (batched(N, C, H, W), None, None, batched(N, C, top + H + bottom, left + W + right))
    arguments = {"pad": (left, right, top, bottom), "mode": mode}
    if mode == "constant":
        arguments["value"] = draw(st.integers(0, 3))
    return Case(*shapes, arguments, draw(st.sampled_from((*FLOATS, "int64", *SMALL_INTEGERS))), draw(seeds))


@st.composite
def padded_layers(draw):
    """The arguments of a Conv2d with a padding_mode, and an input that is large enough
    for it.
    """
    N, (G, C, O), mode = (
        draw(batches),
        channels(draw),
        draw(st.sampled_from(["reflect", "replicate", "circular", "zeros"])),
    )
    K, D, P, S = draw(pairs(1, 4)), draw(pairs(1, 3)), draw(pairs(0, 3)), draw(pairs(1, 3))
    kind = draw(st.sampled_from(["numbers", "same", "valid"]))
    sizes, outs = [], []
    S = (1, 1) if kind == "same" else S
    for k, d, p, s in zip(K, D, P, S, strict=True):
        total = {"numbers": 2 * p, "same": d * (k - 1), "valid": 0}[kind]
        copied = (total + 1) // 2 + (mode == "reflect")
        size = max(copied, d * (k - 1) + 1 - total, 1) + draw(st.integers(0, 4))
        sizes.append(size)
        outs.append((size + total - d * (k - 1) - 1) // s + 1)
    arguments = {
        "in_channels": C,
        "out_channels": O,
        "kernel_size": spelled(draw, K),
        "stride": spelled(draw, S),
        "padding": spelled(draw, P) if kind == "numbers" else kind,
        "dilation": spelled(draw, D),
        "groups": G,
        "bias": draw(st.booleans()),
        "padding_mode": mode,
    }
    bias = (O,) if arguments["bias"] else None
    shapes = (batched(N, C, *sizes), (O, C // G, *K), bias, batched(N, O, *outs))
    return Case(*shapes, arguments, draw(st.sampled_from(FLOATS)), draw(seeds))


@st.composite
def unfolds(draw):
    """unfold with every argument; its output is the patch matrix."""
    case = draw(convolutions(paddings=("numbers",), grouped=False))
    (*batch, C, _, _), (_, _, KH, KW), (*_, OH, OW) = case.input, case.weight, case.output
    arguments = {name: case.arguments[name] for name in ("stride", "padding", "dilation")}
    arguments["kernel_size"] = spelled(draw, (KH, KW))
    shapes = (case.input, None, None, (*batch, C * KH * KW, OH * OW))
    return Case(*shapes, arguments, draw(st.sampled_from(FLOATS)), case.seed)


# ---------------------------------------------------------- how much of a gradient is 0


def _pooled(rng, shape):
    """One pixel of each two by two, as max pooling leaves it."""
    *_, OH, OW = shape
    winners = rng.integers(0, 4, (*shape[:-2], -(-OH // 2), -(-OW // 2), 1, 1)) == np.arange(4).reshape(2, 2)
    return np.moveaxis(winners, -2, -3).reshape(*shape[:-2], OH + OH % 2, OW + OW % 2)[..., :OH, :OW]


DENSITIES = {
    "dense": lambda rng, shape: np.ones(shape, bool),
    "half": lambda rng, shape: rng.random(shape) < 0.5,
    "pooled": _pooled,
    "all zero": lambda rng, shape: np.zeros(shape, bool),
    "dense from the fifth image on": lambda rng, shape: np.arange(shape[0])[:, None, None, None] + np.zeros(shape) > 3,
}
densities = st.sampled_from(list(DENSITIES))


@st.composite
def skippable(draw):
    """Convolutions with so many products for each pixel that a kernel may look for
    zeros to skip; up to six images.
    """
    N, G, (KH, KW), (SH, SW), (DH, DW) = (
        draw(st.integers(1, 6)),
        draw(st.integers(1, 2)),
        draw(pairs(1, 5)),
        draw(pairs(1, 2)),
        draw(pairs(1, 2)),
    )
    C, O = G * (-(-64 // (KH * KW)) + draw(st.integers(0, 2))), G * draw(st.integers(4, 10))
    OH, _, PH, H = window(draw, KH, SH, DH, 3, least=2)
    OW, _, PW, W = window(draw, KW, SW, DW, 3, least=2)
    arguments = {"stride": (SH, SW), "padding": (PH, PW), "dilation": (DH, DW), "groups": G}
    return Case(
        (N, C, H, W), (O, C // G, KH, KW), None, (N, O, OH, OW), arguments, draw(st.sampled_from(FLOATS)), draw(seeds)
    )
