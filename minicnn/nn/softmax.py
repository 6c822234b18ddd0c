"""Softmax and its logarithm as layers: scores become probabilities."""

from ..kernels.arrays import Array
from . import functional as F
from .functional import checks
from .module import Module


class Softmax(Module):
    """exp(x_k) divided by the sum of exp(x_c): scores become probabilities.

        output_k = exp(input_k) / sum over c of exp(input_c)      along the dimension `dim`

    Any shape. The outputs are positive and their sum is 1.

    >>> import numpy as np
    >>> softmax = Softmax(dim=1)
    >>> softmax(np.array([[0.0, 0.0, 0.0, 0.0]]))
    array([[0.25, 0.25, 0.25, 0.25]])

    Backward, with p the output and g = grad_output: d p_c / d x_k = p_c ([c = k] - p_k), so
    grad_input is p (g - sum of g p). Cost: an exponential for each number; kept for backward:
    the output. Often believed: it belongs in front of CrossEntropyLoss. In fact that takes the
    scores themselves; a softmax before it is a second one, and learning becomes slow.

        dim   the dimension along which the sum is 1; None: 0 for inputs with 0, 1 or 3
              dimensions, else 1, with a warning

    The output has the input's dtype, float32 or float64. Raises TypeError for a dim that is no
    int and what is not an array, IndexError for a dimension that is not there, RuntimeError for
    another dtype and for a gradient of another shape.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Softmax.html
    """

    def __init__(self, dim: int | None = None):
        self.dim = None if dim is None else checks.whole_number(dim, "dim", type(self).__name__)

    def forward(self, x: Array) -> Array:
        """output = softmax(x)."""
        output = F.softmax(x, self.dim)
        self.keep(output)  # the gradient needs nothing else
        return output

    def backward(self, grad_output: Array) -> Array:
        """output * (grad_output - sum of grad_output * output)."""
        (output,) = self.kept()
        return F.softmax_backward(grad_output, output, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """x_k - log(sum of exp(x_c)): the logarithms of the probabilities.

        output_k = input_k - log(sum over c of exp(input_c))      along the dimension `dim`

    Any shape. With `NLLLoss` behind it, it is `CrossEntropyLoss`.

    >>> import numpy as np
    >>> LogSoftmax(dim=1)(np.array([[0.0, -1000.0]]))
    array([[    0., -1000.]])

    Backward, with p = exp(output) and g = grad_output: d log p_c / d x_k = [c = k] - p_k, so
    grad_input is g - p sum of g. Cost: an exponential for each number, forward and backward;
    kept for backward: the output. Often believed: it is Softmax and then a logarithm. In fact
    small probabilities would be 0 by then, with the logarithm -inf; here each x is shifted by
    the largest before exp.

        dim   the dimension of the classes; None: 0 for inputs with 0, 1 or 3 dimensions, else
              1, with a warning

    The output has the input's dtype, float32 or float64. Raises TypeError for a dim that is no
    int and what is not an array, IndexError for a dimension that is not there, RuntimeError for
    another dtype and for a gradient of another shape.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.LogSoftmax.html
    """

    def forward(self, x: Array) -> Array:
        """output = log_softmax(x)."""
        output = F.log_softmax(x, self.dim)
        self.keep(output)  # its exponential is p
        return output

    def backward(self, grad_output: Array) -> Array:
        """grad_output - exp(output) * (the sum of grad_output)."""
        (output,) = self.kept()
        return F.log_softmax_backward(grad_output, output, self.dim)
