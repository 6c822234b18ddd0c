"""The max pooling layer."""

from .. import geometry
from . import functional as F
from .module import Module


class MaxPool2d(Module):
    """The largest element under each window, in each channel by itself.

        output[n, c, i, j] = max over kh, kw of input[n, c, i SH - PH + kh DH, j SW - PW + kw DW]

    where positions outside the image do not take part. Along each axis

        OH = floor((H + 2 PH - DH (KH - 1) - 1) / SH) + 1

    With `ceil_mode` it is rounded up instead, so that the last columns are not lost, but a window must start inside the
    image or its left padding.

        input   (N, C, H, W) or (C, H, W)
        output  (N, C, OH, OW) or (C, OH, OW)

    >>> import numpy as np
    >>> MaxPool2d(2, stride=1)(np.array([[[1, 2, 5], [4, 3, 6], [9, 8, 7]]]))
    array([[[4, 6],
            [9, 8]]])

    Backward: an output is equal to the element that won, so that element gets the gradient and the rest get nothing. With
    overlapping windows one element may win several times, and collects the sum. Of equal elements the first one wins;
    NaN wins over everything.

    Cost: N C OH OW KH KW comparisons; kept for backward: the winners' places, 8 bytes an output.
    A misconception: pooling has no parameters, and reduces none of its own; it makes the image smaller, and with it the
    *next* linear layer. And it forgives shifts of a pixel or so, not of any size.

    `stride` is the kernel size unless given; `padding` at most half the kernel; with `return_indices` the places h W + w
    in each plane are returned too. https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html
    """

    def __init__(
        self,
        kernel_size: geometry.IntPair,
        stride: geometry.IntPair | None = None,
        padding: geometry.IntPair = 0,
        dilation: geometry.IntPair = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ):
        kernel_pair = geometry.pair(kernel_size, "kernel_size", 1, "MaxPool2d")
        if stride is not None:
            geometry.pair(stride, "stride", 1, "MaxPool2d")
        geometry.pair(dilation, "dilation", 1, "MaxPool2d")
        geometry.check_pool_padding(padding, kernel_pair, "MaxPool2d")
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    @property
    def _arguments(self) -> tuple[geometry.IntPair, geometry.IntPair, geometry.IntPair, geometry.IntPair, bool]:
        return self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode

    def forward(self, x):
        output, indices = F.max_pool2d(x, *self._arguments, return_indices=True)  # each (N, C, OH, OW)
        self.keep(indices, x.shape)  # who won, and in planes of which size
        return (output, indices) if self.return_indices else output

    def backward(self, grad_output):
        indices, input_shape = self.kept()
        return F.max_pool2d_backward(grad_output, indices, input_shape, *self._arguments)  # (N, C, H, W)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )
