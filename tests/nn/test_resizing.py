"""interpolate and max_unpool2d: torch as the judge, laws, and what is refused."""

import warnings

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
TF = torch.nn.functional

factors = st.sampled_from([2, 2.0, 1.0, 0.5, 1.3, 3, 1 / 3, 0.7, 2.5])


@st.composite
def resizings(draw, modes=("nearest", "nearest-exact", "bilinear")):
    """(input shape, arguments, dtype, seed), with a pixel left."""
    N, C, (H, W) = draw(st.integers(0, 3)), draw(st.integers(1, 3)), draw(strategies.pairs(1, 9))
    mode = draw(st.sampled_from(modes))
    arguments = {"mode": mode}
    if mode == "bilinear":
        arguments["align_corners"] = draw(st.sampled_from([None, False, True]))
    if draw(st.booleans()):
        arguments["size"] = draw(st.one_of(strategies.pairs(1, 12), st.integers(1, 12)))
    else:
        down, across = draw(factors), draw(factors)
        down, across = (factor if size * factor >= 1 else 1.5 for factor, size in ((down, H), (across, W)))
        arguments["scale_factor"] = (down, across) if draw(st.booleans()) or W * down < 1 else down
        arguments["recompute_scale_factor"] = draw(st.sampled_from([None, False, True]))
    return (N, C, H, W), arguments, draw(st.sampled_from(strategies.FLOATS)), draw(strategies.seeds)


def theirs(arguments):
    """torch's function. It takes a tuple of factors only where all are floats."""
    given_arguments = dict(arguments)
    factor = given_arguments.get("scale_factor")
    if factor is not None:
        given_arguments["scale_factor"] = tuple(map(float, factor)) if isinstance(factor, tuple) else float(factor)
    return lambda x: TF.interpolate(x, **given_arguments)


def ours(x, grad, arguments):
    return [F.interpolate(x, **arguments), F.interpolate_backward(grad, x.shape, **arguments)]


# -------------------------------------------------------------------------- interpolate


@pytest.mark.differential
@given(resizings(modes=("nearest", "nearest-exact")), strategies.layouts)
def test_nearest_agrees_bit_for_bit_with_nan_and_infinity(case, layouts):
    shape, arguments, dtype, seed = case
    rng = np.random.default_rng(seed)
    plain = strategies.specials(rng, shape).astype(dtype)
    expected = oracle.run(theirs(arguments), [plain])
    grad = rng.integers(-4, 5, expected.shape).astype(dtype)
    x, upstream = arrays = strategies.lay_out([plain, grad], layouts)
    with oracle.unchanged(arrays):
        output, grad_input = ours(x, upstream, arguments)
    oracle.assert_identical(output, expected)
    if plain.size:
        _, wanted = oracle.differentiate(theirs(arguments), [np.zeros(shape, dtype)], grad)
        oracle.assert_equal(grad_input, wanted)


@pytest.mark.differential
@given(resizings(modes=("bilinear",)), strategies.layouts)
def test_bilinear_agrees_within_rounding(case, layouts):
    shape, arguments, dtype, seed = case
    rng = np.random.default_rng(seed)
    plain = strategies.reals(rng, shape).astype(dtype)
    exact = plain.astype(np.float64)
    grad = rng.standard_normal(oracle.run(theirs(arguments), [plain]).shape).astype(dtype)
    x, upstream = arrays = strategies.lay_out([plain, grad], layouts)
    with oracle.unchanged(arrays):
        found = ours(x, upstream, arguments)
    assert [result.dtype for result in found] == [dtype, dtype]
    if not plain.size:
        assert [result.shape for result in found] == [grad.shape, shape]
        return
    expected = oracle.differentiate(theirs(arguments), [exact], grad.astype(np.float64))
    sizes = oracle.magnitudes(theirs(arguments), [exact], grad.astype(np.float64))
    n = 2 * max(*shape, *grad.shape) + 8
    for result, wanted, size in zip(found, expected, bounds.around(*sizes, np.abs(exact)), strict=True):
        oracle.assert_close(result, wanted, size, n + grad.size)


@given(resizings())
def test_backward_is_the_transpose_of_forward_and_the_layer_is_the_function(case):
    shape, arguments, _, seed = case
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    layer = nn.Upsample(**arguments)
    output = layer(x)
    grad = rng.standard_normal(output.shape)
    grad_input = layer.backward(grad)
    oracle.assert_equal(output, F.interpolate(x, **arguments))
    oracle.assert_equal(grad_input, F.interpolate_backward(grad, shape, **arguments))
    size = np.abs(x).sum() * np.abs(grad).sum()
    assert abs((output * grad).sum() - (x * grad_input).sum()) <= 1e-12 * size


@given(resizings())
def test_an_image_of_one_colour_stays_so(case):
    shape, arguments, dtype, _ = case
    output = F.interpolate(np.full(shape, 3, dtype), **arguments)
    np.testing.assert_allclose(output, 3, rtol=4 * np.finfo(dtype).eps)


def test_twice_as_large_and_the_mean_of_each_four_is_the_image_again():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    np.testing.assert_allclose(F.avg_pool2d(F.interpolate(x, scale_factor=2), 2), x, rtol=1e-15)


# ---------------------------------------------------------------------------- unpooling


@pytest.mark.differential
@given(strategies.pools(strategies.FLOATS, dilation=1), strategies.layouts, st.integers(0, 2))
@example(
    strategies.Case(
        (1, 1, 3, 3),
        None,
        None,
        (1, 1, 2, 2),
        {"kernel_size": 2, "stride": 1, "padding": 0, "ceil_mode": False},
        "float32",
        0,
    ),
    ["plain"] * 4,
    0,
)  # windows overlap, so that a place comes twice
def test_unpooling_agrees_with_torch_behind_any_pooling(case, layouts, more):
    """Of places that come twice the numbers are equal, so it does not matter who is last."""
    maxima, indices = F.max_pool2d(case.arrays(strategies.reals)[0], **case.arguments, return_indices=True)
    arguments = {name: case.arguments[name] for name in ("kernel_size", "stride", "padding")}
    arguments = {name: tuple(v) if isinstance(v, list) else v for name, v in arguments.items()}
    rng = np.random.default_rng(case.seed)
    sizes = [None, case.input[-2:], (*case.input[:-2], *case.input[-2:])][more]
    arguments["output_size"] = sizes

    def by_torch(x):
        return TF.max_unpool2d(x, oracle.tensor(indices), **arguments)

    x, places = arrays = strategies.lay_out([maxima, indices], layouts)
    refused = oracle.rejects(lambda: oracle.run(by_torch, [maxima]))
    nothing = not maxima.size or (not refused and not oracle.run(by_torch, [maxima]).size)
    if refused or nothing:  # torch is content with an output without pixels
        assert nothing or oracle.rejects(lambda: F.max_unpool2d(x, places, **arguments))
        return
    output = F.max_unpool2d(x, places, **arguments)
    grad = rng.standard_normal(output.shape).astype(case.dtype)
    with oracle.unchanged(arrays):
        grad_input = F.max_unpool2d_backward(grad, places, **arguments)
    expected = oracle.differentiate(by_torch, [maxima], grad)
    oracle.assert_identical(output, expected[0])
    oracle.assert_identical(grad_input, expected[1])


@given(st.integers(1, 3), strategies.seeds)
def test_the_layer_puts_the_maxima_back_and_pooling_finds_them_again(K, seed):
    """Of positive numbers, as the rest is 0."""
    rng = np.random.default_rng(seed)
    x = rng.random((2, 3, 2 * K, 3 * K)) + 0.1
    pool, unpool = nn.MaxPool2d(K, return_indices=True), nn.MaxUnpool2d(K)
    maxima, indices = pool(x)
    output = unpool(maxima, indices)
    assert output.shape == x.shape
    assert ((output == x) | (output == 0)).all()
    oracle.assert_equal(F.max_pool2d(output, K), maxima)
    grad = rng.standard_normal(x.shape)
    oracle.assert_equal(unpool.backward(grad), F.max_unpool2d_backward(grad, indices, K))


def test_gradcheck_passes():
    rng = np.random.default_rng(0)
    for layer in (
        nn.Upsample(scale_factor=2),
        nn.Upsample(size=(5, 2), mode="bilinear"),
        nn.Upsample(size=(5, 7), mode="bilinear", align_corners=True),
    ):
        report = gradcheck(layer, rng.standard_normal((2, 2, 3, 4)))
        assert report, str(report)
    maxima, indices = F.max_pool2d(rng.standard_normal((2, 2, 4, 4)), 2, return_indices=True)
    assert gradcheck(nn.MaxUnpool2d(2), (maxima, indices))


@pytest.mark.parametrize(
    ("ours_", "theirs_"),
    [
        (nn.Upsample(scale_factor=2), torch.nn.Upsample(scale_factor=2)),
        (nn.Upsample(scale_factor=(2, 3)), torch.nn.Upsample(scale_factor=(2, 3))),
        (nn.Upsample(size=(3, 4), mode="bilinear"), torch.nn.Upsample(size=(3, 4), mode="bilinear")),
        (nn.MaxUnpool2d(2), torch.nn.MaxUnpool2d(2)),
        (nn.MaxUnpool2d((3, 2), 2, 1), torch.nn.MaxUnpool2d((3, 2), 2, 1)),
    ],
    ids=repr,
)
def test_repr_is_torchs(ours_, theirs_):
    assert repr(ours_) == repr(theirs_)


def test_tensors_in_tensors_out():
    x = torch.arange(4.0).reshape(1, 1, 2, 2)
    for mode in ("nearest", "bilinear"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert torch.equal(F.interpolate(x, scale_factor=2, mode=mode), TF.interpolate(x, None, 2, mode))
    maxima, indices = F.max_pool2d(x, 2, return_indices=True)
    assert torch.equal(F.max_unpool2d(maxima, indices, 2), TF.max_unpool2d(maxima, indices, 2))
    assert torch.equal(F.max_unpool2d_backward(x, indices, 2), torch.tensor([[[[3.0]]]]))


# ----------------------------------------------------------------------------- rejected

IMAGE, PLACES = np.zeros((1, 1, 2, 2)), np.arange(4).reshape(1, 1, 2, 2)


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: nn.Upsample(), ValueError, "Upsample: give size or scale_factor, one of them, got None and None"),
        (lambda: nn.Upsample(2, 2), ValueError, "give size or scale_factor, one of them, got 2 and 2"),
        (lambda: nn.Upsample(2, mode="cubic"), ValueError, "mode must be one of 'nearest'.*got 'cubic'"),
        (lambda: nn.Upsample(2, align_corners=False), ValueError, "align_corners belongs to mode='bilinear'"),
        (lambda: nn.Upsample(0), ValueError, "size must be .* at least 1, got 0"),
        (lambda: nn.Upsample(scale_factor=0), ValueError, "scale_factor must be a positive number or two, got 0"),
        (lambda: nn.Upsample(scale_factor=(1, 2, 3)), ValueError, r"got \(1, 2, 3\)"),
        (lambda: nn.Upsample(2, recompute_scale_factor=True), ValueError, "recompute_scale_factor belongs to"),
        (lambda: F.interpolate(IMAGE[0], 2), RuntimeError, r"must be \(N, C, H, W\).*x\[None\]"),
        (lambda: F.interpolate(IMAGE, scale_factor=0.1), RuntimeError, "2 x 2 pixels times 0.1 leave none"),
        (lambda: F.interpolate(IMAGE.astype(int), 2), RuntimeError, "interpolate: input has dtype int64"),
        (lambda: F.interpolate_backward(IMAGE, (1, 1, 2, 2), 3), RuntimeError, r"shape \(1, 1, 3, 3\)"),
        (lambda: nn.MaxUnpool2d(0), ValueError, "MaxUnpool2d: kernel_size.*got 0"),
        (lambda: F.max_unpool2d(IMAGE, PLACES + 13, 2), IndexError, r"indices must lie in \[0, 16\), got 13 to 16"),
        (lambda: F.max_unpool2d(IMAGE, PLACES[:, :, :1], 2), RuntimeError, r"indices must have shape \(1, 1, 2, 2\)"),
        (lambda: F.max_unpool2d(IMAGE, PLACES * 1.0, 2), RuntimeError, "indices has dtype float64"),
        (lambda: F.max_unpool2d(IMAGE, PLACES, 2, output_size=(4, 6)), ValueError, r"from \(3, 3\) to \(5, 5\) can"),
        (lambda: F.max_unpool2d(IMAGE, PLACES, 2, output_size=4), TypeError, "must be a tuple of ints, got 4"),
        (lambda: F.max_unpool2d(IMAGE, PLACES, 2, output_size=(4, 4, 4)), ValueError, r"or \(N, C, H, W\)"),
        (lambda: F.max_unpool2d_backward(IMAGE, PLACES, 2), RuntimeError, r"shape \(1, 1, 4, 4\)"),
    ],
)
def test_what_does_not_fit_is_refused(call, kind, text):
    with pytest.raises(kind, match=text):
        call()
