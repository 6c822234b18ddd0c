"""What only the Numba kernels can get wrong: large arrays, zeros skipped, threads, forks, caches, memory.

That they compute on small arrays what the textbook computes is tested where the textbook is: those tests run on both sets.
"""

import inspect
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import minicnn
from minicnn import geometry
from minicnn.agree import bounds
from minicnn.kernels import numba_fast, numpy_textbook
from minicnn.kernels.numba_fast import convolution, optimizers, pointwise
from minicnn.kernels.numba_fast.engine import compilation, machine, team, vectors
from minicnn.nn import functional as F
from tests.support import oracle, strategies

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(minicnn.__file__).resolve().parent
TIMEOUT = 60  # seconds; whoever takes longer hangs


@pytest.mark.parametrize("huge", [10_000, 2**62, 2**64])
def test_a_stride_between_no_windows_and_a_dilation_between_no_taps_cost_nothing(huge):
    """One window, or one tap, lies where it lies; tables as long as the stride would never be finished."""
    x, weight = np.arange(36.0).reshape(1, 1, 6, 6), np.arange(9.0).reshape(1, 1, 3, 3)
    assert F.conv2d(x, weight, stride=huge).item() == (x[..., :3, :3] * weight).sum()
    grad_input, grad_weight, _ = F.conv2d_backward(np.ones((1, 1, 1, 1)), x, weight, stride=huge)
    np.testing.assert_array_equal(grad_input[..., :3, :3], weight)
    assert grad_input.sum() == weight.sum()
    np.testing.assert_array_equal(grad_weight, x[..., :3, :3])
    np.testing.assert_array_equal(F.conv_transpose2d(np.ones((1, 1, 1, 1)), weight, stride=huge), weight)
    np.testing.assert_array_equal(F.conv2d(x, weight[..., :1, 1:2], dilation=huge), x)
    assert F.max_pool2d(x, 3, stride=huge).item() == 14


# ------------------------------------------------------------------------------------------- sizes beyond a vector
#
# The tests on both sets draw small arrays. These fill whole registers, blocks and parts, and leave rests of each.


def assert_the_textbooks(name, *arguments):
    """Bit for bit, as the numbers are whole and small, or are not computed with; zeros may have either sign."""
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


@given(
    wide_pools(),
    st.sampled_from([strategies.integers, strategies.reals, strategies.specials]),
    st.sampled_from(strategies.FLOATS),
    generators,
)
@example(geometry.max_pool2d((4, 3, 150, 151), 2), strategies.specials, "float32", np.random.default_rng(0))  # parts
@example(geometry.max_pool2d((4, 3, 90, 91), 3, 1, 1), strategies.specials, "float32", np.random.default_rng(0))
def test_wide_pooling_is_the_textbooks_bit_for_bit(g, values, dtype, rng):
    x = values(rng, g.input_shape).astype(dtype)
    assert_the_textbooks("max_pool2d", x, g)
    grad = strategies.integers(rng, g.output_shape).astype(dtype)
    assert_the_textbooks("max_pool2d_grad", grad, numpy_textbook.max_pool2d(x, g)[1], g)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int8"])
def test_a_bias_under_many_pixels_gets_the_textbooks_gradient_bit_for_bit(dtype):
    grad = strategies.integers(np.random.default_rng(0), (3, 5, 61, 59)).astype(dtype)
    assert grad.size > 1 << 15
    assert_the_textbooks("grad_bias", grad)


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


# -------------------------------------------------------------------------------------------------- zeros skipped


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


INPUT, WEIGHT = ("_gather_loops", "skipping_input_loops"), ("_dense_loops", "skipping_weight_loops")


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
    assert loops_for(x, weight, grad, g) == [
        INPUT[share < convolution.DENSE_INPUT],
        WEIGHT[share < convolution.DENSE_WEIGHT],
    ]


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
    """Several bands of rows, several words of channels, runs of several pieces and of a part of one."""
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
    """0 * inf is NaN in the textbook, so a zero may be skipped only where what it meets is finite."""
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


# ---------------------------------------------------------------------------------------- instructions of the machine
#
# What is written as LLVM's instructions, beside the Python functions that stand for them without compilation.

needs_compilation = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="NUMBA_DISABLE_JIT: nothing is compiled")


@needs_compilation
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_compiled_registers_hold_what_the_python_functions_say_wherever_they_begin(dtype):
    @numba.njit
    def compute(target, to, a, at, b, begin, factor):
        sums = vectors.multiply_add(vectors.load(a, at, WIDTH), factor, vectors.load(b, begin, WIDTH))
        vectors.store(target, to, sums)

    WIDTH, rng, size = (0,) * 3, np.random.default_rng(0), 3 * vectors.LANES
    a, b = (strategies.integers(rng, size + 9).astype(dtype) for _ in range(2))
    target, factor = np.arange(size + 5).astype(dtype), np.dtype(dtype).type(3)
    for to, at, begin in [(0, 0, 0), (1, 3, 7), (5, 9, 9), (2, 1, 0)]:  # most of them lie across cache lines
        found, expected = target.copy(), target.copy()
        compute(found, np.uint64(to), a, np.uint64(at), b, np.uint64(begin), factor)
        compute.py_func(expected, to, a, at, b, begin, factor)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(expected[to : to + size], a[at : at + size] + factor * b[begin : begin + size])


@needs_compilation
def test_compiled_a_fused_product_is_rounded_once():
    @numba.njit
    def compute(a, b, c):
        return machine.fused(a, b, c)

    for dtype, bits in (("float32", 14), ("float64", 30)):
        one, tiny = np.dtype(dtype).type(1), np.dtype(dtype).type(2.0**-bits)
        assert compute(one + tiny, one - tiny, -one) == -tiny * tiny  # 1 - tiny^2 by itself is rounded to 1


@needs_compilation
def test_compiled_the_lowest_bit_is_found_where_the_python_function_finds_it():
    @numba.njit
    def find(word):
        return machine.trailing_zeros(word)

    words = [np.uint64(1) << np.uint64(bit) for bit in range(64)]
    words += list(np.random.default_rng(0).integers(1, 2**63, 50, np.uint64))
    assert [int(find(word)) for word in words] == [int(machine.trailing_zeros(word)) for word in words]


@needs_compilation
def test_compiled_an_addition_that_threads_share_is_one_instruction():
    """What two threads do to it is a matter of chance; whether they can is written in the code."""

    @numba.njit
    def add(array, index):
        return machine.fetch_add(array, index)

    array = np.array([5, 7])
    assert (add(array, 1), array.tolist()) == (7, [5, 8])
    (code,) = add.inspect_llvm().values()
    assert re.search("atomicrmw add .* seq_cst", code)


# -------------------------------------------------------------------------------------------------------- threads


def two_steps(model=None):
    """Logits, gradients and weights of two training steps of SimpleCNN; the model's weights are drawn anew."""
    rng, model, criterion = np.random.default_rng(0), model or minicnn.models.SimpleCNN(), minicnn.nn.CrossEntropyLoss()
    optimizer = minicnn.optim.Adam(model.parameters())
    for parameter in model.parameters():
        parameter.data[...] = rng.uniform(-0.1, 0.1, parameter.data.shape)
    results = []
    for _ in range(2):
        optimizer.zero_grad()
        results.append(model(rng.standard_normal((16, 1, 28, 28), np.float32)))
        criterion(results[-1], rng.integers(0, 10, 16))
        model.backward(criterion.backward())
        results += [parameter.grad.copy() for parameter in model.parameters()]
        optimizer.step()
    return [array.tobytes() for array in (*results, *(parameter.data for parameter in model.parameters()))]


def convolution_of(x_shape, weight_shape, **arguments):
    """A computation: the output and all gradients of a convolution, as bytes."""

    def compute():
        rng = np.random.default_rng(1)
        x, weight = rng.standard_normal(x_shape, np.float32), rng.standard_normal(weight_shape, np.float32)
        output = F.conv2d(x, weight, **arguments)
        gradient = F.relu(rng.standard_normal(output.shape, np.float32) - 0.7)  # one in four is not 0
        dense = rng.standard_normal(output.shape, np.float32)
        both = [*F.conv2d_backward(gradient, x, weight, **arguments), *F.conv2d_backward(dense, x, weight, **arguments)]
        return [array.tobytes() for array in (output, *both)]

    return compute


def transposed_convolution():
    rng = np.random.default_rng(2)
    x, weight = rng.standard_normal((8, 32, 13, 13), np.float32), rng.standard_normal((32, 16, 4, 4), np.float32)
    output = F.conv_transpose2d(x, weight, stride=2, padding=1)
    grads = F.conv_transpose2d_backward(np.sin(output), x, weight, stride=2, padding=1)
    return [array.tobytes() for array in (output, *grads)]


def pooling():
    x = np.random.default_rng(3).standard_normal((8, 32, 40, 40), np.float32)
    output, indices = F.max_pool2d(x, 3, 2, 1, return_indices=True)
    return [output.tobytes(), indices.tobytes(), F.max_pool2d_backward(output, indices, x.shape, 3, 2, 1).tobytes()]


COMPUTATIONS = {
    "two steps of SimpleCNN": two_steps,
    "stride": convolution_of((8, 16, 33, 31), (24, 16, 3, 3), stride=2, padding=1),
    "groups": convolution_of((8, 32, 20, 20), (32, 8, 3, 3), padding=1, groups=4),
    "depthwise": convolution_of((8, 32, 28, 28), (32, 1, 3, 3), padding=1, groups=32),
    "dilation": convolution_of((8, 16, 28, 28), (16, 16, 3, 3), padding=2, dilation=2),
    "one image": convolution_of((1, 16, 64, 64), (32, 16, 3, 3), padding=1),
    "transposed": transposed_convolution,
    "pooling": pooling,
}


def places(found, expected):
    """How many float32 numbers of each array differ, by how much, and where the first and the last of them stand."""
    for a, b in (
        (np.frombuffer(x, np.float32), np.frombuffer(y, np.float32)) for x, y in zip(found, expected, strict=True)
    ):
        where = np.flatnonzero(a.view(np.int32) != b.view(np.int32))
        if where.size:
            return (
                f"the first in {where.size} of {a.size} numbers, up to {np.abs(a - b).max()}, places {where[[0, -1]]}"
            )
    return "nowhere"


@pytest.mark.parametrize("name", COMPUTATIONS)
def test_one_two_three_and_four_threads_give_the_same_bits_run_after_run(name):
    expected = COMPUTATIONS[name]()
    for threads in (1, 2, 3, 4):
        minicnn.set_num_threads(threads)
        for _ in range(3):
            found = COMPUTATIONS[name]()
            different = [i for i, both in enumerate(zip(found, expected, strict=True)) if both[0] != both[1]]
            assert not different, f"{threads} threads: array(s) {different} differ, {places(found, expected)}"


def side_by_side(*calls):
    """Each call in a Python thread of its own, all begun together; their results."""
    results, start = [None] * len(calls), threading.Barrier(len(calls))

    def call(k):
        start.wait()
        results[k] = calls[k]()

    running = [threading.Thread(target=call, args=(k,), daemon=True) for k in range(len(calls))]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(TIMEOUT)
        assert not thread.is_alive(), "a thread hangs"
    return results


@pytest.mark.parametrize("names", [["stride"] * 2, ["transposed", "pooling"], list(COMPUTATIONS)[:4]], ids=", ".join)
def test_python_threads_that_compute_at_once_get_what_each_gets_alone(names):
    expected = [COMPUTATIONS[name]() for name in names]
    minicnn.set_num_threads(2)
    repeated = [lambda name=name: [COMPUTATIONS[name]() for _ in range(5)] for name in names]
    for results, right in zip(side_by_side(*repeated), expected, strict=True):
        assert all(result == right for result in results or [None])


def test_the_number_of_threads_may_change_while_others_compute():
    names, done = ("stride", "two steps of SimpleCNN", "pooling"), threading.Event()
    expected = [COMPUTATIONS[name]() for name in names]

    def compute():
        try:
            return [[COMPUTATIONS[name]() for name in names] for _ in range(5)]
        finally:
            done.set()

    def change():
        while not done.is_set():
            for threads in (4, 1, 3, 2):
                minicnn.set_num_threads(threads)

    assert side_by_side(compute, change)[0] == [expected] * 5


class Watched:
    """Loops in Python: part 0 waits until a helper has begun as well, which then does what it is told to."""

    def __init__(self, in_helper):
        self.in_helper, self.helper_began = in_helper, threading.Event()
        self.caller = threading.current_thread()

    def __call__(self, counter, parts, done):
        helper = threading.current_thread() is not self.caller
        while (part := team.take(counter)) < parts:
            if helper:
                self.helper_began.set()
                self.in_helper()
            else:
                assert self.helper_began.wait(TIMEOUT), "no helper came"
            done[part] += 1


def test_a_helper_shares_the_work_and_every_part_is_done_once():
    minicnn.set_num_threads(2)
    for _ in range(20):
        done = np.zeros(50)
        team.parallel(Watched(lambda: None), 50, done)
        np.testing.assert_array_equal(done, 1)


@needs_compilation
def test_compiled_loops_take_every_part_once_however_fast_two_threads_take_them():
    @numba.njit(nogil=True)
    def count(counter, parts, done):
        part = team.take(counter)
        while part < parts:
            done[part] += 1
            part = team.take(counter)

    minicnn.set_num_threads(2)
    for _ in range(20):  # on a busy machine the two seldom run at once
        done = np.zeros(500_000, np.uint8)
        team.parallel(count, done.size, done)
        assert (done == 1).all(), np.unique(done, return_counts=True)


def test_a_helper_that_comes_when_the_call_is_over_does_not_join():
    minicnn.set_num_threads(2)
    caller, over, passed, ours = threading.current_thread(), threading.Event(), threading.Event(), team._Team()

    class Door:
        """Lets the calling thread pass at once, a helper only when the call is over."""

        lock = threading.Lock()

        def __enter__(self):
            if threading.current_thread() is not caller:
                assert over.wait(TIMEOUT), "the call does not end"
            self.lock.acquire()

        def __exit__(self, *_):
            self.lock.release()
            if threading.current_thread() is not caller:
                passed.set()

    def count(counter, parts, done):
        while (part := team.take(counter)) < parts:
            done[part] += 1

    ours.door, done = Door(), np.zeros(50)
    ours.run(count, (50, done), 1)
    np.testing.assert_array_equal(done, 1)
    over.set()
    assert passed.wait(TIMEOUT), "no helper came"
    assert ours.job.joined == 0


def test_an_error_in_a_helper_is_raised_by_the_call_and_the_next_one_works():
    minicnn.set_num_threads(2)
    for _ in range(3):
        with pytest.raises(MemoryError, match="of a helper"):
            team.parallel(Watched(raiser(MemoryError("of a helper"))), 50, np.zeros(50))
        test_a_helper_shares_the_work_and_every_part_is_done_once()


def raiser(error):
    def fail():
        raise error

    return fail


def test_an_error_in_the_calling_thread_waits_for_the_helpers():
    minicnn.set_num_threads(2)
    caller, began, ended = threading.current_thread(), threading.Event(), []

    def loops(counter, parts):
        part = team.take(counter)
        if threading.current_thread() is not caller:
            began.set()
            threading.Event().wait(0.1)
            ended.append(part)
        else:
            assert began.wait(TIMEOUT), "no helper came"
            raise MemoryError("of the caller")

    with pytest.raises(MemoryError, match="of the caller"):
        team.parallel(loops, 2)
    assert len(ended) == 1


# ------------------------------------------------------------------------------------------------------ processes


def run(folder, script, root=ROOT, timeout=TIMEOUT, **environment):
    """What a Python process of its own prints when it runs the script; whoever hangs or fails fails the test."""
    file = folder / "script.py"
    prelude = "import multiprocessing, os, sys, threading\nimport numpy as np\nimport minicnn\n"
    file.write_text(f"{prelude}\n{inspect.getsource(two_steps)}\n{inspect.cleandoc(script)}\n", encoding="utf-8")
    return run_command([file], root, timeout, **environment)


def run_command(arguments, root=ROOT, timeout=TIMEOUT, **environment):
    environment = os.environ | {"PYTHONPATH": str(root)} | environment
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # its children too
        raise AssertionError(f"hangs; printed so far: {process.communicate()[0]}") from None
    assert process.returncode == 0, f"exit code {process.returncode}: {printed}"
    return printed


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
FORK = """
def forked(function):
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if function() else 3)
        finally:
            os._exit(4)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

"""


@forks
@pytest.mark.parametrize("threads", [2, 4])
def test_a_forked_child_computes_the_same_and_so_does_its_own_child(tmp_path, threads):
    script = f"""
        minicnn.set_num_threads({threads})
        expected = two_steps()
        assert forked(lambda: two_steps() == expected and forked(lambda: two_steps() == expected) == 0) == 0
        assert two_steps() == expected
    """
    run(tmp_path, FORK + inspect.cleandoc(script))


@forks
def test_a_child_forked_while_another_thread_is_inside_a_kernel_computes_the_same(tmp_path):
    script = """
        minicnn.set_num_threads(2)
        expected, over, rounds = two_steps(), threading.Event(), []
        mine, *theirs = [minicnn.models.SimpleCNN() for _ in range(3)]
        def compute(model):
            while not over.is_set():
                rounds.append(two_steps(model) == expected)
        threads = [threading.Thread(target=compute, args=(model,), daemon=True) for model in theirs]
        for thread in threads:
            thread.start()
        for _ in range(20):
            assert forked(lambda: two_steps(mine) == expected) == 0
        over.set()
        for thread in threads:
            thread.join()
        assert rounds and all(rounds)
    """
    run(tmp_path, FORK + inspect.cleandoc(script))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_the_children_of_multiprocessing_compute_the_same(tmp_path, method):
    if method not in __import__("multiprocessing").get_all_start_methods():
        pytest.skip(f"no {method} here")
    script = f"""
        if __name__ == "__main__":
            minicnn.set_num_threads(2)
            expected = two_steps()
            with multiprocessing.get_context("{method}").Pool(2) as pool:
                assert pool.map(two_steps, [None] * 4) == [expected] * 4
            assert two_steps() == expected
    """
    run(tmp_path, script)


@pytest.mark.parametrize("end", ["", "sys.exit(0)", "threading.Thread(target=two_steps).start()"])
def test_the_interpreter_ends_while_helpers_wait_for_work(tmp_path, end):
    assert run(tmp_path, f"minicnn.set_num_threads(4); two_steps()\n{end}") == ""


# ---------------------------------------------------------------------------------------------------- compilation


def test_nothing_is_compiled_at_import_nor_numba_loaded_before_a_kernel_is_used(tmp_path):
    script = """
        assert "numba" not in sys.modules, "import minicnn loads numba"
        import importlib, pkgutil
        from numba.core import event
        from numba.core.dispatcher import Dispatcher
        with event.install_recorder("numba:compile") as compiled:
            package = importlib.import_module("minicnn.kernels.numba_fast")
            found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
            modules = [importlib.import_module(module.name) for module in found]
        loops = {value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)}
        assert len(loops) > 10
        assert not compiled.buffer and not any(one.signatures for one in loops)
        two_steps()
        assert sum(len(one.signatures) for one in loops) > 10
    """
    run(tmp_path, script)


@pytest.fixture
def copy(tmp_path):
    """A copy of the package without anything compiled."""
    shutil.copytree(PACKAGE, tmp_path / "minicnn", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_where_the_system_starts_no_thread_the_asking_one_works_alone(monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(team, "_team", team._Team())
    x = np.ones(1 << 18)
    minicnn.set_num_threads(4)
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", start)
        assert F.relu(x).sum() == x.size
        assert team._team.helpers == 0
    assert F.relu(x).sum() == x.size
    assert team._team.helpers > 0  # as soon as it does, they help


def test_where_the_packages_folder_cannot_be_written_the_cache_goes_to_the_users(copy):
    folder = copy / "minicnn" / "kernels" / "numba_fast"
    (folder / "__pycache__").write_text("in the way, for root as well")
    home = {"HOME": str(copy / "home"), "XDG_CACHE_HOME": str(copy / "home" / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    script = """
        from numba.core import event
        with event.install_recorder("numba:compile") as compiled:
            result = minicnn.nn.functional.relu(np.array([-1.0, 0.0, 2.0]))
        assert minicnn.__file__.startswith(sys.argv[0].rpartition("/")[0]) and result.tolist() == [0, 0, 2]
        print(len(compiled.buffer) > 0)
    """
    assert [run(copy, script, copy, **home) for _ in range(2)] == ["True\n", "False\n"]  # compiled once
    assert list((copy / "home").rglob("*.nbc"))
    assert not list(folder.rglob("*.nbc"))


def test_what_was_compiled_from_other_sources_is_deleted(tmp_path):
    source, folder = tmp_path / "a.py", tmp_path / "__pycache__"
    source.write_text("1")
    before = compilation.digest_of(tmp_path)
    source.write_text("2")
    after = compilation.digest_of(tmp_path)
    folder.mkdir()
    names = [
        f"a.loops-1.py311.{before}.1.nbc",
        f"a.loops-1.py311.{before}.1.nbc.tmp.12",
        f"a.loops-1.py311.{after}.1.nbc",
        "a.pyc",
    ]
    for name in names:
        (folder / name).touch()
    compilation.discard_stale_cache(tmp_path, after)
    assert {path.name for path in folder.iterdir()} == set(names[2:])


def test_a_change_in_any_of_the_sources_names_other_files(tmp_path):
    """Whatever a kernel calls is compiled into it, from whichever file it comes."""
    sources = sorted(compilation.FOLDER.glob("*.py"))
    for path in sources:
        shutil.copy(path, tmp_path)
    digests = [compilation.digest_of(tmp_path)]
    for path in sources:
        with open(tmp_path / path.name, "a", encoding="utf-8") as file:
            file.write("# changed\n")
        digests.append(compilation.digest_of(tmp_path))
    assert len(sources) > 10
    assert digests[0] == compilation.SOURCES
    assert len(set(digests)) == len(digests)


def test_two_processes_that_compile_at_once_do_not_mix_up_their_code(tmp_path):
    """Both look before either has written: Numba's own index then gives one of them the other's file."""
    first, second = (compilation.Files(str(tmp_path), "a.loops-1.py311", None) for _ in range(2))
    keys = [("int32", "x86-64"), ("float32", "x86-64")]
    assert first.load(keys[0]) is second.load(keys[1]) is None
    first.save(keys[0], "for int32")
    second.save(keys[1], "for float32")
    assert [files.load(key) for files in (first, second) for key in keys] == ["for int32", "for float32"] * 2


COMPILES_ADAM = """
    from numba.core import event
    parameter = minicnn.nn.Parameter(np.ones(3))
    parameter.grad = np.ones(3)
    with event.install_recorder("numba:compile") as compiled:
        minicnn.optim.Adam([parameter], lr=0.5).step()
    assert np.allclose(parameter.data, 0.5)
    print(len(compiled.buffer) > 0)
"""


@pytest.mark.parametrize("damage", ["cut", "one bit"])
def test_a_damaged_file_is_compiled_anew(copy, damage):
    """A single bit in it is another instruction, which the processor would run."""
    assert [run(copy, COMPILES_ADAM, copy) for _ in range(2)] == ["True\n", "False\n"]
    for path in (copy / "minicnn" / "kernels" / "numba_fast" / "__pycache__").glob("*.nbc"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content if damage == "one bit" else content[:100])
    assert [run(copy, COMPILES_ADAM, copy) for _ in range(2)] == ["True\n", "False\n"]


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files")
def test_where_the_disk_is_full_it_computes_all_the_same(copy):
    limit = "    import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
    before = "    import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    assert run(copy, "\n" + before + limit + COMPILES_ADAM.lstrip("\n"), copy) == "True\n"
    assert not [path for path in copy.rglob("*.nb*") if path.stat().st_size > 5000 or path.suffix != ".nbc"]


TESTS = [f"tests/nn/test_{name}.py" for name in ("convolution", "conv_transpose", "pooling", "linear", "pointwise")]


def test_without_compilation_the_loops_pass_the_same_tests():
    """Python's own loops: an index past the end is an error, also in what stands for a vector register."""
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


# --------------------------------------------------------------------------------------------------------- memory


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
