"""Activation functions, applied to each number separately.

Without them a stack of linear layers would be one linear layer.
"""

from ..kernels.arrays import Array
from . import functional as F
from .functional import checks
from .functional.pointwise import check_approximate
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


class LeakyReLU(Module):
    """x where x is positive, negative_slope * x elsewhere: a ReLU that lets a little through.

    Any shape.

    >>> import numpy as np
    >>> leaky = LeakyReLU(0.1)
    >>> leaky(np.array([-2.0, 0.0, 3.0]))
    array([-0.2,  0. ,  3. ])
    >>> leaky.backward(np.array([10.0, 10.0, 10.0]))
    array([ 1.,  1., 10.])

    The slope is 1 where x is positive and negative_slope where it is not, 0 and NaN included.
    Kept for backward: the input; with `inplace` the output overwrites it, and its signs tell
    the same. Cost: a comparison and a product for each number. Often believed: it cures
    networks that do not learn. In fact it keeps a gradient in units that a ReLU would have
    silenced for every image, and changes little elsewhere. (Maas, Hannun and Ng, 2013.)

        negative_slope   a number; with `inplace` at least 0
        inplace          write into the input, which must not be needed elsewhere

    The output has the input's dtype, float32 or float64. Raises TypeError for what is not an
    array or a number, ValueError for a negative slope with `inplace`, RuntimeError for another
    dtype and for a gradient of another shape.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.LeakyReLU.html
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False):
        self.negative_slope = checks.number(negative_slope, "negative_slope", "LeakyReLU")
        self.inplace = inplace
        if inplace and not negative_slope >= 0:
            raise ValueError(
                f"LeakyReLU: inplace=True needs a negative_slope of at least 0, got {negative_slope}: "
                "with a smaller one the output no longer tells the input's sign."
            )

    def forward(self, x: Array) -> Array:
        """output = x * (1 or negative_slope)."""
        output = F.leaky_relu(x, self.negative_slope, self.inplace)
        self.keep(x)  # which has the output's signs, if that stands there now
        return output

    def backward(self, grad_output: Array) -> Array:
        """grad_output * (1 or negative_slope)."""
        (x,) = self.kept()
        return F.leaky_relu_backward(grad_output, x, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class GELU(Module):
    """x P(x), where P(x) is the share of a normal distribution that lies below x: a ReLU with a
    round corner. Any shape.

        output = x (1 + erf(x / sqrt(2))) / 2

    >>> import numpy as np
    >>> GELU()(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.1587,  0.    ,  0.8413])

    The slope is P(x) + x P'(x), with P'(x) = exp(-x^2 / 2) / sqrt(2 pi), by the product rule.
    Kept for backward: the input. Cost: an erf for each number, and backward an exponential
    too. Often believed: it grows everywhere. In fact it falls to -0.17 near x = -0.75, and
    comes back to 0 from below. (Hendrycks and Gimpel, 2016.)

        approximate   "none", or "tanh": (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 for P

    The output has the input's dtype, float32 or float64. Raises ValueError for another
    `approximate`, TypeError for what is not an array, RuntimeError for another dtype and for a
    gradient of another shape.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.GELU.html
    """

    def __init__(self, approximate: str = "none"):
        self.approximate = check_approximate(approximate, "GELU")

    def forward(self, x: Array) -> Array:
        """output = x P(x)."""
        self.keep(x)  # both terms of the slope need it
        return F.gelu(x, self.approximate)

    def backward(self, grad_output: Array) -> Array:
        """grad_output * (P(x) + x P'(x))."""
        (x,) = self.kept()
        return F.gelu_backward(grad_output, x, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"
