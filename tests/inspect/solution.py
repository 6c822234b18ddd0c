"""A student's solution in NumPy, right in everything: the mistakes of `test_agree_of`
are planted into its text.
"""

import numpy as np


def pair(value):
    return value if isinstance(value, tuple) else (value, value)


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1):
    (SH, SW), (PH, PW), (DH, DW) = pair(stride), pair(padding), pair(dilation)
    N, _, H, W = x.shape
    O, _, KH, KW = weight.shape
    OH = (H + 2 * PH - DH * (KH - 1) - 1) // SH + 1
    OW = (W + 2 * PW - DW * (KW - 1) - 1) // SW + 1
    padded = np.pad(x, ((0, 0), (0, 0), (PH, PH), (PW, PW)))
    output = np.zeros((N, O, OH, OW), x.dtype)
    for i in range(OH):
        for j in range(OW):
            top, left = i * SH, j * SW
            seen = padded[:, :, top : top + DH * KH : DH, left : left + DW * KW : DW]
            output[:, :, i, j] = np.einsum("nchw,ochw->no", seen, weight)
    if bias is not None:
        output += bias[:, None, None]
    return output


def conv2d_backward(grad_output, x, weight, stride=1, padding=0, dilation=1):
    (SH, SW), (PH, PW), (DH, DW) = pair(stride), pair(padding), pair(dilation)
    _, _, H, W = x.shape
    _, _, KH, KW = weight.shape
    padded = np.pad(x, ((0, 0), (0, 0), (PH, PH), (PW, PW)))
    grad_padded = np.zeros_like(padded)
    grad_weight = np.zeros_like(weight)
    for i in range(grad_output.shape[2]):
        for j in range(grad_output.shape[3]):
            g = grad_output[:, :, i, j]
            top, left = i * SH, j * SW
            rows, columns = slice(top, top + DH * KH, DH), slice(left, left + DW * KW, DW)
            grad_weight += np.einsum("no,nchw->ochw", g, padded[:, :, rows, columns])
            grad_padded[:, :, rows, columns] += np.einsum("no,ochw->nchw", g, weight)
    grad_bias = grad_output.sum(axis=(0, 2, 3))
    return grad_padded[:, :, PH : PH + H, PW : PW + W], grad_weight, grad_bias


def max_pool2d(x, kernel_size, stride=None, padding=0):
    (KH, KW), (PH, PW) = pair(kernel_size), pair(padding)
    SH, SW = pair(kernel_size if stride is None else stride)
    N, C, H, W = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (PH, PH), (PW, PW)), constant_values=-np.inf)
    OH, OW = (H + 2 * PH - KH) // SH + 1, (W + 2 * PW - KW) // SW + 1
    output = np.zeros((N, C, OH, OW), x.dtype)
    for i in range(OH):
        for j in range(OW):
            output[:, :, i, j] = padded[:, :, i * SH : i * SH + KH, j * SW : j * SW + KW].max(axis=(2, 3))
    return output


def max_pool2d_backward(grad_output, x, kernel_size, stride=None, padding=0):
    (KH, KW), (PH, PW) = pair(kernel_size), pair(padding)
    SH, SW = pair(kernel_size if stride is None else stride)
    _, _, H, W = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (PH, PH), (PW, PW)), constant_values=-np.inf)
    grad = np.zeros(padded.shape, x.dtype)
    for n, c, i, j in np.ndindex(grad_output.shape):
        window = padded[n, c, i * SH : i * SH + KH, j * SW : j * SW + KW]
        h, w = np.unravel_index(window.argmax(), window.shape)
        grad[n, c, i * SH + h, j * SW + w] += grad_output[n, c, i, j]
    return grad[:, :, PH : PH + H, PW : PW + W]


def linear(x, weight, bias):
    return x @ weight.T + bias


def linear_backward(grad_output, x, weight):
    return grad_output @ weight, grad_output.T @ x, grad_output.sum(axis=0)


def relu(x):
    return np.maximum(x, 0)


def relu_backward(grad_output, output):
    return np.where(output > 0, grad_output, 0).astype(output.dtype)


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e)).astype(x.dtype)


def sigmoid_backward(grad_output, output):
    return grad_output * output * (1 - output)


def tanh(x):
    return np.tanh(x)


def tanh_backward(grad_output, output):
    return grad_output * (1 - output**2)


def cross_entropy(logits, target):
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(target)), target].mean()


def cross_entropy_backward(grad_output, logits, target):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    p[np.arange(len(target)), target] -= 1
    return grad_output * p / len(target)


def mse_loss(x, target):
    return ((x - target) ** 2).mean()


def mse_loss_backward(grad_output, x, target):
    return grad_output * 2 * (x - target) / x.size


def adam(param, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    grad = grad + weight_decay * param
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad * grad
    return param - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps), m, v


def sgd(param, grad, velocity, lr, momentum):
    velocity = momentum * velocity + grad
    return param - lr * velocity, velocity
