"""Which digit is it? The course's main task."""

from collections import Counter
from typing import NamedTuple

import numpy as np

from ..models import SimpleCNN
from ..nn import CrossEntropyLoss
from .task import Task, gather


class Answers(NamedTuple):
    """What a classifier says of each image."""

    images: np.ndarray  # (N, 1, 28, 28)
    labels: np.ndarray  # (N,)
    probabilities: np.ndarray  # (N, K), one for each class


class Digits(Task):
    """Ten classes: ten logits, cross-entropy, and the class with the largest logit is the answer."""

    name = "digits"
    question = "which digit is it?"
    loss = "cross-entropy"

    def network(self, config):
        return SimpleCNN()

    def criterion(self):
        return CrossEntropyLoss()

    def targets(self, images, labels):
        return labels  # (N,)

    def count_right(self, outputs, targets):
        return (outputs.argmax(1) == targets).sum()

    def examine(self, model, batches):
        model.eval()
        images, labels, logits = gather((x, y, model(x)) for x, y in batches)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return Answers(images, labels, odds / odds.sum(axis=1, keepdims=True))

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

    def draw(self, folder, history, filters, results):
        from .. import plots  # only now: Matplotlib takes its time to import

        plots.draw_run(folder, history, filters, *results)
