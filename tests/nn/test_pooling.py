"""max_pool2d and its gradient: torch as the judge, special values, and the zone where
torch itself goes wrong.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn import geometry, nn
from minicnn.nn import functional as F
from tests.support import oracle, strategies
from tests.support.oracle import torch

pytestmark = pytest.mark.usefixtures("backend")


def ours(x, grad, arguments):
    """[output, indices, grad_input]."""
    output, indices = F.max_pool2d(x, **arguments, return_indices=True)
    return [output, indices, F.max_pool2d_backward(grad, indices, x.shape, **arguments)]


def theirs(x, grad, arguments):
    tensor = oracle.tensor(x).requires_grad_(grad is not None)
    output, indices = torch.nn.functional.max_pool2d(tensor, **arguments, return_indices=True)
    if grad is None:
        return [output.numpy(), indices.numpy()]
    (grad_input,) = torch.autograd.grad(output, tensor, oracle.tensor(grad))
    return [output.detach().numpy(), indices.numpy(), grad_input.numpy()]


def assert_agree(case, values, layouts):
    plain = case.arrays(values)
    grad = case.arrays(strategies.integers)[3]  # integers, so that what one pixel collects is exact
    x, grad = arrays = strategies.lay_out([plain[0], grad], layouts)
    with oracle.unchanged(arrays):
        results = ours(x, grad, case.arguments)
    assert results[0].shape == case.output
    oracle.assert_identical(F.max_pool2d(x, **case.arguments), results[0])
    expected = theirs(plain[0], grad, case.arguments)
    for name, result, right in zip(("output", "indices", "grad_input"), results, expected, strict=True):
        oracle.assert_identical(result, right, name)


# ------------------------------------------------------------------------- torch's word


@pytest.mark.differential
@given(strategies.pools(dtypes=strategies.FLOATS), strategies.layouts)
def test_ties_go_to_the_first_as_in_torch(case, layouts):
    assert_agree(case, strategies.integers, layouts)


@pytest.mark.differential
@given(strategies.pools(dtypes=strategies.FLOATS), strategies.layouts)
def test_reals_agree_bit_for_bit(case, layouts):
    assert_agree(case, strategies.reals, layouts)


@pytest.mark.differential
@given(strategies.pools(dtypes=strategies.FLOATS), strategies.layouts)
def test_nan_infinity_and_zeros_of_both_signs_agree_bit_for_bit(case, layouts):
    assert_agree(case, strategies.specials, layouts)


def extremes(rng, shape):
    """Integers with many of the smallest, which the padding must not beat."""
    return rng.choice([-(2**63), -(2**31), -(2**15), -128, 0, 127], shape)


@pytest.mark.differential
@given(strategies.pools(dtypes=("int64", *strategies.SMALL_INTEGERS)), st.sampled_from([strategies.integers, extremes]))
def test_integers_agree_bit_for_bit(case, values):
    x = case.arrays(values)[0]
    output, indices = F.max_pool2d(x, **case.arguments, return_indices=True)
    for result, right in zip((output, indices), theirs(x, None, case.arguments), strict=True):
        oracle.assert_identical(result, right)


@given(strategies.pools(dtypes=strategies.FLOATS), st.booleans())
def test_the_layer_agrees_with_the_function(case, return_indices):
    x, grad = case.arrays(strategies.specials)[0], case.arrays(strategies.integers)[3]
    layer = nn.MaxPool2d(**case.arguments, return_indices=return_indices)
    output, indices, grad_input = ours(x, grad, case.arguments)
    result = layer(x)
    oracle.assert_identical(result[0] if return_indices else result, output)
    if return_indices:
        oracle.assert_identical(result[1], indices)
    oracle.assert_identical(layer.backward(grad), grad_input)


def test_torchs_rules_on_examples_that_a_reader_can_check():
    nan = np.nan
    window = np.array([[[nan, 1.0], [nan, 2.0]]])
    assert F.max_pool2d(window, 2, return_indices=True)[1].item() == 2, "of several NaN the last wins"
    nothing = np.full((1, 2, 2), -np.inf)
    assert F.max_pool2d(nothing, 2, padding=1, return_indices=True)[1].tolist() == [[[0, 1], [2, 3]]]
    zero = np.array([[[-0.0, 0.0]]])
    assert np.signbit(F.max_pool2d(zero, (1, 2))).all(), "0.0 > -0.0 is false, so the first stays"
    same, arguments = np.ones((1, 3, 3)), {"kernel_size": 3, "stride": 1, "padding": 1}
    grad_input = ours(same, same, arguments)[2]
    oracle.assert_identical(grad_input, np.array([[[4.0, 2, 0], [2, 1, 0], [0, 0, 0]]]))
    assert F.max_pool2d(np.ones((1, 7, 7)), 8, ceil_mode=True).shape == (1, 1, 1)


def test_the_arguments_come_in_torchs_order():
    x, positions = np.random.default_rng(0).standard_normal((1, 9, 8)), ((4, 3), (2, 3), (2, 1), (1, 2), True, True)
    expected = torch.nn.functional.max_pool2d(oracle.tensor(x), *positions)
    for result, right in zip(F.max_pool2d(x, *positions), expected, strict=True):
        oracle.assert_identical(result, right.numpy())


# --------------------------------------------------------------------------------- laws


@given(strategies.pools())
def test_the_docstrings_formula_gives_the_output(case):
    """max over the window's elements inside the image, one window at a time."""
    x = case.arrays(strategies.integers)[0]
    (H, W), (OH, OW) = x.shape[-2:], case.output[-2:]
    named = ("kernel_size", "padding", "dilation")
    (KH, KW), (PH, PW), (DH, DW) = (np.broadcast_to(case.arguments[name], 2) for name in named)
    stride = case.arguments["stride"]
    SH, SW = np.broadcast_to(case.arguments["kernel_size"] if stride is None else stride, 2)
    output = np.empty(case.output, x.dtype)
    for i, j in np.ndindex(OH, OW):
        rows = [row for row in i * SH - PH + DH * np.arange(KH) if 0 <= row < H]
        columns = [column for column in j * SW - PW + DW * np.arange(KW) if 0 <= column < W]
        output[..., i, j] = x[..., rows, :][..., columns].max(axis=(-2, -1))
    oracle.assert_equal(F.max_pool2d(x, **case.arguments), output)


@given(strategies.pools())
def test_the_indices_point_at_the_maxima(case):
    x = case.arrays(strategies.reals if case.dtype in strategies.FLOATS else strategies.integers)[0]
    output, indices = F.max_pool2d(x, **case.arguments, return_indices=True)
    for place in np.ndindex(output.shape):
        assert x[place[:-2]].flat[indices[place]] == output[place]


@given(strategies.pools(dtypes=("float64",)))
def test_the_gradient_is_the_adjoint_of_picking_the_maxima(case):
    """<pool(x), g> = <x, grad_input(g)>, exactly on integers; and the gradient adds
    nothing: the sums are equal.
    """
    x, _, _, grad = case.arrays(strategies.integers)
    output, _, grad_input = ours(x, grad, case.arguments)
    assert np.sum(output * grad) == np.sum(x * grad_input)
    assert np.sum(grad) == np.sum(grad_input)


@given(strategies.pools(dtypes=("float64",)))
def test_central_differences_give_the_gradient(case):
    """Where all elements differ by at least 1, a step of 1/4 changes no winner, and the
    maximum is linear.
    """
    _, _, _, grad = case.arrays(strategies.integers)
    rng = np.random.default_rng(case.seed)
    x = rng.permutation(np.prod(case.input, dtype=int)).reshape(case.input).astype(np.float64)
    step = strategies.integers(rng, x.shape) / 16
    up, down = (np.sum(F.max_pool2d(x + sign * step, **case.arguments) * grad) for sign in (1, -1))
    assert up - down == 2 * np.sum(step * ours(x, grad, case.arguments)[2])


@given(strategies.pools(dtypes=strategies.FLOATS), st.integers(1, 8))
def test_pooling_commutes_with_increasing_functions(case, factor):
    x = case.arrays(strategies.integers)[0]
    pooled = F.max_pool2d(x, **case.arguments)
    oracle.assert_equal(F.max_pool2d(factor * x + 3, **case.arguments), factor * pooled + 3)


@given(strategies.pools())
def test_images_and_channels_do_not_mix(case):
    x = case.arrays(strategies.integers)[0]
    x = x if x.ndim == 4 else x[None]
    output, indices = F.max_pool2d(x, **case.arguments, return_indices=True)
    for n, c in np.ndindex(x.shape[:2]):
        plane = F.max_pool2d(x[n, c][None], **case.arguments, return_indices=True)
        oracle.assert_identical(plane[0][0], output[n, c])
        oracle.assert_identical(plane[1][0], indices[n, c])


# ---------------------------------------------------------------------- the poison zone


@st.composite
def any_axes(draw):
    """(size, K, S, P, D, ceil_mode) with at least one window, among them some windows
    that see nothing.
    """
    size, K, S, D = draw(st.integers(1, 6)), draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(st.integers(1, 7))
    short = D * (K - 1) + 1 - size  # rows that the window lacks: as padding where that is allowed, else as pixels
    P = draw(st.integers(min(max(-(-short // 2), 0), K // 2), K // 2))
    return max(size, D * (K - 1) + 1 - 2 * P), K, S, P, D, draw(st.booleans())


@pytest.mark.differential
@given(any_axes())
def test_a_window_that_sees_nothing_is_rejected_and_no_other(axis):
    """torch gives -inf and an index outside the image there, and its backward pass
    writes out of bounds: it is not called.
    """
    size, K, S, P, D, ceil_mode = axis
    arguments = {"kernel_size": (K, 1), "stride": (S, 1), "padding": (P, 0), "dilation": (D, 1), "ceil_mode": ceil_mode}
    x = np.arange(-1.0, -1.0 - size, -1.0).reshape(1, size, 1)
    output, indices = theirs(x, None, arguments)
    poisoned = sees_nothing = strategies.sees_nothing(size, K, S, P, D, output.shape[1])
    assert geometry.has_empty_window(size, S, P, D, output.shape[1]) == sees_nothing
    assert bool(np.isinf(output).any() or (indices >= size).any()) == poisoned
    if sees_nothing:
        with pytest.raises(ValueError, match=f"padding {P} and dilation {D} .*height {size}"):
            F.max_pool2d(x, **arguments)
        with pytest.raises(ValueError, match=f"padding {P} and dilation {D} .*width {size}"):
            F.max_pool2d(x.swapaxes(1, 2), **{k: v if k == "ceil_mode" else v[::-1] for k, v in arguments.items()})
    else:
        oracle.assert_identical(F.max_pool2d(x, **arguments), output)


# ----------------------------------------------------------------------------- rejected


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


X = zeros(2, 3, 5, 6)

REJECTED = {
    "list": (X.tolist(), {"kernel_size": 2}, TypeError, "max_pool2d: input must be a NumPy array, got list"),
    "bool": (X > 0, {"kernel_size": 2}, RuntimeError, "bool.*float32"),
    "complex": (X * 1j, {"kernel_size": 2}, RuntimeError, "complex64"),
    "2-D": (X[0, 0], {"kernel_size": 2}, RuntimeError, r"2 dimension\(s\): \(5, 6\)"),
    "5-D": (X[None], {"kernel_size": 2}, RuntimeError, "5 dimension"),
    "no channels": (zeros(2, 0, 5, 6), {"kernel_size": 2}, RuntimeError, r"\(2, 0, 5, 6\)"),
    "no rows": (zeros(2, 3, 0, 6), {"kernel_size": 2, "padding": 1}, RuntimeError, r"\(2, 3, 0, 6\)"),
    "kernel too high": (
        X,
        {"kernel_size": (6, 1)},
        RuntimeError,
        r"height 5 becomes floor\(\(5 \+ 2 \* padding 0 - .*kernel_size 6 - 1\) - 1\) / stride 6\) \+ 1 = 0",
    ),
    "kernel too wide": (
        X,
        {"kernel_size": 3, "dilation": (1, 3)},
        RuntimeError,
        r"width 6 becomes .*dilation 3 .* = 0; ",
    ),
    "ceil too far": (
        zeros(1, 7, 7),
        {"kernel_size": 8, "stride": 1, "ceil_mode": True},
        RuntimeError,
        r"height 7 becomes ceil.*kernel_size 8 .* = 0; ",
    ),
    "kernel 0": (X, {"kernel_size": 0}, ValueError, "kernel_size .*got 0"),
    "kernel 2.0": (X, {"kernel_size": 2.0}, TypeError, "kernel_size .*got 2.0"),
    "three sizes": (X, {"kernel_size": (2, 2, 2)}, ValueError, r"kernel_size .*got \(2, 2, 2\)"),
    "stride 0": (X, {"kernel_size": 2, "stride": 0}, ValueError, "stride .*got 0"),
    "dilation 0": (X, {"kernel_size": 2, "dilation": 0}, ValueError, "dilation .*got 0"),
    "padding -1": (X, {"kernel_size": 2, "padding": -1}, ValueError, "padding .*got -1"),
    "padding 2": (
        X,
        {"kernel_size": 3, "padding": 2},
        ValueError,
        "half the kernel size, got padding 2 with kernel size 3",
    ),
    "dilated padding": (
        X,
        {"kernel_size": (2, 3), "padding": (1, 2), "dilation": 3},
        ValueError,
        "padding 2 .* size 3",
    ),
}


@pytest.mark.parametrize("name", REJECTED)
def test_a_rejected_call_says_what_was_expected_and_what_came(name):
    x, arguments, error, text = REJECTED[name]
    with pytest.raises(error, match=text):
        F.max_pool2d(x, **arguments)
    if name != "list":
        assert oracle.rejects(lambda: theirs(x, None, arguments))


def test_a_backward_call_that_does_not_fit_is_rejected():
    output, indices = F.max_pool2d(X, 2, return_indices=True)
    with pytest.raises(RuntimeError, match=r"grad_output must have shape \(2, 3, 2, 3\), got \(2, 3, 3, 2\)"):
        F.max_pool2d_backward(zeros(2, 3, 3, 2), indices, X.shape, 2)
    with pytest.raises(RuntimeError, match=r"indices .*\(2, 3, 2, 3\), got \(2, 3, 2, 2\)"):
        F.max_pool2d_backward(output, indices[..., :2], X.shape, 2)
    with pytest.raises(RuntimeError, match="indices has dtype int32.*int64"):
        F.max_pool2d_backward(output, indices.astype("i4"), X.shape, 2)
    for wrong in (30, -1):
        indices[0, 0, 0, 0] = wrong
        with pytest.raises(IndexError, match=rf"\[0, 30\), a plane of 5 x 6, got .*{wrong}"):
            F.max_pool2d_backward(output, indices, X.shape, 2)


@st.composite
def wild_calls(draw):
    """Shapes and arguments that may or may not fit."""
    shape = (draw(st.integers(0, 2)), draw(st.integers(0, 2)), *draw(strategies.pairs(0, 7)))
    usual = {"kernel_size": 3, "stride": None, "dilation": 1, "padding": 0}
    arguments = {name: draw(strategies.mostly(value, strategies.wild_pairs)) for name, value in usual.items()}
    return shape[draw(strategies.mostly(0, st.integers(0, 2))) :], arguments | {"ceil_mode": draw(st.booleans())}


@pytest.mark.differential
@given(wild_calls())
def test_whatever_torch_rejects_is_rejected_and_little_else(call):
    """Little else: empty inputs, the windows that see nothing, and an empty tuple for
    the stride.
    """
    shape, arguments = call
    x, message = zeros(*shape), ""
    try:
        F.max_pool2d(x, **arguments)
    except (ValueError, TypeError, RuntimeError) as error:
        message = str(error)
    torch_refuses = oracle.rejects(lambda: theirs(x, None, arguments))
    stricter = x.size == 0 or "has no element" in message or arguments["stride"] == ()
    assert bool(message) == torch_refuses or (message and stricter), message


LAYERS_REJECTED = {
    "kernel 0": ({"kernel_size": 0}, ValueError, "kernel_size .*got 0"),
    "stride 0": ({"kernel_size": 2, "stride": 0}, ValueError, "stride .*got 0"),
    "dilation -1": ({"kernel_size": 2, "dilation": (1, -1)}, ValueError, r"dilation .*got \(1, -1\)"),
    "padding": ({"kernel_size": (4, 3), "padding": 2}, ValueError, "got padding 2 with kernel size 3"),
}


@pytest.mark.parametrize("name", LAYERS_REJECTED)
def test_a_layer_rejects_senseless_arguments_at_once(name):
    arguments, error, text = LAYERS_REJECTED[name]
    with pytest.raises(error, match=f"MaxPool2d: .*{text}"):
        nn.MaxPool2d(**arguments)


@pytest.mark.parametrize("kernel_size", [2, 3])
def test_integers_that_no_float_holds_are_compared_bit_for_bit(kernel_size):
    """2^62 and the numbers just above it are one and the same as float64."""
    x = 2**62 + np.random.default_rng(0).permutation(36 * 16).reshape(1, 1, 24, 24)
    windows = np.lib.stride_tricks.sliding_window_view(x[0, 0], (kernel_size, kernel_size))[
        ::kernel_size, ::kernel_size
    ]
    np.testing.assert_array_equal(F.max_pool2d(x, kernel_size)[0, 0], windows.max(axis=(2, 3)))
