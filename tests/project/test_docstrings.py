"""Every public docstring has its example and its link; and the sentences that no other
test evaluates are true.
"""

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minicnn
from minicnn import data, nn, optim
from minicnn.nn import functional as F
from tests.support.oracle import assert_equal
from tests.support.strategies import pairs, seeds

OPTIMIZERS = [optim.Adadelta, optim.Adam, optim.AdamW, optim.SGD, optim.Optimizer]
CLASSES = [*(getattr(nn, name) for name in nn.__all__ if name != "functional"), *OPTIMIZERS]
CLASSES += [getattr(data, name) for name in data.__all__]
LAYERS = [
    thing
    for thing in CLASSES
    if thing.__module__.startswith("minicnn.nn") and thing.__name__ not in ("Module", "Parameter")
]


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("thing", [*CLASSES, *(getattr(F, name) for name in F.__all__)], ids=lambda x: x.__name__)
def test_a_public_docstring_has_an_example_and_a_link(thing):
    text = inspect.getdoc(thing)
    assert text.count("https://") == 1
    assert ">>> " in text


@pytest.mark.parametrize("function", [getattr(F, name) for name in F.__all__], ids=lambda x: x.__name__)
def test_the_docstring_of_an_operation_says_what_it_raises(function):
    assert "\nRaises " in inspect.getdoc(function)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda x: x.__name__)
def test_a_layer_says_what_it_costs_and_puts_a_belief_right(layer):
    text = " ".join(inspect.getdoc(layer).split())
    assert "Often believed: " in text
    assert "In fact" in text
    assert "Raises " in text
    if layer is not nn.Sequential:
        assert "Cost:" in text
        assert "ept for backward:" in text


# ------------------------------------------------------------------------- the formulas


@given(seeds, pairs(1, 4), pairs(1, 4))
def test_flatten_and_unflatten_place_each_number_as_their_formulas_say(seed, first, last):
    (N, C), (H, W) = first, last
    x = normal(seed, N, C, H, W)
    flat = nn.Flatten()(x)
    for n, c, h, w in np.ndindex(x.shape):
        assert flat[n, (c * H + h) * W + w] == x[n, c, h, w]
    assert_equal(nn.Unflatten(1, (C, H, W))(flat), x)


@given(seeds)
def test_the_gradients_of_the_losses_are_their_formulas(seed):
    x, other = normal(seed, 3, 4), normal(seed + 1, 3, 4)
    s, y, classes = 1 / (1 + np.exp(-x)), np.random.default_rng(seed).random((3, 4)), np.array([0, 3, 1])
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    for criterion, target, gradient in [
        (nn.MSELoss(), other, 2 * (x - other) / x.size),
        (nn.BCEWithLogitsLoss(), y, (s - y) / x.size),
        (nn.CrossEntropyLoss(), classes, (p - np.eye(4)[classes]) / 3),
    ]:
        criterion(x, target)
        np.testing.assert_allclose(criterion.backward(), gradient, rtol=1e-12, atol=1e-14)
    bce, sigmoid = nn.BCELoss(), nn.Sigmoid()
    bce(sigmoid(x), y)
    grad = bce.backward()
    np.testing.assert_allclose(grad, (s - y) / (s * (1 - s)) / x.size, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(sigmoid.backward(grad), (s - y) / x.size, rtol=1e-12, atol=1e-14)


@given(seeds)
def test_the_binary_losses_are_their_formulas(seed):
    rng = np.random.default_rng(seed)
    x, y, weight, pos_weight = rng.standard_normal((2, 3)), *rng.random((3, 2, 3))
    s = 1 / (1 + np.exp(-x))
    wanted = -weight * (pos_weight * y * np.log(s) + (1 - y) * np.log(1 - s))
    found = nn.BCEWithLogitsLoss(weight=weight, pos_weight=pos_weight, reduction="none")(x, y)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    plain = -weight * (y * np.log(s) + (1 - y) * np.log(1 - s))
    np.testing.assert_allclose(nn.BCELoss(weight=weight, reduction="none")(s, y), plain, rtol=1e-12)


@given(st.sampled_from([0.0, 0.5, 0.9]))
def test_under_a_constant_gradient_the_step_of_sgd_grows_to_lr_over_one_minus_momentum(momentum):
    p = nn.Parameter(np.array([0.0]))
    optimizer = optim.SGD([p], lr=0.1, momentum=momentum)
    for _ in range(400):
        before, p.grad = p.data.copy(), np.array([1.0])
        optimizer.step()
    np.testing.assert_allclose(before - p.data, 0.1 / (1 - momentum), rtol=1e-9)


@given(seeds)
def test_pooling_and_relu_may_change_places(seed):
    x = normal(seed, 2, 3, 6, 6)
    assert_equal(nn.ReLU()(nn.MaxPool2d(2)(x)), nn.MaxPool2d(2)(nn.ReLU()(x)))


def test_what_the_layers_say_they_keep_is_what_summary_measures():
    """Conv2d, ConvTranspose2d and Linear the input, MaxPool2d 8 bytes an output,
    pointwise layers the output.
    """
    image = (2, 6, 6)
    for layer, shape, size in [
        (nn.Conv2d(2, 3, 3), image, 4 * 72),
        (nn.ConvTranspose2d(2, 3, 3), image, 4 * 72),
        (nn.MaxPool2d(2), image, 8 * 2 * 9),
        (nn.Linear(72, 5), (72,), 4 * 72),
        (nn.ReLU(), image, 4 * 72),
        (nn.LeakyReLU(), image, 4 * 72),
        (nn.GELU(), image, 4 * 72),
        (nn.Softmax(1), image, 4 * 72),
        (nn.LogSoftmax(1), image, 4 * 72),
        (nn.Sigmoid(), image, 4 * 72),
        (nn.Tanh(), image, 4 * 72),
        (nn.BatchNorm2d(2), image, 4 * 72),
        (nn.AvgPool2d(2), image, 0),
        (nn.Dropout(), image, 4 * 72),
        (nn.Dropout2d(), image, 4 * 2),
        (nn.AdaptiveAvgPool2d(2), image, 0),
        (nn.Identity(), image, 0),
        (nn.Upsample(scale_factor=2), image, 0),
        (nn.LayerNorm(6), image, 4 * 72),
        (nn.Flatten(), image, 0),
        (nn.Unflatten(1, (8, 9)), (72,), 0),
    ]:
        assert minicnn.summary(layer, shape).kept_bytes == size, layer
