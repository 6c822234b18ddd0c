"""MATLAB's .mat up to version 7.2, such as SVHN's cropped digits: X (H, W, C, N), y (N, 1)."""

from pathlib import Path

import numpy as np

from .found import Found, check_size, files_below, first_bytes, of_this_part, size_of


def reads(path: Path, part: str) -> Found | None:
    paths = files_below(path, [".mat"]) if path.is_dir() else [path] if path.is_file() else []
    paths = [file for file in paths if first_bytes(file, 10) == b"MATLAB 5.0"]
    if not paths:
        return None
    chosen, wanted = of_this_part(path if path.is_dir() else path.parent, paths, part)
    if len(chosen) != 1:
        raise ValueError(f"{path}: expected one .mat file of {part} images, found {', '.join(p.name for p in paths)}.")
    return from_file(chosen[0], wanted)


def from_file(path: Path, part: str | None) -> Found:
    import scipy.io  # only now: it takes its time to import

    check_size(path, size_of(path))
    try:
        arrays = {name: a for name, a in scipy.io.loadmat(path).items() if isinstance(a, np.ndarray)}
    except Exception as error:
        raise ValueError(f"{path} cannot be read as a .mat file: {str(error)[:200]}") from error
    images = next((a for a in arrays.values() if a.ndim in (3, 4)), None)
    labels = next((a for a in arrays.values() if a.ndim == 2 and 1 in a.shape), None)
    if images is None:
        listed = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "no array"
        raise ValueError(f"{path}: expected images (H, W, N) or (H, W, C, N) and labels (N, 1); found {listed}.")
    return Found(
        np.moveaxis(images, -1, 0), None if labels is None else labels.ravel(), f"MATLAB file {path.name}", part=part
    )
