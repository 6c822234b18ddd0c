"""Normalisation layers: numbers that share a mean and a variance get the mean 0 and the
variance 1, and then a scale and a shift that are learnt.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import geometry
from ..kernels.arrays import Array
from . import functional as F
from .functional import checks
from .functional.normalization import check_eps
from .init import check_dtype
from .module import Module
from .parameter import Parameter


class BatchNorm2d(Module):
    """Each channel gets the mean 0 and the variance 1 over the batch and the image, then a
    scale and a shift of its own.

        y[n, c, h, w] = (input[n, c, h, w] - mean[c]) / sqrt(var[c] + eps)
        output[n, c, h, w] = weight[c] * y[n, c, h, w] + bias[c]

        input, output  (N, C, H, W)        weight, bias  (C,), 1 and 0 at first

    In training, mean and var (divided by n = N H W) are the batch's. Two buffers follow
    them, from 0 and 1: running = (1 - momentum) running + momentum * the batch's, with the
    variance divided by n - 1. After `eval()` those are mean and var, and an image no longer
    depends on its neighbours in the batch.

    >>> norm = BatchNorm2d(1)
    >>> norm(np.array([[[[1, 3]]], [[[1, 3]]]], np.float32)).ravel().round(3)
    array([-1.,  1., -1.,  1.], dtype=float32)
    >>> norm.running_mean  # 0.9 * 0 + 0.1 * 2
    array([0.2], dtype=float32)

    Backward, with g = weight * grad_output: every number moves
    the mean and the variance of its channel, so grad_input is (g - mean(g) - y mean(g y)) /
    sqrt(var + eps). grad_weight is the sum of grad_output * y, grad_bias that of
    grad_output. Frozen, that is after eval() of this layer in a network that is in training,
    mean and variance are constants, and grad_input is g / sqrt(var + eps).

    Cost: about five passes over the image, and as many backward; kept for backward: the
    input. Often believed: a bias in the convolution before it helps. In fact it is taken
    away with the mean; bias=False saves it.

        num_features         the channels C
        eps                  keeps the root from 0; positive
        momentum             how much of each batch goes into the running numbers; None: their
                             plain average over all batches so far
        affine               whether weight and bias exist
        track_running_stats  whether the buffers exist; without them eval() uses the batch's
                             mean and variance too
        dtype                of weight, bias and the running numbers, float32 or float64; input
                             and output have it too
        bias                 with affine: whether there is a shift

    Raises ValueError for arguments, an input that is not (N, C, H, W), and for one number a
    channel in training; TypeError for what is not an array; RuntimeError for one that does
    not fit. (Ioffe and Szegedy, 2015.)
    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html
    """

    running_mean: Any
    running_var: Any
    num_batches_tracked: Any

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        dtype=np.float32,
        *,
        bias: bool = True,
    ):
        self.num_features = geometry.positive(num_features, "num_features", "BatchNorm2d")
        self.eps = check_eps(eps, "BatchNorm2d")
        self.momentum = None if momentum is None else checks.number(momentum, "momentum", "BatchNorm2d")
        self.affine = affine
        self.track_running_stats = track_running_stats
        kind = check_dtype(dtype)
        self.weight = Parameter(np.ones(num_features, kind)) if affine else None
        self.bias = Parameter(np.zeros(num_features, kind)) if affine and bias else None
        tracked = track_running_stats
        self.register_buffer("running_mean", np.zeros(num_features, kind) if tracked else None)
        self.register_buffer("running_var", np.ones(num_features, kind) if tracked else None)
        self.register_buffer("num_batches_tracked", np.array(0) if tracked else None)

    def forward(self, x: Array) -> Array:
        """Scaled and shifted; in training the running numbers take a step."""
        if len(x.shape) != 4:
            raise ValueError(
                f"BatchNorm2d: the input must be (N, C, H, W), got {tuple(x.shape)}; "
                "one image (C, H, W) becomes a batch with x[None]."
            )
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
            momentum = 1 / int(self.num_batches_tracked) if self.momentum is None else momentum
        bias = _data(self.bias)
        running = self.running_mean, self.running_var
        by_batch = self.training or self.running_mean is None
        output = F.batch_norm(x, *running, _data(self.weight), bias, by_batch, momentum, self.eps)
        self.keep(x, *((None, None) if by_batch else running))  # the batch's own follow from x
        return output

    def backward(self, grad_output: Array) -> Array:
        """The gradient through the numbers, and in training their mean and their variance."""
        x, mean, var = self.kept()
        grad_input, grad_weight, grad_bias = F.batch_norm_backward(
            grad_output, x, mean, var, _data(self.weight), training=mean is None, eps=self.eps
        )
        _accumulate(self, grad_weight, grad_bias)
        return grad_input

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class LayerNorm(Module):
    """The last dimensions of each example get the mean 0 and the variance 1, then a scale and
    a shift for each place.

        output = weight (input - mean) / sqrt(var + eps) + bias

    where mean and var (divided by the number of elements) are those over the last
    dimensions, `normalized_shape`; weight and bias have that shape, 1 and 0 at first. Input
    and output have one shape. No example depends on another, so training and eval() are the
    same.

    >>> norm = LayerNorm(2)
    >>> norm(np.array([[1, 3], [10, 30]], np.float32)).round(3)
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)

    Backward, with y the normalised numbers and g = weight * grad_output: grad_input is
    (g - mean(g) - y mean(g y)) / sqrt(var + eps), the means over the same dimensions.
    grad_weight sums grad_output * y over the examples, grad_bias grad_output.

    Cost: about five passes over the input, and as many backward; kept for backward: the
    input. Often believed: it is batch normalisation for batches of one. In fact other
    numbers share a mean: all of an example, where batch normalisation takes a channel.

        normalized_shape    an int or a sequence of ints, each at least 1
        eps                 keeps the root from 0; positive
        elementwise_affine  whether weight and bias exist
        bias                with elementwise_affine: whether there is a shift
        dtype               of weight and bias, float32 or float64; input and output have it too

    Raises ValueError for arguments, TypeError for an input that is not an array, RuntimeError
    for one that does not fit. (Ba, Kiros and Hinton, 2016.)
    https://docs.pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype=np.float32,
    ):
        sizes = normalized_shape if isinstance(normalized_shape, (tuple, list)) else [normalized_shape]
        self.normalized_shape = tuple(geometry.positive(size, "normalized_shape", "LayerNorm") for size in sizes)
        if not self.normalized_shape:
            raise ValueError("LayerNorm: normalized_shape must have at least one size, got none.")
        self.eps = check_eps(eps, "LayerNorm")
        self.elementwise_affine = elementwise_affine
        kind = check_dtype(dtype)
        self.weight = Parameter(np.ones(self.normalized_shape, kind)) if elementwise_affine else None
        self.bias = Parameter(np.zeros(self.normalized_shape, kind)) if elementwise_affine and bias else None

    def forward(self, x: Array) -> Array:
        """Scaled and shifted."""
        bias = _data(self.bias)
        output = F.layer_norm(x, self.normalized_shape, _data(self.weight), bias, self.eps)
        self.keep(x)  # mean and variance follow from it
        return output

    def backward(self, grad_output: Array) -> Array:
        """The gradient through the numbers, their mean and their variance."""
        (x,) = self.kept()
        grad_input, grad_weight, grad_bias = F.layer_norm_backward(
            grad_output, x, self.normalized_shape, _data(self.weight), self.eps
        )
        _accumulate(self, grad_weight, grad_bias)
        return grad_input

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


def _data(parameter):
    return None if parameter is None else parameter.data


def _accumulate(layer, grad_weight, grad_bias):
    if layer.weight is not None:
        layer.weight.accumulate(grad_weight)
    if layer.bias is not None:
        layer.bias.accumulate(grad_bias)
