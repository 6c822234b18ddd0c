"""What is odd about a data set: what a person would want to know before training on it."""

import hashlib

import numpy as np

from .mnist import MNIST
from .opening import ImageDataset

FEWEST = 5  # images of a class, before its mean says anything


def oddities(train: ImageDataset, test: ImageDataset) -> list[str]:
    """Sentences, the most serious first; none if nothing is odd."""
    found = [
        shared(train, test),
        transposed(train),
        missing("training", train, test),
        missing("test", test, train),
        blank("training", train),
        blank("test", test),
        repeated(train),
        uneven(train),
    ]
    return [sentence for sentence in found if sentence]


def digests(images: np.ndarray) -> list[bytes]:
    return [hashlib.sha256(image.tobytes()).digest() for image in images]


def shared(train: ImageDataset, test: ImageDataset) -> str:
    known = set(digests(train.images))
    both = sum(digest in known for digest in digests(test.images))
    if not both:
        return ""
    return (
        f"{both:,} of the {len(test):,} test images ({both / len(test):.0%}) are also training images: "
        "the accuracy on them says little about images that the network has not seen."
    )


def repeated(train: ImageDataset) -> str:
    found = digests(train.images)
    more = len(found) - len(set(found))
    return f"{more:,} of the {len(train):,} training images are there more than once." if more else ""


def blank(what: str, dataset: ImageDataset) -> str:
    """An image of one grey level shows nothing."""
    pixels = dataset.images.reshape(len(dataset), -1)
    empty = int((pixels.max(axis=1) == pixels.min(axis=1)).sum())
    return f"{empty:,} {what} images are empty: one grey level all over." if empty else ""


def missing(what: str, dataset: ImageDataset, other: ImageDataset) -> str:
    """Classes that the other part has, and this one has not."""
    absent = np.setdiff1d(np.unique(other.labels), np.unique(dataset.labels))
    if not len(absent):
        return ""
    listed = ", ".join(other.classes[label] for label in absent[:5]) + (", ..." if len(absent) > 5 else "")
    return f"{len(absent)} {'class has' if len(absent) == 1 else 'classes have'} no {what} images: {listed}."


def uneven(train: ImageDataset) -> str:
    counts = np.bincount(train.labels)
    few, many = counts[counts > 0].min(), counts.max()
    if many < 10 * few:
        return ""
    return f"The classes have from {few:,} to {many:,} training images: always answering the largest is right often."


def transposed(dataset: ImageDataset) -> str:
    """Whether these are digits with rows and columns exchanged, as EMNIST stores them:
    seen from the mean of each class.
    """
    if dataset.input_shape != (1, 28, 28) or len(dataset.classes) < 10:
        return ""
    digits = MNIST()
    upright, swapped = [], []
    for label in range(10):
        mine = dataset.images[dataset.labels == label, 0]
        if len(mine) < FEWEST:
            return ""
        mean = digits.images[digits.labels == label].mean(axis=0)
        upright.append(correlation(mine.mean(axis=0), mean))
        swapped.append(correlation(mine.mean(axis=0).T, mean))
    as_stored = float(np.mean(upright))
    turned = float(np.mean(swapped))
    if turned < max(0.6, as_stored + 0.1):
        return ""
    return (
        "The images look transposed, as EMNIST stores them: with rows and columns exchanged they "
        "resemble MNIST's digits. "
        "A network that learnt upright digits reads them at about 13 %; give the files names with emnist in them "
        "and they are turned back."
    )


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
