"""Initial weights of one's own choice: torch's from the seed, bit for bit but for the bell
curve, which is torch's within rounding.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minicnn
from minicnn import nn
from tests.support.oracle import torch
from tests.support.strategies import FLOATS, seeds

shapes = st.one_of(
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 4), st.integers(1, 4)),
)
GAINED = ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
kaimings = st.fixed_dictionaries(
    {},
    optional={
        "a": st.sampled_from([0, 0.2, math.sqrt(5)]),
        "mode": st.sampled_from(["fan_in", "fan_out"]),
        "nonlinearity": st.sampled_from(GAINED),
    },
)
gains = st.fixed_dictionaries({}, optional={"gain": st.sampled_from([1.0, 5 / 3, 0.1])})
FILLINGS = {
    "uniform_": st.sampled_from([{}, {"a": -2.0, "b": 3.0}]),
    "normal_": st.sampled_from([{}, {"mean": 0.3, "std": 2.0}]),
    "constant_": st.just({"val": 0.3}),
    "ones_": st.just({}),
    "zeros_": st.just({}),
    "xavier_uniform_": gains,
    "xavier_normal_": gains,
    "kaiming_uniform_": kaimings,
    "kaiming_normal_": kaimings,
}


def both(name, options, seed, shape, dtype, times=2):
    """The parameter filled again and again, here and by torch."""
    ours, theirs = nn.Parameter(np.empty(shape, dtype)), torch.empty(shape, dtype=getattr(torch, dtype))
    minicnn.manual_seed(seed)
    torch.manual_seed(seed)
    for _ in range(times):
        assert getattr(nn.init, name)(ours, **options) is ours
        getattr(torch.nn.init, name)(theirs, **options)
        yield ours.data, theirs.numpy()


@pytest.mark.parametrize("name", [name for name in FILLINGS if "normal" not in name])
@given(seeds, shapes, st.data())
def test_even_and_constant_weights_are_torchs_bit_for_bit_in_float32(name, seed, shape, data):
    for found, expected in both(name, data.draw(FILLINGS[name]), seed, shape, "float32"):
        np.testing.assert_array_equal(found, expected, strict=True)


@pytest.mark.parametrize("name", [name for name in FILLINGS if "uniform" in name])
@given(seeds, shapes, st.data())
def test_even_weights_are_torchs_within_one_unit_in_float64(name, seed, shape, data):
    """torch rounds u * width + low once, NumPy the product too."""
    for found, expected in both(name, data.draw(FILLINGS[name]), seed, shape, "float64"):
        assert (np.abs(found - expected) <= np.spacing(2 * np.abs(expected).max() + 1)).all()


@pytest.mark.parametrize("name", [name for name in FILLINGS if "normal" in name])
@given(seeds, st.sampled_from(FLOATS), shapes, st.data())
def test_the_bell_curve_is_torchs_within_rounding(name, seed, dtype, shape, data):
    """Both have the same radius and angle but for rounding. Of the radius, at most
    sqrt(-2 log 2^-bits), the logarithm's two units leave one, the root one; sine or
    cosine have two, the products and the sum one each: six, and eight are allowed.
    """
    options = data.draw(FILLINGS[name])
    bits = 24 if dtype == "float32" else 53
    largest = math.sqrt(2 * bits * math.log(2))
    std = options.get("std")
    for found, expected in both(name, options, seed, shape, dtype):
        spread = std if std is not None else max(np.abs(expected).max(), np.finfo(dtype).tiny)
        allowed = 8 * np.finfo(dtype).eps * (abs(options.get("mean", 0.0)) + spread * largest)
        assert (np.abs(found.astype(float) - expected.astype(float)) <= allowed).all()


def test_weights_of_the_bell_curve_have_the_spread_that_is_asked_for():
    minicnn.manual_seed(0)
    weight = nn.init.kaiming_normal_(nn.Conv2d(16, 64, 5).weight, nonlinearity="relu")
    expected = math.sqrt(2 / (16 * 25))
    assert abs(weight.data.std() / expected - 1) < 4 / math.sqrt(2 * weight.numel())
    assert abs(weight.data.mean()) < 4 * expected / math.sqrt(weight.numel())


def test_filling_a_parameter_makes_it_newer_and_arrays_are_filled_too():
    layer, array = nn.Linear(2, 3), np.zeros((2, 2), np.float32)
    layer(np.ones((1, 2), np.float32))
    nn.init.ones_(layer.weight)
    with pytest.raises(RuntimeError, match="parameters have changed since forward"):
        layer.backward(np.ones((1, 3), np.float32))
    assert nn.init.constant_(array, 7) is array
    assert (array == 7).all()


@pytest.mark.parametrize("name", GAINED)
def test_gains_are_torchs(name):
    assert nn.init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    assert nn.init.calculate_gain("leaky_relu", 0.2) == torch.nn.init.calculate_gain("leaky_relu", 0.2)


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: nn.init.xavier_uniform_(np.zeros(3, "f")), ValueError, r"at least two dimensions.*got shape \(3,\)"),
        (lambda: nn.init.kaiming_normal_(np.zeros((2, 0), "f")), ValueError, r"none of them empty.*\(2, 0\)"),
        (lambda: nn.init.kaiming_normal_(np.zeros((2, 2), "f"), mode="in"), ValueError, "mode must be .*got 'in'"),
        (lambda: nn.init.calculate_gain("gelu"), ValueError, "nonlinearity must be one of .*got 'gelu'"),
        (lambda: nn.init.ones_(nn.Linear(1, 1)), TypeError, "a Parameter or an array is filled, got Linear"),
        (lambda: nn.init.ones_(np.zeros(2, int)), ValueError, "must be float32 or float64"),
    ],
)
def test_what_cannot_be_filled_is_said(call, kind, text):
    with pytest.raises(kind, match=text):
        call()
