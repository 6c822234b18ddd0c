"""Weights to a file and back, in torch's words: `minicnn.save`, `minicnn.load`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .kernels.arrays import to_numpy
from .saved.files import write_whole
from .saved.weights import load_weights, save_weights, torch_bytes

__all__ = ["load", "load_weights", "save", "save_weights"]


def save(state_dict: Mapping[str, Any], path: str | Path) -> None:
    """Write a model's weights to a file: `minicnn.save(model.state_dict(), path)`.

    The name says the format: .safetensors, or torch's .pt and .pth, which need torch.
    The file holds the names, shapes, dtypes and bits of the arrays; what was on a
    device comes from there. An existing file is replaced, whole or not at all. Raises
    TypeError for anything but names with arrays, ValueError for another ending,
    ImportError without torch, OSError if it cannot be written.

    >>> import os, tempfile, minicnn
    >>> path = os.path.join(tempfile.mkdtemp(), "digits.safetensors")
    >>> model = minicnn.models.SimpleCNN()
    >>> minicnn.save(model.state_dict(), path)
    >>> model.load_state_dict(minicnn.load(path))
    KeysReport(missing_keys=[], unexpected_keys=[])

    https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html
    """
    if not isinstance(state_dict, Mapping) or not all(map(_is_array, state_dict.values())):
        raise TypeError(
            f"minicnn.save writes names with arrays, got {type(state_dict).__name__};"
            " write minicnn.save(model.state_dict(), path)."
        )
    path = Path(path)
    arrays = {name: to_numpy(value) for name, value in state_dict.items()}
    if path.suffix == ".safetensors":
        save_weights(path, arrays)
    elif path.suffix in (".pt", ".pth"):
        write_whole(path, torch_bytes(arrays))
    else:
        raise ValueError(
            f"minicnn.save: {path}: the name says the format, so it must end in .safetensors, .pt or .pth."
        )


def load(path: str | Path, model: Any = None) -> dict[str, np.ndarray]:
    """Read the weights in a file: `model.load_state_dict(minicnn.load(path))`.

    Safetensors, whole or in parts with an index; what torch.save wrote of a state_dict, an
    averaged model or a checkpoint with one; NumPy's .npz; Keras' .keras and .h5; Flax's
    msgpack. The content says which, and reading it runs no code. float16 and bfloat16
    become float32, which has all their numbers.

    With a `model` (None by default) the arrays come under its names: without what wrappers
    put before them, and for another framework's names matched by shape. A warning says
    which. Kernels of Keras and Flax come in torch's order, and the rows of the first Dense
    behind an image too.

    Raises FileNotFoundError; ValueError that says why a file will not do, or what it is and
    which command makes weights of it; ImportError that names the extra that reads it.

    https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html
    """
    return load_weights(path, model)


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")
