"""relu, sigmoid and tanh and their gradients: torch as the judge, the formulas, and
what is rejected.
"""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minicnn import nn
from minicnn.nn import functional as F
from tests.support import oracle, strategies
from tests.support.oracle import torch

pytestmark = pytest.mark.usefixtures("backend")

TORCH = {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}
LAYERS = {"relu": (nn.ReLU, {}), "sigmoid": (nn.Sigmoid, {}), "tanh": (nn.Tanh, {})}
smooth = st.sampled_from(["sigmoid", "tanh"])
floats = st.sampled_from(strategies.FLOATS)


@st.composite
def cases(draw, dtypes=strategies.FLOATS):
    """Any shape, 0-D and empty ones too."""
    shape = tuple(draw(st.lists(st.integers(0, 5), max_size=4)))
    return strategies.Case(shape, None, None, shape, {}, draw(st.sampled_from(dtypes)), draw(strategies.seeds))


def ulps(actual, expected, n, scale=None, lost=0.0):
    """`actual` differs from `expected` by at most n units in the last place, of `scale`
    where given, and by `lost`.

    Subnormal numbers have a unit of their own, the smallest of them.
    """
    info = np.finfo(actual.dtype)
    unit = info.eps * np.abs(expected if scale is None else scale) + info.smallest_subnormal
    bound = n * unit + lost
    assert actual.shape == expected.shape
    assert (np.abs(actual - expected) <= bound).all()


# ------------------------------------------------------------------------- torch's word


@pytest.mark.differential
@given(cases(), st.sampled_from([strategies.integers, strategies.specials, strategies.reals]), strategies.layouts)
def test_relu_agrees_bit_for_bit_with_nan_and_negative_zero(case, values, layouts):
    plain, (_, _, _, grad) = case.arrays(values)[0], case.arrays(strategies.reals)
    x, grad = arrays = strategies.lay_out([plain, grad], layouts)
    with oracle.unchanged(arrays):
        output = F.relu(x)
        grad_input = F.relu_backward(grad, output)
    expected = oracle.differentiate(torch.relu, [plain], grad.astype(case.dtype))
    oracle.assert_identical(output, expected[0], "output")
    oracle.assert_identical(grad_input, expected[1], "grad_input")


@pytest.mark.differential
@given(cases(dtypes=("int64", *strategies.SMALL_INTEGERS)))
def test_relu_takes_integers(case):
    x = case.arrays(strategies.integers)[0]
    oracle.assert_equal(F.relu(x), oracle.run(torch.relu, [x]))


@pytest.mark.differential
@given(cases(), strategies.layouts)
def test_relu_inplace_returns_the_input_with_the_result_in_it(case, layouts):
    plain = case.arrays(strategies.specials)[0]
    (x,) = strategies.lay_out([plain], layouts)
    if not x.flags.writeable:
        with pytest.raises(RuntimeError, match="read-only"):
            F.relu(x, inplace=True)
        return
    assert F.relu(x, inplace=True) is x
    oracle.assert_identical(x.astype(case.dtype), F.relu(plain))


@pytest.mark.differential
@given(cases(), smooth, strategies.layouts)
@example(
    strategies.Case((4,), None, None, (4,), {}, "float64", 327430), "sigmoid", ["plain"] * 4
)  # x = -709.4: exp(-x)
@example(
    strategies.Case((5,), None, None, (5,), {}, "float64", 194161), "sigmoid", ["plain"] * 4
)  # is infinite in torch
def test_sigmoid_and_tanh_agree_to_a_few_units_in_the_last_place(case, name, layouts):
    """exp and tanh are good to 4 units in both libraries; the sum and the division add
    one each.
    """
    plain, grad = case.arrays(strategies.reals)[0], case.arrays(strategies.reals)[3]
    x, grad = arrays = strategies.lay_out([plain, grad], layouts)
    exact, grad64 = plain.astype(np.float64), grad.astype(np.float64)
    with oracle.unchanged(arrays):
        output = getattr(F, name)(x)
        grad_input = getattr(F, f"{name}_backward")(grad, output)
    expected, expected_grad = oracle.differentiate(TORCH[name], [exact], grad64)
    assert output.dtype == grad_input.dtype == case.dtype
    lost = 1 / np.finfo(case.dtype).max if name == "sigmoid" else 0  # it is 0 where exp(-x) exceeds the largest number
    ulps(output, expected, 10, lost=lost)
    # s (1 - s) is off by at most 2 times the error of s, 1 - t^2 by at most 2 times
    # that of t; three operations follow.
    scale = grad64 if name == "tanh" else grad64 * expected
    unit = 10 * np.finfo(case.dtype).smallest_subnormal + lost
    ulps(grad_input, expected_grad, 2 * 10 + 3, scale, lost=2 * unit * np.abs(grad64))
    ulps(output, oracle.run(TORCH[name], [plain]), 10)


@pytest.mark.parametrize(("dtype", "edge"), [("float32", -88.72284), ("float64", -709.782712893384)])
def test_far_out_the_sigmoid_is_exactly_0_where_torchs_is(dtype, edge):
    """exp(-x) overflows below log of the largest number."""
    x = np.concatenate([np.linspace(edge - 1, edge - 1e-4, 99), np.linspace(edge + 1e-4, edge + 1, 99)]).astype(dtype)
    output = F.sigmoid(x)
    assert ((output == 0) == (x < edge)).all()
    oracle.assert_equal(output == 0, oracle.run(torch.sigmoid, [x]) == 0)
    assert nn.BCELoss()(F.sigmoid(np.array([edge - 1], dtype)), np.array([1], dtype)) == 100


@given(cases(), smooth)
def test_the_gradient_of_a_given_output_is_good_to_the_last_places(case, name):
    """output * (1 - output), and 1 - output^2: 1 - output is exact to half a unit, and
    two or three products follow.
    """
    x, _, _, grad = case.arrays(strategies.reals)
    output, expected = oracle.differentiate(TORCH[name], [x], grad)
    scale = grad if name == "tanh" else expected
    ulps(getattr(F, f"{name}_backward")(grad, output), expected, 3, scale)


@pytest.mark.parametrize("name", TORCH)
@pytest.mark.parametrize("dtype", strategies.FLOATS)
def test_special_values_and_their_gradients_are_torchs(name, dtype):
    x = np.array(
        [np.nan, np.inf, -np.inf, 0.0, -0.0, 1000.0, -1000.0, 1e-30, -1e-30] * 5, dtype
    )  # long enough for SIMD
    grad = np.random.default_rng(0).integers(1, 5, x.size).astype(dtype)
    output = getattr(F, name)(x)
    expected, expected_grad = oracle.differentiate(TORCH[name], [x], grad)
    oracle.assert_identical(output, expected)
    oracle.assert_identical(getattr(F, f"{name}_backward")(grad, output), expected_grad)


@given(cases(), st.sampled_from(list(LAYERS)))
def test_the_layers_are_the_functions(case, name):
    x, _, _, grad = case.arrays(strategies.reals)
    kind, arguments = LAYERS[name]
    layer = kind(**arguments)
    output = layer(x)
    oracle.assert_identical(output, getattr(F, name)(x))
    oracle.assert_identical(layer.backward(grad), getattr(F, f"{name}_backward")(grad, output))


@given(cases())
def test_the_relu_layer_may_work_inplace(case):
    x, _, _, grad = case.arrays(strategies.integers)
    layer, inplace, copy = nn.ReLU(), nn.ReLU(inplace=True), x.copy()
    oracle.assert_identical(inplace(copy), layer(x))
    oracle.assert_identical(copy, F.relu(x))
    oracle.assert_identical(inplace.backward(grad), layer.backward(grad))


# ----------------------------------------------------------------------------- formulas


@given(cases())
def test_the_docstrings_formulas_hold(case):
    rng = np.random.default_rng(case.seed)
    x = rng.uniform(-8, 8, case.input)
    s, t, exp = F.sigmoid(x), F.tanh(x), np.exp
    oracle.assert_equal(F.relu(x), np.asarray(np.maximum(x, 0)))
    ulps(s, np.asarray(1 / (1 + exp(-x))), 10)
    ulps(t, np.asarray((exp(x) - exp(-x)) / (exp(x) + exp(-x))), 10, np.ones_like(x))
    ulps(t, np.asarray(2 * F.sigmoid(2 * x) - 1), 10, np.ones_like(x))
    ulps(F.sigmoid(-x), np.asarray(1 - s), 10, np.ones_like(x))
    ones = np.ones_like(x)
    ulps(F.sigmoid_backward(ones, s), np.asarray(s * (1 - s)), 4)
    ulps(F.tanh_backward(ones, t), np.asarray(1 - t**2), 4, ones)
    assert (F.sigmoid_backward(ones, s) <= 0.25).all()


@given(cases(dtypes=("float64",)), smooth)
def test_central_differences_give_the_gradient(case, name):
    """(f(x + h) - f(x - h)) / 2h = f'(x) + h^2 f'''/6, where |f'''| <= 2; rounding adds
    eps / h.
    """
    rng, h = np.random.default_rng(case.seed), 1e-5
    x, grad = rng.uniform(-8, 8, case.input), rng.standard_normal(case.input)
    function = getattr(F, name)
    slope = (function(x + h) - function(x - h)) / (2 * h)
    bound = h**2 * 2 / 6 + 10 * np.finfo(float).eps / h
    assert (np.abs(getattr(F, f"{name}_backward")(grad, function(x)) - slope * grad) <= bound * np.abs(grad)).all()


# ----------------------------------------------------------------------------- rejected

FLOAT, DOUBLE = np.zeros((2, 3), "f4"), np.zeros((2, 3), "f8")


@pytest.mark.parametrize("name", TORCH)
def test_wrong_arrays_are_rejected(name):
    function, backward = getattr(F, name), getattr(F, f"{name}_backward")
    with pytest.raises(TypeError, match=f"{name}: input must be a NumPy array, got float"):
        function(1.0)
    with pytest.raises(RuntimeError, match=f"{name}: .*float16"):
        function(FLOAT.astype("f2"))
    with pytest.raises(RuntimeError, match=rf"{name}_backward: grad_output must have shape \(2, 3\), got \(3, 2\)"):
        backward(FLOAT.T, FLOAT)
    with pytest.raises(RuntimeError, match=f"{name}_backward: (?=.*float32)(?=.*float64)"):
        backward(DOUBLE, FLOAT)


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_only_relu_takes_integers(name):
    with pytest.raises(RuntimeError, match=f"{name}: input has dtype int64.*float32"):
        getattr(F, name)(np.arange(3))
