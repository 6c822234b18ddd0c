"""Images that lie on a torch device, and their batches, for which the device never waits."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..data import DataLoader
from ..kernels import arrays
from ..tasks import TaskDataset


class DeviceLoader(DataLoader):
    """A DataLoader whose images and labels were moved to a torch device when it was made.

    An epoch's order is sent there in one piece, and the batches are gathered there; without
    `shuffle` they are slices of the images, and nothing is sent. An NVIDIA GPU fetches the
    order by itself, from memory that stays where it is ("pinned").
    """

    def __init__(self, dataset: TaskDataset, device: Any, **options: Any):
        super().__init__(dataset, **options)
        self.task = dataset.task
        images, labels = dataset.digits.batch(range(len(dataset)))
        self.images = arrays.moved(images, device)
        self.labels = arrays.moved(labels, device)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        order = self._sent(self.order(self.epoch)) if self.shuffle else None
        self.epoch += 1
        starts = range(0, len(self) * self.batch_size, self.batch_size)
        return (self._batch(order, slice(start, start + self.batch_size)) for start in starts)

    def _sent(self, order: np.ndarray) -> Any:
        if self.images.device.type != "cuda":
            return arrays.moved(order, self.images.device)
        return arrays.moved(order, "cpu").pin_memory().to(self.images.device, non_blocking=True)

    def _batch(self, order: Any, part: slice) -> tuple[Any, ...]:
        chosen = part if order is None else order[part]
        images = self.images[chosen]
        return images, self.task.targets(images, self.labels[chosen])
