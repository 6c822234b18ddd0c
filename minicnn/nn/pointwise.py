"""Activation functions, applied to each number separately.

Without them a stack of linear layers would be one linear layer.
"""

from ..kernels.arrays import Array
from . import functional as F
from .module import Module


class ReLU(Module):
    """max(x, 0): positive numbers pass, negative ones become 0. Any shape.

    >>> import numpy as np
    >>> relu = ReLU()
    >>> relu(np.array([-2.0, 0.0, 3.0]))
    array([0., 0., 3.])
    >>> relu.backward(np.array([10.0, 10.0, 10.0]))
    array([ 0.,  0., 10.])

    The slope is 1 where the number passed and 0 where it did not. At exactly 0 there is
    no slope; everybody takes 0. Kept for backward: the output, whose positive elements
    are those that passed. With `inplace` the result overwrites the input, which must
    not be needed elsewhere.

    Cost: a comparison for each number. Often believed: a unit that gives 0 is dead. In
    fact it is dead only if it gives 0 for every image; then no gradient reaches it any
    more. (Nair and Hinton, 2010.) The output has the input's dtype. Raises TypeError
    for what is not an array, RuntimeError for a dtype that has no ReLU and for a
    gradient of another shape.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.ReLU.html
    """

    def __init__(self, inplace: bool = False):
        self.inplace = inplace

    def forward(self, x: Array) -> Array:
        """output = max(x, 0)."""
        output = F.relu(x, self.inplace)
        self.keep(output)  # where it is positive, the number passed
        return output

    def backward(self, grad_output: Array) -> Array:
        """grad_output where output > 0, else 0."""
        (output,) = self.kept()
        return F.relu_backward(grad_output, output)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Sigmoid(Module):
    """s(x) = 1 / (1 + exp(-x)): any number becomes one in (0, 1). Any shape.

    >>> import numpy as np
    >>> sigmoid = Sigmoid()
    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    >>> sigmoid.backward(np.ones(3))
    array([0.  , 0.25, 0.  ])

    The slope is s (1 - s), at most 1/4: it vanishes on both sides, which slows the
    learning of deep networks of sigmoids. Cost: an exponential for each number; kept
    for backward: the output. Often believed: a number in (0, 1) is a probability. In
    fact it becomes one only when a loss such as BCELoss rewards it for being one. The
    output has the input's dtype, float32 or float64. Raises TypeError for what is not
    an array, RuntimeError for another dtype or a gradient of another shape.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Sigmoid.html
    """

    def forward(self, x: Array) -> Array:
        """output = 1 / (1 + exp(-x))."""
        output = F.sigmoid(x)
        self.keep(output)  # the slope is output (1 - output)
        return output

    def backward(self, grad_output: Array) -> Array:
        """grad_output * output * (1 - output)."""
        (output,) = self.kept()
        return F.sigmoid_backward(grad_output, output)


class Tanh(Module):
    """tanh(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x)): any number becomes one in (-1,
    1). Any shape.

    >>> import numpy as np
    >>> tanh = Tanh()
    >>> tanh(np.array([-1000.0, 0.0, 1000.0]))
    array([-1.,  0.,  1.])
    >>> tanh.backward(np.ones(3))
    array([0., 1., 0.])

    The slope is 1 - tanh^2, at most 1. Cost: two exponentials for each number; kept for
    backward: the output. Often believed: tanh bends in another way than the sigmoid. In
    fact it is the same curve, tanh(x) = 2 s(2 x) - 1, centred on 0 and four times as
    steep there. The output has the input's dtype, float32 or float64. Raises TypeError
    for what is not an array, RuntimeError for another dtype or a gradient of another
    shape.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Tanh.html
    """

    def forward(self, x: Array) -> Array:
        """output = tanh(x)."""
        output = F.tanh(x)
        self.keep(output)  # the slope is 1 - output^2
        return output

    def backward(self, grad_output: Array) -> Array:
        """grad_output * (1 - output^2)."""
        (output,) = self.kept()
        return F.tanh_backward(grad_output, output)
