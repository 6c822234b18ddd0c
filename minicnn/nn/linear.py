"""The fully connected layer: every output is a weighted sum of every input."""

import numpy as np

from .. import geometry
from ..kernels.arrays import Array
from . import functional as F
from .init import weight_and_bias
from .module import Module


class Linear(Module):
    """Each output is a weighted sum of all inputs.

        output[..., o] = bias[o] + sum over i of weight[o, i] * input[..., i]

        input   (..., in_features)      weight  (out_features, in_features)
        output  (..., out_features)     bias    (out_features,)

    >>> linear = Linear(2, 2)
    >>> linear.weight.data = np.array([[1, 1], [0, 3]])
    >>> linear.bias.data = np.array([10, 0])
    >>> linear(np.array([[1, 2]]))
    array([[13,  6]])

    Backward: weight[o, i] met input i wherever output o was computed, so its gradient
    sums grad_output[o] * input[i] over the leading dimensions; input i met weight[o, i]
    in every output, so its gradient sums grad_output[o] * weight[o, i].

    Cost: in * out multiply-adds for each row, twice that backward; kept for backward:
    the input. Often believed: this is the small layer. In fact the first one holds 93 %
    of SimpleCNN's parameters, because no weight is used twice.

        in_features, out_features   sizes of the last dimension, before and after; at least 0
        bias                        whether a number is added to each output
        dtype                       of the weights, float32 or float64; input and output
                                    have it too

    The weights start uniform within 1 / sqrt(in_features). Without inputs the output is the
    bias, which starts at 0. Raises ValueError for arguments,
    TypeError for an input that is not an array, RuntimeError for one that does not fit.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, dtype=np.float32):
        self.in_features = geometry.integer(in_features, "in_features", "Linear", 0)
        self.out_features = geometry.integer(out_features, "out_features", "Linear", 0)
        self.weight, self.bias = weight_and_bias(
            (self.out_features, self.in_features), self.out_features if bias else None, dtype
        )

    def forward(self, x: Array) -> Array:
        """output = x @ weight^T + bias."""
        self.keep(x)  # the weight's gradient needs the input
        bias = None if self.bias is None else self.bias.data
        return F.linear(x, self.weight.data, bias)  # (..., out)

    def backward(self, grad_output: Array) -> Array | None:
        """grad_input = grad @ weight; grad_weight += grad^T @ x."""
        (x,) = self.kept()
        grad_input, grad_weight, grad_bias = F.linear_backward(
            grad_output,
            x,
            self.weight.data,
            needs_input_grad=self.needs_input_grad,
            needs_bias_grad=self.bias is not None and self.bias.requires_grad,
            needs_weight_grad=self.weight.requires_grad,
        )
        self.weight.accumulate(grad_weight)
        if self.bias is not None:
            self.bias.accumulate(grad_bias)
        return grad_input  # (..., in)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
