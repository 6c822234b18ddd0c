"""Max unpooling: the way back from a max pooling, as far as there is one."""

from typing import Any

from .. import geometry
from ..kernels.arrays import Array
from . import functional as F
from .module import Module


class MaxUnpool2d(Module):
    """Each number goes back to the place where its maximum stood; everywhere else is 0.

        output[n, c, place] = input[n, c, i, j]    for place = indices[n, c, i, j] = h OW + w

    The indices come from a `MaxPool2d` with return_indices=True. Along each axis

        OH = (H - 1) SH - 2 PH + KH

    or what `output_size` says, where the pooling rounded several sizes down to one.

        input, indices  (N, C, H, W) or (C, H, W)
        output          (N, C, OH, OW) or (C, OH, OW)

    >>> import numpy as np
    >>> MaxUnpool2d(2)(np.array([[[4.0, 6.0]]]), np.array([[[4, 6]]]))
    array([[[0., 0., 0., 0.],
            [4., 0., 6., 0.]]])

    The dtype is the input's, float32 or float64.

    Backward: an output is equal to the number that was put there, so that number gets its
    gradient. Cost: a write for each output; kept for backward: the indices. Often believed: it
    undoes max pooling. In fact only the maxima come back; what they stood above is lost.
    (Zeiler and Fergus, 2014.)

        kernel_size, stride, padding   those of the pooling; stride is kernel_size unless given

    Raises ValueError for arguments, TypeError for what is not an array, RuntimeError for
    arrays that do not fit, IndexError for an index outside the plane.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxUnpool2d.html
    """

    def __init__(
        self, kernel_size: geometry.IntPair, stride: geometry.IntPair | None = None, padding: geometry.IntPair = 0
    ):
        self.kernel_size = geometry.pair(kernel_size, "kernel_size", 1, "MaxUnpool2d")
        self.stride = self.kernel_size if stride is None else geometry.pair(stride, "stride", 1, "MaxUnpool2d")
        self.padding = geometry.pair(padding, "padding", 0, "MaxUnpool2d")

    def forward(self, x: Array, indices: Array, output_size: Any = None) -> Array:
        """The numbers at their places, zeros elsewhere."""
        arguments = (self.kernel_size, self.stride, self.padding, output_size)
        self.keep(indices, arguments)  # where each number went
        return F.max_unpool2d(x, indices, *arguments)  # (N, C, OH, OW)

    def backward(self, grad_output: Array) -> Array:
        """grad_output from each number's place."""
        indices, arguments = self.kept()
        return F.max_unpool2d_backward(grad_output, indices, *arguments)  # (N, C, H, W)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
