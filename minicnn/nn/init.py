"""Initial weights: the same random numbers as torch draws, bit for bit in float32,
without torch.

Both use the Mersenne Twister (MT19937). torch takes one 32-bit number for a float32 and
keeps its low 24 bits, two for a float64 and keeps 53: as many as the number format
holds.
"""

import math
from typing import Any

import numpy as np

from ..kernels.arrays import copied, dtype_for, dtype_name, is_array, overwrite
from .functional.random import generator, spare
from .parameter import Parameter


def unit(n: int, dtype: Any) -> np.ndarray:
    """n numbers in [0, 1), as exact as the dtype holds them, in float64."""
    if np.dtype(dtype) == np.float32:
        return (generator.random_raw(n) & (2**24 - 1)) * 2.0**-24
    upper, lower = generator.random_raw(2 * n).reshape(n, 2).T
    both = (upper << np.uint64(32)) | lower
    return (both & np.uint64(2**53 - 1)) * 2.0**-53


def between(shape: tuple[int, ...], low: float, high: float, dtype: Any) -> np.ndarray:
    """Numbers drawn evenly from [low, high), in the order in which torch draws them."""
    kind = np.dtype(dtype).type
    width = float(kind(high) - kind(low))
    # Bounds and width are rounded to the dtype, the product is not: it is taken in
    # float64, as in torch.
    numbers = unit(math.prod(shape), dtype) * width + float(kind(low))
    return numbers.astype(dtype).reshape(shape)


def uniform(shape: tuple[int, ...], bound: float, dtype) -> np.ndarray:
    """Numbers drawn evenly from [-bound, bound)."""
    return between(shape, -bound, bound, dtype)


def check_dtype(dtype: Any) -> np.dtype:
    """The dtype of weights that are learnt; None means float32."""
    found = dtype_for(np.float32 if dtype is None else dtype, "weights that are learnt")
    if found.name not in ("float32", "float64"):
        raise ValueError(f"dtype must be float32 or float64 for weights that are learnt, got {found}.")
    return found


def weight_and_bias(weight_shape: tuple[int, ...], bias: int | None, dtype) -> tuple[Parameter, Parameter | None]:
    """torch's default for linear and convolution layers: uniform within 1 /
    sqrt(fan_in), weight first, then bias.

    fan_in is the number of inputs that one output sums over; `bias` the number of
    biases. (He et al., 2015, with a = sqrt(5), is where it comes from, and its
    rounding: sqrt(5)^2 is 5.000000000000001 in float64.) Where nothing is summed, fan_in =
    0, all starts at 0.
    """
    dtype = check_dtype(dtype)
    fan_in = math.prod(weight_shape[1:])
    root = math.sqrt(fan_in) or math.inf
    gain = math.sqrt(2.0 / (1 + math.sqrt(5) ** 2))
    bound = math.sqrt(3.0) * (gain / root)
    weight = Parameter(uniform(weight_shape, bound, dtype))
    if bias is None:
        return weight, None
    return weight, Parameter(uniform((bias,), 1 / root, dtype))


# ------------------------------------------------------------- other beginnings, by choice
#
# Each fills a parameter, or an array, in place and returns it, with torch's numbers from
# the seed. https://docs.pytorch.org/docs/stable/nn.init.html

GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """How much larger weights must be, so that the numbers keep their size behind the
    activation: sqrt(2) for "relu", which drops half of them.

    `param` is the slope of "leaky_relu", 0.01 unless given. Raises ValueError for a name
    that is unknown.
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in GAINS:
        raise ValueError(f"nonlinearity must be one of {', '.join(GAINS)}, leaky_relu, got {nonlinearity!r}.")
    return GAINS[nonlinearity]


def uniform_(tensor: Any, a: float = 0.0, b: float = 1.0) -> Any:
    """Evenly from [a, b)."""
    return _filled(tensor, lambda shape, dtype: between(shape, a, b, dtype))


def normal_(tensor: Any, mean: float = 0.0, std: float = 1.0) -> Any:
    """From the bell curve: torch's numbers but for rounding, as its logarithm, sine and
    cosine depend on the processor.
    """

    def drawn(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        return _normal(math.prod(shape), mean, std, dtype).reshape(shape)

    return _filled(tensor, drawn)


def constant_(tensor: Any, val: float) -> Any:
    """The number `val` everywhere."""
    return _filled(tensor, lambda shape, dtype: np.full(shape, val, dtype))


def ones_(tensor: Any) -> Any:
    """1 everywhere."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Any) -> Any:
    """0 everywhere."""
    return constant_(tensor, 0.0)


def xavier_uniform_(tensor: Any, gain: float = 1.0) -> Any:
    """Evenly, with the standard deviation gain sqrt(2 / (fan_in + fan_out)): a compromise
    between forward and backward (Glorot and Bengio, 2010).
    """
    bound = math.sqrt(3.0) * _xavier(tensor, gain)
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Any, gain: float = 1.0) -> Any:
    """The same from the bell curve."""
    return normal_(tensor, 0.0, _xavier(tensor, gain))


def kaiming_uniform_(tensor: Any, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Any:
    """Evenly, with the standard deviation gain / sqrt(fan): each layer keeps the size of
    the numbers, forward with "fan_in", backward with "fan_out" (He et al., 2015).

    `a` is the slope of a leaky ReLU behind the layer.
    """
    bound = math.sqrt(3.0) * _kaiming(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor: Any, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Any:
    """The same from the bell curve."""
    return normal_(tensor, 0.0, _kaiming(tensor, a, mode, nonlinearity))


def _xavier(tensor: Any, gain: float) -> float:
    fan_in, fan_out = _fans(tensor)
    return gain * math.sqrt(2.0 / float(fan_in + fan_out))


def _kaiming(tensor: Any, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode must be 'fan_in' or 'fan_out', got {mode!r}.")
    fan_in, fan_out = _fans(tensor)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan_in if mode == "fan_in" else fan_out)


def _fans(tensor: Any) -> tuple[int, int]:
    """How many inputs one output sums over, and how many outputs one input enters."""
    if len(tensor.shape) < 2 or 0 in tensor.shape:
        raise ValueError(
            f"a weight needs at least two dimensions, none of them empty, for fan_in and fan_out, got shape "
            f"{tuple(tensor.shape)}; a bias is filled by zeros_ or uniform_."
        )
    window = math.prod(tensor.shape[2:])
    return tensor.shape[1] * window, tensor.shape[0] * window


def _filled(tensor: Any, numbers: Any) -> Any:
    data = tensor.data if isinstance(tensor, Parameter) else tensor
    if not is_array(data):
        raise TypeError(f"a Parameter or an array is filled, got {type(tensor).__name__}.")
    dtype = check_dtype(dtype_name(data))
    overwrite(data, copied(numbers(tuple(data.shape), dtype), data))
    if isinstance(tensor, Parameter):
        tensor.version += 1
    return tensor


def _normal(n: int, mean: float, std: float, dtype: Any) -> np.ndarray:
    """n numbers by Box and Muller's formula, drawn as torch draws them.

    Two even numbers u, v become radius cos(angle) and radius sin(angle), with radius =
    sqrt(-2 log(1 - u)) and angle = 2 pi v. From 16 numbers on, torch works in blocks of
    16, whose first half are the u and whose second half the v; the last 16 are drawn anew
    where n is not a multiple. Fewer are made in pairs, in float64.
    """
    if n < 16:
        return np.array([mean + std * _one_normal() for _ in range(n)], dtype)
    u = unit(n, dtype)
    numbers = np.empty(n)

    def rounded(x: Any) -> Any:
        """As torch rounds after each operation, but for the last product and sum."""
        return np.asarray(x, dtype).astype(float)

    starts = list(range(0, n - 15, 16))
    blocks = [u[start : start + 16] for start in starts]
    if n % 16:
        starts.append(n - 16)
        blocks.append(unit(16, dtype))
    for start, block in zip(starts, blocks, strict=True):
        logarithm = rounded(np.log(1 - block[:8]))
        radius = rounded(np.sqrt(rounded(-2 * logarithm)))
        angle = rounded(rounded(2 * math.pi) * block[8:])
        turned = np.concatenate([rounded(np.cos(angle)), rounded(np.sin(angle))])
        numbers[start : start + 16] = rounded(np.tile(radius, 2) * turned)
    return (rounded(mean) + rounded(std) * numbers).astype(dtype)


def _one_normal() -> float:
    if spare:
        return spare.pop()
    v, u = unit(2, np.float64)
    radius = math.sqrt(-2 * math.log1p(-u))
    spare.append(radius * math.sin(2 * math.pi * v))
    return radius * math.cos(2 * math.pi * v)
