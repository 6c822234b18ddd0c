"""Which digit is it? The course's main task."""

from collections import Counter

import numpy as np

from ..models import SimpleCNN
from ..nn import CrossEntropyLoss
from .classifier import Classifier


class Digits(Classifier):
    """Ten classes, ten logits, cross-entropy. The largest logit is the answer."""

    name = "digits"
    question = "which digit is it?"
    loss = "cross-entropy"
    classes = tuple("0123456789")

    def network(self, config):
        return SimpleCNN()

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
        wrong = predictions != labels
        confused = Counter(zip(labels[wrong], predictions[wrong], strict=True)).most_common(3)
        pairs = ", ".join(f"{truth} read as {answer} ({times}x)" for (truth, answer), times in confused)
        return (
            f"The first images   {' '.join(map(str, labels[:20]))}\n"
            f"are read as        {' '.join(map(str, predictions[:20]))}\n"
            f"Most often wrong   {pairs or 'none'}"
        )
