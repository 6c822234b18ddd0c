"""ReLU and its relatives, sigmoid and tanh without state.

Each gradient takes what it is computed most easily from: the output, or the input for
leaky_relu and gelu.
"""

import numpy as np  # noqa: F401 - for the examples

from ...kernels import arrays, kernels_for
from ...kernels.arrays import Array
from . import checks
from .links import linked


@linked
def relu(input: Array, inplace: bool = False) -> Array:
    """max(x, 0) for each element, NaN stays NaN: any shape and dtype, which the output has too.

    `inplace` writes the result into the input and returns that.

    >>> relu(np.array([-2.0, 0.0, 3.0]))
    array([0., 0., 3.])

    Raises TypeError for what is not an array; RuntimeError for a dtype like bool or
    complex, and for `inplace` with a read-only array.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.relu.html
    """
    x = checks.array(input, "input", "relu", checks.FLOATS + checks.INTEGERS)
    output = arrays.from_number(kernels_for(x).relu(x))
    if not inplace:
        return output
    if not arrays.is_writeable(input):
        raise RuntimeError("relu: inplace=True writes into the input, but the input is read-only; pass a copy.")
    return arrays.overwrite(input, output)


def relu_backward(grad_output: Array, output: Array) -> Array:
    """grad_output where the output is positive or NaN, 0 elsewhere: at 0 the slope is 0.

    grad_output and relu's output have one shape and one dtype, float32 or float64; so has the
    gradient with respect to the input.

    >>> relu_backward(np.array([10.0, 10.0, 10.0]), relu(np.array([-2.0, 0.0, 3.0])))
    array([ 0.,  0., 10.])

    Raises TypeError for what is not an array, RuntimeError where dtypes or shapes do not fit.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.relu.html
    """
    output, grad = _output_and_grad(output, grad_output, "relu_backward")
    return arrays.from_number(kernels_for(output).relu_grad(grad, output))


@linked
def sigmoid(input: Array) -> Array:
    """1 / (1 + exp(-x)) for each element: any shape, float32 or float64, and so is the output.

    Below about -88.7 (float64: -709.8) it is exactly 0, as in torch: there exp(-x) overflows.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])

    Raises TypeError for what is not an array, RuntimeError for another dtype.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.sigmoid.html
    """
    x = checks.array(input, "input", "sigmoid")
    return arrays.from_number(kernels_for(x).sigmoid(x))


def sigmoid_backward(grad_output: Array, output: Array) -> Array:
    """grad_output * output * (1 - output).

    grad_output and sigmoid's output have one shape and one dtype, float32 or float64; so
    has the gradient with respect to the input.

    >>> sigmoid_backward(np.array([1.0, 1.0]), sigmoid(np.array([0.0, 1000.0])))
    array([0.25, 0.  ])

    Raises TypeError for what is not an array, RuntimeError where dtypes or shapes do not fit.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.sigmoid.html
    """
    output, grad = _output_and_grad(output, grad_output, "sigmoid_backward")
    return arrays.from_number(kernels_for(output).sigmoid_grad(grad, output))


@linked
def tanh(input: Array) -> Array:
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x)) for each element.

    Any shape, float32 or float64, and so is the output.

    >>> tanh(np.array([0.0, 1000.0]))
    array([0., 1.])

    Raises TypeError for what is not an array, RuntimeError for another dtype.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.tanh.html
    """
    x = checks.array(input, "input", "tanh")
    return arrays.from_number(kernels_for(x).tanh(x))


def tanh_backward(grad_output: Array, output: Array) -> Array:
    """grad_output * (1 - output^2).

    grad_output and tanh's output have one shape and one dtype, float32 or float64; so has the
    gradient with respect to the input.

    >>> tanh_backward(np.array([1.0, 1.0]), tanh(np.array([0.0, 1000.0])))
    array([1., 0.])

    Raises TypeError for what is not an array, RuntimeError where dtypes or shapes do not fit.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.tanh.html
    """
    output, grad = _output_and_grad(output, grad_output, "tanh_backward")
    return arrays.from_number(kernels_for(output).tanh_grad(grad, output))


def _slopes(x, negative_slope: float):
    """1 where x is positive, negative_slope elsewhere, of x's dtype."""
    positive = arrays.cast(x > 0, x.dtype)
    return positive + negative_slope * (1 - positive)


@linked
def leaky_relu(input: Array, negative_slope: float = 0.01, inplace: bool = False) -> Array:
    """x where x is positive, negative_slope * x elsewhere: any shape, float32 or float64.

    So is the output. It is a product with 1 or the slope, and so is the gradient. `inplace`
    writes the result into the input and returns that.

    >>> leaky_relu(np.array([-2.0, 0.0, 3.0]), 0.1)
    array([-0.2,  0. ,  3. ])

    Raises TypeError for what is not an array or a number; RuntimeError for another dtype, and
    for `inplace` with a read-only array.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.leaky_relu.html
    """
    who = "leaky_relu"
    x = checks.array(input, "input", who)
    output = arrays.from_number(x * _slopes(x, checks.number(negative_slope, "negative_slope", who)))
    if not inplace:
        return output
    if not arrays.is_writeable(input):
        raise RuntimeError(f"{who}: inplace=True writes into the input, but the input is read-only; pass a copy.")
    return arrays.overwrite(input, output)


def leaky_relu_backward(grad_output: Array, input: Array, negative_slope: float = 0.01) -> Array:
    """grad_output where the input is positive, negative_slope * grad_output elsewhere.

    grad_output and leaky_relu's input have one shape and one dtype, float32 or float64; so has
    the gradient with respect to the input.

    >>> leaky_relu_backward(np.array([10.0, 10.0]), np.array([-2.0, 3.0]), 0.1)
    array([ 1., 10.])

    Raises TypeError for what is not an array, RuntimeError where dtypes or shapes do not fit.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.leaky_relu.html
    """
    x = checks.array(input, "input", "leaky_relu_backward")
    grad = checks.grad(grad_output, x.shape, x, "leaky_relu_backward")
    return arrays.from_number(grad * _slopes(x, checks.number(negative_slope, "negative_slope", "leaky_relu_backward")))


def check_approximate(approximate: str, who: str) -> str:
    """`approximate`, if it is one of the two words."""
    if approximate not in ("none", "tanh"):
        raise ValueError(f"{who}: approximate must be 'none' or 'tanh', got {approximate!r}.")
    return approximate


@linked
def gelu(input: Array, approximate: str = "none") -> Array:
    """x P(x) for each element, where P(x) is the share of a normal distribution below x.

    Any shape, float32 or float64, and so is the output. With approximate="tanh" P is computed
    by tanh, which changes the result by 0.0005 at most.

    >>> gelu(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.1587,  0.    ,  0.8413])

    Raises TypeError for what is not an array; ValueError for another `approximate`;
    RuntimeError for another dtype.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.gelu.html
    """
    x = checks.array(input, "input", "gelu")
    return arrays.from_number(kernels_for(x).gelu(x, check_approximate(approximate, "gelu")))


def gelu_backward(grad_output: Array, input: Array, approximate: str = "none") -> Array:
    """grad_output * (P(x) + x P'(x)).

    grad_output and gelu's input have one shape and one dtype, float32 or float64; so has the
    gradient with respect to the input.

    >>> gelu_backward(np.array([1.0, 1.0]), np.array([0.0, 1.0])).round(4)
    array([0.5   , 1.0833])

    Raises what gelu raises, and RuntimeError where dtypes or shapes do not fit.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.gelu.html
    """
    who = "gelu_backward"
    x = checks.array(input, "input", who)
    grad = checks.grad(grad_output, x.shape, x, who)
    return arrays.from_number(kernels_for(x).gelu_grad(grad, x, check_approximate(approximate, who)))


def _output_and_grad(output, grad_output, who):
    output = checks.array(output, "output", who)
    return output, checks.grad(grad_output, output.shape, output, who, "output")
