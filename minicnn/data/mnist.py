"""MNIST: handwritten digits, the subset that comes with the package or the complete set."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from .dataset import Dataset, check_index, check_indices
from .download import MIRRORS, fetch
from .idx import read_idx

BUNDLED = Path(__file__).parent / "files"
BUNDLED_DIGESTS = {
    "train-images-idx3-ubyte.gz": "3e797bc30c5e1547405d8926e5283954163e4cd51ba8565e3dbfe8c166db7e1a",
    "train-labels-idx1-ubyte.gz": "df0fdec1440045a98111fbaab6475855a4b3aaec01e012543057171fc9e074bf",
    "t10k-images-idx3-ubyte.gz": "1107a88c1dcf1bde0925f29c9f47e943757cc4c8190862d72943ef6e4a638a2c",
    "t10k-labels-idx1-ubyte.gz": "59f1210430c03405bf13b88e2855be7b6adbf45b16966f8f6bf11013873bf815",
}
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def _alias(name):
    return property(lambda self: getattr(self, name), lambda self, new: setattr(self, name, new))


class MNIST(Dataset):
    """Grey images of handwritten digits with their labels.

    By Yann LeCun, Corinna Cortes and Christopher J.C. Burges; the licence that is commonly
    given is CC BY-SA 3.0.

        MNIST()                        the bundled subset: the first 5,000 training images
        MNIST(train=False)             ... and the first 1,000 test images
        MNIST("data")                  the complete set (60,000 / 10,000) in a folder
        MNIST("data", download=True)   the same, fetched first if it is not there

    A folder holds the IDX files, gzipped or not, itself or in `raw` or `MNIST/raw`, as
    torchvision keeps them. Any data set in this format will do: `MNIST("data/FashionMNIST")`.
    With `dtype=np.float64` the images have that type, for gradient checks.

        dataset[i]                (1, 28, 28) float32 in [0, 1], int    as ToTensor makes it
        dataset.batch(indices)    (B, 1, 28, 28) float32, (B,) int64
        images, or data           (N, 28, 28) uint8                     as stored
        labels, or targets        (N,) int64

    Raises FileNotFoundError if the folder holds no such pair of files, ValueError if they do
    not fit together or are damaged, ImportError if the download needs a package, RuntimeError
    if no mirror answers.

    >>> digits = MNIST()
    >>> image, label = digits[0]
    >>> image.shape, image.dtype, float(image.max()), label
    ((1, 28, 28), dtype('float32'), 1.0, 5)

    Often believed: the digits are black on white. In fact ink is 1 and paper 0; they look black
    on white only through a reversed colour map.

    https://docs.pytorch.org/vision/stable/generated/torchvision.datasets.MNIST.html
    """

    def __init__(
        self,
        root: str | os.PathLike | None = None,
        train: bool = True,
        download: bool = False,
        mirrors: str | Sequence[str] = MIRRORS,
        dtype: type | np.dtype = np.float32,
    ):
        if root is None and download:
            raise ValueError("MNIST: download=True needs a folder: MNIST(root, download=True).")
        if np.dtype(dtype).name not in ("float32", "float64"):
            raise ValueError(
                f"MNIST: dtype must be float32 or float64, which hold what is between 0 and 1, got {dtype}."
            )
        self.root = BUNDLED if root is None else Path(root)
        self.train = bool(train)
        if download and not find_files(self.root, self.train):
            fetch(self.root / "MNIST" / "raw", mirrors)
        paths = find_files(self.root, self.train)
        if not paths:
            raise FileNotFoundError(
                f"MNIST: {missing(self.root, self.train)} Pass download=True to fetch them,"
                " or no root for the bundled subset."
            )
        if root is None:
            check_digests(paths)
        self.images, self.labels = read_pair(*paths)
        self.dtype = np.dtype(dtype)
        self.classes = [f"{digit} - {word}" for digit, word in enumerate(DIGITS)]
        if self.labels.max(initial=0) > 9:
            self.classes = [str(label) for label in range(self.labels.max() + 1)]

    def __repr__(self) -> str:
        split = "Train" if self.train else "Test"
        where = "bundled with minicnn" if self.root == BUNDLED else self.root
        return f"Dataset MNIST\n    Number of datapoints: {len(self)}\n    Root location: {where}\n    Split: {split}"

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        index = check_index(index, self)
        return to_float(self.images[index], self.dtype), int(self.labels[index])

    def batch(self, indices: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
        indices = check_indices(indices, self)
        return to_float(self.images[indices], self.dtype), self.labels[indices]

    data = _alias("images")  # torch's names
    targets = _alias("labels")


def to_float(images: np.ndarray, dtype: type | np.dtype = np.float32) -> np.ndarray:
    """uint8 (..., H, W) in 0..255 -> float32 (..., 1, H, W) in [0, 1], here alone.

    With float64 the numbers are those of float32.
    """
    return np.divide(images, 255, dtype=np.float32).astype(dtype, copy=False)[..., np.newaxis, :, :]


def names(train: bool) -> tuple[str, str]:
    """The files of the training or the test images, and of their labels."""
    split = "train" if train else "t10k"
    return f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte"


def missing(folder: Path, train: bool) -> str:
    """What is said of a folder without them."""
    images, labels = names(train)
    return (
        f"{folder} was expected to hold {images} and {labels} (or either as .gz),"
        " itself or in raw or MNIST/raw; found no such pair."
    )


def find_files(root: Path, train: bool) -> list[Path]:
    """The two files, images and labels, from the first folder that has both; else nothing."""
    for folder in (root, root / "raw", root / "MNIST" / "raw"):
        both = [(folder / name, folder / f"{name}.gz") for name in names(train)]
        found = [next((path for path in choices if path.is_file()), None) for choices in both]
        pair = [path for path in found if path is not None]
        if len(pair) == 2:
            return pair
    return []


def read_pair(images_path, labels_path):
    """Images (N, H, W) uint8 and labels (N,) int64, if that is what the two files hold."""
    images = read_idx(images_path)
    labels = read_idx(labels_path)
    found = f"found {images.dtype} {images.shape} in {images_path} and {labels.dtype} {labels.shape} in {labels_path}"
    if images.ndim == 1 and labels.ndim == 3:
        raise ValueError(f"MNIST: images and labels are swapped: {found}. Exchange the two names.")
    if images.ndim != 3 or images.dtype != np.uint8:
        raise ValueError(f"MNIST: expected uint8 images (N, H, W); {found}.")
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(f"MNIST: expected integer labels (N,); {found}.")
    if len(images) != len(labels):
        raise ValueError(f"MNIST: expected one label for each image; {found}.")
    if labels.size and not 0 <= labels.min() <= labels.max() <= 255:
        raise ValueError(
            f"MNIST: expected labels in 0..255; {labels_path} has them from {labels.min()} to {labels.max()}."
        )
    return images, labels.astype(np.int64)


def check_digests(paths):
    """Refuses a bundled file that is not the one which was bundled."""
    for path in paths:
        expected = BUNDLED_DIGESTS.get(path.name, "none")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != expected:
            raise ValueError(
                f"{path}: this bundled file is damaged, install minicnn again. "
                f"SHA-256 expected {expected}, found {found}."
            )
