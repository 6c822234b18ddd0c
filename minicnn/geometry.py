"""Every size formula and every shape check of a sliding window, written once and used by all.

Notation, here and in the kernels:

    N images, C channels, H x W pixels     the input         (N, C, H, W)
    O channels, OH x OW pixels             the output        (N, O, OH, OW)
    KH x KW                                the kernel        weight (O, C/G, KH, KW)
    S stride, P padding, D dilation        each with a letter H (down) or W (across) behind it
    G groups                               output block b sees input block b alone

The sizes come first, then the Geometry that carries them to the kernels, then how an
operation's arguments become one, then the checks. Arguments that make no sense in
themselves raise ValueError or TypeError, arrays that do not fit them RuntimeError, as in
torch. `who` is the name with which an error begins: the function that was called.
"""

import operator
from collections import namedtuple

IntPair = int | tuple[int, int]


# ------------------------------------------------------------ the sizes, along one axis


def conv_size(size: int, K: int, S: int, padding: int, D: int) -> int:
    """floor((size + padding - D (K - 1) - 1) / S) + 1, where `padding` counts both sides.

    A window spans D (K - 1) + 1 pixels, so the last may start at `size + padding` minus that;
    one starts at 0 and at every S-th pixel up to it. What is left over at the end (less than
    S pixels) is seen by no window.
    """
    return (size + padding - D * (K - 1) - 1) // S + 1


def conv_transpose_size(size: int, K: int, S: int, P: int, D: int, OP: int) -> int:
    """(size - 1) S - 2 P + D (K - 1) + OP + 1.

    With OP < S, `conv_size` with padding 2 P maps it back to `size`.
    """
    return (size - 1) * S - 2 * P + D * (K - 1) + OP + 1


def same_padding(K: int, D: int) -> tuple[int, int]:
    """(before, after): with D (K - 1) zeros in all, stride 1 keeps the size.

    The odd one comes after, as in torch.
    """
    total = D * (K - 1)
    return total // 2, total - total // 2


def pool_size(size: int, K: int, S: int, P: int, D: int, ceil_mode: bool) -> int:
    """conv_size with P on both sides; ceil_mode rounds up.

    A last window that would start in the right padding is dropped, as in torch.
    """
    span = size + 2 * P - D * (K - 1) - 1
    if not ceil_mode:
        return span // S + 1
    out = -(-span // S) + 1  # ceil
    starts_past_the_image = (out - 1) * S >= size + P
    return out - 1 if starts_past_the_image else out


def has_empty_window(size: int, S: int, P: int, D: int, out: int) -> bool:
    """True when some window's taps fall left and right of the image but never into it.

    That takes padding, and a dilation larger than the image.
    """
    starts_in_the_padding = range(min(out, -(-P // S)))  # ceil
    # (o S - P) mod D is its first tap at or right of pixel 0.
    return D > size and any((o * S - P) % D >= size for o in starts_in_the_padding)


# ---------------------------------------------------------- what travels to the kernels


class Geometry(namedtuple("Geometry", "N C H W  O G  KH KW  SH SW  PH PW  DH DW  OH OW")):
    """One window sliding over one input: all that a kernel set needs to know, checked once.

    PH and PW are the rows of zeros above and the columns left of the image. What lies below
    and right follows from OH and OW: wherever the last windows reach past the image, they
    read zeros. So "same" padding with an even kernel (one more column right than left) and
    the output_padding of a transposed convolution need no field of their own.
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
        """Rows and columns of the padded image.

        From the first padded zero to the last pixel that the image or a window reaches.
        """
        HP = max(self.PH + self.H, (self.OH - 1) * self.SH + self.DH * (self.KH - 1) + 1)
        WP = max(self.PW + self.W, (self.OW - 1) * self.SW + self.DW * (self.KW - 1) + 1)
        return HP, WP


# -------------------------------------------------- from an operation's arguments to it


def conv2d(input_shape, weight_shape, stride=1, padding=0, dilation=1, groups=1, who="conv2d") -> Geometry:
    """The geometry of `conv2d`: input (N, C, H, W) or (C, H, W), weight (O, C/G, KH, KW)."""
    N, C, H, W = _batch(input_shape)
    O, CG, KH, KW = weight_shape
    SH, SW = pair(stride, "stride", 1, who)
    DH, DW = pair(dilation, "dilation", 1, who)
    G = positive(groups, "groups", who)
    (PT, PB), (PL, PR) = conv_padding(padding, (KH, KW), (SH, SW), (DH, DW), who)
    _check_not_empty(weight_shape, who)
    if C != CG * G:
        raise RuntimeError(
            f"{who}: weight {tuple(weight_shape)} with groups={G} takes {CG * G} channels, "
            f"but the input has {C}: {_as_read(input_shape, CG * G)}"
        )
    check_groups(C, O, G, who)
    OH = conv_size(H, KH, SH, PT + PB, DH)
    OW = conv_size(W, KW, SW, PL + PR, DW)
    _check_conv_axis("height", H, K=KH, S=SH, padding=PT + PB, D=DH, out=OH, who=who)
    _check_conv_axis("width", W, K=KW, S=SW, padding=PL + PR, D=DW, out=OW, who=who)
    return Geometry(N=N, C=C, H=H, W=W, O=O, G=G, KH=KH, KW=KW, SH=SH, SW=SW, PH=PT, PW=PL, DH=DH, DW=DW, OH=OH, OW=OW)


def conv_transpose2d(
    input_shape, weight_shape, stride=1, padding=0, output_padding=0, groups=1, dilation=1, who="conv_transpose2d"
) -> Geometry:
    """The geometry of the convolution that this one transposes.

    What goes in here is that one's *output*.

    Input (N, C, h, w) or (C, h, w) and weight (C, O/G, KH, KW) give the Geometry with O =
    C, OH = h, OW = w, whose H and W are the sizes that come out here.
    """
    N, C, h, w = _batch(input_shape)
    CW, OG, KH, KW = weight_shape
    SH, SW = pair(stride, "stride", 1, who)
    PH, PW = pair(padding, "padding", 0, who)
    DH, DW = pair(dilation, "dilation", 1, who)
    G = positive(groups, "groups", who)
    OPH, OPW = check_output_padding(output_padding, (SH, SW), (DH, DW), who)
    _check_not_empty(weight_shape, who)
    if C != CW:
        raise RuntimeError(
            f"{who}: weight {tuple(weight_shape)} takes {CW} channels, "
            f"but the input has {C}: {_as_read(input_shape, CW)}"
        )
    check_groups(C, OG * G, G, who)
    H = conv_transpose_size(h, KH, SH, PH, DH, OP=OPH)
    W = conv_transpose_size(w, KW, SW, PW, DW, OP=OPW)
    _check_conv_transpose_axis("height", h, K=KH, S=SH, P=PH, D=DH, OP=OPH, out=H, who=who)
    _check_conv_transpose_axis("width", w, K=KW, S=SW, P=PW, D=DW, OP=OPW, out=W, who=who)
    return Geometry(
        N=N, C=OG * G, H=H, W=W, O=C, G=G, KH=KH, KW=KW, SH=SH, SW=SW, PH=PH, PW=PW, DH=DH, DW=DW, OH=h, OW=w
    )


def max_pool2d(
    input_shape, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, who="max_pool2d"
) -> Geometry:
    """The geometry of `max_pool2d`, for input (N, C, H, W) or (C, H, W); of `avg_pool2d` too.

    Every channel is pooled by itself, so O = G = C. A stride of None is the kernel size.
    """
    N, C, H, W = _batch(input_shape)
    KH, KW = pair(kernel_size, "kernel_size", 1, who)
    SH, SW = (KH, KW) if stride is None else pair(stride, "stride", 1, who)
    PH, PW = check_pool_padding(padding, (KH, KW), who)
    DH, DW = pair(dilation, "dilation", 1, who)
    OH = pool_size(H, KH, SH, PH, DH, ceil_mode)
    OW = pool_size(W, KW, SW, PW, DW, ceil_mode)
    common = {"input_shape": tuple(input_shape), "ceil_mode": ceil_mode, "who": who}
    _check_pool_axis("height", H, K=KH, S=SH, P=PH, D=DH, out=OH, **common)
    _check_pool_axis("width", W, K=KW, S=SW, P=PW, D=DW, out=OW, **common)
    return Geometry(N=N, C=C, H=H, W=W, O=C, G=C, KH=KH, KW=KW, SH=SH, SW=SW, PH=PH, PW=PW, DH=DH, DW=DW, OH=OH, OW=OW)


def adaptive_size(output_size, input_size: tuple[int, int], who: str) -> tuple[int, int]:
    """(OH, OW), for one int or a pair of ints; None stands for the input's size."""
    given = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size, output_size)
    if len(given) != 2:
        raise ValueError(f"{who}: output_size must be an int or a pair, got {output_size!r}.")
    H, W = input_size
    OH = H if given[0] is None else integer(given[0], "output_size", who, 0)
    OW = W if given[1] is None else integer(given[1], "output_size", who, 0)
    return OH, OW


def conv_padding(padding, kernel_size, stride, dilation, who: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """(above, below), (left, right), for numbers, "same" and "valid"."""
    if not isinstance(padding, str):
        PH, PW = pair(padding, "padding", 0, who)
        return (PH, PH), (PW, PW)
    if padding not in ("same", "valid"):
        raise ValueError(f"{who}: padding must be an int, a pair, 'same' or 'valid', got {padding!r}.")
    if padding == "valid":
        return (0, 0), (0, 0)
    if tuple(stride) != (1, 1):
        raise ValueError(f"{who}: padding='same' needs stride 1, got {stride}; give the padding as numbers instead.")
    return same_padding(kernel_size[0], dilation[0]), same_padding(kernel_size[1], dilation[1])


def output_padding_for(output_size, input_shape, kernel_size, stride, padding, dilation, who: str) -> tuple[int, int]:
    """The output_padding with which a transposed convolution reaches `output_size`.

    `output_size` is (height, width), or a whole shape.

    S sizes of the transposed convolution's output belong to one size of its input; torch does
    not count what a dilation allows beyond them.
    """
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


def _batch(input_shape) -> tuple[int, int, int, int]:
    """(N, C, H, W), where (C, H, W) is one image."""
    N, C, H, W = (1, *input_shape) if len(input_shape) == 3 else input_shape
    return N, C, H, W


# --------------------------------------------------------------------------- the checks


def pair(value, name: str, least: int, who: str, what: str = "an int or a pair of ints") -> tuple[int, int]:
    """`value` or `(value_h, value_w)` as two ints, each at least `least`."""
    given = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    for number in given:
        if isinstance(number, bool) or not hasattr(number, "__index__"):
            raise TypeError(f"{who}: {name} must be {what}, got {value!r}.")
    values = [operator.index(number) for number in given]
    if len(values) not in (1, 2) or min(values) < least:
        raise ValueError(f"{who}: {name} must be {what}, at least {least}, got {value!r}.")
    return values[0], values[-1]


def integer(value, name: str, who: str, least: int) -> int:
    """`value` as one int of at least `least`."""
    if isinstance(value, (tuple, list)):
        raise TypeError(f"{who}: {name} must be one int, got {value!r}.")
    return pair(value, name, least, who, "an int")[0]


def positive(value, name: str, who: str) -> int:
    """`value` as one int of at least 1."""
    return integer(value, name, who, 1)


def check_groups(C: int, O: int, G: int, who: str) -> None:
    """Both channel counts must fall into G equal blocks."""
    for name, channels in (("in_channels", C), ("out_channels", O)):
        if channels % G:
            raise ValueError(f"{who}: {name} must be divisible by groups, but {channels} is not divisible by {G}.")


def check_output_padding(output_padding, stride, dilation, who: str) -> tuple[int, int]:
    """The output padding as a pair, less than S or D.

    Below S it picks one of the sizes of the transposed convolution's output that the
    convolution rounds down to one size; from S on, those sizes belong to the next one.
    """
    OP = pair(output_padding, "output_padding", 0, who)
    for op, S, D in zip(OP, stride, dilation, strict=True):
        if op >= S and op >= D:
            raise ValueError(
                f"{who}: output_padding must be smaller than stride or dilation, "
                f"but {op} >= stride {S} and >= dilation {D}."
            )
    return OP


def check_pool_padding(padding, kernel_size, who: str) -> tuple[int, int]:
    """The padding as a pair: at most half the kernel, so that every window can reach the image.

    The kernel counts undilated, as in torch.
    """
    paddings = pair(padding, "padding", 0, who)
    for P, K in zip(paddings, kernel_size, strict=True):
        if P > K // 2:
            raise ValueError(
                f"{who}: padding must be at most half the kernel size, got padding {P} with kernel size {K}."
            )
    return paddings


def _check_not_empty(weight_shape, who: str) -> None:
    if min(weight_shape) < 1:
        raise RuntimeError(f"{who}: weight {tuple(weight_shape)} is empty; each of its sizes must be at least 1.")


def _as_read(input_shape, channels: int) -> str:
    """The end of a sentence about a wrong number of channels."""
    if len(input_shape) == 4:
        return f"its shape is {tuple(input_shape)}, read as (N, C, H, W)."
    hint = " A batch of grey images (N, H, W) becomes (N, 1, H, W) with x[:, None]." if channels == 1 else ""
    return f"its shape is {tuple(input_shape)}, read as one image (C, H, W).{hint}"


def _check_conv_axis(axis, size, *, K, S, padding, D, out, who: str) -> None:
    if size < 1 or out < 1:
        raise RuntimeError(
            f"{who}: {axis} {size} becomes floor(({size} + {padding} of padding - dilation {D} * (kernel_size {K} - 1) "
            f"- 1) / stride {S}) + 1 = {out}; input and output must each be at least 1. "
            "Give a larger input or padding."
        )


def _check_conv_transpose_axis(axis, size, *, K, S, P, D, OP, out, who: str) -> None:
    if size < 1 or out < 1:
        raise RuntimeError(
            f"{who}: the output's {axis} would be "
            "(size - 1) * stride - 2 * padding + dilation * (kernel_size - 1) + output_padding + 1 = "
            f"{size - 1} * {S} - 2 * {P} + {D} * {K - 1} + {OP} + 1 = {out}; "
            "input and output must each be at least 1. Give a larger input or less padding."
        )


def _check_pool_axis(axis, size, *, K, S, P, D, out, input_shape, ceil_mode, who: str) -> None:
    C = input_shape[-3]
    if C < 1 or size < 1 or out < 1:
        raise RuntimeError(
            f"{who}: no window fits into the input {input_shape}: {axis} {size} becomes "
            f"{'ceil' if ceil_mode else 'floor'}(({size} + 2 * padding {P} - dilation {D} * (kernel_size {K} - 1) "
            f"- 1) / stride {S}) + 1 = {out}; channels, input and output must be at least 1. "
            "Give a larger input or padding."
        )
    if has_empty_window(size, S, P, D, out):
        raise ValueError(
            f"{who}: with padding {P} and dilation {D} a window has no element of the input's {axis} {size} under it, "
            f"so it has no maximum. Choose a dilation of at most {size}."
        )
