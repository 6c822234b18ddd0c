"""Odd or even? The course's first exercise."""

from collections import Counter

import numpy as np

from ..kernels import arrays
from ..models import ParityCNN
from ..nn import BCELoss
from .classifier import Classifier


class Parity(Classifier):
    """Two classes, one output: the probability that the digit is odd, and binary cross-entropy.

    The answer is "odd" above a probability of 0.5. The notebook counts otherwise:
    `_, predicted = torch.max(outputs, 1)` asks which of the outputs is largest, and of one
    output that is always number 0. So its accuracy would freeze at the share of even digits,
    0.493 of the training images, however well the network learns.
    """

    name = "parity"
    question = "is the digit odd or even?"
    loss = "binary cross-entropy"
    classes = ("even", "odd")

    def network(self, config):
        return ParityCNN()

    def criterion(self):
        return BCELoss()

    def targets(self, images, labels):
        return arrays.cast(self.truth(labels), images.dtype)[:, None]  # (N, 1): 1.0 for odd

    def count_right(self, outputs, targets):
        return ((outputs > 0.5) == (targets == 1)).sum()  # by threshold, not by the largest of one output

    def truth(self, labels):
        return labels % 2

    def probabilities(self, outputs):
        return np.hstack([1 - outputs, outputs])  # (N, 2)

    def report(self, results):
        _, labels, probabilities = results
        odd = probabilities[:, 1] > 0.5
        wrong = Counter(labels[odd != labels % 2]).most_common(3)
        mistakes = ", ".join(f"{digit} taken for {'even' if digit % 2 else 'odd'} ({n}x)" for digit, n in wrong)
        first = list(zip(labels[:20], odd[:20], strict=True))
        lines = (
            ("The first images", [str(digit) for digit, _ in first]),
            ("taken for odd", [str(digit) if answer else " " for digit, answer in first]),
            ("taken for even", [" " if answer else str(digit) for digit, answer in first]),
            ("Most often wrong", [mistakes or "none"]),
        )
        return "\n".join(f"{words:18} {' '.join(values)}".rstrip() for words, values in lines)
