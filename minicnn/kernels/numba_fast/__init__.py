"""The fast kernels: the textbook's functions, compiled by Numba and made for the machine.

What they compute stands in the textbook: read kernels/numpy_textbook/convolution.py first.
How they compute it begins in operands/lowering.py.

    convolution, pooling ...    the textbook's names
    block                       convolution, ReLU and pooling in one pass
    ways                        which way a convolution goes
    depthwise                   convolution with one channel in each group
    operands/                   what the products of a convolution share
        lowering, products      the output, and the gradient to the input
        patches                 the gradient to the weights
        packed, scattered       one matrix product: small images, linear layers
        skipping                both gradients where most of grad_output is 0
        sums                    over numbers side by side, in a fixed order
    engine/                     what Numba lacks: vector registers, threads that share a kernel
                                and wait for the next, a cache of compiled code that is safe

The compiled loop that computes a kernel's result is `_<kernel>_loops`; one that several
kernels share is named after what it does. With `team` and `parts` as its first arguments
it runs on several threads. Compiled helpers have plain names.

Whatever had nothing to gain is the textbook's.
"""

from ..numpy_textbook.convolution import col2im, im2col
from ..numpy_textbook.losses import (
    binary_cross_entropy,
    binary_cross_entropy_grad,
    binary_cross_entropy_with_logits,
    binary_cross_entropy_with_logits_grad,
    log_softmax,
    mse_loss,
    mse_loss_grad,
    nll_loss,
    nll_loss_grad,
    softmax,
)
from ..numpy_textbook.optimizers import sgd
from ..numpy_textbook.padding import pad, pad_grad
from ..numpy_textbook.pointwise import gelu, gelu_grad, sigmoid, sigmoid_grad, tanh, tanh_grad
from ..vocabulary import NAMES
from .block import conv_block, conv_block_grad
from .convolution import conv2d, conv2d_grad_input, conv2d_grad_weight, grad_bias
from .engine.compilation import announce_compilation as announce_compilation
from .linear import linear, linear_grad_input, linear_grad_weight
from .losses import cross_entropy, cross_entropy_grad
from .normalization import normalize, normalize_grad
from .optimizers import adam
from .pointwise import relu, relu_grad
from .pooling import max_pool2d, max_pool2d_grad

__all__ = list(NAMES)
