"""NumPy's .npz: Keras' mnist.npz (x_train, y_train ...), MedMNIST (train_images,
train_labels ...), K49's single arrays.
"""

import zipfile
from pathlib import Path

import numpy as np

from .found import PARTS, Found, check_size, files_below, first_bytes, of_this_part, part_of

ZIP = b"PK\x03\x04"
IMAGES = ("images", "x", "data", "imgs", "image", "arr")
LABELS = ("labels", "y", "targets", "target", "label", "classes")


def reads(path: Path, part: str) -> Found | None:
    if path.is_dir():
        paths = [file for file in files_below(path, [".npz"]) if is_npz(file)]
    else:
        paths = [path] if path.is_file() and is_npz(path) else []
        if paths and not has_labels(path):
            paths = [file for file in files_below(path.parent, [".npz"]) if is_npz(file)]  # K49: labels beside it
    if not paths:
        return None
    if len(paths) == 1:
        return from_one(paths[0], part)
    return from_several(paths, part)


def is_npz(path: Path) -> bool:
    if first_bytes(path, 4) != ZIP or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return bool(names) and all(name.endswith(".npy") for name in names)


def has_labels(path: Path) -> bool:
    return any(kind_of(name) == "labels" for name in load(path, names_only=True))


def load(path: Path, names_only: bool = False) -> dict[str, np.ndarray]:
    """The arrays by name; no pickled object is ever loaded, and none that is larger
    than we read.
    """
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            check_size(path, entry.file_size, f", {entry.filename}")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: np.empty(0) if names_only else arrays[name] for name in arrays.files}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} cannot be read as .npz: {error}") from error


def kind_of(name: str) -> str | None:
    """Whether an array's name says images or labels: "x_train", "train_images", "images"."""
    words = name.lower().replace("-", "_").split("_")
    if set(words) & set(LABELS):
        return "labels"
    return "images" if set(words) & set(IMAGES) else None


def from_one(path: Path, part: str) -> Found:
    arrays = load(path)
    named = {name: (kind_of(name), part_of(name)) for name in arrays}
    divided = {where for _, where in named.values()} >= set(PARTS)
    wanted = part if divided else None

    def choose(kind: str) -> np.ndarray | None:
        of_kind = [name for name, found in named.items() if found[0] == kind and wanted in (None, found[1])]
        exact = [name for name in of_kind if "val" not in name.lower().split("_")] or of_kind  # test before val
        return arrays[exact[0]] if exact else None

    images, labels = choose("images"), choose("labels")
    if images is None:
        listed = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(
            f"{path}: expected arrays such as x_train and y_train, train_images and train_labels, or images and labels;"
            f" found {listed}. Save them again under these names with numpy.savez."
        )
    return Found(images, labels, f".npz with {', '.join(arrays)}", part=wanted)


def from_several(paths: list[Path], part: str) -> Found | None:
    """A file for each array, as K49-MNIST has them: k49-train-imgs.npz,
    k49-train-labels.npz.
    """
    chosen, wanted = of_this_part(paths[0].parent, paths, part)
    by_kind: dict[str | None, list[Path]] = {}
    for path in chosen:
        by_kind.setdefault(kind_of(path.stem), []).append(path)
    if len(by_kind.get("images", [])) != 1 or len(by_kind.get("labels", [])) > 1:
        names = ", ".join(path.name for path in paths)
        raise ValueError(f"{paths[0].parent} holds several .npz files ({names}): name one of them.")
    (images,) = load(by_kind["images"][0]).values()
    labels = next(iter(load(by_kind["labels"][0]).values())) if "labels" in by_kind else None
    return Found(images, labels, ".npz, a file for each array", part=wanted)
