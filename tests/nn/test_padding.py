"""pad, unfold and fold and their gradients: torch as the judge, and the laws that hold
between them.
"""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minicnn.nn import functional as F
from tests.support import oracle, strategies
from tests.support.oracle import torch

pytestmark = pytest.mark.usefixtures("backend")

MODES = ("constant", "reflect", "replicate", "circular")
OLD_TORCH = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 14)


def torch_pad(arguments):
    return lambda x: torch.nn.functional.pad(x, **arguments)


def without_value(arguments):
    return {name: arguments[name] for name in ("pad", "mode")}


# ---------------------------------------------------------------------------------- pad


@pytest.mark.differential
@given(strategies.pads(), st.sampled_from([strategies.integers, strategies.specials]), strategies.layouts)
def test_pad_agrees_bit_for_bit_in_every_layout(case, values, layouts):
    values = values if case.dtype in strategies.FLOATS else strategies.integers
    plain, grad = case.arrays(values)[0], case.arrays(strategies.integers)[3]
    x, grad = arrays = strategies.lay_out([plain, grad], layouts)
    with oracle.unchanged(arrays):
        output = F.pad(x, **case.arguments)
    assert output.shape == case.output
    oracle.assert_identical(output, oracle.run(torch_pad(case.arguments), [plain]))
    if case.dtype in strategies.FLOATS:
        with oracle.unchanged(arrays):
            grad_input = F.pad_backward(grad, **without_value(case.arguments))
        oracle.assert_equal(grad_input, oracle.differentiate(torch_pad(case.arguments), [plain], grad)[1])


@pytest.mark.differential
@given(strategies.pads(), st.sampled_from(strategies.FLOATS))
def test_pads_gradient_on_reals_is_within_the_bound_for_sums(case, dtype):
    x, _, _, grad = case.arrays(strategies.reals, dtype)
    exact, function = [x.astype(np.float64)], torch_pad(case.arguments)
    expected = oracle.differentiate(function, exact, grad.astype(np.float64))[1]
    scale = oracle.magnitudes(function, exact, grad.astype(np.float64))[1]
    copies = case.output[-2] * case.output[-1]  # of one pixel, at most
    oracle.assert_close(F.pad_backward(grad, **without_value(case.arguments)), expected, scale, copies)


@given(strategies.pads())
def test_the_gradient_of_pad_is_its_adjoint(case):
    """<pad(x), g> = <x, pad_backward(g)>."""
    x, _, _, grad = case.arrays(strategies.integers, "float64")
    arguments = without_value(case.arguments)
    assert np.sum(F.pad(x, **arguments) * grad) == np.sum(x * F.pad_backward(grad, **arguments))


@pytest.mark.parametrize(
    ("mode", "row"),
    [
        ("reflect", [2, 1, 0, 1, 2, 3, 2, 1]),
        ("replicate", [0, 0, 0, 1, 2, 3, 3, 3]),
        ("circular", [2, 3, 0, 1, 2, 3, 0, 1]),
        ("constant", [0, 0, 0, 1, 2, 3, 0, 0]),
    ],
)
def test_the_modes_copy_what_the_docstring_shows(mode, row):
    line = np.arange(4).reshape(1, 1, 4)
    assert F.pad(line, (2, 2, 0, 0), mode)[0, 0].tolist() == row
    assert F.pad(line.swapaxes(1, 2), (0, 0, 2, 2), mode)[0, :, 0].tolist() == row


# ------------------------------------------------------------------------- unfold, fold


def torch_unfold(arguments):
    return lambda x: torch.nn.functional.unfold(x, **arguments)


@pytest.mark.differential
@given(strategies.unfolds(), strategies.layouts)
def test_unfold_and_its_gradient_agree_bit_for_bit_in_every_layout(case, layouts):
    plain = [case.arrays(strategies.integers)[i] for i in (0, 3)]
    x, grad = arrays = strategies.lay_out(plain, layouts)
    with oracle.unchanged(arrays):
        output = F.unfold(x, **case.arguments)
        grad_input = F.unfold_backward(grad, x.shape[-2:], **case.arguments)
    assert output.shape == case.output
    expected = oracle.differentiate(torch_unfold(case.arguments), plain[:1], plain[1])
    oracle.assert_equal(output, expected[0], "output")
    oracle.assert_equal(grad_input, expected[1], "grad_input")


def test_the_arguments_come_in_torchs_order():
    x, positions = np.random.default_rng(0).standard_normal((2, 9, 8)), ((2, 3), (3, 2), (1, 2), (2, 1))
    cols = oracle.run(lambda x: torch.nn.functional.unfold(x, *positions), [x])
    oracle.assert_identical(F.unfold(x, *positions), cols)
    folded = oracle.run(lambda cols: torch.nn.functional.fold(cols, (9, 8), *positions), [cols])
    oracle.assert_close(F.fold(cols, (9, 8), *positions), folded, np.abs(folded) + 10, 6)


@pytest.mark.differential
@given(strategies.unfolds(), strategies.layouts)
def test_fold_and_its_gradient_agree_bit_for_bit_in_every_layout(case, layouts):
    plain = [case.arrays(strategies.integers)[i] for i in (3, 0)]  # the patches come in, images come out
    size = case.input[-2:]
    cols, grad = arrays = strategies.lay_out(plain, layouts)
    with oracle.unchanged(arrays):
        output = F.fold(cols, size, **case.arguments)
        grad_input = F.fold_backward(grad, **case.arguments)
    assert output.shape == case.input
    expected = oracle.differentiate(
        lambda cols: torch.nn.functional.fold(cols, size, **case.arguments), plain[:1], plain[1]
    )
    oracle.assert_equal(output, expected[0], "output")
    oracle.assert_equal(grad_input, expected[1], "grad_input")


@pytest.mark.differential
@given(strategies.unfolds(), st.sampled_from(strategies.FLOATS))
def test_fold_on_reals_is_within_the_bound_for_sums(case, dtype):
    cols, size = case.arrays(strategies.reals, dtype)[3], case.input[-2:]
    exact = cols.astype(np.float64)
    expected, scale = (
        oracle.run(lambda cols: torch.nn.functional.fold(cols, size, **case.arguments), [a])
        for a in (exact, abs(exact))
    )
    KH, KW = np.broadcast_to(case.arguments["kernel_size"], 2)
    oracle.assert_close(F.fold(cols, size, **case.arguments), expected, scale, KH * KW)


@given(strategies.unfolds())
def test_fold_is_the_adjoint_of_unfold(case):
    """<unfold(x), g> = <x, fold(g)>."""
    x, _, _, grad = case.arrays(strategies.integers)
    assert np.sum(F.unfold(x, **case.arguments) * grad) == np.sum(x * F.fold(grad, x.shape[-2:], **case.arguments))


@given(strategies.unfolds())
def test_unfold_then_fold_counts_how_many_windows_see_each_pixel(case):
    x = case.arrays(strategies.integers)[0]
    ones = F.fold(np.ones(case.output, case.dtype), x.shape[-2:], **case.arguments)
    oracle.assert_equal(F.fold(F.unfold(x, **case.arguments), x.shape[-2:], **case.arguments), ones * x)


@given(strategies.convolutions(paddings=("numbers",), grouped=False))
def test_convolution_is_a_product_with_the_unfolded_input(case):
    x, weight, _, _ = case.arrays(strategies.integers, "float64")
    arguments = {name: case.arguments[name] for name in ("stride", "padding", "dilation")}
    product = weight.reshape(len(weight), -1) @ F.unfold(x, weight.shape[-2:], **arguments)
    oracle.assert_equal(F.conv2d(x, weight, **arguments), product.reshape(case.output))


# ----------------------------------------------------------------------------- rejected


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


X = zeros(1, 2, 3, 4)

REJECTED = {
    "reflect too far": (F.pad, (X, (0, 0, 3, 0), "reflect"), RuntimeError, "'reflect' .*height 3 by at most 2 .*got 3"),
    "circular too far": (
        F.pad,
        (X, (0, 5, 0, 0), "circular"),
        RuntimeError,
        "'circular' .*width 4 by at most 4 .*got 5",
    ),
    "mode": (F.pad, (X, (0, 0, 0, 0), "mirror"), ValueError, "pad: mode .*got 'mirror'"),
    "three widths": (F.pad, (X, (1, 1, 1)), ValueError, r"pad must be four widths.*got \(1, 1, 1\)"),
    "negative width": (F.pad, (X, (1, 1, -1, 1)), ValueError, r"none negative, got \(1, 1, -1, 1\)"),
    "half a width": (F.pad, (X, (1, 1, 0.5, 1)), TypeError, "pad.*0.5"),
    "pad 2-D": (F.pad, (X[0, 0], (1, 1, 1, 1)), RuntimeError, r"2 dimension\(s\): \(3, 4\)"),
    "pad bool": (F.pad, (X > 0, (1, 1, 1, 1)), RuntimeError, "bool"),
    "pad list": (F.pad, (X.tolist(), (1, 1, 1, 1)), TypeError, "pad: input must be a NumPy array, got list"),
    "pad no rows": (F.pad, (zeros(1, 1, 0, 4), (1, 1, 1, 1), "replicate"), RuntimeError, "height 0"),
    "pad gradient": (F.pad_backward, (X, (0, 0, 2, 2), "reflect"), RuntimeError, "pad_backward: .*height"),
    "pad gradient mode": (F.pad_backward, (X, (0, 0, 1, 1), "mirror"), ValueError, "pad_backward: mode .*'mirror'"),
    "unfold kernel": (F.unfold, (X, 4), RuntimeError, r"unfold: .*height 3 becomes floor\(\(3 \+ 0 of padding"),
    "unfold kernel 0": (F.unfold, (X, 0), ValueError, "unfold: kernel_size .*got 0"),
    "unfold 'same'": (F.unfold, (X, 2, 1, "same"), TypeError, "unfold: padding .*got 'same'"),
    "unfold stride 0": (F.unfold, (X, 2, 1, 0, 0), ValueError, "unfold: stride .*got 0"),
    "unfold integers": (F.unfold, (X.astype(int), 2), RuntimeError, "unfold: input has dtype int64.*float32"),
    "unfold 2-D": (F.unfold, (X[0, 0], 2), RuntimeError, r"2 dimension\(s\)"),
    "unfold no channels": (F.unfold, (zeros(1, 0, 3, 4), 2), RuntimeError, r"unfold: .*\(1, 0, 3, 4\)"),
    "fold rows": (
        F.fold,
        (zeros(1, 7, 4), (3, 3), 2),
        RuntimeError,
        r"multiple of KH \* KW = 4, got shape \(1, 7, 4\)",
    ),
    "fold patches": (
        F.fold,
        (zeros(1, 8, 5), (3, 3), 2),
        RuntimeError,
        r"3 x 3 has .*= 2 \* 2 = 4 patches, got 5.*= floor\(\(3 \+ 2 \* 0 - 1 \* 1 - 1\) / 1\) \+ 1",
    ),
    "fold 4-D": (F.fold, (X, (3, 3), 2), RuntimeError, r"got shape \(1, 2, 3, 4\)"),
    "fold size 0": (F.fold, (zeros(1, 8, 4), (3, 0), 2), ValueError, r"output_size .*got \(3, 0\)"),
    "fold 'same'": (F.fold, (zeros(1, 8, 9), (3, 3), 2, 1, "same"), TypeError, "fold: padding .*got 'same'"),
}


@pytest.mark.parametrize("name", REJECTED)
def test_a_rejected_call_says_what_was_expected_and_what_came(name):
    function, arguments, error, text = REJECTED[name]
    with pytest.raises(error, match=text):
        function(*arguments)


@pytest.mark.differential
@given(
    strategies.pairs(0, 4),
    st.lists(st.integers(0, 5), min_size=4, max_size=4),
    st.sampled_from([*MODES, "mirror"]),
    st.booleans(),
)
@example((0, 2), [1, 0, 0, 0], "circular", True)  # without rows there is nothing to copy, and nothing to be copied
def test_pad_rejects_what_torch_rejects(size, widths, mode, batched):
    if OLD_TORCH and mode == "constant" and 0 in size:
        pytest.skip("torch before 2.14 does not pad an image without rows or columns")
    x = zeros(*(2, 3, *size)[1 - batched :])
    oracle.assert_both_reject(
        lambda: F.pad(x, tuple(widths), mode), lambda: torch.nn.functional.pad(oracle.tensor(x), tuple(widths), mode)
    )


@st.composite
def wild_calls(draw):
    """Shapes and arguments that may or may not fit."""
    shape = (draw(st.integers(0, 2)), draw(st.integers(0, 3)), *draw(strategies.pairs(0, 5)))
    usual = {"kernel_size": 2, "stride": 1, "dilation": 1, "padding": 0}
    arguments = {name: draw(strategies.mostly(value, strategies.wild_pairs)) for name, value in usual.items()}
    return shape[draw(strategies.mostly(0, st.integers(0, 2))) :], arguments


@pytest.mark.differential
@given(wild_calls())
def test_unfold_rejects_what_torch_rejects(call):
    x, arguments = zeros(*call[0]), call[1]
    oracle.assert_both_reject(
        lambda: F.unfold(x, **arguments), lambda: oracle.run(torch_unfold(arguments), [x]), x.size == 0
    )


@pytest.mark.differential
@given(wild_calls(), st.integers(0, 9), st.integers(0, 9))
def test_fold_rejects_what_torch_rejects(call, rows, patches):
    shape, arguments = call
    *batch, H, W = shape
    cols = zeros(*batch[:1], rows, patches)
    oracle.assert_both_reject(
        lambda: F.fold(cols, (H, W), **arguments),
        lambda: torch.nn.functional.fold(oracle.tensor(cols), (H, W), **arguments),
        cols.size == 0,
    )
