"""DeZero, the library of the book "Deep Learning from Scratch 3".

It uses `np.int`, which NumPy 1.24 removed; the adapter puts that name back.
"""

import numpy as np

np.int = int  # type: ignore[attr-defined]

import dezero.functions as F
from dezero import Parameter, Variable, no_grad, optimizers

PACKAGES = ("dezero",)


def value(function, *arrays):
    with no_grad():
        return function(*map(Variable, arrays)).data


def gradients(function, grad_output, *arrays):
    leaves = [Variable(array) for array in arrays]
    output = function(*leaves)
    output.grad = Variable(np.asarray(grad_output))
    output.backward()
    return tuple(leaf.grad.data for leaf in leaves)


def conv2d(input, weight, bias=None, stride=1, padding=0):
    arrays = (input, weight) if bias is None else (input, weight, bias)
    return value(lambda x, w, b=None: F.conv2d(x, w, b, stride, padding), *arrays)


def conv2d_backward(grad_output, input, weight, stride=1, padding=0):
    bias = np.zeros(len(weight), weight.dtype)
    return gradients(lambda x, w, b: F.conv2d(x, w, b, stride, padding), grad_output, input, weight, bias)


def conv_transpose2d(input, weight, bias=None, stride=1, padding=0):
    arrays = (input, weight) if bias is None else (input, weight, bias)
    return value(lambda x, w, b=None: F.deconv2d(x, w, b, stride, padding), *arrays)


def conv_transpose2d_backward(grad_output, input, weight, stride=1, padding=0):
    bias = np.zeros(weight.shape[1], weight.dtype)
    return gradients(lambda x, w, b: F.deconv2d(x, w, b, stride, padding), grad_output, input, weight, bias)


def linear(input, weight, bias=None):
    """Its weight is (in, out)."""
    arrays = (input, weight.T) if bias is None else (input, weight.T, bias)
    return value(F.linear, *arrays)


def linear_backward(grad_output, input, weight):
    bias = np.zeros(len(weight), weight.dtype)
    grad_input, grad_weight, grad_bias = gradients(F.linear, grad_output, input, weight.T, bias)
    return grad_input, grad_weight.T, grad_bias


def max_pool2d(input, kernel_size, stride=None, padding=0):
    return value(lambda x: F.pooling(x, kernel_size, stride or kernel_size, padding), input)


def max_pool2d_backward(grad_output, input, kernel_size, stride=None, padding=0):
    return gradients(lambda x: F.pooling(x, kernel_size, stride or kernel_size, padding), grad_output, input)[0]


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
    return value(F.softmax_cross_entropy, input, target)


def cross_entropy_backward(grad_output, input, target):
    return gradients(lambda x: F.softmax_cross_entropy(x, target), grad_output, input)[0]


def mse_loss(input, target):
    return value(F.mean_squared_error, input, target)


def mse_loss_backward(grad_output, input, target):
    return gradients(lambda x: F.mean_squared_error(x, target), grad_output, input)[0]


def adam(param, grad, exp_avg, exp_avg_sq, step, lr, betas, eps):
    parameter = Parameter(param.copy())
    parameter.grad = Variable(grad)
    optimizer = optimizers.Adam(lr, *betas, eps)
    optimizer.t = step
    optimizer.ms[id(parameter)] = exp_avg.copy()
    optimizer.vs[id(parameter)] = exp_avg_sq.copy()
    optimizer.update_one(parameter)
    return parameter.data, optimizer.ms[id(parameter)], optimizer.vs[id(parameter)]


def sgd(param, grad, momentum_buffer, lr):
    parameter = Parameter(param.copy())
    parameter.grad = Variable(grad)
    optimizers.SGD(lr).update_one(parameter)
    return parameter.data


def adam_first_step(grad):
    zero = np.zeros(1, np.float32)
    settings = {"lr": 1.0, "betas": (0.9, 0.999), "eps": 1e-8}
    return -adam(zero, np.array([grad], np.float32), zero, zero, 1, **settings)[0]


def missing_class(input, target):
    return cross_entropy(input, target)


def step(work):
    images, labels = work.data()
    weights = {
        name: Parameter(array.T.copy() if "linear" in name else array.copy()) for name, array in work.weights().items()
    }
    optimizer = optimizers.Adam(work.lr)

    def run():
        for weight in weights.values():
            weight.cleargrad()
        x = Variable(images)
        for i in (0, 3):
            x = F.relu(F.conv2d(x, weights[f"cnn.{i}.weight"], weights[f"cnn.{i}.bias"], pad=2))
            x = F.pooling(x, 2, 2)
        x = F.flatten(x)
        x = F.relu(F.linear(x, weights["linear_block.0.weight"], weights["linear_block.0.bias"]))
        logits = F.linear(x, weights["linear_block.2.weight"], weights["linear_block.2.bias"])
        loss = F.softmax_cross_entropy(logits, labels)
        loss.backward()
        optimizer.t += 1
        for weight in weights.values():
            optimizer.update_one(weight)
        return loss.data

    return run
