"""Batch and layer normalisation: torch as the judge of outputs, gradients and running
numbers; what the docstrings say; what is refused.
"""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minicnn import gradcheck, nn
from minicnn.agree import bounds
from minicnn.nn import functional as F
from tests.support import oracle, strategies
from tests.support.oracle import torch

pytestmark = pytest.mark.usefixtures("backend")
reductions = {"batch": (0, 2), "layer": (0, 1)}


@st.composite
def batches(draw):
    """(shape, dtype, which of weight and bias are there, eps, seed); at least two numbers
    a channel.
    """
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 5)))
    shape += tuple(draw(st.lists(st.integers(1, 6), max_size=2)))
    if np.prod(shape) == shape[1]:
        shape = (2, *shape[1:])
    options = draw(st.sampled_from([(True, True), (False, False), (True, False), (False, True)]))
    return (
        shape,
        draw(st.sampled_from(strategies.FLOATS)),
        options,
        draw(st.sampled_from([1e-5, 0.1, 2.0])),
        draw(strategies.seeds),
    )


def drawn(rng, shape, dtype, options, channels):
    """Input (with a mean that is not 0), grad_output, weight and bias."""
    x = (strategies.reals(rng, shape) + rng.standard_normal()).astype(dtype)
    grad = rng.standard_normal(shape).astype(dtype)
    return x, grad, *(rng.standard_normal(channels).astype(dtype) if there else None for there in options)


def assert_within(found, expected, magnitude, n, what):
    bound = bounds.of_sums(magnitude, n, found.dtype) + np.finfo(found.dtype).tiny
    assert found.shape == expected.shape, what
    assert (np.abs(found.astype(np.float64) - expected) <= bound).all(), what


def assert_all_within(found, expected, x, grad, weight, bias, eps, kind):
    """`x` and the others as (N, C, L), or what broadcasts to it; the results have any shape."""
    magnitudes, n = bounds.normalization_magnitudes(x, grad, 1 if weight is None else weight, bias, eps)
    axes = reductions[kind]
    for name in ("grad_weight", "grad_bias"):
        magnitudes[name] = magnitudes[name].sum(axes)
    for result, wanted, (name, magnitude) in zip(found, expected, magnitudes.items(), strict=True):
        size = np.broadcast_to(magnitude, x.shape) if name in ("output", "grad_input") else magnitude
        terms = n if name in ("output", "grad_input") else n + x.size
        assert_within(result, wanted, size.reshape(wanted.shape), terms, name)


def of_torch(function, x, grad, weight, bias):
    """[output, grad_input, grad_weight, grad_bias], in float64; a weight of 1 and a bias of
    0 where there are none.
    """
    leaves = [oracle.tensor(a.astype(np.float64)).requires_grad_() for a in (x, weight, bias)]
    output = function(*leaves)
    grads = torch.autograd.grad(output, leaves, oracle.tensor(grad.astype(np.float64)))
    return [output.detach().numpy(), *(found.numpy() for found in grads)]


# ------------------------------------------------------------------------- torch's word


@pytest.mark.differential
@given(batches(), strategies.layouts)
def test_batch_norm_in_training_agrees_with_torch(case, layouts):
    shape, dtype, options, eps, seed = case
    N, C, *_ = shape
    x, grad, weight, bias = plain = drawn(np.random.default_rng(seed), shape, dtype, options, (C,))
    given_arrays = strategies.lay_out(plain, layouts)
    with oracle.unchanged(given_arrays):
        ours, upstream, w, b = given_arrays
        found = [F.batch_norm(ours, None, None, w, b, training=True, eps=eps)]
        found += F.batch_norm_backward(upstream, ours, None, None, w, training=True, eps=eps)
    one, zero = np.ones(C), np.zeros(C)
    scale, shift = one if weight is None else weight, zero if bias is None else bias
    expected = of_torch(
        lambda x, w, b: torch.nn.functional.batch_norm(x, None, None, w, b, training=True, eps=eps),
        *(x, grad, scale, shift),
    )
    flat = (N, C, -1)
    assert_all_within(
        found, expected, x.reshape(flat), grad.reshape(flat), scale[:, None], shift[:, None], eps, "batch"
    )
    assert all(result.dtype == dtype for result in found)


@pytest.mark.differential
@given(batches(), strategies.layouts)
def test_batch_norm_by_running_numbers_agrees_with_torch(case, layouts):
    """Nothing but a shift and a scale: five roundings, and a subtraction that may cancel."""
    shape, dtype, options, eps, seed = case
    _, C, *_ = shape
    rng = np.random.default_rng(seed)
    x, grad, weight, bias = drawn(rng, shape, dtype, options, (C,))
    mean, var = rng.standard_normal(C).astype(dtype), rng.random(C).astype(dtype)
    given_arrays = strategies.lay_out([x, grad, mean, var], layouts)
    with oracle.unchanged(given_arrays):
        ours, upstream, m, v = given_arrays
        found = [F.batch_norm(ours, m, v, weight, bias, eps=eps)]
        found += F.batch_norm_backward(upstream, ours, m, v, weight, eps=eps)
    scale = np.ones(C) if weight is None else weight
    shift = np.zeros(C) if bias is None else bias
    m, v = (oracle.tensor(a.astype(np.float64)) for a in (mean, var))
    expected = of_torch(lambda x, w, b: torch.nn.functional.batch_norm(x, m, v, w, b, eps=eps), x, grad, scale, shift)
    column = (1, C, *[1] * (len(shape) - 2))
    deviation = np.sqrt(var.astype(np.float64) + eps).reshape(column)
    size = (np.abs(x) + np.abs(mean).reshape(column)) / deviation
    w, g = np.abs(scale).reshape(column), np.abs(grad)
    axes = (0, *range(2, len(shape)))
    sizes = [w * size + np.abs(shift).reshape(column), g * w / deviation, (g * size).sum(axes), g.sum(axes)]
    for result, wanted, magnitude in zip(found, expected, sizes, strict=True):
        assert_within(result, wanted, np.broadcast_to(magnitude, wanted.shape), 8 + x.size, "batch_norm")


@pytest.mark.differential
@given(batches(), st.integers(1, 3), strategies.layouts)
def test_layer_norm_agrees_with_torch(case, last, layouts):
    shape, dtype, options, eps, seed = case
    normalized = shape[-min(last, len(shape)) :]
    x, grad, weight, bias = plain = drawn(np.random.default_rng(seed), shape, dtype, options, normalized)
    given_arrays = strategies.lay_out(plain, layouts)
    with oracle.unchanged(given_arrays):
        ours, upstream, w, b = given_arrays
        found = [F.layer_norm(ours, normalized, w, b, eps)]
        found += F.layer_norm_backward(upstream, ours, normalized, w, eps)
    scale = np.ones(normalized) if weight is None else weight
    shift = np.zeros(normalized) if bias is None else bias
    expected = of_torch(lambda x, w, b: torch.nn.functional.layer_norm(x, normalized, w, b, eps), x, grad, scale, shift)
    L = int(np.prod(normalized))
    rows = (1, -1, L)
    assert_all_within(found, expected, x.reshape(rows), grad.reshape(rows), scale.ravel(), shift.ravel(), eps, "layer")


@pytest.mark.parametrize("dtype", strategies.FLOATS)
def test_not_finite_numbers_spoil_their_channel_or_row_alone_as_in_torch(dtype):
    x = np.random.default_rng(0).standard_normal((2, 4, 9)).astype(dtype)
    x[0, 0, 0] = np.nan
    x[1, 1, 2] = np.inf
    x[0, 2, 3] = -np.inf
    t = torch.nn.functional
    with np.errstate(invalid="ignore"):
        found = F.batch_norm(x, None, None, training=True), F.layer_norm(x, (9,))
    wanted = (
        oracle.run(lambda x: t.batch_norm(x, None, None, training=True), [x]),
        oracle.run(lambda x: t.layer_norm(x, (9,)), [x]),
    )
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    assert np.isnan(found[0]).any(axis=(0, 2)).tolist() == [True, True, True, False]


def test_equal_numbers_become_0_whatever_they_are():
    x = np.full((3, 2, 5), 0.1, np.float32)
    output = F.batch_norm(x, None, None, training=True)
    # Their mean may be off by 15 roundings of 0.1, which sqrt(eps) makes larger.
    assert np.abs(output).max() <= 16 * np.finfo(np.float32).eps * 0.1 / np.sqrt(1e-5)


# ---------------------------------------------------------------------------- the layers


@st.composite
def layers(draw):
    """(BatchNorm2d or LayerNorm, its arguments, a shape, a seed)."""
    N, C, H, W = draw(st.tuples(st.integers(2, 4), *[st.integers(1, 4)] * 3))
    eps = draw(st.sampled_from([1e-5, 0.1]))
    if draw(st.booleans()):
        arguments = {"num_features": C, "eps": eps, "momentum": draw(st.sampled_from([0.1, 1.0, 0.0, None]))}
        arguments |= {name: draw(st.booleans()) for name in ("affine", "track_running_stats")}
        return "BatchNorm2d", arguments, (N, C, H, W), draw(strategies.seeds)
    shape = draw(st.sampled_from([W, (W,), (H, W), [C, H, W]]))
    arguments = {"normalized_shape": shape, "eps": eps}
    arguments |= {name: draw(st.booleans()) for name in ("elementwise_affine", "bias")}
    return "LayerNorm", arguments, (N, C, H, W), draw(strategies.seeds)


@given(layers(), st.integers(1, 3))
@example(("BatchNorm2d", {"num_features": 2, "momentum": None}, (2, 2, 3, 1), 0), 3)
def test_several_batches_leave_torchs_outputs_gradients_and_buffers(drawn_layer, times):
    name, arguments, shape, seed = drawn_layer
    rng = np.random.default_rng(seed)
    ours, theirs = getattr(nn, name)(**arguments, dtype=np.float64), getattr(torch.nn, name)(**arguments).double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for parameter, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        oracle.assert_identical(parameter.data, other.detach().numpy())
        value = rng.standard_normal(parameter.shape)
        parameter.data[...] = value
        other.data.copy_(torch.tensor(value))
    for _ in range(times):
        x, grad = rng.standard_normal(shape), rng.standard_normal(shape)
        leaf = torch.tensor(x).requires_grad_()
        expected = theirs(leaf)
        expected.backward(torch.tensor(grad))
        np.testing.assert_allclose(ours(x), expected.detach(), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(ours.backward(grad), leaf.grad, rtol=1e-9, atol=1e-8)
    for parameter, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(parameter.grad, other.grad, rtol=1e-9, atol=1e-9)
    for key, value in ours.state_dict().items():
        np.testing.assert_allclose(value, theirs.state_dict()[key], rtol=1e-12, atol=1e-12, err_msg=key)
    x = rng.standard_normal(shape)
    np.testing.assert_allclose(ours.eval()(x), theirs.eval()(torch.tensor(x)).detach(), rtol=1e-9, atol=1e-9)


def test_the_state_of_torchs_layer_is_loaded_with_its_statistics():
    ours, theirs = nn.BatchNorm2d(3), torch.nn.BatchNorm2d(3)
    x = np.random.default_rng(0).standard_normal((4, 3, 5, 5)).astype(np.float32)
    theirs(torch.tensor(x))
    ours.load_state_dict(theirs.state_dict())
    assert int(ours.num_batches_tracked) == 1
    np.testing.assert_allclose(ours.eval()(x), theirs.eval()(torch.tensor(x)).detach(), rtol=1e-5, atol=1e-6)


def test_an_empty_batch_changes_no_running_number():
    layer = nn.BatchNorm2d(3)
    assert layer(np.zeros((0, 3, 2, 2), np.float32)).shape == (0, 3, 2, 2)
    assert layer.running_mean.tolist() == [0] * 3
    assert layer.running_var.tolist() == [1] * 3
    assert layer.backward(np.zeros((0, 3, 2, 2), np.float32)).shape == (0, 3, 2, 2)
    assert layer.weight.grad.tolist() == [0] * 3


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.BatchNorm2d(3), (4, 3, 2, 5)),
        (nn.BatchNorm2d(3, affine=False), (4, 3, 2, 5)),
        (nn.LayerNorm((2, 5)), (3, 2, 5)),
    ],
    ids=repr,
)
def test_gradcheck_passes(layer, shape):
    report = gradcheck(layer, np.random.default_rng(0).standard_normal(shape))
    assert report, str(report)


# --------------------------------------------------------------------- laws, docstrings


@given(batches())
def test_the_formulas_hold_and_neither_a_shift_nor_a_scale_of_the_input_changes_anything(case):
    shape, _, _, _, seed = case
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    axes = (0, *range(2, len(shape)))
    output = F.batch_norm(x, None, None, training=True, eps=1e-12)
    wanted = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-12)
    np.testing.assert_allclose(output, wanted, rtol=1e-7, atol=1e-7)
    if x.var(axes).min() > 1e-3:
        moved = F.batch_norm(3 * x + 5, None, None, training=True, eps=9e-12)
        np.testing.assert_allclose(moved, output, rtol=1e-7, atol=1e-7)
        grad = F.batch_norm_backward(rng.standard_normal(shape), x, None, None, training=True, eps=1e-12)[0]
        np.testing.assert_allclose(grad.sum(axes), 0, atol=1e-8)  # no shift,
        np.testing.assert_allclose((grad * x).sum(axes), 0, atol=1e-8)  # no scale


def test_a_bias_before_it_is_taken_away_with_the_mean():
    rng = np.random.default_rng(0)
    convolution, norm = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)
    x = rng.standard_normal((4, 2, 6, 6)).astype(np.float32)
    first = norm(convolution(x))
    convolution.bias.data += 1
    np.testing.assert_allclose(norm(convolution(x)), first, atol=1e-5)


# ----------------------------------------------------------------------------- rejected


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda: nn.BatchNorm2d(0), ValueError, "BatchNorm2d: num_features.*got 0"),
        (lambda: nn.BatchNorm2d(2, eps=0), ValueError, "BatchNorm2d: eps must be positive, got 0"),
        (lambda: nn.BatchNorm2d(2, dtype=np.int64), ValueError, "float32 or float64"),
        (lambda: nn.LayerNorm(()), ValueError, "LayerNorm: normalized_shape"),
        (lambda: nn.LayerNorm((2, 0)), ValueError, "LayerNorm: normalized_shape.*got 0"),
        (lambda: nn.BatchNorm2d(2)(np.zeros((2, 3, 3), "f4")), ValueError, r"\(N, C, H, W\), got \(2, 3, 3\)"),
        (lambda: nn.BatchNorm2d(2)(np.zeros((1, 2, 1, 1), "f4")), ValueError, "more than one number.*larger batches"),
        (lambda: nn.BatchNorm2d(2)(np.zeros((2, 3, 1, 1), "f4")), RuntimeError, r"must have shape \(3,\), got \(2,\)"),
        (lambda: nn.BatchNorm2d(2)(np.zeros((2, 2, 1, 1))), RuntimeError, "float64.*float32"),
        (lambda: F.batch_norm(np.zeros((2, 2)), None, None), RuntimeError, "needs running_mean and running_var"),
        (lambda: F.batch_norm(np.zeros(2), None, None), RuntimeError, r"\(N, C, ...\)"),
        (
            lambda: F.layer_norm(np.zeros((2, 3)), (2,)),
            RuntimeError,
            r"must end in the sizes of normalized_shape \(2,\).*\(2, 3\)",
        ),
        (lambda: F.layer_norm(np.zeros((2, 3)), (3,), np.zeros(2)), RuntimeError, r"weight must have shape \(3,\)"),
    ],
)
def test_what_does_not_fit_is_refused(make, kind, text):
    with pytest.raises(kind, match=text):
        make()
