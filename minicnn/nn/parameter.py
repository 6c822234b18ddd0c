"""What is learnt: an array, and the gradient that backward adds up for it."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..kernels import arrays

if TYPE_CHECKING:
    from typing_extensions import Self  # typing has it from Python 3.11 on


class Parameter:
    """An array that is learnt: `data`, and `grad`, which backward adds to (None until
    it first does).

    Both are NumPy arrays, or torch tensors after `Module.to(device)`. With
    `requires_grad` False the parameter is frozen: backward computes nothing for it, and
    no optimizer changes it. NumPy and Matplotlib take a parameter for its `data`, which
    `parameter[...]` and len(parameter) read too; arithmetic is done on `data` itself.
    Raises TypeError for data that is not an array, and for the truth value: write `is
    not None` to ask whether there is a bias.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html

    >>> p = Parameter(np.array([1.0, 2.0]))
    >>> p.accumulate(np.array([0.5, 0.0]))
    >>> p.accumulate(np.array([0.5, 1.0]))
    >>> p.grad
    array([1., 1.])
    >>> p.requires_grad_(False).accumulate(np.array([0.5, 1.0]))
    >>> p.grad
    array([1., 1.])
    """

    def __init__(self, data: Any, requires_grad: bool = True):
        if not arrays.is_array(data):
            raise TypeError(f"Parameter: data must be a NumPy array or a torch tensor, got {type(data).__name__}.")
        self.data = data
        self.grad: Any = None
        self.requires_grad = requires_grad
        self.version = 0  # how often an optimizer or load_state_dict has changed it

    def requires_grad_(self, requires_grad: bool = True) -> "Self":
        """Learn, or with False stay as it is. Returns self."""
        self.requires_grad = requires_grad
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of `data`."""
        return tuple(self.data.shape)

    @property
    def ndim(self) -> int:
        """How many dimensions `data` has."""
        return len(self.shape)

    @property
    def dtype(self) -> Any:
        """The dtype of `data`."""
        return self.data.dtype

    @property
    def size(self) -> "Size":
        """How many numbers `data` holds, as NumPy says; size() and size(0) are torch's."""
        return Size(self.shape)

    def numel(self) -> int:
        """The number alone, by torch's name."""
        return int(self.size)

    def accumulate(self, grad: Any) -> None:
        """Add to `grad`: gradients of several backward passes sum up until `zero_grad`,
        as in torch. A frozen parameter takes none, and None adds nothing.
        """
        if self.requires_grad and grad is not None:
            self.grad = grad if self.grad is None else self.grad + grad

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = arrays.to_numpy(self.data)
        if copy or (dtype is not None and array.dtype != dtype):
            return np.array(array, dtype)
        return array

    def __getitem__(self, key: Any) -> Any:
        return self.data[key]

    def __len__(self) -> int:
        return len(self.data)

    def __bool__(self) -> bool:
        raise TypeError(
            "The truth value of a Parameter says nothing: `parameter is not None` asks whether there is one, "
            "`parameter.data.any()` whether a number in it is not 0."
        )

    def __repr__(self) -> str:
        frozen = "" if self.requires_grad else "\nfrozen: requires_grad=False"
        return f"Parameter containing:\n{self.data!r}{frozen}"


class Size(int):
    """The number of elements that also answers a call, as NumPy's `size` is a number and
    torch's a method.

    >>> size = Size((2, 3))
    >>> size, size(), size(0), size(-1)
    (6, (2, 3), 2, 3)
    """

    shape: tuple[int, ...]

    def __new__(cls, shape: tuple[int, ...]) -> "Self":
        size = super().__new__(cls, math.prod(shape))
        size.shape = shape
        return size

    def __call__(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.shape[dim]
