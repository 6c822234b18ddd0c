"""The linear layer without state."""

import math

import numpy as np

from ...kernels import kernels_for
from . import checks


def _prepare(input, weight, who):
    """The input as a matrix (M, in), whatever its leading dimensions; the weight; the output's shape."""
    x = checks.array(input, "input", who, checks.FLOATS + checks.INTEGERS)
    weight = checks.like(weight, "weight", x, who)
    if weight.ndim != 2:
        raise RuntimeError(f"{who}: weight must be (out_features, in_features), got shape {tuple(weight.shape)}.")
    if x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        hint = ""
        if x.ndim == 2 and x.size == weight.shape[1]:
            hint = " Flatten saw one image (C, H, W) without its batch dimension: pass x[None]."
        elif x.ndim == 2:
            takes = f"Linear({x.shape[1]}, {weight.shape[0]})"
            hint = f" After Flatten it is C * H * W of what the layer before gives: {takes} takes this input."
        raise RuntimeError(
            f"{who}: the input's last dimension must be the weight's in_features = {weight.shape[1]}, got an input of shape {tuple(x.shape)}.{hint}"
        )
    *leading, features = x.shape
    return x.reshape(math.prod(leading), features), weight, (*leading, weight.shape[0])


def linear(input, weight, bias=None) -> np.ndarray:
    """Input (..., in), weight (out, in), bias (out,) -> (..., out) = input @ weight^T + bias.

    >>> linear(np.array([1, 2]), np.array([[1, 1], [0, 3]]), np.array([10, 0]))
    array([13,  6])

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.linear.html
    """
    x, weight, output_shape = _prepare(input, weight, "linear")
    bias = bias if bias is None else checks.like(bias, "bias", x, "linear", weight.shape[:1])
    return kernels_for(x).linear(x, weight, bias).reshape(output_shape)


def linear_backward(
    grad_output, input, weight, needs_input_grad=True
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """The gradients with respect to (input, weight, bias); without `needs_input_grad` the first is None and costs nothing.

        grad_input = grad_output @ weight       grad_weight = grad_output^T @ input       grad_bias = sum over rows

    >>> linear_backward(np.array([[1.0]]), np.array([[2.0, 3.0]]), np.array([[4.0, 5.0]]))
    (array([[4., 5.]]), array([[2., 3.]]), array([1.]))
    """
    x, weight, output_shape = _prepare(input, weight, "linear_backward")
    grad = checks.grad(grad_output, output_shape, x, "linear_backward").reshape(len(x), len(weight))
    kernel = kernels_for(x)
    grad_input = kernel.linear_grad_input(grad, weight).reshape(input.shape) if needs_input_grad else None
    return grad_input, kernel.linear_grad_weight(grad, x), kernel.grad_bias(grad)
