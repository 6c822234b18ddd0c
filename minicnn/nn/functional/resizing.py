"""Images made larger or smaller: each output pixel reads one pixel, or four, of the input.

It needs no kernel of its own. Reading is indexing; and the gradient goes back to the pixels
that were read, as max pooling's goes to the winners: the same kernel puts it there.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ... import geometry
from ...geometry import Geometry
from ...kernels import arrays, kernels_for
from ...kernels.arrays import Array
from . import checks
from .links import linked

Size = int | Sequence[int] | None
Scale = float | Sequence[float] | None
MODES = ("nearest", "nearest-exact", "bilinear")


class Tap(NamedTuple):
    """What the outputs of one axis read: `pixel[i]`, times `share[i]`."""

    pixel: np.ndarray  # (out,)
    share: np.ndarray  # (out,)


def check_mode(mode: str, align_corners: bool | None, who: str) -> None:
    """The words, and what does not go together."""
    if mode not in MODES:
        raise ValueError(f"{who}: mode must be one of {', '.join(map(repr, MODES))}, got {mode!r}.")
    if align_corners is not None and mode != "bilinear":
        raise ValueError(f"{who}: align_corners belongs to mode='bilinear', got mode={mode!r}.")


def check_sizes(size: Size, scale_factor: Scale, recompute: bool | None, who: str) -> None:
    """A size, or one or two positive factors; not both."""
    if (size is None) == (scale_factor is None):
        raise ValueError(f"{who}: give size or scale_factor, one of them, got {size!r} and {scale_factor!r}.")
    if size is not None:
        geometry.pair(size, "size", 1, who)
        if recompute is not None:
            raise ValueError(f"{who}: recompute_scale_factor belongs to scale_factor, but the size is given.")
        return
    factors = scale_factor if isinstance(scale_factor, (tuple, list)) else (scale_factor,)
    if len(factors) not in (1, 2) or not all(checks.number(factor, "scale_factor", who) > 0 for factor in factors):
        raise ValueError(f"{who}: scale_factor must be a positive number or two, got {scale_factor!r}.")


def sizes(
    shape: Sequence[int], size: Size, scale_factor: Any, recompute: bool | None, who: str
) -> tuple[tuple[int, int], tuple[float, float]]:
    """((OH, OW), the steps): how many outputs there are, and how far apart they read.

    With a scale_factor the step is 1 / scale_factor, though the size is rounded down; with a
    size, or `recompute`, it is the input's size / the output's.
    """
    check_sizes(size, scale_factor, recompute, who)
    _, _, H, W = shape
    if scale_factor is None:
        OH, OW = geometry.pair(size, "size", 1, who)
        return (OH, OW), (H / OH, W / OW)
    factors = scale_factor if isinstance(scale_factor, (tuple, list)) else (scale_factor,)
    down, across = factors[0], factors[-1]
    OH = math.floor(H * down)
    OW = math.floor(W * across)
    if OH < 1 or OW < 1:
        raise RuntimeError(f"{who}: {H} x {W} pixels times {scale_factor} leave none.")
    return (OH, OW), ((H / OH, W / OW) if recompute else (1 / down, 1 / across))


def taps(size: int, out: int, step: float, mode: str, align_corners: bool | None, dtype) -> list[Tap]:
    """What each output of an axis reads. The places are computed in torch's precision."""
    i = np.arange(out)
    if out == size and mode != "nearest-exact":
        return [Tap(i, np.ones(out, dtype))]
    if mode != "bilinear":
        half = np.float32(0.5 if mode == "nearest-exact" else 0)
        place = (i.astype(np.float32) + half) * np.float32(step)
        index = np.floor(place).astype(np.int64)
        if mode == "nearest" and out == 2 * size:
            index = i // 2
        return [Tap(np.minimum(index, size - 1), np.ones(out, dtype))]
    place = i.astype(dtype)
    if align_corners:
        place = place * dtype.type((size - 1) / (out - 1) if out > 1 else 0)
    else:
        place = np.maximum((place + dtype.type(0.5)) * dtype.type(step) - dtype.type(0.5), 0)
    first = np.minimum(place.astype(np.int64), size - 1)
    share = np.clip(place - first.astype(dtype), 0, 1)  # of the second
    return [Tap(first, 1 - share), Tap(np.minimum(first + 1, size - 1), share)]


def grid(shape, options, x, who: str) -> tuple[list[Tap], list[Tap]]:
    """(rows' taps, columns' taps), for an input of this shape and `interpolate`'s other
    arguments.
    """
    size, scale_factor, mode, align_corners, recompute = options
    if len(shape) != 4 or min(shape[1:]) < 1:
        raise RuntimeError(
            f"{who}: the input must be (N, C, H, W) with a pixel at least, got shape {tuple(shape)}; "
            "one image (C, H, W) becomes a batch with x[None]."
        )
    check_mode(mode, align_corners, who)
    (OH, OW), (step_down, step_across) = sizes(shape, size, scale_factor, recompute, who)
    dtype = np.dtype(arrays.dtype_name(x))
    rows = taps(shape[2], OH, step_down, mode, align_corners, dtype)
    return rows, taps(shape[3], OW, step_across, mode, align_corners, dtype)


@linked
def interpolate(
    input: Array,
    size: Size = None,
    scale_factor: Scale = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> Array:
    """(N, C, H, W) -> (N, C, OH, OW), float32 or float64 as the input.

    OH and OW are `size`, or floor(H scale_factor) and floor(W scale_factor). "nearest" reads
    the pixel floor(i H / OH), "nearest-exact" floor((i + 1/2) H / OH), "bilinear" the weighted
    mean of the four around (i + 1/2) H / OH - 1/2; with `align_corners` around
    i (H - 1) / (OH - 1). With a scale_factor 1 / scale_factor stands for H / OH, unless
    `recompute_scale_factor`.

    >>> interpolate(np.array([[[[1.0, 3.0]]]]), size=(1, 4))
    array([[[[1., 1., 3., 3.]]]])
    >>> interpolate(np.array([[[[1.0, 3.0]]]]), size=(1, 4), mode="bilinear")
    array([[[[1. , 1.5, 2.5, 3. ]]]])

    Raises TypeError for what is not an array or a number; ValueError for arguments that make no
    sense together; RuntimeError for another dtype or shape, or where no pixel is left.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html
    """
    who = "interpolate"
    x: Any = checks.array(input, "input", who)
    options = (size, scale_factor, mode, align_corners, recompute_scale_factor)
    rows, columns = grid(x.shape, options, x, who)
    return _read(_read(x, rows, 2, mode), columns, 3, mode)  # (N, C, OH, W), then (N, C, OH, OW)


def _read(x, taps: list[Tap], axis: int, mode: str) -> Any:
    """One axis: the pixels that its outputs read, weighted where there are two."""
    everything = (slice(None),) * axis
    ways = [x[(*everything, arrays.copied(tap.pixel, x))] for tap in taps]
    if mode != "bilinear":
        return ways[0]
    column = (-1, *[1] * (3 - axis))
    return sum(way * arrays.copied(tap.share.reshape(column), x) for way, tap in zip(ways, taps, strict=True))


def interpolate_backward(
    grad_output: Array,
    input_shape: tuple[int, ...],
    size: Size = None,
    scale_factor: Scale = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> Array:
    """The gradient with respect to the input: each pixel collects it from where it was read.

    grad_output is (N, C, OH, OW), float32 or float64; the gradient has its dtype and the shape
    of the input, which is given as it was.

    >>> interpolate_backward(np.array([[[[1.0, 2.0, 3.0, 4.0]]]]), (1, 1, 1, 2), size=(1, 4))
    array([[[[3., 7.]]]])

    Raises what interpolate raises, and RuntimeError for a grad_output of another shape.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html
    """
    who = "interpolate_backward"
    grad: Any = checks.array(grad_output, "grad_output", who)
    if not isinstance(input_shape, (tuple, list)) or len(input_shape) != 4:
        raise TypeError(f"{who}: input_shape must be (N, C, H, W), got {input_shape!r}.")
    shape = tuple(input_shape)
    options = (size, scale_factor, mode, align_corners, recompute_scale_factor)
    rows, columns = grid(shape, options, grad, who)
    N, C, H, W = shape
    OH = len(rows[0].pixel)
    OW = len(columns[0].pixel)
    grad = checks.grad(grad, (N, C, OH, OW), grad, who)
    g = Geometry(N=N, C=C, H=H, W=W, O=C, G=C, KH=1, KW=1, SH=1, SW=1, PH=0, PW=0, DH=1, DW=1, OH=OH, OW=OW)
    grad_input = arrays.full(shape, 0, grad)
    for row in rows:
        for column in columns:
            share = arrays.copied(np.outer(row.share, column.share), grad)
            places = np.broadcast_to(row.pixel[:, None] * W + column.pixel, (N, C, OH, OW))
            put = kernels_for(grad).max_pool2d_grad(grad * share, arrays.copied(places, grad), g)
            grad_input = grad_input + put
    return grad_input
