"""CIFAR-10's binary form: each record a label byte, then 32 x 32 red, green and blue
bytes. https://www.cs.toronto.edu/~kriz/cifar.html
"""

from pathlib import Path

import numpy as np

from .found import Found, first_bytes, size_of

RECORD = 1 + 3 * 32 * 32
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def reads(path: Path, part: str) -> Found | None:
    folder = path if path.is_dir() else path.parent
    if path.is_file() and path.suffix != ".bin":
        return None
    for place in (folder, folder / "cifar-10-batches-bin"):
        names = sorted(place.glob("data_batch_[1-5].bin")) if part == "train" else [place / "test_batch.bin"]
        batches = [name for name in names if name.is_file() and is_batch(name)]
        if batches:
            return from_batches(place, batches, part)
        if sorted(place.glob("data_batch_[1-5]")):
            raise ValueError(
                f"{place} holds CIFAR-10 in its Python form, pickles that could run code and are not opened. "
                "Take the binary form, cifar-10-binary.tar.gz from the same page."
            )
    return None


def is_batch(path: Path) -> bool:
    return size_of(path) > 0 and size_of(path) % RECORD == 0 and first_bytes(path, 1)[0] <= 9


def from_batches(place: Path, batches: list[Path], part: str) -> Found:
    records = np.concatenate([np.fromfile(batch, np.uint8).reshape(-1, RECORD) for batch in batches])
    names = place / "batches.meta.txt"
    classes = names.read_text(encoding="utf-8").split() if names.is_file() else CLASSES
    images = records[:, 1:].reshape(-1, 3, 32, 32)
    return Found(images, records[:, 0], "CIFAR-10's binary form", classes, part)
