"""Functions of one number, applied to each element. Each gradient is written with the output, which is at hand."""

import numpy as np


def relu(x):
    """max(x, 0), where NaN stays NaN and -0.0 stays -0.0."""
    return np.where(x < 0, x.dtype.type(0), x)


def relu_grad(grad_output, output):
    """1 where the output is positive, 0 where it is not; NaN is not <= 0, so there the gradient passes, as in torch."""
    return np.where(output <= 0, grad_output.dtype.type(0), grad_output)


def sigmoid(x):
    """1 / (1 + exp(-x)). With e = exp(-|x|) nothing overflows: 1 / (1 + e) for x >= 0, e / (1 + e) below."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def sigmoid_grad(grad_output, output):
    """sigmoid' = sigmoid (1 - sigmoid)."""
    return grad_output * (1 - output) * output


def tanh(x):
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x))."""
    return np.tanh(x)


def tanh_grad(grad_output, output):
    """tanh' = 1 - tanh^2."""
    return grad_output * (1 - output * output)
