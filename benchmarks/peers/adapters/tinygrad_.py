"""tinygrad on the CPU, which compiles with clang."""

import os

os.environ.setdefault("DEV", "CPU")

import numpy as np
from tinygrad import Context, Tensor, TinyJit, nn

PACKAGES = ("tinygrad",)


def value(function, *arrays):
    return function(*map(Tensor, arrays)).numpy()


def gradients(function, grad_output, *arrays):
    leaves = [Tensor(array) for array in arrays]
    output = function(*leaves)
    grads = output.gradient(*leaves, gradient=Tensor(np.asarray(grad_output)))
    return tuple(grad.numpy() for grad in grads)


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    arrays = (input, weight) if bias is None else (input, weight, bias)
    return value(lambda x, w, b=None: x.conv2d(w, b, groups, stride, dilation, padding), *arrays)


def conv2d_backward(grad_output, input, weight, stride=1, padding=0, dilation=1, groups=1):
    bias = np.zeros(len(weight), weight.dtype)
    options = (groups, stride, dilation, padding)
    return gradients(lambda x, w, b: x.conv2d(w, b, *options), grad_output, input, weight, bias)


def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    arrays = (input, weight) if bias is None else (input, weight, bias)
    return value(lambda x, w, b=None: x.conv_transpose2d(w, b, groups, stride, dilation, padding), *arrays)


def linear(input, weight, bias=None):
    arrays = (input, weight) if bias is None else (input, weight, bias)
    return value(lambda x, w, b=None: x.linear(w.T, b), *arrays)


def linear_backward(grad_output, input, weight):
    bias = np.zeros(len(weight), weight.dtype)
    return gradients(lambda x, w, b: x.linear(w.T, b), grad_output, input, weight, bias)


def max_pool2d(input, kernel_size, stride=None, padding=0):
    return value(lambda x: x.max_pool2d(kernel_size, stride, 1, padding), input)


def max_pool2d_backward(grad_output, input, kernel_size, stride=None, padding=0):
    return gradients(lambda x: x.max_pool2d(kernel_size, stride, 1, padding), grad_output, input)[0]


def relu(input):
    return value(Tensor.relu, input)


def relu_backward(grad_output, input):
    return gradients(Tensor.relu, grad_output, input)[0]


def sigmoid(input):
    return value(Tensor.sigmoid, input)


def sigmoid_backward(grad_output, input):
    return gradients(Tensor.sigmoid, grad_output, input)[0]


def tanh(input):
    return value(Tensor.tanh, input)


def tanh_backward(grad_output, input):
    return gradients(Tensor.tanh, grad_output, input)[0]


def cross_entropy(input, target):
    return value(lambda x, y: x.cross_entropy(y), input, target)


def cross_entropy_backward(grad_output, input, target):
    return gradients(lambda x: x.cross_entropy(Tensor(target)), grad_output, input)[0]


def missing_class(input, target):
    return cross_entropy(input, target)


def adam_first_step(grad):
    weight = Tensor(np.zeros(1, np.float32))
    optimizer = nn.optim.Adam([weight], lr=1.0)
    weight.grad = Tensor(np.array([grad], np.float32))
    with Context(TRAINING=1):
        optimizer.step()
    return -weight.numpy()


def gelu(input):
    return value(Tensor.gelu, input)


def leaky_relu(input):
    return value(Tensor.leaky_relu, input)


def std(input):
    return value(Tensor.std, input)


def batch_norm_eps():
    return np.array(nn.BatchNorm2d(1).eps)


def batch_norm(input):
    layer = nn.BatchNorm2d(input.shape[1])
    with Context(TRAINING=1):
        layer(Tensor(input)).realize()
    return np.array([layer.running_mean.numpy()[0], layer.running_var.numpy()[0]])


def linear_init():
    layer = nn.Linear(10_000, 100)
    return np.array([np.abs(array.numpy()).max() for array in (layer.weight, layer.bias)])


def step(work):
    images, labels = work.data()
    weights = {name: Tensor(array).contiguous().realize() for name, array in work.weights().items()}
    optimizer = nn.optim.Adam(list(weights.values()), lr=work.lr)
    x, y = Tensor(images).realize(), Tensor(labels).realize()

    @TinyJit
    def update():
        h = x
        for i in (0, 3):
            h = h.conv2d(weights[f"cnn.{i}.weight"], weights[f"cnn.{i}.bias"], padding=2).relu().max_pool2d(2)
        h = h.flatten(1)
        h = h.linear(weights["linear_block.0.weight"].T, weights["linear_block.0.bias"]).relu()
        logits = h.linear(weights["linear_block.2.weight"].T, weights["linear_block.2.bias"])
        loss = logits.cross_entropy(y)
        optimizer.zero_grad()
        loss.backward()
        return loss.realize(*optimizer.schedule_step())

    def run():
        with Context(TRAINING=1):
            return update().numpy()

    return run
