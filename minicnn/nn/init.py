"""Initial weights: the same random numbers as torch draws, bit for bit in float32,
without torch.

Both use the Mersenne Twister (MT19937). torch takes one 32-bit number for a float32 and
keeps its low 24 bits, two for a float64 and keeps 53: as many as the number format
holds.
"""

import math
from typing import Any

import numpy as np

from .functional.random import generator
from .parameter import Parameter


def uniform(shape: tuple[int, ...], bound: float, dtype) -> np.ndarray:
    """Numbers drawn evenly from [-bound, bound), in the order in which torch draws them."""
    n = math.prod(shape)
    low, high = np.dtype(dtype).type(-bound), np.dtype(dtype).type(bound)
    if low.dtype == np.float32:
        u = (generator.random_raw(n) & (2**24 - 1)) * 2.0**-24
    else:
        upper, lower = generator.random_raw(2 * n).reshape(n, 2).T
        u = (((upper << np.uint64(32)) | lower) & np.uint64(2**53 - 1)) * 2.0**-53
    # Bounds and width are rounded to the dtype, the product is not: it is taken in
    # float64, as in torch.
    return (u * float(high - low) + float(low)).astype(dtype).reshape(shape)


def check_dtype(dtype: Any) -> np.dtype:
    """The dtype of weights that are learnt; None means float32."""
    found = np.dtype(np.float32 if dtype is None else dtype)
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
    bound = math.sqrt(3.0) * (math.sqrt(2.0 / (1 + math.sqrt(5) ** 2)) / root)
    weight = Parameter(uniform(weight_shape, bound, dtype))
    return weight, None if bias is None else Parameter(uniform((bias,), 1 / root, dtype))
