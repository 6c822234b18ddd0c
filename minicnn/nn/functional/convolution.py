"""Convolution without state: check, then call the kernel set that suits.

The formula stands in `nn.Conv2d`, the computation in `kernels.numpy_textbook.convolution`.
"""

import numpy as np

from ... import geometry
from ...kernels import kernels_for
from . import checks


def _prepare(input, weight, stride, padding, dilation, groups, who):
    """Input and weight checked and batched, whether the input was one image, and the geometry."""
    dtypes = checks.FLOATS + (
        checks.INTEGERS if geometry.pair(dilation, "dilation", 1, who) == (1, 1) else checks.INT64
    )
    x, single = checks.images(checks.array(input, "input", who, dtypes), who)
    weight = checks.weights(checks.like(weight, "weight", x, who), "(O, C / groups, KH, KW)", who)
    return x, weight, single, geometry.conv2d(x.shape, weight.shape, stride, padding, dilation, groups, who)


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> np.ndarray:
    """Input (N, C, H, W) or (C, H, W), weight (O, C / groups, KH, KW), bias (O,) -> (N, O, OH, OW) or (O, OH, OW).

    >>> x = np.arange(9).reshape(1, 3, 3)
    >>> conv2d(x, np.array([[[[1, 0], [0, -1]]]]))
    array([[[-4, -4],
            [-4, -4]]])

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv2d.html
    """
    x, weight, single, g = _prepare(input, weight, stride, padding, dilation, groups, "conv2d")
    bias = bias if bias is None else checks.like(bias, "bias", x, "conv2d", (g.O,))
    output = kernels_for(x).conv2d(x, weight, bias, g)
    return output[0] if single else output


def conv2d_backward(
    grad_output, input, weight, stride=1, padding=0, dilation=1, groups=1, needs_input_grad=True
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """The gradients with respect to (input, weight, bias); without `needs_input_grad` the first is None and costs nothing."""
    x, weight, single, g = _prepare(input, weight, stride, padding, dilation, groups, "conv2d_backward")
    grad = checks.grad(grad_output, g.output_shape[single:], x, "conv2d_backward").reshape(g.output_shape)
    kernel = kernels_for(x)
    grad_input = kernel.conv2d_grad_input(grad, weight, g) if needs_input_grad else None
    grad_input = grad_input[0] if single and grad_input is not None else grad_input
    return grad_input, kernel.conv2d_grad_weight(grad, x, g), kernel.grad_bias(grad)
