"""What a layer means: its parameters, what forward keeps, what backward returns. Names
and arguments are torch.nn's.
"""

from . import functional, init, utils  # noqa: F401 - nn.init, nn.utils
from .average_pooling import AdaptiveAvgPool2d, AvgPool2d
from .conv_transpose import ConvTranspose2d
from .convolution import Conv2d
from .dropout import Dropout, Dropout2d
from .flatten import Flatten, Unflatten
from .identity import Identity
from .joins import Concat, Residual
from .linear import Linear
from .losses import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, MSELoss, NLLLoss
from .module import Module
from .normalization import BatchNorm2d, LayerNorm
from .parameter import Parameter
from .pointwise import GELU, LeakyReLU, ReLU, Sigmoid, Tanh
from .pooling import MaxPool2d
from .sequential import Sequential
from .softmax import LogSoftmax, Softmax
from .unpooling import MaxUnpool2d
from .upsampling import Upsample

__all__ = [
    "GELU",
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm2d",
    "Concat",
    "Conv2d",
    "ConvTranspose2d",
    "CrossEntropyLoss",
    "Dropout",
    "Dropout2d",
    "Flatten",
    "Identity",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool2d",
    "MaxUnpool2d",
    "Module",
    "NLLLoss",
    "Parameter",
    "ReLU",
    "Residual",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "Unflatten",
    "Upsample",
    "functional",
]
