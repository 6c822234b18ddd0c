"""Dropout without state, but for the stream of random numbers."""

import math
from typing import Any

import numpy as np  # noqa: F401 - for the examples

from ...kernels import arrays
from ...kernels.arrays import Array
from . import checks
from .links import linked
from .random import generator


def check_probability(p: float, who: str) -> float:
    """`p`, the share that is dropped."""
    if not 0 <= checks.number(p, "p", who) <= 1:
        raise ValueError(f"{who}: p must be between 0 and 1, got {p}.")
    return float(p)


def _mask(shape: tuple[int, ...], p: float, x) -> Any:
    """0 with probability p, else 1 / (1 - p): one 32-bit number for each, whatever the dtype.

    Drawn here for every kernel set, so that the same seed gives all of them the same mask.
    """
    kept = generator.random_raw(math.prod(shape)) >= p * 2.0**32
    scale = 1 / (1 - p) if p < 1 else 0.0
    return arrays.copied((kept * scale).reshape(shape), x, x.dtype)


def _dropped(input, p, training, inplace, return_mask, whole, who):
    """`whole` says how many of the first dimensions have a number of their own in the mask."""
    x = checks.array(input, "input", who)
    check_probability(p, who)
    if x.ndim < whole:
        raise RuntimeError(f"{who}: the input must be (N, C, ...), got shape {tuple(x.shape)}.")
    shape = tuple(x.shape)
    if whole:
        shape = (*shape[:whole], *[1] * (x.ndim - whole))
    mask = _mask(shape, p, x) if training else arrays.full(shape, 1, x)
    output = arrays.from_number(x * mask)
    if inplace and not arrays.is_writeable(input):
        raise RuntimeError(f"{who}: inplace=True writes into the input, but the input is read-only; pass a copy.")
    output = arrays.overwrite(input, output) if inplace else output
    return (output, mask) if return_mask else output


@linked
def dropout(
    input: Array, p: float = 0.5, training: bool = True, inplace: bool = False, return_mask: bool = False
) -> Any:
    """input * mask, where the mask is 0 with probability p and 1 / (1 - p) otherwise.

    Any shape, float32 or float64, and so is the output. With `return_mask` the pair of the
    output and the mask, which the gradient takes; torch keeps it on its tape. Without
    `training` the mask is 1. `inplace` writes the result into the input and returns that. The
    random numbers come from the stream of `minicnn.manual_seed`; they are not torch's.

    >>> output, mask = dropout(np.ones(1000), p=0.75, return_mask=True)
    >>> np.unique(output)
    array([0., 4.])

    Raises TypeError for what is not an array or a number; ValueError for a p outside [0, 1];
    RuntimeError for another dtype, and for `inplace` with a read-only array.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.dropout.html
    """
    return _dropped(input, p, training, inplace, return_mask, 0, "dropout")


def dropout_backward(grad_output: Array, mask: Array) -> Array:
    """grad_output * mask: what was dropped gets no gradient.

    grad_output and mask have one shape and one dtype, float32 or float64; so has the gradient
    with respect to the input.

    >>> dropout_backward(np.array([3.0, 5.0]), np.array([0.0, 2.0]))
    array([ 0., 10.])

    Raises TypeError for what is not an array, RuntimeError where dtypes or shapes do not fit.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.dropout.html
    """
    mask = checks.array(mask, "mask", "dropout_backward")
    return arrays.from_number(checks.grad(grad_output, mask.shape, mask, "dropout_backward", "mask") * mask)


@linked
def dropout2d(
    input: Array, p: float = 0.5, training: bool = True, inplace: bool = False, return_mask: bool = False
) -> Any:
    """`dropout` of whole channels: the mask is (N, C, 1, 1) for an input (N, C, H, W).

    Of any input with two dimensions or more, the first two have a number each, as in torch; so
    a single image (C, H, W) would lose rows. float32 or float64, and so is the output.

    >>> output = dropout2d(np.ones((100, 1, 2, 2)))
    >>> np.unique(output.sum(axis=(1, 2, 3)))
    array([0., 8.])

    Raises what dropout raises, and RuntimeError for an input with fewer than two dimensions.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.dropout2d.html
    """
    return _dropped(input, p, training, inplace, return_mask, 2, "dropout2d")


def dropout2d_backward(grad_output: Array, mask: Array) -> Array:
    """grad_output * mask, where the mask has one number for each channel.

    grad_output is (N, C, ...), the mask (N, C, 1, ...), of one dtype, float32 or float64; the
    gradient with respect to the input is like grad_output.

    >>> dropout2d_backward(np.ones((1, 2, 1, 2)), np.array([[[[0.0]], [[2.0]]]]))
    array([[[[0., 0.]],
    <BLANKLINE>
            [[2., 2.]]]])

    Raises TypeError for what is not an array, RuntimeError where dtypes or shapes do not fit.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.dropout2d.html
    """
    who = "dropout2d_backward"
    mask = checks.array(mask, "mask", who)
    grad: Any = checks.like(grad_output, "grad_output", mask, who, its_name="mask")
    if tuple(mask.shape) != (*grad.shape[:2], *[1] * (grad.ndim - 2)):
        raise RuntimeError(
            f"{who}: a mask of shape {tuple(mask.shape)} does not belong to a grad_output of shape {tuple(grad.shape)}."
        )
    return grad * mask
