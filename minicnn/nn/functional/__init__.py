"""The operations without state, with torch's names and arguments.

Beside each stands its gradient, `<name>_backward`.

An operation checks its arguments, then calls the kernel set for them: NumPy arrays in give
NumPy arrays out, torch tensors in (all on one device) tensors out. A gradient takes
grad_output first, then what forward took; the pointwise ones take forward's output instead,
max pooling its indices.

A gradient checks its arguments and works out the geometry once more. It is a public
function too, and nothing says that forward was called with the same arguments.
"""

from .average_pooling import adaptive_avg_pool2d, adaptive_avg_pool2d_backward, avg_pool2d, avg_pool2d_backward
from .conv_transpose import conv_transpose2d, conv_transpose2d_backward
from .convolution import conv2d, conv2d_backward
from .dropout import dropout, dropout2d, dropout2d_backward, dropout_backward
from .linear import linear, linear_backward
from .losses import (
    binary_cross_entropy,
    binary_cross_entropy_backward,
    binary_cross_entropy_with_logits,
    binary_cross_entropy_with_logits_backward,
    cross_entropy,
    cross_entropy_backward,
    mse_loss,
    mse_loss_backward,
)
from .normalization import batch_norm, batch_norm_backward, layer_norm, layer_norm_backward
from .padding import fold, fold_backward, pad, pad_backward, unfold, unfold_backward
from .pointwise import (
    gelu,
    gelu_backward,
    leaky_relu,
    leaky_relu_backward,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)
from .pooling import max_pool2d, max_pool2d_backward
from .resizing import interpolate, interpolate_backward
from .softmax import log_softmax, log_softmax_backward, nll_loss, nll_loss_backward, softmax, softmax_backward
from .unpooling import max_unpool2d, max_unpool2d_backward

__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_backward",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm",
    "batch_norm_backward",
    "binary_cross_entropy",
    "binary_cross_entropy_backward",
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy_with_logits_backward",
    "conv2d",
    "conv2d_backward",
    "conv_transpose2d",
    "conv_transpose2d_backward",
    "cross_entropy",
    "cross_entropy_backward",
    "dropout",
    "dropout2d",
    "dropout2d_backward",
    "dropout_backward",
    "fold",
    "fold_backward",
    "gelu",
    "gelu_backward",
    "interpolate",
    "interpolate_backward",
    "layer_norm",
    "layer_norm_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "linear",
    "linear_backward",
    "log_softmax",
    "log_softmax_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "max_unpool2d",
    "max_unpool2d_backward",
    "mse_loss",
    "mse_loss_backward",
    "nll_loss",
    "nll_loss_backward",
    "pad",
    "pad_backward",
    "relu",
    "relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "softmax",
    "softmax_backward",
    "tanh",
    "tanh_backward",
    "unfold",
    "unfold_backward",
]
