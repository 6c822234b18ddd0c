"""What operations and layers have in common: they are torch's also in what is left out,
and an error says who and what.
"""

import inspect
import re

import numpy as np
import pytest

from minicnn import nn
from minicnn.data import MNIST
from minicnn.nn import functional as F
from tests.support import oracle
from tests.support.oracle import torch

pytestmark = pytest.mark.usefixtures("backend")

IMAGE, TARGET = (2, 2, 4, 6), (3, 5)  # batch and channels differ from each other's other sizes


def numbers(*shape, dtype=np.float64):
    return np.random.default_rng(shape).integers(1, 9, shape).astype(dtype)


def shares(*shape):
    return numbers(*shape) / 10


CLASSES = np.array([4, 0, 2])
PLACES = np.broadcast_to([[0, 2, 5], [12, 15, 23]], (2, 2, 2, 3))  # of maxima in an IMAGE, windows 2 x 2

# Every operation with the arguments that it cannot do without: those that are
# differentiated, then the others.
REQUIRED = {
    "conv2d": ([numbers(*IMAGE), numbers(3, 2, 2, 3)], []),
    "conv_transpose2d": ([numbers(*IMAGE), numbers(2, 3, 2, 3)], []),
    "linear": ([numbers(3, 5), numbers(4, 5)], []),
    "max_pool2d": ([numbers(*IMAGE)], [2]),
    "avg_pool2d": ([numbers(*IMAGE)], [2]),
    "adaptive_avg_pool2d": ([numbers(*IMAGE)], [(3, 4)]),
    "max_unpool2d": ([numbers(2, 2, 2, 3)], [PLACES, 2]),
    "interpolate": ([numbers(*IMAGE)], [(3, 9)]),
    "batch_norm": ([numbers(*IMAGE)], [shares(2) + 0.05, numbers(2)]),
    "layer_norm": ([shares(*IMAGE) ** 2], [(4, 6)]),
    "pad": ([numbers(*IMAGE)], [(1, 2, 0, 3)]),
    "unfold": ([numbers(*IMAGE)], [(2, 3)]),
    "fold": ([numbers(2, 12, 12)], [(4, 6), (2, 3)]),
    "relu": ([numbers(*TARGET) - 4], []),
    "sigmoid": ([numbers(*TARGET) - 4], []),
    "tanh": ([numbers(*TARGET) - 4], []),
    "leaky_relu": ([numbers(*TARGET) - 4], []),
    "gelu": ([numbers(*TARGET) - 4], []),
    "softmax": ([numbers(*TARGET) - 4], []),
    "log_softmax": ([numbers(*TARGET) - 4], []),
    "cross_entropy": ([numbers(*TARGET)], [CLASSES]),
    "nll_loss": ([numbers(*TARGET)], [CLASSES]),
    "binary_cross_entropy": ([shares(*TARGET)], [shares(3, 5) ** 2]),
    "binary_cross_entropy_with_logits": ([numbers(*TARGET)], [shares(3, 5)]),
    "mse_loss": ([numbers(*TARGET)], [shares(3, 5)]),
}

RANDOM = ["dropout", "dropout2d"]  # no two draws are equal, and ours are not torch's
OF_THE_OUTPUT = ["relu", "sigmoid", "tanh", "softmax", "log_softmax"]  # their backward functions


def backward_arguments(name, grad):
    """What the backward function takes after grad_output."""
    arrays, others = REQUIRED[name]
    if name in OF_THE_OUTPUT:
        return [getattr(F, name)(*arrays)]
    if name == "max_pool2d":
        return [F.max_pool2d(*arrays, *others, return_indices=True)[1], arrays[0].shape, *others]
    if name == "unfold":
        return [IMAGE[2:], *others]
    if name in ("avg_pool2d", "adaptive_avg_pool2d", "interpolate"):
        return [IMAGE, *others]
    return {"pad": others, "max_unpool2d": others, "fold": others[1:]}.get(name, [*arrays, *others])


@pytest.mark.filterwarnings("ignore:softmax:UserWarning", "ignore:log_softmax:UserWarning")  # they choose a dim
@pytest.mark.filterwarnings("ignore:Implicit dimension choice for (log_)?softmax:UserWarning")
@pytest.mark.parametrize("name", REQUIRED)
def test_what_is_left_out_has_torchs_default(name):
    arrays, others = REQUIRED[name]
    given = [torch.from_numpy(other.copy()) if isinstance(other, np.ndarray) else other for other in others]
    theirs = getattr(torch if name in ("sigmoid", "tanh") else torch.nn.functional, name)
    output = np.asarray(getattr(F, name)(*arrays, *others))
    grad = numbers(*output.shape)
    grads = getattr(F, f"{name}_backward")(grad, *backward_arguments(name, grad))
    results = [output, *(grads if isinstance(grads, tuple) else [grads])]
    expected = oracle.differentiate(lambda *tensors: theirs(*tensors, *given), arrays, grad)
    for result, right in zip(results, expected, strict=False):
        np.testing.assert_allclose(result, right, rtol=1e-12)


@pytest.mark.parametrize("name", RANDOM)
def test_what_dropout_is_not_told_is_torchs_default(name):
    ours = inspect.signature(getattr(F, name)).parameters
    theirs = inspect.signature(getattr(torch.nn.functional, name)).parameters
    assert {argument: ours[argument].default for argument in theirs} == {
        argument: parameter.default for argument, parameter in theirs.items()
    }
    image = numbers(*IMAGE)
    output, mask = getattr(F, name)(image, return_mask=True)
    np.testing.assert_array_equal(output, image * mask)
    assert set(np.unique(mask)) <= {0.0, 2.0}
    np.testing.assert_array_equal(getattr(F, f"{name}_backward")(output, mask), output * mask)


# ------------------------------------------------------------------------------- errors

x, columns, logits, table = numbers(*IMAGE), numbers(2, 8, 15), numbers(*TARGET), numbers(3, 4)
PAIR = {"stride": 0, "padding": -1, "dilation": 0}
WINDOW = {"kernel_size": 0, **PAIR}
UNDILATED = {"kernel_size": 0, "stride": 0, "padding": -1}
EPS = {"eps": 0}
FACTORS = {"weight": numbers(2, 7), "reduction": "average"}

# name: (valid arguments, a wrong value for some of them and for some of the others)
ARGUMENTS = {
    "conv2d": (
        {"input": x, "weight": numbers(3, 2, 2, 2), "bias": numbers(3)},
        {**PAIR, "groups": 0, "bias": numbers(2)},
    ),
    "conv2d_backward": (
        {"grad_output": numbers(2, 3, 3, 5), "input": x, "weight": numbers(3, 2, 2, 2)},
        {**PAIR, "groups": 0, "grad_output": numbers(2, 3, 3, 4)},
    ),
    "conv_transpose2d": (
        {"input": x, "weight": numbers(2, 3, 2, 2), "bias": numbers(3)},
        {**PAIR, "groups": 0, "output_padding": 1, "bias": numbers(2)},
    ),
    "conv_transpose2d_backward": (
        {"grad_output": numbers(2, 3, 5, 7), "input": x, "weight": numbers(2, 3, 2, 2)},
        {**PAIR, "groups": 0, "output_padding": 1, "grad_output": numbers(2, 3, 5, 6)},
    ),
    "linear": (
        {"input": logits, "weight": numbers(4, 5), "bias": numbers(4)},
        {"weight": numbers(4, 6), "bias": numbers(5)},
    ),
    "linear_backward": (
        {"grad_output": table, "input": logits, "weight": numbers(4, 5)},
        {"grad_output": numbers(4, 4), "weight": numbers(4, 6)},
    ),
    "max_pool2d": ({"input": x, "kernel_size": 2}, WINDOW),
    "max_pool2d_backward": (
        {
            "grad_output": numbers(2, 2, 2, 3),
            "indices": np.zeros((2, 2, 2, 3), int),
            "input_shape": IMAGE,
            "kernel_size": 2,
        },
        {**WINDOW, "grad_output": numbers(2, 2, 3, 3), "indices": np.full((2, 2, 2, 3), 24)},
    ),
    "avg_pool2d": ({"input": x, "kernel_size": 2}, {**UNDILATED, "divisor_override": 0}),
    "avg_pool2d_backward": (
        {"grad_output": numbers(2, 2, 2, 3), "input_shape": IMAGE, "kernel_size": 2},
        {**UNDILATED, "divisor_override": 0, "grad_output": numbers(2, 2, 3, 3)},
    ),
    "adaptive_avg_pool2d": ({"input": x, "output_size": 3}, {"output_size": -1}),
    "adaptive_avg_pool2d_backward": (
        {"grad_output": numbers(2, 2, 3, 3), "input_shape": IMAGE, "output_size": 3},
        {"output_size": (3,), "grad_output": numbers(2, 2, 3, 4)},
    ),
    "max_unpool2d": (
        {"input": numbers(2, 2, 2, 3), "indices": PLACES, "kernel_size": 2},
        {**UNDILATED, "indices": PLACES + 1, "output_size": (2, 6)},
    ),
    "max_unpool2d_backward": (
        {"grad_output": x, "indices": PLACES, "kernel_size": 2},
        {**UNDILATED, "indices": PLACES + 1, "output_size": (4, 8), "grad_output": numbers(2, 2, 4, 5)},
    ),
    "interpolate": (
        {"input": x, "size": (3, 9)},
        {"size": 0, "scale_factor": 2, "mode": "cubic", "align_corners": True, "recompute_scale_factor": True},
    ),
    "interpolate_backward": (
        {"grad_output": numbers(2, 2, 3, 9), "input_shape": IMAGE, "size": (3, 9)},
        {"size": (3, 0), "scale_factor": 2, "mode": "cubic", "align_corners": True, "grad_output": x},
    ),
    "batch_norm": (
        {"input": x, "running_mean": numbers(2), "running_var": numbers(2), "weight": numbers(2), "bias": numbers(2)},
        {**EPS, "running_mean": numbers(3), "running_var": None, "weight": numbers(4), "bias": numbers(1)},
    ),
    "batch_norm_backward": (
        {"grad_output": x, "input": x, "running_mean": numbers(2), "running_var": numbers(2), "weight": numbers(2)},
        {**EPS, "running_mean": None, "running_var": numbers(3), "weight": numbers(4), "grad_output": columns},
    ),
    "layer_norm": (
        {"input": x, "normalized_shape": (4, 6), "weight": numbers(4, 6), "bias": numbers(4, 6)},
        {**EPS, "normalized_shape": (6, 4), "weight": numbers(6), "bias": numbers(6, 4)},
    ),
    "layer_norm_backward": (
        {"grad_output": x, "input": x, "normalized_shape": (4, 6), "weight": numbers(4, 6)},
        {**EPS, "normalized_shape": (6, 4), "weight": numbers(6), "grad_output": columns},
    ),
    "dropout": ({"input": x}, {"p": 1.5}),
    "dropout_backward": ({"grad_output": x, "mask": x}, {"grad_output": columns}),
    "dropout2d": ({"input": x}, {"p": -0.5}),
    "dropout2d_backward": (
        {"grad_output": x, "mask": numbers(2, 2, 1, 1)},
        {"grad_output": columns, "mask": numbers(2, 3, 1, 1)},
    ),
    "pad": ({"input": x, "pad": (1, 1, 1, 1)}, {"pad": (1, 1), "mode": "mirror"}),
    "pad_backward": ({"grad_output": x, "pad": (1, 1, 1, 1)}, {"pad": (1, 1, 1, -1), "mode": "mirror"}),
    "unfold": ({"input": x, "kernel_size": 2}, WINDOW),
    "unfold_backward": (
        {"grad_output": columns, "output_size": (4, 6), "kernel_size": 2},
        {**WINDOW, "output_size": 0, "grad_output": numbers(2, 9, 15)},
    ),
    "fold": (
        {"input": columns, "output_size": (4, 6), "kernel_size": 2},
        {**WINDOW, "output_size": 0, "input": numbers(2, 9, 15)},
    ),
    "fold_backward": ({"grad_output": x, "kernel_size": 2}, WINDOW),
    "relu": ({"input": x}, {}),
    "relu_backward": ({"grad_output": x, "output": x}, {"grad_output": columns}),
    "sigmoid": ({"input": x}, {}),
    "sigmoid_backward": ({"grad_output": x, "output": x}, {"grad_output": columns}),
    "tanh": ({"input": x}, {}),
    "tanh_backward": ({"grad_output": x, "output": x}, {"grad_output": columns}),
    "leaky_relu": ({"input": x}, {"negative_slope": "steep"}),
    "leaky_relu_backward": ({"grad_output": x, "input": x}, {"negative_slope": None, "grad_output": columns}),
    "gelu": ({"input": x}, {"approximate": "erf"}),
    "gelu_backward": ({"grad_output": x, "input": x}, {"approximate": None, "grad_output": columns}),
    "softmax": ({"input": x, "dim": 1}, {"dim": 4, "dtype": "int64"}),
    "softmax_backward": ({"grad_output": x, "output": x, "dim": 1}, {"dim": -5, "grad_output": columns}),
    "log_softmax": ({"input": x, "dim": 1}, {"dim": 1.0, "dtype": "float16"}),
    "log_softmax_backward": ({"grad_output": x, "output": x, "dim": 1}, {"dim": "C", "grad_output": columns}),
}
LOSSES = {
    "cross_entropy": (
        {"input": logits, "target": CLASSES},
        {"weight": numbers(4), "label_smoothing": 2, "target": CLASSES + 1},
    ),
    "nll_loss": ({"input": logits, "target": CLASSES}, {"weight": numbers(4), "target": CLASSES + 1}),
    "binary_cross_entropy": (
        {"input": shares(3, 5), "target": shares(3, 5)},
        {"input": logits, "target": shares(3, 4)},
    ),
    "binary_cross_entropy_with_logits": (
        {"input": logits, "target": logits},
        {"target": table, "pos_weight": numbers(4)},
    ),
    "mse_loss": ({"input": logits, "target": logits}, {"target": table, "weight": numbers(5)}),
}
for loss, (valid, wrong) in LOSSES.items():
    ARGUMENTS[loss] = valid, {**FACTORS, **wrong}
    ARGUMENTS[f"{loss}_backward"] = {"grad_output": 1.0, **valid}, {**FACTORS, **wrong, "grad_output": numbers(2)}


NO_CLASSES = [("ignore_index", value) for value in (None, 1.5, "a", np.array([0, 1]), 2**70)]
NO_SHAPES = [("input_shape", value) for value in (None, 5, (4, 6), "NCHW")]
# More of these: what is no number, no int, or does not fit into the input's dtype.
ODD = {
    "pad": [("value", 1j), ("value", "7"), ("value", numbers(2)), ("mode", ["reflect"])],
    "cross_entropy": [
        *NO_CLASSES,
        *(("label_smoothing", value) for value in (None, "a", numbers(2))),
    ],
    "nll_loss": [*NO_CLASSES, ("target", shares(*TARGET))],
    "max_pool2d_backward": NO_SHAPES,
    "avg_pool2d_backward": NO_SHAPES,
    "adaptive_avg_pool2d_backward": NO_SHAPES,
    "interpolate_backward": NO_SHAPES,
    "batch_norm": [("eps", "small"), ("momentum", "much"), ("momentum", None)],
    "layer_norm": [("normalized_shape", value) for value in (None, 6, (), (4, 0), "HW")],
    "dropout": [("p", value) for value in (None, "half", float("nan"))],
}
# These take any number of dimensions.
ANY_SHAPE = {
    *("relu", "sigmoid", "tanh", "leaky_relu", "gelu", "softmax", "log_softmax", "linear", "dropout"),
    *("relu_backward", "sigmoid_backward", "tanh_backward", "leaky_relu_backward", "gelu_backward"),
    *("softmax_backward", "log_softmax_backward", "linear_backward", "dropout_backward", "dropout2d"),
}
for loss in LOSSES:
    ODD[f"{loss}_backward"] = [("grad_output", value) for value in (None, 1j, "1", np.ma.masked)]


def senseless(name):
    """(argument, wrong value): the wrong values above, and for each array what is no
    array of numbers, or of others.
    """
    valid, wrong = ARGUMENTS[name]
    yield from wrong.items()
    yield from ODD.get(name, [])
    arrays = {argument: value for argument, value in valid.items() if isinstance(value, np.ndarray)}
    floats = [argument for argument, value in arrays.items() if value.dtype == np.float64]
    if "weight" in wrong and "weight" not in valid:
        yield "weight", [1.0]
    for argument, value in arrays.items():
        yield argument, value.tolist()
        yield argument, value * 1j
        yield argument, np.ma.array(value, mask=value > 3)
        if argument in floats[1:]:
            yield argument, value.astype(np.float32)
        any_shape = name in ANY_SHAPE or (argument == "input" and name.startswith(("batch_norm", "layer_norm")))
        if not any_shape:
            yield argument, value[(None,) * 4]


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize(
    "name", ["relu", "sigmoid", "tanh", "leaky_relu", "gelu", "linear", "binary_cross_entropy", "mse_loss"]
)
def test_a_matrix_is_taken_for_the_array_that_it_is(name):
    """np.matrix multiplies with *, and stays two-dimensional."""
    arrays, others = REQUIRED[name]
    output = getattr(F, name)(*arrays, *others)
    grad = numbers(*output.shape)
    arguments = [grad if output.shape else 1.0, *backward_arguments(name, grad)]
    found = getattr(F, name)(*map(np.matrix, [*arrays, *others]))
    np.testing.assert_array_equal(found, output)
    assert type(found) is type(output)
    matrices = [np.matrix(argument) if isinstance(argument, np.ndarray) else argument for argument in arguments]
    grads = [getattr(F, f"{name}_backward")(*given) for given in (matrices, arguments)]
    np.testing.assert_equal(*grads)
    assert np.matrix not in map(type, grads[0])


def test_what_pads_is_zero_for_none_and_must_fit_into_the_inputs_dtype():
    image = numbers(1, 1, 2)
    assert F.pad(image, (1, 0, 0, 0), value=None)[0, 0, 0] == 0
    assert F.pad(image, (1, 0, 0, 0), value=np.inf)[0, 0, 0] == np.inf
    for dtype, value in ((np.float32, 1e300), (np.int64, np.nan), (np.uint8, 256), (np.uint8, -1), (np.int32, 2**40)):
        with pytest.raises(ValueError, match=f"pad: value {re.escape(str(value))} does not fit into {np.dtype(dtype)}"):
            F.pad(image.astype(dtype), (1, 0, 0, 0), value=value)
        with pytest.raises(RuntimeError, match="cannot be converted"):
            torch.nn.functional.pad(torch.from_numpy(image.astype(dtype)), (1, 0, 0, 0), value=value)


def test_no_dtype_is_torchs_default():
    assert nn.Linear(2, 1, dtype=None).weight.dtype == np.float32


def test_no_operation_is_forgotten():
    assert set(ARGUMENTS) == set(F.__all__)
    assert {*REQUIRED, *RANDOM} == {name for name in F.__all__ if not name.endswith("_backward")}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_error_names_the_operation_and_the_argument(name):
    operation, (valid, _) = getattr(F, name), ARGUMENTS[name]
    operation(**valid)
    for argument, value in senseless(name):
        named = argument
        if argument == "input" and name.startswith(("cross_entropy", "nll_loss")):
            named = "(input|logits|log-probabilities)"
        with pytest.raises((TypeError, ValueError, RuntimeError, IndexError)) as caught:
            operation(**{**valid, argument: value})
        assert re.match(rf"{name}: .*\b{named}\b", str(caught.value), re.DOTALL), f"{argument}: {caught.value}"


def read_only(array):
    array.flags.writeable = False
    return array


# Whole sentences, where they advise: a function, its arguments, what it says.
SENTENCES = {
    "one image was flattened to its channels": (
        F.linear,
        (numbers(8, 9), numbers(4, 72)),
        (
            "linear: the input's last dimension must be the weight's in_features = 72, got an input of shape (8, 9)."
            " Flatten saw one image (C, H, W) without its batch dimension: pass x[None]."
        ),
    ),
    "as many numbers, but not in two dimensions": (
        F.linear,
        (numbers(2, 4, 9), numbers(4, 72)),
        "linear: the input's last dimension must be the weight's in_features = 72, got an input of shape (2, 4, 9).",
    ),
    "the layers before give something else": (
        F.linear,
        (numbers(2, 60), numbers(4, 72)),
        (
            "linear: the input's last dimension must be the weight's in_features = 72, got an input of shape (2, 60)."
            " After Flatten it is C * H * W of what the layer before gives: Linear(60, 4) takes this input."
        ),
    ),
    "a vector": (
        F.linear,
        (numbers(60), numbers(4, 72)),
        "linear: the input's last dimension must be the weight's in_features = 72, got an input of shape (60,).",
    ),
    "a weight for each column": (
        F.mse_loss,
        (logits, logits, "mean", numbers(5)),
        "mse_loss: weight must have the input's shape (3, 5), got (5,).",
    ),
    "logits as probabilities": (
        F.binary_cross_entropy,
        (np.array([0.5, 2.0]), np.ones(2)),
        (
            "binary_cross_entropy: the input must lie between 0 and 1, got values from 0.5 to 2.0;"
            " for logits use binary_cross_entropy_with_logits."
        ),
    ),
    "a mode of somebody else's": (
        F.pad,
        (x, (1, 1, 1, 1), "mirror"),
        "pad: mode must be one of 'constant', 'replicate', 'reflect', 'circular', got 'mirror'.",
    ),
    "an image without rows": (
        F.pad,
        (x[:, :, :0], (0, 0, 1, 0), "replicate"),
        "pad: mode 'replicate' can pad the height 0 by at most 0 on a side, got 1: there is nothing more to copy.",
    ),
    "an input that cannot be overwritten": (
        F.relu,
        (read_only(numbers(3)), True),
        "relu: inplace=True writes into the input, but the input is read-only; pass a copy.",
    ),
    "columns in four dimensions": (
        F.fold,
        (numbers(1, 2, 8, 15), (4, 6), 2),
        (
            "fold: input must be (N, C * KH * KW, L) or (C * KH * KW, L), its rows a multiple of KH * KW = 4,"
            " got shape (1, 2, 8, 15)."
        ),
    ),
    "two dtypes": (
        F.conv2d,
        (numbers(1, 1, 3, 3, dtype=np.float32), numbers(1, 1, 3, 3)),
        (
            "conv2d: the input is float32 but weight is float64, and nothing is converted silently;"
            " input.astype('float64') or weight.astype('float32') makes them equal."
        ),
    ),
    "two dtypes, backward": (
        F.conv2d_backward,
        (numbers(1, 1, 1, 1, dtype=np.float32), numbers(1, 1, 3, 3), numbers(1, 1, 3, 3)),
        (
            "conv2d_backward: the input is float64 but grad_output is float32, and nothing is converted silently;"
            " input.astype('float32') or grad_output.astype('float64') makes them equal."
        ),
    ),
    "a batch without channels": (
        F.conv2d,
        (numbers(16, 5, 6), numbers(4, 1, 3, 3)),
        (
            "conv2d: weight (4, 1, 3, 3) with groups=1 takes 1 channels, but the input has 16: its shape is (16, 5, 6),"
            " read as one image (C, H, W). A batch of grey images (N, H, W) becomes (N, 1, H, W) with x[:, None]."
        ),
    ),
    "a batch without channels, transposed": (
        F.conv_transpose2d,
        (numbers(16, 5, 6), numbers(2, 1, 3, 3)),
        (
            "conv_transpose2d: weight (2, 1, 3, 3) takes 2 channels, but the input has 16: its shape is (16, 5, 6),"
            " read as one image (C, H, W)."
        ),
    ),
    "one image too small to pool": (
        F.max_pool2d,
        (numbers(3, 1, 6), 2),
        (
            "max_pool2d: no window fits into the input (3, 1, 6): height 1 becomes floor((1 + 2 * "
            "padding 0 - dilation 1 *"
            " (kernel_size 2 - 1) - 1) / stride 2) + 1 = 0; channels, input and output must be at least 1."
            " Give a larger input or padding."
        ),
    ),
    "small classes": (
        F.cross_entropy,
        (numbers(2, 3), np.zeros(2, np.int32)),
        (
            "cross_entropy: target has dtype int32, but must have one of int64, uint8, float32, float64;"
            " target.astype('int64') converts."
        ),
    ),
    "bytes as images": (
        F.conv2d,
        (np.zeros((1, 1, 3, 3), np.uint8), numbers(1, 1, 3, 3, dtype=np.float32)),
        (
            "conv2d: the input is uint8 but weight is float32, and nothing is converted silently;"
            " input.astype('float32') makes them equal."
        ),
    ),
    "whole numbers as targets": (
        F.binary_cross_entropy,
        (np.full(2, 0.5, np.float32), np.array([0, 1])),
        (
            "binary_cross_entropy: the input is float32 but target is int64, and nothing is converted silently;"
            " target.astype('float32') makes them equal."
        ),
    ),
    "integers of which neither holds the other": (
        F.conv2d,
        (np.zeros((1, 1, 3, 3), np.uint8), np.zeros((1, 1, 3, 3), np.int8)),
        (
            "conv2d: the input is uint8 but weight is int8, and nothing is converted silently;"
            " input.astype('int64') and weight.astype('int64') make them equal."
        ),
    ),
    "complex numbers": (
        F.sigmoid,
        (np.zeros(2, np.complex64),),
        "sigmoid: input has dtype complex64, but must have one of float32, float64.",
    ),
    "a list": (
        F.relu,
        ([1.0, 2.0],),
        "relu: input must be a NumPy array, got list; np.asarray makes one. (Or all of them are torch tensors.)",
    ),
    "a grey image": (
        F.conv2d,
        (numbers(5, 6), numbers(1, 1, 3, 3)),
        (
            "conv2d: the input must be (N, C, H, W), or (C, H, W) for one image, got 2 dimension(s): (5, 6)."
            " A grey image (H, W) becomes (1, H, W) with x[None]."
        ),
    ),
    "a matrix as weight": (
        F.conv2d,
        (x, numbers(3, 3)),
        "conv2d: weight must be (O, C / groups, KH, KW), each at least 1, got 2 dimension(s): (3, 3).",
    ),
    "an empty weight, transposed": (
        F.conv_transpose2d,
        (x, numbers(2, 3, 0, 2)),
        "conv_transpose2d: weight must be (C, O / groups, KH, KW), each at least 1, got 4 dimension(s): (2, 3, 0, 2).",
    ),
    "no class": (
        F.cross_entropy,
        (numbers(2, 0, 3), np.zeros((2, 3), int)),
        "cross_entropy: the input must be logits (C,), (N, C) or (N, C, d1, ...) with C >= 1, got shape (2, 0, 3).",
    ),
}


SENTENCES |= {
    "an output size out of reach": (
        lambda: nn.ConvTranspose2d(1, 1, 2, stride=2)(numbers(1, 1, 3, 3, dtype=np.float32), output_size=(9, 9)),
        (),
        (
            "ConvTranspose2d: output_size (9, 9) cannot be reached from an input of (3, 3); the sizes from "
            "(6, 6) to (7, 7) can."
        ),
    ),
    "another library's padding": (
        nn.Conv2d,
        (1, 1, 1, 1, 0, 1, 1, True, "mirror"),
        "Conv2d: padding_mode must be one of zeros, reflect, replicate, circular, got 'mirror'.",
    ),
    "a list to flatten": (
        lambda: nn.Flatten()([1.0]),
        (),
        "Flatten: input must be a NumPy array, got list; np.asarray makes one. (Or all of them are torch tensors.)",
    ),
    "one number to unflatten to": (nn.Unflatten, (1, 3), "Unflatten: unflattened_size must be a tuple of ints, got 3."),
    "pixels in whole numbers": (
        lambda: MNIST(dtype=np.int64),
        (),
        f"MNIST: dtype must be float32 or float64, which hold what is between 0 and 1, got {np.int64}.",
    ),
    "a parameter that is none": (
        nn.Parameter,
        ([1.0],),
        "Parameter: data must be a NumPy array or a torch tensor, got list.",
    ),
    "weights from nowhere": (
        lambda: nn.ReLU().load_state_dict(None),
        (),
        "load_state_dict: expected names with arrays, got NoneType.",
    ),
    "whole numbers as weights": (
        nn.Linear,
        (1, 1, True, "int64"),
        "dtype must be float32 or float64 for weights that are learnt, got int64.",
    ),
}


@pytest.mark.parametrize("what", SENTENCES)
def test_an_error_advises(what):
    operation, arguments, sentence = SENTENCES[what]
    with pytest.raises((TypeError, ValueError, RuntimeError, IndexError)) as caught:
        operation(*arguments)
    assert str(caught.value).split(" [in ")[0] == sentence


# ------------------------------------------------------------------------------- layers

# What a layer cannot do without, and a wrong value for each of its arguments.
LAYERS = {
    "Conv2d": (
        (2, 3, 2),
        {
            "in_channels": 0,
            "out_channels": 0,
            "kernel_size": 0,
            **PAIR,
            "groups": 0,
            "padding_mode": "mirror",
        },
    ),
    "ConvTranspose2d": (
        (2, 3, 2),
        {
            "in_channels": 0,
            "out_channels": 0,
            "kernel_size": 0,
            **PAIR,
            "groups": 0,
            "output_padding": 1,
            "padding_mode": "reflect",
        },
    ),
    "Linear": ((3, 2), {"in_features": -1, "out_features": -1}),
    "MaxPool2d": ((2,), {**WINDOW, "padding": 2}),
    "AvgPool2d": ((2,), {**UNDILATED, "divisor_override": 0}),
    "AdaptiveAvgPool2d": ((3,), {"output_size": -1}),
    "MaxUnpool2d": ((2,), UNDILATED),
    "Upsample": ((7,), {"size": 0, "scale_factor": 2, "mode": "cubic", "align_corners": True}),
    "BatchNorm2d": ((3,), {"num_features": 0, **EPS, "momentum": "much"}),
    "LayerNorm": ((3,), {"normalized_shape": 0, **EPS}),
    "Dropout": ((), {"p": 1.5}),
    "Dropout2d": ((), {"p": -0.5}),
    "Identity": ((), {}),
    "Flatten": ((), {}),
    "Unflatten": ((1, (2, 2)), {"unflattened_size": (-1, -1)}),
    "ReLU": ((), {}),
    "Sigmoid": ((), {}),
    "Tanh": ((), {}),
    "LeakyReLU": ((), {"negative_slope": "steep"}),
    "GELU": ((), {"approximate": "erf"}),
    "Softmax": ((), {"dim": 1.0}),
    "LogSoftmax": ((), {"dim": "C"}),
    "CrossEntropyLoss": ((), {"reduction": "average", "label_smoothing": 2}),
    "NLLLoss": ((), {"reduction": "average"}),
    "BCELoss": ((), {"reduction": "average"}),
    "BCEWithLogitsLoss": ((), {"reduction": "average"}),
    "MSELoss": ((), {"reduction": "average"}),
}


def test_no_layer_is_forgotten():
    assert set(LAYERS) == set(nn.__all__) - {"Module", "Parameter", "Sequential", "Residual", "Concat", "functional"}


@pytest.mark.parametrize("name", LAYERS)
def test_what_a_layer_is_not_told_is_torchs_default(name):
    required, _ = LAYERS[name]
    ours, theirs = getattr(nn, name)(*required), getattr(torch.nn, name)(*required)
    assert repr(ours) == repr(theirs)
    for attribute in vars(theirs).keys() & vars(ours).keys() - {"_parameters", "_buffers"}:
        found, expected = getattr(ours, attribute), getattr(theirs, attribute)
        if not attribute.startswith("_") and not isinstance(expected, torch.Tensor):
            assert found == ((expected,) * 2 if isinstance(found, tuple) and isinstance(expected, int) else expected)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layers_error_names_it_and_the_argument(name):
    required, wrong = LAYERS[name]
    layer = getattr(nn, name)
    names = inspect.signature(layer).parameters
    for argument, value in wrong.items():
        with pytest.raises((TypeError, ValueError)) as caught:
            layer(**{**dict(zip(names, required, strict=False)), argument: value})
        assert re.match(rf"{name}: .*\b{argument}\b", str(caught.value)), f"{argument}: {caught.value}"


@pytest.mark.parametrize(
    "options", [{}, {"padding": 1}, {"stride": 2, "padding": (0, 2)}, {"dilation": 2, "groups": 2}]
)
@pytest.mark.parametrize(("name", "function"), [("Conv2d", F.conv2d), ("ConvTranspose2d", F.conv_transpose2d)])
def test_a_convolution_does_with_its_options_what_the_function_does(name, function, options):
    layer = getattr(nn, name)(4, 6, 3, **options, dtype="float64")
    image = numbers(2, 4, 7, 8)
    np.testing.assert_array_equal(
        layer(image), function(image, layer.weight.data, layer.bias.data, **options), strict=True
    )
