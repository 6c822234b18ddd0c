"""Convolution, ReLU and max pooling as one, where nobody asks for what lies between.

This is the definition. A faster set may do the three image by image, so that what lies
between never leaves the cache; its results are the same to the bit.

In the gradient ReLU comes before pooling. A maximum is one of ReLU's outputs, so its own
sign tells whether the winner's number passed; there are a quarter as many of them.
"""

from .convolution import conv2d, conv2d_grad_input, conv2d_grad_weight, grad_bias
from .pointwise import relu, relu_grad
from .pooling import max_pool2d, max_pool2d_grad


def conv_block(x, weight, bias, g, pooling):
    return max_pool2d(relu(conv2d(x, weight, bias, g)), pooling)


def conv_block_grad(
    grad_output, output, indices, x, weight, g, pooling, needs_input_grad, needs_weight_grad, needs_bias_grad
):
    grad = max_pool2d_grad(relu_grad(grad_output, output), indices, pooling)  # (N, O, OH, OW)
    grad_input = conv2d_grad_input(grad, weight, g) if needs_input_grad else None
    grad_weight = conv2d_grad_weight(grad, x, g) if needs_weight_grad else None
    return grad_input, grad_weight, grad_bias(grad) if needs_bias_grad else None
