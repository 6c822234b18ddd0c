"""What is learnt: an array, and the gradient that backward adds up for it."""

import math
from typing import Any

from ..kernels import arrays


class Parameter:
    """An array that is learnt: `data`, and `grad`, which backward adds to (None until
    it first does).

    Both are NumPy arrays, or torch tensors after `Module.to(device)`. Raises TypeError
    for anything else.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html

    >>> import numpy as np
    >>> p = Parameter(np.array([1.0, 2.0]))
    >>> p.accumulate(np.array([0.5, 0.0]))
    >>> p.accumulate(np.array([0.5, 1.0]))
    >>> p.grad
    array([1., 1.])
    """

    def __init__(self, data: Any):
        if not arrays.is_array(data):
            raise TypeError(f"Parameter: data must be a NumPy array or a torch tensor, got {type(data).__name__}.")
        self.data = data
        self.grad: Any = None
        self.version = 0  # how often an optimizer or load_state_dict has changed it

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of `data`."""
        return tuple(self.data.shape)

    @property
    def dtype(self) -> Any:
        """The dtype of `data`."""
        return self.data.dtype

    @property
    def size(self) -> int:
        """How many numbers `data` holds."""
        return math.prod(self.data.shape)

    def numel(self) -> int:
        """The same, by torch's name."""
        return self.size

    def accumulate(self, grad: Any) -> None:
        """Add to `grad`: gradients of several backward passes sum up until `zero_grad`,
        as in torch.
        """
        self.grad = grad if self.grad is None else self.grad + grad

    def __repr__(self) -> str:
        return f"Parameter containing:\n{self.data!r}"
