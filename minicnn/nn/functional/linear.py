"""The fully connected layer without state: each output is a weighted sum of all inputs."""

import math

import numpy as np  # noqa: F401 - for the examples

from ...kernels import kernels_for
from ...kernels.arrays import Array
from . import checks


def _linear_arguments(input, weight, who):
    """The input as (M, in), whatever its leading dimensions, the weight, the output's shape."""
    x = checks.array(input, "input", who, checks.FLOATS + checks.INTEGERS)
    weight = checks.like(weight, "weight", x, who)
    if weight.ndim != 2:
        raise RuntimeError(f"{who}: weight must be (out_features, in_features), got shape {tuple(weight.shape)}.")
    if x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        raise RuntimeError(
            f"{who}: the input's last dimension must be the weight's in_features = {weight.shape[1]}, "
            f"got an input of shape {tuple(x.shape)}.{_hint(x, weight)}"
        )
    *leading, features = x.shape
    return x.reshape(math.prod(leading), features), weight, (*leading, weight.shape[0])


def _hint(x, weight):
    """What may be meant by an input that does not fit."""
    if x.ndim != 2:
        return ""
    if x.size == weight.shape[1]:
        return " Flatten saw one image (C, H, W) without its batch dimension: pass x[None]."
    takes = f"Linear({x.shape[1]}, {weight.shape[0]})"
    return f" After Flatten it is C * H * W of what the layer before gives: {takes} takes this input."


def linear(input: Array, weight: Array, bias: Array | None = None) -> Array:
    """Input (..., in), weight (out, in), bias (out,) -> (..., out): input @ weight^T + bias.

    All arrays have one dtype, which the output has too: float32, float64, int64, int32, int16,
    int8 or uint8.

    >>> linear(np.array([1, 2]), np.array([[1, 1], [0, 3]]), np.array([10, 0]))
    array([13,  6])

    Raises TypeError for what is not an array, RuntimeError where dtypes or shapes do not fit.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.linear.html
    """
    x, weight, output_shape = _linear_arguments(input, weight, "linear")
    if bias is not None:
        bias = checks.like(bias, "bias", x, "linear", weight.shape[:1])
    return kernels_for(x).linear(x, weight, bias).reshape(output_shape)


def linear_backward(
    grad_output: Array,
    input: Array,
    weight: Array,
    needs_input_grad: bool = True,
    needs_bias_grad: bool = True,
    needs_weight_grad: bool = True,
) -> tuple[Array | None, Array | None, Array | None]:
    """(grad_input, grad_weight, grad_bias), from the gradient (..., out) of linear's output.

        grad_input = grad_output @ weight                  (..., in)
        grad_weight = grad_output^T @ input                (out, in)
        grad_bias = sum of grad_output over the rows       (out,)

    All have the input's dtype. What is not needed is None and costs nothing.

    >>> linear_backward(np.array([[1.0]]), np.array([[2.0, 3.0]]), np.array([[4.0, 5.0]]))
    (array([[4., 5.]]), array([[2., 3.]]), array([1.]))

    Raises what linear raises, and RuntimeError for a grad_output of another shape or dtype.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.linear.html
    """
    x, weight, output_shape = _linear_arguments(input, weight, "linear_backward")
    grad = checks.grad(grad_output, output_shape, x, "linear_backward").reshape(len(x), len(weight))  # (M, out)
    kernels = kernels_for(x)
    grad_input = grad_weight = grad_bias = None
    if needs_input_grad:
        grad_input = kernels.linear_grad_input(grad, weight).reshape(input.shape)  # (..., in)
    if needs_weight_grad:
        grad_weight = kernels.linear_grad_weight(grad, x)  # (out, in)
    if needs_bias_grad:
        grad_bias = kernels.grad_bias(grad)  # (out,)
    return grad_input, grad_weight, grad_bias
