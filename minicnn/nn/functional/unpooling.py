"""Max unpooling without state: each number is put back where its maximum stood."""

import operator
from typing import Any

import numpy as np

from ... import geometry
from ...geometry import IntPair
from ...kernels import arrays
from ...kernels.arrays import Array
from . import checks


def _output_size(shape, kernel_size, stride, padding, output_size, who: str) -> tuple[int, int]:
    """(OH, OW): (H - 1) SH - 2 PH + KH, or less than a stride beside it."""
    K = geometry.pair(kernel_size, "kernel_size", 1, who)
    S = K if stride is None else geometry.pair(stride, "stride", 1, who)
    P = geometry.pair(padding, "padding", 0, who)
    usual = [geometry.conv_transpose_size(*axis, 1, 0) for axis in zip(shape[-2:], K, S, P, strict=True)]
    if output_size is None:
        wanted = usual
    else:
        try:
            wanted = [operator.index(n) for n in output_size][-2:]
        except TypeError:
            raise TypeError(f"{who}: output_size must be a tuple of ints, got {output_size!r}.") from None
        if len(output_size) not in (2, 4):
            raise ValueError(f"{who}: output_size must be (height, width) or (N, C, H, W), got {output_size!r}.")
        least = [n - s + 1 for n, s in zip(usual, S, strict=True)]
        most = [n + s - 1 for n, s in zip(usual, S, strict=True)]
        if not all(low <= n <= high for low, n, high in zip(least, wanted, most, strict=True)):
            raise ValueError(
                f"{who}: output_size {tuple(wanted)} cannot belong to {tuple(shape[-2:])}; "
                f"the sizes from {tuple(least)} to {tuple(most)} can."
            )
    if min(wanted) < 1:
        raise RuntimeError(f"{who}: the output would be {wanted[0]} x {wanted[1]}; each must be at least 1.")
    return wanted[0], wanted[1]


def _places(indices, shape, plane: int, x, who: str) -> tuple[Any, Any]:
    """(planes (N C, 1), places (N C, numbers)): what indexes (N C, OH OW)."""
    indices = checks.together(checks.array(indices, "indices", who, checks.INT64), "indices", x, who)
    if tuple(indices.shape) != tuple(shape):
        raise RuntimeError(f"{who}: indices must have shape {tuple(shape)}, got {tuple(indices.shape)}.")
    values = arrays.checkable_values(indices)
    if values.size and not (0 <= values.min() and values.max() < plane):
        raise IndexError(f"{who}: indices must lie in [0, {plane}), got {values.min()} to {values.max()}.")
    planes = int(np.prod(shape[:-2], dtype=int))
    return arrays.copied(np.arange(planes)[:, None], x), indices.reshape(planes, shape[-2] * shape[-1])


def max_unpool2d(
    input: Array,
    indices: Array,
    kernel_size: IntPair,
    stride: IntPair | None = None,
    padding: IntPair = 0,
    output_size: tuple[int, ...] | None = None,
) -> Array:
    """Zeros (N, C, OH, OW), and at the places `indices` the numbers of the input.

    Input and indices (int64, as max_pool2d returns them) are (N, C, H, W) or (C, H, W), the
    input float32 or float64, and so is the output. OH is (H - 1) SH - 2 PH + KH unless
    `output_size` says which of the sizes it was that the pooling rounded down. Where a place
    comes twice, the last number stays.

    >>> x = np.array([[[1.0, 2.0, 5.0, 0.0], [4.0, 3.0, 6.0, 0.0]]])
    >>> from minicnn.nn.functional import max_pool2d
    >>> maxima, indices = max_pool2d(x, 2, return_indices=True)
    >>> max_unpool2d(maxima, indices, 2)
    array([[[0., 0., 0., 0.],
            [4., 0., 6., 0.]]])

    Raises TypeError for what is not an array; ValueError for arguments that make no sense;
    RuntimeError where shapes or dtypes do not fit; IndexError for an index outside the plane.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_unpool2d.html
    """
    who = "max_unpool2d"
    x: Any = checks.array(input, "input", who)
    checks.images(x, who)
    OH, OW = _output_size(x.shape, kernel_size, stride, padding, output_size, who)
    planes, places = _places(indices, x.shape, OH * OW, x, who)
    output: Any = arrays.full((len(planes), OH * OW), 0, x)
    output[planes, places] = x.reshape(places.shape)
    return output.reshape((*x.shape[:-2], OH, OW))


def max_unpool2d_backward(
    grad_output: Array,
    indices: Array,
    kernel_size: IntPair,
    stride: IntPair | None = None,
    padding: IntPair = 0,
    output_size: tuple[int, ...] | None = None,
) -> Array:
    """The gradient with respect to the input: grad_output at the places `indices`.

    grad_output is (N, C, OH, OW) or (C, OH, OW), float32 or float64, and so is the gradient, of
    the shape of indices.

    >>> grad = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    >>> max_unpool2d_backward(grad, np.array([[[2]]]), 2)
    array([[[3.]]])

    Raises what max_unpool2d raises, and RuntimeError for a grad_output of another shape.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_unpool2d.html
    """
    who = "max_unpool2d_backward"
    shape: tuple[int, ...] = tuple(checks.array(indices, "indices", who, checks.INT64).shape)
    checks.images(indices, who, "indices")
    OH, OW = _output_size(shape, kernel_size, stride, padding, output_size, who)
    grad: Any = checks.array(grad_output, "grad_output", who)
    grad = checks.grad(grad, (*shape[:-2], OH, OW), grad, who)
    planes, places = _places(indices, shape, OH * OW, grad, who)
    return grad.reshape((len(planes), OH * OW))[planes, places].reshape(shape)
