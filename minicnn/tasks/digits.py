"""Which digit is it? The course's main task; with another data set, which of its classes."""

import copy

import numpy as np

from ..models import SimpleCNN
from ..nn import CrossEntropyLoss
from .classifier import Classifier, worst_confusions

MOST_CLASSES = 1000
MOST_PIXELS = 512 * 512  # of an image: its network has 67 million parameters


class Digits(Classifier):
    """A logit for each class, cross-entropy, and the class with the largest logit is
    the answer.
    """

    name = "digits"
    question = "which digit is it?"
    loss = "cross-entropy"
    classes = tuple("0123456789")

    def network(self, config):
        """SimpleCNN for the images and classes of the run's data set. ValueError for
        what no data set has.
        """
        shape = config.get("input_shape", (1, 28, 28))
        outputs = config.get("outputs", len(self.classes))
        sizes = [*shape, outputs] if isinstance(shape, (list, tuple)) else []
        if not all(type(size) is int and size > 0 for size in sizes) or len(sizes) != 4:
            raise ValueError(f"expected input_shape [C, H, W] and outputs as whole numbers, got {shape} and {outputs}")
        if shape[0] not in (1, 3) or shape[1] * shape[2] > MOST_PIXELS or outputs > MOST_CLASSES:
            raise ValueError(
                f"expected 1 or 3 channels, at most {MOST_PIXELS:,} pixels and {MOST_CLASSES:,} classes, "
                f"got {shape} and {outputs}"
            )
        return SimpleCNN(outputs, shape)

    def for_run(self, config):
        named = config.get("classes")
        outputs = config.get("outputs", len(self.classes))
        if named is None:
            return self
        if not isinstance(named, list) or not all(isinstance(name, str) for name in named) or len(named) != outputs:
            raise ValueError(f"expected the names of {outputs} classes, got {str(named)[:100]}")
        task = copy.copy(self)
        task.classes = tuple(named)
        return task

    def criterion(self):
        return CrossEntropyLoss()

    def targets(self, images, labels):
        return labels  # (N,)

    def count_right(self, outputs, targets):
        return (outputs.argmax(1) == targets).sum()

    def truth(self, labels):
        return labels

    def probabilities(self, outputs):
        odds = np.exp(outputs - outputs.max(axis=1, keepdims=True))  # softmax; its largest number is 1, none overflows
        return odds / odds.sum(axis=1, keepdims=True)  # (N, 10)

    def report(self, results):
        _, labels, probabilities = results
        predictions = probabilities.argmax(axis=1)
        name = self.classes
        counts = np.zeros((len(name), len(name)), np.int64)  # (truth, answer)
        np.add.at(counts, (labels, predictions), 1)
        gap = " " if max(map(len, name)) == 1 else ", "
        first = 20 if gap == " " else 5
        return (
            f"The first images   {gap.join(name[i] for i in labels[:first])}\n"
            f"are read as        {gap.join(name[j] for j in predictions[:first])}\n"
            f"Most often wrong   {', '.join(worst_confusions(counts, name)) or 'none'}"
        )
