"""What every functional operation asks of its arrays, before a kernel sees them.

`who` is the name with which an error begins: the function that was called. A hint never
destroys data: it proposes a conversion only where every number stays, but for rounding.
"""

import numbers
import operator
from typing import Any

import numpy as np

from ...kernels import arrays
from ...kernels.arrays import native

FLOATS = ("float32", "float64")
INTEGERS = ("int64", "int32", "int16", "int8", "uint8")
INT64, UINT8 = INTEGERS[:1], INTEGERS[-1:]


def of_any_dtype(value, name: str, who: str) -> Any:
    """`value`, an array or tensor, in this machine's byte order and without autograd's tape."""
    value = arrays.from_number(value)
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{who}: {name} is a masked array, and masks are not obeyed here; {name}.filled(0) has none.")
    if not arrays.is_array(value) and arrays.is_array(getattr(value, "data", None)):
        raise TypeError(f"{who}: {name} must be an array, got a {type(value).__name__}; its array is .data.")
    if not arrays.is_array(value):
        raise TypeError(
            f"{who}: {name} must be a NumPy array, got {type(value).__name__}; np.asarray makes one. "
            "(Or all of them are torch tensors.)"
        )
    return native(value)


def array(value, name: str, who: str, dtypes=FLOATS) -> Any:
    """The same, if it is of one of the `dtypes`."""
    value = of_any_dtype(value, name, who)
    if arrays.dtype_name(value) not in dtypes:
        raise RuntimeError(
            f"{who}: {name} has dtype {arrays.dtype_name(value)}, but must have one of {', '.join(dtypes)}"
            f"{_converts(name, value, dtypes)}."
        )
    return value


def _kept(dtype: str, other: str) -> bool:
    """Whether numbers of one dtype stay, but for rounding, as numbers of the other."""
    if dtype == other or dtype == "bfloat16":  # which NumPy does not know
        return other in FLOATS
    return np.can_cast(dtype, other, "same_kind" if other in FLOATS else "safe")


def _converts(name, value, dtypes) -> str:
    """What to write so that `value` has one of the dtypes: of its own kind, if possible."""
    dtype = arrays.dtype_name(value)
    kept = [other for other in dtypes if _kept(dtype, other)]
    own = [other for other in kept if (other in FLOATS) == ("float" in dtype)]
    first = [*own, *kept][:1]
    return f"; {arrays.conversion(name, value, first[0])} converts" if first else ""


def _equal(its_name, other, name, value) -> str:
    """What to write so that the two arrays have one dtype."""
    dtype = arrays.dtype_name(value)
    wanted = arrays.dtype_name(other)
    ways = [arrays.conversion(its_name, other, dtype)] if _kept(wanted, dtype) else []
    ways += [arrays.conversion(name, value, wanted)] if _kept(dtype, wanted) else []
    if ways:
        return f"{' or '.join(ways)} makes them equal"
    both = arrays.conversion(its_name, other, "int64"), arrays.conversion(name, value, "int64")
    return f"{' and '.join(both)} make them equal"


def number(value, name: str, who: str) -> Any:
    """`value`, if it is one real number."""
    if not isinstance(value, numbers.Real):
        raise TypeError(f"{who}: {name} must be a number, got {value!r}.")
    return value


def whole_number(value, name: str, who: str) -> int:
    """`value` as an int, of at most 64 bits."""
    if not hasattr(value, "__index__") or np.ndim(value):
        raise TypeError(f"{who}: {name} must be an int, got {value!r}.")
    found = operator.index(value)
    if not -(2**63) <= found < 2**63:
        raise ValueError(f"{who}: {name} must fit into 64 bits, got {found}.")
    return found


def together(value, name: str, other, who: str, its_name: str = "input"):
    """`value`, if it is with the other one: NumPy arrays both, or tensors on one device.

    Nothing is moved silently.
    """
    if not arrays.on_same_device(value, other):
        raise RuntimeError(f"{who}: {arrays.not_together_message(name, value, its_name, other)}")
    return value


def like(value, name: str, other, who: str, shape=None, its_name: str = "input") -> Any:
    """`value` as an array of the other's dtype, and of the given shape where there is one.

    Nothing is converted silently.
    """
    value = together(array(value, name, who, FLOATS + INTEGERS), name, other, who, its_name)
    if value.dtype != other.dtype:
        raise RuntimeError(
            f"{who}: the {its_name} is {arrays.dtype_name(other)} but {name} is {arrays.dtype_name(value)}, "
            f"and nothing is converted silently; {_equal(its_name, other, name, value)}."
        )
    if shape is not None and value.shape != tuple(shape):
        raise RuntimeError(f"{who}: {name} must have shape {tuple(shape)}, got {tuple(value.shape)}.")
    return value


def images(x, who: str, name: str = "input") -> tuple[Any, bool]:
    """(N, C, H, W), and whether a batch dimension was added to a single (C, H, W)."""
    if x.ndim not in (3, 4):
        raise RuntimeError(
            f"{who}: the {name} must be (N, C, H, W), or (C, H, W) for one image, "
            f"got {x.ndim} dimension(s): {tuple(x.shape)}. A grey image (H, W) becomes (1, H, W) with x[None]."
        )
    return (x, False) if x.ndim == 4 else (x[None], True)


def is_one_image(input_shape, who: str) -> bool:
    """Whether `input_shape` is (C, H, W); otherwise it must be (N, C, H, W)."""
    if not isinstance(input_shape, (tuple, list)) or len(input_shape) not in (3, 4):
        raise TypeError(f"{who}: input_shape must be (N, C, H, W) or (C, H, W), got {input_shape!r}.")
    return len(input_shape) == 3


def weights(weight, names: str, who: str) -> Any:
    """A convolution's weight has four dimensions, none of them empty."""
    if weight.ndim != 4 or 0 in weight.shape:
        raise RuntimeError(
            f"{who}: weight must be {names}, each at least 1, got {weight.ndim} dimension(s): {tuple(weight.shape)}."
        )
    return weight


def grad(grad_output, output_shape, x, who: str, its_name: str = "input") -> Any:
    """A gradient has the shape and dtype of what it is the gradient of."""
    return like(grad_output, "grad_output", x, who, output_shape, its_name)
