"""Average pooling without state. It needs no kernel of its own: it is a convolution.

Under each window all weights are 1, each channel is convolved by itself, and the sums are
divided. So its gradient is the convolution's: every pixel collects the shares of the windows
that saw it.
"""

from typing import Any

import numpy as np

from ... import geometry
from ...geometry import Geometry, IntPair
from ...kernels import arrays, kernels_for
from ...kernels.arrays import Array
from . import checks
from .links import linked


def _planes(g: Geometry) -> Geometry:
    """Every channel of every image as an image of its own."""
    return g._replace(N=g.N * g.C, C=1, O=1, G=1)


def _ones(g: Geometry, x) -> Any:
    """The weight (1, 1, KH, KW) of a convolution that adds up each window."""
    return arrays.full((1, 1, g.KH, g.KW), 1, x)


def _counts(size: int, K: int, S: int, P: int, out: int, with_padding: bool) -> np.ndarray:
    """(out,): how many pixels each window of one axis has under it.

    The zeros of the padding count or not; what ceil_mode reaches behind them never does.
    """
    start = np.arange(out) * S - P
    end = np.minimum(start + K, size + P)
    return end - start if with_padding else np.minimum(end, size) - np.maximum(start, 0)


def divisor_of(g: Geometry, count_include_pad: bool, divisor_override: int | None, x) -> Any:
    """(OH, OW): what each sum is divided by."""
    if divisor_override is not None:
        return arrays.full((g.OH, g.OW), divisor_override, x)
    rows = _counts(g.H, g.KH, g.SH, g.PH, g.OH, count_include_pad)
    columns = _counts(g.W, g.KW, g.SW, g.PW, g.OW, count_include_pad)
    return arrays.copied(np.outer(rows, columns), x, x.dtype)


def _check_divisor(divisor_override: int | None, who: str) -> None:
    if divisor_override is not None and checks.whole_number(divisor_override, "divisor_override", who) == 0:
        raise RuntimeError(f"{who}: divisor_override must not be 0.")


@linked
def avg_pool2d(
    input: Array,
    kernel_size: IntPair,
    stride: IntPair | None = None,
    padding: IntPair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Input (N, C, H, W) or (C, H, W) -> the means, (N, C, OH, OW) or (C, OH, OW).

    float32 or float64, and so are the means. A stride of None is the kernel size. Each sum is
    divided by the pixels under its window, those of the padding included unless
    `count_include_pad` is False, or by `divisor_override`.

    >>> avg_pool2d(np.array([[[1.0, 2.0, 5.0], [4.0, 3.0, 6.0]]]), 2, stride=1)
    array([[[2.5, 4. ]]])

    Raises TypeError for what is not an array; ValueError for a kernel_size, stride or padding
    that make no sense; RuntimeError for another dtype, where no window fits, and for a divisor
    of 0.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool2d.html
    """
    who = "avg_pool2d"
    x, single = checks.images(checks.array(input, "input", who), who)
    g = geometry.max_pool2d(input.shape, kernel_size, stride, padding, 1, ceil_mode, who)
    _check_divisor(divisor_override, who)
    planes = _planes(g)
    x = x.reshape(planes.input_shape)
    sums = kernels_for(x).conv2d(x, _ones(g, x), None, planes)
    output = sums.reshape(g.output_shape) / divisor_of(g, count_include_pad, divisor_override, x)
    return output[0] if single else output


def avg_pool2d_backward(
    grad_output: Array,
    input_shape: tuple[int, ...],
    kernel_size: IntPair,
    stride: IntPair | None = None,
    padding: IntPair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """The gradient with respect to the input: each pixel gets its share from every window.

    grad_output is (N, C, OH, OW) or (C, OH, OW), float32 or float64; the gradient has its dtype
    and the shape of the input, which is given as it was.

    >>> avg_pool2d_backward(np.array([[[4.0, 8.0]]]), (1, 2, 3), 2, stride=1)
    array([[[1., 3., 2.],
            [1., 3., 2.]]])

    Raises what avg_pool2d raises, and RuntimeError for a grad_output of another shape.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool2d.html
    """
    who = "avg_pool2d_backward"
    single = checks.is_one_image(input_shape, who)
    g = geometry.max_pool2d(input_shape, kernel_size, stride, padding, 1, ceil_mode, who)
    _check_divisor(divisor_override, who)
    grad = checks.array(grad_output, "grad_output", who)
    grad = checks.grad(grad, g.output_shape[single:], grad, who).reshape(g.output_shape)
    shares = grad / divisor_of(g, count_include_pad, divisor_override, grad)
    planes = _planes(g)
    shares = shares.reshape(planes.output_shape)
    grad_input = kernels_for(grad).conv2d_grad_input(shares, _ones(g, grad), planes)
    grad_input = grad_input.reshape(g.input_shape)
    return grad_input[0] if single else grad_input


# -------------------------------------------------------------------------------- adaptive


def _parts(size: int, out: int) -> list[tuple[int, int]]:
    """(first, end) of `out` windows that cover an axis, of sizes that differ by at most one."""
    return [(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


def _adaptive_parts(input_shape, output_size, who: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The windows of both axes."""
    H, W = input_shape[-2:]
    if min(input_shape[-3:]) < 1:
        raise RuntimeError(f"{who}: channels, height and width must be at least 1, got {tuple(input_shape)}.")
    OH, OW = geometry.adaptive_size(output_size, (H, W), who)
    return _parts(H, OH), _parts(W, OW)


@linked
def adaptive_avg_pool2d(input: Array, output_size: int | None | tuple[int | None, int | None]) -> Array:
    """Input (N, C, H, W) or (C, H, W) -> the means of OH x OW windows that cover the image.

    `output_size` is OH = OW or the pair (OH, OW), where None keeps the input's size. float32 or
    float64, and so are the means. Window i begins at floor(i H / OH) and ends before
    ceil((i + 1) H / OH).

    >>> adaptive_avg_pool2d(np.array([[[1.0, 2.0, 6.0]]]), (1, 2))  # columns 0, 1 and 1, 2
    array([[[1.5, 4. ]]])

    Raises TypeError for what is not an array and for sizes that are no ints; ValueError for
    negative ones; RuntimeError for another dtype or an image without pixels.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_avg_pool2d.html
    """
    who = "adaptive_avg_pool2d"
    x, single = checks.images(checks.array(input, "input", who), who)
    rows, columns = _adaptive_parts(input.shape, output_size, who)
    N, C, _, _ = x.shape
    output: Any = arrays.full((N, C, len(rows), len(columns)), 0, x)
    for i, (top, bottom) in enumerate(rows):
        for j, (left, right) in enumerate(columns):
            count = (bottom - top) * (right - left)
            window = x[:, :, top:bottom, left:right]
            output[:, :, i, j] = window.sum((2, 3)) / count
    return output[0] if single else output


def adaptive_avg_pool2d_backward(
    grad_output: Array, input_shape: tuple[int, ...], output_size: int | None | tuple[int | None, int | None]
) -> Array:
    """The gradient with respect to the input: each pixel gets its share from every window.

    grad_output is (N, C, OH, OW) or (C, OH, OW), float32 or float64; the gradient has its dtype
    and the shape of the input, which is given as it was.

    >>> adaptive_avg_pool2d_backward(np.array([[[2.0, 4.0]]]), (1, 1, 3), (1, 2))
    array([[[1., 3., 2.]]])

    Raises what adaptive_avg_pool2d raises, and RuntimeError for a grad_output of another shape.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_avg_pool2d.html
    """
    who = "adaptive_avg_pool2d_backward"
    single = checks.is_one_image(input_shape, who)
    rows, columns = _adaptive_parts(input_shape, output_size, who)
    grad = checks.array(grad_output, "grad_output", who)
    grad = checks.grad(grad, (*input_shape[:-2], len(rows), len(columns)), grad, who)
    grad = grad[None] if single else grad  # (N, C, OH, OW)
    N, C, _, _ = grad.shape
    grad_input: Any = arrays.full((N, C, *input_shape[-2:]), 0, grad)
    for i, (top, bottom) in enumerate(rows):
        for j, (left, right) in enumerate(columns):
            count = (bottom - top) * (right - left)
            grad_input[:, :, top:bottom, left:right] += grad[:, :, i, j, None, None] / count
    return grad_input[0] if single else grad_input
