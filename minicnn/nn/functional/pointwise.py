"""ReLU, sigmoid and tanh without state. Each gradient takes the output, from which it is computed most easily."""

import numpy as np

from ...kernels import arrays, kernels_for
from . import checks


def relu(input, inplace: bool = False) -> np.ndarray:
    """max(x, 0) for each element; NaN stays NaN. Any shape; `inplace` writes the result into the input.

    >>> relu(np.array([-2.0, 0.0, 3.0]))
    array([0., 0., 3.])

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.relu.html
    """
    x = checks.array(input, "input", "relu", checks.FLOATS + checks.INTEGERS)
    output = arrays.from_number(kernels_for(x).relu(x))
    if not inplace:
        return output
    if not arrays.is_writeable(input):
        raise RuntimeError("relu: inplace=True writes into the input, but the input is read-only; pass a copy.")
    return arrays.overwrite(input, output)


def relu_backward(grad_output, output) -> np.ndarray:
    """grad_output where the output is positive or NaN, 0 elsewhere: the gradient at 0 is 0, as in torch.

    >>> relu_backward(np.array([10.0, 10.0, 10.0]), relu(np.array([-2.0, 0.0, 3.0])))
    array([ 0.,  0., 10.])
    """
    return _backward("relu", grad_output, output)


def sigmoid(input) -> np.ndarray:
    """1 / (1 + exp(-x)) for each element.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.sigmoid.html
    """
    return _forward("sigmoid", input)


def sigmoid_backward(grad_output, output) -> np.ndarray:
    """grad_output * output * (1 - output).

    >>> sigmoid_backward(np.array([1.0, 1.0]), sigmoid(np.array([0.0, 1000.0])))
    array([0.25, 0.  ])
    """
    return _backward("sigmoid", grad_output, output)


def tanh(input) -> np.ndarray:
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x)) for each element.

    >>> tanh(np.array([0.0, 1000.0]))
    array([0., 1.])

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.tanh.html
    """
    return _forward("tanh", input)


def tanh_backward(grad_output, output) -> np.ndarray:
    """grad_output * (1 - output^2).

    >>> tanh_backward(np.array([1.0, 1.0]), tanh(np.array([0.0, 1000.0])))
    array([1., 0.])
    """
    return _backward("tanh", grad_output, output)


def _forward(name, input):
    x = checks.array(input, "input", name)
    return arrays.from_number(getattr(kernels_for(x), name)(x))


def _backward(name, grad_output, output):
    who = f"{name}_backward"
    output = checks.array(output, "output", who)
    grad = checks.grad(grad_output, output.shape, output, who, "output")
    return arrays.from_number(getattr(kernels_for(output), f"{name}_grad")(grad, output))
