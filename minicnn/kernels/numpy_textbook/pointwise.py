"""Functions of one number, applied to each element: any shape, and the result has it too.

Each gradient is written with the output, which is at hand.
"""

import numpy as np


def relu(x):
    """max(x, 0), where NaN stays NaN and -0.0 stays -0.0."""
    return np.where(x < 0, x.dtype.type(0), x)


def relu_grad(grad_output, output):
    """1 where the output is positive, 0 where it is not.

    NaN is not <= 0, so there the gradient passes, as in torch.
    """
    return np.where(output <= 0, grad_output.dtype.type(0), grad_output)


def sigmoid(x):
    """1 / (1 + exp(-x)).

    Where exp(-x) overflows, below about -88.7 in float32 and -709.8 in float64, it is 0.
    """
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


def sigmoid_grad(grad_output, output):
    """sigmoid' = sigmoid (1 - sigmoid)."""
    return grad_output * (1 - output) * output


def tanh(x):
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x))."""
    return np.tanh(x)


def tanh_grad(grad_output, output):
    """tanh' = 1 - tanh^2."""
    return grad_output * (1 - output * output)
