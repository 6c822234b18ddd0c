"""What a layer means: its parameters, what forward keeps, what backward returns. Names
and arguments are torch.nn's.
"""

from . import functional
from .average_pooling import AdaptiveAvgPool2d, AvgPool2d
from .conv_transpose import ConvTranspose2d
from .convolution import Conv2d
from .dropout import Dropout, Dropout2d
from .flatten import Flatten, Unflatten
from .identity import Identity
from .linear import Linear
from .losses import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, MSELoss
from .module import Module
from .normalization import BatchNorm2d, LayerNorm
from .parameter import Parameter
from .pointwise import ReLU, Sigmoid, Tanh
from .pooling import MaxPool2d
from .sequential import Sequential

__all__ = [
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm2d",
    "Conv2d",
    "ConvTranspose2d",
    "CrossEntropyLoss",
    "Dropout",
    "Dropout2d",
    "Flatten",
    "Identity",
    "LayerNorm",
    "Linear",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "Unflatten",
    "functional",
]
