"""What only the Numba kernels can get wrong: large arrays, zeros skipped, memory.

That they compute on small arrays what the textbook computes is tested where the
textbook is: those tests run on both sets. Compilation, threads and instructions are
tested in engine/.
"""

import os
import platform
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minicnn import geometry
from minicnn.agree import bounds
from minicnn.kernels import numba_fast, numpy_textbook
from minicnn.kernels.numba_fast import convolution, optimizers, pointwise, pooling, ways
from minicnn.kernels.numba_fast.engine import vectors
from minicnn.kernels.numba_fast.operands import lowering, sums
from minicnn.nn import functional as F
from tests.support import oracle, strategies
from tests.support.scripts import run, run_command


@pytest.mark.parametrize("huge", [10_000, 2**62, 2**64])
def test_a_stride_between_no_windows_and_a_dilation_between_no_taps_cost_nothing(huge):
    """One window, or one tap, lies where it lies; tables as long as the stride would
    never be finished.
    """
    x, weight = np.arange(36.0).reshape(1, 1, 6, 6), np.arange(9.0).reshape(1, 1, 3, 3)
    assert F.conv2d(x, weight, stride=huge).item() == (x[..., :3, :3] * weight).sum()
    grad_input, grad_weight, _ = F.conv2d_backward(np.ones((1, 1, 1, 1)), x, weight, stride=huge)
    np.testing.assert_array_equal(grad_input[..., :3, :3], weight)
    assert grad_input.sum() == weight.sum()
    np.testing.assert_array_equal(grad_weight, x[..., :3, :3])
    np.testing.assert_array_equal(F.conv_transpose2d(np.ones((1, 1, 1, 1)), weight, stride=huge), weight)
    np.testing.assert_array_equal(F.conv2d(x, weight[..., :1, 1:2], dilation=huge), x)
    assert F.max_pool2d(x, 3, stride=huge).item() == 14


@pytest.mark.parametrize("dtype", strategies.FLOATS)
def test_windows_a_large_stride_apart_give_the_right_numbers_at_once(dtype):
    """3 x 3 windows of one pixel, 10,000 apart: the middle one alone meets the image,
    at its first pixel.
    """
    rng, options = np.random.default_rng(0), {"stride": 10_000, "padding": 10_000}
    x, weight, grad = (
        strategies.integers(rng, shape).astype(dtype) for shape in ((2, 2, 4, 5), (3, 2, 1, 1), (2, 3, 3, 3))
    )
    output = np.zeros_like(grad)
    output[..., 1, 1] = x[..., 0, 0] @ weight[..., 0, 0].T
    grad_input = np.zeros_like(x)
    grad_input[..., 0, 0] = grad[..., 1, 1] @ weight[..., 0, 0]
    grad_weight = (grad[..., 1, 1].T @ x[..., 0, 0])[..., None, None]
    np.testing.assert_array_equal(F.conv2d(x, weight, **options), output)
    found = F.conv2d_backward(grad, x, weight, **options)
    for result, right in zip(found, (grad_input, grad_weight, grad.sum(axis=(0, 2, 3))), strict=True):
        np.testing.assert_array_equal(result, right)


@given(strategies.pairs(1, 4), strategies.pairs(1, 3), strategies.pairs(1, 3), st.integers(1, 1000))
def test_no_more_phases_are_laid_out_than_taps_read_however_large_the_stride(kernel, outputs, dilation, factor):
    """One of the S x S images of every S-th pixel is a phase. Each tap reads one: K x K
    at most are worth their memory.
    """
    stride = [7 * factor + 3, 5 * factor]
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    size = [(n - 1) * s + r for n, s, r in zip(outputs, stride, reach, strict=True)]
    g = lowering.without_idle_strides(geometry.conv2d((1, 1, *size), (1, 1, *kernel), stride, 0, dilation))
    taps = kernel[0] * kernel[1]
    layout, forward = lowering.lower(g, transposed=False)
    phases = len(forward.source_rows) * len(forward.source_columns)
    assert phases <= taps
    assert layout.CHANNEL == phases * layout.PHASE
    assert len(forward.kernel) == taps
    _, backward = lowering.lower(g, transposed=True)
    assert len(backward.target) <= taps
    assert len(backward.kernel) == taps  # no tap of the gradient is lost
    assert all(np.diff(backward.start) > 0)


# ---------------------------------------------------------------- sizes beyond a vector
#
# The tests on both sets draw small arrays. These fill whole registers, blocks and
# parts, and leave rests of each.


def assert_the_textbooks(name, *arguments):
    """Bit for bit, as the numbers are whole and small, or are not computed with; zeros
    may have either sign.
    """
    results, expected = (getattr(kernels, name)(*arguments) for kernels in (numba_fast, numpy_textbook))
    several = isinstance(expected, tuple)
    for result, right in zip(*((results, expected) if several else ([results], [expected])), strict=True):
        oracle.assert_equal(result, right, name)


generators = st.builds(lambda seed: np.random.default_rng(seed), strategies.seeds)


@given(generators, st.integers(1, 40), st.integers(1, 140), st.integers(1, 80), st.sampled_from(strategies.FLOATS))
@example(np.random.default_rng(0), 64, 200, 100, "float32")  # several parts
@example(np.random.default_rng(0), 7, 400, 400, "float32")
def test_wide_linear_layers_are_the_textbooks_bit_for_bit(rng, M, K, P, dtype):
    x, weight, bias, grad = (strategies.integers(rng, shape).astype(dtype) for shape in ((M, K), (P, K), (P,), (M, P)))
    assert_the_textbooks("linear", x, weight, bias)
    assert_the_textbooks("linear_grad_input", grad, weight)
    assert_the_textbooks("linear_grad_weight", grad, x)


@st.composite
def wide_convolutions(draw):
    """(the shapes of input and weight, the options)."""
    N, G, (CG, OG), (H, W) = (
        draw(st.integers(1, 2)),
        draw(st.integers(1, 2)),
        draw(strategies.pairs(1, 9)),
        draw(strategies.pairs(9, 24)),
    )
    K, P, S, D = (
        draw(strategies.pairs(1, 5)),
        draw(strategies.pairs(0, 2)),
        draw(strategies.pairs(1, 3)),
        draw(strategies.pairs(1, 2)),
    )
    return (N, G * CG, H, W), (G * OG, CG, *K), {"stride": S, "padding": P, "dilation": D, "groups": G}


@given(wide_convolutions(), st.sampled_from(strategies.FLOATS), generators)
@example(((1, 8, 40, 41), (16, 8, 5, 5), {"padding": 2}), "float32", np.random.default_rng(0))  # several bands
@example(
    ((2, 6, 21, 23), (4, 3, 2, 3), {"stride": (1, 2), "dilation": (1, 2), "padding": 1, "groups": 2}),
    "float32",
    np.random.default_rng(0),
)
@example(((1, 2, 40, 41), (16, 2, 3, 3), {"padding": 1}), "float32", np.random.default_rng(0))  # a chunk full of pixels
@example(((1, 3, 20, 24), (2, 3, 3, 3), {"padding": 1}), "float32", np.random.default_rng(0))  # rows of many registers
@example(  # the weights' gradient in bands, the last one shorter
    ((1, 4, 26, 700), (4, 4, 5, 5), {"stride": (2, 1), "padding": 2}), "float32", np.random.default_rng(0)
)
def test_wide_convolutions_are_the_textbooks_bit_for_bit(call, dtype, rng):
    input_shape, weight_shape, options = call
    g = geometry.conv2d(input_shape, weight_shape, **options)
    shapes = (input_shape, weight_shape, (g.O,), g.output_shape)
    x, weight, bias, grad = (strategies.integers(rng, shape).astype(dtype) for shape in shapes)
    assert_the_textbooks("conv2d", x, weight, bias, g)
    assert_the_textbooks("conv2d_grad_input", grad, weight, g)
    assert_the_textbooks("conv2d_grad_weight", grad, x, g)


@st.composite
def wide_pools(draw):
    """Half of them 2 x 2 side by side, which have loops of their own."""
    N, C, (OH, OW) = draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(strategies.pairs(1, 21))
    if draw(st.booleans()):
        options, (H, W) = {"kernel_size": 2}, (2 * OH + draw(st.integers(0, 1)), 2 * OW + draw(st.integers(0, 1)))
    else:
        K, S, D = draw(strategies.pairs(1, 3)), draw(strategies.pairs(1, 3)), draw(strategies.pairs(1, 2))
        P = tuple(draw(st.integers(0, k // 2)) for k in K)
        options = {"kernel_size": K, "stride": S, "dilation": D, "padding": P}
        H, W = (max(1, (n - 1) * s + d * (k - 1) + 1) + 3 for n, s, d, k in zip((OH, OW), S, D, K, strict=True))
    return geometry.max_pool2d((N, C, H, W), **options)


PAIRS, COLUMNS, WINDOWS = (getattr(pooling, f"_max_pool2d_{way}_loops") for way in ("pairs", "columns", "windows"))


@pytest.mark.parametrize(
    ("shape", "arguments", "loops"),
    [
        ((2, 3, 9, 8), (2,), PAIRS),
        ((2, 3, 9, 8), (2, 2, 1), WINDOWS),
        ((2, 3, 9, 8), (3, 1, 1), COLUMNS),
        ((2, 3, 9, 21), (3, 2, 1), COLUMNS),
        ((2, 3, 9, 21), (5, 2, 2), COLUMNS),
        ((2, 3, 9, 8), ((1, 2), (3, 1), 0, 1, True), WINDOWS),
        ((2, 3, 9, 30), (4, (4, 1), 2, (2, 3)), COLUMNS),
        ((2, 3, 9, 7), (3, 1, 1), WINDOWS),
        ((2, 3, 14, 14), (14,), WINDOWS),
        ((2, 3, 14, 14), (13, 1, 6), COLUMNS),
        ((2, 3, 14, 14), (7, 3, 3, 2), WINDOWS),
        ((2, 3, 5, 64), (2, 6), COLUMNS),
        ((2, 3, 5, 64), (2, 7), WINDOWS),
    ],
)
@pytest.mark.parametrize("values", [strategies.integers, strategies.specials, strategies.reals])
def test_each_way_of_pooling_is_taken_where_it_should_and_is_the_textbooks(shape, arguments, loops, values):
    g = geometry.max_pool2d(shape, *arguments)
    assert pooling._loops_for(g) is loops
    for seed in range(3):
        for dtype in strategies.FLOATS:
            assert_the_textbooks("max_pool2d", values(np.random.default_rng(seed), shape).astype(dtype), g)


@given(
    wide_pools(),
    st.sampled_from([strategies.integers, strategies.reals, strategies.specials]),
    st.sampled_from(strategies.FLOATS),
    generators,
)
@example(geometry.max_pool2d((4, 3, 150, 151), 2), strategies.specials, "float32", np.random.default_rng(0))  # parts
@example(geometry.max_pool2d((4, 3, 90, 91), 3, 1, 1), strategies.specials, "float32", np.random.default_rng(0))
@example(geometry.max_pool2d((4, 9, 90, 91), 9, 9), strategies.specials, "float32", np.random.default_rng(0))
def test_wide_pooling_is_the_textbooks_bit_for_bit(g, values, dtype, rng):
    x = values(rng, g.input_shape).astype(dtype)
    assert_the_textbooks("max_pool2d", x, g)
    grad = strategies.integers(rng, g.output_shape).astype(dtype)
    assert_the_textbooks("max_pool2d_grad", grad, numpy_textbook.max_pool2d(x, g)[1], g)


@given(wide_pools(), st.sampled_from(strategies.FLOATS), generators)
def test_places_of_64_bits_are_the_textbooks_too(g, dtype, rng):
    """Planes of more than 2^31 pixels need them; here every plane counts as one."""
    x = strategies.specials(rng, g.input_shape).astype(dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pooling, "PLACES", 0)
        assert_the_textbooks("max_pool2d", x, g)


@pytest.mark.parametrize(("pixels", "place"), [(2**31, np.int32), (2**31 + 1, np.int64)])
def test_the_places_of_a_plane_fit_into_their_type(pixels, place):
    """The last place is one less than the pixels: 2^31 - 1 is int32's largest number."""
    assert pooling._places(geometry.max_pool2d((1, 1, 1, pixels), (1, 2))).dtype == place
    assert pixels - 1 <= np.iinfo(place).max


@pytest.mark.skipif(not os.environ.get("MINICNN_LONG"), reason="MINICNN_LONG=1: 3 and 13 GB")
@pytest.mark.parametrize("columns", [512, 4])
def test_the_maximum_of_a_plane_beyond_32_bits_is_found_where_it_stands(columns):
    """With windows anywhere, and side by side: the two have loops of their own."""
    rows = 2**31 // columns + 4
    x = np.zeros((1, 1, rows, columns), np.uint8)
    x[0, 0, -4:-2, :2] = [[5, 7], [3, 1]]
    stride = 2 if columns == 4 else (rows - 4, columns // 2)
    output, indices = F.max_pool2d(x, 2, stride, return_indices=True)
    place = (rows - 4) * columns + 1
    assert place > 2**31 - 1
    assert (output[0, 0].max(), indices[0, 0].reshape(-1)[output.argmax()]) == (7, place)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int8"])
def test_a_bias_under_many_pixels_gets_the_textbooks_gradient_bit_for_bit(dtype):
    grad = strategies.integers(np.random.default_rng(0), (3, 5, 61, 59)).astype(dtype)
    assert grad.size > 1 << 15
    assert_the_textbooks("grad_bias", grad)


@given(st.integers(0, 7 * vectors.LANES), st.integers(0, 5), st.sampled_from(strategies.FLOATS), generators)
def test_a_sum_over_any_number_of_numbers_keeps_its_order(count, start, dtype, rng):
    """Compiled and interpreted it is the same order; with whole numbers it is the sum."""
    numbers = strategies.reals(rng, start + count + 3).astype(dtype)
    assert sums.add_up(numbers, start, count) == sums.add_up.py_func(numbers, start, count)
    a, b = (strategies.integers(rng, start + count + 3).astype(dtype) for _ in range(2))
    assert sums.add_up(a, start, count) == a[start : start + count].sum()
    assert sums.dot(a, start, b, 1, count) == a[start : start + count] @ b[1 : 1 + count]


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names processors of this family")
def test_the_bits_do_not_depend_on_the_processors_name(tmp_path):
    """What the compiler may reorder it orders by that name.

    The vector length is the same here.
    """
    script = """
        import hashlib
        from minicnn.kernels import numba_fast
        from minicnn.kernels.numba_fast.engine import vectors
        results, rng = two_steps(), np.random.default_rng(0)
        for dtype in (np.float32, np.float64):
            results.append(numba_fast.grad_bias(rng.standard_normal((9, 13, 19, 23)).astype(dtype)))
            few = [rng.standard_normal(shape).astype(dtype) for shape in ((3, 601), (77, 601), 77)]
            results.append(numba_fast.linear(*few))
        print(vectors.LANES, hashlib.sha256(b"".join(map(bytes, results))).hexdigest())
    """
    names = ("haswell", "skylake-avx512")
    printed = {
        run(tmp_path, script, timeout=300, NUMBA_CPU_NAME=name, NUMBA_CACHE_DIR=str(tmp_path / name)) for name in names
    }
    assert len({line.split()[0] for line in printed}) == 1, "choose names of one vector length"
    assert len(printed) == 1


def test_arrays_of_several_parts_pass_relu_bit_for_bit():
    x = np.random.default_rng(0).standard_normal(3 * pointwise.SHARE + 5, np.float32)
    assert_the_textbooks("relu", x)
    assert_the_textbooks("relu_grad", x[::-1].copy(), np.maximum(x, 0))


@pytest.mark.parametrize("layout", sorted(strategies.LAYOUTS.keys() - {"read-only", "byteswapped"}))
@pytest.mark.parametrize(("amsgrad", "decoupled"), [(False, False), (True, True)])
def test_adam_on_several_parts_in_any_layout_agrees_within_the_bound(layout, amsgrad, decoupled):
    rng, (p, g) = np.random.default_rng(0), np.random.default_rng(1).standard_normal((2, 5, optimizers.SHARE + 1))
    start = [p, g, 0 * p, 0 * p, np.abs(rng.standard_normal(p.shape)) if amsgrad else None]
    found = []
    for kernels in (numba_fast, numpy_textbook):
        arrays = [array if array is None else strategies.LAYOUTS[layout](array) for array in start]
        kernels.adam(*arrays, 1, 1e-3, 0.9, 0.999, 1e-8, 1.0, False, decoupled)
        found.append(arrays)
    sizes = bounds.adam_magnitudes(p, [g], weight_decay=1.0, amsgrad=amsgrad, decoupled_weight_decay=decoupled)
    sizes["max_exp_avg_sq"] = np.maximum(sizes["max_exp_avg_sq"], 0 if start[4] is None else start[4])
    names = ("param", None, "exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    for name, result, right in zip(names, *found, strict=True):
        if name is None:
            np.testing.assert_array_equal(result, right)
        elif right is not None:
            oracle.assert_close(result, right, sizes[name], bounds.OPTIMISER_ROUNDINGS, name)
    assert not np.array_equal(found[0][0], p)


# ------------------------------------------------------------------------ zeros skipped


def arrays_of(case, density, values=strategies.integers):
    """x, weight and grad_output, as much of it as the density says, and the geometry."""
    x, weight, _, grad = case.arrays(values)
    grad[~strategies.DENSITIES[density](np.random.default_rng(case.seed), grad.shape)] = 0
    return x, weight, grad, geometry.conv2d(x.shape, weight.shape, **case.arguments)


def gradients(kernels, x, weight, grad, g):
    return kernels.conv2d_grad_input(grad, weight, g), kernels.conv2d_grad_weight(grad, x, g)


def loops_for(*arrays):
    """The names of the loops that the two gradients take."""
    taken = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "parallel", lambda loops, *_: taken.append(loops.__name__))
        gradients(numba_fast, *arrays)
    return taken


INPUT = ("_convolve_loops", "skipping_input_loops")
WEIGHT = ("dense_weight_loops", "skipping_weight_loops")


BANDS = strategies.Case(  # images too large for one band; the last band is shorter
    (1, 64, 41, 140), (4, 64, 3, 1), None, (1, 4, 20, 140), {"stride": (2, 1)}, "float32", 0
)


@given(strategies.skippable(), strategies.densities)
@example(BANDS, "pooled")
def test_integer_gradients_are_the_textbooks_bit_for_bit_however_many_zeros_there_are(case, density):
    arrays = arrays_of(case, density)
    for result, right in zip(gradients(numba_fast, *arrays), gradients(numpy_textbook, *arrays), strict=True):
        oracle.assert_equal(result, right, density)


@given(strategies.skippable(), strategies.densities)
def test_zeros_are_skipped_where_most_of_the_first_four_images_is_zero_and_nowhere_else(case, density):
    x, weight, grad, g = arrays_of(case, density)
    share = float(np.mean(grad[:4] != 0))
    sparse = share < ways.DENSE_INPUT
    expected = [] if ways.scatters_grad_input(g, sparse) else [INPUT[sparse]]
    sparse = share < ways.DENSE_WEIGHT
    expected += [] if ways.scatters_grad_weight(g, sparse) else [WEIGHT[sparse]]
    assert loops_for(x, weight, grad, g) == expected


PATHS = {
    "dense": (0, 0),
    "half": (1, 0),
    "pooled": (1, 1),
    "all zero": (1, 1),
}  # skipping for the input, for the weights


@pytest.mark.parametrize("density", PATHS)
@pytest.mark.parametrize("dtype", strategies.FLOATS)
def test_the_notebooks_second_convolution_takes_either_path_to_the_textbooks_gradients(density, dtype):
    case = strategies.Case((9, 16, 14, 14), (32, 16, 5, 5), None, (9, 32, 14, 14), {"padding": 2}, dtype, 5)
    arrays = arrays_of(case, density)
    to_input, to_weight = PATHS[density]
    assert loops_for(*arrays) == [INPUT[to_input], WEIGHT[to_weight]]
    for result, right in zip(gradients(numba_fast, *arrays), gradients(numpy_textbook, *arrays), strict=True):
        oracle.assert_equal(result, right, density)


@pytest.mark.parametrize("arguments", [{"padding": 1}, {"padding": 3, "dilation": 3}, {"stride": (2, 3), "groups": 2}])
@pytest.mark.parametrize("channels", [22, 96], ids="{} channels".format)
def test_skipping_in_bands_words_and_pieces_gives_the_textbooks_gradients(channels, arguments):
    """Several bands of rows, several words of channels, runs of several pieces and of a
    part of one.
    """
    groups, shape = arguments.get("groups", 1), (1, channels, 60, 61)
    g = geometry.conv2d(shape, (72, channels // groups, 3, 3), **arguments)
    case = strategies.Case(shape, (72, channels // groups, 3, 3), None, g.output_shape, arguments, "float32", 6)
    x, weight, _, grad = case.arrays(strategies.integers)
    grad[~strategies.DENSITIES["pooled"](np.random.default_rng(6), grad.shape)] = 0
    grad[0, 0, 0, 0] = np.inf  # stays in its own patch
    assert loops_for(x, weight, grad, g) == [INPUT[1], WEIGHT[1]]
    with np.errstate(invalid="ignore"):
        expected = gradients(numpy_textbook, x, weight, grad, g)
    for result, right in zip(gradients(numba_fast, x, weight, grad, g), expected, strict=True):
        oracle.assert_equal(result, right)


@given(strategies.skippable(), strategies.densities, st.sampled_from(["x", "weight", "grad_output"]))
def test_nan_and_infinity_are_not_skipped(case, density, where):
    """0 * inf is NaN in the textbook, so a zero may be skipped only where what it meets
    is finite.
    """
    arrays = arrays_of(case, density)
    spoiled = arrays[("x", "weight", "grad_output").index(where)].reshape(-1)
    rng = np.random.default_rng(case.seed)
    spoiled[rng.integers(0, spoiled.size, 3)] = rng.choice([np.nan, np.inf, -np.inf], 3)
    with np.errstate(invalid="ignore"):
        expected = gradients(numpy_textbook, *arrays)
    for result, right in zip(gradients(numba_fast, *arrays), expected, strict=True):
        oracle.assert_equal(result, right, f"{density} grad_output, odd values in {where}")


@given(strategies.skippable(), strategies.densities)
def test_real_gradients_agree_within_the_bound_for_sums_however_many_zeros_there_are(case, density):
    arrays = arrays_of(case, density, strategies.reals)
    exact = [a.astype(np.float64) for a in arrays[:3]]
    (N, O, OH, OW), (_, _, KH, KW) = case.output, case.weight
    for result, right, scale, n in zip(
        gradients(numba_fast, *arrays),
        gradients(numpy_textbook, *exact, arrays[3]),
        gradients(numpy_textbook, *map(np.abs, exact), arrays[3]),
        (O // case.arguments["groups"] * KH * KW, N * OH * OW),
        strict=True,
    ):
        oracle.assert_close(result, right, scale, n, density)


# ----------------------------------------------------- compiled, or not, or with checks

TESTS = [f"tests/nn/test_{name}.py" for name in ("convolution", "conv_transpose", "pooling", "linear", "pointwise")]


def test_without_compilation_the_loops_pass_the_same_tests():
    """Python's own loops: an index past the end is an error, also in what stands for a
    vector register.
    """
    overflow = "ignore::RuntimeWarning"  # NumPy warns about single numbers, never about compiled ones
    options = ["-q", "-x", "-p", "no:cacheprovider", "--hypothesis-profile=dev", "-W", overflow]
    chosen = "numba and (bit_for_bit or within_the_bound or as_in_torch) or however_many_zeros"
    printed = run_command(["-m", "pytest", *options, *TESTS, __file__, "-k", chosen], NUMBA_DISABLE_JIT="1")
    assert " passed" in printed and " skipped" not in printed, printed


def test_compiled_with_checked_bounds_the_loops_pass_the_same_tests(tmp_path):
    options = ["-q", "-x", "-p", "no:cacheprovider", "--hypothesis-profile=dev"]
    chosen = "numba and within_the_bound"
    checked = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_OPT": "1"}
    printed = run_command(["-m", "pytest", *options, *TESTS, __file__, "-k", chosen], timeout=300, **checked)
    assert " passed" in printed and " skipped" not in printed, printed


@pytest.mark.skipif(vectors.LANES == 8, reason="AVX-512 is masked, which this processor lacks")
def test_with_half_the_registers_the_loops_pass_the_same_tests(tmp_path):
    """The product takes its rows by fours there."""
    script = """
        import sys
        import pytest
        from llvmlite import binding
        features = binding.get_host_cpu_features()
        for name in [name for name in features if name.startswith("avx512")]:
            features[name] = False
        binding.get_host_cpu_features = lambda: features
        sys.exit(pytest.main(sys.argv[1:]))
    """
    options = ["-q", "-x", "-p", "no:cacheprovider", "--hypothesis-profile=dev", "-k", "numba and within_the_bound"]
    place = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_OPT": "1"}
    printed = run_command(["-c", textwrap.dedent(script), *options, *TESTS], timeout=300, **place)
    assert " passed" in printed and " skipped" not in printed, printed


# ------------------------------------------------------------------------------- memory


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc")
def test_no_patch_matrix_of_the_whole_batch_is_ever_held(tmp_path):
    script = """
        def peak():
            return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
        def step(N):
            x, grad = np.ones((N, 16, 28, 28), np.float32), np.ones((N, 16, 28, 28), np.float32)
            F.conv2d_backward(grad, x, weight, padding=2)
            return F.conv2d(x, weight, padding=2)
        F, weight = minicnn.nn.functional, np.ones((16, 16, 5, 5), np.float32)
        minicnn.set_num_threads(2)
        step(1)
        before = peak()
        step(256)
        print(peak() - before)
    """
    patch_matrix = 256 * 16 * 25 * 28 * 28 * 4 / 2**20  # 306 MB; the four arrays of the step are 12 MB each
    assert float(run(tmp_path, script)) < patch_matrix / 4
