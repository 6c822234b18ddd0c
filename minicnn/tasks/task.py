"""What one task has to say; everything else about training is the same for all of them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Dataset
from ..nn import BCELoss, CrossEntropyLoss, Module, MSELoss
from ..saved.run_folder import Metrics

Batches = Iterable[tuple[np.ndarray, ...]]
Criterion = CrossEntropyLoss | BCELoss | MSELoss


class Task:
    """A network, what it is to answer, and what is shown at the end.

    A task keeps no state: one object serves all runs. `examine` returns whatever `report` and
    `draw` want to show.
    """

    name: str  # --task NAME
    question: str  # the same in words
    loss: str  # the criterion in words
    defaults: Mapping[str, Any] = {"epochs": 10, "lr": 1e-3, "batch_size": 64}  # of flags that depend on the task

    def network(self, config: Mapping[str, Any]) -> Module:
        """The network that a run's configuration asks for, with new weights."""
        raise NotImplementedError

    def for_run(self, config: Mapping[str, Any]) -> "Task":
        """The task as a run's configuration has it: with the names of its classes,
        where a data set brought some.
        """
        return self

    def criterion(self) -> Criterion:
        raise NotImplementedError

    def targets(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """What the network should answer, in the form that the criterion takes."""
        raise NotImplementedError

    def count_right(self, outputs: np.ndarray, targets: np.ndarray) -> Any:
        """How many of the answers are right: an integer, perhaps still on a device."""
        raise NotImplementedError

    def examine(self, model: Module, batches: Batches) -> Any:
        """Let the trained network answer what will be shown."""
        raise NotImplementedError

    def report(self, results: Any) -> str:
        """What was learnt and what was not, in words."""
        raise NotImplementedError

    def draw(self, folder: Path, history: list[Metrics], filters: np.ndarray, results: Any) -> None:
        """The same in pictures."""
        raise NotImplementedError


def gather(rows: Iterable[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
    """What was found batch by batch, for all images: each column of the rows, joined."""
    return tuple(np.concatenate(column) for column in zip(*rows, strict=True))


class TaskDataset(Dataset):
    """The images of `digits` with a task's targets in place of the labels."""

    def __init__(self, digits: Dataset, task: Task):
        self.digits = digits
        self.task = task

    def __len__(self) -> int:
        return len(self.digits)

    def batch(self, indices: Iterable[int]) -> tuple[np.ndarray, ...]:
        images, labels = self.digits.batch(indices)
        return images, self.task.targets(images, labels)
