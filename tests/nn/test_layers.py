"""Every layer as a module against torch's: random arguments, weights, inputs and
grad_output; all gradients.
"""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn import kernels, nn
from tests.support import oracle, strategies
from tests.support.oracle import torch

pytestmark = pytest.mark.usefixtures("backend")

POINTWISE = ["ReLU", "Sigmoid", "Tanh"]
NAMES = ["Conv2d", "ConvTranspose2d", "MaxPool2d", "Linear", *POINTWISE]


def torch_arguments(arguments):
    """torch's layers want tuples where minicnn takes lists as well."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in arguments.items()}


@st.composite
def layers(draw, name=None):
    """(class name, constructor arguments, input shape, output shape, number of terms in
    a sum, seed).
    """
    name = name or draw(st.sampled_from(NAMES))
    if name == "Conv2d":
        case = draw(strategies.padded_layers())
        arguments = case.arguments
    elif name == "ConvTranspose2d":
        case = draw(strategies.conv_transposes())
        C, OG, *kernel_size = case.weight
        sizes = {"in_channels": C, "out_channels": OG * case.arguments["groups"], "kernel_size": tuple(kernel_size)}
        arguments = {**sizes, **case.arguments, "bias": case.bias is not None}
    elif name == "MaxPool2d":
        case = draw(strategies.pools(strategies.FLOATS))
        arguments = case.arguments
    elif name == "Linear":
        case = draw(strategies.linears())
        (outputs, features), bias = case.weight, case.bias is not None
        arguments = {"in_features": features, "out_features": outputs, "bias": bias}
    else:
        case = draw(strategies.linears())
        case = case._replace(output=case.input)
        arguments = {"inplace": draw(st.booleans())} if name == "ReLU" else {}
    return name, arguments, case.input, case.output, case.seed


def made(name, arguments, rng):
    """The layer here and torch's, with the same random weights in float64."""
    ours = getattr(nn, name)(**arguments)
    theirs = getattr(torch.nn, name)(**torch_arguments(arguments)).double()
    weights = {key: rng.standard_normal(value.shape) for key, value in ours.state_dict().items()}
    ours.load_state_dict(weights)
    theirs.load_state_dict({key: torch.tensor(value) for key, value in weights.items()})
    return ours, theirs


def gradients_of_torch(layer, x, grad_output):
    """[output, gradient of the input, of each parameter]."""
    x = torch.tensor(x).requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns, once, about 'same' with even kernels
        output = layer(x * 1)  # an inplace layer may not write into x itself
    grads = torch.autograd.grad(output, [x, *layer.parameters()], torch.tensor(grad_output))
    return [output.detach().numpy(), *(grad.numpy() for grad in grads)]


def magnitudes(name, layer, x, grad_output):
    """The sums of the absolute values of all products: the layer itself on absolute
    values, where it is a sum.
    """
    if not layer.state_dict():
        slope = {"Sigmoid": 1, "Tanh": 1}.get(name, 0)  # maxima and ReLU round nothing; their gradients only add
        return [np.ones(grad_output.shape) * slope, np.full(x.shape, np.abs(grad_output).sum())]
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.abs_()
    return gradients_of_torch(layer, np.abs(x), np.abs(grad_output))


@pytest.mark.parametrize("layer", NAMES)  # drawn, a kind can be missing among 100 examples
@given(st.data(), st.booleans())
def test_output_and_every_gradient_are_torchs(layer, data, needs_input_grad):
    name, arguments, input_shape, output_shape, seed = data.draw(layers(layer))
    rng = np.random.default_rng(seed)
    ours, theirs = made(name, arguments, rng)
    x, grad_output = rng.standard_normal(input_shape), rng.standard_normal(output_shape)
    expected = gradients_of_torch(theirs, x, grad_output)
    ours.needs_input_grad = needs_input_grad
    inputs = [grad_output] if arguments.get("inplace") else [x, grad_output]
    with oracle.unchanged(inputs):
        results = [ours(x.copy() if arguments.get("inplace") else x), ours.backward(grad_output)]
    results += [parameter.grad for parameter in ours.parameters()]
    scale = magnitudes(name, theirs, x, grad_output)
    if not needs_input_grad and list(ours.parameters()):
        assert results.pop(1) is None
        del expected[1], scale[1]
    n = 8 + max([x.size, grad_output.size, *(parameter.size for parameter in ours.parameters())])
    for result, wanted, size in zip(results, expected, scale, strict=True):
        assert result.dtype == np.float64
        oracle.assert_close(np.asarray(result), wanted, size, n, repr(ours))


@given(layers(), st.integers(1, 3))
def test_gradients_of_several_backward_passes_add_up(drawn, times):
    name, arguments, input_shape, output_shape, seed = drawn
    rng = np.random.default_rng(seed)
    layer, _ = made(name, arguments, rng)
    x, grad_output = (rng.integers(-4, 5, shape).astype(np.float64) for shape in (input_shape, output_shape))
    layer.load_state_dict({key: np.rint(value) for key, value in layer.state_dict().items()})
    for _ in range(times):
        layer(x.copy())
        layer.backward(grad_output)
    total = [parameter.grad for parameter in layer.parameters()]
    layer.zero_grad()
    assert [parameter.grad for parameter in layer.parameters()] == [None] * len(total)
    layer(x.copy())
    layer.backward(grad_output)
    for parameter, several in zip(layer.parameters(), total, strict=True):
        oracle.assert_equal(several, times * parameter.grad)


@given(layers())
def test_eval_mode_gives_the_same_output_and_keeps_nothing(drawn):
    name, arguments, input_shape, output_shape, seed = drawn
    layer, _ = made(name, arguments, np.random.default_rng(seed))
    x = np.random.default_rng(seed).standard_normal(input_shape)
    np.testing.assert_array_equal(layer.eval()(x.copy()), layer.train()(x.copy()))
    layer.eval()(x)
    with pytest.raises(RuntimeError, match=rf"{name}.backward.*eval\(\) mode.*train\(\)"):
        layer.backward(np.ones(output_shape))


@given(strategies.pools(strategies.FLOATS))
def test_max_pooling_with_indices_is_torchs_and_differentiates_the_maxima(case):
    rng = np.random.default_rng(case.seed)
    x, grad_output = rng.standard_normal(case.input), rng.standard_normal(case.output)
    layer = nn.MaxPool2d(**case.arguments, return_indices=True)
    theirs = torch.nn.MaxPool2d(**torch_arguments(case.arguments), return_indices=True)
    leaf = torch.tensor(x).requires_grad_()
    (maxima, places), (expected, wanted) = layer(x), theirs(leaf)
    oracle.assert_equal(maxima, expected.detach().numpy())
    oracle.assert_equal(places, wanted.numpy())
    (grad,) = torch.autograd.grad(expected, leaf, torch.tensor(grad_output))
    oracle.assert_close(layer.backward(grad_output), grad.numpy(), np.full(x.shape, np.abs(grad_output).sum()), x.size)


@given(strategies.conv_transposes(), st.booleans(), st.data())
def test_a_transposed_convolution_reaches_the_output_size_that_torch_reaches(case, four, data):
    case = case._replace(dtype="float64")
    (C, OG, *kernel_size), G = case.weight, case.arguments["groups"]
    arguments = {**case.arguments, "in_channels": C, "out_channels": OG * G, "kernel_size": tuple(kernel_size)}
    rng = np.random.default_rng(case.seed)
    ours, theirs = made("ConvTranspose2d", arguments, rng)
    x = rng.integers(-3, 4, case.input).astype(np.float64)
    wanted = [max(size + data.draw(st.integers(-2, 2)), 1) for size in case.output[-2:]]
    if four and len(case.input) == 4:
        wanted = [case.input[0], OG * G, *wanted]
    refused = oracle.rejects(lambda: theirs(torch.tensor(x), output_size=wanted))
    assert oracle.rejects(lambda: ours(x, output_size=wanted)) == refused
    if not refused:
        expected = theirs(torch.tensor(x), output_size=wanted).detach().numpy()
        output = ours(x, output_size=wanted)
        size = np.full(output.shape, sum(np.abs(a).sum() for a in (x, *ours.state_dict().values())) ** 2)
        oracle.assert_close(output, expected, size, 1)
        assert ours.backward(np.ones(output.shape)).shape == x.shape


# --------------------------------------------------------------------------- rejections


@pytest.mark.parametrize(
    ("name", "arguments", "kind", "text"),
    [
        ("Conv2d", (0, 1, 3), ValueError, "Conv2d: in_channels.*got 0"),
        ("Conv2d", (1, 0, 3), ValueError, "Conv2d: out_channels.*got 0"),
        ("Conv2d", (3, 4, 3, 1, 0, 1, 2), ValueError, "in_channels must be divisible by groups, but 3.*by 2"),
        ("Conv2d", (4, 3, 3, 1, 0, 1, 2), ValueError, "out_channels must be divisible by groups, but 3.*by 2"),
        ("Conv2d", (1, 1, 0), ValueError, "kernel_size.*at least 1, got 0"),
        ("Conv2d", (1, 1, (1, 2, 3)), ValueError, r"kernel_size.*got \(1, 2, 3\)"),
        ("Conv2d", (1, 1, 2.5), TypeError, "kernel_size must be an int or a pair of ints, got 2.5"),
        ("Conv2d", (1, 1, 3, 0), ValueError, "stride.*at least 1, got 0"),
        ("Conv2d", (1, 1, 3, 1, -1), ValueError, "padding.*at least 0, got -1"),
        ("Conv2d", (1, 1, 3, 2, "same"), ValueError, r"'same' needs stride 1, got \(2, 2\)"),
        ("Conv2d", (1, 1, 3, 1, "full"), ValueError, "'same' or 'valid', got 'full'"),
        ("Conv2d", (1, 1, 3, 1, 0, 0), ValueError, "dilation.*at least 1, got 0"),
        ("Conv2d", (1, 1, 3, 1, 0, 1, 0), ValueError, "groups.*at least 1, got 0"),
        ("Conv2d", (1, 1, 3, 1, 0, 1, 1, True, "mirror"), ValueError, "padding_mode must be one of.*got 'mirror'"),
        ("ConvTranspose2d", (1, 1, 3, 2, 0, 2), ValueError, "2 >= stride 2 and >= dilation 1"),
        ("ConvTranspose2d", (1, 1, 3, 1, "same"), TypeError, "padding must be an int.*got 'same'"),
        ("ConvTranspose2d", (1, 1, 3, 1, 0, 0, 1, True, 1, "reflect"), ValueError, "must be 'zeros', got 'reflect'"),
        ("ConvTranspose2d", (3, 4, 3, 1, 0, 0, 2), ValueError, "in_channels must be divisible by groups"),
        ("MaxPool2d", (3, 1, 2), ValueError, "at most half the kernel size, got padding 2 with kernel size 3"),
        ("MaxPool2d", (0,), ValueError, "kernel_size.*got 0"),
        ("MaxPool2d", (2, 0), ValueError, "stride.*got 0"),
        ("Linear", (-1, 1), ValueError, "Linear: in_features.*got -1"),
        ("Linear", (2, "3"), TypeError, "out_features.*got '3'"),
    ],
)
def test_a_layer_that_makes_no_sense_is_refused_when_it_is_made(name, arguments, kind, text):
    with pytest.raises(kind, match=text):
        getattr(nn, name)(*arguments)


@pytest.mark.parametrize(
    ("layer", "shape", "text"),
    [
        (nn.Conv2d(3, 4, 3), (1, 2, 8, 8), r"takes 3 channels, but the input has 2.*\[in Conv2d\(3, 4, kernel_size"),
        (nn.Conv2d(1, 4, 3), (8, 8), r"\(N, C, H, W\).*got 2 dimension.*\(8, 8\)"),
        (nn.Conv2d(1, 4, 5), (1, 1, 4, 9), r"height 4 becomes floor.* = 0; .*Give a larger input or padding"),
        (
            nn.Conv2d(1, 4, 3, padding=2, padding_mode="reflect"),
            (1, 1, 2, 9),
            "'reflect' can pad the height 2 by at most 1",
        ),
        (nn.ConvTranspose2d(3, 4, 3), (1, 2, 8, 8), "takes 3 channels, but the input has 2"),
        (nn.ConvTranspose2d(1, 4, 1, padding=1), (1, 1, 2, 9), r"\[in ConvTranspose2d"),
        (
            nn.MaxPool2d(3),
            (1, 1, 2, 9),
            (
                r"height 2 becomes floor\(\(2 \+ 2 \* padding 0 - dilation 1 \* .*\) / stride 3\) \+ 1 = 0; "
                r".*\[in MaxPool2d"
            ),
        ),
        (nn.MaxPool2d(4, stride=1, ceil_mode=True), (1, 1, 2, 9), r"height 2 becomes ceil.* = -1; "),
        (
            nn.Linear(3, 4),
            (2, 5),
            (
                r"in_features = 3, got an input of shape \(2, 5\).*C \* H \* W.*: Linear\(5, 4\) takes.*\[in "
                r"Linear\(in_features=3"
            ),
        ),
        (nn.Linear(12, 4), (2, 6), r"\(2, 6\)\. Flatten saw one image.*: pass x\[None\]"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_with_its_numbers_by_the_layer_that_saw_it(layer, shape, text):
    for call in (lambda: layer(np.zeros(shape, np.float32)), lambda: nn.Sequential(layer)(np.zeros(shape, np.float32))):
        with pytest.raises(RuntimeError, match=text):
            call()


@pytest.mark.parametrize("layer", [nn.Conv2d(1, 1, 1), nn.ConvTranspose2d(1, 1, 1), nn.Linear(2, 2)], ids=repr)
def test_nothing_is_converted_silently(layer):
    for x in (np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2), int)):
        with pytest.raises(RuntimeError, match="float32"):
            layer(x)
        with pytest.raises(RuntimeError):
            getattr(torch.nn, type(layer).__name__)(*(2, 2) if isinstance(layer, nn.Linear) else (1, 1, 1))(
                torch.tensor(x)
            )


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(1, 1, 1), nn.MaxPool2d(2), nn.ReLU(), nn.Tanh(), nn.Linear(2, 2)], ids=repr
)
def test_a_gradient_of_another_shape_is_refused(layer):
    layer(np.ones((1, 1, 2, 2), np.float32))
    with pytest.raises(RuntimeError, match=r"grad_output must have.*got \(1, 1, 3, 3\)"):
        layer.backward(np.ones((1, 1, 3, 3), np.float32))


def test_relu_in_place_returns_the_array_it_was_given():
    x = np.array([-1.0, 2.0])
    assert nn.ReLU(inplace=True)(x) is x
    np.testing.assert_array_equal(x, [0.0, 2.0])
    x.flags.writeable = False
    with pytest.raises(RuntimeError, match="read-only"):
        nn.ReLU(inplace=True)(x)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("Conv2d", {"stride": (2, 1)}),
        ("Conv2d", {"padding": (0, 2)}),
        ("Conv2d", {"dilation": (1, 2)}),
        ("Conv2d", {"padding_mode": "circular"}),
        ("ConvTranspose2d", {"stride": (2, 1)}),
        ("ConvTranspose2d", {"padding": (0, 1)}),
        ("MaxPool2d", {"stride": 1}),
        ("MaxPool2d", {"ceil_mode": True}),
    ],
)
def test_an_attribute_that_is_changed_later_counts_from_then_on_as_in_torch(kind, changes):
    """And for backward it counts as it was at forward."""
    arguments = (3, 2, 1) if kind == "MaxPool2d" else (2, 3, 3, 1, 1)
    ours = getattr(nn, kind)(*arguments)
    theirs = getattr(torch.nn, kind)(*arguments)
    if kind != "MaxPool2d":
        state = {name: value.double() for name, value in theirs.state_dict().items()}
        theirs = theirs.double()
        ours.load_state_dict({name: value.numpy() for name, value in state.items()})
    x = np.random.default_rng(0).standard_normal((2, 2, 8, 6))
    before = ours(x)
    for name, value in changes.items():
        setattr(ours, name, value)
    first = ours.backward(np.ones_like(before))
    for name, value in changes.items():
        setattr(theirs, name, value)
        if name == "padding_mode":
            theirs._reversed_padding_repeated_twice = [1, 1, 1, 1]
    given = torch.tensor(x, requires_grad=True)
    expected = theirs(given)
    found = ours(x)
    np.testing.assert_allclose(found, expected.detach(), rtol=1e-12, atol=1e-12)
    grad_output = np.random.default_rng(1).standard_normal(found.shape)
    expected.backward(torch.tensor(grad_output))
    np.testing.assert_allclose(ours.backward(grad_output), given.grad, rtol=1e-12, atol=1e-12)
    assert first.shape == x.shape


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(2, 3, 3, bias=False), (1, 2, 5, 5)),
        (nn.ConvTranspose2d(2, 3, 3, bias=False), (1, 2, 5, 5)),
        (nn.Linear(4, 3, bias=False), (2, 4)),
    ],
    ids=["Conv2d", "ConvTranspose2d", "Linear"],
)
def test_no_gradient_is_computed_for_a_bias_that_is_not_there(layer, shape, monkeypatch):
    def refuse(grad_output):
        raise AssertionError("a pass over grad_output for nothing")

    monkeypatch.setattr(kernels.current(), "grad_bias", refuse)
    output = layer(np.ones(shape, np.float32))
    layer.backward(np.ones_like(output))
    assert layer.weight.grad is not None
