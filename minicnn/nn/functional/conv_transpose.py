"""Transposed convolution without state. It needs no kernel of its own: it *is* the gradient of a convolution.

The convolution that maps what comes out here to what goes in has the same weight, stride, padding and dilation; its
gradient with respect to its input is this operation. So forward calls `conv2d_grad_input`, and backward `conv2d`.
"""

import numpy as np

from ... import geometry
from ...kernels import kernels_for
from . import checks


def _prepare(input, weight, stride, padding, output_padding, groups, dilation, who):
    """Input and weight checked and batched, whether the input was one image, and the geometry of the convolution."""
    x, single = checks.images(checks.array(input, "input", who, checks.FLOATS + checks.INT64), who)
    weight = checks.weights(checks.like(weight, "weight", x, who), "(C, O / groups, KH, KW)", who)
    g = geometry.conv_transpose2d(x.shape, weight.shape, stride, padding, output_padding, groups, dilation, who)
    return x, weight, single, g


def conv_transpose2d(
    input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
) -> np.ndarray:
    """Input (N, C, H, W) or (C, H, W), weight (C, O / groups, KH, KW), bias (O,) -> (N, O, OH, OW) or (O, OH, OW).

    >>> x = np.array([[[[0, 1], [2, 3]]]])
    >>> conv_transpose2d(x, x)
    array([[[[ 0,  0,  1],
             [ 0,  4,  6],
             [ 4, 12,  9]]]])

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose2d.html
    """
    who = "conv_transpose2d"
    x, weight, single, g = _prepare(input, weight, stride, padding, output_padding, groups, dilation, who)
    bias = bias if bias is None else checks.like(bias, "bias", x, who, (g.C,))
    output = kernels_for(x).conv2d_grad_input(x, weight, g)
    output = output if bias is None else output + bias[:, None, None]
    return output[0] if single else output


def conv_transpose2d_backward(
    grad_output, input, weight, stride=1, padding=0, output_padding=0, groups=1, dilation=1, needs_input_grad=True
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """The gradients with respect to (input, weight, bias); without `needs_input_grad` the first is None and costs nothing.

    The transpose of the transpose is a convolution: grad_input = conv2d(grad_output, weight).

    >>> x = weight = np.array([[[[0.0, 1.0], [2.0, 3.0]]]])
    >>> grad_input, grad_weight, grad_bias = conv_transpose2d_backward(np.ones((1, 1, 3, 3)), x, weight)
    >>> grad_input  # each pixel met all weights once, 0 + 1 + 2 + 3
    array([[[[6., 6.],
             [6., 6.]]]])
    """
    who = "conv_transpose2d_backward"
    x, weight, single, g = _prepare(input, weight, stride, padding, output_padding, groups, dilation, who)
    grad = checks.grad(grad_output, g.input_shape[single:], x, who).reshape(g.input_shape)
    kernel = kernels_for(x)
    grad_input = kernel.conv2d(grad, weight, None, g) if needs_input_grad else None
    grad_input = grad_input[0] if single and grad_input is not None else grad_input
    return grad_input, kernel.conv2d_grad_weight(x, grad, g), kernel.grad_bias(grad)
