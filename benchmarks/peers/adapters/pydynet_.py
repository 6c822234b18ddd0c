"""PyDyNet, a from-scratch framework in NumPy: kernels are square, arguments single numbers."""

import numpy as np
from pydynet import Tensor, optim
from pydynet.nn import Parameter
from pydynet.nn import functional as F

PACKAGES = ("pydynet",)
SQUARE = True


def tensor(array, requires_grad=False):
    return Tensor(array, dtype=array.dtype, requires_grad=requires_grad)


def value(function, *arrays):
    return function(*map(tensor, arrays)).data


def gradients(function, grad_output, *arrays):
    """backward() starts from a scalar alone: the sum of output times grad_output."""
    leaves = [tensor(array, requires_grad=True) for array in arrays]
    output = function(*leaves)
    (output * tensor(np.asarray(grad_output))).sum().backward()
    return tuple(leaf.grad for leaf in leaves)


def conv2d(input, weight, stride: int = 1, padding: int = 0):
    return value(lambda x, w: F.conv2d(x, w, padding, stride), input, weight)


def conv2d_backward(grad_output, input, weight, stride: int = 1, padding: int = 0):
    return gradients(lambda x, w: F.conv2d(x, w, padding, stride), grad_output, input, weight)


def linear(input, weight, bias=None):
    """Its weight is (in, out)."""
    if bias is None:
        return value(lambda x, w: F.linear(x, w, None), input, weight.T)
    return value(F.linear, input, weight.T, bias)


def linear_backward(grad_output, input, weight):
    bias = np.zeros(len(weight), weight.dtype)
    grad_input, grad_weight, grad_bias = gradients(F.linear, grad_output, input, weight.T, bias)
    return grad_input, grad_weight.T, grad_bias


def max_pool2d(input, kernel_size, stride=None, padding=0):
    return value(lambda x: F.max_pool2d(x, kernel_size, stride or kernel_size, padding), input)


def max_pool2d_backward(grad_output, input, kernel_size, stride=None, padding=0):
    return gradients(lambda x: F.max_pool2d(x, kernel_size, stride or kernel_size, padding), grad_output, input)[0]


def relu(input):
    return value(F.relu, input)


def relu_backward(grad_output, input):
    return gradients(F.relu, grad_output, input)[0]


def sigmoid(input):
    return value(F.sigmoid, input)


def sigmoid_backward(grad_output, input):
    return gradients(F.sigmoid, grad_output, input)[0]


def tanh(input):
    return value(F.tanh, input)


def tanh_backward(grad_output, input):
    return gradients(F.tanh, grad_output, input)[0]


def cross_entropy(input, target):
    return value(F.cross_entropy_loss, input, target)


def cross_entropy_backward(grad_output, input, target):
    return gradients(lambda x: F.cross_entropy_loss(x, tensor(target)), grad_output, input)[0]


def mse_loss(input, target):
    return value(F.mse_loss, input, target)


def mse_loss_backward(grad_output, input, target):
    return gradients(lambda x: F.mse_loss(x, tensor(target)), grad_output, input)[0]


def _stepped(param, grad, make, kept):
    parameter = Parameter(tensor(param.copy()))
    parameter.grad = grad
    optimizer = make([parameter])
    for name, number in kept.items():
        setattr(optimizer, name, number)
    optimizer.step()
    return optimizer, parameter.data


def adam(param, grad, exp_avg, exp_avg_sq, step, lr, betas, eps, weight_decay=0.0):
    kept = {"m": [exp_avg.copy()], "v": [exp_avg_sq.copy()], "t": step}
    optimizer, data = _stepped(param, grad, lambda p: optim.Adam(p, lr, betas, eps, weight_decay), kept)
    return data, optimizer.m[0], optimizer.v[0]


def sgd(param, grad, momentum_buffer, lr, momentum=0.0, weight_decay=0.0):
    """Its buffer holds lr times torch's."""
    kept = {"v": [lr * momentum_buffer]}
    optimizer, data = _stepped(param, grad, lambda p: optim.SGD(p, lr, momentum, weight_decay, nesterov=False), kept)
    return data, optimizer.v[0] / lr


def adam_first_step(grad):
    zero = np.zeros(1, np.float32)
    settings = {"lr": 1.0, "betas": (0.9, 0.999), "eps": 1e-8}
    return -adam(zero, np.array([grad], np.float32), zero, zero, 1, **settings)[0]


def missing_class(input, target):
    return cross_entropy(input, target)


def step(work):
    images, labels = work.data()
    weights = {
        name: Parameter(tensor(array.T.copy() if "linear" in name else array.copy()))
        for name, array in work.weights().items()
    }
    optimizer = optim.Adam(list(weights.values()), work.lr)
    x, y = tensor(images), tensor(labels)

    def run():
        optimizer.zero_grad()
        h = x
        for i in (0, 3):
            bias = weights[f"cnn.{i}.bias"].reshape(1, -1, 1, 1)
            h = F.relu(F.conv2d(h, weights[f"cnn.{i}.weight"], 2) + bias)
            h = F.max_pool2d(h, 2, 2)
        h = h.reshape(len(images), -1)
        h = F.relu(F.linear(h, weights["linear_block.0.weight"], weights["linear_block.0.bias"]))
        loss = F.cross_entropy_loss(F.linear(h, weights["linear_block.2.weight"], weights["linear_block.2.bias"]), y)
        loss.backward()
        optimizer.step()
        return loss.data

    return run
