"""Convolution without state: check, then call the kernel set that suits.

The formula stands in `nn.Conv2d`, the computation in `kernels.numpy_textbook.convolution`.
"""

import numpy as np  # noqa: F401 - for the examples

from ... import geometry
from ...geometry import IntPair
from ...kernels import kernels_for
from ...kernels.arrays import Array
from . import checks


def _conv2d_arguments(input, weight, stride, padding, dilation, groups, who):
    """Input and weight checked and batched, whether the input was one image, the geometry."""
    undilated = geometry.pair(dilation, "dilation", 1, who) == (1, 1)
    # torch convolves the smaller integers without dilation alone, so what runs here runs there.
    integers = checks.INTEGERS if undilated else checks.INT64
    x, single = checks.images(checks.array(input, "input", who, checks.FLOATS + integers), who)
    weight = checks.weights(checks.like(weight, "weight", x, who), "(O, C / groups, KH, KW)", who)
    g = geometry.conv2d(input.shape, weight.shape, stride, padding, dilation, groups, who)
    return x, weight, single, g


def conv2d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: IntPair = 1,
    padding: IntPair | str = 0,
    dilation: IntPair = 1,
    groups: int = 1,
) -> Array:
    """Input (N, C, H, W), weight (O, C / groups, KH, KW), bias (O,) -> output (N, O, OH, OW).

    One image (C, H, W) gives (O, OH, OW). All arrays have one dtype, which the output has too:
    float32, float64 or int64, and without dilation also int32, int16, int8 and uint8.

    >>> x = np.arange(9).reshape(1, 3, 3)
    >>> conv2d(x, np.array([[[[1, 0], [0, -1]]]]))
    array([[[-4, -4],
            [-4, -4]]])

    Raises TypeError for what is not an array; ValueError for a stride, padding, dilation or
    groups that make no sense; RuntimeError where dtypes, shapes or sizes do not fit.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv2d.html
    """
    x, weight, single, g = _conv2d_arguments(input, weight, stride, padding, dilation, groups, "conv2d")
    if bias is not None:
        bias = checks.like(bias, "bias", x, "conv2d", (g.O,))
    output = kernels_for(x).conv2d(x, weight, bias, g)
    return output[0] if single else output


def conv2d_backward(
    grad_output: Array,
    input: Array,
    weight: Array,
    stride: IntPair = 1,
    padding: IntPair | str = 0,
    dilation: IntPair = 1,
    groups: int = 1,
    needs_input_grad: bool = True,
    needs_bias_grad: bool = True,
    needs_weight_grad: bool = True,
) -> tuple[Array | None, Array | None, Array | None]:
    """(grad_input, grad_weight, grad_bias): the gradients of conv2d, from that of its output.

    grad_output (N, O, OH, OW), or (O, OH, OW) for one image; the other arguments as conv2d took
    them. grad_input and grad_weight have the shapes of input and weight, grad_bias is (O,); all
    have the input's dtype. What is not needed is None and costs nothing.

    Each weight collects the pixels that it was multiplied with, times the gradients of
    where the products went; each pixel likewise:

    >>> x = np.array([[[0.0, 1.0, 2.0]]])
    >>> weight = np.array([[[[10.0, 1.0]]]])  # output: 10 x[0] + x[1] = 1, 10 x[1] + x[2] = 12
    >>> grad_output = np.array([[[1.0, 3.0]]])
    >>> grad_input, grad_weight, grad_bias = conv2d_backward(grad_output, x, weight)
    >>> grad_input  # 1 * 10, then 1 * 1 + 3 * 10, then 3 * 1
    array([[[10., 31.,  3.]]])
    >>> grad_weight  # 1 * x[0] + 3 * x[1], then 1 * x[1] + 3 * x[2]
    array([[[[3., 7.]]]])
    >>> grad_bias
    array([4.])

    Raises what conv2d raises, and RuntimeError for a grad_output of another shape or dtype.

    A guide to convolution arithmetic: https://arxiv.org/abs/1603.07285
    """
    who = "conv2d_backward"
    x, weight, single, g = _conv2d_arguments(input, weight, stride, padding, dilation, groups, who)
    grad = checks.grad(grad_output, g.output_shape[single:], x, who).reshape(g.output_shape)
    kernels = kernels_for(x)
    grad_input = grad_weight = grad_bias = None
    if needs_input_grad:
        grad_input = kernels.conv2d_grad_input(grad, weight, g)  # (N, C, H, W)
        grad_input = grad_input[0] if single else grad_input
    if needs_weight_grad:
        grad_weight = kernels.conv2d_grad_weight(grad, x, g)  # (O, C / groups, KH, KW)
    if needs_bias_grad:
        grad_bias = kernels.grad_bias(grad)  # (O,)
    return grad_input, grad_weight, grad_bias
