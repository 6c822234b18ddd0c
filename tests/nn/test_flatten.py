"""Flatten and Unflatten against torch: shapes, values, the way back, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minicnn import nn
from tests.support.oracle import assert_identical, rejects, torch

shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)
dims = st.integers(-5, 4)


def numbered(shape):
    """Every element recognisable."""
    return np.arange(math.prod(shape), dtype=np.float32).reshape(shape)


def assert_as_torch(layer, theirs, x):
    """Same output, same gradient; both as torch has them, or both refuse."""
    expected = torch.tensor(x).requires_grad_()
    refused = rejects(lambda: theirs(expected))
    assert rejects(lambda: layer(x)) == refused
    if not refused:
        output, wanted = layer(x), theirs(expected)
        assert_identical(output, wanted.detach().numpy())
        grad_output = -np.asarray(output)
        (grad,) = torch.autograd.grad(wanted, expected, torch.tensor(grad_output))
        assert_identical(layer.backward(grad_output), grad.numpy())


@given(shapes, dims, dims)
@example((), -2, -1)
@example((), -1, 0)
def test_flatten_is_torchs_for_any_dimensions(shape, start, end):
    assert_as_torch(nn.Flatten(start, end), torch.nn.Flatten(start, end), numbered(shape))


@given(shapes, dims, st.lists(st.integers(-1, 4), min_size=1, max_size=3).filter(lambda sizes: sizes.count(-1) <= 1))
def test_unflatten_is_torchs_for_any_sizes(shape, dim, sizes):
    assert_as_torch(nn.Unflatten(dim, sizes), torch.nn.Unflatten(dim, tuple(sizes)), numbered(shape))


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data())
def test_unflatten_finds_the_size_that_is_left_out(sizes, data):
    before, after = (
        data.draw(shapes.filter(lambda shape: len(shape) < 3)),
        data.draw(shapes.filter(lambda shape: len(shape) < 3)),
    )
    x = numbered((*before, math.prod(sizes), *after))
    sizes[data.draw(st.integers(0, len(sizes) - 1))] = -1
    dim = data.draw(st.sampled_from([len(before), -len(after) - 1]))
    if x.size:
        assert not rejects(lambda: nn.Unflatten(dim, sizes)(x))
    assert_as_torch(nn.Unflatten(dim, sizes), torch.nn.Unflatten(dim, tuple(sizes)), x)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data())
def test_unflatten_undoes_flatten(shape, data):
    first = data.draw(st.integers(0, len(shape) - 1))
    last = data.draw(st.integers(first, len(shape) - 1))
    there, back = nn.Flatten(first, last), nn.Unflatten(first, shape[first : last + 1])
    x = numbered(shape)
    np.testing.assert_array_equal(back(there(x)), x, strict=True)
    np.testing.assert_array_equal(there.backward(back.backward(x)), x, strict=True)


@given(shapes.filter(len))
def test_strided_input_is_flattened_in_the_order_of_its_indices(shape):
    x = numbered(shape).swapaxes(0, -1)
    np.testing.assert_array_equal(nn.Flatten(0)(x), x.ravel())


REJECTED = {
    "no such dimension": (
        lambda: nn.Flatten(3)(numbered((2, 2))),
        IndexError,
        "^Flatten: dimension 3.*the input has 2: expected -2 to 1",
    ),
    "the wrong way round": (
        lambda: nn.Flatten(2, 1)(numbered((1, 2, 3))),
        RuntimeError,
        r"start_dim 2 comes after end_dim 1.*\(1, 2, 3\)",
    ),
    "a fraction": (lambda: nn.Flatten(1.5), TypeError, "float"),
    "two unknown sizes": (lambda: nn.Unflatten(1, (-1, -1)), ValueError, r"at most one of them -1, got \(-1, -1\)"),
    "a negative size": (lambda: nn.Unflatten(1, (-2, 3)), ValueError, r"got \(-2, 3\)"),
    "the other end does not exist": (lambda: nn.Flatten(0, 2)(numbered((2, 2))), IndexError, "^Flatten: dimension 2"),
    "no sizes": (lambda: nn.Unflatten(1, ()), ValueError, r"got \(\)"),
    "sizes that do not fill": (
        lambda: nn.Unflatten(1, (2, 3))(numbered((1, 7))),
        RuntimeError,
        r"7 elements.*\(2, 3\)",
    ),
    "sizes that do not divide": (
        lambda: nn.Unflatten(1, (2, -1))(numbered((1, 7))),
        RuntimeError,
        r"7 elements.*\(2, -1\)",
    ),
    "Unflatten's dimension": (
        lambda: nn.Unflatten(2, (1, 1))(numbered((1, 7))),
        IndexError,
        "^Unflatten: dimension 2.*the input has 2",
    ),
    "a gradient of another size": (
        lambda: backward_of(nn.Flatten(), numbered((2, 3)), np.ones(5)),
        RuntimeError,
        r"^Flatten: .*\(5,\)",
    ),
    "a gradient of another shape": (
        lambda: backward_of(nn.Flatten(), numbered((2, 3, 2)), np.ones((6, 2))),
        RuntimeError,
        r"\(6, 2\)",
    ),
    "a gradient not unflattened": (
        lambda: backward_of(nn.Unflatten(1, (3, 2)), numbered((2, 6)), np.ones((2, 6))),
        RuntimeError,
        r"^Unflatten: .*\(2, 3, 2\)",
    ),
}


def backward_of(layer, x, grad_output):
    layer(x)
    return layer.backward(grad_output)


@pytest.mark.parametrize("what", REJECTED)
def test_a_wrong_argument_is_refused_with_its_numbers(what):
    call, kind, text = REJECTED[what]
    with pytest.raises(kind, match=text):
        call()
