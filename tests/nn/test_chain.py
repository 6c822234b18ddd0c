"""The backward of a class that defines none: right where its forward is a chain, refused
by name where it is not; and layers that stand at two places.
"""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minicnn
from minicnn import nn
from minicnn.nn import functional as F
from tests.support.oracle import torch
from tests.support.strategies import seeds

pytestmark = pytest.mark.usefixtures("backend")


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


class Net(nn.Module):
    """A class of parts, as a course writes it, with every kind of link."""

    def __init__(self):
        super().__init__()
        self.cnn = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh())
        self.conv = nn.Conv2d(2, 3, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(12, 5)
        self.out = nn.Linear(5, 3)

    def forward(self, x):
        x = self.cnn(x)
        x = self.pool(F.relu(self.conv(x)))
        x = x.reshape(len(x), -1)
        x = F.leaky_relu(self.fc(x), 0.1)
        return F.log_softmax(self.out(x), dim=1)


def by_hand(net):
    """The same network as a Sequential, whose backward is explicit."""
    return nn.Sequential(
        *(net.cnn, net.conv, nn.ReLU(), net.pool, nn.Flatten(), net.fc, nn.LeakyReLU(0.1), net.out, nn.LogSoftmax(1))
    )


def doubled(model):
    model.load_state_dict({name: array.astype(np.float64) for name, array in model.state_dict().items()})
    return model


def results(model, x, grad_output):
    model.zero_grad()
    output = model(x)
    grad_input = model.backward(grad_output)
    return [output, grad_input, *(parameter.grad for parameter in model.parameters())]


@given(seeds, st.integers(1, 3))
def test_a_chain_of_parts_has_the_backward_of_the_sequential_bit_for_bit(seed, N):
    net, x, grad_output = doubled(Net()), normal(seed, N, 1, 6, 6), normal(seed + 1, N, 3)
    for found, expected in zip(results(net, x, grad_output), results(by_hand(net), x, grad_output), strict=True):
        np.testing.assert_array_equal(found, expected, strict=True)


@given(seeds)
def test_a_forward_may_begin_and_end_with_a_reshape(seed):
    """The gradient then has the shape of what forward was given."""

    class Rows(nn.Module):
        def __init__(self):
            self.fc = nn.Linear(6, 4)

        def forward(self, x):
            return self.fc(x.reshape(len(x), -1)).reshape(len(x), 2, 2)

    net, x, grad_output = doubled(Rows()), normal(seed, 3, 2, 3), normal(seed + 1, 3, 2, 2)
    found = results(net, x, grad_output)
    plain = results(net.fc, x.reshape(3, 6), grad_output.reshape(3, 4))
    for result, expected, shape in zip(found, plain, [(3, 2, 2), (3, 2, 3), (4, 6), (4,)], strict=True):
        np.testing.assert_array_equal(result, expected.reshape(shape), strict=True)


def test_gradcheck_accepts_it():
    assert minicnn.gradcheck(Net(), normal(0, 2, 1, 6, 6))


class Course(nn.Module):
    """The course's network, without a line on backward."""

    def __init__(self):
        super().__init__()
        self.cnn = nn.Sequential(
            *(nn.Conv2d(1, 16, kernel_size=5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 32, kernel_size=5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        )
        self.linear_block = nn.Sequential(nn.Linear(32 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10))

    def forward(self, x):
        x = self.cnn(x)
        x = x.reshape(x.shape[0], -1)
        return self.linear_block(x)


def test_the_class_copied_from_the_course_learns_what_simplecnn_learns():
    x, grad_output = normal(0, 2, 1, 28, 28).astype("f"), normal(1, 2, 10).astype("f")
    found = []
    for kind in (Course, minicnn.models.SimpleCNN):
        minicnn.manual_seed(0)
        found.append(results(kind(), x, grad_output))
    for mine, expected in zip(*found, strict=True):
        np.testing.assert_array_equal(mine, expected, strict=True)


@given(seeds)
def test_functions_with_a_mask_or_indices_go_back_as_their_layers_do(seed):
    class Functions(nn.Module):
        def __init__(self):
            self.a = nn.Conv2d(1, 2, 3)

        def forward(self, x):
            x = F.gelu(F.avg_pool2d(F.pad(self.a(x), (1, 1, 1, 1)), 2))
            x = F.dropout2d(F.max_pool2d(x, 2), 0.5, self.training)
            return F.softmax(F.dropout(F.sigmoid(F.tanh(x)), p=0.25), dim=1)

    net, x, grad_output = doubled(Functions()), normal(seed, 3, 1, 8, 8), normal(seed + 1, 3, 2, 2, 2)

    class Padded(nn.Module):
        def forward(self, x):
            return F.pad(x, (1, 1, 1, 1))

        def backward(self, grad_output):
            return F.pad_backward(grad_output, (1, 1, 1, 1))

    layers = [net.a, Padded(), nn.AvgPool2d(2), nn.GELU(), nn.MaxPool2d(2), nn.Dropout2d(0.5)]
    twin = nn.Sequential(*layers, nn.Tanh(), nn.Sigmoid(), nn.Dropout(0.25), nn.Softmax(1))
    found = []
    for model in (net, twin):
        minicnn.manual_seed(seed)
        found.append(results(model, x, grad_output))
    for mine, expected in zip(*found, strict=True):
        np.testing.assert_array_equal(mine, expected, strict=True)


# ------------------------------------------------------------------------ what is refused


class Parts(nn.Module):
    def __init__(self, forward):
        super().__init__()
        self.a = nn.Conv2d(2, 2, 3, padding=1)
        self.b = nn.Conv2d(2, 2, 3, padding=1)
        self.act = nn.Tanh()
        self.scale = nn.Parameter(np.full(1, 2.0))
        self.run = forward

    def forward(self, x):
        return self.run(self, x)


def in_place(change):
    def forward(net, x):
        y = net.a(x)
        change(y, x)
        return net.act(y)

    return forward


def add(y, x):
    y += x


def write(y, x):
    y[:, 0] = 0


def negate(y, x):
    np.negative(y, out=y)


def spoil_the_input(net, x):
    x *= 2
    return net.a(x)


def two_of_them(net, x):
    return net.a(x), net.b(x)


NO_CHAIN = {
    "a residual": (lambda net, x: net.act(net.a(x) + x), "between self.a and self.act something is done"),
    "a residual at the end": (lambda net, x: net.a(x) + x, "between self.a and the output something is done"),
    "a residual in place": (in_place(add), "what self.a gave is changed in place before it comes to self.act"),
    "a written channel": (in_place(write), "what self.a gave is changed in place before it comes to self.act"),
    "a sign in place": (in_place(negate), "what self.a gave is changed in place before it comes to self.act"),
    "the input doubled": (spoil_the_input, "what the input gave is changed in place before it comes to self.a"),
    "the input used twice": (
        lambda net, x: (net.a(x), net.b(x))[1],
        "self.b has what the input gave, and not what self.a gave",
    ),
    "a value used twice": (
        lambda net, x: net.act(net.b(y := net.a(x)) * y),
        "between self.b and self.act something is done",
    ),
    "a value that leaves the chain": (
        lambda net, x: (net.b(y := net.a(x)), net.act(y))[1],
        "self.act has what self.a gave, and not what self.b gave",
    ),
    "a product with a parameter": (lambda net, x: net.a(x) * net.scale.data, "between self.a and the output"),
    "a transposition": (lambda net, x: net.act(net.a(x).transpose(0, 1, 3, 2)), "between self.a and self.act"),
    "a slice": (lambda net, x: net.act(net.a(x)[:, :1]), "between self.a and self.act"),
    "numpy's function": (lambda net, x: net.b(np.maximum(net.a(x), 0)), "between self.a and self.b"),
    "two outputs": (two_of_them, "self.b has what the input gave"),
    "no layer": (lambda net, x: 2 * x, "no layer of minicnn.nn was called"),
}


@pytest.mark.parametrize("what", NO_CHAIN)
def test_a_forward_that_is_no_chain_is_refused_where_the_link_is_missing(what):
    forward, text = NO_CHAIN[what]
    net = doubled(Parts(forward))
    x = normal(0, 1, 2, 4, 4)
    output = net(x)
    with pytest.raises(NotImplementedError, match=re.escape(text)) as caught:
        net.backward(output)
    assert str(caught.value).startswith("Parts defines no backward, and its forward is not a chain")
    assert all(parameter.grad is None for parameter in net.parameters())


def test_the_refusal_tells_the_lines_to_write_for_this_class():
    net = doubled(Parts(lambda net, x: net.act(net.b(F.relu(net.a(x))) + x).reshape(len(x), -1)))
    output = net(normal(0, 1, 2, 4, 4))
    with pytest.raises(NotImplementedError) as caught:
        net.backward(output)
    assert str(caught.value).split("\n\n")[1].splitlines() == [
        "    def backward(self, grad_output):",
        "        grad = grad_output",
        "        grad = self.act.backward(grad.reshape(len(grad), 2, 4, 4))",
        (
            "        grad = ...  # the gradient of this step of forward: between self.b and self.act something is done "
            "that is neither a layer nor a reshape"
        ),
        "        grad = self.b.backward(grad)",
        "        grad = F.relu_backward(grad, ...)  # what forward kept for it",
        "        grad = self.a.backward(grad)",
        "        return grad",
    ]


def test_what_comes_before_the_first_layer_needs_no_gradient_if_the_layer_says_so():
    net = doubled(Parts(lambda net, x: net.act(net.a(x / 255))))
    x, grad_output = normal(0, 1, 2, 4, 4), normal(1, 1, 2, 4, 4)
    net(x)
    with pytest.raises(NotImplementedError, match="between the input and self.a"):
        net.backward(grad_output)
    net.a.needs_input_grad = False
    net(x)
    assert net.backward(grad_output) is None
    assert net.a.weight.grad is not None


def test_forward_alone_is_as_before_whatever_it_does():
    """Nobody asked for a gradient, so nothing is refused."""
    for forward, _ in NO_CHAIN.values():
        Parts(forward).eval()(normal(0, 1, 2, 4, 4).astype("f"))
        Parts(forward)(normal(0, 1, 2, 4, 4).astype("f"))


def test_a_gradient_of_another_shape_is_refused():
    net = doubled(Parts(lambda net, x: net.a(x).reshape(len(x), -1)))
    net(normal(0, 1, 2, 4, 4))
    with pytest.raises(RuntimeError, match=re.escape("must have the output's shape (1, 32), got (1, 2, 4, 4)")):
        net.backward(normal(0, 1, 2, 4, 4))


def test_backward_without_its_forward_is_refused():
    net, x = doubled(Parts(lambda net, x: net.a(x))), normal(0, 1, 2, 4, 4)
    with pytest.raises(RuntimeError, match="nothing was kept"):
        net.backward(x)
    net(x)
    net.backward(x)
    with pytest.raises(RuntimeError, match="each forward serves one backward"):
        net.backward(x)
    net.eval()(x)
    with pytest.raises(RuntimeError, match="in eval"):
        net.backward(x)


# ------------------------------------------------------------- torch's words for tensors


@pytest.mark.parametrize(
    ("forward", "kind", "text"),
    [
        (lambda net, x: net.a(x).reshape(x.size(0), -1), TypeError, "x.shape[0] or len(x) is the size"),
        (lambda net, x: net.a(x).view(x.shape[0], -1), (TypeError, ValueError), "x.reshape(len(x), -1)"),
        (lambda net, x: net.a(x.to("cpu")), AttributeError, "leave it out: arrays are where the model is"),
        (lambda net, x: net.a(x).unsqueeze(1), AttributeError, "x[:, None] adds a dimension"),
        (lambda net, x: net.a(x).sum().backward(), AttributeError, "criterion.backward() is the gradient"),
    ],
)
def test_torchs_word_in_a_forward_is_answered_with_the_line_to_write(forward, kind, text):
    with pytest.raises(kind, match=re.escape(text)):
        doubled(Parts(forward))(normal(0, 1, 2, 4, 4))


def test_other_errors_of_a_forward_are_left_as_they_are():
    with pytest.raises(AttributeError) as caught:
        doubled(Parts(lambda net, x: x.nonsense()))(normal(0, 1, 2, 4, 4))
    assert str(caught.value) == "'numpy.ndarray' object has no attribute 'nonsense'"


# ---------------------------------------------------------------- one layer, two places


@pytest.mark.parametrize("as_class", [False, True])
def test_a_layer_that_stands_twice_learns_from_both_places_as_in_torch(as_class):
    class Twice(nn.Module):
        def __init__(self, block, act):
            self.block, self.act = block, act

        def forward(self, x):
            return self.block(self.act(self.block(x)))

    block, act = doubled(nn.Sequential(nn.Linear(3, 3), nn.Tanh())), nn.ReLU()
    ours = Twice(block, act) if as_class else nn.Sequential(block, act, block)
    shared = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Tanh()).double()
    shared.load_state_dict({name: torch.from_numpy(array) for name, array in block.state_dict().items()})
    x, grad_output = normal(0, 4, 3), normal(1, 4, 3)
    given = torch.from_numpy(x).requires_grad_()
    torch.nn.Sequential(shared, torch.nn.ReLU(), shared)(given).backward(torch.from_numpy(grad_output))
    _, grad_input, grad_weight, grad_bias = results(ours, x, grad_output)
    np.testing.assert_allclose(grad_input, given.grad, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(grad_weight, shared[0].weight.grad, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(grad_bias, shared[0].bias.grad, rtol=1e-12, atol=1e-13)


def test_where_it_cannot_work_the_error_names_both_places():
    act = nn.ReLU()

    class Branches(nn.Module):
        def __init__(self):
            self.left, self.right = nn.Sequential(nn.Linear(2, 2), act), nn.Sequential(nn.Linear(2, 2), act)

        def forward(self, x):
            return self.left(x) + self.right(x)

        def backward(self, grad_output):
            return self.left.backward(grad_output) + self.right.backward(grad_output)

    net = Branches()
    output = net(np.ones((1, 2), np.float32))
    text = (
        "ReLU.backward was called, but stands at 'left.1' and 'right.1' in one forward pass of Branches, and only "
        "the latest call is kept. Make a layer of its own for each place."
    )
    with pytest.raises(RuntimeError, match=re.escape(text)):
        net.backward(output)
