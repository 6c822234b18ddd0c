"""Convolution by torch's own functions: cuDNN on an NVIDIA GPU, oneDNN on the CPU.

torch pads the same on both sides. Where the windows need something else ("same" with an even kernel, or the output
padding of a transposed convolution), the image is framed here, exactly as far as the windows reach:

    conv(x) = conv0(frame(x))         conv0: the convolution without padding

`frame` is linear, so the gradient to x goes through its transpose, which cuts the frame away again.
"""

import torch
from torch.nn.functional import fold, unfold
from torch.nn.functional import pad as zeros_around
from torch.nn.grad import conv2d_input, conv2d_weight

from ...geometry import conv_size, conv_transpose_size
from .tensors import integers_by_the_textbook, on_tensors


def _reach(g):
    """Rows and columns from the first padded zero to the last pixel that a window sees."""
    return conv_transpose_size(g.OH, g.KH, g.SH, 0, g.DH, 0), conv_transpose_size(g.OW, g.KW, g.SW, 0, g.DW, 0)


def _torch_pads(g):
    """Whether torch's padding gives as many windows as there should be."""
    sizes = conv_size(g.H, g.KH, g.SH, 2 * g.PH, g.DH), conv_size(g.W, g.KW, g.SW, 2 * g.PW, g.DW)
    return sizes == (g.OH, g.OW)


def _frame(x, g):
    """(N, C, H, W) -> (N, C, *reach): zeros around the image, and without the pixels that no window sees."""
    (HP, WP), (RH, RW) = g.padded_size, _reach(g)
    return zeros_around(x, (g.PW, WP - g.PW - g.W, g.PH, HP - g.PH - g.H))[:, :, :RH, :RW]


def _unframe(framed, g):
    """The transpose of _frame: zero for the pixels that no window saw, and the padding is dropped."""
    (HP, WP), (RH, RW) = g.padded_size, _reach(g)
    return zeros_around(framed, (0, WP - RW, 0, HP - RH))[:, :, g.PH : g.PH + g.H, g.PW : g.PW + g.W]


def _window(g, padding):
    return {"stride": (g.SH, g.SW), "padding": padding, "dilation": (g.DH, g.DW), "groups": g.G}


@on_tensors
@integers_by_the_textbook
def conv2d(x, weight, bias, g):
    if _torch_pads(g):
        return torch.conv2d(x, weight, bias, **_window(g, (g.PH, g.PW)))  # (N, O, OH, OW)
    return torch.conv2d(_frame(x, g), weight, bias, **_window(g, 0))


@on_tensors
@integers_by_the_textbook
def conv2d_grad_input(grad_output, weight, g):
    if _torch_pads(g):
        return conv2d_input(g.input_shape, weight, grad_output, **_window(g, (g.PH, g.PW)))  # (N, C, H, W)
    return _unframe(conv2d_input((g.N, g.C, *_reach(g)), weight, grad_output, **_window(g, 0)), g)


@on_tensors
@integers_by_the_textbook
def conv2d_grad_weight(grad_output, x, g):
    if _torch_pads(g):
        return conv2d_weight(x, g.weight_shape, grad_output, **_window(g, (g.PH, g.PW)))  # (O, C/G, KH, KW)
    return conv2d_weight(_frame(x, g), g.weight_shape, grad_output, **_window(g, 0))


@on_tensors
@integers_by_the_textbook
def im2col(x, g):
    return unfold(_frame(x, g), (g.KH, g.KW), (g.DH, g.DW), 0, (g.SH, g.SW))  # (N, C KH KW, OH OW)


@on_tensors
@integers_by_the_textbook
def col2im(cols, g):
    return _unframe(fold(cols, _reach(g), (g.KH, g.KW), (g.DH, g.DW), 0, (g.SH, g.SW)), g)  # (N, C, H, W)


@on_tensors
def grad_bias(grad_output):
    return grad_output.sum((0, *range(2, grad_output.ndim)), dtype=grad_output.dtype)  # (O,)
