"""A convolution, ReLU and max pooling in one call of a kernel; a linear layer and ReLU.

For `nn.block`, where nobody asks for what lies between. Only what is plain comes to a
kernel: whole batches of NumPy arrays that fit together. For anything else the answer is
None, and the layers are called one by one, which know what to do or what is wrong.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ... import geometry
from ...geometry import Geometry
from ...kernels import current, get_backend, use_backend

FLOATS = frozenset({np.dtype("float32"), np.dtype("float64")})  # in this machine's byte order


class Pooled(NamedTuple):
    """What a convolution's block gives, and what its gradient needs."""

    x: Any  # (N, C, H, W)
    output: Any  # (N, O, OH, OW): the maxima
    indices: Any  # their places, as the kernel set has them
    g: Geometry  # of the convolution
    pooling: Geometry
    backend: str


def conv_block(x: Any, weight: Any, bias: Any, options: dict[str, Any], window: tuple[Any, ...]) -> Pooled | None:
    """max_pool2d(relu(conv2d(x, weight, bias, **options)), *window), for x (N, C, H, W)."""
    if not _plain(x, weight, bias) or x.ndim != 4 or weight.ndim != 4:
        return None
    try:
        g, pooling = _sizes(x.shape, weight.shape, *options.values(), *window)
    except (RuntimeError, TypeError, ValueError):
        return None
    if bias is not None and bias.shape != (g.O,):
        return None
    output, indices = current().conv_block(x, weight, bias, g, pooling)
    return Pooled(x=x, output=output, indices=indices, g=g, pooling=pooling, backend=get_backend())


@lru_cache(maxsize=256, typed=True)
def _sizes(input_shape, weight_shape, stride, padding, dilation, groups, *window):
    g = geometry.conv2d(input_shape, weight_shape, stride, padding, dilation, groups)
    return g, geometry.max_pool2d(g.output_shape, *window)


def conv_block_backward(
    grad_output: Any,
    pooled: Pooled,
    weight: Any,
    needs_input_grad: bool,
    needs_bias_grad: bool,
    needs_weight_grad: bool,
) -> tuple[Any, Any, Any]:
    """(grad_input, grad_weight, grad_bias), as of `conv2d_backward`."""
    return current().conv_block_grad(
        grad_output,
        pooled.output,
        pooled.indices,
        pooled.x,
        weight,
        pooled.g,
        pooled.pooling,
        needs_input_grad,
        needs_weight_grad,
        needs_bias_grad,
    )


def activation(pooled: Pooled, weight: Any, bias: Any) -> Any:
    """What ReLU gave, computed once more."""
    with use_backend(pooled.backend):
        return current().relu(current().conv2d(pooled.x, weight, bias, pooled.g))


def places(pooled: Pooled) -> Any:
    """The places h W + w as max pooling gives them by itself."""
    return pooled.indices.astype(np.int64, copy=False)


def linear_block(x: Any, weight: Any, bias: Any) -> Any:
    """relu(linear(x, weight, bias)), for x (N, in)."""
    if not _plain(x, weight, bias) or x.ndim != 2 or weight.ndim != 2 or x.shape[1] != weight.shape[1]:
        return None
    if bias is not None and bias.shape != weight.shape[:1]:
        return None
    return current().relu(current().linear(x, weight, bias))


def fits(grad_output: Any, pooled: Pooled) -> bool:
    """Whether it is a plain array, of the output's shape and dtype, for the same kernels."""
    output = pooled.output
    same = type(grad_output) is np.ndarray and grad_output.dtype == output.dtype and grad_output.shape == output.shape
    return same and pooled.backend == get_backend()


def _plain(x: Any, weight: Any, bias: Any) -> bool:
    if type(x) is not np.ndarray or type(weight) is not np.ndarray or x.dtype not in FLOATS or weight.dtype != x.dtype:
        return False
    return bias is None or (type(bias) is np.ndarray and bias.dtype == x.dtype)
