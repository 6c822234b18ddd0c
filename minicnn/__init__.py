"""Convolutional networks from scratch: read them, prove them against PyTorch, train them."""

from . import data, models, nn, optim
from .gradcheck import gradcheck
from .kernels import get_backend, set_backend, use_backend
from .kernels.threads import get_num_threads, set_num_threads
from .nn.functional.random import manual_seed
from .nn.passes import no_grad
from .summary import summary
from .weights import load, save

__version__ = "0.2.0"

__all__ = [
    "data",
    "get_backend",
    "get_num_threads",
    "gradcheck",
    "load",
    "manual_seed",
    "models",
    "nn",
    "no_grad",
    "optim",
    "save",
    "set_backend",
    "set_num_threads",
    "summary",
    "use_backend",
]
