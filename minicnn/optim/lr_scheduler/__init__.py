"""Learning rate schedules: what the learning rate of each group is after so many steps
of the schedule.

A schedule is stepped after the optimizer, once an epoch (`OneCycleLR`: once a batch).
Most of them compute the next rate from the present one, as torch does: in floating
point lr * gamma * gamma is another number than lr * gamma**2, and a rate that was
changed in between goes on from there.
"""

from .base import LRScheduler
from .cycle import OneCycleLR
from .plateau import ReduceLROnPlateau
from .steps import CosineAnnealingLR, ExponentialLR, MultiStepLR, StepLR

__all__ = [
    "CosineAnnealingLR",
    "ExponentialLR",
    "LRScheduler",
    "MultiStepLR",
    "OneCycleLR",
    "ReduceLROnPlateau",
    "StepLR",
]
