"""Transposed convolution: each input pixel stamps the kernel onto a larger output."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import geometry
from ..kernels.arrays import Array
from . import functional as F
from .init import weight_and_bias
from .module import Module


class ConvTranspose2d(Module):
    """Convolution turned round: each input pixel stamps the kernel, times its value, on
    the output.

        output[n, o, i SH - PH + kh DH, j SW - PW + kw DW]
                                    +=  input[n, c, i, j] * weight[c, o, kh, kw]

    summed over all c, i, j, kh, kw, plus bias[o]; what falls outside the output is
    dropped. Along each axis

        OH = (H - 1) SH - 2 PH + DH (KH - 1) + output_padding + 1

        input   (N, C, H, W) or (C, H, W)        weight  (C, O / G, KH, KW)
        output  (N, O, OH, OW) or (O, OH, OW)    bias    (O,)

    By hand: with stride 2 a 2x2 kernel of ones paints each pixel as a square.

    >>> up = ConvTranspose2d(1, 1, 2, stride=2, bias=False)
    >>> up.weight.data = np.ones((1, 1, 2, 2), int)
    >>> up(np.array([[[1, 2], [3, 4]]]))
    array([[[1, 1, 2, 2],
            [1, 1, 2, 2],
            [3, 3, 4, 4],
            [3, 3, 4, 4]]])

    Convolution is a linear map; written as a matrix M, this layer multiplies by M
    transposed. That is what convolution's backward pass does, so forward here is that
    pass, and the gradient to the input is a plain convolution of grad_output.
    (`nn.functional.conv_transpose2d` does it.) A weight touches, for each input pixel,
    one output, with that input as the factor.

    A stride S maps S input sizes of a convolution to one output size; `output_padding`
    says which of them comes back. Instead, `forward(x, output_size)` takes the size
    itself.

    Cost: N C H W O/G KH KW multiply-adds forward, twice that backward; kept for
    backward: the input. Often believed: this undoes a convolution ("deconvolution"). In
    fact it gives back the convolution's input shape, not its values. When KH is not a
    multiple of SH, pixels get different numbers of stamps, and a checkerboard shows in
    the picture.

        in_channels, out_channels   C and O, at least 1, multiples of `groups`
        kernel_size, stride         an int, or a pair for height and width; at least 1
        padding                     how much of the output is cut off on each side; at least 0
        output_padding              extra rows and columns below and right; less than S or D
        groups, bias, dilation      as in Conv2d; mind the order, dilation comes after bias
        padding_mode                can only be 'zeros'
        dtype                       of the weights, float32 or float64

    The weights start uniform within 1 / sqrt(O/G KH KW). Raises ValueError for
    arguments and for an output_size that no output_padding gives, RuntimeError for an
    input that does not fit.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: geometry.IntPair,
        stride: geometry.IntPair = 1,
        padding: geometry.IntPair = 0,
        output_padding: geometry.IntPair = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: geometry.IntPair = 1,
        padding_mode: str = "zeros",
        dtype=np.float32,
    ):
        who = "ConvTranspose2d"
        self.in_channels = geometry.positive(in_channels, "in_channels", who)
        self.out_channels = geometry.positive(out_channels, "out_channels", who)
        self.kernel_size = geometry.pair(kernel_size, "kernel_size", 1, who)
        self.stride = geometry.pair(stride, "stride", 1, who)
        self.padding = geometry.pair(padding, "padding", 0, who)
        self.dilation = geometry.pair(dilation, "dilation", 1, who)
        self.output_padding = geometry.check_output_padding(output_padding, self.stride, self.dilation, who)
        self.groups = geometry.positive(groups, "groups", who)
        self.padding_mode = padding_mode
        if padding_mode != "zeros":
            raise ValueError(f"{who}: padding_mode must be 'zeros', got {padding_mode!r}.")
        geometry.check_groups(self.in_channels, self.out_channels, self.groups, who)
        shape = (self.in_channels, self.out_channels // self.groups, *self.kernel_size)
        self.weight, self.bias = weight_and_bias(shape, self.out_channels if bias else None, dtype)

    def __call__(self, x: Any, output_size: Sequence[int] | None = None) -> Any:
        return super().__call__(x, output_size)

    def forward(self, x: Array, output_size: Sequence[int] | None = None) -> Array:
        """Image by image: output = col2im(weight_rows^T @ x) + bias, cut to its size."""
        output_padding = self.output_padding
        if output_size is not None:
            sizes = (np.shape(x), self.kernel_size, self.stride, self.padding, self.dilation)
            output_padding = geometry.output_padding_for(output_size, *sizes, "ConvTranspose2d")
        options: dict[str, Any] = {"stride": self.stride, "padding": self.padding, "output_padding": output_padding}
        options |= {"groups": self.groups, "dilation": self.dilation}
        bias = None if self.bias is None else self.bias.data
        self.keep(x, options)  # the weight's gradient needs the input; the output's size may have been asked for
        return F.conv_transpose2d(x, self.weight.data, bias, **options)  # (N, O, OH, OW)

    def backward(self, grad_output: Array) -> Array | None:
        """Image by image: cols = im2col(grad); grad_input = weight_rows @ cols."""
        x, options = self.kept()
        grad_input, grad_weight, grad_bias = F.conv_transpose2d_backward(
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
        return grad_input  # (N, C, H, W)

    def extra_repr(self) -> str:
        first = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        rest = self.unless(padding=(0, 0), dilation=(1, 1), output_padding=(0, 0), groups=1)
        return first + rest + ("" if self.bias is not None else ", bias=False")
