"""Several processes train one network.

    torchrun --nproc-per-node=2 -m minicnn.train --backend torch

Each computes the gradient of its share of every batch, and all take the average.
`torch.distributed` carries the messages (gloo between CPUs, nccl between GPUs); this file
decides what is summed. The mean loss over a batch is the mean over the processes' shares,
weighted with their sizes n_r, and so is its gradient:

    grad = (sum over r of n_r grad_r) / (sum over r of n_r)

A share may be smaller than another, or empty: the last batch of an epoch is what was left over.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from ..nn import Parameter


class Processes:
    """The processes of a training as one of them sees them: it is number `rank` of `size`."""

    rank: int
    size: int

    def share(self, batches: Iterable[tuple[Any, ...]]) -> Iterable[tuple[Any, ...]]:
        """The part of each batch that this process computes."""
        raise NotImplementedError

    def average(self, parameters: Iterable[Parameter], n: int) -> None:
        """Replace each gradient, a mean over `n` images, by the mean over all images."""
        raise NotImplementedError

    def mean(self, vector: Any, n: int) -> Any:
        """The mean over all images of a tensor (K,) that is the mean over `n` of them here."""
        raise NotImplementedError

    def sum(self, numbers: Sequence[float]) -> list[float]:
        """Each number summed over the processes."""
        raise NotImplementedError

    def leave(self) -> None:
        """The work is done."""


class OneProcess(Processes):
    """Nobody to share with."""

    rank = 0
    size = 1

    def share(self, batches: Iterable[tuple[Any, ...]]) -> Iterable[tuple[Any, ...]]:
        return batches

    def average(self, parameters: Iterable[Parameter], n: int) -> None:
        """The gradients are of all images already."""

    def mean(self, vector: Any, n: int) -> Any:
        return vector

    def sum(self, numbers: Sequence[float]) -> list[float]:
        return list(numbers)


ONE_PROCESS = OneProcess()


class ManyProcesses(Processes):
    """One of the processes that torchrun started."""

    def __init__(self, device: Any):
        import torch
        from torch import distributed

        self.torch = torch
        self.distributed = distributed
        self.device = device
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=timedelta(minutes=5))
        self.rank = distributed.get_rank()
        self.size = distributed.get_world_size()

    def share(self, batches: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        for batch in batches:
            n = len(batch[0])
            mine = slice(self.rank * n // self.size, (self.rank + 1) * n // self.size)
            yield tuple(array[mine] for array in batch)

    def average(self, parameters: Iterable[Parameter], n: int) -> None:
        learnt = [parameter for parameter in parameters if parameter.grad is not None]
        grads = [self.torch.as_tensor(parameter.grad) for parameter in learnt]
        flat = self.mean(self.torch.cat([grad.reshape(-1) for grad in grads]), n)  # one message for all of them
        for parameter, grad in zip(learnt, flat.split([grad.numel() for grad in grads]), strict=True):
            whole = grad.reshape(tuple(parameter.shape))
            parameter.grad = whole.numpy() if isinstance(parameter.grad, np.ndarray) else whole

    def mean(self, vector: Any, n: int) -> Any:
        total = self.torch.cat([vector, vector.new_ones(1)]) * n  # with the number of images at its end
        self._add(total)
        return total[:-1] / total[-1]

    def sum(self, numbers: Sequence[float]) -> list[float]:
        tensor = self.torch.tensor(numbers, dtype=self.torch.float64, device=self.device)
        self._add(tensor)
        return tensor.tolist()

    def _add(self, tensor: Any) -> None:
        try:
            self.distributed.all_reduce(tensor)
        except RuntimeError as error:
            raise ConnectionError(
                f"process {self.rank} of {self.size} lost the others: {str(error).splitlines()[0]}"
            ) from error

    def leave(self) -> None:
        self.distributed.destroy_process_group()


def started() -> int:
    """How many processes torchrun started; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def on_this_machine() -> int:
    """How many of them run on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def place_on_this_machine() -> int:
    """Which of those this one is, counted from 0."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def join(device: Any) -> Processes:
    """The processes that torchrun started; this one computes on the torch device `device`."""
    return ManyProcesses(device) if started() > 1 else ONE_PROCESS
