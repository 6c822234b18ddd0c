"""conv_transpose2d and its gradients: torch as the judge, and what makes it
convolution's mirror image.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn import nn
from minicnn.nn import functional as F
from tests.support import oracle, strategies
from tests.support.bilinear import NAMES, assert_integers_agree, assert_reals_agree
from tests.support.oracle import torch

pytestmark = pytest.mark.usefixtures("backend")


def ours(x, weight, bias, grad, arguments):
    """[output, grad_input, grad_weight, grad_bias]."""
    return [
        F.conv_transpose2d(x, weight, bias, **arguments),
        *F.conv_transpose2d_backward(grad, x, weight, **arguments),
    ]


def theirs(arguments):
    return lambda x, weight, bias: torch.nn.functional.conv_transpose2d(x, weight, bias, **arguments)


def terms(case):
    """How many products each element of output, grad_input, grad_weight and grad_bias
    sums, at most.
    """
    (C, OG, KH, KW), N = case.weight, case.output[0] if len(case.output) == 4 else 1
    (h, w), (OH, OW) = case.input[-2:], case.output[-2:]
    return C // case.arguments["groups"] * KH * KW + 1, OG * KH * KW, N * h * w, N * OH * OW


# ------------------------------------------------------------------------- torch's word


@pytest.mark.differential
@given(strategies.conv_transposes(), strategies.layouts)
def test_integers_agree_bit_for_bit_in_every_layout(case, layouts):
    assert_integers_agree(case, layouts, ours, theirs)


@pytest.mark.differential
@given(strategies.conv_transposes(), st.sampled_from(strategies.FLOATS))
def test_reals_agree_within_the_bound_for_sums(case, dtype):
    assert_reals_agree(case, dtype, ours, theirs, terms)


@pytest.mark.differential
@given(strategies.conv_transposes(), st.sampled_from(strategies.FLOATS))
def test_nan_and_infinity_travel_as_in_torch(case, dtype):
    """In one array at a time, and only into results where they never meet the zeros
    around grad_output: there torch's own algorithms differ, some multiplying by zero
    (NaN) and some leaving out. In float64 torch leaves out, so that is the judge (the
    values fit into float32).
    """
    plain, special = case.arrays(strategies.integers, dtype), case.arrays(strategies.specials, dtype)
    for odd, judged in ((0, (0,)), (1, (0,)), (3, (1, 2, 3))):
        arrays = [special[i] if i == odd else a for i, a in enumerate(plain)]
        *exact, grad = [a if a is None else a.astype(np.float64) for a in arrays]
        expected = [a.astype(dtype) for a in oracle.differentiate(theirs(case.arguments), exact, grad)]
        with np.errstate(invalid="ignore"):  # NumPy remarks on inf - inf
            results = ours(*arrays, case.arguments)
        for i in judged:
            if i < len(expected):
                oracle.assert_equal(results[i], expected[i], NAMES[i])


@st.composite
def layers(draw):
    """The arguments of a ConvTranspose2d, arrays that fit, and the output_size to ask
    for (None in half the cases).
    """
    case = draw(strategies.conv_transposes())
    (C, OG, *K), G = case.weight, case.arguments["groups"]
    arguments = case.arguments | {
        "in_channels": C,
        "out_channels": OG * G,
        "kernel_size": strategies.spelled(draw, tuple(K)),
    }
    arguments["bias"] = case.bias is not None
    case = case._replace(arguments=arguments, dtype=draw(st.sampled_from(strategies.FLOATS)))
    S, OP = (np.broadcast_to(arguments[name], 2) for name in ("stride", "output_padding"))
    least = np.array(case.output[-2:]) - OP
    reachable = [range(max(low, 1), low + s) for low, s in zip(least.tolist(), S.tolist(), strict=True)]
    if not all(reachable) or draw(st.booleans()):
        return case, None
    shape = case.output[:-2] + tuple(draw(st.sampled_from(sizes)) for sizes in reachable)
    return case._replace(output=shape), draw(st.sampled_from([shape, shape[-2:]]))


@pytest.mark.differential
@given(layers(), strategies.layouts)
def test_the_layer_agrees_with_torchs_layer_and_reaches_output_size(layer_call, layouts):
    case, output_size = layer_call
    plain = _, weight, bias, _ = case.arrays(strategies.integers)
    layer = nn.ConvTranspose2d(**case.arguments, dtype=case.dtype)
    assert layer.weight.shape == case.weight
    assert layer.weight.dtype == case.dtype
    layer.weight.data = weight
    if bias is not None:
        layer.bias.data = bias
    x, _, _, grad = arrays = strategies.lay_out(plain, layouts)
    with oracle.unchanged([*arrays, weight, bias]):
        output, grad_input = layer(x, output_size), layer.backward(grad)

    def reference(x, weight, bias):
        judge = torch.nn.ConvTranspose2d(**case.arguments, dtype=x.dtype)
        parameters = {"weight": weight} | ({"bias": bias} if bias is not None else {})
        return torch.func.functional_call(judge, parameters, (x, output_size))

    expected = oracle.differentiate(reference, plain[:3], plain[3])
    results = [output, grad_input, layer.weight.grad, None if layer.bias is None else layer.bias.grad]
    assert output.shape == case.output
    for name, result, right in zip(NAMES, results, expected, strict=False):
        oracle.assert_equal(result, right, name)


@given(strategies.conv_transposes())
def test_without_needs_input_grad_only_the_input_gradient_is_missing(case):
    x, weight, _, grad = case.arrays(strategies.integers)
    full = F.conv_transpose2d_backward(grad, x, weight, **case.arguments)
    spared = F.conv_transpose2d_backward(grad, x, weight, **case.arguments, needs_input_grad=False)
    assert spared[0] is None
    for name, result, right in zip(NAMES[2:], spared[1:], full[1:], strict=True):
        oracle.assert_equal(result, right, name)


def test_the_arguments_come_in_torchs_order():
    rng = np.random.default_rng(0)
    arrays = [strategies.integers(rng, shape) for shape in ((1, 4, 5, 5), (4, 3, 3, 3), (6,))]
    positions = ((3, 2), (2, 1), (1, 0), 2, (1, 2))
    theirs = oracle.run(lambda *t: torch.nn.functional.conv_transpose2d(*t, *positions), arrays)
    oracle.assert_equal(F.conv_transpose2d(*arrays, *positions), theirs)


# --------------------------------------------------------------------------------- laws


def test_the_courses_integer_example_gives_what_the_course_prints():
    x = np.array([[[[0, 1], [2, 3]]]])
    oracle.assert_equal(F.conv_transpose2d(x, x), np.array([[[[0, 0, 1], [0, 4, 6], [4, 12, 9]]]]))


@given(strategies.conv_transposes())
def test_the_docstrings_formula_gives_the_output(case):
    """Every input pixel stamps the kernel, times its value, onto the output; what falls
    outside is dropped.
    """
    x, weight, bias, _ = case.arrays(strategies.integers, "int64")
    (h, w), (OH, OW), (C, OG, KH, KW) = case.input[-2:], case.output[-2:], case.weight
    (SH, SW), (PH, PW), (DH, DW) = (np.broadcast_to(case.arguments[k], 2) for k in ("stride", "padding", "dilation"))
    G = case.arguments["groups"]
    output = np.zeros(case.output, int)
    for c, i, j, kh, kw in np.ndindex(C, h, w, KH, KW):
        row, column, block = i * SH - PH + kh * DH, j * SW - PW + kw * DW, c // (C // G) * OG
        if 0 <= row < OH and 0 <= column < OW:
            output[..., block : block + OG, row, column] += x[..., c, i, j, None] * weight[c, :, kh, kw]
    output += 0 if bias is None else bias[:, None, None]
    oracle.assert_equal(F.conv_transpose2d(x, weight, bias, **case.arguments), output)


@given(strategies.convolutions(paddings=("numbers",)))
def test_it_is_the_gradient_of_convolution_to_its_input(case):
    """With the same weight, and the remainder (H + 2P - D(K - 1) - 1) mod S as
    output_padding.
    """
    x, weight, _, grad = case.arrays(strategies.integers, "int64")
    named = ("stride", "padding", "dilation")
    S, P, D = (np.broadcast_to(case.arguments[name], 2) for name in named)
    remainder = (np.array(x.shape[-2:]) + 2 * P - D * (np.array(weight.shape[-2:]) - 1) - 1) % S
    output = F.conv_transpose2d(grad, weight, output_padding=tuple(remainder.tolist()), **case.arguments)
    oracle.assert_equal(output, F.conv2d_backward(grad, x, weight, **case.arguments)[0])


@given(strategies.conv_transposes())
def test_central_differences_give_the_gradients(case):
    """The operation is bilinear, so along any direction the central difference with
    step 1 is exact.
    """
    x, weight, bias, grad = case.arrays(strategies.integers, "int64")
    dx, dweight, dbias, _ = case._replace(seed=case.seed + 1).arrays(strategies.integers, "int64")
    gradients = F.conv_transpose2d_backward(grad, x, weight, **case.arguments)
    steps = [(x, dx), (weight, dweight), *([] if bias is None else [(bias, dbias)])]

    def loss(sign):
        return np.sum(F.conv_transpose2d(*(a + sign * step for a, step in steps), **case.arguments) * grad)

    slope = sum(np.sum(gradient * step) for gradient, (_, step) in zip(gradients, steps, strict=False))
    assert loss(1) - loss(-1) == 2 * slope


@given(strategies.conv_transposes())
def test_images_of_a_batch_do_not_mix(case):
    x, weight, bias, _ = case.arrays(strategies.integers)
    x = x if x.ndim == 4 else x[None]
    output = F.conv_transpose2d(x, weight, bias, **case.arguments)
    for image, result in zip(x, output, strict=True):
        oracle.assert_equal(F.conv_transpose2d(image, weight, bias, **case.arguments), result)


@given(strategies.conv_transposes())
def test_rows_beyond_the_last_stamp_hold_the_bias_alone(case):
    """Of the rows that output_padding adds, those which no stamp reaches."""
    x, weight, _, _ = case.arrays(strategies.integers, "int64")
    bias = np.full(weight.shape[1] * case.arguments["groups"], 7)
    S, P, D = (int(np.broadcast_to(case.arguments[name], 2)[0]) for name in ("stride", "padding", "dilation"))
    output = F.conv_transpose2d(x, weight, bias, **case.arguments)
    reached = max((x.shape[-2] - 1) * S + D * (weight.shape[-2] - 1) + 1 - P, 0)
    assert (output[..., reached:, :] == 7).all()


# ----------------------------------------------------------------------------- rejected


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


X, WEIGHT = zeros(1, 4, 3, 5), zeros(4, 2, 3, 3)

REJECTED = {
    "list input": ((X.tolist(), WEIGHT), {}, TypeError, "conv_transpose2d: input must be a NumPy array, got list"),
    "int32 input": ((X.astype("i4"), WEIGHT.astype("i4")), {}, RuntimeError, "int32.*int64"),
    "dtypes differ": ((X, WEIGHT.astype("f8")), {}, RuntimeError, "(?=.*input is float32)(?=.*weight is float64)"),
    "bias shape": ((X, WEIGHT, zeros(4)), {}, RuntimeError, r"bias must have shape \(2,\), got \(4,\)"),
    "2-D input": ((X[0, 0], WEIGHT), {}, RuntimeError, r"2 dimension\(s\): \(3, 5\)"),
    "3-D weight": ((X, WEIGHT[0]), {}, RuntimeError, r"got 3 dimension\(s\): \(2, 3, 3\)"),
    "empty kernel": ((X, zeros(4, 2, 0, 3)), {}, RuntimeError, r"at least 1.*\(4, 2, 0, 3\)"),
    "channels": ((zeros(1, 2, 3, 5), WEIGHT), {}, RuntimeError, "takes 4 channels, but the input has 2"),
    "groups": ((X, WEIGHT), {"groups": 3}, ValueError, "4 is not divisible by 3"),
    "no rows": ((zeros(1, 4, 0, 5), WEIGHT), {}, RuntimeError, "height"),
    "too much padding": (
        (X, WEIGHT),
        {"padding": (3, 0)},
        RuntimeError,
        r"height .*= 2 \* 1 - 2 \* 3 \+ 1 \* 2 \+ 0 \+ 1 = -1",
    ),
    "wide padding": (
        (X, WEIGHT),
        {"padding": (0, 4)},
        RuntimeError,
        r"width .*= 4 \* 1 - 2 \* 4 \+ 1 \* 2 \+ 0 \+ 1 = -1",
    ),
    "output_padding": ((X, WEIGHT), {"output_padding": 1}, ValueError, "1 >= stride 1 and >= dilation 1"),
    "one output_padding": (
        (X, WEIGHT),
        {"output_padding": (1, 2), "stride": 2},
        ValueError,
        "2 >= stride 2 and >= dilation 1",
    ),
    "output_padding -1": ((X, WEIGHT), {"output_padding": -1}, ValueError, "output_padding .*got -1"),
    "stride 0": ((X, WEIGHT), {"stride": 0}, ValueError, "stride .*got 0"),
    "dilation 0": ((X, WEIGHT), {"dilation": 0}, ValueError, "dilation .*got 0"),
    "padding 'same'": ((X, WEIGHT), {"padding": "same"}, TypeError, "padding .*got 'same'"),
    "padding -1": ((X, WEIGHT), {"padding": -1}, ValueError, "padding .*got -1"),
    "groups 0": ((X, WEIGHT), {"groups": 0}, ValueError, "groups .*got 0"),
}


@pytest.mark.parametrize("name", REJECTED)
def test_a_rejected_call_says_what_was_expected_and_what_came(name):
    arrays, arguments, error, text = REJECTED[name]
    with pytest.raises(error, match=text):
        F.conv_transpose2d(*arrays, **arguments)
    if name != "list input":
        assert oracle.rejects(lambda: theirs(arguments)(*map(oracle.tensor, (*arrays, None)[:3])))


def test_an_output_size_out_of_reach_is_rejected_with_the_sizes_in_reach():
    layer = nn.ConvTranspose2d(1, 1, 3, stride=2)
    x = zeros(1, 1, 3, 4)
    assert layer(x, (8, 9)).shape == (1, 1, 8, 9)
    with pytest.raises(ValueError, match=r"\(9, 9\).*\(3, 4\).*\(7, 9\) to \(8, 10\)"):
        layer(x, (9, 9))
    with pytest.raises(ValueError, match=r"got \(1, 8, 9\) for an input of shape \(1, 1, 3, 4\)"):
        layer(x, (1, 8, 9))
    with pytest.raises(TypeError, match="output_size"):
        layer(x, (8.0, 9.0))
    with pytest.raises(TypeError, match="output_size"):
        layer(x, 8)


@pytest.mark.differential
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=4), strategies.pairs(1, 3), strategies.pairs(1, 3), st.booleans()
)
def test_output_size_reaches_what_it_reaches_in_torch(size, S, D, batched):
    x, arguments = zeros(*(1, 1, 2, 3)[1 - batched :]), {"stride": S, "dilation": D, "padding": 1}
    oracle.assert_both_reject(
        lambda: nn.ConvTranspose2d(1, 1, 2, **arguments)(x, size),
        lambda: torch.nn.ConvTranspose2d(1, 1, 2, **arguments)(oracle.tensor(x), size),
    )


@st.composite
def wild_calls(draw):
    """Shapes and arguments that may or may not fit."""
    C, G = draw(st.integers(0, 4)), draw(strategies.mostly(1, st.integers(-1, 3)))
    shape = (draw(st.integers(0, 2)), C, *draw(strategies.pairs(0, 5)))
    weight = (draw(strategies.mostly(C, st.integers(0, 4))), draw(st.integers(0, 2)), *draw(strategies.pairs(0, 3)))
    usual = {"stride": 1, "dilation": 1, "padding": 0, "output_padding": 0}
    arguments = {name: draw(strategies.mostly(value, strategies.wild_pairs)) for name, value in usual.items()}
    return shape[draw(strategies.mostly(0, st.integers(0, 2))) :], weight, arguments | {"groups": G}


@pytest.mark.differential
@given(wild_calls())
def test_whatever_torch_rejects_is_rejected_and_nothing_else(call):
    """In float64: with float32 and N > 1 torch gives an output without rows, which it
    refuses otherwise.
    """
    input_shape, weight_shape, arguments = call
    x, weight = zeros(*input_shape, dtype=np.float64), zeros(*weight_shape, dtype=np.float64)
    oracle.assert_both_reject(
        lambda: F.conv_transpose2d(x, weight, **arguments),
        lambda: oracle.run(theirs(arguments), (x, weight, None)),
        x.size == 0,
    )


LAYERS_REJECTED = {
    "padding_mode": ((1, 1, 1), {"padding_mode": "reflect"}, ValueError, "padding_mode must be 'zeros', got 'reflect'"),
    "padding 'same'": ((1, 1, 1), {"padding": "same"}, TypeError, "padding .*got 'same'"),
    "output_padding": ((1, 1, 3), {"output_padding": 2, "stride": 2}, ValueError, "2 >= stride 2 and >= dilation 1"),
    "in by groups": ((3, 4, 1), {"groups": 2}, ValueError, "in_channels must be divisible by groups, but 3 .* 2"),
    "out by groups": ((4, 3, 1), {"groups": 2}, ValueError, "out_channels must be divisible by groups, but 3 .* 2"),
    "no channels": ((0, 1, 1), {}, ValueError, "in_channels .*got 0"),
    "empty kernel": ((1, 1, (2, 0)), {}, ValueError, r"kernel_size .*got \(2, 0\)"),
    "stride 0": ((1, 1, 1), {"stride": 0}, ValueError, "stride .*got 0"),
}


@pytest.mark.parametrize("name", LAYERS_REJECTED)
def test_a_layer_rejects_senseless_arguments_at_once(name):
    positions, arguments, error, text = LAYERS_REJECTED[name]
    with pytest.raises(error, match=f"ConvTranspose2d: .*{text}"):
        nn.ConvTranspose2d(*positions, **arguments)
