"""MyGrad: NumPy with gradients."""

import mygrad
import numpy as np
from mygrad import nnet
from mygrad.nnet.activations import relu as relu_of
from mygrad.nnet.activations import sigmoid as sigmoid_of
from mygrad.nnet.layers import conv_nd, max_pool
from mygrad.nnet.losses import softmax_crossentropy

PACKAGES = ("mygrad",)


def pair(value):
    return tuple(value) if isinstance(value, tuple) else (value, value)


def gradients(function, grad_output, *arrays):
    leaves = [mygrad.tensor(array) for array in arrays]
    function(*leaves).backward(grad_output)
    return tuple(leaf.grad for leaf in leaves)


def _conv2d(x, w, stride, padding, dilation):
    return conv_nd(x, w, stride=stride, padding=padding, dilation=dilation)


def conv2d(input, weight, stride=1, padding=0, dilation=1):
    return _conv2d(input, weight, stride, padding, dilation).data


def conv2d_backward(grad_output, input, weight, stride=1, padding=0, dilation=1):
    return gradients(lambda x, w: _conv2d(x, w, stride, padding, dilation), grad_output, input, weight)


def linear(input, weight, bias):
    return (mygrad.matmul(input, weight.T) + bias).data


def linear_backward(grad_output, input, weight):
    bias = np.zeros(len(weight), weight.dtype)
    return gradients(lambda x, w, b: mygrad.matmul(x, w.T) + b, grad_output, input, weight, bias)


def max_pool2d(input, kernel_size, stride=None):
    return max_pool(input, pair(kernel_size), pair(stride or kernel_size)).data


def max_pool2d_backward(grad_output, input, kernel_size, stride=None):
    return gradients(lambda x: max_pool(x, pair(kernel_size), pair(stride or kernel_size)), grad_output, input)[0]


def relu(input):
    return relu_of(input).data


def relu_backward(grad_output, input):
    return gradients(relu_of, grad_output, input)[0]


def sigmoid(input):
    return sigmoid_of(input).data


def sigmoid_backward(grad_output, input):
    return gradients(sigmoid_of, grad_output, input)[0]


def tanh(input):
    return mygrad.tanh(input).data


def tanh_backward(grad_output, input):
    return gradients(nnet.tanh, grad_output, input)[0]


def cross_entropy(input, target):
    return softmax_crossentropy(input, target).data


def cross_entropy_backward(grad_output, input, target):
    return gradients(lambda x: softmax_crossentropy(x, target), grad_output, input)[0]


def missing_class(input, target):
    return cross_entropy(input, target)


def std(input):
    return mygrad.std(input).data


def leaky_relu(input):
    """The slope must be given."""
    return nnet.leaky_relu(input, 0.01).data


def step(work):
    """MyGrad has no optimiser: Adam's few lines, on arrays, are the adapter's."""
    images, labels = work.data()
    weights = {name: mygrad.tensor(array.copy()) for name, array in work.weights().items()}
    moments = {name: (np.zeros_like(weight.data), np.zeros_like(weight.data)) for name, weight in weights.items()}
    steps = 0

    def run():
        nonlocal steps
        x = images
        for i in (0, 3):
            y = conv_nd(x, weights[f"cnn.{i}.weight"], stride=1, padding=2)
            x = max_pool(relu_of(y + weights[f"cnn.{i}.bias"].reshape(-1, 1, 1)), (2, 2), (2, 2))
        x = x.reshape(len(images), -1)
        x = relu_of(mygrad.matmul(x, weights["linear_block.0.weight"].T) + weights["linear_block.0.bias"])
        logits = mygrad.matmul(x, weights["linear_block.2.weight"].T) + weights["linear_block.2.bias"]
        loss = softmax_crossentropy(logits, labels)
        loss.backward()
        steps += 1
        for name, weight in weights.items():
            m, v = moments[name]
            m += 0.1 * (weight.grad - m)
            v += 0.001 * (weight.grad**2 - v)
            root = np.sqrt(v / (1 - 0.999**steps)) + 1e-8
            weight.data[...] -= work.lr * m / (1 - 0.9**steps) / root
        return loss.data

    return run
