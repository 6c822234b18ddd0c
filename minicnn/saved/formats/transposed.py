"""Kernels of Keras and Flax in torch's order.

               Keras, Flax        torch, minicnn
convolution    (KH, KW, I, O)     (O, I, KH, KW)
transposed     (KH, KW, O, I)     (I, O, KH, KW)      Keras alone
Dense, Linear  (I, O)             (O, I)

Often believed: transposing is all. In fact Keras and Flax store images as (H, W, C), and
so a flattened image has another order: the rows of the first Dense behind a convolution
stand for (H, W, C), here they stand for (C, H, W). With its rows in the wrong order a
network that reads 96 % of the digits reads 10 %. Of the three sizes only C must be known:
H and W keep their order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .found import Found, widened

ONNX = "Export the network as ONNX, and python -m minicnn.convert MODEL.onnx weights.safetensors reads it."


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer's arrays as the file has them."""

    name: str
    kernel: np.ndarray
    bias: np.ndarray | None
    transposed: bool = False  # a transposed convolution


def to_torch(layers: Sequence[Layer], channels_last: bool = True) -> Found:
    """The weights of these layers. Their order may be any, since Flax keeps none: shapes say
    which Dense takes what another gives, and which takes an image.
    """
    weights: dict[str, np.ndarray] = {}
    notes = ["Kernels were brought to torch's order, (O, I, KH, KW) and (O, I)."]
    flattened = behind_images(layers) if channels_last else []
    C = last_channels(layers)
    for layer in layers:
        kernel = widened(layer.kernel)
        if layer in flattened:
            kernel = rows_by_channel(layer.name, kernel, C)
            notes.append(
                f"The rows of {layer.name} went from (H, W, C) to (C, H, W), C = {C}, as they follow a flattened image."
            )
        weight = kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T
        weights[f"{layer.name}.weight"] = np.ascontiguousarray(weight)
        if layer.bias is not None:
            weights[f"{layer.name}.bias"] = widened(layer.bias)
    return Found(weights, tuple(notes))


def behind_images(layers: Sequence[Layer]) -> list[Layer]:
    """The Dense layers that take a flattened image: as many numbers as no other Dense gives."""
    dense = [layer for layer in layers if layer.kernel.ndim == 2]
    if not dense or len(dense) == len(layers):
        return []
    first = [one for one in dense if all(one.kernel.shape[0] != o.kernel.shape[1] for o in dense if o is not one)]
    if not first:
        raise ValueError("each Dense takes as many numbers as another gives, so none is the first. " + ONNX)
    return first


def last_channels(layers: Sequence[Layer]) -> int:
    """How many channels the last convolution gives; 0 without one."""
    sizes = [layer.kernel.shape[2:] for layer in layers if layer.kernel.ndim == 4]
    flags = [layer.transposed for layer in layers if layer.kernel.ndim == 4]
    takes = [size[transposed] for size, transposed in zip(sizes, flags, strict=True)]
    gives = [size[not transposed] for size, transposed in zip(sizes, flags, strict=True)]
    ends = set(gives) - set(takes)
    return ends.pop() if len(ends) == 1 else gives[-1] if gives else 0


def rows_by_channel(name: str, kernel: np.ndarray, C: int) -> np.ndarray:
    """Rows (H, W, C) as rows (C, H, W); the columns stay.

    >>> rows_by_channel("dense", np.array([[11], [21], [12], [22]]), C=2).tolist()
    [[11], [12], [21], [22]]
    """
    I, O = kernel.shape
    if I % C:
        raise ValueError(
            f"{name} takes {I} numbers, and the last convolution gives {C} channels, of which {I} is no multiple:"
            f" another layer stands between. {ONNX}"
        )
    return kernel.reshape(I // C, C, O).swapaxes(0, 1).reshape(I, O)  # (H W, C, O) -> (C, H W, O)
