"""The size formulas: against torch's output shapes, against windows counted one by one, and against each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn import geometry
from tests import oracle, strategies
from tests.oracle import torch


def counted(size, K, S, before, after, D, ceil_mode=False):
    """The windows, one by one: from the first padded pixel on, while they fit. With ceil_mode a window may also hang over the
    end by less than a stride, if it starts in the image or in the padding before it."""
    end, count = before + size + after, 0
    while True:
        first, last = count * S, count * S + D * (K - 1)
        if last < end or (ceil_mode and last - (end - 1) < S and first < before + size):
            count += 1
        else:
            return count


axes = {"size": st.integers(1, 60), "K": st.integers(1, 11), "S": st.integers(1, 9), "D": st.integers(1, 6)}


def column(size):
    return torch.zeros(1, 1, size, 1)


@given(**axes, before=st.integers(0, 12), after=st.integers(0, 12))
def test_conv_size_counts_the_windows(size, K, S, D, before, after):
    formula = geometry.conv_size(size, K, S, before + after, D)
    assert max(formula, 0) == counted(size, K, S, before, after, D)


@given(**axes, P=st.integers(0, 12))
def test_conv2d_has_torchs_output_shape_or_both_refuse(size, K, S, D, P):
    arguments = {"stride": (S, 1), "padding": (P, 0), "dilation": (D, 1)}
    oracle.assert_both_reject(
        lambda: geometry.conv2d((1, 1, size, 1), (1, 1, K, 1), **arguments),
        lambda: torch.nn.functional.conv2d(column(size), torch.zeros(1, 1, K, 1), **arguments),
    )
    if size + 2 * P >= D * (K - 1) + 1:
        g = geometry.conv2d((1, 1, size, 1), (1, 1, K, 1), **arguments)
        shape = tuple(torch.nn.functional.conv2d(column(size), torch.zeros(1, 1, K, 1), **arguments).shape)
        assert g.output_shape == shape == (1, 1, counted(size, K, S, P, P, D), 1)


@given(**axes, P=st.integers(0, 12), OP=st.integers(0, 9))
def test_conv_transpose2d_has_torchs_output_shape_or_both_refuse(size, K, S, D, P, OP):
    arguments = {"stride": (S, 1), "padding": (P, 0), "output_padding": (OP, 0), "dilation": (D, 1)}
    oracle.assert_both_reject(
        lambda: geometry.conv_transpose2d((1, 1, size, 1), (1, 1, K, 1), **arguments),
        lambda: torch.nn.functional.conv_transpose2d(column(size), torch.zeros(1, 1, K, 1), **arguments),
    )
    formula = geometry.conv_transpose_size(size, K, S, P, D, OP)
    if formula >= 1 and (OP < S or OP < D):
        output = torch.nn.functional.conv_transpose2d(column(size), torch.zeros(1, 1, K, 1), **arguments)
        assert geometry.conv_transpose2d((1, 1, size, 1), (1, 1, K, 1), **arguments).input_shape == tuple(output.shape)
        assert output.shape[2] == formula


@given(**axes, share=st.floats(0, 1), ceil_mode=st.booleans())
def test_max_pool2d_has_torchs_output_shape_or_both_refuse(size, K, S, D, share, ceil_mode):
    P = int(share * (K // 2))
    formula = geometry.pool_size(size, K, S, P, D, ceil_mode)
    assert max(formula, 0) == counted(size, K, S, P, P, D, ceil_mode)
    if formula >= 1:
        output = torch.nn.functional.max_pool2d(column(size), (K, 1), (S, 1), (P, 0), (D, 1), ceil_mode)
        assert output.shape[2] == formula
    poisoned = formula >= 1 and strategies.sees_nothing(size, K, S, P, D, formula)
    assert geometry.has_empty_window(size, S, P, D, max(formula, 0)) == poisoned
    refused = oracle.rejects(lambda: geometry.max_pool2d((1, 1, size, 1), (K, 1), (S, 1), (P, 0), (D, 1), ceil_mode))
    assert refused == (formula < 1 or poisoned)


@given(**axes, padding=st.integers(0, 24))
def test_a_stride_maps_as_many_sizes_to_one_output_and_output_padding_tells_them_apart(size, K, S, D, padding):
    """conv_size(conv_transpose_size(out, OP)) = out for each OP below S, and for no other number."""
    P = min(padding, ((size - 1) * S + D * (K - 1)) // 2)
    inputs = [geometry.conv_transpose_size(size, K, S, P, D, OP) for OP in range(-1, S + 1)]
    outputs = [geometry.conv_size(n, K, S, 2 * P, D) for n in inputs]
    assert outputs == [size - 1] + [size] * S + [size + 1]


@given(**axes, other=st.integers(1, 11))
def test_same_padding_keeps_the_size_with_the_odd_row_behind(size, K, S, D, other):
    (above, below), (left, right) = geometry.conv_padding("same", (K, other), (1, 1), (D, 1), "test")
    assert geometry.conv_size(size, K, 1, above + below, D) == size
    assert below - above == D * (K - 1) % 2
    assert right - left == (other - 1) % 2
    assert geometry.conv_padding("valid", (K, other), (S, S), (D, 1), "test") == ((0, 0), (0, 0))


@given(strategies.convolutions())
def test_the_padded_size_ends_with_the_last_pixel_or_the_last_window(case):
    shape = case.input if len(case.input) == 4 else (1, *case.input)
    g = geometry.conv2d(shape, case.weight, **case.arguments)
    assert g.input_shape == shape
    assert g.weight_shape == case.weight
    assert g.output_shape[-3:] == case.output[-3:]
    for padded, P, size, K, S, D, out in zip(
        g.padded_size, (g.PH, g.PW), (g.H, g.W), (g.KH, g.KW), (g.SH, g.SW), (g.DH, g.DW), (g.OH, g.OW), strict=True
    ):
        touched = {o * S + k * D for o in range(out) for k in range(K)}
        assert padded == max(touched | {P + size - 1}) + 1


@given(strategies.conv_transposes())
def test_a_transposed_convolution_is_the_geometry_of_a_convolution_turned_round(case):
    shape = case.input if len(case.input) == 4 else (1, *case.input)
    g = geometry.conv_transpose2d(shape, case.weight, **case.arguments)
    assert (g.output_shape, g.weight_shape) == (shape, case.weight)
    assert g.input_shape[-3:] == case.output[-3:]


@given(st.one_of(st.integers(1, 9), strategies.pairs(1, 9)))
def test_a_pair_may_be_spelled_as_int_tuple_or_list_of_any_integer_type(value):
    expected = (value, value) if isinstance(value, int) else value
    spellings = (
        [value, np.int64(value)] if isinstance(value, int) else [value, list(value), tuple(map(np.int32, value))]
    )
    for spelling in spellings:
        pair = geometry.pair(spelling, "stride", 1, "test")
        assert pair == expected
        assert all(type(number) is int for number in pair)


@pytest.mark.parametrize(
    ("value", "error"),
    [(0, ValueError), ((1, 0), ValueError), ((), ValueError), ((1, 2, 3), ValueError)]
    + [(value, TypeError) for value in (1.0, "1", None, True, (1, 2.0), (1, None), {1, 2}, (True, 1))],
)
def test_anything_else_is_no_pair(value, error):
    with pytest.raises(error, match="^Layer: stride must be") as caught:
        geometry.pair(value, "stride", 1, "Layer")
    assert f"got {value!r}" in str(caught.value)


@pytest.mark.parametrize("value", [(1, 1), [1], 1.0, "1", True])
def test_one_int_is_not_a_pair(value):
    with pytest.raises(TypeError, match="^Layer: groups must be .*got "):
        geometry.positive(value, "groups", "Layer")


def test_a_geometry_is_frozen_and_hashable():
    g = geometry.conv2d((1, 1, 4, 4), (1, 1, 2, 2))
    with pytest.raises(AttributeError):
        g.N = 2
    assert hash(g) == hash(geometry.conv2d((1, 1, 4, 4), (1, 1, 2, 2)))
    assert all(type(value) is int for value in g)
