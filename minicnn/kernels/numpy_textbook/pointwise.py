"""Functions of one number, applied to each element: any shape, and the result has it too.

Each gradient is written with the output, which is at hand; that of gelu with the input.
"""

import math

import numpy as np
from scipy.special import erf


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


@np.errstate(over="ignore", invalid="ignore")
def gelu(x, approximate):
    """x P(x), where P(x) is the share of a normal distribution that lies below x.

    P(x) = (1 + erf(x / sqrt(2))) / 2. With "tanh" it is (1 + tanh(u(x))) / 2 with
    u(x) = sqrt(2 / pi) (x + 0.044715 x^3), which differs by 0.0005 at most.
    """
    if approximate == "tanh":
        share = (1 + np.tanh(_u(x))) / 2
    else:
        share = (1 + erf(x * math.sqrt(0.5))) / 2
    return x * share


@np.errstate(over="ignore", invalid="ignore")
def gelu_grad(grad_output, x, approximate):
    """P(x) + x P'(x).

    P'(x) is exp(-x^2 / 2) / sqrt(2 pi); with "tanh" (1 - tanh^2(u)) u' / 2.
    """
    if approximate == "tanh":
        t = np.tanh(_u(x))
        slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)
        twice = (1 + t) + x * (1 - t * t) * slope
        return grad_output * (twice / 2)
    density = np.exp(-x * x / 2) * (1 / math.sqrt(2 * math.pi))
    share = (1 + erf(x * math.sqrt(0.5))) / 2
    return grad_output * (share + x * density)


def _u(x):
    return math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
