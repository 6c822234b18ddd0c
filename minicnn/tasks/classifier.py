"""What all tasks have in common whose answer is one of several classes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .task import Task, gather


class Answers(NamedTuple):
    """What a classifier says of each image."""

    images: np.ndarray  # (N, 1, 28, 28)
    labels: np.ndarray  # (N,) the digits
    probabilities: np.ndarray  # (N, K), one for each class


def worst_confusions(counts: np.ndarray, classes: Sequence[str], most: int = 3) -> list[str]:
    """The pairs (truth, answer) that were confused most often, as text, ties by class."""
    wrong = counts * (1 - np.eye(len(counts), dtype=int))
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = (np.unravel_index(index, wrong.shape) for index in order)
    return [f"{classes[i]} read as {classes[j]} ({wrong[i, j]}x)" for i, j in pairs if wrong[i, j]]


class Classifier(Task):
    """A task that says which of K classes an image belongs to."""

    classes: Sequence[str]  # their names, in the order of the probabilities

    def truth(self, labels: np.ndarray) -> np.ndarray:
        """The number of each digit's class, (N,)."""
        raise NotImplementedError

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """The probability of each class, (N, K), from what the network gives."""
        raise NotImplementedError

    def examine(self, model, batches):
        model.eval()
        images, labels, outputs = gather((x, y, model(x)) for x, y in batches)
        return Answers(images, labels, self.probabilities(outputs))

    def draw(self, folder, history, filters, results):
        from .. import plots  # only now: Matplotlib takes its time to import

        images, labels, probabilities = results
        plots.draw_run(folder, history, filters, images, self.truth(labels), probabilities, self.classes)
