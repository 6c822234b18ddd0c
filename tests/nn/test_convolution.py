"""conv2d and its gradients: torch as the judge, the laws of a bilinear map, and what is
rejected.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn import geometry, kernels, nn
from minicnn.nn import functional as F
from tests.support import oracle, strategies
from tests.support.bilinear import NAMES, assert_integers_agree, assert_reals_agree
from tests.support.oracle import torch

pytestmark = pytest.mark.usefixtures("backend")


def ours(x, weight, bias, grad, arguments):
    """[output, grad_input, grad_weight, grad_bias]."""
    return [F.conv2d(x, weight, bias, **arguments), *F.conv2d_backward(grad, x, weight, **arguments)]


def theirs(arguments):
    return lambda x, weight, bias: torch.nn.functional.conv2d(x, weight, bias, **arguments)


def terms(case):
    """How many products each element of output, grad_input, grad_weight and grad_bias
    sums, at most.
    """
    (O, CG, KH, KW), N = case.weight, case.output[0] if len(case.output) == 4 else 1
    windows = N * case.output[-2] * case.output[-1]
    return CG * KH * KW + 1, O // case.arguments["groups"] * KH * KW, windows, windows


def of(case, x, weight):
    """The geometry that the kernels get, and the input as a batch."""
    x = x if x.ndim == 4 else x[None]
    return geometry.conv2d(x.shape, weight.shape, **case.arguments), x


# ------------------------------------------------------------------------- torch's word


@pytest.mark.differential
@given(strategies.convolutions(), strategies.layouts)
def test_integers_agree_bit_for_bit_in_every_layout(case, layouts):
    assert_integers_agree(case, layouts, ours, theirs)


@pytest.mark.differential
@given(strategies.convolutions(), st.sampled_from(strategies.FLOATS))
def test_reals_agree_within_the_bound_for_sums(case, dtype):
    assert_reals_agree(case, dtype, ours, theirs, terms)


@pytest.mark.differential
@given(strategies.convolutions(), st.sampled_from(strategies.FLOATS))
def test_nan_and_infinity_travel_as_in_torch(case, dtype):
    """In one array at a time, and only into results where they never meet padding:
    whether a padded zero is multiplied by an infinite weight (NaN) or left out
    (nothing) differs between torch's own algorithms. So does what lies beyond the edge
    of grad_output; in float64 torch leaves it out, so that is the judge (the values fit
    into float32).
    """
    plain, special = case.arrays(strategies.integers, dtype), case.arrays(strategies.specials, dtype)
    for odd, judged in ((0, (0, 2)), (1, (1,)), (3, (1, 3))):
        arrays = [special[i] if i == odd else a for i, a in enumerate(plain)]
        *exact, grad = [a if a is None else a.astype(np.float64) for a in arrays]
        expected = [a.astype(dtype) for a in oracle.differentiate(theirs(case.arguments), exact, grad)]
        with np.errstate(invalid="ignore"):  # NumPy remarks on inf - inf
            results = ours(*arrays, case.arguments)
        for i in judged[: len(expected) - 1]:
            if i < len(expected):
                oracle.assert_equal(results[i], expected[i], NAMES[i])


@pytest.mark.differential
@given(strategies.padded_layers(), strategies.layouts)
def test_the_layer_agrees_with_torchs_layer(case, layouts):
    plain = x, weight, bias, grad = case.arrays(strategies.integers)
    layer = nn.Conv2d(**case.arguments, dtype=case.dtype)
    assert layer.weight.shape == case.weight
    assert layer.weight.dtype == case.dtype
    layer.weight.data = weight
    if bias is not None:
        layer.bias.data = bias
    x, _, _, grad = arrays = strategies.lay_out(plain, layouts)
    with oracle.unchanged([*arrays, weight, bias]):
        output, grad_input = layer(x), layer.backward(grad)

    def reference(x, weight, bias):
        judge = torch.nn.Conv2d(**case.arguments, dtype=x.dtype)
        parameters = {"weight": weight} | ({"bias": bias} if bias is not None else {})
        return torch.func.functional_call(judge, parameters, x)

    expected = oracle.differentiate(reference, plain[:3], plain[3])
    results = [output, grad_input, layer.weight.grad, None if layer.bias is None else layer.bias.grad]
    assert output.shape == case.output
    for name, result, right in zip(NAMES, results, expected, strict=False):
        oracle.assert_equal(result, right, name)


@given(strategies.convolutions())
def test_without_needs_input_grad_only_the_input_gradient_is_missing(case):
    x, weight, _, grad = case.arrays(strategies.integers)
    full = F.conv2d_backward(grad, x, weight, **case.arguments)
    spared = F.conv2d_backward(grad, x, weight, **case.arguments, needs_input_grad=False)
    assert spared[0] is None
    for name, result, right in zip(NAMES[2:], spared[1:], full[1:], strict=True):
        oracle.assert_equal(result, right, name)


def test_the_arguments_come_in_torchs_order():
    rng = np.random.default_rng(0)
    arrays = [strategies.integers(rng, shape) for shape in ((1, 4, 9, 9), (6, 2, 3, 3), (6,))]
    positions = ((1, 2), (2, 1), (2, 1), 2)
    oracle.assert_equal(
        F.conv2d(*arrays, *positions), oracle.run(lambda *t: torch.nn.functional.conv2d(*t, *positions), arrays)
    )


# --------------------------------------------------------------------------------- laws


def padded_axis(padding, K, D):
    """What stands before the image on one axis."""
    return {"same": D * (K - 1) // 2, "valid": 0}.get(padding, padding)


@given(strategies.convolutions())
def test_the_docstrings_formula_gives_the_output(case):
    x, weight, bias, _ = case.arrays(strategies.integers, "int64")
    g, x = of(case, x, weight)
    padding = case.arguments["padding"]
    PH, PW = (padding, padding) if isinstance(padding, (int, str)) else padding
    PH, PW = padded_axis(PH, g.KH, g.DH), padded_axis(PW, g.KW, g.DW)
    framed = np.pad(x, ((0, 0), (0, 0), (PH, 99), (PW, 99)))
    output = np.zeros(g.output_shape, int)
    for o, i, j, kh, kw in np.ndindex(g.O, g.OH, g.OW, g.KH, g.KW):
        block = slice(o // (g.O // g.G) * (g.C // g.G), (o // (g.O // g.G) + 1) * (g.C // g.G))
        output[:, o, i, j] += framed[:, block, i * g.SH + kh * g.DH, j * g.SW + kw * g.DW] @ weight[o, :, kh, kw]
    output += 0 if bias is None else bias[:, None, None]
    oracle.assert_equal(F.conv2d(x, weight, bias, **case.arguments), output)


@given(strategies.convolutions())
def test_the_gradients_are_the_adjoint_maps(case):
    """<conv(x, w), g> = <x, grad_input(g, w)> = <w, grad_weight(g, x)>."""
    x, weight, _, grad = case.arrays(strategies.integers, "int64")
    g, x = of(case, x, weight)
    grad, kernel = grad.reshape(g.output_shape), kernels.current()
    product = np.sum(kernel.conv2d(x, weight, None, g) * grad)
    assert product == np.sum(x * kernel.conv2d_grad_input(grad, weight, g))
    assert product == np.sum(weight * kernel.conv2d_grad_weight(grad, x, g))


@given(strategies.convolutions())
def test_col2im_is_the_adjoint_of_im2col(case):
    x, weight, _, _ = case.arrays(strategies.integers, "int64")
    g, x = of(case, x, weight)
    cols = strategies.integers(np.random.default_rng(case.seed + 1), (g.N, g.C * g.KH * g.KW, g.OH * g.OW))
    kernel = kernels.current()
    assert np.sum(kernel.im2col(x, g) * cols) == np.sum(x * kernel.col2im(cols, g))


@given(strategies.convolutions(grouped=False))
def test_convolution_is_rows_times_cols(case):
    x, weight, _, _ = case.arrays(strategies.integers, "int64")
    g, x = of(case, x, weight)
    product = weight.reshape(g.O, -1) @ kernels.current().im2col(x, g)
    oracle.assert_equal(kernels.current().conv2d(x, weight, None, g), product.reshape(g.output_shape))


@pytest.mark.parametrize("dtype", (*strategies.FLOATS, "int64", *strategies.SMALL_INTEGERS))
def test_im2col_copies_every_number_bit_for_bit(dtype):
    """Also those that no wider type in between could hold."""
    info = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else np.finfo(dtype)
    x = np.array([info.max, info.min, info.max - 1, 0], dtype).reshape(1, 1, 2, 2)
    cols = kernels.current().im2col(x, geometry.conv2d(x.shape, (1, 1, 1, 2), padding=(0, 1)))
    zero = np.zeros(1, dtype)[0]
    a, b, c, d = x.reshape(-1)
    oracle.assert_equal(cols, np.array([[[zero, a, b, zero, c, d], [a, b, zero, c, d, zero]]], dtype))


@pytest.mark.parametrize("dtype", strategies.SMALL_INTEGERS)
def test_small_integers_wrap_around_as_sums_of_them_do(dtype):
    x, weight, bias, grad = (np.full(shape, 7, dtype) for shape in ((2, 2, 5, 5), (3, 2, 3, 3), (3,), (2, 3, 3, 3)))
    wide = ours(*(a.astype("int64") for a in (x, weight, bias, grad)), {})
    for name, result, right in zip(NAMES, ours(x, weight, bias, grad, {}), wide, strict=True):
        oracle.assert_equal(result, right.astype(dtype), name)


@given(strategies.convolutions())
def test_central_differences_give_the_gradients(case):
    """The operation is bilinear, so along any direction the central difference with
    step 1 is exact.
    """
    x, weight, bias, grad = case.arrays(strategies.integers, "int64")
    dx, dweight, dbias, _ = case._replace(seed=case.seed + 1).arrays(strategies.integers, "int64")
    gradients = F.conv2d_backward(grad, x, weight, **case.arguments)
    steps = [(x, dx), (weight, dweight), *([] if bias is None else [(bias, dbias)])]

    def loss(sign):
        moved = [a + sign * step for a, step in steps]
        return np.sum(F.conv2d(*moved, **case.arguments) * grad)

    slope = sum(np.sum(gradient * step) for gradient, (_, step) in zip(gradients, steps, strict=False))
    assert loss(1) - loss(-1) == 2 * slope


@given(strategies.convolutions(), st.integers(-3, 3), st.integers(-3, 3))
def test_convolution_is_linear_in_the_input(case, a, b):
    x, weight, _, _ = case.arrays(strategies.integers, "int64")
    y = strategies.integers(np.random.default_rng(case.seed + 1), x.shape)
    mixed = a * F.conv2d(x, weight, **case.arguments) + b * F.conv2d(y, weight, **case.arguments)
    oracle.assert_equal(F.conv2d(a * x + b * y, weight, **case.arguments), mixed)


@given(strategies.convolutions(paddings=("valid",)))
def test_shifting_the_input_by_a_stride_shifts_the_output_by_one(case):
    x, weight, bias, _ = case.arrays(strategies.integers, "int64")
    SH, SW = np.broadcast_to(case.arguments["stride"], 2)
    wider = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(SH, 0), (SW, 0)], constant_values=3)
    shifted = F.conv2d(wider, weight, bias, **case.arguments)[..., 1:, 1:]
    oracle.assert_equal(F.conv2d(x, weight, bias, **case.arguments), shifted)


@given(strategies.convolutions())
def test_images_of_a_batch_do_not_mix(case):
    x, weight, bias, _ = case.arrays(strategies.integers)
    _, x = of(case, x, weight)
    order = np.random.default_rng(case.seed).permutation(len(x))
    output = F.conv2d(x, weight, bias, **case.arguments)
    oracle.assert_equal(F.conv2d(x[order], weight, bias, **case.arguments), output[order])
    for image, result in zip(x, output, strict=True):
        oracle.assert_equal(F.conv2d(image, weight, bias, **case.arguments), result)


@given(strategies.convolutions())
def test_groups_are_one_convolution_with_a_block_diagonal_weight(case):
    x, weight, bias, _ = case.arrays(strategies.integers, "int64")
    G, (O, CG, KH, KW) = case.arguments["groups"], case.weight
    blocks = np.zeros((O, G * CG, KH, KW), int)
    for o in range(O):
        block = o // (O // G)
        blocks[o, block * CG : (block + 1) * CG] = weight[o]
    whole = F.conv2d(x, blocks, bias, **case.arguments | {"groups": 1})
    oracle.assert_equal(F.conv2d(x, weight, bias, **case.arguments), whole)


@given(strategies.linears())
def test_a_1x1_convolution_is_a_linear_layer_on_every_pixel(case):
    x, weight, bias, _ = case.arrays(strategies.integers, "int64")
    pixels = x.reshape(1, -1, x.shape[-1])  # (H, W, C) with H = 1
    if pixels.size:
        output = F.conv2d(np.moveaxis(pixels, -1, 0), weight[:, :, None, None], bias)
        oracle.assert_equal(np.moveaxis(output, 0, -1), F.linear(pixels, weight, bias))


def test_an_impulse_prints_the_kernel_turned_round():
    x = np.zeros((1, 5, 5), int)
    x[0, 2, 2] = 1
    weight = np.arange(9).reshape(1, 1, 3, 3)
    oracle.assert_equal(F.conv2d(x, weight, padding=1)[0, 1:4, 1:4], weight[0, 0, ::-1, ::-1].copy())


def test_same_padding_puts_the_odd_column_on_the_right():
    x = np.array([[[1, 2, 3, 4]]])
    oracle.assert_equal(F.conv2d(x, np.array([[[[10, 1]]]]), padding="same"), np.array([[[12, 23, 34, 40]]]))


# ----------------------------------------------------------------------------- rejected


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


X, WEIGHT = zeros(1, 2, 5, 6), zeros(4, 2, 3, 3)

REJECTED = {
    "list input": ((X.tolist(), WEIGHT), {}, TypeError, "conv2d: input must be a NumPy array, got list"),
    "float16 input": ((X.astype("f2"), WEIGHT), {}, RuntimeError, "float16.*float32"),
    "bool input": ((X > 0, WEIGHT > 0), {}, RuntimeError, "bool"),
    "complex input": ((X * 1j, WEIGHT * 1j), {}, RuntimeError, "complex64"),
    "dilated int8": ((X.astype("i1"), WEIGHT.astype("i1")), {"dilation": 2}, RuntimeError, "int8.*int64"),
    "dtypes differ": (
        (X, WEIGHT.astype("f8")),
        {},
        RuntimeError,
        "conv2d: (?=.*input is float32)(?=.*weight is float64)",
    ),
    "integer input": ((X.astype(int), WEIGHT), {}, RuntimeError, "(?=.*input is int64)(?=.*weight is float32)"),
    "bias dtype": ((X, WEIGHT, zeros(4, dtype="f8")), {}, RuntimeError, "bias is float64"),
    "bias shape": ((X, WEIGHT, zeros(3)), {}, RuntimeError, r"bias must have shape \(4,\), got \(3,\)"),
    "bias 2-D": ((X, WEIGHT, zeros(1, 4)), {}, RuntimeError, r"\(4,\), got \(1, 4\)"),
    "2-D input": ((X[0, 0], WEIGHT), {}, RuntimeError, r"2 dimension\(s\): \(5, 6\)"),
    "5-D input": ((X[None], WEIGHT), {}, RuntimeError, r"5 dimension"),
    "3-D weight": ((X, WEIGHT[0]), {}, RuntimeError, r"weight must be .*got 3 dimension\(s\): \(2, 3, 3\)"),
    "empty kernel": (
        (X, zeros(4, 2, 0, 3)),
        {},
        RuntimeError,
        r"each at least 1, got 4 dimension\(s\): \(4, 2, 0, 3\)",
    ),
    "no outputs": ((X, zeros(0, 2, 3, 3)), {}, RuntimeError, r"at least 1.*\(0, 2, 3, 3\)"),
    "channels": ((zeros(1, 3, 5, 6), WEIGHT), {}, RuntimeError, r"takes 2 channels, but the input has 3"),
    "grouped channels": ((X, WEIGHT), {"groups": 2}, RuntimeError, "groups=2 takes 4 channels, but the input has 2"),
    "outputs by groups": ((zeros(1, 6, 5, 6), WEIGHT), {"groups": 3}, ValueError, "4 is not divisible by 3"),
    "kernel too high": (
        (zeros(1, 2, 2, 6), WEIGHT),
        {},
        RuntimeError,
        (
            r"height 2 becomes floor\(\(2 \+ 0 of padding - dilation 1 \* \(kernel_size 3 - 1\) - 1\) / "
            r"stride 1\) \+ 1 = 0"
        ),
    ),
    "kernel too wide": (
        (zeros(1, 2, 6, 3), WEIGHT),
        {"dilation": 2},
        RuntimeError,
        r"width 3 becomes floor\(\(3 \+ 0 .*dilation 2 \* \(kernel_size 3 - 1\) - 1\) / stride 1\) \+ 1 = -1; ",
    ),
    "no rows": (
        (zeros(1, 2, 0, 6), WEIGHT),
        {"padding": 3},
        RuntimeError,
        r"height 0 becomes .*input and output must each be at least 1",
    ),
    "stride 0": ((X, WEIGHT), {"stride": 0}, ValueError, "stride .*got 0"),
    "stride -1": ((X, WEIGHT), {"stride": (1, -1)}, ValueError, r"stride .*got \(1, -1\)"),
    "stride 1.0": ((X, WEIGHT), {"stride": 1.0}, TypeError, "stride .*got 1.0"),
    "stride True": ((X, WEIGHT), {"stride": True}, TypeError, "stride .*got True"),
    "three strides": ((X, WEIGHT), {"stride": (1, 1, 1)}, ValueError, r"stride .*got \(1, 1, 1\)"),
    "dilation 0": ((X, WEIGHT), {"dilation": 0}, ValueError, "dilation .*got 0"),
    "dilation '2'": ((X, WEIGHT), {"dilation": "2"}, TypeError, "dilation must be .*'2'"),
    "padding -1": ((X, WEIGHT), {"padding": -1}, ValueError, "padding .*got -1"),
    "padding 'full'": ((X, WEIGHT), {"padding": "full"}, ValueError, "'same' or 'valid', got 'full'"),
    "same with stride": ((X, WEIGHT), {"padding": "same", "stride": (1, 2)}, ValueError, r"stride 1, .*\(1, 2\)"),
    "groups 0": ((X, WEIGHT), {"groups": 0}, ValueError, "groups .*got 0"),
    "two groups": ((X, WEIGHT), {"groups": (1, 1)}, TypeError, r"groups must be one int, got \(1, 1\)"),
}


@pytest.mark.parametrize("name", REJECTED)
def test_a_rejected_call_says_what_was_expected_and_what_came(name):
    arrays, arguments, error, text = REJECTED[name]
    with pytest.raises(error, match=text):
        F.conv2d(*arrays, **arguments)
    if name not in ("list input", "complex input"):
        assert oracle.rejects(lambda: theirs(arguments)(*map(oracle.tensor, (*arrays, None)[:3])))


def test_a_gradient_of_the_wrong_shape_or_dtype_is_rejected():
    with pytest.raises(RuntimeError, match=r"grad_output must have shape \(1, 4, 3, 4\), got \(1, 4, 4, 3\)"):
        F.conv2d_backward(zeros(1, 4, 4, 3), X, WEIGHT)
    with pytest.raises(RuntimeError, match="grad_output is float64"):
        F.conv2d_backward(zeros(1, 4, 3, 4, dtype="f8"), X, WEIGHT)


@st.composite
def wild_calls(draw):
    """Shapes and arguments that may or may not fit."""
    N, C, G = draw(st.integers(0, 2)), draw(st.integers(0, 4)), draw(strategies.mostly(1, st.integers(-1, 3)))
    shape = (N, C, *draw(strategies.pairs(0, 5)))
    CG = draw(strategies.mostly(C // max(G, 1), st.integers(0, 3)))
    weight = (draw(st.integers(0, 4)), CG, *draw(strategies.pairs(0, 3)))
    names = ("stride", "dilation", "padding")
    arguments = {name: draw(strategies.mostly(1, strategies.wild_pairs)) for name in names} | {"groups": G}
    arguments["padding"] = draw(strategies.mostly(arguments["padding"], st.sampled_from(["same", "valid", "full"])))
    return shape[draw(strategies.mostly(0, st.integers(0, 2))) :], weight, arguments


@pytest.mark.differential
@given(wild_calls())
def test_whatever_torch_rejects_is_rejected_and_nothing_else(call):
    input_shape, weight_shape, arguments = call
    x, weight = zeros(*input_shape), zeros(*weight_shape)
    oracle.assert_both_reject(
        lambda: F.conv2d(x, weight, **arguments), lambda: oracle.run(theirs(arguments), (x, weight, None)), x.size == 0
    )


LAYERS_REJECTED = {
    "no channels": ((0, 1, 1), {}, ValueError, "in_channels .*got 0"),
    "negative channels": ((1, -1, 1), {}, ValueError, "out_channels .*got -1"),
    "half a channel": ((1.5, 1, 1), {}, TypeError, "in_channels must be .*1.5"),
    "empty kernel": ((1, 1, 0), {}, ValueError, "kernel_size .*got 0"),
    "stride 0": ((1, 1, 1), {"stride": 0}, ValueError, "stride .*got 0"),
    "dilation 0": ((1, 1, 1), {"dilation": (1, 0)}, ValueError, r"dilation .*got \(1, 0\)"),
    "padding -1": ((1, 1, 1), {"padding": -1}, ValueError, "padding .*got -1"),
    "padding 'full'": ((1, 1, 1), {"padding": "full"}, ValueError, "'same' or 'valid', got 'full'"),
    "same with stride": ((1, 1, 1), {"padding": "same", "stride": 2}, ValueError, r"stride 1, .*\(2, 2\)"),
    "in by groups": ((3, 4, 1), {"groups": 2}, ValueError, "in_channels must be divisible by groups, but 3 .* 2"),
    "out by groups": ((4, 3, 1), {"groups": 2}, ValueError, "out_channels must be divisible by groups, but 3 .* 2"),
    "groups 0": ((1, 1, 1), {"groups": 0}, ValueError, "groups .*got 0"),
    "mode": ((1, 1, 1), {"padding_mode": "mirror"}, ValueError, "padding_mode .*reflect.*got 'mirror'"),
}


@pytest.mark.parametrize("name", LAYERS_REJECTED)
def test_a_layer_rejects_senseless_arguments_at_once(name):
    positions, arguments, error, text = LAYERS_REJECTED[name]
    with pytest.raises(error, match=f"Conv2d: .*{text}"):
        nn.Conv2d(*positions, **arguments)


def test_a_layers_error_names_the_layer():
    layer = nn.Conv2d(3, 4, 3, padding=1)
    with pytest.raises(
        RuntimeError, match=r"has 1.*\[in Conv2d\(3, 4, kernel_size=\(3, 3\), stride=\(1, 1\), padding=\(1, 1\)\)\]"
    ):
        layer(zeros(1, 1, 8, 8))
