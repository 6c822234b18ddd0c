"""The textbook's functions on torch tensors: on a GPU, or wherever torch computes.

Without autograd: nothing is taped.

    tensors                     arrays become tensors and back, integers go to the textbook
    devices                     which devices there are, and how exactly they multiply
    convolution, pooling ...    the textbook's names

Tensors are always computed here, NumPy arrays when this is the kernel set in use (then on
the CPU).
"""

try:
    import torch
except ImportError as error:
    raise ImportError("tensors, devices and backend 'torch' need PyTorch: pip install 'minicnn[torch]'.") from error

from ..threads import get_num_threads
from ..vocabulary import NAMES
from .block import conv_block, conv_block_grad
from .convolution import col2im, conv2d, conv2d_grad_input, conv2d_grad_weight, grad_bias, im2col
from .devices import allow_tf32
from .linear import linear, linear_grad_input, linear_grad_weight
from .losses import (
    binary_cross_entropy,
    binary_cross_entropy_grad,
    binary_cross_entropy_with_logits,
    binary_cross_entropy_with_logits_grad,
    cross_entropy,
    cross_entropy_grad,
    log_softmax,
    mse_loss,
    mse_loss_grad,
    nll_loss,
    nll_loss_grad,
    softmax,
)
from .normalization import normalize, normalize_grad
from .optimizers import adam, sgd
from .padding import pad, pad_grad
from .pointwise import gelu, gelu_grad, relu, relu_grad, sigmoid, sigmoid_grad, tanh, tanh_grad
from .pooling import max_pool2d, max_pool2d_grad

torch.set_num_threads(get_num_threads())
allow_tf32(False)

__all__ = list(NAMES)
