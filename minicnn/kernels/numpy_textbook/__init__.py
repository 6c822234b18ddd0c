"""The textbook kernels: NumPy, as short as the mathematics allows.

The README's reading guide begins here, with kernels/numpy_textbook/convolution.py.
"""

from ..vocabulary import NAMES
from .block import conv_block, conv_block_grad
from .convolution import col2im, conv2d, conv2d_grad_input, conv2d_grad_weight, grad_bias, im2col
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

__all__ = list(NAMES)
