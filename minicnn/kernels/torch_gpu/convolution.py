"""Convolution by torch's own functions: cuDNN on an NVIDIA GPU, oneDNN on the CPU.

torch pads the same on both sides. Where the windows need something else ("same" with an
even kernel, or the output padding of a transposed convolution), the image is framed here,
exactly as far as the windows reach:

    conv(x) = conv0(frame(x))         conv0: the convolution without padding

`frame` is linear, so the gradient to x goes through its transpose, which cuts the frame
away again.

The image is framed, too, where an infinite or NaN factor could meet the padding: 0 times it
is NaN, as the textbook has it, and torch has it for some sizes only. On another device than
the CPU nobody looks, as that would make each step wait; there cuDNN decides.

`g` is the Geometry of the call (`minicnn.geometry`).
"""

import torch
from torch.nn.functional import fold, unfold
from torch.nn.functional import pad as zeros_around
from torch.nn.grad import conv2d_input, conv2d_weight

from ...geometry import Geometry, conv_size, conv_transpose_size
from .. import numpy_textbook as textbook
from .tensors import integers_by, on_tensors


def _reach(g: Geometry):
    """Rows and columns from the first padded zero to the last pixel that a window sees."""
    RH = conv_transpose_size(g.OH, g.KH, g.SH, 0, g.DH, 0)
    RW = conv_transpose_size(g.OW, g.KW, g.SW, 0, g.DW, 0)
    return RH, RW


def _torch_pads(g: Geometry):
    """Whether torch's padding gives as many windows as there should be."""
    OH = conv_size(g.H, g.KH, g.SH, 2 * g.PH, g.DH)
    OW = conv_size(g.W, g.KW, g.SW, 2 * g.PW, g.DW)
    return (OH, OW) == (g.OH, g.OW)


def _may_meet_padding(factor, g: Geometry):
    """Whether an infinity or NaN may meet the zeros of the padding, as far as one may look."""
    return (g.PH > 0 or g.PW > 0) and factor.device.type == "cpu" and not torch.isfinite(factor).all()


def _frame(x, g: Geometry):
    """(N, C, H, W) -> (N, C, *reach): with zeros around, without pixels that no window sees."""
    HP, WP = g.padded_size
    RH, RW = _reach(g)
    padded = zeros_around(x, (g.PW, WP - g.PW - g.W, g.PH, HP - g.PH - g.H))  # (N, C, HP, WP)
    return padded[:, :, :RH, :RW]


def _unframe(framed, g: Geometry):
    """The transpose of _frame: 0 for pixels that no window saw, and the padding is dropped."""
    HP, WP = g.padded_size
    RH, RW = _reach(g)
    padded = zeros_around(framed, (0, WP - RW, 0, HP - RH))  # (N, C, HP, WP)
    return padded[:, :, g.PH : g.PH + g.H, g.PW : g.PW + g.W]


def _window(g: Geometry, padding):
    return {"stride": (g.SH, g.SW), "padding": padding, "dilation": (g.DH, g.DW), "groups": g.G}


@on_tensors
@integers_by(textbook.conv2d)
def conv2d(x, weight, bias, g: Geometry):
    if _torch_pads(g) and not _may_meet_padding(weight, g):
        return torch.conv2d(x, weight, bias, **_window(g, (g.PH, g.PW)))  # (N, O, OH, OW)
    return torch.conv2d(_frame(x, g), weight, bias, **_window(g, 0))


@on_tensors
@integers_by(textbook.conv2d_grad_input)
def conv2d_grad_input(grad_output, weight, g: Geometry):
    if _torch_pads(g):
        return conv2d_input(g.input_shape, weight, grad_output, **_window(g, (g.PH, g.PW)))  # (N, C, H, W)
    return _unframe(conv2d_input((g.N, g.C, *_reach(g)), weight, grad_output, **_window(g, 0)), g)


@on_tensors
@integers_by(textbook.conv2d_grad_weight)
def conv2d_grad_weight(grad_output, x, g: Geometry):
    if _torch_pads(g) and not _may_meet_padding(grad_output, g):
        return conv2d_weight(x, g.weight_shape, grad_output, **_window(g, (g.PH, g.PW)))  # (O, C/G, KH, KW)
    return conv2d_weight(_frame(x, g), g.weight_shape, grad_output, **_window(g, 0))


@on_tensors
@integers_by(textbook.im2col)
def im2col(x, g: Geometry):
    return unfold(_frame(x, g), (g.KH, g.KW), (g.DH, g.DW), 0, (g.SH, g.SW))  # (N, C KH KW, OH OW)


@on_tensors
@integers_by(textbook.col2im)
def col2im(cols, g: Geometry):
    return _unframe(fold(cols, _reach(g), (g.KH, g.KW), (g.DH, g.DW), 0, (g.SH, g.SW)), g)  # (N, C, H, W)


@on_tensors
def grad_bias(grad_output):
    return grad_output.sum((0, *range(2, grad_output.ndim)), dtype=grad_output.dtype)  # (O,)
