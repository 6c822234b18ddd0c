"""The fast kernels: the textbook's functions, compiled by Numba and made for the machine. Read `lowering` first.

    machine, vectors, team         what Numba lacks: atomic addition, vector registers, a team of threads
    products, lowering, patches    what the three products of a convolution share
    skipping                       two of them where most of grad_output is 0
    convolution, pooling ...       the textbook's names

Whatever had nothing to gain is the textbook's.
"""

from ..numpy_textbook.convolution import col2im, im2col
from ..numpy_textbook.losses import (
    binary_cross_entropy,
    binary_cross_entropy_grad,
    binary_cross_entropy_with_logits,
    binary_cross_entropy_with_logits_grad,
    mse_loss,
    mse_loss_grad,
)
from ..numpy_textbook.optimizers import sgd
from ..numpy_textbook.padding import pad, pad_grad
from ..numpy_textbook.pointwise import sigmoid, sigmoid_grad, tanh, tanh_grad
from ..vocabulary import NAMES
from .convolution import conv2d, conv2d_grad_input, conv2d_grad_weight, grad_bias
from .engine.compilation import announce_compilation as announce_compilation
from .linear import linear, linear_grad_input, linear_grad_weight
from .losses import cross_entropy, cross_entropy_grad
from .optimizers import adam
from .pointwise import relu, relu_grad
from .pooling import max_pool2d, max_pool2d_grad

__all__ = list(NAMES)
