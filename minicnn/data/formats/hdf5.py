"""HDF5 with images and labels, in the file itself or in groups train and test. Needs
h5py (extra `formats`).
"""

from pathlib import Path
from typing import Any

import numpy as np

from .found import PARTS, Found, check_size, files_below, first_bytes, of_this_part, part_of
from .npz import kind_of

MAGIC = b"\x89HDF\r\n\x1a\n"


def reads(path: Path, part: str) -> Found | None:
    endings = (".h5", ".hdf5", ".he5", ".mat")
    paths = files_below(path, endings) if path.is_dir() else [path] if path.is_file() else []
    paths = [file for file in paths if first_bytes(file, 8) == MAGIC]
    if not paths:
        return None
    chosen, wanted = of_this_part(path if path.is_dir() else path.parent, paths, part)
    if len(chosen) != 1:
        raise ValueError(f"{path}: expected one HDF5 file of {part} images, found {', '.join(p.name for p in paths)}.")
    return from_file(chosen[0], part, wanted)


def from_file(path: Path, part: str, wanted: str | None) -> Found:
    try:
        import h5py
    except ImportError as error:
        raise ValueError(f"{path} is an HDF5 file: install minicnn[formats], which brings h5py.") from error
    try:
        with h5py.File(path) as file:
            arrays = datasets(file, path)
    except OSError as error:
        raise ValueError(f"{path} cannot be read as HDF5: {str(error)[:200]}") from error
    divided = {part_of(name) for name in arrays} >= set(PARTS)
    chosen = {name: a for name, a in arrays.items() if not divided or part_of(name) == part}
    images = next((a for name, a in chosen.items() if kind_of(name.split("/")[-1]) == "images"), None)
    labels = next((a for name, a in chosen.items() if kind_of(name.split("/")[-1]) == "labels"), None)
    if images is None:
        listed = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "nothing"
        raise ValueError(f"{path}: expected data sets such as images and labels, or train/data; found {listed}.")
    if images.ndim == 2 and int(images.shape[1] ** 0.5) ** 2 == images.shape[1]:
        side = int(images.shape[1] ** 0.5)
        images = images.reshape(-1, side, side)
    return Found(images, labels, f"HDF5 file {path.name}", part=part if divided else wanted)


def datasets(group: Any, path: Path) -> dict[str, np.ndarray]:
    """All arrays of numbers in the file, by their path in it."""
    found: dict[str, np.ndarray] = {}

    def visit(name: str, item: Any) -> None:
        if hasattr(item, "dtype") and item.dtype.kind in "iuf" and item.ndim:
            check_size(path, item.size * item.dtype.itemsize, f", {name}")
            found[name] = item[()]

    group.visititems(visit)
    return found
