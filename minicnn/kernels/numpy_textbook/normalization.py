"""Normalisation: each channel is shifted and scaled to the mean 0 and the variance 1.

    y = (x - mean) / s    with s = sqrt(var + eps)

x is (N, C, L), and a channel has n = N L numbers. Batch normalisation has N images of L
pixels; layer normalisation has one "image" whose channels are the rows of the matrix.

**The gradient.** Every x_i moves every y_j of its channel: y_i directly, all through the
mean and the variance. As d mean / d x_i = 1 / n and d var / d x_i = 2 (x_i - mean) / n,

    d y_j / d x_i = ([i = j] - 1/n - y_i y_j / n) / s

and summed over j with the gradients g_j

    grad_input_i = (g_i - mean(g) - y_i mean(g y)) / s

So of g stays what no shift and no scaling of x could bring about. (Ioffe and Szegedy, 2015.)
"""

import numpy as np


def normalize(x, eps):
    """(N, C, L) -> y (N, C, L); mean and var, each (C,)."""
    mean = x.mean(axis=(0, 2))  # (C,)
    deviation = x - mean[:, None]  # (N, C, L)
    var = (deviation * deviation).mean(axis=(0, 2))  # (C,)
    return deviation / np.sqrt(var + eps)[:, None], mean, var


def normalize_grad(grad_output, output, var, eps):
    """(N, C, L): grad_output without its mean, and without its part along y."""
    mean = grad_output.mean(axis=(0, 2))  # (C,)
    along = (grad_output * output).mean(axis=(0, 2))  # (C,)
    rest = grad_output - mean[:, None] - output * along[:, None]  # (N, C, L)
    return rest / np.sqrt(var + eps)[:, None]
