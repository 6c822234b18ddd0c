"""What every functional operation asks of its arrays, before a kernel sees them. Each message says who asks."""

import numpy as np

FLOATS = (np.dtype("float32"), np.dtype("float64"))
INTEGERS = tuple(map(np.dtype, ("int64", "int32", "int16", "int8", "uint8")))
INT64, UINT8 = INTEGERS[:1], INTEGERS[-1:]


def array(value, name: str, who: str, dtypes=FLOATS) -> np.ndarray:
    """`value` as an array in this machine's byte order, if it is an array of one of the `dtypes`."""
    if isinstance(value, np.generic):  # one number, as NumPy returns instead of a 0-dimensional array
        value = np.asarray(value)
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{who}: {name} must be a NumPy array, got {type(value).__name__}; np.asarray makes one.")
    if not value.dtype.isnative:
        value = value.astype(value.dtype.newbyteorder("="))
    if value.dtype not in dtypes:
        raise RuntimeError(
            f"{who}: {name} has dtype {value.dtype}, but must have one of {', '.join(map(str, dtypes))}; "
            f"{name}.astype({dtypes[0].name!r}) converts."
        )
    return value


def like(value, name: str, other: np.ndarray, who: str, shape=None) -> np.ndarray:
    """`value` as an array of the input's dtype, and of the given shape where there is one. Nothing is converted silently."""
    value = array(value, name, who, FLOATS + INTEGERS)
    if value.dtype != other.dtype:
        raise RuntimeError(
            f"{who}: the input is {other.dtype} but {name} is {value.dtype}, and nothing is converted silently; "
            f"input.astype({value.dtype.name!r}) or {name}.astype({other.dtype.name!r}) makes them equal."
        )
    if shape is not None and value.shape != tuple(shape):
        raise RuntimeError(f"{who}: {name} must have shape {tuple(shape)}, got {value.shape}.")
    return value


def images(x: np.ndarray, who: str) -> tuple[np.ndarray, bool]:
    """(N, C, H, W), and whether a batch dimension was added to a single (C, H, W)."""
    if x.ndim not in (3, 4):
        raise RuntimeError(
            f"{who}: the input must be (N, C, H, W), or (C, H, W) for one image, got {x.ndim} dimension(s): {x.shape}. "
            "A grey image (H, W) becomes (1, H, W) with x[None]."
        )
    return (x, False) if x.ndim == 4 else (x[None], True)


def weights(weight: np.ndarray, names: str, who: str) -> np.ndarray:
    """A convolution's weight has four dimensions, none of them empty."""
    if weight.ndim != 4 or weight.size == 0:
        raise RuntimeError(
            f"{who}: weight must be {names}, each at least 1, got {weight.ndim} dimension(s): {weight.shape}."
        )
    return weight


def grad(grad_output, output_shape, x: np.ndarray, who: str) -> np.ndarray:
    """A gradient has the shape and dtype of what it is the gradient of."""
    return like(grad_output, "grad_output", x, who, output_shape)
