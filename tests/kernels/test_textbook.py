"""The plain cases with which the textbook begins are the general functions without options."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn import geometry
from minicnn.kernels.numpy_textbook import convolution, losses, optimizers, pooling
from tests.support import strategies
from tests.support.strategies import pairs, seeds


@given(strategies.convolutions(grouped=False))
def test_plain_convolution_and_its_gradients_are_the_general_ones_for_one_group(case):
    x, weight, _, grad_output = case.arrays(strategies.integers, "int64")
    bias = np.arange(len(weight))
    x = x.reshape(-1, *x.shape[-3:])
    g = geometry.conv2d(x.shape, weight.shape, **case.arguments)
    grad_output = grad_output.reshape(g.output_shape)
    output = convolution.plain_conv2d(x, weight, bias, g)
    np.testing.assert_array_equal(output, convolution.conv2d(x, weight, bias, g), strict=True)
    found = convolution.plain_conv2d_backward(grad_output, x, weight, g)
    general = (
        convolution.conv2d_grad_input(grad_output, weight, g),
        convolution.conv2d_grad_weight(grad_output, x, g),
        convolution.grad_bias(grad_output),
    )
    for result, wanted in zip(found, general, strict=True):
        np.testing.assert_array_equal(result, wanted, strict=True)


@given(seeds, pairs(0, 3), pairs(1, 4), st.integers(1, 4))
def test_plain_pooling_is_the_general_one_for_windows_side_by_side(seed, batch, windows, K):
    N, C = batch[0], batch[1] + 1
    OH, OW = windows
    x = np.random.default_rng(seed).integers(-5, 6, (N, C, OH * K, OW * K))
    g = geometry.max_pool2d(x.shape, K)
    np.testing.assert_array_equal(pooling.plain_max_pool2d(x, K), pooling.max_pool2d(x, g)[0], strict=True)


@given(seeds, st.integers(1, 6), st.integers(1, 6))
def test_plain_cross_entropy_and_its_gradient_are_the_general_ones_without_options(seed, N, C):
    rng = np.random.default_rng(seed)
    logits, target = rng.standard_normal((N, C)), rng.integers(0, C, N)
    options = (target, None, -100, 0.0, "mean")
    np.testing.assert_allclose(
        losses.plain_cross_entropy(logits, target), losses.cross_entropy(logits, *options), rtol=1e-13, atol=1e-15
    )
    np.testing.assert_allclose(
        losses.plain_cross_entropy_grad(logits, target),
        losses.cross_entropy_grad(np.ones(()), logits, *options),
        rtol=1e-13,
        atol=1e-15,
    )


def test_plain_cross_entropy_of_a_class_whose_probability_rounds_to_0_is_finite():
    """p is exp(-200), 0 in float32; its logarithm is -200."""
    logits = np.array([[0, 200]], np.float32)
    target = np.array([0])
    assert losses.plain_cross_entropy(logits, target) == losses.cross_entropy(logits, target, None, -100, 0.0, "mean")
    assert losses.plain_cross_entropy(logits, target) == 200
    np.testing.assert_array_equal(losses.plain_cross_entropy_grad(logits, target), [[-1, 1]])


@pytest.mark.parametrize("beta1", [0.9, 0.3])  # each side of torch's lerp
@given(seeds)
def test_plain_adam_is_the_general_one_without_options(beta1, seed):
    rng = np.random.default_rng(seed)
    plain = [rng.standard_normal(5), np.zeros(5), np.zeros(5)]
    general = [array.copy() for array in plain]
    numbers = (0.1, beta1, 0.99, 1e-8)
    for step in range(1, 6):
        grad = rng.standard_normal(5)
        optimizers.plain_adam(plain[0], grad, plain[1], plain[2], step, *numbers)
        optimizers.adam(general[0], grad, general[1], general[2], None, step, *numbers, 0.0, False, False)
    for found, wanted in zip(plain, general, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-12)
