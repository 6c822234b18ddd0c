"""Convolution as one matrix product: im2col, multiply; and its two gradients.

    output[n, o, i, j] = bias[o] + sum over c, kh, kw of
                         weight[o, c, kh, kw] * padded[n, c, i SH + kh DH, j SW + kw DW]

(n is the image, o and c are output and input channel, i and j row and column of the output,
kh and kw those of the kernel. N O C H W count these; S is the stride, D the dilation, P the
padding, G the number of groups; SH is S down the height, SW across the width. What stands
side by side is multiplied: C KH KW is one number.)

Write the inputs under one output pixel below each other, and the sum is a row of weights
times that column. Side by side the columns of all pixels form the patch matrix `cols`, and
convolution is a product (Chellapilla et al., 2006). A product is linear in each factor, so
the chain rule gives both gradients. For one image:

    output    = rows @ cols     rows: weight as (O, C KH KW), cols: im2col(x), (C KH KW, OH OW)
    grad      = grad_output     as a matrix (O, OH OW), like output
    grad_rows = grad @ cols^T   grad_weight: an output pixel adds its patch, times its gradient
    grad_cols = rows^T @ grad   grad_input: col2im adds an entry to the pixel it was copied from

Here `g` is the Geometry of this call: all sizes, N to OW, worked out in `minicnn.geometry`
and checked there.

`padded` is x with zeros around it, and the sum multiplies them: an infinite or NaN weight
over the padding makes NaN, as 0 * inf is NaN. All kernel sets (the NumPy, Numba and torch
routines) do so. torch on its own does or does not, as its routine for that size has it.
"""

import numpy as np

from ...geometry import Geometry

# --------------------------------------------------------------------- the patch matrix


def im2col(x, g: Geometry):
    """(N, C, H, W) -> the patch matrix (N, C KH KW, OH OW), a column for each output pixel."""
    padded = np.zeros((g.N, g.C, *g.padded_size), x.dtype)
    _image_in(padded, g)[...] = x
    cols = np.empty((g.N, g.C, g.KH, g.KW, g.OH, g.OW), x.dtype)
    for kh, kw, down, across in _taps(g):
        cols[:, :, kh, kw] = padded[:, :, down, across]
    return cols.reshape(g.N, g.C * g.KH * g.KW, g.OH * g.OW)


def col2im(cols, g: Geometry):
    """The transpose of im2col.

    A pixel was copied into several columns, and collects the sum of those columns' entries.
    """
    cols = cols.reshape(g.N, g.C, g.KH, g.KW, g.OH, g.OW)
    padded = np.zeros((g.N, g.C, *g.padded_size), cols.dtype)
    for kh, kw, down, across in _taps(g):
        padded[:, :, down, across] += cols[:, :, kh, kw]
    return _image_in(padded, g)  # (N, C, H, W)


def _image_in(padded, g: Geometry):
    """The part of the padded image that is the image."""
    height = slice(g.PH, g.PH + g.H)
    width = slice(g.PW, g.PW + g.W)
    return padded[:, :, height, width]


def _taps(g: Geometry):
    """Each kernel position, and which rows and columns of the padded image are read there."""
    for kh, kw in np.ndindex(g.KH, g.KW):
        down = _read_by(kh, g.DH, g.SH, g.OH)
        across = _read_by(kw, g.DW, g.SW, g.OW)
        yield kh, kw, down, across


def _read_by(k, D, S, windows):
    """What tap k reads along one axis: k D in the first window, S further in each next one."""
    first = k * D
    last = first + S * (windows - 1)
    return slice(first, last + 1, S)


# ------------------------------------------------------- the plain case: a single group


def plain_conv2d(x, weight, bias, g: Geometry):
    """What Conv2d computes as a rule: groups=1, with a bias.

    The derivation above, line by line (for reading; tests hold it against `conv2d`).
    """
    rows = weight.reshape(g.O, -1)  # (O, C KH KW)
    cols = im2col(x, g)  # (N, C KH KW, OH OW)
    output = rows @ cols + bias[:, None]  # (N, O, OH OW)
    return output.reshape(g.output_shape)


def plain_conv2d_backward(grad_output, x, weight, g: Geometry):
    """(grad_input, grad_weight, grad_bias).

    All images share the weights, so their gradients are added. For reading, like
    `plain_conv2d`: tests hold it against the three functions at the end.
    """
    rows = weight.reshape(g.O, -1)  # (O, C KH KW)
    cols = im2col(x, g)  # (N, C KH KW, OH OW)
    grad = _matrices(grad_output, g)  # (N, O, OH OW)
    grad_rows = grad @ cols.swapaxes(1, 2)  # (N, O, C KH KW)
    grad_cols = rows.T @ grad  # (N, C KH KW, OH OW)
    grad_input = col2im(grad_cols, g)  # (N, C, H, W)
    grad_weight = grad_rows.sum(axis=0).reshape(weight.shape)
    return grad_input, grad_weight, grad.sum(axis=(0, 2))


# ------------------------------------ in general: block b of rows meets block b of cols


def conv2d(x, weight, bias, g: Geometry):
    """output = rows @ cols + bias."""
    rows = _by_group(weight.reshape(g.O, -1), g.G)  # (G, O/G, C/G KH KW)
    cols = _by_group(im2col(x, g), g.G)  # (N, G, C/G KH KW, OH OW)
    output = (rows @ cols).reshape(g.output_shape)  # (N, O, OH, OW)
    return output if bias is None else output + bias[:, None, None]


def conv2d_grad_input(grad_output, weight, g: Geometry):
    """grad_input = col2im(rows^T @ grad).

    Read the other way round, this is transposed convolution.
    """
    rows = _by_group(weight.reshape(g.O, -1), g.G)  # (G, O/G, C/G KH KW)
    grad = _by_group(_matrices(grad_output, g), g.G)  # (N, G, O/G, OH OW)
    grad_cols = rows.swapaxes(-1, -2) @ grad  # (N, G, C/G KH KW, OH OW)
    return col2im(grad_cols, g)  # (N, C, H, W)


def conv2d_grad_weight(grad_output, x, g: Geometry):
    """grad_weight = grad @ cols^T, summed over the images, which share the weights."""
    cols = _by_group(im2col(x, g), g.G)  # (N, G, C/G KH KW, OH OW)
    grad = _by_group(_matrices(grad_output, g), g.G)  # (N, G, O/G, OH OW)
    each_image = grad @ cols.swapaxes(-1, -2)  # (N, G, O/G, C/G KH KW)
    # Without dtype, NumPy would sum small integers as int64.
    grad_rows = each_image.sum(axis=0, dtype=x.dtype)  # (G, O/G, C/G KH KW)
    return grad_rows.reshape(g.weight_shape)


def grad_bias(grad_output):
    """Every output of channel o adds bias[o] once: sum over all axes but the channels'."""
    all_but_channels = (0, *range(2, grad_output.ndim))
    return grad_output.sum(axis=all_but_channels, dtype=grad_output.dtype)  # (O,)


def _matrices(grad_output, g: Geometry):
    """(N, O, OH, OW) -> (N, O, OH OW)."""
    return grad_output.reshape(g.N, g.O, g.OH * g.OW)


def _by_group(matrix, G):
    """(..., R, M) -> (..., G, R / G, M): the R rows of each matrix in G equal blocks."""
    *images, R, M = matrix.shape
    return matrix.reshape(*images, G, R // G, M)
