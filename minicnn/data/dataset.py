"""A data set is a sequence of examples, each a tuple such as (image, label)."""

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np


class Dataset:
    """What a `DataLoader` can read. A subclass writes `__len__` and `__getitem__`, as in torch.

    A subclass that keeps its examples in arrays overrides `batch` too: one fancy index then
    replaces a Python call for every example.

    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 10
    ...     def __getitem__(self, index):
    ...         return np.float32(index), index**2
    >>> Squares().batch([2, 3])
    (array([2., 3.], dtype=float32), array([4, 9]))

    https://docs.pytorch.org/docs/stable/data.html
    """

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__.")

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__.")

    def batch(self, indices: Iterable[int]) -> tuple[np.ndarray, ...]:
        """The examples at `indices`, stacked: one array for each entry of the tuple."""
        examples = [self[int(index)] for index in indices]
        if not examples or not all(isinstance(example, tuple) for example in examples):
            found = type(examples[0]).__name__ if examples else "no example"
            raise TypeError(
                f"{type(self).__name__}.batch stacks tuples such as (image, label), got {found}; "
                "return a tuple from __getitem__ or override batch."
            )
        return tuple(np.stack(column) for column in zip(*examples, strict=True))


class TensorDataset(Dataset):
    """Examples that lie in arrays: example i is the tuple of what the arrays hold at i.

    tensors    one or more arrays or torch tensors (N, ...), of one length N and any dtype; kept as they are, not copied

    An index may be a slice, as in torch. ValueError if the lengths differ.

    >>> digits = TensorDataset(np.zeros((3, 1, 28, 28), np.float32), np.array([5, 0, 4]))
    >>> image, label = digits[2]
    >>> image.shape, int(label)
    ((1, 28, 28), 4)

    https://docs.pytorch.org/docs/stable/data.html
    """

    def __init__(self, *tensors: Any):
        lengths = {len(tensor) for tensor in tensors}
        if len(lengths) != 1:
            shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors) or "none"
            raise ValueError(f"TensorDataset: expected arrays of one length, got the shapes {shapes}.")
        self.tensors = tensors

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, index: int | slice) -> tuple[Any, ...]:
        if not isinstance(index, slice):
            index = check_index(index, self)
        return tuple(tensor[index] for tensor in self.tensors)

    def batch(self, indices: Iterable[int]) -> tuple[Any, ...]:
        chosen = check_indices(indices, self)
        return tuple(tensor[chosen] for tensor in self.tensors)


class Subset(Dataset):
    """The examples of another data set at `indices`, in that order: subset[i] = dataset[indices[i]]. Nothing is copied.

    >>> from minicnn.data import MNIST
    >>> digits = MNIST()
    >>> sevens = Subset(digits, np.flatnonzero(digits.labels == 7))
    >>> len(sevens), sevens[0][1]
    (550, 7)

    https://docs.pytorch.org/docs/stable/data.html
    """

    def __init__(self, dataset: Dataset, indices: Iterable[int]):
        self.dataset = dataset
        self.indices = check_indices(indices, dataset)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return self.dataset[int(self.indices[check_index(index, self)])]

    def batch(self, indices: Iterable[int]) -> tuple[np.ndarray, ...]:
        return self.dataset.batch(self.indices[check_indices(indices, self)])


def check_index(index: int, dataset: Dataset) -> int:
    """`index` as an int. Indices below zero count from the end, as everywhere in Python."""
    n = len(dataset)
    index = operator.index(index)
    if not -n <= index < n:
        raise IndexError(
            f"{type(dataset).__name__} of {n} examples: expected an index i with {-n} <= i < {n}, got {index}."
        )
    return index


def check_indices(indices: Iterable[int], dataset: Dataset) -> np.ndarray:
    """`indices`, any sequence of integers, as an int64 array (K,)."""
    found = np.asarray(indices if hasattr(indices, "__len__") else list(indices))
    if found.size == 0:
        found = found.astype(np.int64)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise TypeError(
            f"{type(dataset).__name__} is indexed by a sequence of integers, got {found.dtype} of "
            f"shape {found.shape}; for a mask pass np.flatnonzero(mask)."
        )
    if found.size:
        check_index(found.min(), dataset)
        check_index(found.max(), dataset)
    return found.astype(np.int64, copy=False)
