"""Any data set that people have, recognised by what it holds: `open_dataset(path)`.

From top to bottom: the data set; opening; its images as bytes, its labels as numbers
from 0; which images are for training and which for the test, where the files do not
say.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from .dataset import Dataset, check_index, check_indices
from .formats import READERS, Found
from .mnist import MNIST

MOST_CLASSES = 1000
TEST_SHARE = 7  # where the files do not divide their images, every 7th is for the test: as in MNIST's 60,000 and 10,000


class ImageDataset(Dataset):
    """Images with their labels, held as bytes.

    dataset[i]               (C, H, W) float32 in [0, 1], int
    dataset.batch(indices)   (B, C, H, W) float32, (B,) int64
    images                   (N, C, H, W) uint8, C is 1 (grey) or 3 (red, green, blue)
    labels                   (N,) int64 from 0
    classes                  the names of the labels 0, 1, ...
    found                    a line that says what was read and how
    notes                    what was done to it, and what looks odd

    Raises ValueError where images and labels do not fit together, IndexError for an
    index that is not there.

    >>> images = np.arange(8, dtype=np.uint8).reshape(2, 1, 2, 2)
    >>> dataset = ImageDataset(images, [0, 1], ["cat", "dog"])
    >>> dataset.input_shape, len(dataset), dataset[1][1]
    ((1, 2, 2), 2, 1)

    https://docs.pytorch.org/vision/stable/generated/torchvision.datasets.DatasetFolder.html
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: Iterable[int],
        classes: Sequence[str],
        found: str = "arrays",
        notes: Sequence[str] = (),
        dtype: type | np.dtype = np.float32,
    ):
        self.images = np.asarray(images)
        self.labels = np.asarray(labels, np.int64)
        if self.images.ndim != 4 or self.images.dtype != np.uint8 or len(self.images) != len(self.labels):
            raise ValueError(
                "ImageDataset takes uint8 images (N, C, H, W) and one label for each; got "
                f"{self.images.dtype} {self.images.shape} and {len(self.labels)} labels."
            )
        self.classes = list(classes)
        self.found = found
        self.notes = tuple(notes)
        self.dtype = np.dtype(dtype)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        return self.images.shape[1:]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        index = check_index(index, self)
        return self._numbers(self.images[index]), int(self.labels[index])

    def batch(self, indices: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
        indices = check_indices(indices, self)
        return self._numbers(self.images[indices]), self.labels[indices]

    def _numbers(self, images: np.ndarray) -> np.ndarray:
        """0 to 255 becomes 0 to 1; nowhere else."""
        return np.divide(images, 255, dtype=np.float32).astype(self.dtype, copy=False)


def interleaved(labels: np.ndarray) -> np.ndarray:
    """An order in which the classes take turns, for labels that come sorted; any first
    images then hold all classes.
    """
    turn = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        turn[of_class] = np.arange(len(of_class))
    return np.lexsort((labels, turn))


def open_dataset(path: str | os.PathLike, train: bool = True, dtype: type | np.dtype = np.float32) -> ImageDataset:
    """The training images, or with `train=False` the test images, of a data set in any
    form that people have.

    IDX files under every name in use, Keras' mnist.npz and other .npz, tables of pixels
    (Kaggle's train.csv), folders of pictures, CIFAR-10's binary form, Parquet, .mat and
    HDF5 (Parquet and HDF5 need the extra `formats`). What it is, is seen from what it
    holds. Images may have any size, one channel or three; there may be up to 1,000
    classes. Where the files do not divide their images, every seventh is for the test.

    Raises FileNotFoundError if nothing is there, ValueError with a sentence for what
    cannot be read.

    >>> from minicnn.data import open_dataset
    >>> open_dataset("data/cats")
    Traceback (most recent call last):
    FileNotFoundError: data/cats: there is no such file or folder.

    https://docs.pytorch.org/vision/stable/datasets.html lists the sets that torchvision
    names one by one.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file or folder.")
    part = "train" if train else "test"
    found = recognise(path, part)
    images, notes = to_bytes(channels_first(found.images, path), path)
    labels, more = to_labels(found, path)
    if len(labels) > 1 and labels[0] != labels[-1] and (np.diff(labels) >= 0).all():
        order = interleaved(labels)
        images, labels = images[order], labels[order]
        notes.append("the images came sorted by class; now the classes take turns")
    if found.part is None:
        chosen = (np.arange(len(images)) % TEST_SHARE == TEST_SHARE - 1) != train
        images, labels = images[chosen], labels[chosen]
        notes.append(f"the files do not say which images are for the test: it is every {TEST_SHARE}th of them")
    if not len(images):
        raise ValueError(f"{path} holds no {part} images; expected at least one.")
    classes = list(found.classes or [])
    classes += [str(label) for label in range(len(classes), int(labels.max()) + 1)]
    N, C, H, W = images.shape
    colour = "grey" if C == 1 else "colour"
    line = f"{found.what}: {N:,} {part} images, {H} x {W}, {colour}, {len(classes)} classes"
    return ImageDataset(images, labels, classes, line, (*found.notes, *notes, *more), dtype)


def open_images(data: Path | None, train: bool, dtype: type | np.dtype = np.float32) -> ImageDataset:
    """The images that a command asks for with --data; None for the bundled digits.

    Raises FileNotFoundError or ValueError with a sentence that names the flag.
    """
    if data is None:
        digits = MNIST(train=train)
        return ImageDataset(digits.images[:, None], digits.labels, list("0123456789"), "the bundled MNIST", (), dtype)
    try:
        return open_dataset(data, train, dtype)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"--data {error} Leave --data out for the bundled images; the complete MNIST comes with "
            f'python -c "from minicnn.data import MNIST; MNIST({str(data)!r}, download=True)"'
        ) from None
    except ValueError as error:
        raise ValueError(f"--data {error}") from error


def check_readable(dataset: ImageDataset, shape: Sequence[int], classes: int, who: str, name: str) -> None:
    """ValueError unless a network takes these images and has an output for each label.

    `who` is "SimpleCNN reads" or the like, `name` what the data set is called.
    """
    C, H, W = dataset.input_shape
    wanted = tuple(shape)
    if (C, H, W) == wanted and dataset.labels.max() < classes:
        return
    colour = {1: "grey ", 3: "colour "}
    raise ValueError(
        f"{who} {colour.get(wanted[0], '')}images of {wanted[1]}x{wanted[2]} pixels with labels from 0 to "
        f"{classes - 1};"
        f" {name} has {colour[C]}images of {H}x{W} and labels up to {dataset.labels.max()}."
    )


def recognise(path: Path, part: str) -> Found:
    for reader in READERS:
        found = reader.reads(path, part)
        if found is not None:
            return found
    raise ValueError(f"{path}: {what_else(path)}")


def what_else(path: Path) -> str:
    """What a thing is that no reader knows, and the way in."""
    known = (
        "expected IDX files (train-images-idx3-ubyte ...), an .npz, a table of pixels (.csv), a folder of pictures for "
        "each class, CIFAR-10's .bin files, Parquet, .mat or HDF5"
    )
    if path.is_dir():
        inside = sorted(one.name for one in path.iterdir())[:5]
        return f"{known}; found {', '.join(inside) or 'an empty folder'}."
    with path.open("rb") as file:
        start = file.read(262 + 6)
    if start[:4] == b"PK\x03\x04":
        return f"this is a zip archive. Unpack it (unzip {path.name}) and name the folder."
    if start[257:262] == b"ustar" or start[:2] == b"\x1f\x8b" or start[:6] == b"\xfd7zXZ\0" or start[:3] == b"BZh":
        return f"this is an archive. Unpack it (tar xf {path.name}) and name the folder."
    if start[:2] == b"\x80\x04" or start[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x05"):
        return (
            "this is a pickle, which could run code and is not opened. Save its arrays with numpy.savez and name that."
        )
    return f"{known}; found a file that begins with {start[:8].hex(' ') or 'nothing'}."


# -------------------------------------------------------------------- images and labels


def channels_first(images: np.ndarray, path: Path) -> np.ndarray:
    """(N, H, W), (N, H, W, C) or (N, C, H, W) as (N, C, H, W)."""
    shape = images.shape
    if images.ndim == 3:
        return images[:, None]  # (N, 1, H, W)
    if images.ndim == 4 and shape[1] in (1, 3):
        return images
    if images.ndim == 4 and shape[3] in (1, 3):
        return images.transpose(0, 3, 1, 2)  # (N, C, H, W)
    raise ValueError(f"{path}: expected images of one channel or three, (N, H, W) or (N, H, W, 3); found {shape}.")


def to_bytes(images: np.ndarray, path: Path) -> tuple[np.ndarray, list[str]]:
    """uint8 from 0 to 255, and what was done. Bytes stay as they are: nothing is scaled
    twice.
    """
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images), []
    if images.dtype == bool:
        return images.astype(np.uint8) * np.uint8(255), ["pixels are false or true: 0 or 255"]
    if images.dtype.kind not in "iuf":
        raise ValueError(f"{path}: expected numbers as pixels, found {images.dtype}.")
    low, high = (float(images.min()), float(images.max())) if images.size else (0.0, 0.0)
    if not np.isfinite([low, high]).all() or low < 0:
        raise ValueError(
            f"{path}: expected pixels from 0 to 255 or from 0 to 1, found {low:g} to {high:g}. "
            "Undo what was subtracted from them, and save them as bytes."
        )
    whole = images.dtype.kind in "iu" or bool((images == np.rint(images)).all())
    largest = 255 if high > 16 else 16 if high > 1 else 1
    if high > 255:
        largest = 65535 if high > 4095 else 4095
    if not whole and largest != 1:
        raise ValueError(f"{path}: expected whole numbers from 0 to 255 or parts of 1, found parts of {high:g}.")
    if high > 65535:
        raise ValueError(f"{path}: expected pixels up to 255 (or 65535, 16 bits), found up to {high:g}.")
    if largest == 255:
        return images.astype(np.uint8), []
    scaled = np.rint(images.astype(np.float64) * (255 / largest)).astype(np.uint8)
    return scaled, [f"pixels from 0 to {largest} became 0 to 255"]


def to_labels(found: Found, path: Path) -> tuple[np.ndarray, list[str]]:
    """(N,) int64 from 0, and what was done."""
    labels, notes = found.labels, []
    if labels is None:
        raise ValueError(f"{path}: {found.what} has images without labels: nothing can be learnt from them or judged.")
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]  # (N,)
    if labels.ndim == 2 and labels.size and np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all():
        labels = labels.argmax(axis=1)  # (N,)
        notes.append("one-hot labels became numbers")
    if labels.ndim != 1 or labels.dtype.kind not in "iufb" or len(labels) != len(found.images):
        raise ValueError(
            f"{path}: expected a label for each image, whole numbers (N,); found {labels.dtype} {labels.shape} for "
            f"{len(found.images)} images."
        )
    low, high = (labels.min(), labels.max()) if labels.size else (0, 0)
    if labels.dtype.kind == "f" and not (np.isfinite(labels).all() and (labels == np.rint(labels)).all()):
        raise ValueError(f"{path}: expected whole numbers as labels, found fractions.")
    if low < 0 or high >= MOST_CLASSES:
        raise ValueError(f"{path}: expected labels from 0 to {MOST_CLASSES - 1}, found {low:g} to {high:g}.")
    return labels.astype(np.int64), notes
