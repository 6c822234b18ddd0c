"""Transposed convolution without state.

It needs no kernel: it *is* the gradient of a convolution.

The convolution that maps what comes out here to what goes in has the same weight, stride,
padding and dilation; its gradient with respect to its input is this operation. So forward
calls `conv2d_grad_input`, and backward `conv2d`.
"""

import numpy as np  # noqa: F401 - for the examples

from ... import geometry
from ...geometry import IntPair
from ...kernels import kernels_for
from ...kernels.arrays import Array
from . import checks


def _conv_transpose2d_arguments(input, weight, stride, padding, output_padding, groups, dilation, who):
    """Input and weight checked and batched, whether the input was one image, the geometry.

    The geometry is the convolution's.
    """
    x, single = checks.images(checks.array(input, "input", who, checks.FLOATS + checks.INT64), who)
    weight = checks.weights(checks.like(weight, "weight", x, who), "(C, O / groups, KH, KW)", who)
    g = geometry.conv_transpose2d(input.shape, weight.shape, stride, padding, output_padding, groups, dilation, who)
    return x, weight, single, g


def conv_transpose2d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: IntPair = 1,
    padding: IntPair = 0,
    output_padding: IntPair = 0,
    groups: int = 1,
    dilation: IntPair = 1,
) -> Array:
    """Input (N, C, H, W), weight (C, O / groups, KH, KW), bias (O,) -> output (N, O, OH, OW).

    One image (C, H, W) gives (O, OH, OW). All arrays have one dtype, which the output has too:
    float32, float64 or int64.

    >>> x = np.array([[[[0, 1], [2, 3]]]])
    >>> conv_transpose2d(x, x)
    array([[[[ 0,  0,  1],
             [ 0,  4,  6],
             [ 4, 12,  9]]]])

    Raises TypeError for what is not an array; ValueError for a stride, padding,
    output_padding, groups or dilation that make no sense; RuntimeError where dtypes, shapes
    or sizes do not fit.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose2d.html
    """
    who = "conv_transpose2d"
    x, weight, single, g = _conv_transpose2d_arguments(
        input, weight, stride, padding, output_padding, groups, dilation, who
    )
    if bias is not None:
        bias = checks.like(bias, "bias", x, who, (g.C,))
    output = kernels_for(x).conv2d_grad_input(x, weight, g)  # (N, O, OH, OW)
    if bias is not None:
        output = output + bias[:, None, None]
    return output[0] if single else output


def conv_transpose2d_backward(
    grad_output: Array,
    input: Array,
    weight: Array,
    stride: IntPair = 1,
    padding: IntPair = 0,
    output_padding: IntPair = 0,
    groups: int = 1,
    dilation: IntPair = 1,
    needs_input_grad: bool = True,
    needs_bias_grad: bool = True,
    needs_weight_grad: bool = True,
) -> tuple[Array | None, Array | None, Array | None]:
    """(grad_input, grad_weight, grad_bias), from the gradient of conv_transpose2d's output.

    grad_output (N, O, OH, OW), or (O, OH, OW) for one image; the other arguments as
    conv_transpose2d took them. grad_input and grad_weight have the shapes of input and weight,
    grad_bias is (O,); all have the input's dtype. What is not needed is None and costs nothing.

    The transpose of the transpose is a convolution: grad_input = conv2d(grad_output, weight).

    >>> x = weight = np.array([[[[0.0, 1.0], [2.0, 3.0]]]])
    >>> grad_output = np.ones((1, 1, 3, 3))
    >>> grad_input, grad_weight, grad_bias = conv_transpose2d_backward(grad_output, x, weight)
    >>> grad_input  # each pixel met all weights once, 0 + 1 + 2 + 3
    array([[[[6., 6.],
             [6., 6.]]]])

    Raises what conv_transpose2d raises, and RuntimeError for a grad_output of another shape or
    dtype.

    A guide to convolution arithmetic: https://arxiv.org/abs/1603.07285
    """
    who = "conv_transpose2d_backward"
    x, weight, single, g = _conv_transpose2d_arguments(
        input, weight, stride, padding, output_padding, groups, dilation, who
    )
    grad = checks.grad(grad_output, g.input_shape[single:], x, who).reshape(g.input_shape)
    kernels = kernels_for(x)
    grad_input = grad_weight = grad_bias = None
    if needs_input_grad:
        grad_input = kernels.conv2d(grad, weight, None, g)  # (N, C, H, W)
        grad_input = grad_input[0] if single else grad_input
    if needs_weight_grad:
        grad_weight = kernels.conv2d_grad_weight(x, grad, g)  # (C, O / groups, KH, KW)
    if needs_bias_grad:
        grad_bias = kernels.grad_bias(grad)  # (O,)
    return grad_input, grad_weight, grad_bias
