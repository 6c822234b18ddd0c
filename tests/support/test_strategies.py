"""The strategies themselves: they must reach what the tests claim to cover, and each
case must be what it says.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from tests.support import strategies

SEARCH = settings(
    max_examples=2000, phases=[Phase.generate], database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


def pair(case, name):
    value = case.arguments[name]
    return tuple(np.broadcast_to(case.arguments["kernel_size"] if value is None else value, 2).tolist())


def slack(case, kernel_size):
    """Rows and columns of the padded input that no window reaches."""
    total = np.array(case.input[-2:]) + 2 * np.array(pair(case, "padding"))
    S, D = np.array(pair(case, "stride")), np.array(pair(case, "dilation"))
    return total - ((np.array(case.output[-2:]) - 1) * S + D * (np.array(kernel_size) - 1) + 1)


def numbers(case):
    return not isinstance(case.arguments["padding"], str)


ANY = {
    "an empty batch": lambda case: case.input[0] == 0 and len(case.input) == 4,
    "a batch of one": lambda case: case.input[0] == 1 and len(case.input) == 4,
    "a larger batch": lambda case: case.input[0] > 1 and len(case.input) == 4,
    "one unbatched image": lambda case: len(case.input) == 3,
    "height and width differ": lambda case: case.input[-2] != case.input[-1],
    "the output's height and width differ": lambda case: case.output[-2] != case.output[-1],
    "all dimensions differ": lambda case: len(set(case.input)) == len(case.input) == 4,
    "float32": lambda case: case.dtype == "float32",
    "float64": lambda case: case.dtype == "float64",
    "int64": lambda case: case.dtype == "int64",
}
WINDOW = ANY | {
    "an int for a pair": lambda case: isinstance(case.arguments["stride"], int),
    "a list for a pair": lambda case: isinstance(case.arguments["dilation"], list),
    "strides that differ": lambda case: len(set(pair(case, "stride"))) == 2,
    "dilations that differ": lambda case: len(set(pair(case, "dilation"))) == 2,
    "paddings that differ": lambda case: numbers(case) and len(set(pair(case, "padding"))) == 2,
    "no padding": lambda case: numbers(case) and pair(case, "padding") == (0, 0),
    "dilation and stride and padding": lambda case: (
        numbers(case) and min(pair(case, "dilation") + pair(case, "stride")) > 1 and min(pair(case, "padding")) > 0
    ),
}
WEIGHTED = WINDOW | {
    "groups": lambda case: case.arguments["groups"] > 1,
    "depthwise": lambda case: case.arguments["groups"] == case.input[-3] > 1 and case.output[-3] == case.input[-3],
    "groups of several channels on both sides": lambda case: (
        case.arguments["groups"] > 1 and case.input[-3] > case.arguments["groups"] < case.output[-3] != case.input[-3]
    ),
    "a kernel with sides that differ": lambda case: case.weight[-2] != case.weight[-1],
    "a bias": lambda case: case.bias is not None,
    "no bias": lambda case: case.bias is None,
    "a 1x1 kernel": lambda case: case.weight[-2:] == (1, 1),
}
CONVOLUTION = WEIGHTED | {
    "same with an even kernel": lambda case: case.arguments["padding"] == "same" and case.weight[-2] % 2 == 0,
    "same with dilation": lambda case: case.arguments["padding"] == "same" and min(pair(case, "dilation")) > 1,
    "same with a kernel larger than the image": lambda case: (
        case.arguments["padding"] == "same" and case.weight[-2] > case.input[-2]
    ),
    "valid with a stride": lambda case: case.arguments["padding"] == "valid" and min(pair(case, "stride")) > 1,
    "slack below": lambda case: numbers(case) and slack(case, case.weight[-2:])[0] > 0,
    "slack right, none below": lambda case: numbers(case) and tuple(slack(case, case.weight[-2:]) > 0) == (False, True),
    "windows in the padding alone": lambda case: (
        numbers(case) and pair(case, "padding")[0] > pair(case, "dilation")[0] * (case.weight[-2] - 1)
    ),
    "pixels between the windows": lambda case: pair(case, "stride")[0] > case.weight[-2],
    "int8": lambda case: case.dtype == "int8",
    "uint8": lambda case: case.dtype == "uint8",
}
TRANSPOSE = WEIGHTED | {
    "output_padding": lambda case: min(pair(case, "output_padding")) > 0,
    "output_padding allowed by dilation alone": lambda case: pair(case, "output_padding")[0] >= pair(case, "stride")[0],
    "padding that cuts stamps off": lambda case: (
        pair(case, "padding")[0] > pair(case, "dilation")[0] * (case.weight[-2] - 1)
    ),
    "rows that no stamp reaches": lambda case: pair(case, "output_padding")[0] > pair(case, "padding")[0] + 1,
}
POOL = WINDOW | {
    "the default stride": lambda case: case.arguments["stride"] is None,
    "overlapping windows": lambda case: pair(case, "stride")[0] < pair(case, "kernel_size")[0],
    "ceil_mode with a window more": lambda case: slack(case, pair(case, "kernel_size"))[0] < 0,
    "ceil_mode with a window dropped": lambda case: (
        case.arguments["ceil_mode"] and slack(case, pair(case, "kernel_size"))[0] > 0
    ),
    "ceil_mode with a kernel larger than the image": lambda case: (
        case.output[-2] == 1
        and pair(case, "dilation")[0] * (pair(case, "kernel_size")[0] - 1) + 1
        > case.input[-2] + 2 * pair(case, "padding")[0]
    ),
    "slack": lambda case: slack(case, pair(case, "kernel_size"))[1] > 0,
    "int16": lambda case: case.dtype == "int16",
}
PAD = ANY | {
    **{
        f"{mode} on all sides": lambda case, mode=mode: (
            case.arguments["mode"] == mode and 0 not in case.arguments["pad"]
        )
        for mode in ("constant", "reflect", "replicate", "circular")
    },
    "four widths": lambda case: len(set(case.arguments["pad"])) == 4,
    "reflect to the last row": lambda case: (
        case.arguments["mode"] == "reflect" and case.arguments["pad"][2] == case.input[-2] - 1 > 0
    ),
    "circular once round": lambda case: (
        case.arguments["mode"] == "circular" and case.arguments["pad"][2] == case.input[-2]
    ),
    "replicate far out": lambda case: (
        case.arguments["mode"] == "replicate" and case.arguments["pad"][0] > case.input[-1]
    ),
}
LAYER = {
    **{
        f"{mode} with {kind}": lambda case, mode=mode, kind=kind: (
            case.arguments["padding_mode"] == mode and case.arguments["padding"] == kind
        )
        for mode in ("zeros", "reflect", "replicate", "circular")
        for kind in ("same", "valid")
    },
    **{
        f"{mode} with numbers": lambda case, mode=mode: (
            case.arguments["padding_mode"] == mode and numbers(case) and min(pair(case, "padding")) > 0
        )
        for mode in ("zeros", "reflect", "replicate", "circular")
    },
    "reflect with same and an even kernel": lambda case: (
        case.arguments["padding_mode"] == "reflect" and case.arguments["padding"] == "same" and case.weight[-1] == 4
    ),
}
LINEAR = {
    "a vector": lambda case: len(case.input) == 1,
    "a matrix": lambda case: len(case.input) == 2,
    "four dimensions": lambda case: len(case.input) == 4,
    "no rows": lambda case: 0 in case.input,
    "uint8": lambda case: case.dtype == "uint8",
}
REACHED = [
    pytest.param(strategy, holds, id=f"{name}: {what}")
    for name, strategy, claims in (
        ("convolutions", strategies.convolutions(), CONVOLUTION),
        ("conv_transposes", strategies.conv_transposes(), TRANSPOSE),
        ("pools", strategies.pools(), POOL),
        ("pads", strategies.pads(), PAD),
        ("padded_layers", strategies.padded_layers(), LAYER),
        ("linears", strategies.linears(), LINEAR),
    )
    for what, holds in claims.items()
]


@pytest.mark.parametrize(("strategy", "holds"), REACHED)
def test_the_strategy_reaches(strategy, holds):
    try:
        find(strategy, holds, settings=SEARCH)
    except NoSuchExample:
        pytest.fail("not reached in 2,000 draws")


@given(strategies.convolutions(), st.sampled_from(list(strategies.LAYOUTS)))
def test_a_layout_changes_no_value(case, name):
    for array in case.arrays(strategies.integers):
        if array is not None:
            other = strategies.LAYOUTS[name](array)
            assert other is not array
            assert not np.shares_memory(other, array)
            np.testing.assert_array_equal(other, array)


def test_the_layouts_are_what_they_are_called():
    a = np.arange(24.0).reshape(1, 2, 3, 4)
    made = {name: layout(a) for name, layout in strategies.LAYOUTS.items()}
    assert made["gaps"].strides == tuple(2 * s * n for s, n in zip(a.strides, (8, 4, 2, 1), strict=True))
    assert all(stride < 0 for stride in made["backwards"].strides)
    assert made["fortran"].flags.f_contiguous
    assert not made["fortran"].flags.c_contiguous
    assert not made["read-only"].flags.writeable
    assert not made["byteswapped"].dtype.isnative


@given(strategies.seeds)
def test_the_values_are_what_they_are_called(seed):
    rng, shape = np.random.default_rng(seed), (40, 40)
    whole, real, special = (
        values(rng, shape) for values in (strategies.integers, strategies.reals, strategies.specials)
    )
    assert set(whole.ravel()) == set(range(-4, 5))
    assert np.isfinite(real).all()
    assert len(np.unique(real)) == real.size
    assert np.isnan(special).any()
    assert (special == np.inf).any()
    assert (special == -np.inf).any()
    assert len(set(np.signbit(special[special == 0]))) == 2


def test_the_same_seed_gives_the_same_arrays():
    case = strategies.Case((2, 3), (4, 3), None, (2, 4), {}, "float32", 7)
    for first, again in zip(case.arrays(strategies.reals), case.arrays(strategies.reals), strict=True):
        assert (first is again is None) or (first.dtype == np.float32 and np.array_equal(first, again))
