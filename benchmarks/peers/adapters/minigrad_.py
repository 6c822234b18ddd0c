"""miniGrad (minigrad-framework), a from-scratch framework in NumPy. It has no pooling."""

import numpy as np
from minigrad import Tensor
from minigrad.nn import Conv2D
from minigrad.nn.loss import CrossEntropyLoss, MSELoss

PACKAGES = ("minigrad-framework",)


def gradients(function, grad_output, *arrays):
    """backward() starts from a scalar alone: the sum of output times grad_output."""
    leaves = [Tensor(array, requires_grad=True) for array in arrays]
    (function(*leaves) * Tensor(np.asarray(grad_output))).sum().backward()
    return tuple(leaf.grad for leaf in leaves)


def _layer(weight, bias, stride, padding):
    O, C, KH, KW = weight.shape
    layer = Conv2D(C, O, (KH, KW), stride, padding)
    layer.weight = Tensor(weight, requires_grad=True)
    layer.bias = Tensor(np.zeros(O, weight.dtype) if bias is None else bias, requires_grad=True)
    return layer


def conv2d(input, weight, bias=None, stride: int = 1, padding: int = 0):
    return _layer(weight, bias, stride, padding)(Tensor(input)).data


def conv2d_backward(grad_output, input, weight, stride: int = 1, padding: int = 0):
    layer = _layer(weight, None, stride, padding)
    (grad_input,) = gradients(layer, grad_output, input)
    return grad_input, layer.weight.grad, layer.bias.grad


def relu(input):
    return Tensor(input).relu().data


def relu_backward(grad_output, input):
    return gradients(Tensor.relu, grad_output, input)[0]


def sigmoid(input):
    return Tensor(input).sigmoid().data


def sigmoid_backward(grad_output, input):
    return gradients(Tensor.sigmoid, grad_output, input)[0]


def tanh(input):
    return Tensor(input).tanh().data


def tanh_backward(grad_output, input):
    return gradients(Tensor.tanh, grad_output, input)[0]


def cross_entropy(input, target):
    return CrossEntropyLoss()(Tensor(input), Tensor(target)).data


def cross_entropy_backward(grad_output, input, target):
    return gradients(lambda x: CrossEntropyLoss()(x, Tensor(target)), grad_output, input)[0]


def mse_loss(input, target):
    return MSELoss()(Tensor(input), Tensor(target)).data


def mse_loss_backward(grad_output, input, target):
    return gradients(lambda x: MSELoss()(x, Tensor(target)), grad_output, input)[0]


def gelu(input):
    return Tensor(input).gelu().data
