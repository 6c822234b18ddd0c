"""From a data set to batches: which examples, in which order, how many at a time."""

from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np

from .dataset import Dataset

# What to write for those arguments of torch's that are not taken.
INSTEAD = {
    "sampler": "give it the data set in your order, Subset(dataset, indices)",
    "batch_sampler": "give it the data set in your order, Subset(dataset, indices)",
    "collate_fn": "override `batch(indices)` in your Dataset",
    "generator": "write seed=0, or another seed: the order follows from it",
}
LEAVE_OUT = "it takes batch_size, shuffle, seed and drop_last; leave it out"


class DataLoader:
    """Cuts each epoch's order into batches; one `for` loop is one epoch.

    A batch of B = `batch_size` examples is what `dataset.batch` returns, such as images
    (B, 1, 28, 28) float32 and labels (B,) int64. The last batch holds the n % B examples that
    are left, unless `drop_last`.

    With `shuffle` the order of epoch e is a pure function of (seed, e), not of what was drawn
    before. So whoever resumes a training needs no generator's state, only `loader.epoch = e`.

    `num_workers` and `pin_memory` are taken and change nothing: a batch is one fancy index,
    made in this process when it is asked for. Raises TypeError or ValueError that names the
    argument; of an argument that only torch has, it says what to write instead.

    >>> from minicnn.data import MNIST
    >>> loader = DataLoader(MNIST(), batch_size=64, shuffle=True)
    >>> images, labels = next(iter(loader))
    >>> images.shape, labels.shape
    ((64, 1, 28, 28), (64,))
    >>> [len(labels) for images, labels in loader][-2:]  # 5,000 = 78 * 64 + 8
    [64, 8]

    Often believed: shuffling is decoration, as every epoch shows all examples anyway. In fact
    without it every epoch makes the same batches in the same order, and what their order
    teaches is learnt too.

    https://docs.pytorch.org/docs/stable/data.html
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 1,
        shuffle: bool = False,
        seed: int = 0,
        drop_last: bool = False,
        *,
        num_workers: int = 0,
        pin_memory: bool = False,
        **torchs: Any,
    ):
        for name in torchs:
            raise TypeError(f"DataLoader takes no argument {name!r}: {INSTEAD.get(name, LEAVE_OUT)}.")
        if not isinstance(dataset, Dataset):
            raise TypeError(f"DataLoader reads a minicnn.data.Dataset, got {_what_it_is(dataset)}")
        self.dataset = dataset
        self.batch_size = _at_least(1, "batch_size", batch_size)
        self.shuffle = _flag("shuffle", shuffle)
        self.seed = _at_least(0, "seed", seed)
        self.drop_last = _flag("drop_last", drop_last)
        self.num_workers = _at_least(0, "num_workers", num_workers)
        self.pin_memory = _flag("pin_memory", pin_memory)
        self.epoch = 0  # the next one to be drawn

    def __repr__(self) -> str:
        kind = type(self.dataset).__name__
        order = f"shuffle=True, seed={self.seed}" if self.shuffle else "shuffle=False"
        return f"DataLoader({kind} of {len(self.dataset)} examples, batch_size={self.batch_size}, {order})"

    def __len__(self) -> int:
        """The number of batches: n / batch_size, rounded up, or down with `drop_last`."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def order(self, epoch: int) -> np.ndarray:
        """The indices of all examples in the order in which `epoch` visits them."""
        epoch = _at_least(0, "epoch", epoch)
        n = len(self.dataset)
        if not self.shuffle:
            return np.arange(n)
        return np.random.default_rng((self.seed, epoch)).permutation(n)

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        # Not itself a generator: iter(loader) draws the epoch at once, not at the first batch.
        order = self.order(self.epoch)
        size = self.batch_size
        self.epoch += 1
        starts = range(0, len(self) * size, size)
        return (self.dataset.batch(order[start : start + size]) for start in starts)


def _what_it_is(dataset):
    """And what to write for it."""
    name = type(dataset).__name__
    if type(dataset).__module__.split(".")[0] in ("torch", "torchvision"):
        return f"torch's {name}; from minicnn.data import MNIST, TensorDataset, Subset, random_split has those of here."
    return f"{name}; subclass Dataset and define __len__ and __getitem__."


def _at_least(least, name, value):
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"DataLoader: {name} must be an integer of at least {least}, got {value!r}.")
    return int(value)


def _flag(name, value):
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"DataLoader: {name} must be True or False, got {value!r}.")
    return bool(value)
