"""Initial weights: torch's for every seed and every layer, bit for bit in float32,
within one unit in float64.
"""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minicnn
from minicnn import nn
from minicnn.nn.functional import random
from tests.support.oracle import torch

seeds = st.one_of(
    st.integers(-(2**63), 2**64 - 1), st.sampled_from([0, -1, 42, 2**31 + 5, 2**32, 123456789012])
)  # what torch takes


@st.composite
def layers(draw):
    """(class name, arguments) of one layer with parameters."""
    G = draw(st.integers(1, 3))
    C, O = G * draw(st.integers(1, 8)), G * draw(st.integers(1, 8))
    bias = draw(st.booleans())
    name = draw(st.sampled_from(["Linear", "Conv2d", "ConvTranspose2d"]))
    if name == "Linear":
        return name, {"in_features": draw(st.integers(1, 400)), "out_features": O, "bias": bias}
    kernel_size = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    return name, {"in_channels": C, "out_channels": O, "kernel_size": kernel_size, "groups": G, "bias": bias}


def both(seed, drawn, dtype):
    """Each parameter of layers made one after the other from one seed, here and by
    torch; and its bound.
    """
    minicnn.manual_seed(seed)
    ours = [nn.__dict__[name](**arguments, dtype=dtype).state_dict() for name, arguments in drawn]
    torch.manual_seed(seed)
    theirs = [
        getattr(torch.nn, name)(**arguments, dtype=getattr(torch, dtype)).state_dict() for name, arguments in drawn
    ]
    for found, expected in zip(ours, theirs, strict=True):
        assert list(found) == list(expected)
        bound = 1 / math.sqrt(expected["weight"][0].numel())
        for key, wanted in expected.items():
            yield found[key], wanted.numpy(), bound


@given(seeds, st.lists(layers(), min_size=1, max_size=3))
def test_float32_weights_are_torchs_bit_for_bit(seed, drawn):
    for found, expected, _ in both(seed, drawn, "float32"):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert found.tobytes() == expected.tobytes()


@given(seeds, st.lists(layers(), min_size=1, max_size=3))
def test_float64_weights_are_torchs_within_one_unit_in_the_last_place(seed, drawn):
    """torch rounds u * width + low once, NumPy the product too: half a unit of a number
    up to the width 2 * bound.
    """
    for found, expected, bound in both(seed, drawn, "float64"):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert (np.abs(found - expected) <= np.spacing(2 * bound)).all()


def test_without_a_seed_the_weights_are_torchs_first():
    script = "from minicnn import nn; print(nn.Linear(3, 2).weight.data.tobytes().hex())"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    torch.manual_seed(torch.Generator().initial_seed())
    assert found.strip() == torch.nn.Linear(3, 2).weight.detach().numpy().tobytes().hex()


def test_a_seed_counts_modulo_two_to_the_32():
    minicnn.manual_seed(5)
    first = nn.Linear(3, 2).weight.data
    minicnn.manual_seed(5 + 2**32)
    np.testing.assert_array_equal(nn.Linear(3, 2).weight.data, first)


def test_two_layers_of_one_seed_differ():
    minicnn.manual_seed(0)
    assert (nn.Linear(3, 2).weight.data != nn.Linear(3, 2).weight.data).all()


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (lambda: nn.Conv2d(6, 200, (3, 5), groups=2), 3 * 3 * 5),
        (lambda: nn.ConvTranspose2d(200, 6, (3, 5), groups=2), 3 * 3 * 5),
        (lambda: nn.Linear(49, 300), 49),
    ],
)
def test_weights_and_bias_fill_one_over_the_root_of_fan_in(layer, fan_in):
    minicnn.manual_seed(0)
    for parameter in layer().parameters():
        largest = np.abs(parameter.data).max() * fan_in**0.5
        assert (0.99 if parameter.size > 100 else 0.5) < largest <= 1


@pytest.mark.parametrize("seed", [-(2**63) - 1, 2**64])
def test_a_seed_that_torch_refuses_is_refused(seed):
    with pytest.raises((RuntimeError, ValueError, OverflowError)):
        torch.manual_seed(seed)
    with pytest.raises(ValueError) as caught:
        minicnn.manual_seed(seed)
    assert str(caught.value) == (
        f"manual_seed: the seed must fit into 64 bits, from -9223372036854775808 to 18446744073709551615, got {seed}."
    )


@pytest.mark.parametrize("seed", [-(2**63), 2**64 - 1])
def test_the_outermost_seeds_give_torchs_numbers(seed):
    torch.manual_seed(seed)
    minicnn.manual_seed(seed)
    np.testing.assert_array_equal(nn.Linear(3, 2).weight.data, torch.nn.Linear(3, 2).weight.detach().numpy())


@pytest.mark.parametrize("dtype", ["int64", "float16", bool])
def test_weights_are_floats(dtype):
    with pytest.raises(ValueError, match="float32 or float64.*got"):
        nn.Linear(2, 2, dtype=dtype)


def test_the_stream_goes_on_from_a_state_that_was_kept():
    minicnn.manual_seed(3)
    nn.Linear(5, 7)
    state = random.get_state()
    expected = nn.Linear(40, 30).weight.data
    nn.Linear(2, 2)
    random.set_state(*state)
    np.testing.assert_array_equal(nn.Linear(40, 30).weight.data, expected, strict=True)
