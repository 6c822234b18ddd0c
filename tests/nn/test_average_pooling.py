"""avg_pool2d and adaptive_avg_pool2d: torch as the judge, laws, and what is refused."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minicnn import gradcheck, nn
from minicnn.nn import functional as F
from tests.support import oracle, strategies
from tests.support.oracle import torch

pytestmark = pytest.mark.usefixtures("backend")

either = st.one_of(
    st.tuples(st.just("avg_pool2d"), strategies.average_pools()),
    st.tuples(st.just("adaptive_avg_pool2d"), strategies.adaptive_pools()),
)
LAYERS = {"avg_pool2d": nn.AvgPool2d, "adaptive_avg_pool2d": nn.AdaptiveAvgPool2d}


def ours(name, x, grad, arguments):
    backward = getattr(F, f"{name}_backward")
    return [getattr(F, name)(x, **arguments), backward(grad, x.shape, **arguments)]


def theirs(name, arguments):
    """torch's function; of lists it takes only some."""
    spelled = {key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()}
    return lambda x: getattr(torch.nn.functional, name)(x, **spelled)


# ------------------------------------------------------------------------- torch's word


def behind_the_padding(include):
    """Windows of which the last ones reach past the image, and past the padding."""
    arguments = {"kernel_size": 3, "stride": 2, "padding": 0, "ceil_mode": True, "count_include_pad": include}
    return "avg_pool2d", strategies.Case((1, 1, 6, 4), None, None, (1, 1, 3, 2), arguments, "float64", 0)


@pytest.mark.differential
@given(either, strategies.layouts)
@example(behind_the_padding(include=True), ["plain"] * 4)
@example(behind_the_padding(include=False), ["plain"] * 4)
def test_integers_agree_and_the_means_bit_for_bit(drawn, layouts):
    """Their sums are exact, and then there is one division (in torch, adaptive, one by height
    and one by width, as 2.9 does it); a gradient adds what is rounded.
    """
    name, case = drawn
    x, _, _, grad = case.arrays(strategies.integers)
    arrays = strategies.lay_out([x, grad], layouts)
    with oracle.unchanged(arrays):
        output, grad_input = ours(name, *arrays, case.arguments)
    expected = oracle.differentiate(theirs(name, case.arguments), [x], grad)
    assert output.shape == case.output
    if name == "avg_pool2d":
        oracle.assert_equal(output, expected[0], "output")
    oracle.assert_close(output, expected[0], np.abs(expected[0]), 1)
    assert grad_input.dtype == case.dtype
    size = np.full(x.shape, np.abs(grad).sum())
    oracle.assert_close(grad_input, expected[1], size, grad.size + 2)


@pytest.mark.differential
@given(either)
def test_reals_agree_within_rounding(drawn):
    name, case = drawn
    x, _, _, grad = case.arrays(strategies.reals)
    function = theirs(name, case.arguments)
    expected = oracle.differentiate(function, [x.astype(np.float64)], grad.astype(np.float64))
    sizes = [np.abs(size) for size in oracle.magnitudes(function, [x.astype(np.float64)], grad.astype(np.float64))]
    for found, wanted, size in zip(ours(name, x, grad, case.arguments), expected, sizes, strict=True):
        oracle.assert_close(found, wanted, size, max(x.size, grad.size) + 2)


@pytest.mark.differential
@given(either)
def test_nan_and_infinity_agree_and_stay_under_their_windows(drawn):
    name, case = drawn
    x = case.arrays(strategies.specials)[0]
    with np.errstate(invalid="ignore"):
        output = getattr(F, name)(x, **case.arguments)
    expected = oracle.run(theirs(name, case.arguments), [x])
    assert output.dtype == expected.dtype
    np.testing.assert_allclose(output, expected, rtol=2 * np.finfo(x.dtype).eps)


@given(either)
def test_the_layer_agrees_with_the_function(drawn):
    name, case = drawn
    x, _, _, grad = case.arrays(strategies.reals)
    layer = LAYERS[name](**case.arguments)
    output, grad_input = ours(name, x, grad, case.arguments)
    oracle.assert_equal(layer(x), output)
    oracle.assert_equal(layer.backward(grad), grad_input)


# --------------------------------------------------------------------------------- laws


@given(either)
def test_backward_is_the_transpose_of_forward(drawn):
    """<pool(x), g> = <x, backward(g)>."""
    name, case = drawn
    x, _, _, grad = case.arrays(strategies.reals, np.float64)
    output, grad_input = ours(name, x, grad, case.arguments)
    size = np.abs(x).sum() * np.abs(grad).sum()
    assert abs((output * grad).sum() - (x * grad_input).sum()) <= 1e-12 * size


@given(strategies.adaptive_pools(), st.integers(1, 3), st.integers(1, 3))
def test_windows_side_by_side_are_those_of_avg_pool2d(case, down, across):
    x = case.arrays(strategies.integers)[0]
    *_, H, W = x.shape
    x = np.repeat(np.repeat(x, down, axis=-2), across, axis=-1)
    oracle.assert_close(
        F.adaptive_avg_pool2d(x, (H, W)), F.avg_pool2d(x, (down, across)).astype(np.float64), np.full((H, W), 4.0), 9
    )


@pytest.mark.parametrize(
    "layer",
    [
        nn.AvgPool2d(2),
        nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
        nn.AdaptiveAvgPool2d((3, 4)),
        nn.Identity(),
    ],
    ids=repr,
)
def test_gradcheck_passes(layer):
    report = gradcheck(layer, np.random.default_rng(0).standard_normal((2, 3, 6, 5)))
    assert report, str(report)


def test_no_output_pixels_are_torchs_no_output_pixels():
    x = np.ones((1, 2, 3, 3))
    assert (
        F.adaptive_avg_pool2d(x, (0, 2)).shape == torch.nn.functional.adaptive_avg_pool2d(torch.tensor(x), (0, 2)).shape
    )


def test_identity_gives_the_same_array_and_ignores_its_arguments():
    layer, x = nn.Identity(54, unused=0.1), np.arange(3)
    assert layer(x) is x
    assert layer.backward(x) is x
    assert repr(layer) == repr(torch.nn.Identity(54))
    with pytest.raises(RuntimeError, match="nothing was kept"):
        layer.backward(x)


def test_repr_is_torchs():
    for ours_, theirs_ in [
        (nn.AvgPool2d((2, 3), 1, 1), torch.nn.AvgPool2d((2, 3), 1, 1)),
        (nn.AdaptiveAvgPool2d((None, 3)), torch.nn.AdaptiveAvgPool2d((None, 3))),
    ]:
        assert repr(ours_) == repr(theirs_)


# ----------------------------------------------------------------------------- rejected

IMAGE = np.zeros((1, 1, 4, 4))


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: nn.AvgPool2d(0), ValueError, "AvgPool2d: kernel_size.*got 0"),
        (lambda: nn.AvgPool2d(2, 0), ValueError, "AvgPool2d: stride.*got 0"),
        (lambda: nn.AvgPool2d(3, padding=2), ValueError, "at most half the kernel size"),
        (lambda: nn.AvgPool2d(3, divisor_override=0), ValueError, "divisor_override must not be 0"),
        (lambda: nn.AdaptiveAvgPool2d(-1), ValueError, "output_size.*at least 0, got -1"),
        (lambda: nn.AdaptiveAvgPool2d(2.0), TypeError, "output_size must be an int, got 2.0"),
        (lambda: nn.AdaptiveAvgPool2d((1, 2, 3)), ValueError, "output_size must be an int or a pair"),
        (lambda: F.avg_pool2d(IMAGE, 2, divisor_override=0), RuntimeError, "divisor_override must not be 0"),
        (lambda: F.avg_pool2d(IMAGE, 5), RuntimeError, "no window fits into the input"),
        (lambda: F.avg_pool2d(IMAGE[0, 0], 2), RuntimeError, r"\(N, C, H, W\), or \(C, H, W\)"),
        (lambda: F.avg_pool2d_backward(IMAGE, (4, 4), 2), TypeError, "input_shape must be"),
        (lambda: F.avg_pool2d_backward(IMAGE, (1, 1, 4, 4), 2), RuntimeError, r"shape \(1, 1, 2, 2\)"),
        (lambda: F.adaptive_avg_pool2d(IMAGE[:, :, :0], 1), RuntimeError, "must be at least 1"),
        (lambda: F.adaptive_avg_pool2d_backward(IMAGE, (1, 1, 4, 4), 1), RuntimeError, r"shape \(1, 1, 1, 1\)"),
    ],
)
def test_what_does_not_fit_is_refused(call, kind, text):
    with pytest.raises(kind, match=text):
        call()


@pytest.mark.parametrize("name", LAYERS)
def test_integers_are_refused(name):
    with pytest.raises(RuntimeError, match=f"{name}: input has dtype int64"):
        getattr(F, name)(np.zeros((1, 2, 2), np.int64), 1)
