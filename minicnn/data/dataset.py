"""A data set is a sequence of examples, each a tuple such as (image, label)."""

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


class Dataset:
    """What a `DataLoader` can read. A subclass writes `__len__` and `__getitem__`, as in torch.

        dataset[i]                one example, a tuple such as (image (1, 28, 28), label)
        dataset.batch(indices)    the examples at B indices, stacked: (B, 1, 28, 28), (B,)

    A subclass that keeps its examples in arrays overrides `batch` too: one fancy index then
    replaces a Python call for every example. Raises NotImplementedError from what a subclass
    left out, and TypeError from `batch` if an example is not a tuple.

    Often believed: a data set yields batches. In fact it yields single examples; batches, and
    their order, are made by the `DataLoader`.

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

    `tensors` are arrays or torch tensors (N, ...) of one length N and any dtype. They are kept
    as they are, not copied. As in torch an index may be a slice. Raises ValueError if the
    lengths differ, and IndexError for an index outside -N ... N - 1.

    Often believed: tensors must be made of arrays first. In fact arrays will do here, and so
    will torch tensors, on any device.

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
    """The examples of another data set at `indices`, in that order. Nothing is copied.

        subset[i] = dataset[indices[i]]

    `indices` are K integers in any sequence or iterator, kept as an int64 array (K,). The
    examples keep their shapes and dtypes. Raises IndexError if an index lies outside `dataset`,
    TypeError if the indices are not integers.

    Often believed: a mask chooses examples, Subset(dataset, labels == 7). In fact torch would
    take False and True for the indices 0 and 1; here that is a TypeError, and np.flatnonzero
    makes indices of a mask.

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


def random_split(dataset: Dataset, lengths: Sequence[float], seed: int = 0, *, generator: None = None) -> list[Subset]:
    """Shuffle the examples and cut them into subsets that have none in common.

    `lengths` are whole numbers that sum to len(dataset), or shares that sum to 1. Of shares,
    each part gets its own rounded down, and the first parts get one more of what is left.
    Equal seeds give equal parts; torch, with its own generator, makes others. Raises ValueError
    if the lengths do not sum to all, TypeError for a generator.

    >>> from minicnn.data import MNIST
    >>> train, val = random_split(MNIST(), [0.9, 0.1])
    >>> len(train), len(val)
    (4500, 500)

    https://docs.pytorch.org/docs/stable/data.html
    """
    if generator is not None:
        raise TypeError("random_split takes no generator: write seed=0, or another seed; the parts follow from it.")
    n = len(dataset)
    sizes = _sizes(lengths, n)
    if sum(sizes) != n or min(sizes, default=0) < 0:
        raise ValueError(
            f"random_split: the lengths must be whole numbers that sum to {n}, the number of examples,"
            f" or shares that sum to 1; got {list(lengths)}."
        )
    order = np.random.default_rng(seed).permutation(n)
    ends = np.cumsum(sizes)
    return [Subset(dataset, order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def _sizes(lengths: Sequence[float], n: int) -> list[int]:
    if not math.isclose(sum(lengths), 1) or not all(0 <= length <= 1 for length in lengths):
        return [int(length) if int(length) == length else -1 for length in lengths]
    sizes = [math.floor(n * share) for share in lengths]
    for k in range(n - sum(sizes)):
        sizes[k % len(sizes)] += 1
    return sizes


def check_index(index: int, dataset: Dataset) -> int:
    """`index` as an int. Indices below zero count from the end, as everywhere in Python."""
    n = len(dataset)
    if isinstance(index, slice):
        chosen = range(*index.indices(n))
        raise TypeError(
            f"{type(dataset).__name__} is indexed by one integer, got a slice;"
            f" write Subset(dataset, {chosen}), or dataset.batch({chosen}) for arrays."
        )
    if not hasattr(index, "__index__"):
        raise TypeError(
            f"{type(dataset).__name__} is indexed by one integer, got {type(index).__name__};"
            " write Subset(dataset, indices), or dataset.batch(indices) for arrays."
        )
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
