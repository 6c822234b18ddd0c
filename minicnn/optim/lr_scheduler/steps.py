"""The next rate from the present one: in steps, by a factor, along a cosine."""

import math
from collections import Counter
from collections.abc import Iterable

from ..optimizer import Optimizer
from .base import LRScheduler


class StepLR(LRScheduler):
    """The rate times `gamma` (0.1) after every `step_size` steps.

    >>> from minicnn import nn, optim
    >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
    >>> schedule = StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for epoch in range(4):
    ...     optimizer.step()
    ...     schedule.step()
    ...     print(schedule.get_last_lr())
    [1.0]
    [0.5]
    [0.5]
    [0.25]

    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1):
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def next_lr(self, group, base_lr):
        if self.last_epoch == 0 or self.last_epoch % self.step_size:
            return group["lr"]
        return group["lr"] * self.gamma


class MultiStepLR(LRScheduler):
    """The rate times `gamma` (0.1) at each of the steps `milestones`; twice where one
    is named twice.

    >>> from minicnn import nn, optim
    >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
    >>> schedule = MultiStepLR(optimizer, [1, 3], gamma=0.5)
    >>> for epoch in range(3):
    ...     schedule.step()
    >>> schedule.get_last_lr()
    [0.25]

    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiStepLR.html
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1):
        self.milestones = dict(Counter(milestones))  # how often each is named
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def next_lr(self, group, base_lr):
        times = self.milestones.get(self.last_epoch, 0)
        return group["lr"] * self.gamma**times if times else group["lr"]


class ExponentialLR(LRScheduler):
    """The rate times `gamma` after every step.

    >>> from minicnn import nn, optim
    >>> schedule = ExponentialLR(optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0), gamma=0.5)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]

    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ExponentialLR.html
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def next_lr(self, group, base_lr):
        return group["lr"] * self.gamma if self._begun else group["lr"]


class CosineAnnealingLR(LRScheduler):
    """From the first rate to `eta_min` (0) along half a cosine of `T_max` steps, and
    back (Loshchilov and Hutter, 2017).

        lr_t = eta_min + (lr_0 - eta_min) (1 + cos(pi t / T_max)) / 2

    computed from the step before: (lr_t - eta_min) / (lr_(t-1) - eta_min) is the
    quotient of the two cosines.

    >>> from minicnn import nn, optim
    >>> schedule = CosineAnnealingLR(optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0), T_max=2)
    >>> schedule.step()
    >>> round(schedule.get_last_lr()[0], 12)
    0.5

    https://arxiv.org/abs/1608.03983
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1):
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def next_lr(self, group, base_lr):
        t = self.last_epoch
        if not self._begun:
            if t == 0:
                return group["lr"]
            return self.eta_min + (base_lr - self.eta_min) * (1 + math.cos(t * math.pi / self.T_max)) / 2
        if (t - 1 - self.T_max) % (2 * self.T_max) == 0:  # the step before was at the bottom: its cosine is -1
            return group["lr"] + (base_lr - self.eta_min) * (1 - math.cos(math.pi / self.T_max)) / 2
        now = 1 + math.cos(math.pi * t / self.T_max)
        before = 1 + math.cos(math.pi * (t - 1) / self.T_max)
        return now / before * (group["lr"] - self.eta_min) + self.eta_min
