"""Average pooling: the mean under each window, so the image gets smaller."""

from typing import Any

from .. import geometry
from ..kernels.arrays import Array
from . import functional as F
from .functional import checks
from .module import Module


class AvgPool2d(Module):
    """The mean of the elements under each window, in each channel by itself.

        output[n, c, i, j] = sum over kh, kw of input[n, c, i SH - PH + kh, j SW - PW + kw]
                             / (KH KW)

    where positions outside the image are 0. Along each axis

        OH = floor((H + 2 PH - KH) / SH) + 1

    With `ceil_mode` it is rounded up instead, but a window must start inside the image or
    its left padding; what such a window reaches behind the padding does not count.

        input   (N, C, H, W) or (C, H, W)
        output  (N, C, OH, OW) or (C, OH, OW)

    >>> import numpy as np
    >>> AvgPool2d(2, stride=1)(np.array([[[1.0, 2.0, 5.0], [4.0, 3.0, 6.0], [9.0, 8.0, 7.0]]]))
    array([[[2.5, 4. ],
            [6. , 6. ]]])

    The dtype is the input's, float32 or float64.

    Backward: every element under a window has a share of 1 / (KH KW) in its mean, so it
    gets that share of the window's gradient, and the sum of them where windows overlap.

    Cost: N C OH OW KH KW additions; kept for backward: only the input's shape. Often
    believed: it forgets less than max pooling. In fact both keep one number of a window; the
    mean keeps how much there was, the maximum that something was there.

        kernel_size        an int, or a pair for height and width; at least 1
        stride             the same; the kernel size unless given
        padding            the same, at least 0 and at most half the kernel
        ceil_mode          round the output's size up
        count_include_pad  divide by KH KW at the edges too; otherwise by the number of
                           elements that lie inside the image
        divisor_override   divide by this whole number instead

    Raises ValueError for arguments, TypeError for an input that is not an array,
    RuntimeError for one that does not fit. (LeCun et al., 1998.)
    https://docs.pytorch.org/docs/stable/generated/torch.nn.AvgPool2d.html
    """

    def __init__(
        self,
        kernel_size: geometry.IntPair,
        stride: geometry.IntPair | None = None,
        padding: geometry.IntPair = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ):
        kernel_pair = geometry.pair(kernel_size, "kernel_size", 1, "AvgPool2d")
        if stride is not None:
            geometry.pair(stride, "stride", 1, "AvgPool2d")
        geometry.check_pool_padding(padding, kernel_pair, "AvgPool2d")
        if divisor_override is not None and checks.whole_number(divisor_override, "divisor_override", "AvgPool2d") == 0:
            raise ValueError("AvgPool2d: divisor_override must not be 0.")
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    @property
    def window(self) -> tuple[Any, ...]:
        """The arguments behind the input, as F.avg_pool2d takes them."""
        return (
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def forward(self, x: Array) -> Array:
        """The means."""
        self.keep(x.shape, self.window)
        return F.avg_pool2d(x, *self.window)  # (N, C, OH, OW)

    def backward(self, grad_output: Array) -> Array:
        """Each element gets its share from every window that saw it."""
        input_shape, window = self.kept()
        return F.avg_pool2d_backward(grad_output, input_shape, *window)  # (N, C, H, W)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool2d(Module):
    """The means of OH x OW windows that cover the image, however large it is.

        output[n, c, i, j] = the mean of input[n, c, h, w] over
                             floor(i H / OH) <= h < ceil((i + 1) H / OH), and w likewise

    Where OH divides H, that is AvgPool2d(H // OH). Otherwise neighbours share pixels, or, with
    OH > H, pixels are repeated.

        input   (N, C, H, W) or (C, H, W)
        output  (N, C, OH, OW) or (C, OH, OW)

    >>> import numpy as np
    >>> AdaptiveAvgPool2d(1)(np.array([[[1.0, 2.0], [3.0, 6.0]]]))
    array([[[3.]]])

    The dtype is the input's, float32 or float64.

    Backward: each element gets its share, 1 / (the window's size), of the gradient of every
    window that it lies in.

    Cost: about one addition for each pixel; kept for backward: only the input's shape. Often
    believed: global average pooling, to 1 x 1, is there to save time. In fact it makes a
    classifier take images of any size, and replaces the linear layer that holds most
    parameters. (Lin, Chen and Yan, 2013.)

        output_size   OH = OW, or the pair (OH, OW); None keeps the input's size

    Raises TypeError and ValueError for an output_size, TypeError for an input that is not an
    array, RuntimeError for one that does not fit.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool2d.html
    """

    def __init__(self, output_size: int | None | tuple[int | None, int | None]):
        geometry.adaptive_size(output_size, (1, 1), "AdaptiveAvgPool2d")
        self.output_size = output_size

    def forward(self, x: Array) -> Array:
        """The means."""
        self.keep(x.shape, self.output_size)
        return F.adaptive_avg_pool2d(x, self.output_size)  # (N, C, OH, OW)

    def backward(self, grad_output: Array) -> Array:
        """Each element gets its share from every window that saw it."""
        input_shape, output_size = self.kept()
        return F.adaptive_avg_pool2d_backward(grad_output, tuple(input_shape), output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"
