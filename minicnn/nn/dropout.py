"""Dropout: in training some numbers, or whole channels, are left out by chance."""

from typing import Any

from ..kernels.arrays import Array
from . import functional as F
from .functional.dropout import check_probability
from .module import Module


class Dropout(Module):
    """In training each number is dropped with probability p; what stays grows by 1 / (1 - p).

        output = input * mask        mask = 0 with probability p, else 1 / (1 - p)

    So the mean over all masks is the input, and after `eval()` the output is the input: no
    number is dropped, none is scaled. Any shape.

    >>> import numpy as np
    >>> dropout = Dropout(0.5)
    >>> np.unique(dropout(np.ones(1000)))
    array([0., 2.])
    >>> dropout.eval()(np.ones(3))
    array([1., 1., 1.])

    Backward: the mask is a constant factor, so grad_input is grad_output * mask.

    Cost: a random number and a product for each number; kept for backward: the mask, as large
    as the input. Often believed: numbers are dropped in prediction too. In fact eval() stops
    it; a model that answers differently each time was not switched over. The same seed
    (`minicnn.manual_seed`) gives the same masks on every kernel set; they are not torch's.
    Where the random numbers stand is part of every checkpoint.

        p         the probability, from 0 to 1
        inplace   write into the input, which must not be needed elsewhere

    The output has the input's dtype, float32 or float64. Raises ValueError for p, TypeError for
    what is not an array, RuntimeError for another dtype and for a gradient that does not fit.
    (Srivastava et al., 2014.)
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """

    def __init__(self, p: float = 0.5, inplace: bool = False):
        self.p = check_probability(p, type(self).__name__)
        self.inplace = inplace

    def forward(self, x: Array) -> Any:
        """output = input * mask; the input itself after eval()."""
        if not self.training:
            self.keep(None)
            return x
        output, mask = F.dropout(x, self.p, True, self.inplace, return_mask=True)
        self.keep(mask)  # a constant factor
        return output

    def backward(self, grad_output: Array) -> Array:
        """grad_output * mask; after eval() there is none."""
        (mask,) = self.kept()
        return grad_output if mask is None else F.dropout_backward(grad_output, mask)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout2d(Dropout):
    """In training whole channels are dropped with probability p, and the others grow by
    1 / (1 - p).

        output[n, c, h, w] = input[n, c, h, w] * mask[n, c]

    with mask = 0 with probability p, else 1 / (1 - p). After `eval()` the output is the input.

        input, output   (N, C, H, W), or any shape that begins with (N, C)

    >>> import numpy as np
    >>> output = Dropout2d(0.5)(np.ones((100, 1, 2, 2)))
    >>> np.unique(output.sum(axis=(1, 2, 3)))
    array([0., 8.])

    Backward: grad_input[n, c, h, w] is grad_output[n, c, h, w] * mask[n, c].

    Cost: a product for each number; kept for backward: the mask, one number a channel. Often
    believed: behind a convolution `Dropout` does the same. In fact neighbouring pixels say
    nearly the same, so a dropped one is still seen in those beside it; a dropped channel is
    not. A single image (C, H, W) would be read as (N, C, L) and lose rows, as in torch: make it
    a batch with x[None].

        p         the probability, from 0 to 1
        inplace   write into the input, which must not be needed elsewhere

    The output has the input's dtype, float32 or float64. Raises ValueError for p, TypeError for
    what is not an array, RuntimeError for another dtype and for a gradient that does not fit.
    (Tompson et al., 2015.)
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout2d.html
    """

    def forward(self, x: Array) -> Any:
        """Each channel times its number of the mask; the input itself after eval()."""
        if not self.training:
            self.keep(None)
            return x
        output, mask = F.dropout2d(x, self.p, True, self.inplace, return_mask=True)
        self.keep(mask)  # (N, C, 1, 1), a constant factor
        return output

    def backward(self, grad_output: Array) -> Array:
        """grad_output * mask; after eval() there is none."""
        (mask,) = self.kept()
        return grad_output if mask is None else F.dropout2d_backward(grad_output, mask)
