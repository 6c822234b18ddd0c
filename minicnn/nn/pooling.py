"""Max pooling: the largest element under each window, so the image gets smaller."""

from typing import Any

from .. import geometry
from ..kernels.arrays import Array
from . import functional as F
from .module import Module


class MaxPool2d(Module):
    """The largest element under each window, in each channel by itself.

        output[n, c, i, j] = max over kh, kw of input[n, c, i SH - PH + kh DH, j SW - PW
        + kw DW]

    where positions outside the image do not take part. Along each axis

        OH = floor((H + 2 PH - DH (KH - 1) - 1) / SH) + 1

    With `ceil_mode` it is rounded up instead, so that the last columns are not lost,
    but a window must start inside the image or its left padding.

        input   (N, C, H, W) or (C, H, W)
        output  (N, C, OH, OW) or (C, OH, OW)

    >>> import numpy as np
    >>> MaxPool2d(2, stride=1)(np.array([[[1, 2, 5], [4, 3, 6], [9, 8, 7]]]))
    array([[[4, 6],
            [9, 8]]])

    The dtype is the input's: float32, float64 or, without backward, an integer type.

    Backward: an output is equal to the element that won, so that element gets the
    gradient and the rest get nothing. With overlapping windows one element may win
    several times, and collects the sum. Of equal elements the first one wins; NaN wins
    over everything.

    Cost: N C OH OW KH KW comparisons; kept for backward: the winners' places, 8 bytes
    an output. Often believed: pooling makes a network indifferent to where things are.
    In fact it forgives shifts of a pixel or so. (It has no parameters, so it saves
    none itself: it makes the image smaller, and with it the *next* linear layer.)

        kernel_size      an int, or a pair for height and width; at least 1
        stride           the same; the kernel size unless given
        padding          the same, at least 0 and at most half the kernel
        dilation         the distance between two neighbours under the window
        return_indices   return (output, places): h W + w in each plane, int64
        ceil_mode        round the output's size up

    Raises ValueError for arguments, TypeError for an input that is not an array,
    RuntimeError for one that does not fit.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html
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
        geometry.pair(dilation, "dilation", 1, "MaxPool2d")  # checked alone: stored as given, as repr is torch's
        geometry.check_pool_padding(padding, kernel_pair, "MaxPool2d")
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    @property
    def window(self) -> tuple[geometry.IntPair, geometry.IntPair, geometry.IntPair, geometry.IntPair, bool]:
        """kernel_size, stride, padding, dilation, ceil_mode: as F.max_pool2d takes them."""
        return self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode

    def forward(self, x: Array) -> Any:
        """The maxima; or (the maxima, their places)."""
        output, indices = F.max_pool2d(x, *self.window, return_indices=True)  # each (N, C, OH, OW)
        self.keep(indices, x.shape, self.window)  # who won, and in planes of which size
        return (output, indices) if self.return_indices else output

    def backward(self, grad_output: Array) -> Array:
        """Each grad_output is added where the maximum was."""
        indices, input_shape, window = self.kept()
        return F.max_pool2d_backward(grad_output, indices, input_shape, *window)  # (N, C, H, W)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )
