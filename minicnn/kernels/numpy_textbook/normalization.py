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

**The range.** The square of a float32 may lie beyond the largest float32, and so may a sum. So
all is computed in float64, where neither can overflow, and the results are rounded.
"""

import numpy as np


@np.errstate(over="ignore")  # var may lie beyond the largest float32; s never does
def normalize(x, eps):
    """(N, C, L) -> y (N, C, L); mean, var and s, each (C,)."""
    mean = x.mean(axis=(0, 2), dtype=np.float64)  # (C,)
    deviation = x - mean[:, None]  # (N, C, L)
    var = (deviation * deviation).mean(axis=(0, 2))  # (C,)
    s = np.sqrt(var + eps)  # (C,)
    y = deviation / s[:, None]  # (N, C, L)
    return (
        y.astype(x.dtype),
        mean.astype(x.dtype),
        var.astype(x.dtype),
        s.astype(x.dtype),
    )


@np.errstate(over="ignore")
def normalize_grad(grad_output, output, s, weight):
    """(N, C, L): grad_output without its mean, and without its part along y, times weight / s.

    And the sums of g y and of g, each (C,).
    """
    g = grad_output.astype(np.float64)
    along = (g * output).sum(axis=(0, 2))  # (C,)
    total = g.sum(axis=(0, 2))  # (C,)
    n = g[:, 0].size
    along_y = output * along[:, None] / n  # (N, C, L)
    rest = g - total[:, None] / n - along_y  # (N, C, L)
    if weight is not None:
        rest = rest * weight[:, None]
    grad_input = rest / s[:, None]
    return (
        grad_input.astype(s.dtype),
        along.astype(s.dtype),
        total.astype(s.dtype),
    )
