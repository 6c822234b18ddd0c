"""A layer that does nothing, for the place of one that does."""

from typing import Any

from ..kernels.arrays import Array
from .module import Module


class Identity(Module):
    """Gives what it gets.

        output = input

    Any shape and dtype. It stands where another layer is left out: `net.head = Identity()`
    makes a classifier give its features. It takes, and ignores, any arguments, so that it can
    replace a layer without changing the line that makes it.

    >>> import numpy as np
    >>> Identity(64, bias=False)(np.array([1.0, 2.0]))
    array([1., 2.])

    Backward: grad_input is grad_output. Cost: none; kept for backward: nothing. Often
    believed: the output is a copy. In fact it is the same array. Raises RuntimeError for a
    backward without a forward.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Identity.html
    """

    def __init__(self, *args: Any, **kwargs: Any):
        pass

    def forward(self, x: Array) -> Array:
        """The input itself."""
        self.keep()
        return x

    def backward(self, grad_output: Array) -> Array:
        """grad_output itself."""
        self.kept()
        return grad_output
