"""The contract of a kernel set: every set has its functions, and keeps what it promises
of shapes, dtypes and memory.
"""

import importlib
import inspect
from importlib.util import find_spec

import numpy as np
import pytest

from minicnn import geometry, kernels
from minicnn.kernels import vocabulary

WITHOUT = pytest.mark.skipif(find_spec("torch") is None, reason="needs torch: pip install 'minicnn[torch]'")
SETS = [pytest.param(name, marks=WITHOUT) if name == "torch" else name for name in kernels.SETS]


def kernel_set(name):
    return importlib.import_module(f"minicnn.kernels.{kernels.SETS[name]}")


def signature(function):
    """Names and defaults of the arguments, without annotations."""
    return [(p.name, p.default, p.kind) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize("name", SETS)
def test_every_kernel_set_has_the_functions_of_the_vocabulary_with_its_arguments(name):
    found = kernel_set(name)
    assert found.__all__ == list(vocabulary.NAMES)
    for function in vocabulary.NAMES:
        wanted = signature(getattr(vocabulary.KernelSet, function))[1:]  # without self
        assert signature(getattr(found, function)) == wanted, function


# ------------------------------------------------------------ shapes, dtypes and memory

G = geometry.conv2d((2, 4, 5, 6), (6, 2, 3, 2), stride=(2, 1), padding=(1, 0), groups=2)  # output (2, 6, 3, 5)
POOLED = geometry.max_pool2d((2, 4, 5, 6), 2)  # output (2, 4, 2, 3)
DRAW = np.random.default_rng(0)
IMAGES, OUTPUT = DRAW.random((2, 4, 5, 6)), DRAW.random((2, 6, 3, 5))
WEIGHT, COLUMNS = DRAW.random((6, 2, 3, 2)), DRAW.random((2, 24, 15))
POOLS, PLACES = DRAW.random((2, 4, 2, 3)), DRAW.integers(0, 30, (2, 4, 2, 3))
BLOCK = geometry.max_pool2d((2, 6, 3, 5), 2)  # output (2, 6, 1, 2)
MAXIMA, WHERE = DRAW.random((2, 6, 1, 2)), DRAW.integers(0, 15, (2, 6, 1, 2))
ROWS, OTHERS, OUTPUTS, MATRIX = DRAW.random((3, 4)), DRAW.random((3, 4)), DRAW.random((3, 5)), DRAW.random((5, 4))
LABELS, EACH, ONE = np.array([0, 3, 1]), DRAW.random(3), np.ones(())
AVERAGES = (DRAW.random((3, 4)), DRAW.random((3, 4)), DRAW.random((3, 4)))

# Arguments for each function, and the shape of what it returns; where the results differ,
# that of each.
CALLS = {
    "conv2d": ((IMAGES, WEIGHT, DRAW.random(6), G), (2, 6, 3, 5)),
    "conv2d_grad_input": ((OUTPUT, WEIGHT, G), (2, 4, 5, 6)),
    "conv2d_grad_weight": ((OUTPUT, IMAGES, G), (6, 2, 3, 2)),
    "grad_bias": ((OUTPUT,), (6,)),
    "im2col": ((IMAGES, G), (2, 4 * 3 * 2, 3 * 5)),
    "col2im": ((COLUMNS, G), (2, 4, 5, 6)),
    "linear": ((ROWS, MATRIX, DRAW.random(5)), (3, 5)),
    "linear_grad_input": ((OUTPUTS, MATRIX), (3, 4)),
    "linear_grad_weight": ((OUTPUTS, ROWS), (5, 4)),
    "max_pool2d": ((IMAGES, POOLED), (2, 4, 2, 3)),
    "max_pool2d_grad": ((POOLS, PLACES, POOLED), (2, 4, 5, 6)),
    "conv_block": ((IMAGES, WEIGHT, DRAW.random(6), G, BLOCK), (2, 6, 1, 2)),
    "conv_block_grad": (
        (MAXIMA, MAXIMA + 1, WHERE, IMAGES, WEIGHT, G, BLOCK, True, True, True),
        (2, 4, 5, 6),
        (6, 2, 3, 2),
        (6,),
    ),
    "normalize": ((COLUMNS, 1e-5), (2, 24, 15), (24,), (24,), (24,)),
    "normalize_grad": ((COLUMNS, COLUMNS + 1, COLUMNS[0, :, 0], COLUMNS[1, :, 0]), (2, 24, 15), (24,), (24,)),
    "pad": ((IMAGES, 1, 2, 0, 3, "reflect"), (2, 4, 8, 9)),
    "pad_grad": ((IMAGES, 1, 2, 0, 1, "circular"), (2, 4, 4, 3)),
    "relu": ((IMAGES,), (2, 4, 5, 6)),
    "relu_grad": ((IMAGES, IMAGES), (2, 4, 5, 6)),
    "sigmoid": ((IMAGES,), (2, 4, 5, 6)),
    "sigmoid_grad": ((IMAGES, IMAGES), (2, 4, 5, 6)),
    "tanh": ((IMAGES,), (2, 4, 5, 6)),
    "tanh_grad": ((IMAGES, IMAGES), (2, 4, 5, 6)),
    "gelu": ((IMAGES, "none"), (2, 4, 5, 6)),
    "gelu_grad": ((IMAGES, IMAGES, "tanh"), (2, 4, 5, 6)),
    "softmax": ((IMAGES, 2), (2, 4, 5, 6)),
    "log_softmax": ((IMAGES, 0), (2, 4, 5, 6)),
    "nll_loss": ((ROWS, LABELS, None, -100, "none"), (3,)),
    "nll_loss_grad": ((EACH, ROWS, LABELS, None, -100, "none"), (3, 4)),
    "cross_entropy": ((ROWS, LABELS, None, -100, 0.1, "none"), (3,)),
    "cross_entropy_grad": ((EACH, ROWS, LABELS, None, -100, 0.1, "none"), (3, 4)),
    "binary_cross_entropy": ((ROWS, OTHERS, None, "mean"), ()),
    "binary_cross_entropy_grad": ((ONE, ROWS, OTHERS, ROWS, "mean"), (3, 4)),
    "binary_cross_entropy_with_logits": ((ROWS, OTHERS, None, ROWS, "none"), (3, 4)),
    "binary_cross_entropy_with_logits_grad": ((ONE, ROWS, OTHERS, None, None, "sum"), (3, 4)),
    "mse_loss": ((ROWS, OTHERS, None, "none"), (3, 4)),
    "mse_loss_grad": ((ONE, ROWS, OTHERS, None, "mean"), (3, 4)),
    "adam": ((ROWS, OTHERS, *AVERAGES, 1, 0.1, 0.9, 0.99, 1e-8, 0.01, False, False), None),
    "sgd": ((ROWS, OTHERS, AVERAGES[0], 0.1, 0.9, 0.0, 0.0, True, False), (3, 4)),
}
WRITES = {"adam": {0, 2, 3, 4}, "sgd": {0, 2}}  # the arguments that a function writes into


def test_there_is_a_call_for_every_function_of_the_vocabulary():
    assert set(CALLS) == set(vocabulary.NAMES)


def backwards(array):
    """The same numbers, each row from right to left in memory."""
    return array[..., ::-1].copy()[..., ::-1] if array.ndim else array.copy()


@pytest.mark.parametrize("layout", [np.copy, backwards])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("function", vocabulary.NAMES)
@pytest.mark.parametrize("name", SETS)
def test_a_kernel_keeps_the_promises_of_the_vocabulary(name, function, dtype, layout):
    given, shape, *others = CALLS[function]
    writes = WRITES.get(function, set())
    arguments = list(given)
    for at, argument in enumerate(given):
        if isinstance(argument, np.ndarray):
            arguments[at] = layout(argument.astype(dtype) if argument.dtype == np.float64 else argument)
            arguments[at].flags.writeable = at in writes
    before = [np.array(argument) for argument in arguments]
    result = getattr(kernel_set(name), function)(*arguments)

    results = result if isinstance(result, tuple) else () if result is None else (result,)
    assert [np.shape(found) for found in results] == ([shape, *others] if others else [shape] * len(results))
    dtypes = [dtype] * len(results)
    if function in ("max_pool2d", "conv_block"):
        dtypes[1] = np.int64
    if function == "conv_block" and results[1].dtype == np.int32:  # a set may say the places so
        dtypes[1] = np.int32
    assert [found.dtype for found in results] == dtypes
    for at, (argument, copy) in enumerate(zip(arguments, before, strict=True)):
        if isinstance(argument, np.ndarray):
            assert np.array_equal(argument, copy) == (at not in writes), at
            shared = [np.shares_memory(argument, found) for found in results]
            assert shared == [at in writes and argument is found for found in results], at
    assert (shape is None) == (result is None)


# ------------------------------------------------------------ NaN, infinity and padding


@pytest.mark.parametrize("special", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("shape", [(1, 1, 4, 4), (16, 8, 9, 9)])  # torch's own routines differ between these two
@pytest.mark.parametrize("name", SETS)
def test_zeros_of_the_padding_are_multiplied_so_what_is_not_finite_makes_nan_there(name, shape, special):
    """0 * inf = NaN: for output pixels whose tap with the special weight lies in the
    padding, and for the taps of the weight that lie in the padding where grad_output is
    special.
    """
    x = np.ones(shape, np.float32)
    weight = np.ones((8, shape[1], 3, 3), np.float32)
    weight[2, 0, 0, 0] = special
    g = geometry.conv2d(x.shape, weight.shape, padding=1)
    found = kernel_set(name)
    with np.errstate(invalid="ignore"):  # NumPy remarks on 0 * inf
        output = found.conv2d(x, weight, None, g)
    wanted = np.zeros(g.output_shape, bool)
    wanted[:, 2] = np.isnan(special)
    wanted[:, 2, 0] = wanted[:, 2, :, 0] = True  # the first row and the first column read padding with this tap
    np.testing.assert_array_equal(np.isnan(output), wanted)

    grad_output = np.ones(g.output_shape, np.float32)
    grad_output[0, 2, 0, 0] = special
    with np.errstate(invalid="ignore"):
        grad_weight = found.conv2d_grad_weight(grad_output, x, g)
    wanted = np.zeros(weight.shape, bool)
    wanted[2] = np.isnan(special)
    wanted[2, :, 0] = wanted[2, :, :, 0] = True
    np.testing.assert_array_equal(np.isnan(grad_weight), wanted)
