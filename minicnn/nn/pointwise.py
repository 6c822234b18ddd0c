"""The activation functions: each bends every number by itself, and what they bend is what makes depth worthwhile."""

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

    The slope is 1 where the number passed and 0 where it did not. At exactly 0 there is no slope; everybody takes 0.
    Kept for backward: the output, whose positive elements are those that passed. With `inplace` the result overwrites the
    input, which must not be needed elsewhere.

    Cost: a comparison for each number. Without a bend between them, two linear layers are one linear layer. (Nair and
    Hinton, 2010) A misconception: a unit that gives 0 for one image is not dead; dead is one that gives 0 for all of them.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.ReLU.html
    """

    def __init__(self, inplace: bool = False):
        self.inplace = inplace

    def forward(self, x):
        output = F.relu(x, self.inplace)
        self.keep(output)  # where it is positive, the number passed
        return output

    def backward(self, grad_output):
        (output,) = self.kept()
        return F.relu_backward(grad_output, output)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Sigmoid(Module):
    """s(x) = 1 / (1 + exp(-x)): any number becomes a probability in (0, 1). Any shape.

    >>> import numpy as np
    >>> sigmoid = Sigmoid()
    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    >>> sigmoid.backward(np.ones(3))
    array([0.  , 0.25, 0.  ])

    The slope is s (1 - s), at most 1/4: it vanishes on both sides, which slows the learning of deep networks of sigmoids.
    Cost: an exponential for each number; kept for backward: the output. A misconception: a number in (0, 1) is not yet a
    probability; it becomes one when a loss such as BCELoss rewards it for being one. https://docs.pytorch.org/docs/stable/generated/torch.nn.Sigmoid.html
    """

    def forward(self, x):
        output = F.sigmoid(x)
        self.keep(output)  # the slope is output (1 - output)
        return output

    def backward(self, grad_output):
        (output,) = self.kept()
        return F.sigmoid_backward(grad_output, output)


class Tanh(Module):
    """tanh(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x)): any number becomes one in (-1, 1). Any shape.

    >>> import numpy as np
    >>> tanh = Tanh()
    >>> tanh(np.array([-1000.0, 0.0, 1000.0]))
    array([-1.,  0.,  1.])
    >>> tanh.backward(np.ones(3))
    array([0., 1., 0.])

    The slope is 1 - tanh^2, at most 1. Cost: two exponentials for each number; kept for backward: the output.
    A misconception: this is no other kind of bend than the sigmoid, tanh(x) = 2 s(2 x) - 1; but it is centred on 0, and four
    times as steep there. https://docs.pytorch.org/docs/stable/generated/torch.nn.Tanh.html
    """

    def forward(self, x):
        output = F.tanh(x)
        self.keep(output)  # the slope is 1 - output^2
        return output

    def backward(self, grad_output):
        (output,) = self.kept()
        return F.tanh_backward(grad_output, output)
