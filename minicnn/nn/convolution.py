"""Convolution: each output pixel is a weighted sum of the input pixels under a small window."""

from typing import Any

import numpy as np

from .. import geometry
from ..kernels.arrays import Array
from . import functional as F
from .init import weight_and_bias
from .module import Module

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class Conv2d(Module):
    """A small window of weights slides over the image and sums what it sees, weighted.

        output[n, o, i, j] = bias[o] + sum over c, kh, kw of weight[o, c, kh, kw]
                             * input[n, c, i SH - PH + kh DH, j SW - PW + kw DW]

    (zero outside the image; with groups, c runs over the C / G channels of o's group).
    Along each axis

        OH = floor((H + 2 PH - DH (KH - 1) - 1) / SH) + 1

        input   (N, C, H, W) or (C, H, W)        weight  (O, C / G, KH, KW)
        output  (N, O, OH, OW) or (O, OH, OW)    bias    (O,)

    All arrays have one dtype: float32 or float64 (int64 runs too, as in this example).
    By hand: the kernel [[1, 0], [0, -1]] subtracts each pixel's lower right neighbour
    from it.

    >>> conv = Conv2d(1, 1, 2, bias=False)
    >>> conv.weight.data = np.array([[[[1, 0], [0, -1]]]])
    >>> conv(np.array([[[1, 2, 3], [4, 5, 6], [7, 8, 10]]]))
    array([[[-4, -4],
            [-4, -5]]])

    Backward asks "which outputs does this number touch?", and sums their gradients,
    each times the factor it had there. A weight touches every output pixel of its
    channel, with the input under it as the factor; a bias all of them with factor 1; an
    input pixel the outputs whose window covers it, with the weight that lay on it (so
    the kernel runs over grad_output, flipped). The computation:
    `kernels.numpy_textbook.convolution`.

    Cost: N O OH OW C/G KH KW multiply-adds forward, twice that backward; kept for
    backward: the input. Often believed: this is the mathematician's convolution. In
    fact that one flips the kernel, and this is cross-correlation; as the weights are
    learnt, a network can do the same with either.

        in_channels, out_channels   C and O, at least 1, multiples of `groups`
        kernel_size, stride         an int, or a pair for height and width; at least 1
        padding                     the same, at least 0; or 'valid' (none), or 'same': the
                                    output is as large as the input (needs stride 1)
        dilation                    the distance between the pixels under two neighbouring
                                    weights
        groups                      G: the channels fall into so many parts that do not mix
        bias                        whether a number is added to each output channel
        padding_mode                what lies outside: 'zeros', 'reflect', 'replicate',
                                    'circular'
        dtype                       of the weights, float32 or float64

    The weights start uniform between -b and b, where b = 1 / sqrt((C/G) KH KW); the
    bias too. Raises ValueError for arguments, TypeError for an input that is not an
    array, RuntimeError for one that does not fit.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: geometry.IntPair,
        stride: geometry.IntPair = 1,
        padding: geometry.IntPair | str = 0,
        dilation: geometry.IntPair = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        dtype=np.float32,
    ):
        self.in_channels = geometry.positive(in_channels, "in_channels", "Conv2d")
        self.out_channels = geometry.positive(out_channels, "out_channels", "Conv2d")
        self.kernel_size = geometry.pair(kernel_size, "kernel_size", 1, "Conv2d")
        self.stride = geometry.pair(stride, "stride", 1, "Conv2d")
        self.dilation = geometry.pair(dilation, "dilation", 1, "Conv2d")
        self.groups = geometry.positive(groups, "groups", "Conv2d")
        (PT, _), (PL, _) = geometry.conv_padding(padding, self.kernel_size, self.stride, self.dilation, "Conv2d")
        self.padding = padding if isinstance(padding, str) else (PT, PL)
        self.padding_mode = padding_mode
        if padding_mode not in PADDING_MODES:
            raise ValueError(f"Conv2d: padding_mode must be one of {', '.join(PADDING_MODES)}, got {padding_mode!r}.")
        geometry.check_groups(self.in_channels, self.out_channels, self.groups, "Conv2d")
        shape = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        self.weight, self.bias = weight_and_bias(shape, self.out_channels if bias else None, dtype)

    def forward(self, x: Array) -> Array:
        """Image by image: cols = im2col(x); output = weight_rows @ cols + bias.

        `keep` and `kept` stand in `module`, their rules in `passes`.
        """
        pad_arguments = None
        padding: geometry.IntPair | str = self.padding
        if self.padding_mode != "zeros":
            pad_arguments = (self.frame(), self.padding_mode)
            padding = 0
            x = F.pad(x, *pad_arguments)  # (N, C, H + 2 PH, W + 2 PW)
        options: dict[str, Any] = {"stride": self.stride, "padding": padding}
        options |= {"dilation": self.dilation, "groups": self.groups}
        # The weight's gradient needs the input; and the options as they are now, should they
        # change before backward.
        self.keep(x, options, pad_arguments)
        bias = None if self.bias is None else self.bias.data
        # F checks, makes the Geometry, calls the chosen kernel set.
        return F.conv2d(x, self.weight.data, bias, **options)  # (N, O, OH, OW)

    def backward(self, grad_output: Array) -> Array | None:
        """Image by image: grad_weight += grad @ cols^T; grad_cols = weight_rows^T @ grad."""
        x, options, pad_arguments = self.kept()
        grad_input, grad_weight, grad_bias = F.conv2d_backward(
            grad_output,
            x,
            self.weight.data,
            **options,
            needs_input_grad=self.needs_input_grad,
            needs_bias_grad=self.bias is not None and self.bias.requires_grad,
            needs_weight_grad=self.weight.requires_grad,
        )
        self.weight.accumulate(grad_weight)
        if self.bias is not None:
            self.bias.accumulate(grad_bias)
        if pad_arguments is not None and grad_input is not None:
            grad_input = F.pad_backward(grad_input, *pad_arguments)
        return grad_input  # (N, C, H, W)

    def frame(self) -> tuple[int, int, int, int]:
        """The padding left, right, above and below, as F.pad takes it; 'same' may be uneven."""
        (PT, PB), (PL, PR) = geometry.conv_padding(self.padding, self.kernel_size, self.stride, self.dilation, "Conv2d")
        return PL, PR, PT, PB

    def extra_repr(self) -> str:
        first = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        rest = self.unless(padding=(0, 0), dilation=(1, 1), groups=1)
        return first + rest + ("" if self.bias is not None else ", bias=False") + self.unless(padding_mode="zeros")
