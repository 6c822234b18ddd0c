"""Weights on disk under torch's names: safetensors files, and whatever else people hold
weights in (`formats`).
"""

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import numpy as safetensors

from .files import write_whole
from .fitting import fitted
from .formats import Found, reader_of, strangers


def save_weights(path: str | Path, state_dict: Mapping[str, np.ndarray]) -> None:
    """Write a `state_dict()` to a safetensors file."""
    arrays = {name: np.asarray(array, order="C") for name, array in state_dict.items()}
    write_whole(Path(path), safetensors.save(arrays))


def load_weights(path: str | Path, model: Any = None) -> dict[str, np.ndarray]:
    """Read a file with weights, ready for `load_state_dict`: safetensors, what torch saved,
    .npz, Keras' or Flax's.

    What a file is, its content says, not its name. Nothing that is read can run code. With
    a `model` (anything with a `state_dict()`) the arrays come under its names, with a
    warning that says what was done.
    """
    found = read_weights(path)
    if model is None:
        return found.weights
    fitting = fitted(found, model.state_dict())
    if fitting is not found:
        warnings.warn(f"{path}: {fitting.notes[-1]}", stacklevel=2)
    return fitting.weights


def read_weights(path: str | Path) -> Found:
    """The weights in a file, and what was done to them."""
    path = Path(path)
    if path.exists() and not path.is_file():
        what = strangers.what_folder(path) if path.is_dir() else "is no file: name the file with the weights."
        raise IsADirectoryError(f"{path} {what}")
    return reader_of(path)(path)


def torch_bytes(weights: Mapping[str, np.ndarray]) -> bytes:
    """What `torch.save(state_dict, path)` would write."""
    try:
        import torch
    except ImportError as error:
        raise ImportError("Writing .pt or .pth files needs torch: pip install 'minicnn[torch]'.") from error
    content = io.BytesIO()
    torch.save({name: torch.from_numpy(np.array(array, order="C")) for name, array in weights.items()}, content)
    return content.getvalue()
