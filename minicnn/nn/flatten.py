"""Reshaping: the numbers stay, their arrangement changes; backward changes it back."""

import math
import operator
from collections.abc import Sequence

from ..kernels.arrays import Array
from .functional import checks
from .module import Module


def _axis(dim: int, ndim: int, who: str) -> int:
    """A dimension counted from the front, whichever end it was counted from."""
    if not -ndim <= dim < ndim:
        raise IndexError(
            f"{who}: dimension {dim} does not exist, the input has {ndim}: expected {-ndim} to {ndim - 1}."
        )
    return dim % ndim


def _reshape_grad(grad_output, input_shape: tuple[int, ...], output_shape: tuple[int, ...], who: str):
    grad_output = checks.of_any_dtype(grad_output, "grad_output", who)
    if grad_output.shape != output_shape:
        raise RuntimeError(
            f"{who}: grad_output must have the output's shape {output_shape}, got {tuple(grad_output.shape)}."
        )
    return grad_output.reshape(input_shape)


class Flatten(Module):
    """Dimensions start_dim to end_dim become one: (N, C, H, W) -> (N, C H W) unless
    told otherwise.

        output[n, (c H + h) W + w] = input[n, c, h, w]

    >>> import numpy as np
    >>> flatten = Flatten()
    >>> flatten(np.arange(8).reshape(1, 2, 2, 2))
    array([[0, 1, 2, 3, 4, 5, 6, 7]])
    >>> flatten.backward(np.ones((1, 8))).shape
    (1, 2, 2, 2)

    Backward gives the gradient the input's shape again: moving a number changes nothing
    about its effect. Cost: none, the numbers stay where they are; kept for backward:
    the shapes. Mind a single image (C, H, W): its channels are taken for a batch, and
    it becomes (C, H W).

    Often believed: flattening destroys the neighbourhood of pixels. In fact it loses
    nothing; the linear layer after it ignores neighbourhoods, as it has its own weight
    for every pixel, and would learn as well from pixels in any other fixed order.

        start_dim, end_dim   the first and the last dimension that are joined; negative ones
                             count from the end

    Any dtype, and the output has it too. Raises TypeError for what is not an array,
    IndexError for a dimension that does not exist, RuntimeError where start_dim comes
    after end_dim.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Flatten.html
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        self.start_dim = operator.index(start_dim)
        self.end_dim = operator.index(end_dim)

    def forward(self, x: Array) -> Array:
        """The same numbers, with one dimension for several."""
        x = checks.of_any_dtype(x, "input", "Flatten")
        first = _axis(self.start_dim, max(x.ndim, 1), "Flatten")
        last = _axis(self.end_dim, max(x.ndim, 1), "Flatten")
        if first > last:
            raise RuntimeError(
                f"Flatten: start_dim {self.start_dim} comes after end_dim {self.end_dim} in a shape {tuple(x.shape)}."
            )
        before = x.shape[:first]
        flattened = math.prod(x.shape[first : last + 1])
        behind = x.shape[last + 1 :]
        output = x.reshape(*before, flattened, *behind)
        self.keep(tuple(x.shape), tuple(output.shape))
        return output

    def backward(self, grad_output: Array) -> Array:
        """grad_output in the shape of the input."""
        input_shape, output_shape = self.kept()
        return _reshape_grad(grad_output, input_shape, output_shape, "Flatten")

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """The dimension `dim` becomes several: Unflatten(1, (3, 4, 5)) takes (N, 60) to (N,
    3, 4, 5).

        output[n, c, h, w] = input[n, (c H + h) W + w]          for Unflatten(1, (C, H, W)):
                                                                Flatten's inverse

    >>> import numpy as np
    >>> Unflatten(1, (2, -1))(np.arange(6).reshape(1, 6))
    array([[[0, 1, 2],
            [3, 4, 5]]])

    Backward flattens the gradient. Cost: none; kept for backward: the shapes. Often
    believed: a generator unfolds its first image from something that was folded. In
    fact the numbers have no arrangement before; channels, rows and columns are what the
    linear layer learns to put there.

        dim                which dimension; a negative one counts from the end
        unflattened_size   its new sizes; one may be -1 and takes what is left

    Any dtype, and the output has it too. Raises TypeError and ValueError for sizes that
    are none, IndexError for a dimension that does not exist, RuntimeError where the
    sizes do not fit.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Unflatten.html
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]):
        self.dim = operator.index(dim)
        if not isinstance(unflattened_size, Sequence) or not all(
            hasattr(size, "__index__") for size in unflattened_size
        ):
            raise TypeError(f"Unflatten: unflattened_size must be a tuple of ints, got {unflattened_size!r}.")
        self.unflattened_size = tuple(operator.index(size) for size in unflattened_size)
        if not self.unflattened_size or self.unflattened_size.count(-1) > 1 or min(self.unflattened_size) < -1:
            raise ValueError(
                f"Unflatten: unflattened_size must be sizes, at most one of them -1, got {unflattened_size!r}."
            )

    def forward(self, x: Array) -> Array:
        """The same numbers, with several dimensions for one."""
        x = checks.of_any_dtype(x, "input", "Unflatten")
        dim = _axis(self.dim, x.ndim, "Unflatten")
        known = math.prod(size for size in self.unflattened_size if size != -1)
        there = x.shape[dim]
        if -1 in self.unflattened_size:
            fits = known and there % known == 0
        else:
            fits = there == known
        if not fits:
            raise RuntimeError(
                f"Unflatten: dimension {self.dim} of an input {tuple(x.shape)} has {there} elements, "
                f"which do not fill {self.unflattened_size}."
            )
        sizes = [there // known if size == -1 else size for size in self.unflattened_size]
        output = x.reshape(*x.shape[:dim], *sizes, *x.shape[dim + 1 :])
        self.keep(tuple(x.shape), tuple(output.shape))
        return output

    def backward(self, grad_output: Array) -> Array:
        """grad_output in the shape of the input."""
        input_shape, output_shape = self.kept()
        return _reshape_grad(grad_output, input_shape, output_shape, "Unflatten")

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
