"""torch: what the others are compared with, asked in the same way."""

import numpy as np
import torch
import torch.nn.functional as F

PACKAGES = ("torch",)


def value(function, *arrays):
    return function(*map(torch.tensor, arrays)).numpy()


def gradients(function, grad_output, *arrays):
    """Of function(*arrays) with respect to each array."""
    leaves = [torch.tensor(array, requires_grad=True) for array in arrays]
    grads = torch.autograd.grad(function(*leaves), leaves, torch.as_tensor(grad_output))
    return tuple(grad.numpy() for grad in grads)


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    arrays = (input, weight) if bias is None else (input, weight, bias)
    return value(lambda x, w, b=None: F.conv2d(x, w, b, stride, padding, dilation, groups), *arrays)


def conv2d_backward(grad_output, input, weight, stride=1, padding=0, dilation=1, groups=1):
    bias = np.zeros(len(weight), weight.dtype)
    return gradients(
        lambda x, w, b: F.conv2d(x, w, b, stride, padding, dilation, groups), grad_output, input, weight, bias
    )


def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    arrays = (input, weight) if bias is None else (input, weight, bias)
    options = (stride, padding, output_padding, groups, dilation)
    return value(lambda x, w, b=None: F.conv_transpose2d(x, w, b, *options), *arrays)


def conv_transpose2d_backward(grad_output, input, weight, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    bias = np.zeros(weight.shape[1] * groups, weight.dtype)
    options = (stride, padding, output_padding, groups, dilation)
    return gradients(lambda x, w, b: F.conv_transpose2d(x, w, b, *options), grad_output, input, weight, bias)


def linear(input, weight, bias=None):
    return value(F.linear, *((input, weight) if bias is None else (input, weight, bias)))


def linear_backward(grad_output, input, weight):
    return gradients(F.linear, grad_output, input, weight, np.zeros(len(weight), weight.dtype))


def max_pool2d(input, kernel_size, stride=None, padding=0):
    return value(lambda x: F.max_pool2d(x, kernel_size, stride, padding), input)


def max_pool2d_backward(grad_output, input, kernel_size, stride=None, padding=0):
    return gradients(lambda x: F.max_pool2d(x, kernel_size, stride, padding), grad_output, input)[0]


def relu(input):
    return value(F.relu, input)


def relu_backward(grad_output, input):
    return gradients(F.relu, grad_output, input)[0]


def sigmoid(input):
    return value(torch.sigmoid, input)


def sigmoid_backward(grad_output, input):
    return gradients(torch.sigmoid, grad_output, input)[0]


def tanh(input):
    return value(torch.tanh, input)


def tanh_backward(grad_output, input):
    return gradients(torch.tanh, grad_output, input)[0]


def cross_entropy(input, target):
    return value(F.cross_entropy, input, target)


def cross_entropy_backward(grad_output, input, target):
    return gradients(lambda x: F.cross_entropy(x, torch.tensor(target)), grad_output, input)[0]


def mse_loss(input, target):
    return value(F.mse_loss, input, target)


def mse_loss_backward(grad_output, input, target):
    return gradients(lambda x: F.mse_loss(x, torch.tensor(target)), grad_output, input)[0]


def missing_class(input, target):
    return cross_entropy(input, target)


def weighted_cross_entropy(input, target, weight):
    return value(lambda x, y, w: F.cross_entropy(x, y, w), input, target, weight)


def soft_cross_entropy_backward(input, target):
    """Of a row of logits, with probabilities as target."""
    return gradients(lambda x: F.cross_entropy(x, torch.tensor(target)), np.ones((), input.dtype), input)[0]


def same_conv2d(input, weight):
    return value(lambda x, w: F.conv2d(x, w, padding="same"), input, weight)


def strided_same_conv2d(input, weight):
    """torch has no "same" with a stride; padding=kernel // 2 is what stands in models."""
    return value(lambda x, w: F.conv2d(x, w, stride=2, padding=weight.shape[2] // 2), input, weight)


def same_conv_transpose2d(input, weight):
    """Stride 2 to twice the size: padding=1, output_padding=1 for a kernel of 3."""
    return value(lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1, output_padding=1), input, weight)


def adam_first_step(grad):
    """How far one float32 weight goes with lr 1."""
    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.tensor([grad])
    torch.optim.Adam([weight], lr=1.0).step()
    return -weight.detach().numpy()


def gelu(input):
    return value(F.gelu, input)


def leaky_relu(input):
    return value(F.leaky_relu, input)


def std(input):
    return value(torch.std, input)


def flatten(input):
    """An image of shape (C, H, W), brought into the library's layout first."""
    return value(lambda x: torch.nn.Flatten()(x[None])[0], input)


def batch_norm(input):
    """What is left of running_mean and running_var after one batch in training."""
    layer = torch.nn.BatchNorm2d(input.shape[1])
    layer(torch.tensor(input))
    return np.array([layer.running_mean[0], layer.running_var[0]])


def batch_norm_eps():
    return np.array(torch.nn.BatchNorm2d(1).eps)


def linear_init():
    """The largest weight and the largest bias of a new layer with 10,000 inputs."""
    layer = torch.nn.Linear(10_000, 100)
    return np.array([float(part.detach().abs().max()) for part in (layer.weight, layer.bias)])
