"""Every size formula and every shape check of a sliding window, written once and used by all.

Notation, here and in the kernels:

    N images, C channels, H x W pixels     the input         (N, C, H, W)
    O channels, OH x OW pixels             the output        (N, O, OH, OW)
    KH x KW                                the kernel        weight (O, C/G, KH, KW)
    S stride, P padding, D dilation        each with a letter H (down) or W (across) behind it
    G groups                               output block g sees input block g alone

Arguments that make no sense in themselves raise ValueError, arrays that do not fit them RuntimeError, as in torch.
"""

import operator
from collections import namedtuple

IntPair = int | tuple[int, int]


class Geometry(namedtuple("Geometry", "N C H W  O G  KH KW  SH SW  PH PW  DH DW  OH OW")):
    """One window sliding over one input: all that a kernel set needs to know, checked once.

    PH and PW are the rows of zeros above and the columns left of the image. What lies below and right follows from
    OH and OW: wherever the last windows reach past the image, they read zeros. So "same" padding with an even kernel
    (one more column right than left) and the output_padding of a transposed convolution need no field of their own.
    """

    __slots__ = ()

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        return self.N, self.C, self.H, self.W

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        return self.O, self.C // self.G, self.KH, self.KW

    @property
    def output_shape(self) -> tuple[int, int, int, int]:
        return self.N, self.O, self.OH, self.OW

    @property
    def padded_size(self) -> tuple[int, int]:
        """Rows and columns from the first padded zero to the last pixel that the image or a window reaches."""
        HP = max(self.PH + self.H, (self.OH - 1) * self.SH + self.DH * (self.KH - 1) + 1)
        WP = max(self.PW + self.W, (self.OW - 1) * self.SW + self.DW * (self.KW - 1) + 1)
        return HP, WP


def pair(value, name: str, least: int, who: str, what: str = "an int or a pair of ints") -> tuple[int, int]:
    """`value` or `(value_h, value_w)` as two ints, each at least `least`."""
    given = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if any(isinstance(number, bool) or not hasattr(number, "__index__") for number in given):
        raise TypeError(f"{who}: {name} must be {what}, got {value!r}.")
    values = [operator.index(number) for number in given]
    if len(values) not in (1, 2) or min(values) < least:
        raise ValueError(f"{who}: {name} must be {what}, at least {least}, got {value!r}.")
    return values[0], values[-1]


def positive(value, name: str, who: str) -> int:
    """`value` as one int of at least 1."""
    if isinstance(value, (tuple, list)):
        raise TypeError(f"{who}: {name} must be one int, got {value!r}.")
    return pair(value, name, 1, who, "an int")[0]


def check_groups(C: int, O: int, G: int, who: str) -> None:
    """Both channel counts must fall into G equal blocks."""
    for name, channels in (("in_channels", C), ("out_channels", O)):
        if channels % G:
            raise ValueError(f"{who}: {name} must be divisible by groups, but {channels} is not divisible by {G}.")


# ------------------------------------------------------------------------------------------------- convolution


def conv_size(size: int, K: int, S: int, padding: int, D: int) -> int:
    """floor((size + padding - D (K - 1) - 1) / S) + 1, where `padding` counts both sides."""
    return (size + padding - D * (K - 1) - 1) // S + 1


def conv_padding(padding, kernel_size, stride, dilation, who: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """(above, below), (left, right). "same" keeps the size: D (K - 1) in all, the odd one below and right, as torch."""
    if not isinstance(padding, str):
        PH, PW = pair(padding, "padding", 0, who)
        return (PH, PH), (PW, PW)
    if padding not in ("same", "valid"):
        raise ValueError(f"{who}: padding must be an int, a pair, 'same' or 'valid', got {padding!r}.")
    if padding == "same" and tuple(stride) != (1, 1):
        raise ValueError(f"{who}: padding='same' needs stride 1, got {stride}; give the padding as numbers instead.")
    TH, TW = (D * (K - 1) if padding == "same" else 0 for K, D in zip(kernel_size, dilation, strict=True))
    return (TH // 2, TH - TH // 2), (TW // 2, TW - TW // 2)


def conv2d(input_shape, weight_shape, stride=1, padding=0, dilation=1, groups=1, who="conv2d") -> Geometry:
    """The geometry of `conv2d`: input (N, C, H, W), weight (O, C/G, KH, KW)."""
    N, C, H, W = input_shape
    O, CG, KH, KW = weight_shape
    SH, SW = pair(stride, "stride", 1, who)
    DH, DW = pair(dilation, "dilation", 1, who)
    G = positive(groups, "groups", who)
    (PT, PB), (PL, PR) = conv_padding(padding, (KH, KW), (SH, SW), (DH, DW), who)
    if C != CG * G or min(O, CG, KH, KW) < 1:
        raise RuntimeError(
            f"{who}: weight {tuple(weight_shape)} with groups={G} takes {CG * G} channels, but the input has {C}: "
            f"its shape is {tuple(input_shape)}, read as (N, C, H, W)."
        )
    check_groups(C, O, G, who)
    OH, OW = conv_size(H, KH, SH, PT + PB, DH), conv_size(W, KW, SW, PL + PR, DW)
    for axis, size, K, S, P, D, out in (("height", H, KH, SH, PT + PB, DH, OH), ("width", W, KW, SW, PL + PR, DW, OW)):
        if size < 1 or out < 1:
            raise RuntimeError(
                f"{who}: {axis} {size} becomes floor(({size} + {P} of padding - dilation {D} * (kernel_size {K} - 1) - 1) "
                f"/ stride {S}) + 1 = {out}; input and output must each be at least 1. Give a larger input or padding."
            )
    return Geometry(N, C, H, W, O, G, KH, KW, SH, SW, PT, PL, DH, DW, OH, OW)


# -------------------------------------------------------------------------------------- transposed convolution


def conv_transpose_size(size: int, K: int, S: int, P: int, D: int, OP: int) -> int:
    """(size - 1) S - 2 P + D (K - 1) + OP + 1: the input size that `conv_size` maps to `size`."""
    return (size - 1) * S - 2 * P + D * (K - 1) + OP + 1


def output_padding_for(output_size, input_shape, kernel_size, stride, padding, dilation, who: str) -> tuple[int, int]:
    """The output_padding with which a transposed convolution reaches `output_size`: (height, width), or a whole shape."""
    try:
        wanted = tuple(operator.index(size) for size in output_size)
    except TypeError:
        raise TypeError(f"{who}: output_size must be a tuple of ints, got {output_size!r}.") from None
    if len(input_shape) not in (3, 4) or len(wanted) not in (2, len(input_shape)):
        raise ValueError(
            f"{who}: output_size must give (height, width) or as many numbers as the input has dimensions, "
            f"got {output_size!r} for an input of shape {tuple(input_shape)}."
        )
    sizes = zip(input_shape[-2:], kernel_size, stride, padding, dilation, strict=True)
    least = [conv_transpose_size(*axis, 0) for axis in sizes]
    most = [size + S - 1 for size, S in zip(least, stride, strict=True)]
    if not all(low <= size <= high for low, size, high in zip(least, wanted[-2:], most, strict=True)):
        raise ValueError(
            f"{who}: output_size {wanted[-2:]} cannot be reached from an input of {tuple(input_shape[-2:])}; "
            f"the sizes from {tuple(least)} to {tuple(most)} can."
        )
    return (wanted[-2] - least[0], wanted[-1] - least[1])


def check_output_padding(output_padding, stride, dilation, who: str) -> tuple[int, int]:
    """Output padding picks one of the sizes that a stride rounds down to the same output: so it is less than S or D."""
    OP = pair(output_padding, "output_padding", 0, who)
    for op, S, D in zip(OP, stride, dilation, strict=True):
        if op >= S and op >= D:
            raise ValueError(
                f"{who}: output_padding must be smaller than stride or dilation, but {op} >= stride {S} and >= dilation {D}."
            )
    return OP


def conv_transpose2d(
    input_shape, weight_shape, stride=1, padding=0, output_padding=0, groups=1, dilation=1, who="conv_transpose2d"
) -> Geometry:
    """The geometry of the convolution that this one transposes: what goes in here is that one's *output*.

    Input (N, C, h, w) and weight (C, O/G, KH, KW) give the Geometry with O = C, OH = h, OW = w, whose H and W are the
    sizes that come out here.
    """
    N, C, h, w = input_shape
    CW, OG, KH, KW = weight_shape
    SH, SW = pair(stride, "stride", 1, who)
    PH, PW = pair(padding, "padding", 0, who)
    DH, DW = pair(dilation, "dilation", 1, who)
    G = positive(groups, "groups", who)
    OPH, OPW = check_output_padding(output_padding, (SH, SW), (DH, DW), who)
    if C != CW or min(OG, KH, KW) < 1:
        raise RuntimeError(
            f"{who}: weight {tuple(weight_shape)} takes {CW} channels, but the input has {C}: "
            f"its shape is {tuple(input_shape)}, read as (N, C, H, W)."
        )
    check_groups(C, OG * G, G, who)
    H, W = conv_transpose_size(h, KH, SH, PH, DH, OPH), conv_transpose_size(w, KW, SW, PW, DW, OPW)
    for axis, size, out, K, S, P, D, OP in (
        ("height", h, H, KH, SH, PH, DH, OPH),
        ("width", w, W, KW, SW, PW, DW, OPW),
    ):
        if size < 1 or out < 1:
            raise RuntimeError(
                f"{who}: the output's {axis} would be (size - 1) * stride - 2 * padding + dilation * (kernel_size - 1) + "
                f"output_padding + 1 = {size - 1} * {S} - 2 * {P} + {D} * {K - 1} + {OP} + 1 = {out}; "
                "input and output must each be at least 1. Give a larger input or less padding."
            )
    return Geometry(N, OG * G, H, W, C, G, KH, KW, SH, SW, PH, PW, DH, DW, h, w)


# ----------------------------------------------------------------------------------------------------- pooling


def pool_size(size: int, K: int, S: int, P: int, D: int, ceil_mode: bool) -> int:
    """conv_size, rounded up with ceil_mode; a window that would start past the image and its left padding is dropped."""
    span = size + 2 * P - D * (K - 1) - 1
    out = (-(-span // S) if ceil_mode else span // S) + 1
    return out - 1 if ceil_mode and (out - 1) * S >= size + P else out


def has_empty_window(size: int, S: int, P: int, D: int, out: int) -> bool:
    """True when some window's taps fall left and right of the image but never into it: possible for P > 0, D > size."""
    return D > size and any((o * S - P) % D >= size for o in range(min(out, -(-P // S))))


def check_pool_padding(padding, kernel_size, who: str) -> tuple[int, int]:
    """At most half the kernel (undilated, as in torch), so that every window can reach into the image."""
    paddings = pair(padding, "padding", 0, who)
    for P, K in zip(paddings, kernel_size, strict=True):
        if P > K // 2:
            raise ValueError(
                f"{who}: padding must be at most half the kernel size, got padding {P} with kernel size {K}."
            )
    return paddings


def max_pool2d(
    input_shape, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, who="max_pool2d"
) -> Geometry:
    """The geometry of `max_pool2d`: every channel by itself, so O = G = C. A stride of None is the kernel size."""
    N, C, H, W = input_shape
    KH, KW = pair(kernel_size, "kernel_size", 1, who)
    SH, SW = (KH, KW) if stride is None else pair(stride, "stride", 1, who)
    PH, PW = check_pool_padding(padding, (KH, KW), who)
    DH, DW = pair(dilation, "dilation", 1, who)
    sizes = []
    for axis, size, K, S, P, D in (("height", H, KH, SH, PH, DH), ("width", W, KW, SW, PW, DW)):
        out = pool_size(size, K, S, P, D, ceil_mode)
        if C < 1 or size < 1 or out < 1:
            raise RuntimeError(
                f"{who}: no window fits into the input {tuple(input_shape)}: {axis} {size} becomes "
                f"{'ceil' if ceil_mode else 'floor'}(({size} + 2 * padding {P} - dilation {D} * (kernel_size {K} - 1) - 1) / "
                f"stride {S}) + 1 = {out}; channels, input and output must be at least 1. Give a larger input or padding."
            )
        if has_empty_window(size, S, P, D, out):
            raise ValueError(
                f"{who}: with padding {P} and dilation {D} a window has no element of the input's {axis} {size} under it, "
                f"so it has no maximum. Choose a dilation of at most {size}."
            )
        sizes.append(out)
    return Geometry(N, C, H, W, C, C, KH, KW, SH, SW, PH, PW, DH, DW, *sizes)
