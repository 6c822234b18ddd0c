"""A block of convolution, ReLU and max pooling gives the bits of the three one by one."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import minicnn
from minicnn import geometry
from minicnn.kernels import numba_fast
from minicnn.kernels.numba_fast import block
from tests.kernels.test_vocabulary import SETS, kernel_set
from tests.support.strategies import FLOATS, integers, pairs, reals, seeds, specials, window

KINDS = {"integers": integers, "reals": reals, "specials": specials}  # integers make ties
SIDE_BY_SIDE = {"kernel_size": 2}
POOLINGS = [SIDE_BY_SIDE, {"kernel_size": 2, "ceil_mode": True}, {"kernel_size": 3, "stride": 2, "padding": 1}]


@st.composite
def blocks(draw, pixels):
    """The geometries of a convolution and of the pooling after it.

    Of so many images that the convolution's output has about `pixels` numbers.
    """
    G = draw(st.sampled_from([1, 1, 2]))
    C = G * draw(st.integers(1, 9))
    O = G * draw(st.integers(1, 9))
    KH, KW = draw(pairs(1, 5))
    SH, SW = draw(pairs(1, 2))
    DH, DW = draw(pairs(1, 2))
    OH, _, PH, H = window(draw, KH, SH, DH, 16, least=3)
    OW, _, PW, W = window(draw, KW, SW, DW, 16, least=3)
    N = draw(st.integers(-1, 2)) + -(-pixels // (O * OH * OW))
    arguments = {"stride": (SH, SW), "padding": (PH, PW), "dilation": (DH, DW), "groups": G}
    g = geometry.conv2d((max(N, 0), C, H, W), (O, C // G, KH, KW), **arguments)
    return g, geometry.max_pool2d(g.output_shape, **draw(st.sampled_from(POOLINGS)))


def drawn(g, pooling, kind, dtype, seed):
    rng = np.random.default_rng(seed)
    shapes = (g.input_shape, g.weight_shape, (g.O,), pooling.output_shape)
    return [np.asarray(kind(rng, shape)).astype(dtype) for shape in shapes]


def one_by_one(kernels, x, weight, bias, grad, g, pooling):
    """The output and the three gradients, each by the kernel of its layer."""
    activation = kernels.relu(kernels.conv2d(x, weight, bias, g))
    output, indices = kernels.max_pool2d(activation, pooling)
    grad = kernels.relu_grad(kernels.max_pool2d_grad(grad, indices, pooling), activation)
    grad_weight = kernels.conv2d_grad_weight(grad, x, g)
    return output, indices, kernels.conv2d_grad_input(grad, weight, g), grad_weight, kernels.grad_bias(grad)


def at_once(kernels, x, weight, bias, grad, g, pooling):
    output, indices = kernels.conv_block(x, weight, bias, g, pooling)
    gradients = kernels.conv_block_grad(grad, output, indices, x, weight, g, pooling, True, True, True)
    parts = kernels.conv_block_grad(grad, output, indices, x, weight, g, pooling, False, True, False)
    assert parts[0] is parts[2] is None and same(parts[1], gradients[1])
    return output, indices, *gradients


def same(found, expected):
    """Whether all bits are equal. One NaN is as good as another."""
    nan = np.isnan(expected)
    return (
        np.array_equal(np.isnan(found), nan)
        and np.where(nan, 0, found).tobytes() == np.where(nan, 0, expected).tobytes()
    )


def check(kernels, arrays, g, pooling):
    with np.errstate(invalid="ignore", over="ignore"):
        expected = one_by_one(kernels, *arrays, g, pooling)
        found = at_once(kernels, *arrays, g, pooling)
    for name, a, b in zip(
        ["output", "indices", "grad_input", "grad_weight", "grad_bias"], found, expected, strict=True
    ):
        assert same(a.astype(b.dtype), b), name


@given(blocks(pixels=200), st.sampled_from(list(KINDS)), st.sampled_from(FLOATS), seeds)
@pytest.mark.parametrize("name", SETS)
def test_a_block_of_each_set_gives_the_bits_of_its_kernels_one_by_one(name, sizes, kind, dtype, seed):
    check(kernel_set(name), drawn(*sizes, KINDS[kind], dtype, seed), *sizes)


NOTEBOOKS = [((64, 1, 28, 28), (16, 1, 5, 5)), ((64, 16, 14, 14), (32, 16, 5, 5))]


def notebooks(number):
    """The geometries of the notebook's first or second block."""
    g = geometry.conv2d(*NOTEBOOKS[number], padding=2)
    return g, geometry.max_pool2d(g.output_shape, 2)


@given(
    blocks(pixels=block.WHOLE),
    st.sampled_from(list(KINDS)),
    st.just("float32"),  # each dtype is compiled for
    seeds,
    st.sampled_from([1, 2, 3]),
)
@example(notebooks(0), "integers", "float32", 0, 1)
@example(notebooks(0), "specials", "float32", 0, 3)
@example(notebooks(1), "integers", "float32", 0, 1)
@example(notebooks(1), "reals", "float64", 0, 2)
@example(notebooks(1), "specials", "float32", 0, 3)
def test_large_blocks_too_with_any_number_of_threads(sizes, kind, dtype, seed, threads):
    """So large that each image is done by itself; with fewer numbers the kernels of the
    layers are called.
    """
    before = minicnn.get_num_threads()
    minicnn.set_num_threads(threads)
    try:
        check(numba_fast, drawn(*sizes, KINDS[kind], dtype, seed), *sizes)
    finally:
        minicnn.set_num_threads(before)


def test_the_notebooks_blocks_go_image_by_image():
    first, second = notebooks(0), notebooks(1)
    assert block._forward_tables(*first) is not None
    assert block._forward_tables(*second) is not None
    skips = {which: block._backward_tables(*which, needs)[0] for which, needs in ((first, False), (second, True))}
    assert skips == {first: False, second: True}
    assert block._backward_tables(*first, True) is None


def test_numba_adds_a_gradient_that_is_not_finite_where_its_window_won():
    g, pooling = notebooks(1)
    arrays = drawn(g, pooling, reals, "float32", 0)
    arrays[3][3, 4, 5, 6] = np.inf
    arrays[3][9, 4, 5, 6] = np.nan
    check(numba_fast, arrays, g, pooling)
    arrays[1][0, 0, 0, 0] = np.inf  # a weight that may not be skipped
    check(numba_fast, arrays, g, pooling)
