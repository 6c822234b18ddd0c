"""Flax: what `flax.serialization.to_bytes(params)` writes, through msgpack (extra
`formats`).

Nested names, with each array as an extension: its shape, its dtype's name and its bytes.
https://flax.readthedocs.io/en/latest/api_reference/flax.serialization.html
"""

import math
from pathlib import Path
from typing import Any

import numpy as np

from .found import Found, widened_bfloat16
from .keras import natural
from .transposed import ONNX, Layer, to_torch

ARRAY, SCALAR = 1, 3  # Flax's numbers for its extensions: an array, a NumPy scalar


def begins(start: bytes) -> bool:
    """A map of one to fifteen entries or more, and then a string."""
    behind = {0xDE: 3, 0xDF: 5}.get(start[0], 1)
    named = len(start) > behind and (0xA1 <= start[behind] <= 0xBF or start[behind] == 0xD9)
    return named and (0x81 <= start[0] <= 0x8F or behind > 1)


def read(path: Path) -> Found:
    try:
        import msgpack
    except ImportError as error:
        raise ImportError(f"{path} holds msgpack, as Flax writes it: pip install 'minicnn[formats]'.") from error
    try:
        tree = msgpack.unpackb(path.read_bytes(), ext_hook=array, raw=False, strict_map_key=False)
    except Exception as error:  # msgpack's own kinds, and whatever a damaged array raises
        raise ValueError(
            f"{path} begins as Flax's msgpack does and is not whole: {str(error)[:200] or type(error).__name__}. "
            "Save it anew, or copy it again."
        ) from error
    while isinstance(tree.get("params"), dict):
        others = [name for name in tree if name != "params" and name not in ("step", "opt_state")]
        if others:
            raise ValueError(f"{path} holds {', '.join(others)} beside params, which no layer here has. {ONNX}")
        tree = tree["params"]
    try:
        layers = sorted(layers_in(tree, ""), key=lambda one: (-one.kernel.ndim, natural(one.name)))
        if not layers:
            raise ValueError("it holds no layers as Flax writes them: kernel and bias under a name.")
        return to_torch(layers)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def array(kind: int, data: bytes) -> Any:
    """The array in an extension, no larger than its bytes."""
    import msgpack

    if kind not in (ARRAY, SCALAR):
        raise ValueError(f"it holds an object of kind {kind}, which is no array")
    shape, name, content = msgpack.unpackb(data, raw=False)
    dtype = np.dtype("<u2" if name == "bfloat16" else name)
    if dtype.kind not in "biuf":
        raise ValueError(f"it holds an array of {name}; expected real numbers")
    if math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError(f"an array of shape {tuple(shape)} and {name} has {len(content)} bytes")
    found = np.frombuffer(content, dtype).reshape(shape)
    return widened_bfloat16(found) if name == "bfloat16" else found


def layers_in(tree: dict[Any, Any], above: str) -> list[Layer]:
    """The layers of nested names, `above` with dots between."""
    arrays = {str(name): value for name, value in tree.items() if isinstance(value, np.ndarray)}
    if arrays and (not {"kernel"} <= arrays.keys() <= {"kernel", "bias"} or "transpose" in above.lower()):
        shapes = ", ".join(f"{name} {value.shape}" for name, value in arrays.items())
        raise ValueError(
            f"the layer {above or 'outside of all'} holds {shapes}; expected the kernel, and perhaps the bias, of a"
            f" convolution or of a Dense. {ONNX}"
        )
    layers = [Layer(above, arrays["kernel"], arrays.get("bias"))] if arrays else []
    for name, value in tree.items():
        if isinstance(value, dict):
            layers += layers_in(value, f"{above}.{name}".lstrip("."))
    return layers
