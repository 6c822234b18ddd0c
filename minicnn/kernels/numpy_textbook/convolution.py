"""Convolution as one matrix product: im2col, multiply; and its two gradients.

    output[n, o, i, j] = bias[o] + sum over c, kh, kw of
                         weight[o, c, kh, kw] * padded[n, c, i SH + kh DH, j SW + kw DW]

Write the inputs under one output pixel below each other, and the sum is a row of weights times that column. Side by
side the columns of all pixels form the patch matrix `cols`, and convolution is a product (Chellapilla et al., 2006):

    output      = rows @ cols            rows = weight as a (O, C KH KW) matrix, cols = im2col(x)

A product is linear in each factor, so with g = grad_output as a (O, OH OW) matrix the chain rule gives

    grad_rows   = g @ cols^T             every output pixel adds its patch, weighted by its gradient
    grad_cols   = rows^T @ g             grad_input = col2im(grad_cols): back to where each entry was copied from

Groups only add a dimension: block g of the rows meets block g of the columns.
"""

import numpy as np


def _taps(g):
    """Each kernel position with the rows and columns of the padded input that all windows read there."""
    for kh in range(g.KH):
        for kw in range(g.KW):
            top, left = kh * g.DH, kw * g.DW
            yield kh, kw, slice(top, top + g.SH * (g.OH - 1) + 1, g.SH), slice(left, left + g.SW * (g.OW - 1) + 1, g.SW)


def im2col(x, g):
    """(N, C, H, W) -> the patch matrix (N, C KH KW, OH OW): one column for each output pixel."""
    padded = np.zeros((g.N, g.C, *g.padded_size), x.dtype)
    padded[:, :, g.PH : g.PH + g.H, g.PW : g.PW + g.W] = x
    cols = np.empty((g.N, g.C, g.KH, g.KW, g.OH, g.OW), x.dtype)
    for kh, kw, rows, columns in _taps(g):
        cols[:, :, kh, kw] = padded[:, :, rows, columns]
    return cols.reshape(g.N, g.C * g.KH * g.KW, g.OH * g.OW)


def col2im(cols, g):
    """The transpose of im2col: an input pixel was copied into several columns, so it collects the sum of them all."""
    cols = cols.reshape(g.N, g.C, g.KH, g.KW, g.OH, g.OW)
    padded = np.zeros((g.N, g.C, *g.padded_size), cols.dtype)
    for kh, kw, rows, columns in _taps(g):
        padded[:, :, rows, columns] += cols[:, :, kh, kw]
    return padded[:, :, g.PH : g.PH + g.H, g.PW : g.PW + g.W]


def _by_group(matrix, G):
    """(..., rows, columns) -> (..., G, rows / G, columns)."""
    *images, rows, columns = matrix.shape
    return matrix.reshape(*images, G, rows // G, columns)


def conv2d(x, weight, bias, g):
    """output = rows @ cols + bias."""
    rows = _by_group(weight.reshape(g.O, -1), g.G)  # (G, O/G, C/G KH KW)
    cols = _by_group(im2col(x, g), g.G)  # (N, G, C/G KH KW, OH OW)
    output = (rows @ cols).reshape(g.output_shape)  # (N, O, OH, OW)
    return output if bias is None else output + bias[:, None, None]


def conv2d_grad_input(grad_output, weight, g):
    """grad_input = col2im(rows^T @ grad_output). Read the other way round, this is transposed convolution."""
    rows = _by_group(weight.reshape(g.O, -1), g.G)  # (G, O/G, C/G KH KW)
    grad = _by_group(grad_output.reshape(g.N, g.O, g.OH * g.OW), g.G)  # (N, G, O/G, OH OW)
    return col2im(rows.swapaxes(-1, -2) @ grad, g)  # (N, C, H, W)


def conv2d_grad_weight(grad_output, x, g):
    """grad_weight = grad_output @ cols^T, summed over the images, which share the weights."""
    cols = _by_group(im2col(x, g), g.G)  # (N, G, C/G KH KW, OH OW)
    grad = _by_group(grad_output.reshape(g.N, g.O, g.OH * g.OW), g.G)  # (N, G, O/G, OH OW)
    return (grad @ cols.swapaxes(-1, -2)).sum(axis=0, dtype=x.dtype).reshape(g.weight_shape)


def grad_bias(grad_output):
    """Every output of channel o adds bias[o] once, so its gradient is the sum over all axes but the channels'."""
    return grad_output.sum(axis=(0, *range(2, grad_output.ndim)), dtype=grad_output.dtype)
