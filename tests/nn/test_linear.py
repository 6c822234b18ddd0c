"""linear and its gradients: torch as the judge, the laws of a bilinear map, and what is
rejected.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minicnn
from minicnn import nn
from minicnn.nn import functional as F
from tests.support import oracle, strategies
from tests.support.oracle import torch

pytestmark = pytest.mark.usefixtures("backend")

NAMES = ("output", "grad_input", "grad_weight", "grad_bias")
theirs = torch.nn.functional.linear


def ours(x, weight, bias, grad):
    """[output, grad_input, grad_weight, grad_bias]."""
    return [F.linear(x, weight, bias), *F.linear_backward(grad, x, weight)]


# ------------------------------------------------------------------------- torch's word


@pytest.mark.differential
@given(strategies.linears(), strategies.layouts)
def test_integers_agree_bit_for_bit_in_every_layout(case, layouts):
    plain = case.arrays(strategies.integers)
    arrays = strategies.lay_out(plain, layouts)
    expected = oracle.differentiate(theirs, plain[:3], plain[3])
    with oracle.unchanged(arrays):
        results = ours(*arrays)
    for name, result, right in zip(NAMES, results, expected, strict=False):
        oracle.assert_equal(result, right, name)


@pytest.mark.differential
@given(strategies.linears(), st.sampled_from(strategies.FLOATS))
def test_reals_agree_within_the_bound_for_sums(case, dtype):
    arrays = case.arrays(strategies.reals, dtype)
    *exact, grad = [a if a is None else a.astype(np.float64) for a in arrays]
    expected, scale = oracle.differentiate(theirs, exact, grad), oracle.magnitudes(theirs, exact, grad)
    rows = int(np.prod(case.input[:-1]))
    terms = (case.input[-1] + 1, case.output[-1], rows, rows)
    for name, result, right, size, n in zip(NAMES, ours(*arrays), expected, scale, terms, strict=False):
        assert result.dtype == dtype, name
        oracle.assert_close(result, right, size, n, name)


@pytest.mark.differential
@given(strategies.linears(), st.sampled_from(strategies.FLOATS), st.integers(0, 3))
def test_nan_and_infinity_travel_as_in_torch(case, dtype, odd):
    """In one array at a time, so that no result depends on the order of a sum."""
    plain, special = case.arrays(strategies.integers, dtype), case.arrays(strategies.specials, dtype)
    arrays = [special[i] if i == odd else a for i, a in enumerate(plain)]
    with np.errstate(invalid="ignore"):  # NumPy remarks on inf - inf
        results = ours(*arrays)
    for name, result, right in zip(NAMES, results, oracle.differentiate(theirs, arrays[:3], arrays[3]), strict=False):
        oracle.assert_equal(result, right, name)


@given(strategies.linears(), st.sampled_from(strategies.FLOATS))
def test_the_layer_is_the_function(case, dtype):
    x, weight, bias, grad = case.arrays(strategies.integers, dtype)
    layer = nn.Linear(*weight.shape[::-1], bias=bias is not None, dtype=dtype)
    assert layer.weight.shape == weight.shape
    assert layer.weight.dtype == dtype
    layer.weight.data = weight
    if bias is not None:
        layer.bias.data = bias
    output, grad_input, grad_weight, grad_bias = ours(x, weight, bias, grad)
    oracle.assert_equal(layer(x), output)
    oracle.assert_equal(layer.backward(grad), grad_input)
    oracle.assert_equal(layer.weight.grad, grad_weight)
    if bias is not None:
        oracle.assert_equal(layer.bias.grad, grad_bias)


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize("dtype", strategies.FLOATS)
@pytest.mark.parametrize("leading", [(), (0,), (2,), (3, 9)])
@pytest.mark.parametrize(("features", "outputs"), [(0, 3), (3, 0), (0, 0)])
def test_a_layer_without_inputs_or_outputs_is_torchs(features, outputs, leading, dtype):
    """Weights, output, gradients, and the weights of the layer that is made after it."""
    minicnn.manual_seed(3)
    torch.manual_seed(3)
    ours = [nn.Linear(features, outputs, dtype=dtype), nn.Linear(2, 2)]
    theirs = [torch.nn.Linear(features, outputs, dtype=getattr(torch, dtype)), torch.nn.Linear(2, 2)]
    for layer, expected in zip(ours, theirs, strict=True):
        for name, value in expected.state_dict().items():
            oracle.assert_equal(layer.state_dict()[name], value.numpy(), name)
    rng = np.random.default_rng(0)
    x = rng.integers(-9, 10, (*leading, features)).astype(dtype)
    grad = rng.integers(-9, 10, (*leading, outputs)).astype(dtype)
    asked = torch.tensor(x, requires_grad=True)
    expected = theirs[0](asked)
    expected.backward(torch.tensor(grad))
    oracle.assert_equal(ours[0](x), expected.detach().numpy())
    oracle.assert_equal(ours[0].backward(grad), asked.grad.numpy())
    oracle.assert_equal(ours[0].weight.grad, theirs[0].weight.grad.numpy())
    oracle.assert_equal(ours[0].bias.grad, theirs[0].bias.grad.numpy())


# --------------------------------------------------------------------------------- laws


@given(strategies.linears())
def test_the_docstrings_formula_gives_the_output(case):
    """output[..., o] = bias[o] + sum over i of weight[o, i] * input[..., i]."""
    x, weight, bias, _ = case.arrays(strategies.integers, "int64")
    output = np.zeros(case.output, int)
    for *place, o in np.ndindex(case.output):
        terms = [weight[o, i] * x[(*place, i)] for i in range(case.input[-1])]
        output[(*place, o)] = sum(terms) + (0 if bias is None else bias[o])
    oracle.assert_equal(F.linear(x, weight, bias), output)


@given(strategies.linears())
def test_the_gradients_are_the_adjoint_maps(case):
    """<linear(x, w), g> = <x, grad_input(g, w)> = <w, grad_weight(g, x)>."""
    x, weight, _, grad = case.arrays(strategies.integers, "int64")
    output, grad_input, grad_weight, grad_bias = ours(x, weight, None, grad)
    assert np.sum(output * grad) == np.sum(x * grad_input) == np.sum(weight * grad_weight)
    oracle.assert_equal(grad_bias, grad.reshape(-1, len(weight)).sum(0))


@given(strategies.linears())
def test_central_differences_give_the_gradients(case):
    """The operation is bilinear, so along any direction the central difference with
    step 1 is exact.
    """
    x, weight, bias, grad = case.arrays(strategies.integers, "int64")
    dx, dweight, dbias, _ = case._replace(seed=case.seed + 1).arrays(strategies.integers, "int64")
    gradients = F.linear_backward(grad, x, weight)
    steps = [(x, dx), (weight, dweight), *([] if bias is None else [(bias, dbias)])]

    def loss(sign):
        return np.sum(F.linear(*(a + sign * step for a, step in steps)) * grad)

    slope = sum(np.sum(gradient * step) for gradient, (_, step) in zip(gradients, steps, strict=False))
    assert loss(1) - loss(-1) == 2 * slope


@given(strategies.linears())
def test_without_needs_input_grad_only_the_input_gradient_is_missing(case):
    x, weight, _, grad = case.arrays(strategies.integers)
    spared, full = F.linear_backward(grad, x, weight, needs_input_grad=False), F.linear_backward(grad, x, weight)
    assert spared[0] is None
    for name, result, right in zip(NAMES[2:], spared[1:], full[1:], strict=True):
        oracle.assert_equal(result, right, name)


# ----------------------------------------------------------------------------- rejected


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


X, WEIGHT = zeros(2, 3), zeros(4, 3)

REJECTED = {
    "list": ((X.tolist(), WEIGHT), TypeError, "linear: input must be a NumPy array, got list"),
    "bool": ((X > 0, WEIGHT > 0), RuntimeError, "linear: input has dtype bool"),
    "features": ((zeros(2, 5), WEIGHT), RuntimeError, r"in_features = 3, got an input of shape \(2, 5\)"),
    "unbatched image": ((zeros(8, 9), zeros(4, 72)), RuntimeError, r"= 72, got .*\(8, 9\).*Flatten.*x\[None\]"),
    "0-D": ((zeros(), WEIGHT), RuntimeError, r"in_features = 3, got an input of shape \(\)"),
    "3-D weight": ((X, zeros(1, 4, 3)), RuntimeError, r"weight must be .*got shape \(1, 4, 3\)"),
    "dtypes differ": ((X, WEIGHT.astype("f8")), RuntimeError, "(?=.*input is float32)(?=.*weight is float64)"),
    "integer input": ((X.astype(int), WEIGHT), RuntimeError, "(?=.*input is int64)(?=.*weight is float32)"),
    "bias shape": ((X, WEIGHT, zeros(3)), RuntimeError, r"bias must have shape \(4,\), got \(3,\)"),
    "bias dtype": ((X, WEIGHT, zeros(4, dtype="f8")), RuntimeError, "bias is float64"),
}


@pytest.mark.parametrize("name", REJECTED)
def test_a_rejected_call_says_what_was_expected_and_what_came(name):
    arrays, error, text = REJECTED[name]
    with pytest.raises(error, match=text):
        F.linear(*arrays)


def test_a_gradient_of_the_wrong_shape_or_dtype_is_rejected():
    with pytest.raises(RuntimeError, match=r"grad_output must have shape \(2, 4\), got \(4, 2\)"):
        F.linear_backward(zeros(4, 2), X, WEIGHT)
    with pytest.raises(RuntimeError, match="grad_output is float64"):
        F.linear_backward(zeros(2, 4, dtype="f8"), X, WEIGHT)


shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)


@pytest.mark.differential
@given(shapes, st.lists(st.integers(0, 3), min_size=2, max_size=2).map(tuple), st.one_of(st.none(), shapes))
def test_whatever_torch_rejects_is_rejected(input_shape, weight_shape, bias_shape):
    """And nothing else, but for a bias that torch broadcasts: here it is (out,), as
    torch documents it.
    """
    arrays = zeros(*input_shape), zeros(*weight_shape), None if bias_shape is None else zeros(*bias_shape)
    oracle.assert_both_reject(
        lambda: F.linear(*arrays),
        lambda: theirs(*map(oracle.tensor, arrays)),
        bias_shape not in (None, weight_shape[:1]),
    )


@pytest.mark.parametrize(
    ("in_features", "out_features", "text"), [(-1, 1, "in_features .*got -1"), (1, -1, "out_features .*got -1")]
)
def test_a_layer_rejects_senseless_arguments_at_once(in_features, out_features, text):
    with pytest.raises(ValueError, match=f"Linear: {text}"):
        nn.Linear(in_features, out_features)
