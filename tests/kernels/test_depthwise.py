"""Depthwise convolution in its own loops: where they are taken; and they are the textbook's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn import geometry
from minicnn.kernels import numba_fast, numpy_textbook
from minicnn.kernels.numba_fast import depthwise
from minicnn.kernels.numba_fast.operands.lowering import without_idle_strides
from minicnn.kernels.threads import get_num_threads, set_num_threads
from tests.support import strategies


def depthwise_geometry(N, C, H, W, K, S, P, D):
    return geometry.conv2d((N, C, H, W), (C, 1, *K), S, P, D, C)


@st.composite
def depthwise_cases(draw):
    """The output is up to 70 wide: stretches of 1, 2 and 4 registers, and their rests."""
    K, S, D = draw(strategies.pairs(1, 4)), draw(strategies.pairs(1, 3)), draw(strategies.pairs(1, 3))
    P = tuple(draw(st.integers(0, d * (k - 1))) for k, d in zip(K, D, strict=True))
    size = draw(st.integers(1, 6)), draw(st.integers(1, 70))
    spare = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    H, W = (
        max(1, (n - 1) * s + d * (k - 1) + 1 - 2 * p + min(e, s - 1))
        for n, s, d, k, p, e in zip(size, S, D, K, P, spare, strict=True)
    )
    return depthwise_geometry(draw(st.integers(1, 3)), draw(st.integers(2, 5)), H, W, K, S, P, D)


def arrays(g, rng, values, dtype):
    shapes = g.input_shape, g.weight_shape, (g.O,), g.output_shape
    return [values(rng, shape).astype(dtype) for shape in shapes]


def results(kernels, g, x, weight, bias, grad):
    return [
        kernels.conv2d(x, weight, bias, g),
        kernels.conv2d_grad_input(grad, weight, g),
        kernels.conv2d_grad_weight(grad, x, g),
    ]


@given(depthwise_cases(), st.sampled_from(strategies.FLOATS), st.integers(0, 2**32 - 1))
def test_integers_are_the_textbooks_bit_for_bit(g, dtype, seed):
    assert depthwise.is_depthwise(without_idle_strides(g))
    given = arrays(g, np.random.default_rng(seed), strategies.integers, dtype)
    for found, right in zip(results(numba_fast, g, *given), results(numpy_textbook, g, *given), strict=True):
        np.testing.assert_array_equal(found, right, strict=True)


@given(depthwise_cases(), st.integers(0, 2**32 - 1))
def test_nan_and_infinity_travel_as_in_the_textbook(g, seed):
    """The gradient to the weights puts zeros behind each row; no infinity may meet them."""
    rng = np.random.default_rng(seed)
    x, weight, bias, grad = arrays(g, rng, strategies.integers, "float32")
    for array in (x, grad):
        array.reshape(-1)[rng.integers(array.size)] = rng.choice([np.nan, np.inf, -np.inf])
    with np.errstate(invalid="ignore"):
        right = results(numpy_textbook, g, x, weight, bias, grad)
    for found, expected in zip(results(numba_fast, g, x, weight, bias, grad), right, strict=True):
        np.testing.assert_array_equal(found, expected, strict=True)


def test_an_infinity_that_a_tap_does_not_see_leaves_its_gradient_alone():
    """The last column lies under the taps in the middle and on the right alone."""
    g = depthwise_geometry(1, 2, 4, 5, (3, 3), 1, 1, 1)
    x = np.ones(g.input_shape, np.float32)
    x[:, :, :, -1] = np.inf
    grad_weight = numba_fast.conv2d_grad_weight(np.ones(g.output_shape, np.float32), x, g)
    assert np.isfinite(grad_weight).all(axis=(0, 1, 2)).tolist() == [True, False, False]
    assert not np.isnan(grad_weight).any()


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_number_of_threads_changes_no_bit(stride):
    g = depthwise_geometry(4, 20, 23, 21, (3, 3), stride, 1, 1)
    given = arrays(g, np.random.default_rng(0), strategies.reals, "float32")
    before = get_num_threads()
    try:
        set_num_threads(1)
        one = results(numba_fast, g, *given)
        set_num_threads(2)
        two = results(numba_fast, g, *given)
    finally:
        set_num_threads(before)
    assert [array.tobytes() for array in one] == [array.tobytes() for array in two]


@pytest.mark.parametrize(
    ("g", "taken"),
    [
        (depthwise_geometry(1, 2, 5, 5, (3, 3), 1, 1, 1), True),
        (depthwise_geometry(1, 1, 5, 5, (3, 3), 1, 1, 1), False),  # one channel is no group
        (geometry.conv2d((1, 2, 5, 5), (4, 1, 3, 3), groups=2), False),  # two results of each channel
        (depthwise_geometry(1, 2, 5, 5, (1, 1), 1, 1, 1), False),  # padding that no tap crosses
        (depthwise_geometry(1, 2, 510, 510, (3, 3), 1, 1, 1), True),
        (depthwise_geometry(1, 2, 511, 511, (3, 3), 1, 1, 1), False),
    ],
)
def test_the_geometry_alone_says_whether_the_loops_are_taken(g, taken):
    assert depthwise.is_depthwise(g) is taken
