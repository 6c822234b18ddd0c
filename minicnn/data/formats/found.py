"""What a reader gives back, and the checks that several of them need."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

MAX_BYTES = 4 * 2**30  # of one array: what a laptop can hold
PARTS = {
    "train": ("train", "training"),
    "test": ("t10k", "test", "testing", "val", "valid", "validation"),
}


class Found(NamedTuple):
    """A part of a data set as its files hold it."""

    images: np.ndarray  # (N, H, W), (N, H, W, C) or (N, C, H, W), any real numbers
    labels: np.ndarray | None  # (N,), (N, 1), one-hot (N, K), or None: the file has none
    what: str  # for people: "Keras' mnist.npz"
    classes: Sequence[str] | None = None  # the names, by label
    part: str | None = None  # "train" or "test"; None: the file does not divide its images
    notes: tuple[str, ...] = ()  # what else was done


def part_of(name: str) -> str | None:
    """ "train" or "test", if a word of the name says so: "mnist_train.csv",
    "val-00000-of-00001.parquet".
    """
    words = re.split(r"[^a-z0-9]+", name.lower())
    return next((part for part, names in PARTS.items() if set(names) & set(words)), None)


def files_below(folder: Path, endings: Iterable[str]) -> list[Path]:
    """The files with these endings, in the folder or in the folders right below it, by name."""
    endings = tuple(endings)
    found = [*folder.glob("*"), *folder.glob("*/*")]
    return sorted(path for path in found if path.name.lower().endswith(endings) and path.is_file())


def of_this_part(root: Path, paths: Sequence[Path], part: str) -> tuple[list[Path], str | None]:
    """Those whose names, or folders below `root`, say `part`, and that part.

    Where the names do not say both parts, all of them, and None: then the images are
    divided later.
    """
    named = {path: part_of(str(path.relative_to(root))) for path in paths}
    if set(named.values()) >= set(PARTS):
        return [path for path, name in named.items() if name == part], part
    return [path for path, name in named.items() if name is None] or list(paths), None


def first_bytes(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        return file.read(count)


def check_size(path: Path, promised: int, what: str = "") -> None:
    """ValueError before memory is spent on what is too much."""
    if promised > MAX_BYTES:
        raise ValueError(f"{path}{what}: {promised:,} bytes are promised; at most {MAX_BYTES // 2**30} GiB are read.")


def size_of(path: Path) -> int:
    return os.stat(path).st_size
