"""Optimizers: from gradients to better parameters. Names, arguments and arithmetic are
torch.optim's.
"""

from . import lr_scheduler
from .adam import Adam
from .optimizer import Optimizer
from .sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer", "lr_scheduler"]
