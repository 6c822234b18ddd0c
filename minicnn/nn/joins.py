"""Layers that join others otherwise than one after the other: a sum, and branches side by
side.
"""

from typing import Any

from ..kernels.arrays import Array, concatenated
from .dropout import Dropout, Dropout2d
from .flatten import Flatten, Unflatten
from .identity import Identity
from .module import Module
from .sequential import Sequential


class Residual(Module):
    """A sum of what its layers make of the input, and the input: output = x + f(x).

        input   what the first layer takes     output  of the same shape, or of `shortcut`'s

    >>> import numpy as np
    >>> from minicnn.nn import Tanh, ReLU
    >>> block = Residual(ReLU())
    >>> block(np.array([-1.0, 2.0]))
    array([-1.,  4.])
    >>> block.backward(np.array([1.0, 1.0]))
    array([1., 2.])

    The chain rule for a sum: x reaches the output on two ways, so its gradient is the sum
    of what comes back on both: grad_output itself, and f's gradient of it. Where f changes
    the shape, the module `shortcut` takes the place of the plain x, such as a 1 x 1
    convolution with a stride.

    Cost: an addition for each number, beside the layers'; kept for backward: nothing but
    what the layers keep. Often believed: the shortcut spares the layers work. In fact they
    do all of theirs; what it gives is a gradient that arrives at the start undiminished.
    (He et al., 2015.) Raises TypeError for what is not a Module, ValueError for a first
    layer that writes into x, RuntimeError where the two shapes differ.
    https://arxiv.org/abs/1512.03385
    """

    def __init__(self, *modules: Module, shortcut: Module | None = None):
        if shortcut is not None and not isinstance(shortcut, Module):
            raise TypeError(f"Residual: shortcut must be a Module, got {type(shortcut).__name__}: {shortcut!r}.")
        self.body = Sequential(*modules)
        self.shortcut = shortcut
        _check_first_layers("Residual", self.body, shortcut)

    def forward(self, x: Array) -> Array:
        """output = body(x) + shortcut(x)."""
        changed = self.body(x)
        plain = x if self.shortcut is None else self.shortcut(x)
        if tuple(changed.shape) != tuple(plain.shape):
            raise RuntimeError(
                f"Residual: the layers give {tuple(changed.shape)}, but the shortcut {tuple(plain.shape)}; "
                "shortcut=nn.Conv2d(C, O, 1, stride) brings x to another shape."
            )
        return changed + plain

    def backward(self, grad_output: Array) -> Array | None:
        """grad_input = body's gradient + the shortcut's."""
        through_body = self.body.backward(grad_output)
        plain = grad_output if self.shortcut is None else self.shortcut.backward(grad_output)
        return None if through_body is None or plain is None else through_body + plain


class Concat(Module):
    """Branches side by side: each takes the input, their outputs are put together.

        input   what every branch takes        output  (N, C1 + C2 + ..., H, W) for dim = 1

    >>> import numpy as np
    >>> from minicnn.nn import Identity, ReLU
    >>> both = Concat(Identity(), ReLU())
    >>> both(np.array([[-1.0, 2.0]]))
    array([[-1.,  2.,  0.,  2.]])
    >>> both.backward(np.array([[1.0, 1.0, 10.0, 10.0]]))
    array([[ 1., 11.]])

    The chain rule: each branch gets the part of grad_output that is its own, and as x goes
    into all of them, its gradient is the sum of theirs. With Identity() as a branch x
    itself is among the outputs, as in a U-Net.

    Cost: one copy of the outputs; kept for backward: their sizes along `dim`. Often
    believed: a concatenation mixes the branches. In fact it leaves every number as it is;
    the next layer mixes. Raises TypeError for what is not a Module, ValueError for no
    branches and for one that writes into x, RuntimeError where the other sizes differ.
    https://arxiv.org/abs/1505.04597
    """

    def __init__(self, *branches: Module, dim: int = 1):
        if not branches:
            raise ValueError("Concat: no branches were given; each module is one.")
        self.branches = Sequential(*branches)
        self.dim = dim
        _check_first_layers("Concat", *branches)

    def forward(self, x: Array) -> Array:
        """The outputs, one after the other along `dim`."""
        outputs = [branch(x) for branch in self.branches]
        others = [[size for axis, size in enumerate(y.shape) if axis != self.dim % y.ndim] for y in outputs]
        if any(sizes != others[0] for sizes in others):
            shapes = ", ".join(str(tuple(y.shape)) for y in outputs)
            raise RuntimeError(f"Concat: the outputs must be equal but for dimension {self.dim}, got {shapes}.")
        self.keep([y.shape[self.dim] for y in outputs])
        return concatenated(outputs, self.dim)

    def backward(self, grad_output: Array) -> Array | None:
        """grad_input = the sum of the branches' gradients of their parts."""
        (sizes,) = self.kept()
        total: Any = 0
        start = 0
        for branch, size in zip(self.branches, sizes, strict=True):
            part = [slice(None)] * grad_output.ndim
            part[self.dim] = slice(start, start + size)
            start += size
            grad = branch.backward(grad_output[tuple(part)])
            total = None if grad is None or total is None else total + grad
        return total

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


def _check_first_layers(who: str, *branches: Module | None) -> None:
    """None of them writes into x, which the others take too."""
    passing = (Flatten, Unflatten, Identity, Dropout, Dropout2d)  # their output may be x itself
    for branch in branches:
        for module in () if branch is None else branch.modules():
            if getattr(module, "inplace", False):
                raise ValueError(
                    f"{who}: {module!r} writes into the input, which is needed again; leave inplace=True out."
                )
            if not any(module.children()) and not isinstance(module, passing):
                break
