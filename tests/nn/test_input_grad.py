"""backward(grad_output, input_grad=False): the parameters' gradients are the same to the bit,
and what lies before the first layer that learns is spared.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn import models, nn
from minicnn.nn.watch import watch
from tests.support.strategies import seeds

pytestmark = pytest.mark.usefixtures("backend")


class Chain(nn.Module):
    """Its backward is found by following the values."""

    def __init__(self, *layers):
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)


def convolution(C, O):
    return [nn.Conv2d(C, O, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]


def head():
    return [nn.Flatten(), nn.Linear(4 * 2 * 2, 3)]


NETWORKS = {
    "blocks": lambda: nn.Sequential(*convolution(2, 4), *convolution(4, 4), *head()),
    "nested": lambda: nn.Sequential(nn.Sequential(*convolution(2, 4)), nn.Sequential(*convolution(4, 4)), *head()),
    "a layer that does not learn first": lambda: nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(8, 3)),
    "transposed": lambda: nn.Sequential(nn.ConvTranspose2d(2, 4, 1), nn.AvgPool2d(4), *head()),
    "a sum first": lambda: nn.Sequential(nn.Residual(nn.Conv2d(2, 2, 1), nn.Tanh()), nn.Conv2d(2, 4, 5, 2), *head()),
    "branches first": lambda: nn.Sequential(
        nn.Concat(nn.Identity(), nn.Conv2d(2, 2, 1)), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(16, 3)
    ),
    "one layer twice": lambda: nn.Sequential(*[nn.Conv2d(2, 2, 1)] * 2, nn.AvgPool2d(4), nn.Flatten(), nn.Linear(8, 3)),
    "a class of its own": lambda: Chain(*convolution(2, 4), *convolution(4, 4), *head()),
}


def gradients(model, x, grad_output, **options):
    model.zero_grad()
    model(x)
    grad_input = model.backward(grad_output, **options)
    return grad_input, [None if p.grad is None else p.grad.tobytes() for p in model.parameters()]


@pytest.mark.parametrize("name", NETWORKS)
@given(seeds, st.integers(0, 3))
def test_the_parameters_gradients_keep_every_bit(name, seed, frozen):
    model = NETWORKS[name]()
    for parameter in list(model.parameters())[:frozen]:
        parameter.requires_grad = False
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, 2, 8, 8), np.float32)
    grad_output = rng.standard_normal(model(x).shape, np.float32)
    grad_input, whole = gradients(model, x, grad_output)
    left_out, spared = gradients(model, x, grad_output, input_grad=False)
    assert grad_input.shape == x.shape
    assert left_out is None
    assert spared == whole
    assert all(part.needs_input_grad for part in model.modules())
    again, _ = gradients(model, x, grad_output)
    assert again.tobytes() == grad_input.tobytes()


def test_layers_before_the_first_that_learns_are_not_called(monkeypatch):
    model = NETWORKS["blocks"]()
    model[0].requires_grad_(False)
    called = []

    def noted(layer):
        backward = layer.backward

        def told(grad):
            called.append(layer)
            return backward(grad)

        return told

    for layer in model:
        monkeypatch.setattr(layer, "backward", noted(layer))
    model(np.ones((2, 2, 8, 8), np.float32))
    model.backward(np.ones((2, 3), np.float32), input_grad=False)
    assert called == list(model)[:2:-1]


def test_after_an_error_the_gradient_is_given_again():
    model = NETWORKS["blocks"]()
    model(np.ones((2, 2, 8, 8), np.float32))
    with pytest.raises(RuntimeError, match="grad_output"):
        model.backward(np.ones((2, 4), np.float32), input_grad=False)
    assert model[0].needs_input_grad


def test_a_network_that_is_watched_leaves_it_out_too():
    model = NETWORKS["blocks"]()
    watch(model, np.ones((2, 2, 8, 8), np.float32))
    assert model.backward(np.ones((2, 3), np.float32), input_grad=False) is None
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("kind", [models.SimpleCNN, models.ParityCNN])
def test_the_courses_networks_take_it(kind):
    model = kind()
    x = np.random.default_rng(0).standard_normal((2, 1, 28, 28), np.float32)
    grad_output = np.ones(model(x).shape, np.float32)
    grad_input, whole = gradients(model, x, grad_output)
    left_out, spared = gradients(model, x, grad_output, input_grad=False)
    assert (grad_input.shape, left_out) == (x.shape, None)
    assert spared == whole
