"""What the tests draw beyond the public strategies of `minicnn.testing`."""

import numpy as np
from hypothesis import strategies as st

from minicnn.testing.cases import (
    FLOATS,
    LAYOUTS,
    SMALL_INTEGERS,
    Case,
    batched,
    batches,
    channels,
    integers,
    lay_out,
    layouts,
    mostly,
    pairs,
    reals,
    seeds,
    sees_nothing,
    specials,
    spelled,
    wild_pairs,
    window,
)
from minicnn.testing.cases import conv2d_cases as convolutions
from minicnn.testing.cases import conv_transpose2d_cases as conv_transposes
from minicnn.testing.cases import linear_cases as linears
from minicnn.testing.cases import max_pool2d_cases as pools

__all__ = [
    "FLOATS",
    "LAYOUTS",
    "SMALL_INTEGERS",
    "Case",
    "adaptive_pools",
    "average_pools",
    "batched",
    "batches",
    "channels",
    "conv_transposes",
    "convolutions",
    "integers",
    "lay_out",
    "layouts",
    "linears",
    "mostly",
    "pairs",
    "pools",
    "reals",
    "seeds",
    "sees_nothing",
    "specials",
    "spelled",
    "wild_pairs",
    "window",
]


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
def average_pools(draw):
    """avg_pool2d with every argument."""
    case = draw(pools(FLOATS, dilation=1))
    arguments = {name: value for name, value in case.arguments.items() if name != "dilation"}
    arguments["count_include_pad"] = draw(st.booleans())
    arguments["divisor_override"] = draw(st.sampled_from([None, None, 3, -2]))
    return case._replace(arguments=arguments)


@st.composite
def adaptive_pools(draw):
    """adaptive_avg_pool2d, to more or fewer pixels, and to as many."""
    N, C, sizes, outs = draw(batches), draw(st.integers(1, 3)), draw(pairs(1, 9)), draw(pairs(1, 9))
    kept = draw(st.sampled_from([(False, False), (True, False), (True, True)]))
    outs = tuple(size if keep else out for size, out, keep in zip(sizes, outs, kept, strict=True))
    given_sizes = tuple(None if keep else out for out, keep in zip(outs, kept, strict=True))
    given_sizes = outs[0] if len(set(given_sizes)) == 1 and not any(kept) else given_sizes
    shapes = (batched(N, C, *sizes), None, None, batched(N, C, *outs))
    return Case(*shapes, {"output_size": given_sizes}, draw(st.sampled_from(FLOATS)), draw(seeds))


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
