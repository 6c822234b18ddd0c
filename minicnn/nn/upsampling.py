"""Upsampling: a larger image from a smaller one, without weights."""

from typing import Any

from ..kernels.arrays import Array
from . import functional as F
from .functional.resizing import Scale, Size, check_mode, check_sizes
from .module import Module


class Upsample(Module):
    """A larger (or smaller) image, by repeating pixels or by drawing lines between them.

        nearest     output[n, c, i, j] = input[n, c, floor(i H / OH), floor(j W / OW)]
        bilinear    the mean of the four pixels around the place (i + 1/2) H / OH - 1/2, and in
                    width likewise, each weighted by how near it is

    With `align_corners` the place is i (H - 1) / (OH - 1): the corner pixels stay where they
    are. Places outside the image are moved to its edge.

        input   (N, C, H, W)
        output  (N, C, OH, OW), of `size`, or floor(H scale_factor) x floor(W scale_factor)

    >>> import numpy as np
    >>> Upsample(scale_factor=2)(np.array([[[[1.0, 2.0]]]]))
    array([[[[1., 1., 2., 2.],
             [1., 1., 2., 2.]]]])
    >>> Upsample(size=(1, 3), mode="bilinear", align_corners=True)(np.array([[[[1.0, 2.0]]]]))
    array([[[[1. , 1.5, 2. ]]]])

    The dtype is the input's, float32 or float64.

    Backward: each output is a sum of pixels times their shares, so each pixel gets that share
    of the gradient of every output that read it.

    Cost: one read for each output, or four and as many products; kept for backward: only the
    input's shape. Often believed: a transposed convolution is needed to make images larger. In
    fact Upsample and a convolution do it too, and leave no chequered pattern where windows
    overlap unevenly. (Odena, Dumoulin and Olah, 2016.)

        size                    OH = OW, or (OH, OW); this or scale_factor
        scale_factor            a number, or one for each axis; positive
        mode                    "nearest", "nearest-exact" (reads floor((i + 1/2) H / OH)) or
                                "bilinear"
        align_corners           for "bilinear"; None is False
        recompute_scale_factor  with scale_factor: read at steps of H / OH, not 1 / scale_factor

    Raises ValueError for arguments, TypeError for an input that is not an array, RuntimeError
    for one that does not fit.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Upsample.html
    """

    def __init__(
        self,
        size: Size = None,
        scale_factor: Scale = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ):
        check_mode(mode, align_corners, "Upsample")
        check_sizes(size, scale_factor, recompute_scale_factor, "Upsample")
        self.size = size
        several = isinstance(scale_factor, (tuple, list))
        given: Any = scale_factor
        self.scale_factor: Scale = tuple(map(float, given)) if several else given and float(given)
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    @property
    def options(self) -> tuple[Size, Scale, str, bool | None, bool | None]:
        """The arguments behind the input, as F.interpolate takes them."""
        return self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor

    def forward(self, x: Array) -> Array:
        """Each output from the pixels around its place."""
        self.keep(x.shape, self.options)
        return F.interpolate(x, *self.options)  # (N, C, OH, OW)

    def backward(self, grad_output: Array) -> Array:
        """Each pixel collects the gradient from the outputs that read it."""
        input_shape, options = self.kept()
        return F.interpolate_backward(grad_output, input_shape, *options)  # (N, C, H, W)

    def extra_repr(self) -> str:
        given = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        return f"{given}, mode={self.mode!r}"
