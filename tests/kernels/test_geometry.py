"""The size formulas: against torch's output shapes, against windows counted one by one,
and against each other.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn import geometry
from tests.support import oracle, strategies
from tests.support.oracle import torch


def counted(size, K, S, before, after, D, ceil_mode=False):
    """The windows, one by one: from the first padded pixel on, while they fit. With
    ceil_mode a window may also hang over the end by less than a stride, if it starts in
    the image or in the padding before it.
    """
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


@pytest.mark.differential
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


@pytest.mark.differential
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


@pytest.mark.differential
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
    """conv_size(conv_transpose_size(out, OP)) = out for each OP below S, and for no
    other number.
    """
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


# ------------------------------ what only the rarest draws would show, tried one by one


def test_an_empty_window_is_found_wherever_it_is():
    """By looking under each window that begins before the image. (Of all that fit, only
    K = 2, P = 1, D = size + 1 has one.)
    """
    for size, S, P, D, out in itertools.product(range(1, 5), range(1, 4), range(8), range(1, 9), range(1, 6)):
        starts = [o * S - P for o in range(out) if o * S < P]
        empty = any(all(not 0 <= start + k * D < size for k in range(9)) for start in starts)
        assert geometry.has_empty_window(size, S, P, D, out) == empty, (size, S, P, D, out)


def test_a_window_that_ceil_mode_adds_is_dropped_where_it_starts_behind_the_image():
    for size, K, S, P, D in itertools.product(range(1, 8), range(1, 5), range(1, 6), range(3), range(1, 3)):
        for ceil_mode in (False, True) if P <= K // 2 else ():
            out = max(geometry.pool_size(size, K, S, P, D, ceil_mode), 0)
            assert out == counted(size, K, S, P, P, D, ceil_mode), (size, K, S, P, D, ceil_mode)


@pytest.mark.parametrize("shape", [(0, 3, 2, 2), (4, 3, 0, 2), (4, 3, 2, 0)])
def test_a_weight_without_channels_or_pixels_is_refused(shape):
    with pytest.raises(RuntimeError, match=r"^Conv2d: weight .* is empty; each of its sizes must be at least 1\.$"):
        geometry.conv2d((1, 3, 9, 9), shape, who="Conv2d")
    with pytest.raises(RuntimeError, match=r"^Conv2d: weight \(4, 0, 2, 2\) is empty;"):
        geometry.conv2d((1, 0, 9, 9), (4, 0, 2, 2), who="Conv2d")
    O, _, KH, KW = shape
    with pytest.raises(RuntimeError, match=r"^ConvTranspose2d: weight .* is empty; each of its sizes must"):
        geometry.conv_transpose2d((1, 3, 9, 9), (3, O, KH, KW), who="ConvTranspose2d")


def test_defaults_are_torchs_and_errors_begin_with_the_functions_name():
    input, weight = (2, 3, 7, 8), (4, 3, 3, 2)
    assert geometry.conv2d(input, weight)[6:] == (3, 2, 1, 1, 0, 0, 1, 1, 5, 7)
    assert geometry.conv_transpose2d((2, 4, 5, 7), weight)[6:] == (3, 2, 1, 1, 0, 0, 1, 1, 5, 7)
    assert geometry.max_pool2d(input, (3, 2)) == (2, 3, 7, 8, 3, 3, 3, 2, 3, 2, 0, 0, 1, 1, 2, 4)
    assert geometry.max_pool2d((1, 1, 7, 7), 2, ceil_mode=True).output_shape == (1, 1, 4, 4)
    for name, arguments in (
        ("conv2d", (input, weight)),
        ("conv_transpose2d", ((2, 4, 5, 7), weight)),
        ("max_pool2d", (input, 2)),
    ):
        for option in ("stride", "padding", "dilation"):
            for who in ({}, {"who": "Layer"}):
                with pytest.raises(
                    ValueError, match=f"^{who.get('who', name)}: {option} must be an int or a pair of ints"
                ):
                    getattr(geometry, name)(*arguments, **{option: -1}, **who)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: geometry.conv2d((1, 2, 4, 4), (3, 1, 2, 2), who="Conv2d"),
            RuntimeError,
            (
                "Conv2d: weight (3, 1, 2, 2) with groups=1 takes 1 channels, but the input has 2: its "
                "shape is (1, 2, 4, 4), "
                "read as (N, C, H, W)."
            ),
        ),
        (
            lambda: geometry.conv2d((1, 2, 4, 4), (3, 1, 2, 2), groups=2, who="Conv2d"),
            ValueError,
            "Conv2d: out_channels must be divisible by groups, but 3 is not divisible by 2.",
        ),
        (
            lambda: geometry.conv2d((1, 2, 4, 4), (3, 1, 2, 2), groups=0, who="Conv2d"),
            ValueError,
            "Conv2d: groups must be an int, at least 1, got 0.",
        ),
        (
            lambda: geometry.conv_transpose2d((1, 3, 4, 4), (3, 1, 2, 2), groups=0, who="ConvTranspose2d"),
            ValueError,
            "ConvTranspose2d: groups must be an int, at least 1, got 0.",
        ),
        (
            lambda: geometry.conv_transpose2d((1, 3, 4, 4), (3, 1, 2, 2), output_padding=1, who="ConvTranspose2d"),
            ValueError,
            (
                "ConvTranspose2d: output_padding must be smaller than stride or dilation, but 1 >= stride 1 "
                "and >= dilation 1."
            ),
        ),
        (
            lambda: geometry.max_pool2d((1, 2, 4, 4), (1, 0), who="MaxPool2d"),
            ValueError,
            "MaxPool2d: kernel_size must be an int or a pair of ints, at least 1, got (1, 0).",
        ),
        (
            lambda: geometry.conv2d((1, 1, 2, 9), (1, 1, 9, 3), padding=(1, 0), who="Conv2d"),
            RuntimeError,
            (
                "Conv2d: height 2 becomes floor((2 + 2 of padding - dilation 1 * (kernel_size 9 - 1) - "
                "1) / stride 1) + 1 = -4; "
                "input and output must each be at least 1. Give a larger input or padding."
            ),
        ),
        (
            lambda: geometry.output_padding_for((7, 11), (1, 4, 5), (2, 2), (2, 2), (0, 0), (1, 1), "ConvT"),
            ValueError,
            (
                "ConvT: output_size (7, 11) cannot be reached from an input of (4, 5); the sizes from (8, "
                "10) to (9, 11) can."
            ),
        ),
        (
            lambda: geometry.check_groups(3, 4, 2, "Conv2d"),
            ValueError,
            "Conv2d: in_channels must be divisible by groups, but 3 is not divisible by 2.",
        ),
        (
            lambda: geometry.conv2d((1, 1, 9, 3), (1, 1, 3, 4), (1, 2), (0, 1), (1, 3), who="Conv2d"),
            RuntimeError,
            (
                "Conv2d: width 3 becomes floor((3 + 2 of padding - dilation 3 * (kernel_size 4 - 1) - 1) "
                "/ stride 2) + 1 = -2; "
                "input and output must each be at least 1. Give a larger input or padding."
            ),
        ),
        (
            lambda: geometry.conv2d((1, 1, 2, 9), (1, 1, 3, 3), who="Conv2d"),
            RuntimeError,
            (
                "Conv2d: height 2 becomes floor((2 + 0 of padding - dilation 1 * (kernel_size 3 - 1) - "
                "1) / stride 1) + 1 = 0; "
                "input and output must each be at least 1. Give a larger input or padding."
            ),
        ),
        (
            lambda: geometry.conv_padding("some", (1, 1), (1, 1), (1, 1), "Conv2d"),
            ValueError,
            "Conv2d: padding must be an int, a pair, 'same' or 'valid', got 'some'.",
        ),
        (
            lambda: geometry.conv_padding("same", (1, 1), (2, 1), (1, 1), "Conv2d"),
            ValueError,
            "Conv2d: padding='same' needs stride 1, got (2, 1); give the padding as numbers instead.",
        ),
        (
            lambda: geometry.conv_padding((1, -1), (1, 1), (1, 1), (1, 1), "Conv2d"),
            ValueError,
            "Conv2d: padding must be an int or a pair of ints, at least 0, got (1, -1).",
        ),
        (
            lambda: geometry.conv_transpose2d((1, 2, 4, 4), (3, 1, 2, 2), who="ConvTranspose2d"),
            RuntimeError,
            (
                "ConvTranspose2d: weight (3, 1, 2, 2) takes 3 channels, but the input has 2: its shape "
                "is (1, 2, 4, 4), "
                "read as (N, C, H, W)."
            ),
        ),
        (
            lambda: geometry.conv_transpose2d((1, 3, 4, 4), (3, 1, 2, 2), groups=2, who="ConvTranspose2d"),
            ValueError,
            "ConvTranspose2d: in_channels must be divisible by groups, but 3 is not divisible by 2.",
        ),
        (
            lambda: geometry.conv_transpose2d((1, 1, 9, 2), (1, 1, 3, 2), 2, (0, 3), (0, 1), who="ConvTranspose2d"),
            RuntimeError,
            (
                "ConvTranspose2d: the output's width would be (size - 1) * stride - 2 * padding + "
                "dilation * (kernel_size - 1) + "
                "output_padding + 1 = 1 * 2 - 2 * 3 + 1 * 1 + 1 + 1 = -1; input and output must each be at least 1. "
                "Give a larger input or less padding."
            ),
        ),
        (
            lambda: geometry.conv_transpose2d((1, 1, 0, 2), (1, 1, 3, 2), who="ConvTranspose2d"),
            RuntimeError,
            (
                "ConvTranspose2d: the output's height would be (size - 1) * stride - 2 * padding + "
                "dilation * (kernel_size - 1) + "
                "output_padding + 1 = -1 * 1 - 2 * 0 + 1 * 2 + 0 + 1 = 2; input and output must each be at least 1. "
                "Give a larger input or less padding."
            ),
        ),
        (
            lambda: geometry.check_output_padding((0, 2), (3, 2), (1, 1), "ConvTranspose2d"),
            ValueError,
            (
                "ConvTranspose2d: output_padding must be smaller than stride or dilation, but 2 >= stride 2 "
                "and >= dilation 1."
            ),
        ),
        (
            lambda: geometry.check_output_padding(-1, (3, 2), (1, 1), "ConvTranspose2d"),
            ValueError,
            "ConvTranspose2d: output_padding must be an int or a pair of ints, at least 0, got -1.",
        ),
        (
            lambda: geometry.check_pool_padding((1, 2), (2, 3), "MaxPool2d"),
            ValueError,
            "MaxPool2d: padding must be at most half the kernel size, got padding 2 with kernel size 3.",
        ),
        (
            lambda: geometry.check_pool_padding(-1, (2, 3), "MaxPool2d"),
            ValueError,
            "MaxPool2d: padding must be an int or a pair of ints, at least 0, got -1.",
        ),
        (
            lambda: geometry.max_pool2d((1, 2, 9, 2), 3, (1, 2), who="MaxPool2d"),
            RuntimeError,
            (
                "MaxPool2d: no window fits into the input (1, 2, 9, 2): width 2 becomes floor((2 + 2 * "
                "padding 0 - dilation 1 * "
                "(kernel_size 3 - 1) - 1) / stride 2) + 1 = 0; channels, input and output must be at least 1. "
                "Give a larger input or padding."
            ),
        ),
        (
            lambda: geometry.max_pool2d((1, 0, 9, 9), 3, ceil_mode=True, who="MaxPool2d"),
            RuntimeError,
            (
                "MaxPool2d: no window fits into the input (1, 0, 9, 9): height 9 becomes ceil((9 + 2 * "
                "padding 0 - dilation 1 * "
                "(kernel_size 3 - 1) - 1) / stride 3) + 1 = 3; channels, input and output must be at least 1. "
                "Give a larger input or padding."
            ),
        ),
        (
            lambda: geometry.max_pool2d((1, 1, 9, 2), (1, 4), 1, (0, 2), (1, 3), True, who="MaxPool2d"),
            RuntimeError,
            (
                "MaxPool2d: no window fits into the input (1, 1, 9, 2): width 2 becomes ceil((2 + 2 * "
                "padding 2 - dilation 3 * "
                "(kernel_size 4 - 1) - 1) / stride 1) + 1 = -3; channels, input and output must be at least 1. "
                "Give a larger input or padding."
            ),
        ),
        (
            lambda: geometry.max_pool2d((1, 1, 9, 1), (1, 2), 1, (0, 1), (1, 2), who="MaxPool2d"),
            ValueError,
            (
                "MaxPool2d: with padding 1 and dilation 2 a window has no element of the input's width 1 "
                "under it, so it has no "
                "maximum. Choose a dilation of at most 1."
            ),
        ),
        (
            lambda: geometry.output_padding_for(5, (1, 1, 4, 4), (2, 2), (2, 2), (0, 0), (1, 1), "ConvTranspose2d"),
            TypeError,
            "ConvTranspose2d: output_size must be a tuple of ints, got 5.",
        ),
        (
            lambda: geometry.output_padding_for((5,), (1, 1, 4, 4), (2, 2), (2, 2), (0, 0), (1, 1), "ConvTranspose2d"),
            ValueError,
            (
                "ConvTranspose2d: output_size must give (height, width) or as many numbers as the input "
                "has dimensions, got (5,) "
                "for an input of shape (1, 1, 4, 4)."
            ),
        ),
        (
            lambda: geometry.output_padding_for((7, 7), (4, 4), (2, 2), (2, 2), (0, 0), (1, 1), "ConvTranspose2d"),
            ValueError,
            (
                "ConvTranspose2d: output_size must give (height, width) or as many numbers as the input "
                "has dimensions, got (7, 7) "
                "for an input of shape (4, 4)."
            ),
        ),
        (
            lambda: geometry.output_padding_for((1, 1, 9, 12), (1, 1, 4, 5), (2, 2), (2, 2), (0, 0), (1, 1), "ConvT"),
            ValueError,
            (
                "ConvT: output_size (9, 12) cannot be reached from an input of (4, 5); the sizes from (8, "
                "10) to (9, 11) can."
            ),
        ),
        (
            lambda: geometry.output_padding_for((7, 11), (1, 1, 4, 5), (2, 2), (2, 2), (0, 0), (1, 1), "ConvT"),
            ValueError,
            (
                "ConvT: output_size (7, 11) cannot be reached from an input of (4, 5); the sizes from (8, "
                "10) to (9, 11) can."
            ),
        ),
    ],
)
def test_an_error_says_all_of_it(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == text
    assert type(caught.value) is error


@pytest.mark.parametrize("shape", [(5, 4, 5), (2, 5, 4, 5)])
@pytest.mark.parametrize("whole", [False, True])
def test_the_output_size_may_be_the_whole_shape(shape, whole):
    for sizes, expected in (((8, 10), (0, 0)), ((9, 11), (1, 1)), ((8, 11), (0, 1))):
        wanted = (*shape[:-2], *sizes) if whole else sizes
        found = geometry.output_padding_for(wanted, shape, (2, 2), (2, 2), (0, 0), (1, 1), "ConvTranspose2d")
        assert found == expected
