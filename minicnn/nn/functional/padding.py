"""Padding, unfold and fold without state: what surrounds an image, and the patch matrix."""

import math
import operator

import numpy as np

from ... import geometry
from ...geometry import IntPair
from ...kernels import arrays, kernels_for
from ...kernels.arrays import Array
from . import checks
from .links import linked


def _widths(pad, who):
    """(left, right, top, bottom) as four ints."""
    try:
        widths = tuple(operator.index(width) for width in pad)
    except TypeError:
        raise TypeError(f"{who}: pad must be four ints (left, right, top, bottom), got {pad!r}.") from None
    if len(widths) != 4 or min(widths) < 0:
        raise ValueError(f"{who}: pad must be four widths (left, right, top, bottom), none negative, got {pad!r}.")
    return widths


def _check_widths(widths, image, mode, who):
    """A padded pixel must be the copy of one in the image."""
    H, W = image
    limit = {"constant": None, "replicate": None, "reflect": -1, "circular": 0}
    if mode not in tuple(limit):
        raise ValueError(f"{who}: mode must be one of {', '.join(map(repr, limit))}, got {mode!r}.")
    for axis, size, width in (("width", W, max(widths[:2])), ("height", H, max(widths[2:]))):
        if size < (mode == "replicate") or (limit[mode] is not None and width > size + limit[mode]):
            most = max(size + (limit[mode] or 0), 0)
            raise RuntimeError(
                f"{who}: mode {mode!r} can pad the {axis} {size} by at most {most} on a side, "
                f"got {width}: there is nothing more to copy."
            )


def _fill(value, x):
    """What a frame of constants holds: 0 for None, as in torch."""
    value = checks.number(0 if value is None else value, "value", "pad")
    dtype = np.dtype(arrays.dtype_name(x))
    limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    least, most = np.array([limits.min, limits.max], dtype).tolist()
    if not least <= value <= most and (dtype.kind != "f" or math.isfinite(value)):
        raise ValueError(f"pad: value {value} does not fit into {dtype}, which holds {least} to {most}.")
    return value


@linked
def pad(input: Array, pad: tuple[int, int, int, int], mode: str = "constant", value: float | None = 0) -> Array:
    """Input (N, C, H, W) -> (N, C, top + H + bottom, left + W + right).

    One image (C, H, W) likewise. `pad` is (left, right, top, bottom). `mode` is "constant"
    (filled with `value`), "reflect", "replicate" or "circular". float32, float64, int64, int32,
    int16, int8 or uint8, and so is the output.

    >>> pad(np.array([[[1, 2, 3]]]), (2, 2, 0, 0), "reflect")
    array([[[3, 2, 1, 2, 3, 2, 1]]])

    Raises TypeError for what is not an array or not an int; ValueError for a negative
    width, an unknown mode or a value that the dtype does not hold; RuntimeError where a
    mode would have to copy more than there is.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html
    """
    x, single = checks.images(checks.array(input, "input", "pad", checks.FLOATS + checks.INTEGERS), "pad")
    left, right, top, bottom = widths = _widths(pad, "pad")
    _check_widths(widths, x.shape[2:], mode, "pad")
    if mode == "constant":
        N, C, H, W = x.shape
        output = arrays.full((N, C, top + H + bottom, left + W + right), _fill(value, x), x)
        output[:, :, top : top + H, left : left + W] = x
    else:
        output = kernels_for(x).pad(x, left, right, top, bottom, mode)
    return output[0] if single else output


def pad_backward(grad_output: Array, pad: tuple[int, int, int, int], mode: str = "constant") -> Array:
    """The gradient with respect to the input.

    The frame is cut away, and each copy adds to the pixel that it was made of.

    grad_output (N, C, top + H + bottom, left + W + right) -> (N, C, H, W), or both without N;
    float32 or float64, and so is the gradient.

    >>> ones = np.ones((1, 1, 5))
    >>> pad_backward(ones, (2, 0, 0, 0), "reflect")  # pixels 2 and 1 were copied to the left
    array([[[1., 2., 2.]]])

    Raises what pad raises.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html
    """
    who = "pad_backward"
    grad, single = checks.images(checks.array(grad_output, "grad_output", who), who, "grad_output")
    left, right, top, bottom = widths = _widths(pad, who)
    H, W = grad.shape[2] - top - bottom, grad.shape[3] - left - right
    _check_widths(widths, (H, W), mode, who)
    if mode == "constant":
        grad_input = grad[:, :, top : top + H, left : left + W]
    else:
        grad_input = kernels_for(grad).pad_grad(grad, left, right, top, bottom, mode)
    return grad_input[0] if single else grad_input


def unfold(
    input: Array, kernel_size: IntPair, dilation: IntPair = 1, padding: IntPair = 0, stride: IntPair = 1
) -> Array:
    """im2col: input (N, C, H, W) -> the patches as columns (N, C KH KW, OH OW).

    One image (C, H, W) likewise. float32 or float64, and so are the patches.

    >>> unfold(np.arange(6.0).reshape(1, 2, 3), (2, 2))
    array([[0., 1.],
           [1., 2.],
           [3., 4.],
           [4., 5.]])

    Raises TypeError for what is not an array; ValueError for a kernel_size, dilation,
    padding or stride that make no sense; RuntimeError for another dtype, and where no patch
    fits.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.unfold.html
    """
    return _unfold(input, kernel_size, dilation, padding, stride, "input", "unfold")


def _unfold(images, kernel_size, dilation, padding, stride, name, who):
    x, single = checks.images(checks.array(images, name, who), who, name)
    kernel_size = geometry.pair(kernel_size, "kernel_size", 1, who)
    padding = geometry.pair(padding, "padding", 0, who)  # unfold has no "same"
    if x.shape[1] < 1:
        raise RuntimeError(f"{who}: the input {tuple(x.shape)} has no channels; it must have at least one.")
    g = geometry.conv2d(x.shape, (1, x.shape[1], *kernel_size), stride, padding, dilation, who=who)
    cols = kernels_for(x).im2col(x, g)
    return cols[0] if single else cols


def fold(
    input: Array,
    output_size: IntPair,
    kernel_size: IntPair,
    dilation: IntPair = 1,
    padding: IntPair = 0,
    stride: IntPair = 1,
) -> Array:
    """col2im: columns (N, C KH KW, L) -> (N, C, *output_size), where overlapping patches add.

    This is the gradient of unfold. Both without N for one image. float32 or float64, and so
    is the output.

    >>> fold(np.ones((4, 2)), (2, 3), (2, 2))
    array([[[1., 2., 1.],
            [1., 2., 1.]]])

    Raises TypeError for what is not an array; ValueError for arguments that make no sense;
    RuntimeError for another dtype, and where the columns are not those of such patches.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.fold.html
    """
    return _fold(input, output_size, kernel_size, dilation, padding, stride, "input", "fold")


def _fold(columns, output_size, kernel_size, dilation, padding, stride, name, who):
    cols = checks.array(columns, name, who)
    KH, KW = geometry.pair(kernel_size, "kernel_size", 1, who)
    H, W = geometry.pair(output_size, "output_size", 1, who)
    if cols.ndim not in (2, 3) or cols.shape[-2] < 1 or cols.shape[-2] % (KH * KW):
        raise RuntimeError(
            f"{who}: {name} must be (N, C * KH * KW, L) or (C * KH * KW, L), "
            f"its rows a multiple of KH * KW = {KH * KW}, got shape {tuple(cols.shape)}."
        )
    batch = cols[None] if cols.ndim == 2 else cols
    N, C = len(batch), cols.shape[-2] // (KH * KW)
    padding = geometry.pair(padding, "padding", 0, who)
    g = geometry.conv2d((N, C, H, W), (1, C, KH, KW), stride, padding, dilation, who=who)
    if cols.shape[-1] != g.OH * g.OW:
        raise RuntimeError(
            f"{who}: an output of {H} x {W} has OH * OW = {g.OH} * {g.OW} = {g.OH * g.OW} patches, "
            f"got {cols.shape[-1]} columns; "
            f"OH = floor((H + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1 = "
            f"floor(({H} + 2 * {g.PH} - {g.DH} * {KH - 1} - 1) / {g.SH}) + 1, OW likewise. "
            "Fold with the arguments of unfold."
        )
    image = kernels_for(batch).col2im(batch, g)
    return image[0] if cols.ndim == 2 else image


def unfold_backward(
    grad_output: Array,
    output_size: IntPair,
    kernel_size: IntPair,
    dilation: IntPair = 1,
    padding: IntPair = 0,
    stride: IntPair = 1,
) -> Array:
    """Each pixel was copied into several patches, so it collects their gradients: that is fold.

    grad_output (N, C KH KW, OH OW) -> (N, C, *output_size), where output_size is unfold's
    (H, W). Both without N for one image. The dtype is grad_output's.

    >>> unfold_backward(np.ones((4, 2)), (2, 3), (2, 2))  # how many patches each pixel is in
    array([[[1., 2., 1.],
            [1., 2., 1.]]])

    Raises what fold raises.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.unfold.html
    """
    return _fold(grad_output, output_size, kernel_size, dilation, padding, stride, "grad_output", "unfold_backward")


def fold_backward(
    grad_output: Array, kernel_size: IntPair, dilation: IntPair = 1, padding: IntPair = 0, stride: IntPair = 1
) -> Array:
    """Each patch entry was added to one pixel, so it takes that pixel's gradient: unfold.

    grad_output (N, C, H, W) -> (N, C KH KW, OH OW), both without N for one image. The dtype is
    grad_output's.

    >>> fold_backward(np.arange(6.0).reshape(1, 2, 3), (2, 2))
    array([[0., 1.],
           [1., 2.],
           [3., 4.],
           [4., 5.]])

    Raises what unfold raises.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.fold.html
    """
    return _unfold(grad_output, kernel_size, dilation, padding, stride, "grad_output", "fold_backward")
