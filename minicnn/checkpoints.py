"""Weights on disk: safetensors files with torch's key names, which torch can load too."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors


def save_weights(path: str | Path, state_dict: Mapping[str, np.ndarray]) -> None:
    """Write a `state_dict()` to a safetensors file."""
    arrays = {name: np.asarray(array, order="C") for name, array in state_dict.items()}
    write_whole(Path(path), safetensors.save(arrays))


def load_weights(path: str | Path) -> dict[str, np.ndarray]:
    """Read what `save_weights` or `safetensors.torch` wrote, ready for `load_state_dict`."""
    try:
        return safetensors.load(Path(path).read_bytes())
    except SafetensorError as error:
        raise ValueError(f"{path} is not a whole safetensors file: {error}. Train again, or copy it anew.") from error


def write_whole(path: Path, content: bytes) -> None:
    """Write all of `content` or nothing: a reader finds the old file or the new, never a half."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # without it, a power cut could leave the new name on no content
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
