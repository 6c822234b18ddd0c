"""Max pooling without state: the maxima, where they stood, and where their gradients go."""

from typing import Literal, overload

import numpy as np  # noqa: F401 - for the examples

from ... import geometry
from ...geometry import IntPair
from ...kernels import arrays, kernels_for
from ...kernels.arrays import Array
from . import checks
from .links import linked


@overload
def max_pool2d(
    input: Array,
    kernel_size: IntPair,
    stride: IntPair | None = None,
    padding: IntPair = 0,
    dilation: IntPair = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
) -> Array: ...


@overload
def max_pool2d(
    input: Array,
    kernel_size: IntPair,
    stride: IntPair | None = None,
    padding: IntPair = 0,
    dilation: IntPair = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
) -> tuple[Array, Array]: ...


@linked
def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """Input (N, C, H, W) or (C, H, W) -> the maxima, (N, C, OH, OW) or (C, OH, OW).

    With `return_indices` the pair of the maxima and their places h * W + w, int64 and of
    the same shape. float32, float64, int64, int32, int16, int8 or uint8, and so are the
    maxima. A stride of None is the kernel size.

    >>> x = np.array([[[1, 2, 5], [4, 3, 6], [9, 8, 7]]])
    >>> max_pool2d(x, 2, stride=1)
    array([[[4, 6],
            [9, 8]]])

    Raises TypeError for what is not an array; ValueError for a kernel_size, stride, padding or
    dilation that make no sense; RuntimeError for another dtype, and where no window fits.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool2d.html
    """
    x, single = checks.images(checks.array(input, "input", "max_pool2d", checks.FLOATS + checks.INTEGERS), "max_pool2d")
    g = geometry.max_pool2d(input.shape, kernel_size, stride, padding, dilation, ceil_mode)
    output, indices = kernels_for(x).max_pool2d(x, g)
    if single:
        output, indices = output[0], indices[0]
    return (output, indices) if return_indices else output


def max_pool2d_backward(
    grad_output: Array,
    indices: Array,
    input_shape: tuple[int, ...],
    kernel_size: IntPair,
    stride: IntPair | None = None,
    padding: IntPair = 0,
    dilation: IntPair = 1,
    ceil_mode: bool = False,
) -> Array:
    """The gradient with respect to the input: each grad_output goes to the element that won.

    grad_output (float32 or float64) and indices (int64) are (N, C, OH, OW) or (C, OH, OW); the
    gradient has grad_output's dtype, and the shape of the input, which is given as it was, with
    the batch if there was one.

    >>> x = np.array([[[1.0, 2.0, 5.0], [4.0, 3.0, 6.0]]])
    >>> maxima, indices = max_pool2d(x, 2, stride=1, return_indices=True)
    >>> indices  # row 1, columns 0 and 2
    array([[[3, 5]]])
    >>> max_pool2d_backward(np.array([[[10.0, 20.0]]]), indices, x.shape, 2, stride=1)
    array([[[ 0.,  0.,  0.],
            [10.,  0., 20.]]])

    Raises what max_pool2d raises; RuntimeError where shapes or dtypes do not fit,
    IndexError for an index outside the plane.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool2d.html
    """
    who = "max_pool2d_backward"
    single = checks.is_one_image(input_shape, who)
    g = geometry.max_pool2d(input_shape, kernel_size, stride, padding, dilation, ceil_mode, who)
    grad = checks.array(grad_output, "grad_output", who)
    grad = checks.grad(grad, g.output_shape[single:], grad, who).reshape(g.output_shape)
    indices = checks.array(indices, "indices", who, checks.INT64)
    checks.together(indices, "indices", grad, who, "grad_output")
    if indices.shape != grad_output.shape:
        raise RuntimeError(
            f"{who}: indices must have the shape of grad_output, "
            f"{tuple(grad_output.shape)}, got {tuple(indices.shape)}."
        )
    places = arrays.checkable_values(indices)
    if places.size and not (0 <= places.min() and places.max() < g.H * g.W):
        raise IndexError(
            f"{who}: indices must lie in [0, {g.H * g.W}), a plane of {g.H} x {g.W}, "
            f"got {places.min()} to {places.max()}."
        )
    grad_input = kernels_for(grad).max_pool2d_grad(grad, indices.reshape(g.output_shape), g)  # (N, C, H, W)
    return grad_input[0] if single else grad_input
